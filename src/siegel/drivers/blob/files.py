"""Blobs as files of the local disk: DIR/<first 2 hex digits>/<32 hex digits of the random id>.

The order that makes an acknowledged blob survive a power cut: write under a temporary name in the same folder, sync the
file, give it its name without ever overwriting, sync the folder. Each step is done once; a sync that failed is never tried
again, because the kernel may have dropped the pages and would report success (fsync(2), "Linux handling of writeback errors").

Nothing planted in the folders is followed or read: a blob is a regular file with one name, opened without following links.
"""

import errno
import logging
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from siegel.domain.errors import StorageError
from siegel.domain.faultpoints import reach
from siegel.drivers.blob.handle import Handle
from siegel.drivers.blob.writeout import EARLY_WRITE_BYTES, begin_writing
from siegel.drivers.disk_errors import disk_error

_BLOB_ID_BYTES: Final = 16
_BLOB_NAME: Final = re.compile(r"[0-9a-f]{32}")
_UNFINISHED: Final = ".unfinished"
_FOLDERS: Final = tuple(f"{number:02x}" for number in range(256))
_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK the open itself would hang on a planted FIFO.
_OPEN_BLOB: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_log = logging.getLogger(__name__)


@contextmanager
def _disk_errors(doing: str) -> Iterator[None]:
    """Turn the system's errors into ours, so that no caller has to know error numbers."""
    try:
        yield
    except OSError as error:
        raise disk_error(doing, error) from error


def _name_of(blob_id: bytes) -> str:
    if len(blob_id) != _BLOB_ID_BYTES:
        raise StorageError("a blob id has 16 bytes")
    return blob_id.hex()


class FileBlobWriter:
    """A blob on its way to the disk, under a temporary name. Safe to give up from another thread than the writing one."""

    __slots__ = ("_begun", "_file", "_folder", "_handle", "_name", "_names", "_size")

    def __init__(self, folder: int, name: str) -> None:
        """Create the file in the open `folder`, which the writer owns from now on, even if this raises."""
        self._folder = folder
        self._name = name
        self._names: tuple[str, ...] = ()
        self._file = -1
        self._size = 0
        self._begun = 0
        self._handle = Handle(self._let_go)
        with self._working("a blob cannot be created"):
            self._create(name + _UNFINISHED)

    @contextmanager
    def _working(self, doing: str) -> Iterator[None]:
        """Hold the file while working on it; the first failure ends the blob, so that nothing can be tried twice."""
        with self._handle:
            try:
                with _disk_errors(doing):
                    yield
            except StorageError:
                self._handle.give_up()
                raise

    def _create(self, temporary: str) -> None:
        with suppress(FileNotFoundError):
            os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self._file = os.open(temporary, _OPEN_NEW, 0o600, dir_fd=self._folder)
        self._names = (temporary,)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`; the disk begins with it early where the blob is large."""
        with self._working("a blob cannot be written"):
            rest = memoryview(data)
            while rest:
                # The kernel may take less than it was given, for example when the disk fills up.
                rest = rest[os.write(self._file, rest) :]
            self._size += len(data)
            if self._size - self._begun >= EARLY_WRITE_BYTES:
                begin_writing(self._file, self._begun, self._size - self._begun)
                self._begun = self._size

    def commit(self) -> None:
        """Sync the file, name it, sync the folder. Whatever fails, the blob is abandoned and nothing is tried twice."""
        with self._working("a blob cannot be made durable"):
            self._publish(self._name + _UNFINISHED)
            # From here on the blob stays: giving it up only closes the file.
            self._names = ()
            self._handle.give_up()

    def _publish(self, temporary: str) -> None:
        reach("blob.before_fsync")
        os.fdatasync(self._file)
        reach("blob.before_rename")
        # A second name and the removal of the first, rather than a rename: a rename would overwrite.
        os.link(temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
        self._names = (temporary, self._name)
        os.unlink(temporary, dir_fd=self._folder)
        self._names = (self._name,)
        reach("blob.after_rename")
        os.fsync(self._folder)
        reach("blob.after_dirsync")

    def abandon(self) -> None:
        """Drop what was written, now or as soon as the thread that is at work leaves. Never waits, never raises."""
        self._handle.give_up()

    def _let_go(self) -> None:
        """Remove every name that the blob has so far, then close. What cannot be removed is left to the sweep."""
        for name in self._names:
            with suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
        self._names = ()
        for file in (self._file, self._folder):
            if file >= 0:
                # Everything that matters is synced by now, or the blob is dropped: nothing is lost with this error.
                with suppress(OSError):
                    os.close(file)
        self._file = self._folder = -1


class FileBlobReader:
    """An open blob. The file lives on while it is open, even if its name is removed."""

    __slots__ = ("_file", "_handle", "size_bytes")

    def __init__(self, file: int) -> None:
        """Take an open file. Raises StorageError, and closes it, unless it is a regular file with exactly one name."""
        self._file = file
        self._handle = Handle(self._let_go)
        found = os.fstat(file)
        self.size_bytes = found.st_size
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            self._let_go()
            raise StorageError("a blob is not a regular file with one name: it was planted")

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`; short only at the end of the blob."""
        return self._read(offset, buffer, 0)

    def read_cached_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` as far as the system holds the bytes in memory; 0 where it does not, or cannot say (preadv2(2))."""
        try:
            return self._read(offset, buffer, os.RWF_NOWAIT)
        except StorageError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.EOPNOTSUPP:
                return 0
            raise

    def _read(self, offset: int, buffer: memoryview, flags: int) -> int:
        done = 0
        with self._handle:
            while done < len(buffer):
                try:
                    count = os.preadv(self._file, (buffer[done:],), offset + done, flags)
                except BlockingIOError:  # the rest is not in memory
                    break
                except OSError as error:  # not `_disk_errors`: this is the way of every byte of a large download
                    raise disk_error("a blob cannot be read", error) from error
                if not count:
                    break
                done += count
        return done

    def close(self) -> None:
        """Release the file, now or as soon as the thread that reads leaves. Harmless when repeated."""
        self._handle.give_up()

    def _let_go(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


class FileBlobStore:
    """Blobs under one directory, which it makes and syncs when it is built. Many processes may share it."""

    def __init__(self, directory: Path) -> None:
        """Take the directory; its parent must exist. Raises StorageError if the folders cannot be made."""
        self._directory = directory
        with _disk_errors(f"the blob folders cannot be made in {directory}"):
            _make_folder(directory)
            made = [_make_folder(directory / name) for name in _FOLDERS]
            if any(made):
                _sync_folder(directory)
                # Always, not only when `directory` is new: whoever made it may have died before syncing its parent.
                _sync_folder(directory.parent)

    def create(self, blob_id: bytes) -> FileBlobWriter:
        """Start a blob. Raises StorageError if the name is taken, by a blob or by another writer."""
        name = _name_of(blob_id)
        return FileBlobWriter(self._open_folder(name), name)

    def open(self, blob_id: bytes) -> FileBlobReader:
        """Open a committed blob."""
        name = _name_of(blob_id)
        folder = self._open_folder(name)
        try:
            with _disk_errors("a blob cannot be opened"):
                return FileBlobReader(os.open(name, _OPEN_BLOB, dir_fd=folder))
        finally:
            os.close(folder)

    def remove(self, blob_id: bytes) -> bool:
        """Remove a blob. Not synced: a name that comes back after a power cut is an orphan again, and removed again."""
        name = _name_of(blob_id)
        folder = self._open_folder(name)
        try:
            with _disk_errors("a blob cannot be removed"):
                os.unlink(name, dir_fd=folder)
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return False
            raise
        finally:
            os.close(folder)
        return True

    def scan(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield every committed blob; whatever else lies in the folders is reported as a warning, and left alone."""
        for path, name, found in self._files():
            if not name.endswith(_UNFINISHED):
                if (
                    stat.S_ISREG(found.st_mode)
                    and found.st_nlink == 1
                    and _BLOB_NAME.fullmatch(name)
                    and name[:2] == path.parent.name
                ):
                    yield bytes.fromhex(name), found.st_size, found.st_mtime_ns // 1_000_000
                else:
                    _log.warning("not a blob, never read: %s", path)

    def sweep_unfinished(self, older_than_ms: int) -> int:
        """Remove temporary names last written to before `older_than_ms`."""
        swept = 0
        for path, name, found in self._files():
            if name.endswith(_UNFINISHED) and found.st_mtime_ns // 1_000_000 < older_than_ms:
                with suppress(OSError):  # its writer may just have finished; what stays is found by the next sweep
                    path.unlink()
                    swept += 1
        return swept

    def _files(self) -> Iterator[tuple[Path, str, os.stat_result]]:
        """Yield what lies in the blob folders, without following links."""
        for folder in _FOLDERS:
            with _disk_errors("the blob folders cannot be read"), os.scandir(self._directory / folder) as entries:
                listed = list(entries)
            for entry in listed:
                found = _look_at(entry)
                if found is not None:
                    yield Path(entry.path), entry.name, found

    def _open_folder(self, name: str) -> int:
        with _disk_errors("a blob folder cannot be opened"):
            return os.open(self._directory / name[:2], _OPEN_FOLDER)


def _look_at(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return what an entry is, itself and not what it may point to; None if it is gone since the folder was read."""
    with _disk_errors("a blob cannot be looked at"):
        try:
            return entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None


def _make_folder(folder: Path) -> bool:
    """Make a folder for the service alone; return whether it was missing."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
        return False
    return True


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, _OPEN_FOLDER)
    try:
        os.fsync(file)
    finally:
        os.close(file)
