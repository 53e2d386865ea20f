"""The entry file of this process, once it serves enough to be worth one, and what happens where its disk fails."""

import threading
import time
from collections.abc import Callable
from typing import Final

from siegel.domain.errors import StorageError
from siegel.drivers.meta.entry_files import EntryFile, EntryFiles, Marks
from siegel.drivers.meta.group_commit import GroupCommit, Unlocked

# A process that has so many entries serves; one that has fewer, as most commands, needs no file.
ENTRIES_MIN: Final = 32
# After a failure, or where there was no file to be had.
AGAIN_S: Final = 1.0


class OwnEntryFile:
    """Takes a file, in a thread of its own since that writes and syncs, and takes another after a failed sync."""

    def __init__(self, files: EntryFiles, marks: Callable[[], Marks]) -> None:
        """Take one of `files`; `marks` says how far they were collected, and is asked on the event loop."""
        self._files = files
        self._marks = marks
        self._left = ENTRIES_MIN
        self._again_s = 0.0
        self._taking: threading.Thread | None = None
        self._file: EntryFile | None = None
        self._group_commit: GroupCommit | None = None

    def group_commit(self) -> GroupCommit | None:
        """Return where the next entry is to be queued; None where that is not here."""
        file = self._file
        if file is not None:
            if file.is_ready:
                return self._group_commit
            if file.is_broken:
                self._let_go()
            return None
        self._left -= 1
        if self._left < 0 and time.monotonic() >= self._again_s:
            self.take()
        return None

    def take(self) -> threading.Thread:
        """Begin to take a file, unless that is under way. Raises StorageError."""
        if self._taking is None or not self._taking.is_alive():
            self._again_s = time.monotonic() + AGAIN_S
            self._taking = threading.Thread(target=self._take, args=(self._marks(),), name="siegel-entries", daemon=True)
            self._taking.start()
        return self._taking

    def _take(self, marks: Marks) -> None:
        try:
            file = self._files.take(marks)
        except StorageError:
            # A full disk, or a failing one: the database will say so to those who ask.
            return
        if file is not None:
            self._group_commit = GroupCommit(file, Unlocked())
            self._file = file

    def _let_go(self) -> None:
        file, group_commit = self._file, self._group_commit
        self._file = self._group_commit = None
        self._again_s = time.monotonic() + AGAIN_S
        if group_commit is not None:
            group_commit.close()
        if file is not None:
            file.close()

    def close(self) -> None:
        """Finish the batch in flight, and let go of the file: what is in it is collected by whoever writes next."""
        if self._taking is not None:
            self._taking.join()
        self._let_go()
