"""The locks beside the database, by `flock(2)`: one process at a time writes to it, and none has it open while it is replaced.

SQLite's own write lock is polled with sleeps; this one wakes its waiter at once. The kernel drops both when their owner dies.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from siegel.domain.errors import ConfigurationError, StorageError
from siegel.drivers.custody.rootfile import open_shared

USE_LOCK_NAME: Final = "database.lock"


class ProcessLock:
    """An exclusive lock between processes, and between stores of one process."""

    def __init__(self, path: Path) -> None:
        """Create or open the lock file. Raises StorageError if that fails."""
        try:
            self._descriptor = open_shared(path)
        except OSError as error:
            raise StorageError(f"the lock file {path} cannot be opened: {error}") from error

    def fileno(self) -> int:
        """Return the descriptor of the lock file, which is open for reading and writing."""
        return self._descriptor

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


class UseLock:
    """Everybody who has the database of a directory open shares it; who replaces the database has it alone."""

    def __init__(self, directory: Path, *, alone: bool = False) -> None:
        """Take the lock, without waiting. Raises ConfigurationError if somebody has it in the way."""
        path = directory / USE_LOCK_NAME
        try:
            self._descriptor = open_shared(path)
        except OSError as error:
            raise ConfigurationError(f"the lock file {path} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            if alone:
                raise ConfigurationError(
                    f"the database of {directory} is open: stop the service, and wait for commands"
                ) from None
            raise ConfigurationError(f"the database of {directory} is given another key: wait until that is done") from None

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)
