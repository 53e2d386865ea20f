"""Up to when each of the customer's own books was compared with a ledger.

Every book has its own place: a run that did not look at a book must not move it on, else what stands in that book alone is never
compared. A run begins at the earliest place of its books; a book that is not known yet was never compared.

A book is known by its first line, wherever it lies: a copy of a log is that log, and one that was begun anew is another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from siegel.domain.errors import ConfigurationError

LINE_BYTES_MAX: Final = 512 * 1024
Places = Mapping[str, int]


def names_of(logs: Sequence[Path], receipts: Sequence[Path], receipts_of: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the names of logs of keys, and those of all else that a ledger is compared with.

    That somebody's receipts are all here is a book of its own: it says what must not be in the ledger. Raises ConfigurationError
    where a book is named twice, or cannot be read.
    """
    of_logs, of_receipts = list(_names("log", logs)), list(_names("receipts", receipts))
    for names, paths in ((of_logs, logs), (of_receipts, receipts)):
        if len(set(names)) < len(names):
            raise ConfigurationError(f"a book, or a copy of it, is named twice: {', '.join(map(str, paths))}")
    return of_logs, of_receipts + [f"all receipts of {arn}" for arn in sorted(receipts_of)]


def earliest(names: Iterable[str], *known: Places) -> int:
    """Return from when on there is something to compare: for each of several ledgers, `known` are its places."""
    return min(places.get(name, 0) for name in names for places in known)


def moved(places: Places, reached: Places) -> dict[str, int]:
    """Return the places after a run that came so far. None goes back."""
    return {**places, **{name: max(at_ms, places.get(name, 0)) for name, at_ms in reached.items()}}


def _names(kind: str, paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        try:
            with path.open("rb") as stream:
                first = stream.readline(LINE_BYTES_MAX)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
        is_whole = first.endswith(b"\n")
        yield f"{kind} {sha256(first).hexdigest() if is_whole else path.absolute()}"
