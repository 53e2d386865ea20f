"""A counter that all processes of a deployment share: whoever remembers buckets or identities compares it before each use.

Eight bytes of a mapped file. The number is even at rest and odd while a change is being committed, so that a process which
dies between its commit and the count leaves an odd number behind: until the next transaction of any process repairs it, nobody
relies on what they remember.
"""

import mmap
import os
from itertools import count
from pathlib import Path
from typing import Final

from siegel.domain.errors import StorageError

_SIZE_BYTES: Final = 8


class Generation:
    """The shared counter. Only the holder of the process lock may change it."""

    def __init__(self, path: Path) -> None:
        """Map the counter's file, made if it is missing. Raises StorageError if that fails."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                # Real space, not a hole: a store into a hole of a full disk would end the process.
                os.posix_fallocate(descriptor, 0, _SIZE_BYTES)
                self._map = mmap.mmap(descriptor, _SIZE_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"the generation counter {path} cannot be mapped: {error}") from error
        self._cells = memoryview(self._map).cast("Q")
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
        self._cells.release()
        self._map.close()
