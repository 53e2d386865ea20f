"""The accounts' logs in SQLite."""

# ruff: noqa: S608 - statements are put together from this module's constants alone, values are always bound

from typing import Final

from msgspec.structs import replace

from siegel.domain.logs import Head, Log, Run
from siegel.drivers.meta.sqlite_statements import Statements

_LOG_COLUMNS: Final = (
    "log_id, account_id, origin, created_at_ms, sealed_secrets, size, root, head_size, signed_at_ms, checkpoint, "
    "witnessed_size, witnessed_at_ms, witnessed"
)
_LOG: Final = f"SELECT {_LOG_COLUMNS} FROM ledger"


class SqliteLedgers:
    """The `Ledgers` port."""

    def __init__(self, statements: Statements) -> None:
        """Read and write by `statements`: afresh, and aside, since logs grow all the time."""
        self._statements = statements

    def find(self, account_id: str) -> Log | None:
        """Return the account's log, or None before its first entry."""
        row = self._statements.fresh_row(f"{_LOG} WHERE account_id = ?", (account_id,))
        return Log(*row) if row else None

    def scan(self, after: int, limit: int) -> list[Log]:
        """Return up to `limit` logs in order of their ids, beginning behind `after`."""
        rows = self._statements.fresh_rows(f"{_LOG} WHERE log_id > ? ORDER BY log_id LIMIT ?", (after, limit))
        return [Log(*row) for row in rows]

    def unsigned(self, limit: int) -> list[Log]:
        """Return up to `limit` logs with entries that no signed head covers, those that waited longest first."""
        rows = self._statements.fresh_rows(f"{_LOG} WHERE head_size < size ORDER BY signed_at_ms LIMIT ?", (limit,))
        return [Log(*row) for row in rows]

    def signed_before(self, before_ms: int, limit: int) -> list[Log]:
        """Return up to `limit` logs whose signed head was made before a time, oldest first."""
        rows = self._statements.fresh_rows(f"{_LOG} WHERE signed_at_ms < ? ORDER BY signed_at_ms LIMIT ?", (before_ms, limit))
        return [Log(*row) for row in rows]

    def runs(self, log_id: int, first: int, stop: int) -> list[Run]:
        """Return the runs that begin in first <= entry < stop, in order."""
        rows = self._statements.fresh_rows(
            """SELECT log_id, first, count, entries, sealed_openings FROM ledger_run
                WHERE log_id = ? AND first >= ? AND first < ? ORDER BY first""",
            (log_id, first, stop),
        )
        return [Run(*row) for row in rows]

    def tile(self, log_id: int, level: int, index: int) -> bytes:
        """Return the hashes of a tile as far as they are there; b"" if it has none yet."""
        row = self._statements.fresh_row(
            "SELECT hashes FROM ledger_tile WHERE log_id = ? AND level = ? AND number = ?", (log_id, level, index)
        )
        return row[0] if row else b""

    def take_journal(self, first_batch: int, last_batch: int) -> int:
        """Take batches out of the journal, whose entries go into logs with this change; return how many."""
        return self._statements.write_aside("DELETE FROM journal WHERE batch BETWEEN ? AND ?", (first_batch, last_batch))

    def insert(self, log: Log) -> Log:
        """Add an empty log and return it with its fresh `log_id`. Raises StorageError if the account has one."""
        self._statements.write_aside(
            """INSERT INTO ledger (account_id, origin, created_at_ms, sealed_secrets, size, root, head_size, signed_at_ms,
                checkpoint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                log.account_id,
                log.origin,
                log.created_at_ms,
                log.sealed_secrets,
                log.size,
                log.root,
                log.head_size,
                log.signed_at_ms,
                log.checkpoint,
            ),
        )
        return replace(log, log_id=self._statements.last_row_id())

    def reseal(self, log_id: int, sealed_secrets: bytes) -> None:
        """Store a log's secrets, sealed anew."""
        self._statements.write_aside("UPDATE ledger SET sealed_secrets = ? WHERE log_id = ?", (sealed_secrets, log_id))

    def grow(self, log_id: int, old_size: int, size: int, root: bytes) -> bool:
        """Give a log of exactly `old_size` entries its new size and root; return whether that was its size."""
        grown = self._statements.write_aside(
            "UPDATE ledger SET size = ?, root = ? WHERE log_id = ? AND size = ?", (size, root, log_id, old_size)
        )
        return grown > 0

    def add_run(self, run: Run) -> None:
        """Add entries. Raises StorageError if there is a run with this first entry."""
        self._statements.write_aside(
            "INSERT INTO ledger_run (log_id, first, count, entries, sealed_openings) VALUES (?, ?, ?, ?, ?)",
            (run.log_id, run.first, run.count, run.entries, run.sealed_openings),
        )

    def put_openings(self, log_id: int, first: int, sealed_openings: bytes) -> None:
        """Store changed openings of the run that begins with entry `first`; its entries stay."""
        self._statements.write_aside(
            "UPDATE ledger_run SET sealed_openings = ? WHERE log_id = ? AND first = ?", (sealed_openings, log_id, first)
        )

    def put_tile(self, log_id: int, level: int, index: int, hashes: bytes) -> None:
        """Store a tile's hashes, in place of those of a narrower one."""
        self._statements.write_aside(
            "INSERT OR REPLACE INTO ledger_tile (log_id, level, number, hashes) VALUES (?, ?, ?, ?)",
            (log_id, level, index, hashes),
        )

    def put_witnessed(self, log_id: int, size: int, signed_at_ms: int, note: bytes) -> bool:
        """Store a head that witnesses have signed too, unless a newer one is there; return whether it was stored."""
        stored = self._statements.write_aside(
            """UPDATE ledger SET witnessed_size = ?, witnessed_at_ms = ?, witnessed = ?
                WHERE log_id = ? AND head_size >= ? AND witnessed_at_ms < ?""",
            (size, signed_at_ms, note, log_id, size, signed_at_ms),
        )
        return stored > 0

    def put_head(self, head: Head) -> bool:
        """Store a signed head in place of the one of exactly `old_size`; return whether that was there."""
        stored = self._statements.write_aside(
            """UPDATE ledger SET head_size = ?, signed_at_ms = ?, checkpoint = ?
                WHERE log_id = ? AND head_size = ? AND size = ? AND root = ?""",
            (head.size, head.signed_at_ms, head.checkpoint, head.log_id, head.old_size, head.size, head.root),
        )
        return stored > 0
