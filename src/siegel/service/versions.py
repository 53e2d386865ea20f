"""What one transaction does to the versions of a key. Every function here runs inside `MetaStore.write`.

These are the rules of S3 versioning (User Guide, "Using versioning in S3 buckets"): an enabled bucket stacks versions; an
unversioned or suspended one replaces its null version; a delete without version id puts a marker on top, or removes the null
version where nothing is versioned.
"""

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import NoSuchBucketError, NoSuchKeyError, NoSuchVersionError, PreconditionFailedError, S3Error
from siegel.domain.faultpoints import reach
from siegel.domain.objects import Bucket, ObjectVersion, Storage, Versioning
from siegel.domain.ports import Reader, Writer
from siegel.domain.retention import ObjectLock
from siegel.s3wire.conditions import DeleteConditions, WriteConditions
from siegel.service.heads import etag_of, open_layout, place_of
from siegel.service.keys import BucketKeys
from siegel.service.locks import Guard, object_lock_of, with_lock
from siegel.service.rolling import behind


class Target(Struct, frozen=True):
    """The bucket of a change as the request saw it, at `generation`, with its keys and its locks."""

    bucket: Bucket
    generation: int
    keys: BucketKeys
    guard: Guard
    object_lock: ObjectLock | None = None


class Deleted(Struct, frozen=True):
    """What a delete did. `version` is the marker it made, or the version or marker it removed; None if there was nothing."""

    version: ObjectVersion | None
    made_marker: bool = False


def bucket_now(tx: Writer, target: Target) -> Bucket:
    """Return the bucket as the transaction sees it. Raises NoSuchBucketError if it went, also if another took its name."""
    if tx.generation() == target.generation:
        return target.bucket
    bucket = tx.buckets.find(target.bucket.name)
    if bucket is None or bucket.bucket_id != target.bucket.bucket_id:
        raise NoSuchBucketError(fields={"BucketName": target.bucket.name})
    return bucket


def object_lock_now(tx: Writer, target: Target) -> ObjectLock | None:
    """Return how the bucket locks its versions, as the transaction sees it."""
    if tx.generation() == target.generation:
        return target.object_lock
    return object_lock_of(tx, target.bucket.bucket_id)


def blobs_of(target: Target, version: ObjectVersion, body: bytes | None) -> list[bytes]:
    """Return the blobs that a version owns; `body` is its layout. Raises SealBrokenError."""
    if version.storage is Storage.BLOB:
        return [version.data_id]
    if version.storage is Storage.PARTS:
        layout = open_layout(target.keys.metadata, place_of(target.bucket.account_id, version), body)
        return [part.data_id for part in layout]
    return []


def check_write(reader: Reader, target: Target, object_key: str, conditions: WriteConditions) -> None:
    """Check If-Match and If-None-Match against the current object. Raises PreconditionFailedError, NoSuchKeyError."""
    if conditions:
        current = reader.objects.find_current(target.bucket.bucket_id, object_key)
        conditions.check(object_key, None if current is None else etag_of(target.keys, target.bucket.account_id, current))


def place_version(
    tx: Writer, target: Target, version: ObjectVersion, body: bytes | None, conditions: WriteConditions
) -> ObjectVersion:
    """Make `version` the newest of its key, as the bucket's versioning says; return it as it was stored.

    Raises PreconditionFailedError, NoSuchKeyError (If-Match without an object), NoSuchBucketError, InvalidRequestError (locked in
    a bucket that locks nothing).
    """
    bucket = bucket_now(tx, target)
    check_write(tx, target, version.object_key, conditions)
    version = with_lock(version, object_lock_now(tx, target), target.guard.reference_ms)
    if bucket.versioning is Versioning.ENABLED:
        return tx.objects.insert(version, body)
    _drop_null_version(tx, target, bucket, version.object_key)
    return tx.objects.insert(replace(version, is_null=True), body)


def _drop_null_version(tx: Writer, target: Target, bucket: Bucket, object_key: str) -> ObjectVersion | None:
    if bucket.versioning is Versioning.UNVERSIONED:
        # A bucket that never was versioned holds nothing but null versions, and each is current.
        old = tx.objects.find_current(bucket.bucket_id, object_key)
    else:
        old = tx.objects.find_version(bucket.bucket_id, object_key, None)
    if old is not None:
        remove_version(tx, target, old)
        reach("overwrite.before_commit")
    return old


def remove_version(tx: Writer, target: Target, version: ObjectVersion) -> None:
    """Remove a version and release what it owns. Raises AccessDeniedError if it is locked: nothing else removes one."""
    target.guard.check_removal(version)
    body = tx.inline_body(version.body_id) if version.storage is Storage.PARTS else None
    tx.objects.remove(version, blobs_of(target, version, body))


def delete_current(tx: Writer, target: Target, marker: ObjectVersion, conditions: DeleteConditions) -> Deleted:
    """Delete a key without naming a version: put `marker` on top, or remove the null version where nothing is versioned.

    Raises PreconditionFailedError, NoSuchKeyError (If-Match without an object), NoSuchBucketError, AccessDeniedError (locked).
    """
    bucket = bucket_now(tx, target)
    if conditions:
        rows = tx.objects.scan_versions(bucket.bucket_id, marker.object_key, None, behind(marker.object_key), 1)
        _check_delete(target, rows[0] if rows else None, conditions, NoSuchKeyError(fields={"Key": marker.object_key}))
    if bucket.versioning is Versioning.UNVERSIONED:
        return Deleted(_drop_null_version(tx, target, bucket, marker.object_key))
    if bucket.versioning is Versioning.SUSPENDED:
        _drop_null_version(tx, target, bucket, marker.object_key)
        marker = replace(marker, is_null=True)
    return Deleted(tx.objects.insert(marker, None), made_marker=True)


def delete_version(
    tx: Writer, target: Target, object_key: str, version_id: bytes | None, conditions: DeleteConditions
) -> Deleted:
    """Delete one version or marker for good; a version that is not there counts as deleted.

    Raises PreconditionFailedError, NoSuchVersionError (If-Match without it), NoSuchBucketError, AccessDeniedError (locked).
    """
    bucket = bucket_now(tx, target)
    version = tx.objects.find_version(bucket.bucket_id, object_key, version_id)
    if conditions:
        _check_delete(target, version, conditions, NoSuchVersionError(fields={"Key": object_key}))
    if version is not None:
        remove_version(tx, target, version)
    return Deleted(version)


def _check_delete(target: Target, version: ObjectVersion | None, conditions: DeleteConditions, missing: S3Error) -> None:
    # A marker is no object, but its key is known: S3 tells the two apart (User Guide, "How to perform conditional deletes").
    if version is None:
        conditions.check_absent(missing)
    elif version.is_marker:
        conditions.check_absent(PreconditionFailedError(fields={"Condition": "If-Match"}))
    else:
        etag = etag_of(target.keys, target.bucket.account_id, version)
        conditions.check(etag, version.size_bytes, version.modified_at_ms)


def version_or_raise(version: ObjectVersion | None, object_key: str, version_text: str) -> ObjectVersion:
    """Return the version. Raises NoSuchVersionError if there is none."""
    if version is None:
        raise NoSuchVersionError(fields={"Key": object_key, "VersionId": version_text})
    return version
