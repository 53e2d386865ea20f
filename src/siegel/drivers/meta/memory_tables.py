"""All rows of the memory driver."""

from collections.abc import Sequence
from itertools import count

from msgspec import Struct

from siegel.domain.entry import Entries
from siegel.domain.errors import StorageError
from siegel.domain.logs import Batch, Log, Run
from siegel.domain.objects import Account, Bucket, CompletedUpload, Credential, ObjectVersion, Part, Upload
from siegel.domain.ports import Clock
from siegel.drivers.meta.object_changes import own_object_changes
from siegel.drivers.meta.sorted_table import SortedTable, Undo


class BookedBlob(Struct, frozen=True):
    """A blob in the books: owned by a version or part, or released and not yet forgotten."""

    blob_id: bytes
    released_at_ms: int | None = None


class MemoryTables:
    """All rows, the log that undoes a change, and whether one is open."""

    def __init__(self, clock: Clock) -> None:
        """Start empty; `clock` gives sequences and release times."""
        self.clock = clock
        self.log: list[Undo] = []
        self.is_open = False
        self.object_changes = own_object_changes()
        self.accounts = SortedTable[tuple[str], Account](self.log)
        self.credentials = SortedTable[tuple[str], Credential](self.log)
        # Scope, kind and name, the name as bytes; a row is kind, name and document.
        self.records = SortedTable[tuple[str, str, bytes], tuple[str, str, bytes]](self.log)
        self.buckets = SortedTable[tuple[str], Bucket](self.log)
        self.bucket_ids = count(1)
        # By bucket, key and falling sequence: the newest version of a key comes first.
        self.versions = SortedTable[tuple[int, bytes, int], ObjectVersion](self.log)
        self.bodies = SortedTable[tuple[int], bytes](self.log)
        self.body_ids = count(1)
        self.uploads = SortedTable[tuple[int, bytes, str], Upload](self.log)
        self.parts = SortedTable[tuple[str, int], Part](self.log)
        self.completed = SortedTable[tuple[str], CompletedUpload](self.log)
        self.blobs = SortedTable[tuple[bytes], BookedBlob](self.log)
        self.journal = SortedTable[tuple[int], Batch](self.log)
        self.last_batch = 0
        self.logs = SortedTable[tuple[int], Log](self.log)
        self.log_ids = count(1)
        self.runs = SortedTable[tuple[int, int], Run](self.log)
        self.tiles = SortedTable[tuple[int, int, int], bytes](self.log)

    def record(self, entry: Entries) -> None:
        """Add an entry, or all of them, to the journal, as a batch of its own."""
        self.last_batch += 1
        self.journal.put(
            (self.last_batch,), Batch(self.last_batch, self.clock.now_ms(), [*entry] if isinstance(entry, tuple) else [entry])
        )
        self.log.clear()

    def require_change(self) -> None:
        """Raise StorageError outside a transaction."""
        if not self.is_open:
            raise StorageError("written outside a transaction")

    def release(self, blob_ids: Sequence[bytes]) -> None:
        """Note that nothing owns these blobs any more."""
        for blob_id in blob_ids:
            if self.blobs.get((blob_id,)) is not None:
                self.blobs.put((blob_id,), BookedBlob(blob_id, self.clock.now_ms()))

    def adopt(self, blob_id: bytes) -> None:
        """Note that a version or a part owns this blob. Raises StorageError if one did before."""
        if self.blobs.get((blob_id,)) is not None:
            raise StorageError("the blob's id is taken")
        self.blobs.put((blob_id,), BookedBlob(blob_id))
