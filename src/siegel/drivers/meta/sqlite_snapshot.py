"""The statements of a reading connection, which keeps its page cache for as long as others change journal and logs alone.

A connection empties its cache where a read transaction begins and somebody has committed since the last one; and every read of an
object is followed by the commit of its entry, which then goes from the journal into a log. So the transaction is held open over
statements, until one of these ends it:

    somebody changes anything else                 each statement looks whether it was so (`object_changes.py`): what was
                                                   acknowledged before it began is never missing
    the log has nearly its full size               each statement looks: a held transaction keeps the log from being begun anew
    nobody reads any more                          a timer of the event loop, for the same reason
    somebody asks for journal or logs              `fresh_rows`
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import apsw

from siegel.domain.errors import StorageError
from siegel.drivers.meta.object_changes import ANY, ObjectChanges
from siegel.drivers.meta.sqlite_connection import storage_error
from siegel.drivers.meta.sqlite_statements import Row, Statements, Value

# A reader that has stopped reading lets go after this time, or twice as much.
IDLE_S: Final = 0.05

_NOTHING_HELD: Final = -1


class HeldStatements(Statements):
    """Reads alone. Outside an event loop, where no timer would end it, nothing is held."""

    def __init__(self, connection: apsw.Connection, changes: ObjectChanges) -> None:
        """Read by `connection`, which is used by one thread at a time; `changes` tell when others have changed something."""
        super().__init__(connection)
        self._changes = changes
        self._last_change = changes.last
        self._as_of = _NOTHING_HELD
        self._seen = _NOTHING_HELD
        self._is_used = False
        self._timer: asyncio.TimerHandle | None = None

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of a query. Raises StorageError."""
        if self._last_change(ANY) > self._as_of or self._changes.is_log_full:
            self._begin_anew()
        self._is_used = True
        try:
            return super().rows(sql, values)
        except StorageError:
            self.release()
            raise

    def fresh_rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of a query over journal or logs, which end no held transaction as they grow. Raises StorageError."""
        self.release()
        return super().rows(sql, values)

    def release(self) -> None:
        """End the transaction, if one is held. Raises StorageError."""
        self._as_of = _NOTHING_HELD
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Some errors have ended it already.
        if self._connection.in_transaction:
            try:
                self._connection.execute("COMMIT")
            except apsw.Error as error:
                raise storage_error(error) from error

    def _begin_anew(self) -> None:
        """Hold a new transaction, unless others change something all the time: then it would cost more than it saves."""
        self.release()
        # The number first: what is committed from here on is newer than what is said to have been read.
        as_of, last = self._changes.now(), self._last_change(ANY)
        is_calm = last == self._seen and last <= as_of and not self._changes.is_log_full
        self._seen = last
        if not is_calm:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        super().rows("BEGIN")
        self._as_of = as_of
        self._timer = loop.call_later(IDLE_S, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go if nobody has read since the last look."""
        if self._is_used:
            self._is_used = False
            self._timer = loop.call_later(IDLE_S, self._look, loop)
        else:
            self.release()
