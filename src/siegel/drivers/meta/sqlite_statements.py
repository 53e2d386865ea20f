"""Statements on one connection: run, counted, undone; database errors leave here under the domain's names."""

from collections.abc import Sequence
from typing import Any

import apsw

from siegel.domain.errors import StorageError
from siegel.drivers.meta.sqlite_connection import storage_error

Value = int | str | bytes | None
Row = tuple[Any, ...]


class Statements:
    """The statements of a connection. Writes are refused unless a change is open.

    A change opens its savepoint only before its first write, since most changes that are refused (a failed condition) have
    written nothing.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        """Take over `connection`, which is then used by one thread at a time."""
        self._connection = connection
        self._cursor = connection.cursor()
        self._in_change = False
        self._has_savepoint = False
        # Whether something was written that readers do not ask for afresh.
        self.has_written = False

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of a query. Raises StorageError."""
        try:
            found: list[Row] = self._cursor.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise storage_error(error) from error
        return found

    def row(self, sql: str, values: Sequence[Value] = ()) -> Row | None:
        """Return the first row of a query, or None. Raises StorageError."""
        rows = self.rows(sql, values)
        return rows[0] if rows else None

    def fresh_rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of a query over what `write_aside` writes. Raises StorageError."""
        return self.rows(sql, values)

    def fresh_row(self, sql: str, values: Sequence[Value] = ()) -> Row | None:
        """Return the first row of such a query, or None. Raises StorageError."""
        rows = self.fresh_rows(sql, values)
        return rows[0] if rows else None

    def write(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Run a writing statement and return how many rows it changed. Raises StorageError, StorageFullError."""
        self.has_written = True
        return self.write_aside(sql, values)

    def write_aside(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Like `write`, of journal and logs: whoever reads them asks by `fresh_rows`, and other readers are not disturbed."""
        if not self._has_savepoint:
            self._open_savepoint()
        try:
            self._cursor.execute(sql, values)
            return self._connection.changes()
        except apsw.Error as error:
            raise storage_error(error) from error

    def last_row_id(self) -> int:
        """Return the id that the last INSERT into a table with row ids has made."""
        return self._connection.last_insert_rowid()

    def open_change(self) -> None:
        """Allow writes until the change is kept or undone."""
        self._in_change = True
        self._has_savepoint = False

    def keep_change(self) -> None:
        """End a change; what it wrote is part of the transaction. Raises StorageError: then it is still to be undone."""
        if self._has_savepoint:
            self.rows("RELEASE change")
        self._in_change = self._has_savepoint = False

    def undo_change(self) -> None:
        """End a change; what it wrote is gone. Raises StorageError if that is not possible: then the transaction is lost."""
        had_savepoint = self._has_savepoint
        self._in_change = self._has_savepoint = False
        if had_savepoint:
            self.rows("ROLLBACK TO change")
            self.rows("RELEASE change")

    def require_change(self) -> None:
        """Raise StorageError unless a change is open."""
        if not self._in_change:
            raise StorageError("written outside a transaction")

    def _open_savepoint(self) -> None:
        self.require_change()
        self.rows("SAVEPOINT change")
        self._has_savepoint = True
