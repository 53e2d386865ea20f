"""Metadata and journal in memory: the reference that the other drivers are compared with, and the store of tests.

Plain tables and linear searches where a database has an index: simple enough to be read and believed. A change is visible at
once, since it runs in one piece on the event loop, and what is durable here is what is visible.
"""

from collections.abc import Callable
from itertools import islice
from sys import maxsize
from typing import TypeVar

from siegel.domain.entry import Entries, Entry
from siegel.domain.errors import StorageError
from siegel.domain.logs import Batch
from siegel.domain.ports import (
    Buckets,
    Clock,
    Housekeeping,
    Identities,
    Ledgers,
    Objects,
    Reader,
    Records,
    Seals,
    Uploads,
    Writer,
)
from siegel.drivers.meta.memory_accounts import MemoryBuckets, MemoryIdentities, MemorySeals
from siegel.drivers.meta.memory_ledgers import MemoryLedgers
from siegel.drivers.meta.memory_objects import MemoryObjects
from siegel.drivers.meta.memory_records import MemoryRecords
from siegel.drivers.meta.memory_tables import MemoryTables
from siegel.drivers.meta.memory_uploads import MemoryHousekeeping, MemoryUploads

T = TypeVar("T")


class MemorySession:
    """The `Writer` port; writes are refused with StorageError unless a change is open on its tables."""

    identities: Identities
    records: Records
    buckets: Buckets
    objects: Objects
    uploads: Uploads
    housekeeping: Housekeeping
    seals: Seals
    ledgers: Ledgers

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self.identities = MemoryIdentities(tables)
        self.records = MemoryRecords(tables)
        self.buckets = MemoryBuckets(tables)
        self.objects = MemoryObjects(tables)
        self.uploads = MemoryUploads(tables)
        self.housekeeping = MemoryHousekeeping(tables)
        self.seals = MemorySeals(tables)
        self.ledgers = MemoryLedgers(tables)
        self.changes_of_generation = 0
        self._tables = tables

    def inline_body(self, body_id: int) -> bytes | None:
        """Return an inline body or layout by its id."""
        return self._tables.bodies.get((body_id,))

    def generation(self) -> int:
        """Return `MetaStore.generation()` as it will be once this transaction commits."""
        return self.changes_of_generation

    def invalidate(self) -> None:
        """Tell everybody to forget what they remember of buckets and identities, before this is acknowledged."""
        self.changes_of_generation += 1


class MemoryStore:
    """The `MetaStore` and `Journal` ports. Nothing of it outlives the process."""

    reader: Reader

    def __init__(self, clock: Clock) -> None:
        """Start empty; `clock` gives sequences and release times."""
        self._tables = MemoryTables(clock)
        self._session = MemorySession(self._tables)
        self._is_closed = False
        self.reader = self._session
        self.object_changes = self._tables.object_changes

    async def write(self, change: Callable[[Writer], T], entry: Callable[[T], Entries] | Entries | None) -> T:
        """Run `change` and return its result together with its journal entries; an exception undoes it and is raised."""
        self._require_open()
        self._tables.is_open = True
        self.object_changes.begin()
        try:
            result = change(self._session)
            made = entry(result) if callable(entry) else entry
        except Exception:
            while self._tables.log:
                self._tables.log.pop()()
            raise
        finally:
            self._tables.is_open = False
            self._tables.log.clear()
            self.object_changes.settle()
        if made is not None:
            self._tables.record(made)
        return result

    async def collect(self) -> None:
        """Nothing is kept elsewhere."""

    async def append(self, entry: Entries) -> None:
        """Keep the entry, or all of them."""
        self._require_open()
        self._tables.record(entry)

    def entries(self, after: int, limit: int) -> list[tuple[int, list[Entry]]]:
        """Return up to `limit` batches (number, entries) behind batch `after`, in order."""
        batches = islice(self._tables.journal.scan((after + 1,), (maxsize,)), limit)
        return [(batch.number, batch.entries) for batch in batches]

    def oldest(self, batches_max: int, entries_max: int) -> list[Batch]:
        """Return the oldest batches, up to `batches_max`, and none behind the one with which they have `entries_max` entries."""
        # Here each batch has one entry.
        return list(islice(self._tables.journal.scan((0,), (maxsize,)), min(batches_max, entries_max)))

    def last_batch(self) -> int:
        """Return the number of the last batch that there was, wherever its entries are now; 0 before the first."""
        return self._tables.last_batch

    def generation(self) -> int:
        """A number that changes with every `Writer.invalidate`."""
        return self._session.changes_of_generation

    def close(self) -> None:
        """Refuse writes from now on."""
        self._is_closed = True

    def _require_open(self) -> None:
        if self._is_closed:
            raise StorageError("the store is closed")
