"""Buckets: create, list, configure, delete."""

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.configuration import OwnershipControls, PublicAccessBlock, Tagging
from siegel.domain.entry import Entry
from siegel.domain.errors import (
    BucketAlreadyExistsError,
    BucketAlreadyOwnedByYouError,
    BucketNotEmptyError,
    IllegalLocationConstraintError,
    InvalidBucketNameError,
    InvalidBucketStateError,
    TooManyBucketsError,
)
from siegel.domain.limits import BUCKETS_PER_ACCOUNT_MAX
from siegel.domain.objects import Bucket, Versioning
from siegel.domain.ports import Clock, MetaStore, Writer
from siegel.domain.records import Kind, bucket_scope
from siegel.domain.retention import ObjectLock
from siegel.service.configurations import store_document
from siegel.service.versions import Target, bucket_now, object_lock_now

# Amazon S3 User Guide, "General purpose bucket naming rules".
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP_ADDRESS: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
# A label between two periods is not empty, and neither begins nor ends with a hyphen.
_PAIRS_REFUSED: Final = ("..", ".-", "-.")
_PREFIXES_REFUSED: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES_REFUSED: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_bucket_name(name: str) -> None:
    """Raise InvalidBucketNameError unless `name` can name a bucket."""
    good = (
        _NAME.fullmatch(name) is not None
        and not any(pair in name for pair in _PAIRS_REFUSED)
        and _IP_ADDRESS.fullmatch(name) is None
        and not name.startswith(_PREFIXES_REFUSED)
        and not name.endswith(_SUFFIXES_REFUSED)
    )
    if not good:
        raise InvalidBucketNameError(fields={"BucketName": name})


class BucketWish(Struct, frozen=True):
    """What a client wants of a new bucket. `location` is the region, if it names one; `object_lock`: versions can be locked."""

    location: str | None = None
    tagging: Tagging | None = None
    object_lock: bool = False


class Buckets:
    """The use cases of buckets."""

    def __init__(self, store: MetaStore, clock: Clock, region: str) -> None:
        self._store = store
        self._clock = clock
        self._region = region

    def list_of(self, account_id: str, prefix: str, after: str, limit: int) -> list[Bucket]:
        """Return up to `limit` of an account's buckets by name, behind `after`."""
        return self._store.reader.buckets.list_of(account_id, prefix, after, limit)

    async def create(self, account_id: str, name: str, wish: BucketWish, entry: Entry) -> Bucket:
        """Create a bucket in this deployment's region. One whose versions can be locked keeps versions.

        It blocks public access and leaves its owner all objects, from its first moment on.
        Raises InvalidBucketNameError, IllegalLocationConstraintError, BucketAlreadyOwnedByYouError, BucketAlreadyExistsError,
        TooManyBucketsError.
        """
        check_bucket_name(name)
        if wish.location not in {None, self._region}:
            raise IllegalLocationConstraintError(
                f"The {wish.location} location constraint is incompatible for the region specific endpoint this request was "
                f"sent to: this one is {self._region}."
            )
        bucket = Bucket(
            bucket_id=0,
            name=name,
            account_id=account_id,
            region=self._region,
            created_at_ms=self._clock.now_ms(),
            versioning=Versioning.ENABLED if wish.object_lock else Versioning.UNVERSIONED,
        )

        def change(tx: Writer) -> Bucket:
            taken = tx.buckets.find(name)
            if taken is not None:
                error = BucketAlreadyOwnedByYouError if taken.account_id == account_id else BucketAlreadyExistsError
                raise error(fields={"BucketName": name})
            if len(tx.buckets.list_of(account_id, "", "", BUCKETS_PER_ACCOUNT_MAX)) >= BUCKETS_PER_ACCOUNT_MAX:
                raise TooManyBucketsError
            tx.invalidate()
            made = tx.buckets.insert(bucket)
            store_document(tx, made.bucket_id, Kind.PUBLIC_ACCESS_BLOCK, PublicAccessBlock())
            store_document(tx, made.bucket_id, Kind.OWNERSHIP_CONTROLS, OwnershipControls())
            if wish.tagging is not None:
                store_document(tx, made.bucket_id, Kind.TAGGING, wish.tagging)
            if wish.object_lock:
                store_document(tx, made.bucket_id, Kind.OBJECT_LOCK, ObjectLock())
            return made

        return await self._store.write(change, lambda made: replace(entry, bucket_id=made.bucket_id))

    async def delete(self, target: Target, entry: Entry) -> None:
        """Delete an empty bucket. Raises BucketNotEmptyError, NoSuchBucketError."""

        def change(tx: Writer) -> None:
            bucket = bucket_now(tx, target)
            if not tx.buckets.is_empty(bucket.bucket_id):
                raise BucketNotEmptyError(fields={"BucketName": bucket.name})
            tx.invalidate()
            tx.buckets.remove(bucket.bucket_id)
            tx.records.remove_scope(bucket_scope(bucket.bucket_id))

        await self._store.write(change, entry)

    async def set_versioning(self, target: Target, versioning: Versioning, entry: Entry) -> None:
        """Enable or suspend versioning.

        Raises NoSuchBucketError, InvalidBucketStateError (suspending it where versions can be locked).
        """

        def change(tx: Writer) -> None:
            bucket = bucket_now(tx, target)
            if versioning is not Versioning.ENABLED and object_lock_now(tx, target) is not None:
                raise InvalidBucketStateError(
                    "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
                )
            tx.invalidate()
            tx.buckets.replace(replace(bucket, versioning=versioning))

        await self._store.write(change, entry)
