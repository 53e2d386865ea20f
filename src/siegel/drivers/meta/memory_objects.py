"""Object versions in memory: all of them in one table, the newest of each key first."""

from collections.abc import Sequence
from itertools import islice

import msgspec

from siegel.domain.objects import ObjectVersion, Storage
from siegel.drivers.meta.key_order import key_bytes, stop_bytes
from siegel.drivers.meta.memory_tables import MemoryTables


class MemoryObjects:
    """The `Objects` port."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self._tables = tables

    def _change(self, version: ObjectVersion) -> bytes:
        """Return the key of a version, once it is noted that it is about to change."""
        key = key_bytes(version.object_key)
        self._tables.require_change()
        self._tables.object_changes.note(version.bucket_id, key)
        return key

    def _versions(self, bucket_id: int, object_key: str) -> list[ObjectVersion]:
        key = key_bytes(object_key)
        return list(self._tables.versions.scan((bucket_id, key), (bucket_id, key + b"\0")))

    def _with_body(self, version: ObjectVersion | None, *, with_body: bool) -> ObjectVersion | None:
        if version is None or not with_body:
            return version
        return msgspec.structs.replace(version, body=self._tables.bodies.get((version.body_id,)))

    def find_current(self, bucket_id: int, object_key: str, *, with_body: bool = False) -> ObjectVersion | None:
        """Return the key's newest version if it is an object (not a marker)."""
        newest = next(iter(self._versions(bucket_id, object_key)), None)
        return None if newest is None or newest.is_marker else self._with_body(newest, with_body=with_body)

    def find_version(
        self, bucket_id: int, object_key: str, version_id: bytes | None, *, with_body: bool = False
    ) -> ObjectVersion | None:
        """Return one version or marker by its id; None asks for the null version."""
        for version in self._versions(bucket_id, object_key):
            if version.is_null if version_id is None else version.version_id == version_id:
                return self._with_body(version, with_body=with_body)
        return None

    def next_key(self, bucket_id: int, start: str, stop: str | None) -> str | None:
        """Return the first key of a current object with start <= key < stop, or None."""
        return next((version.object_key for version in self.scan_current(bucket_id, start, stop, 1)), None)

    def scan_current(self, bucket_id: int, start: str, stop: str | None, limit: int) -> list[ObjectVersion]:
        """Return up to `limit` current objects with start <= key < stop, in key order, without bodies."""
        found: list[ObjectVersion] = []
        seen: str | None = None
        for version in self._tables.versions.scan((bucket_id, key_bytes(start)), (bucket_id, stop_bytes(stop))):
            if len(found) >= limit:
                break
            if version.object_key != seen and not version.is_marker:
                found.append(version)
            seen = version.object_key
        return found

    def scan_versions(
        self, bucket_id: int, start: str, after_sequence: int | None, stop: str | None, limit: int
    ) -> list[ObjectVersion]:
        """Return up to `limit` versions and markers with start <= key < stop, key ascending, newest first."""
        first: tuple[int | bytes, ...] = (bucket_id, key_bytes(start))
        if after_sequence is not None:
            first = (*first, 1 - after_sequence)
        return list(islice(self._tables.versions.scan(first, (bucket_id, stop_bytes(stop))), limit))

    def insert(self, version: ObjectVersion, body: bytes | None) -> ObjectVersion:
        """Add a version or marker as the newest of its key; return it with `sequence` and `body_id`."""
        key = self._change(version)
        newest = next(iter(self._versions(version.bucket_id, version.object_key)), None)
        sequence = self._tables.clock.now_ms() * 1000
        if newest is not None:
            sequence = max(sequence, newest.sequence + 1)
        body_id = 0
        if body is not None:
            body_id = next(self._tables.body_ids)
            self._tables.bodies.put((body_id,), body)
        version = msgspec.structs.replace(version, sequence=sequence, body_id=body_id, body=None)
        self._tables.versions.put((version.bucket_id, key, -sequence), version)
        if version.storage is Storage.BLOB:
            self._tables.adopt(version.data_id)
        return version

    def remove(self, version: ObjectVersion, blob_ids: Sequence[bytes]) -> None:
        """Remove a version; the next older one, if any, becomes the newest. Nothing happens if it is not there."""
        self._change(version)
        kept = self.find_version(version.bucket_id, version.object_key, version.version_id)
        if kept is None:
            return
        self._tables.versions.remove((kept.bucket_id, key_bytes(kept.object_key), -kept.sequence))
        self._tables.bodies.remove((kept.body_id,))
        self._tables.release(blob_ids)

    def amend(self, version: ObjectVersion, body: bytes | None = None) -> None:
        """Store what has changed of a version's seals and locks."""
        self._change(version)
        kept = self.find_version(version.bucket_id, version.object_key, version.version_id)
        if kept is not None:
            changed = msgspec.structs.replace(
                kept,
                mode=version.mode,
                etag=version.etag,
                wrapped_key=version.wrapped_key,
                sealed_head=version.sealed_head,
                sealed_tags=version.sealed_tags,
                lock=version.lock,
                retain_until_ms=version.retain_until_ms,
            )
            if body is not None:
                self._tables.bodies.put((kept.body_id,), body)
            self._tables.versions.put((kept.bucket_id, key_bytes(kept.object_key), -kept.sequence), changed)
