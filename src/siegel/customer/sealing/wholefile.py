"""Local files that are there whole or not at all: plaintext gets its name when all of it has come and was found authentic."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from siegel.customer.keybox.durable import hidden_name, name_new

_NAMELESS: Final = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
_HIDDEN: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CANNOT: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})


@contextmanager
def whole_file(target: Path, *, replace: bool) -> Iterator[IO[bytes]]:
    """Yield a stream; what was written into it is under `target` once the block ends without an error, mode 0600.

    Until then it has no name at all, so that nothing of it is left whatever ends the process; on file systems that cannot do
    that (NFS), a hidden one in the same folder. Without `replace` nothing is lost that was there before, or came meanwhile, and
    no link is followed, which somebody else may have laid; with it links are, and what is there and is no regular file is not
    replaced but written into, piece by piece.
    Raises FileExistsError, OSError.
    """
    if replace and _is_special(target):
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CLOEXEC), "wb") as stream:
            yield stream
        return
    if not replace and os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    path = Path(os.path.realpath(target)) if replace else target
    with _fresh(path.parent) as (stream, fresh):
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
        _name(stream, fresh, path, replace=replace)


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def _fresh(folder: Path) -> Iterator[tuple[IO[bytes], Path | None]]:
    """Yield a new file without a name, and None; or one with a hidden name, which is removed in the end, and that name."""
    descriptor = _nameless(folder)
    if descriptor is not None:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream, None
        return
    hidden = hidden_name(folder)
    try:
        with os.fdopen(os.open(hidden, _HIDDEN, 0o600), "wb") as stream:
            yield stream, hidden
    finally:
        with suppress(FileNotFoundError):
            hidden.unlink()


def _nameless(folder: Path) -> int | None:
    """Return a descriptor of a file without a name, None where there is no such thing, or it could not get one."""
    try:
        descriptor = os.open(folder, _NAMELESS, 0o600)
    except OSError as error:
        if error.errno in _CANNOT:
            return None
        raise
    if _link_to(descriptor).exists():
        return descriptor
    os.close(descriptor)
    return None


def _name(stream: IO[bytes], fresh: Path | None, path: Path, *, replace: bool) -> None:
    if replace:
        if fresh is None:
            # Only a name can take the place of a name.
            fresh = hidden_name(path.parent)
            _name(stream, None, fresh, replace=False)
        try:
            fresh.replace(path)
        except OSError:
            fresh.unlink()
            raise
        return
    if fresh is not None:
        name_new(fresh, path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        name_new(_link_to(stream.fileno()), path, folder)
    finally:
        os.close(folder)


def _link_to(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")
