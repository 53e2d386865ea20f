"""A counter that all processes of a deployment share: whoever remembers buckets or identities compares it before each use.

Eight bytes of a mapped file. The number is even at rest and odd while a change is being committed, so that a process which
dies between its commit and the count leaves an odd number behind: until the next transaction of any process repairs it, nobody
relies on what they remember.
"""

from itertools import count
from pathlib import Path

from siegel.drivers.meta.mapped import MappedCells


class Generation:
    """The shared counter. Only the holder of the process lock may change it."""

    def __init__(self, path: Path) -> None:
        """Map the counter's file, made if it is missing. Raises StorageError if that fails."""
        self._mapped = MappedCells(path, 1)
        self._cells = self._mapped.cells
        self._unsettled = count(-1, -1)

    def value(self) -> int:
        """Return the number; while a change is being committed, a number that never comes again."""
        value = self._cells[0]
        return next(self._unsettled) if value & 1 else value

    def value_after_commit(self, *, is_changing: bool) -> int:
        """Return what `value` will be once the holder of the process lock, who asks, has committed."""
        return self._cells[0] + 2 * is_changing

    def open_change(self) -> None:
        """Mark that a change is about to be committed."""
        self._cells[0] |= 1

    def settle(self) -> None:
        """Count a change that was opened, by this process or by one that has died since. Harmless where there is none."""
        if self._cells[0] & 1:
            self._cells[0] += 1

    def close(self) -> None:
        """Unmap the file."""
        self._mapped.close()
