"""The lines of documents about consents: `field: value`, in one order, in one spelling.

A text that is read and written again is the same to the byte, so what was signed is what was read. Values are printable: nothing
that turns the direction of writing or cannot be seen can show a reader another text than the one he signs.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from siegel.domain.ledgers import LedgerFormError
from siegel.domain.moments import encode_time

DOCUMENT_BYTES_MAX: Final = 256 * 1024
VALUE_CHARS_MAX: Final = 500

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)

Fields = Sequence[tuple[str, str]]
"""The lines of a document below its first one."""


def encode_lines(first: str, fields: Fields) -> str:
    """Return the text of a document."""
    return "".join([f"{first}\n", *(f"{name}: {value}\n" for name, value in fields)])


def parse_time(text: str) -> int:
    """Return seconds since 1970. Raises LedgerFormError for what `encode_time` does not write."""
    try:
        at_s = int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise LedgerFormError("a time is written as in 2026-01-31T12:00:00Z") from None
    if at_s < 0 or encode_time(at_s) != text:
        raise LedgerFormError("a time is written as in 2026-01-31T12:00:00Z, and not before 1970")
    return at_s


def parse_count(text: str) -> int:
    """Return a number of at most nine decimal digits. Raises LedgerFormError."""
    if not _COUNT.fullmatch(text):
        raise LedgerFormError("a number has at most nine decimal digits, and no zero in front")
    return int(text)


def check_value(name: str, value: str, chars_max: int = VALUE_CHARS_MAX) -> None:
    """Raise LedgerFormError unless `value` fits on a line: printable, neither empty nor with blanks at its ends."""
    if not 1 <= len(value) <= chars_max or value != value.strip() or not value.isprintable():
        raise LedgerFormError(f"{name} has 1 to {chars_max} printable characters on one line, and no blanks at its ends")


class Lines:
    """Takes a document's fields in their order. Every method raises LedgerFormError for a line that is not the one awaited."""

    def __init__(self, text: str, first: str) -> None:
        """Read `text`, whose first line must be `first`."""
        head, *lines = text.split("\n")
        if len(text.encode(errors="replace")) > DOCUMENT_BYTES_MAX or head != first or not lines or lines.pop():
            raise LedgerFormError(f"this is no {first.removeprefix('siegel ')}, or one of another version")
        self._first = first
        self._lines = [line.partition(": ") for line in reversed(lines)]

    def one(self, name: str) -> str:
        """Return the value of the next line, which is this field's."""
        value = self.maybe(name)
        if not value:
            raise LedgerFormError(f"the {self._first.removeprefix('siegel ')} lacks its line {name}, or has it elsewhere")
        return value

    def maybe(self, name: str) -> str:
        """Return the value of the next line if it is this field's, else an empty text."""
        if not self._lines or self._lines[-1][0] != name:
            return ""
        _, separator, value = self._lines.pop()
        if not separator or not value:
            raise LedgerFormError(f"the line {name} has no value")
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """Return the values of all the next lines that are this field's."""
        values: list[str] = []
        while value := self.maybe(name):
            values.append(value)
        return tuple(values)

    def end(self) -> None:
        """See that nothing is left."""
        if self._lines:
            raise LedgerFormError(f"the {self._first.removeprefix('siegel ')} has a line too many, or in a wrong place")


def check_distinct(name: str, values: Iterable[object]) -> None:
    """Raise LedgerFormError if a value is there twice."""
    found = list(values)
    if len(set(found)) != len(found):
        raise LedgerFormError(f"the same line {name} is there twice")
