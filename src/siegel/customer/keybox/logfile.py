"""The log on the disk: lines are added under a lock, so that the server and the commands beside it share one chain.

A failed sync is never tried again: what the kernel holds of the file is not to be believed after it. The log then refuses
everything, and so does the server, until it is started anew.
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from siegel.customer.keybox.chain import EMPTY, LINE_BYTES_MAX, Head, link, read_head
from siegel.customer.keybox.durable import sync_folder
from siegel.domain.errors import StorageError, StorageFullError

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class LogFile:
    """An open log. Not for two threads at once; any number of processes."""

    def __init__(self, path: Path) -> None:
        """Open the log, or make an empty one. Raises StorageError."""
        self._path = path
        self._head = EMPTY
        self._size = 0
        self._problem = ""
        try:
            self._descriptor = os.open(path, _FLAGS, 0o600)
            sync_folder(path.parent)
        except OSError as error:
            raise StorageError(f"the log {path} cannot be opened: {error.strerror}") from None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
        self._problem = "it is closed"

    def append(self, entries: Sequence[bytes]) -> Head:
        """Add a line for each entry (a JSON object that is not empty), durably; return the new head. Blocking.

        Raises StorageError; then none of the lines counts as written.
        """
        if self._problem:
            raise StorageError(f"the log {self._path} cannot be written: {self._problem}")
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._catch_up()
            self._write(entries)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return self._head

    def _catch_up(self) -> None:
        """Learn what others have added, and remove a line that a crash left unfinished: nobody was told of it."""
        try:
            there = os.fstat(self._descriptor)
            named = self._path.stat()
        except OSError as error:
            raise self._give_up(f"it is gone ({error.strerror})") from None
        if there.st_ino != named.st_ino or there.st_size < self._size:
            raise self._give_up("it was replaced or cut while it was in use")
        if there.st_size == self._size:
            return
        start = max(there.st_size - LINE_BYTES_MAX, 0)
        tail = os.pread(self._descriptor, LINE_BYTES_MAX, start)
        *lines, unfinished = tail.split(b"\n")
        size = there.st_size - len(unfinished)
        head = read_head(lines[-1]) if lines else EMPTY if size == 0 else None
        if head is None:
            raise self._give_up(f"its last line is none of a log\ntry: siegel keybox log {self._path.parent} --verify")
        if unfinished:
            os.ftruncate(self._descriptor, size)
        self._head, self._size = head, size

    def _write(self, entries: Sequence[bytes]) -> None:
        lines, head = [], self._head
        for entry in entries:
            line, head = link(head, entry)
            lines.append(line)
        data = b"".join(lines)
        try:
            self._write_all(data)
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            raise StorageFullError(f"the log {self._path} cannot be written: {error.strerror}") from None
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise self._give_up(f"it could not be synced ({error.strerror})") from None
        self._head, self._size = head, self._size + len(data)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _give_up(self, problem: str) -> StorageError:
        self._problem = problem
        return StorageError(f"the log {self._path} cannot be written: {problem}")
