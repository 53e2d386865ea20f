"""The steward's books in SQLite: released blobs, stale and finished uploads."""

from collections.abc import Sequence

from siegel.domain.objects import Upload
from siegel.drivers.meta.sqlite_statements import Statements
from siegel.drivers.meta.sqlite_uploads import SELECT_UPLOAD, upload_of


class SqliteHousekeeping:
    """The `Housekeeping` port."""

    def __init__(self, statements: Statements) -> None:
        """Read and write by `statements`."""
        self._statements = statements

    def released_blobs(self, before_ms: int, limit: int) -> list[bytes]:
        """Return blobs released before a time, oldest first."""
        rows = self._statements.rows(
            "SELECT blob_id FROM blob WHERE released_at_ms < ? ORDER BY released_at_ms LIMIT ?", (before_ms, limit)
        )
        return [row[0] for row in rows]

    def is_released(self, blob_id: bytes) -> bool:
        """Whether nothing owns the blob any more, and it is not forgotten."""
        return self._statements.row("SELECT 1 FROM blob WHERE blob_id = ? AND released_at_ms IS NOT NULL", (blob_id,)) is not None

    def renew_released(self, blob_ids: Sequence[bytes], at_ms: int) -> None:
        """Take released blobs for released at a later time; one that is not released, or later, stays as it is."""
        for blob_id in blob_ids:
            self._statements.write(
                "UPDATE blob SET released_at_ms = ?1 WHERE blob_id = ?2 AND released_at_ms < ?1", (at_ms, blob_id)
            )

    def forget_blobs(self, blob_ids: Sequence[bytes]) -> None:
        """Drop released blobs from the books, once their files are gone. A blob that is not released stays."""
        for blob_id in blob_ids:
            self._statements.write("DELETE FROM blob WHERE blob_id = ? AND released_at_ms IS NOT NULL", (blob_id,))

    def is_adopted(self, blob_id: bytes) -> bool:
        """Whether a version or a part owns the blob, or it is released and not yet forgotten."""
        return self._statements.row("SELECT 1 FROM blob WHERE blob_id = ?", (blob_id,)) is not None

    def stale_uploads(self, before_ms: int, limit: int) -> list[Upload]:
        """Return uploads initiated before a time, oldest first."""
        rows = self._statements.rows(
            f"{SELECT_UPLOAD} WHERE initiated_at_ms < ? ORDER BY initiated_at_ms, upload_id LIMIT ?", (before_ms, limit)
        )
        return [upload_of(row) for row in rows]

    def forget_completed(self, before_ms: int) -> int:
        """Forget finished uploads from before a time; return how many."""
        return self._statements.write("DELETE FROM completed_upload WHERE completed_at_ms < ?", (before_ms,))
