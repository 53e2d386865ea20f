"""Blobs in memory: the same promises as on disk, for as long as the process lives. For tests and short-lived stores."""

from collections.abc import Iterator

from siegel.domain.errors import StorageError
from siegel.domain.ports import Clock


class MemoryBlobWriter:
    """A blob that is being collected."""

    __slots__ = ("_blob_id", "_data", "_store")

    def __init__(self, store: "MemoryBlobStore", blob_id: bytes) -> None:
        self._store = store
        self._blob_id = blob_id
        self._data: bytearray | None = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`."""
        self._usable().extend(data)

    def commit(self) -> None:
        """Make the blob visible."""
        data = bytes(self._usable())
        self._data = None
        self._store.finish(self._blob_id, data)

    def abandon(self) -> None:
        """Drop what was written."""
        if self._data is not None:
            self._data = None
            self._store.finish(self._blob_id, None)

    def _usable(self) -> bytearray:
        if self._data is None:
            raise StorageError("the blob's handle was given up already")
        return self._data


class MemoryBlobReader:
    """An open blob."""

    __slots__ = ("_data", "size_bytes")

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data
        self.size_bytes = len(data)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`; short only at the end of the blob."""
        if self._data is None:
            raise StorageError("the blob's handle was given up already")
        piece = self._data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def read_cached_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer`: all of it is in memory."""
        return self.read_into(offset, buffer)

    def close(self) -> None:
        """Release the blob."""
        self._data = None


class MemoryBlobStore:
    """Blobs in a dictionary."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock that dates the blobs."""
        self._clock = clock
        self._blobs: dict[bytes, tuple[bytes, int]] = {}
        self._unfinished: dict[bytes, int] = {}

    def create(self, blob_id: bytes) -> MemoryBlobWriter:
        """Start a blob. Raises StorageError if the name is taken, by a blob or by another writer."""
        if blob_id in self._blobs or blob_id in self._unfinished:
            raise StorageError("a blob cannot be created: the name is taken")
        self._unfinished[blob_id] = self._clock.now_ms()
        return MemoryBlobWriter(self, blob_id)

    def finish(self, blob_id: bytes, data: bytes | None) -> None:
        """End what `create` began: with its data, or with None to forget it. Raises StorageError if it was swept."""
        begun = self._unfinished.pop(blob_id, None)
        if data is None:
            return
        if begun is None:
            raise StorageError("a blob cannot be made durable: it was swept")
        self._blobs[blob_id] = (data, self._clock.now_ms())

    def open(self, blob_id: bytes) -> MemoryBlobReader:
        """Open a committed blob. Raises StorageError if it is missing."""
        found = self._blobs.get(blob_id)
        if found is None:
            raise StorageError("a blob cannot be opened: there is none of that name")
        return MemoryBlobReader(found[0])

    def remove(self, blob_id: bytes) -> bool:
        """Remove a blob; return whether it was there."""
        return self._blobs.pop(blob_id, None) is not None

    def scan(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield (blob_id, size_bytes, modified_at_ms) of every committed blob."""
        for blob_id, (data, modified_at_ms) in list(self._blobs.items()):
            yield blob_id, len(data), modified_at_ms

    def sweep_unfinished(self, older_than_ms: int) -> int:
        """Forget what was begun before `older_than_ms` and never committed."""
        stale = [blob_id for blob_id, begun in self._unfinished.items() if begun < older_than_ms]
        for blob_id in stale:
            del self._unfinished[blob_id]
        return len(stale)
