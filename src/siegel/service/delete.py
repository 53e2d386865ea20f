"""Deleting: a marker on top, or a version gone for good."""

from collections.abc import Callable

from siegel.domain.entry import Entry
from siegel.domain.faultpoints import reach
from siegel.domain.objects import ObjectVersion, SealingMode, Storage
from siegel.domain.ports import Clock, MetaStore, Randomness, Writer
from siegel.s3wire.conditions import DeleteConditions
from siegel.s3wire.names import decode_version_id
from siegel.service.keys import ID_BYTES
from siegel.service.versions import Deleted, Target, delete_current, delete_version


class Deleter:
    """The use cases DeleteObject and DeleteObjects."""

    def __init__(self, store: MetaStore, clock: Clock, randomness: Randomness) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness

    async def delete(
        self,
        target: Target,
        object_key: str,
        version_id: str | None,
        conditions: DeleteConditions,
        entry: Callable[[Deleted], Entry],
    ) -> Deleted:
        """Delete a key (`version_id` None) or one version of it, named by its text form.

        Raises PreconditionFailedError, NoSuchKeyError and NoSuchVersionError (If-Match finds nothing), AccessDeniedError (the
        version is locked), InvalidArgumentError, NoSuchBucketError, StorageError: then nothing has changed.
        """
        wanted = None if version_id is None else decode_version_id(version_id)
        marker = make_marker(target, object_key, self._randomness, self._clock.now_ms())

        def change(tx: Writer) -> Deleted:
            if version_id is None:
                return delete_current(tx, target, marker, conditions)
            return delete_version(tx, target, object_key, wanted, conditions)

        reach("delete.before_commit")
        return await self._store.write(change, entry)


def make_marker(target: Target, object_key: str, randomness: Randomness, at_ms: int) -> ObjectVersion:
    """Return a delete marker for a key, not stored yet."""
    return ObjectVersion(
        bucket_id=target.bucket.bucket_id,
        object_key=object_key,
        version_id=randomness.bytes(ID_BYTES),
        sequence=0,
        is_null=False,
        is_marker=True,
        size_bytes=0,
        modified_at_ms=at_ms,
        mode=SealingMode.SSE_S3,
        storage=Storage.EMPTY,
        part_count=0,
        data_id=b"",
        body_id=0,
        etag="",
        wrapped_key=b"",
        sealed_head=b"",
        sealed_tags=b"",
    )
