"""One connection as a `Reader`, and inside a transaction as a `Writer`."""

from siegel.domain.ports import Buckets, Clock, Housekeeping, Identities, Ledgers, Objects, Records, Seals, Uploads
from siegel.drivers.meta.generation import Generation
from siegel.drivers.meta.object_changes import ObjectChanges
from siegel.drivers.meta.sqlite_buckets import SqliteBuckets
from siegel.drivers.meta.sqlite_housekeeping import SqliteHousekeeping
from siegel.drivers.meta.sqlite_identities import SqliteIdentities, SqliteSeals
from siegel.drivers.meta.sqlite_ledgers import SqliteLedgers
from siegel.drivers.meta.sqlite_objects import SqliteObjects
from siegel.drivers.meta.sqlite_records import SqliteRecords
from siegel.drivers.meta.sqlite_statements import Statements
from siegel.drivers.meta.sqlite_uploads import SqliteUploads


class SqliteSession:
    """The `Writer` port; writes are refused with StorageError unless a change is open on its statements."""

    identities: Identities
    records: Records
    buckets: Buckets
    objects: Objects
    uploads: Uploads
    housekeeping: Housekeeping
    seals: Seals
    ledgers: Ledgers

    def __init__(self, statements: Statements, clock: Clock, generation: Generation, changes: ObjectChanges) -> None:
        """Work by `statements`, whose connection belongs to one thread at a time."""
        self.statements = statements
        self.identities = SqliteIdentities(self.statements)
        self.records = SqliteRecords(self.statements)
        self.buckets = SqliteBuckets(self.statements)
        self.objects = SqliteObjects(self.statements, clock, changes)
        self.uploads = SqliteUploads(self.statements, clock)
        self.housekeeping = SqliteHousekeeping(self.statements)
        self.seals = SqliteSeals(self.statements)
        self.ledgers = SqliteLedgers(self.statements)
        self.is_invalidating = False
        self._generation = generation

    def inline_body(self, body_id: int) -> bytes | None:
        """Return an inline body or layout by its id."""
        row = self.statements.row("SELECT sealed FROM body WHERE body_id = ?", (body_id,))
        return row[0] if row else None

    def generation(self) -> int:
        """Return `MetaStore.generation()` as it will be once this transaction commits."""
        return self._generation.value_after_commit(is_changing=self.is_invalidating)

    def invalidate(self) -> None:
        """Tell every worker to forget what it remembers of buckets and identities, before this is acknowledged."""
        self.is_invalidating = True
