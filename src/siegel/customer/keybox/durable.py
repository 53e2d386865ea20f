"""Files of a box: private to their owner, and durable before anybody is told that they are there."""

import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from siegel.domain.errors import ConfigurationError, StorageError

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SECRET_BYTES_MAX: Final = 4096


def write_new(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 and sync it and its folder. Raises FileExistsError, else StorageError."""
    try:
        descriptor = os.open(path, _NEW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None


def replace_whole(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file, if there is one, at once and durably; then overwrite what was there before with zeros.

    The overwriting is a courtesy to disks that write in place: the file was sealed anyhow. Raises StorageError; then the old
    file is still there, or the new one already.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        write_new(fresh, data)
        with ExitStack() as stack:
            old = _open_old(path)
            if old is not None:
                stack.callback(os.close, old)
            fresh.rename(path)
            sync_folder(path.parent)
            if old is not None:
                os.pwrite(old, bytes(os.fstat(old).st_size), 0)
                os.fsync(old)
    except OSError as error:
        raise StorageError(f"{path} cannot be replaced: {error.strerror}") from None


def _open_old(path: Path) -> int | None:
    # An empty file in the place of a missing one would outlive a kill before the rename, and pass for a damaged one.
    try:
        return os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_secret(path: Path, what: str) -> bytes:
    """Read a small file that only its owner may touch; links are followed, as secrets are often mounted as links.

    Raises ConfigurationError: missing, unreadable, no regular file, open to others.
    """
    try:
        # Without O_NONBLOCK the open would hang on a FIFO.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(f"the {what} {path} cannot be read: {error.strerror}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigurationError(f"the {what} {path} is not a regular file")
        if mode & _OTHERS:
            raise ConfigurationError(
                f"the {what} {path} is open to other users (mode {stat.S_IMODE(mode):04o})\ntry: chmod 600 {path}"
            )
        return os.read(descriptor, _SECRET_BYTES_MAX)
    finally:
        os.close(descriptor)
