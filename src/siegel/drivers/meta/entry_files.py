"""Entry files: where a serving process makes the entries of reads durable, before they come into the journal's table.

A read changes nothing, so its entry need not wait for the write lock of the database: each process has a file of its own, in
which a batch of entries costs one write and one sync. From there they come into the journal in its order:

    process     seal, write, sync          -> counts: durable
    whoever begins a transaction           files -> journal table, and how far: in one transaction with what it brings itself
                COMMIT                     -> counts: collected

So whatever a transaction changes stands in the journal behind every read that was answered before. How far a file was collected
says the database (`Mark`); the counts, which all processes map, only say whether it is worth looking. They outlive a process,
not the machine: a file that no process holds is read as far as its records go when a store is opened.
"""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, msgpack

from siegel.domain.entry import Entries, Entry
from siegel.domain.errors import StorageError
from siegel.domain.faultpoints import reach
from siegel.domain.ports import Clock
from siegel.drivers.custody.rootfile import sync_folder
from siegel.drivers.disk_errors import disk_error
from siegel.drivers.meta.entry_records import HEADER_BYTES, SALT_BYTES, Record, RecordCipher, read_salt
from siegel.drivers.meta.group_commit import Change, EntryOf
from siegel.drivers.meta.mapped import MappedCells
from siegel.drivers.meta.process_lock import ProcessLock

COUNTS_NAME: Final = "entry-counts"
FILES_MAX: Final = 64
# What a file has on disk from the beginning, so that a sync writes data alone; beyond what it takes, entries go another way.
FILE_BYTES: Final = 2 * 1024 * 1024
ROOM_BYTES: Final = 1024 * 1024
# Once all of it is collected, a file is begun anew from here on: few pages, that are always the same.
RESTART_BYTES: Final = 128 * 1024


class Mark(Struct, frozen=True):
    """How far a file was collected: the number of its last record that was, and where the next one begins."""

    number: int = 0
    position: int = HEADER_BYTES


class Collected(Struct, frozen=True):
    """What waits in all files, in the order of its times, and the marks of the files once it is collected."""

    records: list[Record]
    marks: dict[int, Mark]


Marks = Mapping[int, Mark]


class _Counts:
    """Of each file the number of the last record that is durable, and of the last one that was collected."""

    def __init__(self, path: Path) -> None:
        self._mapped = MappedCells(path, 1 + 2 * FILES_MAX)
        self._cells = self._mapped.cells

    def files(self) -> int:
        return min(self._cells[0], FILES_MAX)

    def durable(self, slot: int) -> int:
        return self._cells[1 + 2 * slot]

    def collected(self, slot: int) -> int:
        return self._cells[2 + 2 * slot]

    def note_durable(self, slot: int, number: int) -> None:
        self._cells[1 + 2 * slot] = number

    def note(self, slot: int, durable: int, collected: int) -> None:
        self.note_collected(slot, collected)
        self.note_durable(slot, durable)
        self._cells[0] = max(self._cells[0], slot + 1)

    def note_collected(self, slot: int, number: int) -> None:
        self._cells[2 + 2 * slot] = number

    def close(self) -> None:
        self._mapped.close()


class EntryFiles:
    """The entry files of one directory."""

    def __init__(self, directory: Path, database_key: bytes, clock: Clock) -> None:
        """Map the counts. Raises StorageError."""
        self._directory = directory
        self._key = database_key
        self._clock = clock
        self._counts = _Counts(directory / COUNTS_NAME)
        self._descriptors: dict[int, int] = {}
        self._ciphers: dict[int, RecordCipher] = {}

    def has_waiting(self) -> bool:
        """Whether a record is durable that was not collected yet."""
        counts = self._counts
        return any(counts.durable(slot) > counts.collected(slot) for slot in range(counts.files()))

    def waiting(self, marks: Marks) -> Collected:
        """Read what is durable and behind the marks. Raises StorageError where that cannot be read back."""
        records: list[Record] = []
        reached: dict[int, Mark] = {}
        for slot in range(self._counts.files()):
            mark, last = marks.get(slot, Mark()), self._counts.durable(slot)
            if last <= mark.number:
                self._counts.note_collected(slot, mark.number)
                continue
            found = self._behind(slot, mark, last)
            if not found or found[-1].number != last:
                raise StorageError(f"the durable entries in {self._path(slot)} cannot be read back")
            records += found
            reached[slot] = Mark(last, found[-1].stop)
        records.sort(key=lambda record: record.recorded_at_ms)
        return Collected(records, reached)

    def note_collected(self, marks: Marks) -> None:
        """Note that the database has what `waiting` gave."""
        for slot, mark in marks.items():
            self._counts.note_collected(slot, mark.number)

    def look(self, marks: Marks) -> None:
        """Count what is in the files that no process holds: what their processes left, or the machine. Raises StorageError."""
        for slot in range(FILES_MAX):
            path = self._path(slot)
            # What was counted of a file that is gone is to be forgotten: it is made anew, and is empty.
            if slot >= self._counts.files() and not path.exists():
                continue
            lock = self._hold(path)
            if lock is None:
                continue
            try:
                self._count(slot, marks.get(slot, Mark()))
            finally:
                lock.close()

    def take(self, marks: Marks) -> "EntryFile | None":
        """Take a file that no process holds, for as long as this one lives; None where there is none to be had now.

        So it is where all are held, or what another process has left has to be collected first, or `marks` are older than that.
        Blocking. Raises StorageError.
        """
        for slot in range(FILES_MAX):
            lock = self._hold(self._path(slot))
            if lock is None:
                continue
            try:
                own = self._take(slot, lock, marks.get(slot, Mark()))
            except BaseException:
                lock.close()
                raise
            if own is None:
                lock.close()
            return own
        return None

    def close(self) -> None:
        """Close what was opened to be read."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
        self._counts.close()

    def _path(self, slot: int) -> Path:
        return self._directory / f"entries-{slot + 1}"

    @staticmethod
    def _hold(path: Path) -> ProcessLock | None:
        """Return a file, made if it is missing, as the lock that holds it; None if another one holds it."""
        lock = ProcessLock(path)
        if lock.try_acquire():
            return lock
        lock.close()
        return None

    def _take(self, slot: int, lock: ProcessLock, mark: Mark) -> "EntryFile | None":
        # A mark that was read before others held the file, and were collected, would count its first records as theirs.
        if self._counts.collected(slot) > mark.number or self._count(slot, mark):
            return None
        descriptor = lock.fileno()
        cipher = RecordCipher(self._key, slot, os.urandom(SALT_BYTES))
        try:
            size = os.fstat(descriptor).st_size
            _write(descriptor, bytes(max(FILE_BYTES - size, 0)), size)
            _write(descriptor, cipher.header, 0)
            os.fsync(descriptor)
            sync_folder(self._directory)
        except OSError as error:
            raise disk_error(f"taking {self._path(slot)}", error) from error
        return EntryFile(lock, self._path(slot), cipher, Held(slot, mark.number, self._counts), self._clock)

    def _count(self, slot: int, mark: Mark) -> bool:
        """Count what is behind the mark of a file that is held; say whether there is something."""
        found = self._behind(slot, mark, None)
        last = found[-1].number if found else mark.number
        self._counts.note(slot, last, mark.number)
        return last > mark.number

    def _behind(self, slot: int, mark: Mark, last: int | None) -> list[Record]:
        """Return the records behind a mark, up to number `last`: they go on there, or were begun anew at the front."""
        path = self._path(slot)
        try:
            descriptor = self._descriptors.get(slot)
            if descriptor is None:
                descriptor = self._descriptors[slot] = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            cipher = self._cipher(slot, os.pread(descriptor, HEADER_BYTES, 0))
            if cipher is None:
                return []
            for start in (mark.position, HEADER_BYTES):
                found: list[Record] = []
                for record in cipher.scan(descriptor, start):
                    if record.number <= mark.number or (last is not None and record.number > last):
                        break
                    found.append(record)
                if found:
                    return found
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}") from error
        return []

    def _cipher(self, slot: int, header: bytes) -> RecordCipher | None:
        salt = read_salt(header)
        if salt is None:
            return None
        known = self._ciphers.get(slot)
        if known is None or known.salt != salt:
            known = self._ciphers[slot] = RecordCipher(self._key, slot, salt)
        return known


class Held(Struct, frozen=True):
    """Which file a process holds, the number of its last record, and where all processes see how far it is."""

    slot: int
    number: int
    counts: _Counts


class EntryFile:
    """The file of one process: an engine of group commit that takes entries alone."""

    def __init__(self, lock: ProcessLock, path: Path, cipher: RecordCipher, held: Held, clock: Clock) -> None:
        """Write behind the header, from the number on that is behind the last one. The lock is given back with this."""
        self._lock = lock
        self._descriptor = lock.fileno()
        self._path = path
        self._cipher = cipher
        self._slot, self._number, self._counts = held.slot, held.number, held.counts
        self._clock = clock
        self._encoder = msgpack.Encoder()
        self._position = HEADER_BYTES
        self._record = b""
        self.is_broken = False

    @property
    def is_ready(self) -> bool:
        """Whether the next batch may come here: there is room, or will be, and no sync has failed."""
        return not self.is_broken and (self._position < ROOM_BYTES or self._is_collected())

    def _is_collected(self) -> bool:
        return self._counts.collected(self._slot) >= self._number

    def begin(self) -> None:
        """Begin nothing. Raises StorageError after a failed sync: the number of what failed must not serve again."""
        if self.is_broken:
            raise StorageError(f"{self._path} is given up after a failed sync")

    def apply(self, _change: Change, _entry: EntryOf, /) -> tuple[Any, Entries | None]:
        """Refuse: a change belongs into the database, and its entry with it."""
        raise StorageError("an entry file takes no changes")

    def is_open(self) -> bool:
        """Whether a batch can still be recorded."""
        return not self.is_broken

    def record(self, entries: list[Entry]) -> None:
        """Seal the batch's entries."""
        if self._position > RESTART_BYTES and self._is_collected():
            self._position = HEADER_BYTES
        self._record = self._cipher.seal(self._number + 1, self._clock.now_ms(), self._encoder.encode(entries))

    def commit(self) -> None:
        """Write and sync. Raises StorageError; then nothing more is written here: what the disk has of it is unknown."""
        record, self._record = self._record, b""
        if not record:
            return
        reach("entries.before_sync")
        try:
            _write(self._descriptor, record, self._position)
            os.fdatasync(self._descriptor)
        except OSError as error:
            self.is_broken = True
            raise disk_error(f"writing {self._path}", error) from error
        self._position += len(record)
        self._number += 1
        self._counts.note_durable(self._slot, self._number)
        reach("entries.after_sync")

    def rollback(self) -> None:
        """Forget the batch that was not committed."""
        self._record = b""

    def is_checkpoint_due(self) -> bool:
        """Whether something is to be done after a commit: never, whoever begins a transaction collects."""
        return False

    def checkpoint(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Let go of the file."""
        self._lock.close()


def _write(descriptor: int, data: bytes, at: int) -> None:
    if os.pwrite(descriptor, data, at) != len(data):
        raise OSError(errno.ENOSPC, "written in part")
