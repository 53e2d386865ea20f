"""The accounts' logs in memory."""

from itertools import islice
from sys import maxsize

from msgspec.structs import replace

from siegel.domain.errors import StorageError
from siegel.domain.logs import Head, Log, Run
from siegel.drivers.meta.memory_tables import MemoryTables


class MemoryLedgers:
    """The `Ledgers` port."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self._tables = tables

    def find(self, account_id: str) -> Log | None:
        """Return the account's log, or None before its first entry."""
        return next((log for log in self._tables.logs.rows() if log.account_id == account_id), None)

    def scan(self, after: int, limit: int) -> list[Log]:
        """Return up to `limit` logs in order of their ids, beginning behind `after`."""
        return list(islice(self._tables.logs.scan((after + 1,), (maxsize,)), limit))

    def unsigned(self, limit: int) -> list[Log]:
        """Return up to `limit` logs with entries that no signed head covers, those that waited longest first."""
        return list(islice((log for log in self._by_age() if log.head_size < log.size), limit))

    def signed_before(self, before_ms: int, limit: int) -> list[Log]:
        """Return up to `limit` logs whose signed head was made before a time, oldest first."""
        return list(islice((log for log in self._by_age() if log.signed_at_ms < before_ms), limit))

    def runs(self, log_id: int, first: int, stop: int) -> list[Run]:
        """Return the runs that begin in first <= entry < stop, in order."""
        return list(self._tables.runs.scan((log_id, first), (log_id, stop)))

    def tile(self, log_id: int, level: int, index: int) -> bytes:
        """Return the hashes of a tile as far as they are there; b"" if it has none yet."""
        return self._tables.tiles.get((log_id, level, index)) or b""

    def take_journal(self, first_batch: int, last_batch: int) -> int:
        """Take batches out of the journal, whose entries go into logs with this change; return how many."""
        self._tables.require_change()
        taken = list(self._tables.journal.scan((first_batch,), (last_batch + 1,)))
        for batch in taken:
            self._tables.journal.remove((batch.number,))
        return len(taken)

    def insert(self, log: Log) -> Log:
        """Add an empty log and return it with its fresh `log_id`. Raises StorageError if the account has one."""
        self._tables.require_change()
        if self.find(log.account_id) is not None:
            raise StorageError("the account has a log")
        log = replace(log, log_id=next(self._tables.log_ids))
        self._tables.logs.put((log.log_id,), log)
        return log

    def reseal(self, log_id: int, sealed_secrets: bytes) -> None:
        """Store a log's secrets, sealed anew."""
        self._tables.require_change()
        log = self._tables.logs.get((log_id,))
        if log is not None:
            self._tables.logs.put((log_id,), replace(log, sealed_secrets=sealed_secrets))

    def grow(self, log_id: int, old_size: int, size: int, root: bytes) -> bool:
        """Give a log of exactly `old_size` entries its new size and root; return whether that was its size."""
        self._tables.require_change()
        log = self._tables.logs.get((log_id,))
        if log is None or log.size != old_size:
            return False
        self._tables.logs.put((log_id,), replace(log, size=size, root=root))
        return True

    def add_run(self, run: Run) -> None:
        """Add entries. Raises StorageError if there is a run with this first entry."""
        self._tables.require_change()
        if self._tables.runs.get((run.log_id, run.first)) is not None:
            raise StorageError("there is a run with this first entry")
        self._tables.runs.put((run.log_id, run.first), run)

    def put_openings(self, log_id: int, first: int, sealed_openings: bytes) -> None:
        """Store changed openings of the run that begins with entry `first`; its entries stay."""
        self._tables.require_change()
        kept = self._tables.runs.get((log_id, first))
        if kept is not None:
            self._tables.runs.put((log_id, first), replace(kept, sealed_openings=sealed_openings))

    def put_tile(self, log_id: int, level: int, index: int, hashes: bytes) -> None:
        """Store a tile's hashes, in place of those of a narrower one."""
        self._tables.require_change()
        self._tables.tiles.put((log_id, level, index), hashes)

    def put_witnessed(self, log_id: int, size: int, signed_at_ms: int, note: bytes) -> bool:
        """Store a head that witnesses have signed too, unless a newer one is there; return whether it was stored."""
        self._tables.require_change()
        log = self._tables.logs.get((log_id,))
        if log is None or log.head_size < size or log.witnessed_at_ms >= signed_at_ms:
            return False
        witnessed = replace(log, witnessed_size=size, witnessed_at_ms=signed_at_ms, witnessed=note)
        self._tables.logs.put((log_id,), witnessed)
        return True

    def put_head(self, head: Head) -> bool:
        """Store a signed head in place of the one of exactly `old_size`; return whether that was there."""
        self._tables.require_change()
        log = self._tables.logs.get((head.log_id,))
        if log is None or (log.head_size, log.size, log.root) != (head.old_size, head.size, head.root):
            return False
        signed = replace(log, head_size=head.size, signed_at_ms=head.signed_at_ms, checkpoint=head.checkpoint)
        self._tables.logs.put((head.log_id,), signed)
        return True

    def _by_age(self) -> list[Log]:
        return sorted(self._tables.logs.rows(), key=lambda log: log.signed_at_ms)
