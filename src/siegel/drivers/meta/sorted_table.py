"""A sorted table in memory whose changes can be undone: what the memory driver is built from."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=tuple[Any, ...])
V = TypeVar("V")

Undo = Callable[[], None]


class SortedTable(Generic[K, V]):
    """Rows by sorted key. Each change leaves in `log` the step that takes it back."""

    def __init__(self, log: list[Undo]) -> None:
        """Start empty."""
        self._rows: dict[K, V] = {}
        self._keys: list[K] = []
        self._log = log

    def get(self, key: K) -> V | None:
        """Return a row, or None."""
        return self._rows.get(key)

    def put(self, key: K, row: V) -> None:
        """Add or replace a row."""
        if key in self._rows:
            before = self._rows[key]
            self._log.append(lambda: self._store(key, before))
        else:
            self._log.append(lambda: self._drop(key))
        self._store(key, row)

    def remove(self, key: K) -> V | None:
        """Remove a row and return it; None if it was not there."""
        row = self._rows.get(key)
        if row is not None:
            self._drop(key)
            self._log.append(lambda: self._store(key, row))
        return row

    def scan(self, start: tuple[Any, ...], stop: tuple[Any, ...]) -> Iterator[V]:
        """Yield the rows with start <= key < stop, in order; bounds may be shorter than keys."""
        for key in self._keys[bisect_left(self._keys, start) : bisect_left(self._keys, stop)]:
            yield self._rows[key]

    def rows(self) -> Iterator[V]:
        """Yield all rows, in order of their keys."""
        for key in self._keys:
            yield self._rows[key]

    def _store(self, key: K, row: V) -> None:
        if key not in self._rows:
            insort(self._keys, key)
        self._rows[key] = row

    def _drop(self, key: K) -> None:
        del self._rows[key]
        del self._keys[bisect_left(self._keys, key)]
