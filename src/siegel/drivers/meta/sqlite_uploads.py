"""Multipart uploads in SQLite."""

# ruff: noqa: S608 - statements are put together from this module's constants alone, values are always bound

from collections.abc import Sequence
from typing import Final

from siegel.domain.objects import CompletedUpload, Lock, Part, SealingMode, Upload
from siegel.domain.ports import Clock
from siegel.drivers.meta.key_order import key_bytes, stop_bytes
from siegel.drivers.meta.sqlite_objects import release_blobs
from siegel.drivers.meta.sqlite_statements import Row, Statements

_UPLOAD_COLUMNS: Final = (
    "upload_id, bucket_id, object_key, version_id, initiated_at_ms, mode, wrapped_key, sealed_head, sealed_tags, "
    "checksum_algorithm, checksum_type, lock, retain_until_ms"
)
SELECT_UPLOAD: Final = f"SELECT {_UPLOAD_COLUMNS} FROM upload"
_PART_COLUMNS: Final = "upload_id, part_number, size_bytes, modified_at_ms, data_id, sealed_head"
_COMPLETED_COLUMNS: Final = "upload_id, bucket_id, object_key, version_id, completed_at_ms, request_digest"


class SqliteUploads:
    """The `Uploads` port."""

    def __init__(self, statements: Statements, clock: Clock) -> None:
        """Read and write by `statements`; `clock` gives release times."""
        self._statements = statements
        self._clock = clock

    def find(self, upload_id: str) -> Upload | None:
        """Return the upload in progress, or None."""
        row = self._statements.row(f"{SELECT_UPLOAD} WHERE upload_id = ?", (upload_id,))
        return upload_of(row) if row else None

    def find_completed(self, upload_id: str) -> CompletedUpload | None:
        """Return what a finished upload became, or None."""
        row = self._statements.row(f"SELECT {_COMPLETED_COLUMNS} FROM completed_upload WHERE upload_id = ?", (upload_id,))
        if row is None:
            return None
        found_id, bucket_id, object_key, *rest = row
        return CompletedUpload(found_id, bucket_id, object_key.decode(), *rest)

    def scan(self, bucket_id: int, start: str, after_upload_id: str | None, stop: str | None, limit: int) -> list[Upload]:
        """Return up to `limit` uploads with start <= key < stop, by key, then by upload id."""
        # Without an id to continue behind, the pair begins before the key's first upload.
        comparison = ">=" if after_upload_id is None else ">"
        rows = self._statements.rows(
            f"""{SELECT_UPLOAD} WHERE bucket_id = ? AND (object_key, upload_id) {comparison} (?, ?) AND object_key < ?
                ORDER BY object_key, upload_id LIMIT ?""",
            (bucket_id, key_bytes(start), after_upload_id or "", stop_bytes(stop), limit),
        )
        return [upload_of(row) for row in rows]

    def parts(self, upload_id: str, after_part_number: int, limit: int) -> list[Part]:
        """Return up to `limit` parts in order of their numbers, beginning behind `after_part_number`."""
        rows = self._statements.rows(
            f"SELECT {_PART_COLUMNS} FROM part WHERE upload_id = ? AND part_number > ? ORDER BY part_number LIMIT ?",
            (upload_id, after_part_number, limit),
        )
        return [Part(*row) for row in rows]

    def insert(self, upload: Upload) -> None:
        """Add an upload."""
        self._statements.write(
            f"INSERT INTO upload ({_UPLOAD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                upload.upload_id,
                upload.bucket_id,
                key_bytes(upload.object_key),
                upload.version_id,
                upload.initiated_at_ms,
                upload.mode.value,
                upload.wrapped_key,
                upload.sealed_head,
                upload.sealed_tags,
                upload.checksum_algorithm,
                upload.checksum_type,
                upload.lock.value,
                upload.retain_until_ms,
            ),
        )

    def put_part(self, part: Part) -> None:
        """Add a part, which adopts its blob, or replace the one of its number (whose blob is released)."""
        place = (part.upload_id, part.part_number)
        replaced = self._statements.row("SELECT data_id FROM part WHERE upload_id = ? AND part_number = ?", place)
        if replaced:
            release_blobs(self._statements, [replaced[0]], self._clock.now_ms())
        self._statements.write("INSERT INTO blob (blob_id) VALUES (?)", (part.data_id,))
        self._statements.write(
            f"INSERT OR REPLACE INTO part ({_PART_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            (*place, part.size_bytes, part.modified_at_ms, part.data_id, part.sealed_head),
        )

    def complete(self, done: CompletedUpload, keep: Sequence[int]) -> None:
        """End an upload: the parts of the numbers in `keep` now belong to the object, the others are released."""
        self._end(done.upload_id, frozenset(keep))
        self._statements.write(
            f"INSERT INTO completed_upload ({_COMPLETED_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            (
                done.upload_id,
                done.bucket_id,
                key_bytes(done.object_key),
                done.version_id,
                done.completed_at_ms,
                done.request_digest,
            ),
        )

    def abort(self, upload_id: str) -> None:
        """End an upload and release all its parts."""
        self._end(upload_id, frozenset())

    def _end(self, upload_id: str, keep: frozenset[int]) -> None:
        parts = self._statements.rows("SELECT part_number, data_id FROM part WHERE upload_id = ?", (upload_id,))
        dropped = [data_id for part_number, data_id in parts if part_number not in keep]
        release_blobs(self._statements, dropped, self._clock.now_ms())
        self._statements.write("DELETE FROM part WHERE upload_id = ?", (upload_id,))
        self._statements.write("DELETE FROM upload WHERE upload_id = ?", (upload_id,))


def upload_of(row: Row) -> Upload:
    """Build an upload from a row of its columns in order."""
    upload_id, bucket_id, object_key, version_id, initiated_at_ms, mode, *rest = row
    *sealed, lock, retain_until_ms = rest
    return Upload(
        upload_id,
        bucket_id,
        object_key.decode(),
        version_id,
        initiated_at_ms,
        SealingMode(mode),
        *(*sealed, Lock(lock), retain_until_ms),
    )
