"""The write connection: transactions, their journal rows, checkpoints, and what to do when the disk refuses."""

from collections.abc import Callable
from typing import Any, Final

import apsw
from msgspec import msgpack

from siegel.domain.entry import Entries, Entry
from siegel.domain.errors import StorageError
from siegel.domain.faultpoints import reach
from siegel.domain.ports import Clock
from siegel.drivers.meta.entry_files import EntryFiles, Mark, Marks
from siegel.drivers.meta.generation import Generation
from siegel.drivers.meta.group_commit import Change, EntryOf
from siegel.drivers.meta.object_changes import ObjectChanges
from siegel.drivers.meta.sqlite_connection import PAGE_BYTES, storage_error
from siegel.drivers.meta.sqlite_session import SqliteSession
from siegel.drivers.meta.sqlite_statements import Statements

# The log is folded into the database when it has this size, and again when it has grown by the second figure since.
CHECKPOINT_PAGES: Final = 4 * 1024 * 1024 // PAGE_BYTES
CHECKPOINT_AGAIN_PAGES: Final = 1024 * 1024 // PAGE_BYTES
# From so many on, nobody holds a transaction to read by: all have let go when it is folded in, and when it then begins anew.
FULL_PAGES: Final = CHECKPOINT_PAGES * 15 // 16

_INSERT: Final = "INSERT INTO journal (entries, recorded_at_ms) VALUES (?, ?)"


def read_marks(statements: Statements) -> Marks:
    """Return how far each entry file was collected. Raises StorageError."""
    rows = statements.fresh_rows("SELECT slot, number, position FROM entry_file")
    return {slot: Mark(number, position) for slot, number, position in rows}


class SqliteEngine:
    """The `Engine` of group commit over SQLite.

    After a failed COMMIT the connection is given up: what the kernel did with the pages of a failed sync is unknown, so nothing
    is retried on it, and the next batch opens a new one.
    """

    def __init__(
        self,
        connect: Callable[[], apsw.Connection],
        clock: Clock,
        generation: Generation,
        changes: ObjectChanges,
        files: EntryFiles,
    ) -> None:
        """Open the write connection with `connect`. Raises what it raises."""
        self._connect = connect
        self._files = files
        self._collected: Marks = {}
        self._clock = clock
        self._generation = generation
        self._changes = changes
        self._encoder = msgpack.Encoder()
        self._log_pages = 0
        self._checkpoint_at = CHECKPOINT_PAGES
        self._connection: apsw.Connection | None = None
        self._open()

    def _open(self) -> tuple[apsw.Connection, SqliteSession]:
        """Return the connection and its session, opened again if the last one was given up."""
        if self._connection is None:
            self._connection = self._connect()
            self._connection.set_wal_hook(self._on_commit)
            self._session = SqliteSession(Statements(self._connection), self._clock, self._generation, self._changes)
        return self._connection, self._session

    def begin(self) -> None:
        """Begin a transaction. Raises StorageError; then none is open."""
        _, session = self._open()
        session.is_invalidating = session.statements.has_written = False
        session.statements.rows("BEGIN IMMEDIATE")
        # A process that died between its commit and the count has left this to the next holder of the lock.
        self._generation.settle()
        self._changes.begin()
        self._collected = {}
        if self._files.has_waiting():
            try:
                self._collect(session.statements)
            except BaseException:
                self.rollback()
                raise

    def _collect(self, statements: Statements) -> None:
        """Bring what waits in entry files into the journal: before all that this transaction brings."""
        found = self._files.waiting(read_marks(statements))
        for record in found.records:
            statements.rows(_INSERT, (record.entries, record.recorded_at_ms))
        for slot, mark in found.marks.items():
            statements.rows("INSERT OR REPLACE INTO entry_file VALUES (?, ?, ?)", (slot, mark.number, mark.position))
        self._collected = found.marks

    def apply(self, change: Change, entry: EntryOf) -> tuple[Any, Entries | None]:
        """Run one change and build its entry or entries; an exception of either undoes this change alone and is raised."""
        statements = self._session.statements
        statements.open_change()
        try:
            result = change(self._session)
            made = entry(result) if callable(entry) else entry
            statements.keep_change()
        except Exception:
            self._undo()
            raise
        return result, made

    def _undo(self) -> None:
        try:
            self._session.statements.undo_change()
        except StorageError:
            # SQLite itself has rolled back, or cannot: either way the other changes are lost too.
            self.rollback()

    def is_open(self) -> bool:
        """Whether the transaction still exists."""
        return self._connection is not None and self._connection.in_transaction

    def record(self, entries: list[Entry]) -> None:
        """Add the batch's journal row. Raises StorageError."""
        self._session.statements.rows(_INSERT, (self._encoder.encode(entries), self._clock.now_ms()))

    def commit(self) -> None:
        """Make the transaction durable. Raises StorageError; then it is rolled back and the connection is given up."""
        connection, session = self._open()
        if session.is_invalidating:
            self._generation.open_change()
        if session.statements.has_written:
            self._changes.note_any()
        reach("meta.before_commit")
        try:
            connection.execute("COMMIT")
            reach("meta.after_commit")
            self._files.note_collected(self._collected)
        except apsw.Error as error:
            named = storage_error(error, connection.system_errno)
            self.rollback()
            self.close()
            raise named from error
        finally:
            self._generation.settle()
            self._changes.settle()

    def rollback(self) -> None:
        """Undo the transaction, if there is one. Gives the connection up if even that fails."""
        if self._connection is None or not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
        except apsw.Error:
            self.close()
        self._changes.settle()

    def is_checkpoint_due(self) -> bool:
        """Whether the log has grown enough to be folded into the database."""
        return self._log_pages >= self._checkpoint_at

    def checkpoint(self) -> None:
        """Fold the log into the database, as far as readers allow; the next commit then begins the log anew.

        A failure loses nothing: the log keeps what the database does not have.
        """
        self._checkpoint_at = self._log_pages + CHECKPOINT_AGAIN_PAGES
        connection, _ = self._open()
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            self.close()

    def close(self) -> None:
        """Give the connection up; an open transaction is undone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(True)

    def _on_commit(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        """Note the size of the log after a commit; where it has shrunk, it began anew."""
        if pages < self._log_pages:
            self._checkpoint_at = CHECKPOINT_PAGES
        self._log_pages = pages
        self._changes.is_log_full = pages >= FULL_PAGES
        return apsw.SQLITE_OK
