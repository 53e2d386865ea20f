"""The lock that lets one process at a time write to the database: `flock(2)` on a file beside it.

SQLite's own write lock is polled with sleeps; this one wakes its waiter at once. The kernel drops it when its owner dies.
"""

import fcntl
import os
from pathlib import Path

from siegel.domain.errors import StorageError


class ProcessLock:
    """An exclusive lock between processes, and between stores of one process."""

    def __init__(self, path: Path) -> None:
        """Create or open the lock file. Raises StorageError if that fails."""
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StorageError(f"the lock file {path} cannot be opened: {error}") from error

    def try_acquire(self) -> bool:
        """Take the lock if it is free, and say so; never waits."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def acquire(self) -> None:
        """Take the lock; waits as long as another process has it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """Give the lock back. Harmless where it is not held."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock back and close its file."""
        os.close(self._descriptor)
