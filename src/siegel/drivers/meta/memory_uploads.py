"""Multipart uploads in memory, and the steward's books."""

from collections.abc import Sequence
from itertools import islice

from msgspec.structs import replace

from siegel.domain.errors import StorageError
from siegel.domain.objects import CompletedUpload, Part, Upload
from siegel.drivers.meta.key_order import key_bytes, stop_bytes
from siegel.drivers.meta.memory_tables import MemoryTables


class MemoryUploads:
    """The `Uploads` port."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self._tables = tables

    def find(self, upload_id: str) -> Upload | None:
        """Return the upload in progress, or None."""
        return next((upload for upload in self._tables.uploads.rows() if upload.upload_id == upload_id), None)

    def find_completed(self, upload_id: str) -> CompletedUpload | None:
        """Return what a finished upload became, or None."""
        return self._tables.completed.get((upload_id,))

    def scan(self, bucket_id: int, start: str, after_upload_id: str | None, stop: str | None, limit: int) -> list[Upload]:
        """Return up to `limit` uploads with start <= key < stop, by key, then by upload id."""
        first: tuple[int | bytes | str, ...] = (bucket_id, key_bytes(start))
        if after_upload_id is not None:
            first = (*first, f"{after_upload_id}\0")
        return list(islice(self._tables.uploads.scan(first, (bucket_id, stop_bytes(stop))), limit))

    def parts(self, upload_id: str, after_part_number: int, limit: int) -> list[Part]:
        """Return up to `limit` parts in order of their numbers, beginning behind `after_part_number`."""
        return list(islice(self._tables.parts.scan((upload_id, after_part_number + 1), (f"{upload_id}\0",)), limit))

    def insert(self, upload: Upload) -> None:
        """Add an upload."""
        self._tables.require_change()
        if self.find(upload.upload_id):
            raise StorageError("the upload's id is taken")
        self._tables.uploads.put((upload.bucket_id, key_bytes(upload.object_key), upload.upload_id), upload)

    def put_part(self, part: Part) -> None:
        """Add a part, which adopts its blob, or replace the one of its number (whose blob is released)."""
        self._tables.require_change()
        place = (part.upload_id, part.part_number)
        replaced = self._tables.parts.get(place)
        if replaced is not None:
            self._tables.release([replaced.data_id])
        self._tables.adopt(part.data_id)
        self._tables.parts.put(place, part)

    def complete(self, done: CompletedUpload, keep: Sequence[int]) -> None:
        """End an upload: the parts of the numbers in `keep` now belong to the object, the others are released."""
        self._end(done.upload_id, frozenset(keep))
        self._tables.completed.put((done.upload_id,), done)

    def abort(self, upload_id: str) -> None:
        """End an upload and release all its parts."""
        self._end(upload_id, frozenset())

    def _end(self, upload_id: str, keep: frozenset[int]) -> None:
        self._tables.require_change()
        for part in list(self._tables.parts.scan((upload_id,), (f"{upload_id}\0",))):
            self._tables.parts.remove((upload_id, part.part_number))
            if part.part_number not in keep:
                self._tables.release([part.data_id])
        upload = self.find(upload_id)
        if upload is not None:
            self._tables.uploads.remove((upload.bucket_id, key_bytes(upload.object_key), upload_id))


class MemoryHousekeeping:
    """The `Housekeeping` port."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self._tables = tables

    def released_blobs(self, before_ms: int, limit: int) -> list[bytes]:
        """Return blobs released before a time, oldest first."""
        released = sorted(
            (blob.released_at_ms, blob.blob_id)
            for blob in self._tables.blobs.rows()
            if blob.released_at_ms is not None and blob.released_at_ms < before_ms
        )
        return [blob_id for _, blob_id in released[:limit]]

    def is_released(self, blob_id: bytes) -> bool:
        """Whether nothing owns the blob any more, and it is not forgotten."""
        blob = self._tables.blobs.get((blob_id,))
        return blob is not None and blob.released_at_ms is not None

    def renew_released(self, blob_ids: Sequence[bytes], at_ms: int) -> None:
        """Take released blobs for released at a later time; one that is not released, or later, stays as it is."""
        self._tables.require_change()
        for blob_id in blob_ids:
            blob = self._tables.blobs.get((blob_id,))
            if blob is not None and blob.released_at_ms is not None and blob.released_at_ms < at_ms:
                self._tables.blobs.put((blob_id,), replace(blob, released_at_ms=at_ms))

    def forget_blobs(self, blob_ids: Sequence[bytes]) -> None:
        """Drop released blobs from the books, once their files are gone. A blob that is not released stays."""
        self._tables.require_change()
        for blob_id in blob_ids:
            blob = self._tables.blobs.get((blob_id,))
            if blob is not None and blob.released_at_ms is not None:
                self._tables.blobs.remove((blob_id,))

    def is_adopted(self, blob_id: bytes) -> bool:
        """Whether a version or a part owns the blob, or it is released and not yet forgotten."""
        return self._tables.blobs.get((blob_id,)) is not None

    def stale_uploads(self, before_ms: int, limit: int) -> list[Upload]:
        """Return uploads initiated before a time, oldest first."""
        stale = (upload for upload in self._tables.uploads.rows() if upload.initiated_at_ms < before_ms)
        return sorted(stale, key=lambda upload: (upload.initiated_at_ms, upload.upload_id))[:limit]

    def forget_completed(self, before_ms: int) -> int:
        """Forget finished uploads from before a time; return how many."""
        self._tables.require_change()
        old = [done.upload_id for done in self._tables.completed.rows() if done.completed_at_ms < before_ms]
        for upload_id in old:
            self._tables.completed.remove((upload_id,))
        return len(old)
