"""Files of a box: private to their owner, and durable before anybody is told that they are there."""

import errno
import os
import secrets
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from siegel.domain.errors import ConfigurationError, StorageError

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SECRET_BYTES_MAX: Final = 4096
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})


def write_new(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 and sync it and its folder: its name appears once all of it is on the disk, or never.

    Raises FileExistsError, else StorageError; then nothing is there that was not there before.
    """
    if os.path.lexists(path):
        raise _taken(path)
    fresh = hidden_name(path.parent)
    try:
        try:
            _write_synced(fresh, data)
            name_new(fresh, path)
        finally:
            with suppress(FileNotFoundError):
                fresh.unlink()
        _sync_name(path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None


def hidden_name(folder: Path) -> Path:
    """Return a name that nobody has, for a file that is to get its own later."""
    # Not that one with something added: it may be as long as a name can be.
    return folder / f".{secrets.token_hex(8)}.new"


def name_new(fresh: Path, path: Path, folder: int | None = None) -> None:
    """Give the file `fresh` the name `path` too, unless somebody has it; `fresh` may be gone then. Raises OSError.

    With `folder`, a descriptor of any directory, `fresh` may be the link of /proc to an open file that has no name.
    """
    try:
        # Python follows a link to what is to be named only if it is given a directory.
        os.link(fresh, path, src_dir_fd=folder, follow_symlinks=True)
    except OSError as error:
        if folder is not None or error.errno not in _NO_LINKS:
            raise
        # On a file system without hard links the name is taken first, and a kill between the two leaves it without the file.
        os.close(os.open(path, _NEW, 0o600))
        fresh.replace(path)


def write_pair(path: Path, data: bytes, public: Path, public_data: bytes) -> None:
    """Write two new files as `write_new` does; both, or none. Raises FileExistsError, else StorageError."""
    if os.path.lexists(public):
        raise _taken(public)
    write_new(path, data)
    try:
        write_new(public, public_data)
    except BaseException:
        path.unlink()
        raise


def _sync_name(path: Path) -> None:
    """Make a new name durable, or take it back."""
    try:
        sync_folder(path.parent)
    except OSError:
        path.unlink()
        raise


def _taken(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, _NEW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)


def replace_whole(path: Path, data: bytes, *, blanks_old: bool = False) -> None:
    """Put `data` in the place of a file, if there is one, at once and durably.

    With `blanks_old` what was there before is overwritten with zeros then, a courtesy to disks that write in place; whoever reads
    it at that moment reads zeros. Raises StorageError; then the old file is still there, or the new one already.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        _write_synced(fresh, data)
        # A folder that cannot be synced is found before anything is replaced.
        _sync_name(fresh)
        with ExitStack() as stack:
            old = _open_old(path) if blanks_old else None
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
