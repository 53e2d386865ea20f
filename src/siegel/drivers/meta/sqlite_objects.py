"""Object versions in SQLite: the current live ones in `object`, all others in `past`."""

# ruff: noqa: S608 - statements are put together from this module's constants alone, values are always bound

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from siegel.domain.objects import Lock, ObjectVersion, SealingMode, Storage
from siegel.domain.ports import Clock
from siegel.drivers.meta.key_order import key_bytes, stop_bytes
from siegel.drivers.meta.object_changes import ObjectChanges
from siegel.drivers.meta.sqlite_statements import Statements, Value

_COLUMNS: Final = (
    "version_id, sequence, is_null, size_bytes, modified_at_ms, mode, storage, part_count, data_id, body_id, etag, "
    "wrapped_key, sealed_head, sealed_tags, lock, retain_until_ms"
)
_CURRENT: Final = f"0 AS is_marker, {_COLUMNS}"
_PAST: Final = f"is_marker, {_COLUMNS}"
_OF_KEY: Final = "bucket_id = ? AND object_key = ?"
# For statements that ask for one key more than once.
_OF_SAME_KEY: Final = "bucket_id = ?1 AND object_key = ?2"
_IN_RANGE: Final = "bucket_id = ?1 AND object_key >= ?2 AND object_key < ?3"
_NEWEST_FIRST: Final = "ORDER BY sequence DESC"

_FIND: Final = {
    False: f"SELECT {_CURRENT} FROM object WHERE {_OF_KEY}",
    True: f"SELECT {_CURRENT}, sealed FROM object LEFT JOIN body USING (body_id) WHERE {_OF_KEY}",
}
_FIND_PAST: Final = {
    False: f"SELECT {_PAST} FROM past WHERE {_OF_KEY}",
    True: f"SELECT {_PAST}, sealed FROM past LEFT JOIN body USING (body_id) WHERE {_OF_KEY}",
}
# One statement, which sees one moment: a version that becomes the current one meanwhile is in one table or in the other.
_FIND_ANY: Final = {
    (with_body, which): " UNION ALL ".join(
        f"{find[with_body]} AND {which}".replace(_OF_KEY, _OF_SAME_KEY) for find in (_FIND, _FIND_PAST)
    )
    for with_body in (False, True)
    for which in ("is_null = 1", "version_id = ?3")
}
_NEXT_KEY: Final = f"SELECT CAST(object_key AS TEXT) FROM object WHERE {_IN_RANGE} ORDER BY object_key LIMIT 1"
_SCAN_CURRENT: Final = f"""
    SELECT CAST(object_key AS TEXT), {_CURRENT} FROM object WHERE {_IN_RANGE} ORDER BY object_key LIMIT ?4"""
_SCAN_KEY: Final = f"""
    SELECT {_CURRENT} FROM object WHERE {_OF_KEY} AND sequence < ?3
    UNION ALL
    SELECT {_PAST} FROM past WHERE {_OF_KEY} AND sequence < ?3
    {_NEWEST_FIRST} LIMIT ?4""".replace(_OF_KEY, _OF_SAME_KEY)
_SCAN_VERSIONS: Final = f"""
    SELECT object_key, {_CURRENT} FROM object WHERE {_IN_RANGE}
    UNION ALL
    SELECT object_key, {_PAST} FROM past WHERE {_IN_RANGE}
    ORDER BY object_key, sequence DESC LIMIT ?4"""

_NEWEST_SEQUENCE: Final = f"SELECT sequence FROM object WHERE {_OF_KEY}"
_NEWEST_SEQUENCES: Final = f"SELECT ({_NEWEST_SEQUENCE}), (SELECT max(sequence) FROM past WHERE {_OF_KEY})".replace(
    _OF_KEY, _OF_SAME_KEY
)
_NEWEST_PAST: Final = f"SELECT sequence, is_marker FROM past WHERE {_OF_KEY} {_NEWEST_FIRST} LIMIT 1"
_DELETE_CURRENT: Final = f"DELETE FROM object WHERE {_OF_KEY}"
_DELETE_PAST: Final = f"DELETE FROM past WHERE {_OF_KEY}"
_DEMOTE: Final = f"""
    INSERT INTO past (bucket_id, object_key, {_PAST}) SELECT bucket_id, object_key, {_CURRENT} FROM object WHERE {_OF_KEY}"""
_PROMOTE: Final = f"""
    INSERT INTO object (bucket_id, object_key, {_COLUMNS})
    SELECT bucket_id, object_key, {_COLUMNS} FROM past WHERE {_OF_KEY} AND sequence = ?"""
_PLACES: Final = ", ".join("?" * (_COLUMNS.count(",") + 1))
_INSERT_CURRENT: Final = f"INSERT OR REPLACE INTO object (bucket_id, object_key, {_COLUMNS}) VALUES (?, ?, {_PLACES})"
_INSERT_PAST: Final = f"INSERT INTO past (bucket_id, object_key, {_PAST}) VALUES (?, ?, ?, {_PLACES})"

_AMENDED: Final = "mode = ?, etag = ?, wrapped_key = ?, sealed_head = ?, sealed_tags = ?, lock = ?, retain_until_ms = ?"

# Object versions and uploads hold these numbers; a number of a later release cannot occur, its schema would be newer.
_MODES: Final = {mode.value: mode for mode in SealingMode}
_STORAGES: Final = {storage.value: storage for storage in Storage}
_LOCKS: Final = [Lock(number) for number in range(sum(Lock) + 1)]


class SqliteObjects:
    """The `Objects` port."""

    def __init__(self, statements: Statements, clock: Clock, changes: ObjectChanges) -> None:
        """Read and write by `statements`; `clock` gives sequences and release times, `changes` are told of what is written."""
        self._statements = statements
        self._clock = clock
        self._changes = changes

    def find_current(self, bucket_id: int, object_key: str, *, with_body: bool = False) -> ObjectVersion | None:
        """Return the key's newest version if it is an object (not a marker)."""
        row = self._statements.row(_FIND[with_body], (bucket_id, key_bytes(object_key)))
        return _version(bucket_id, object_key, *row) if row else None

    def find_version(
        self, bucket_id: int, object_key: str, version_id: bytes | None, *, with_body: bool = False
    ) -> ObjectVersion | None:
        """Return one version or marker by its id; None asks for the null version."""
        values: list[Value] = [bucket_id, key_bytes(object_key)]
        if version_id is not None:
            values.append(version_id)
        row = self._statements.row(_FIND_ANY[with_body, "is_null = 1" if version_id is None else "version_id = ?3"], values)
        return _version(bucket_id, object_key, *row) if row else None

    def next_key(self, bucket_id: int, start: str, stop: str | None) -> str | None:
        """Return the first key of a current object with start <= key < stop, or None."""
        row = self._statements.row(_NEXT_KEY, (bucket_id, key_bytes(start), stop_bytes(stop)))
        return cast("str", row[0]) if row else None

    def scan_current(self, bucket_id: int, start: str, stop: str | None, limit: int) -> list[ObjectVersion]:
        """Return up to `limit` current objects with start <= key < stop, in key order, without bodies."""
        rows = self._statements.rows(_SCAN_CURRENT, (bucket_id, key_bytes(start), stop_bytes(stop), limit))
        return [_version(bucket_id, *row) for row in rows]

    def scan_versions(
        self, bucket_id: int, start: str, after_sequence: int | None, stop: str | None, limit: int
    ) -> list[ObjectVersion]:
        """Return up to `limit` versions and markers with start <= key < stop, key ascending, newest first.

        The rest of the key `start` is sought by its sequence, so that the pages of one key's many versions cost the same each.
        """
        first, last = key_bytes(start), stop_bytes(stop)
        found: list[ObjectVersion] = []
        if after_sequence is not None:
            if first < last:
                rows = self._statements.rows(_SCAN_KEY, (bucket_id, first, after_sequence, limit))
                found = [_version(bucket_id, start, *row) for row in rows]
            first += b"\0"
        rows = self._statements.rows(_SCAN_VERSIONS, (bucket_id, first, last, limit - len(found)))
        found.extend(_version(bucket_id, object_key.decode(), *row) for object_key, *row in rows)
        return found

    def insert(self, version: ObjectVersion, body: bytes | None) -> ObjectVersion:
        """Add a version or marker as the newest of its key; return it with `sequence` and `body_id`."""
        of_key = self._change(version)
        current, past = self._statements.rows(_NEWEST_SEQUENCES, of_key)[0]
        newest = past if current is None else current
        sequence = self._clock.now_ms() * 1000
        if newest is not None:
            sequence = max(sequence, newest + 1)
        version = msgspec.structs.replace(version, sequence=sequence, body_id=self._insert_body(body), body=None)
        if current is not None:
            self._statements.write(_DEMOTE, of_key)
        if version.is_marker:
            self._statements.write(_INSERT_PAST, (*of_key, True, *_values(version)))
            if current is not None:
                self._statements.write(_DELETE_CURRENT, of_key)
        else:
            self._statements.write(_INSERT_CURRENT, (*of_key, *_values(version)))
        if version.storage is Storage.BLOB:
            self._statements.write("INSERT INTO blob (blob_id) VALUES (?)", (version.data_id,))
        return version

    def remove(self, version: ObjectVersion, blob_ids: Sequence[bytes]) -> None:
        """Remove a version; the next older one, if any, becomes the newest. Nothing happens if it is not there."""
        of_key = self._change(version)
        of_version = (*of_key, version.version_id)
        if not (
            self._statements.write(f"{_DELETE_CURRENT} AND version_id = ?", of_version)
            or self._statements.write(f"{_DELETE_PAST} AND version_id = ?", of_version)
        ):
            return
        self._promote(of_key)
        if version.body_id:
            self._statements.write("DELETE FROM body WHERE body_id = ?", (version.body_id,))
        release_blobs(self._statements, blob_ids, self._clock.now_ms())

    def amend(self, version: ObjectVersion, body: bytes | None = None) -> None:
        """Store what has changed of a version's seals and locks."""
        of_version = (*self._change(version), version.version_id)
        changed: tuple[Value, ...] = (
            version.mode.value,
            version.etag,
            version.wrapped_key,
            version.sealed_head,
            version.sealed_tags,
            version.lock.value,
            version.retain_until_ms,
        )
        for table in "object", "past":
            if self._statements.write(
                f"UPDATE {table} SET {_AMENDED} WHERE {_OF_KEY} AND version_id = ?", (*changed, *of_version)
            ):
                if body is not None:
                    self._statements.write("UPDATE body SET sealed = ? WHERE body_id = ?", (body, version.body_id))
                return

    def _change(self, version: ObjectVersion) -> tuple[int, bytes]:
        """Return bucket and key of a version, once it is noted that the rows of this key are about to change."""
        of_key = (version.bucket_id, key_bytes(version.object_key))
        self._statements.require_change()
        self._changes.note(*of_key)
        return of_key

    def _promote(self, of_key: tuple[int, bytes]) -> None:
        """Make the newest version current again if nothing is, and if it is an object."""
        newest = self._statements.row(_NEWEST_PAST, of_key)
        if newest is None or newest[1] or self._statements.row(_NEWEST_SEQUENCE, of_key):
            return
        self._statements.write(_PROMOTE, (*of_key, newest[0]))
        self._statements.write(f"{_DELETE_PAST} AND sequence = ?", (*of_key, newest[0]))

    def _insert_body(self, body: bytes | None) -> int:
        if body is None:
            return 0
        self._statements.write("INSERT INTO body (sealed) VALUES (?)", (body,))
        return self._statements.last_row_id()


def release_blobs(statements: Statements, blob_ids: Sequence[bytes], at_ms: int) -> None:
    """Note that nothing owns these blobs any more, as of `at_ms`."""
    for blob_id in blob_ids:
        statements.write("UPDATE blob SET released_at_ms = ? WHERE blob_id = ?", (at_ms, blob_id))


def _values(version: ObjectVersion) -> tuple[Value, ...]:
    """Return a version's values in the order of `_COLUMNS`."""
    return (
        version.version_id,
        version.sequence,
        version.is_null,
        version.size_bytes,
        version.modified_at_ms,
        version.mode.value,
        version.storage.value,
        version.part_count,
        version.data_id,
        version.body_id,
        version.etag,
        version.wrapped_key,
        version.sealed_head,
        version.sealed_tags,
        version.lock.value,
        version.retain_until_ms,
    )


def _version(  # noqa: PLR0917 - one argument per column, in their order
    bucket_id: int,
    object_key: str,
    is_marker: int,
    version_id: bytes,
    sequence: int,
    is_null: int,
    size_bytes: int,
    modified_at_ms: int,
    mode: int,
    storage: int,
    part_count: int,
    data_id: bytes,
    body_id: int,
    etag: str,
    wrapped_key: bytes,
    sealed_head: bytes,
    sealed_tags: bytes,
    lock: int,
    retain_until_ms: int,
    body: bytes | None = None,
) -> ObjectVersion:
    """Build a version from a row: each argument by its place, which halves the cost of a list against slicing rows."""
    return ObjectVersion(
        bucket_id,
        object_key,
        version_id,
        sequence,
        is_null == 1,
        is_marker == 1,
        size_bytes,
        modified_at_ms,
        _MODES[mode],
        _STORAGES[storage],
        part_count,
        data_id,
        body_id,
        etag,
        wrapped_key,
        sealed_head,
        sealed_tags,
        _LOCKS[lock],
        retain_until_ms,
        body,
    )
