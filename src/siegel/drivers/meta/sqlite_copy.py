"""Another key for the database: its pages are copied into a new file under the new key, which then is the database.

Nobody has the database open meanwhile (`UseLock`). Which file is the database is not said here: whoever dies in between leaves
two files of which one is.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from siegel.domain.errors import StorageError
from siegel.domain.faultpoints import reach
from siegel.drivers.custody.rootfile import give_to_owner, sync_folder
from siegel.drivers.meta.sqlite import READ_CACHE_KIB
from siegel.drivers.meta.sqlite_connection import connect, storage_error, use_key

PAGES_AT_ONCE: Final = 1024

Progress = Callable[[int, int], None]
"""What is told how many pages are copied, and how many there are."""


def copy_database(source: tuple[Path, bytes], target: tuple[Path, bytes], progress: Progress) -> None:
    """Copy a database, each with its path and raw key, into a file that is not there; it is whole and durable on return.

    Raises ConfigurationError (the key does not open the source), StorageError: then there is no target.
    """
    path, key = target
    try:
        original = connect(*source, cache_kib=READ_CACHE_KIB)
        try:
            _copy_pages(original, path, key, progress)
            _check(original, path, key)
        finally:
            original.close()
        _sync(path)
    except apsw.Error as error:
        remove_database(path)
        raise storage_error(error) from error
    except OSError as error:
        remove_database(path)
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    except BaseException:
        remove_database(path)
        raise


def remove_database(path: Path) -> None:
    """Remove a database with all that lies beside it. Raises StorageError."""
    try:
        for tail in ("-wal", "-shm", "-journal", ""):
            path.with_name(path.name + tail).unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path} cannot be removed: {error.strerror}") from error


def _copy_pages(original: apsw.Connection, path: Path, key: bytes, progress: Progress) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        give_to_owner(descriptor, path.parent)
    finally:
        os.close(descriptor)
    copy = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        use_key(copy, key)
        # Nobody goes back to a copy that is not whole.
        copy.pragma("journal_mode", "off")
        copy.pragma("synchronous", "off")
        with copy.backup("main", original, "main") as backup:
            while not backup.done:
                backup.step(PAGES_AT_ONCE)
                reach("rekey.copying")
                progress(backup.page_count - backup.remaining, backup.page_count)
    finally:
        copy.close()


def _check(original: apsw.Connection, path: Path, key: bytes) -> None:
    """Read every page of a copy. Raises StorageError unless it is a database with as many as the original."""
    copy = connect(path, key, cache_kib=READ_CACHE_KIB)
    try:
        told = copy.pragma("integrity_check"), copy.pragma("page_count"), copy.pragma("user_version")
    finally:
        copy.close()
    if told != ("ok", original.pragma("page_count"), original.pragma("user_version")):
        raise StorageError(f"the copy {path} is not what the database is: {told[0]}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)
