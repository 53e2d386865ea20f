"""Rolling up: walking rows in key order and replacing those that a delimiter groups by their common prefix.

A page costs what it returns: behind a common prefix the walk goes on at the prefix's successor, however much lies below it.
"""

from collections.abc import Iterator
from typing import Final, Protocol, TypeVar

from siegel.domain.objects import ObjectVersion, Upload

_LAST_CODE_POINT: Final = "\U0010ffff"
_BEFORE_SURROGATES: Final = "\ud7ff"
_AFTER_SURROGATES: Final = "\ue000"
_RUN_START: Final = 8
_RUN_GROWTH: Final = 4

T = TypeVar("T", ObjectVersion, Upload)


def behind(object_key: str) -> str:
    """Return the smallest key behind `object_key`."""
    return object_key + "\0"


def successor(prefix: str) -> str | None:
    """Return the smallest key behind every key that begins with `prefix`; None if there is none."""
    prefix = prefix.rstrip(_LAST_CODE_POINT)
    if not prefix:
        return None
    last = prefix[-1]
    return prefix[:-1] + (_AFTER_SURROGATES if last == _BEFORE_SURROGATES else chr(ord(last) + 1))


class Position:
    """Where a walk stands: at `object_key`, behind the row of it that `row_mark` names (None: at its first row)."""

    __slots__ = ("object_key", "row_mark")

    def __init__(self, object_key: str, row_mark: int | str | None = None) -> None:
        self.object_key = object_key
        self.row_mark = row_mark


class Rows(Protocol[T]):
    """Rows in key order, as a walk needs them."""

    def fetch(self, position: Position, stop: str | None, limit: int) -> list[T]:
        """Return up to `limit` rows from `position` on, with keys before `stop`."""
        ...

    def next_key(self, position: Position, stop: str | None) -> str | None:
        """Return the key of the first of these rows, or None."""
        ...

    def position_behind(self, row: T) -> Position:
        """Return the position right behind a row."""
        ...


class Roll:
    """Tells which keys a delimiter rolls up, and into which common prefix."""

    def __init__(self, prefix: str, delimiter: str) -> None:
        self.prefix = prefix
        self.delimiter = delimiter

    def common_prefix(self, object_key: str) -> str | None:
        """Return the common prefix that stands for `object_key`, or None if it stands alone."""
        if not self.delimiter:
            return None
        end = object_key.find(self.delimiter, len(self.prefix))
        return None if end < 0 else object_key[: end + len(self.delimiter)]

    def begin(self, after: str) -> Position | None:
        """Return where a page behind the marker `after` begins; None if nothing can be behind it.

        A marker that is itself a common prefix stands for all that it rolled up.
        """
        start: str | None = behind(after) if after else self.prefix
        if after.startswith(self.prefix) and self.common_prefix(after) == after:
            start = successor(after)
        return None if start is None else Position(max(start, self.prefix))

    def walk(self, rows: Rows[T], position: Position | None, wanted: int) -> Iterator[tuple[T | None, str]]:
        """Yield rows from `position` on, and None with the common prefix where one stands for them.

        Rows are fetched in growing runs while keys stand alone; where prefixes roll them up, only keys are looked at.
        """
        stop = successor(self.prefix)
        run = wanted if not self.delimiter else 0
        while position is not None:
            if run == 0:
                object_key = rows.next_key(position, stop)
                if object_key is None:
                    return
                common = self.common_prefix(object_key)
                if common is not None:
                    yield None, common
                    position = _at(successor(common))
                    continue
                run = _RUN_START
            fetched = rows.fetch(position, stop, min(run, wanted))
            for row in fetched:
                if self.common_prefix(row.object_key) is not None:
                    position, run = Position(row.object_key), 0
                    break
                yield row, ""
            else:
                if len(fetched) < min(run, wanted):
                    return
                position, run = rows.position_behind(fetched[-1]), run * _RUN_GROWTH


def _at(object_key: str | None) -> Position | None:
    return None if object_key is None else Position(object_key)
