"""Buckets in SQLite."""

from typing import Final

import msgspec

from siegel.domain.errors import BucketNotEmptyError
from siegel.domain.objects import Bucket, Versioning
from siegel.drivers.meta.sqlite_statements import Row, Statements, Value

_BUCKET: Final = "SELECT bucket_id, name, account_id, region, created_at_ms, versioning, sse_c_allowed FROM bucket"


class SqliteBuckets:
    """The `Buckets` port."""

    def __init__(self, statements: Statements) -> None:
        """Read and write by `statements`."""
        self._statements = statements

    def find(self, name: str) -> Bucket | None:
        """Return the bucket of that name, or None."""
        row = self._statements.row(f"{_BUCKET} WHERE name = ?", (name,))
        return _bucket(row) if row else None

    def list_of(self, account_id: str, prefix: str, after: str, limit: int) -> list[Bucket]:
        """Return up to `limit` of the account's buckets in order of their names, beginning behind `after`.

        Names of buckets are ASCII, so `prefix` with its last character raised is the end of its range.
        """
        stop = f"{prefix}\U0010ffff"
        rows = self._statements.rows(
            f"{_BUCKET} WHERE account_id = ? AND name >= ? AND name > ? AND name < ? ORDER BY name LIMIT ?",
            (account_id, prefix, after, stop, limit),
        )
        return [_bucket(row) for row in rows]

    def is_empty(self, bucket_id: int) -> bool:
        """Whether the bucket holds no version, delete marker or upload."""
        row = self._statements.row(
            """SELECT EXISTS (SELECT 1 FROM object WHERE bucket_id = ?1)
                   OR EXISTS (SELECT 1 FROM past WHERE bucket_id = ?1)
                   OR EXISTS (SELECT 1 FROM upload WHERE bucket_id = ?1)""",
            (bucket_id,),
        )
        return row == (0,)

    def insert(self, bucket: Bucket) -> Bucket:
        """Add a bucket and return it with its fresh `bucket_id`. Raises StorageError if the name is taken."""
        self._statements.write(
            "INSERT INTO bucket (name, account_id, region, created_at_ms, versioning, sse_c_allowed) VALUES (?, ?, ?, ?, ?, ?)",
            (bucket.name, bucket.account_id, bucket.region, bucket.created_at_ms, *_settings(bucket)),
        )
        return msgspec.structs.replace(bucket, bucket_id=self._statements.last_row_id())

    def replace(self, bucket: Bucket) -> None:
        """Store a bucket's changed settings."""
        self._statements.write(
            "UPDATE bucket SET versioning = ?, sse_c_allowed = ? WHERE bucket_id = ?", (*_settings(bucket), bucket.bucket_id)
        )

    def remove(self, bucket_id: int) -> None:
        """Remove an empty bucket. Its id is never used again. Raises BucketNotEmptyError if something is left in it."""
        if not self.is_empty(bucket_id):
            raise BucketNotEmptyError
        self._statements.write("DELETE FROM bucket WHERE bucket_id = ?", (bucket_id,))


def _settings(bucket: Bucket) -> tuple[Value, Value]:
    return bucket.versioning.value, bucket.sse_c_allowed


def _bucket(row: Row) -> Bucket:
    bucket_id, name, account_id, region, created_at_ms, versioning, sse_c = row
    allowed = None if sse_c is None else sse_c == 1
    return Bucket(bucket_id, name, account_id, region, created_at_ms, Versioning(versioning), allowed)
