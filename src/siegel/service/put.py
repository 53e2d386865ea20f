"""Putting an object: draft its identity, seal its body, then make it visible in one transaction with its journal entry."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.entry import Entries
from siegel.domain.errors import NoSuchBucketError, S3Error
from siegel.domain.faultpoints import reach
from siegel.domain.objects import Bucket, ObjectVersion, SealingMode
from siegel.domain.ports import Clock, MetaStore, Writer
from siegel.domain.records import Kind
from siegel.domain.retention import NO_LOCK, LockWish, ObjectLock
from siegel.s3wire.checksums import ChecksumType, encode_digest
from siegel.s3wire.conditions import WriteConditions
from siegel.service.asker import Asker
from siegel.service.bodies import Body, SealedBody, Sealer, Segment
from siegel.service.directory import Directory
from siegel.service.heads import Head, seal_head, seal_own_head, seal_tags
from siegel.service.keys import Draft, KeyRing
from siegel.service.kms.custody import Protection
from siegel.service.lockclock import LockTime
from siegel.service.locks import Guard, check_wish, missing_lock
from siegel.service.objectkeys import ObjectKeys
from siegel.service.versions import Target, check_write, place_version


class PutRequest(Struct, frozen=True):
    """What a client wants stored under a key; without a `protection` the account's own key seals it, or the asker's (SSE-C)."""

    object_key: str
    headers: tuple[tuple[bytes, bytes], ...]
    tags: tuple[tuple[str, str], ...]
    asker: Asker
    conditions: WriteConditions
    lock: LockWish = NO_LOCK
    protection: Protection | None = None


class Stored(Struct, frozen=True):
    """A version as it was stored, with its head, and the key of the key service that it is sealed under, if any."""

    version: ObjectVersion
    head: Head
    protection: Protection | None = None


class Putter:
    """The use case PutObject; CopyObject ends in it too."""

    def __init__(  # noqa: PLR0917 - the parts that a put needs, one by one
        self,
        store: MetaStore,
        directory: Directory,
        keyring: KeyRing,
        object_keys: ObjectKeys,
        sealer: Sealer,
        clock: Clock,
        lock_time: LockTime,
    ) -> None:
        self._store = store
        self._directory = directory
        self._keyring = keyring
        self._object_keys = object_keys
        self._sealer = sealer
        self._clock = clock
        self._lock_time = lock_time

    def target(self, bucket: Bucket, *, may_bypass: bool = False) -> Target:
        """Fix the bucket as it is now. `may_bypass`: the caller may end a GOVERNANCE retention, and asks for it.

        `bucket` is how the request found it, which may be long ago: since then its body was on its way. Raises NoSuchBucketError
        if it is gone, also if another has its name.
        """
        directory = self._directory
        # The generation first: what is read behind it is as new or newer, so a transaction that trusts it trusts nothing old.
        generation = directory.generation()
        now = directory.bucket(bucket.name)
        if now.bucket_id != bucket.bucket_id:
            raise NoSuchBucketError(fields={"BucketName": bucket.name})
        return Target(
            bucket=now,
            generation=generation,
            keys=directory.keys_of(now),
            guard=Guard(*self._lock_time.moment(), may_bypass),
            object_lock=directory.document(now, Kind.OBJECT_LOCK, ObjectLock),
        )

    def check_early(self, target: Target, request: PutRequest) -> None:
        """Refuse a condition that already fails, before any of the body is asked for; the transaction checks again."""
        check_lock(target, request.lock)
        check_write(self._store.reader, target, request.object_key, request.conditions)

    async def put(
        self, target: Target, request: PutRequest, body: Body, entry: Callable[[Stored], Entries], *, point: str = "put"
    ) -> Stored:
        """Store the body as the key's newest version; on return it is durable and visible.

        Raises what checking the body raises, what the key service raises of its key, PreconditionFailedError, NoSuchBucketError,
        StorageError: then nothing is visible.
        """
        self.check_early(target, request)
        bucket = target.bucket
        draft = await self._object_keys.draft(target.keys, bucket, request.object_key, request.asker, request.protection)
        segment = Segment(place=draft.place, data_key=draft.data_key, data_id=draft.data_id, salt=draft.salt, part_number=0)
        sealed = await self._sealer.seal(segment, body, may_inline=True)
        try:
            stored = self._assemble(target, request, draft, sealed)
            reach(f"{point}.before_commit")

            def change(tx: Writer) -> Stored:
                placed = place_version(tx, target, stored.version, sealed.inline, request.conditions)
                return Stored(placed, stored.head, request.protection)

            return await self._store.write(change, entry)
        except S3Error:
            # Refused. Whatever else it was may turn out to be committed, by a crash that replays it: then the body must be there.
            await self._sealer.discard(segment, sealed)
            raise

    def _assemble(self, target: Target, request: PutRequest, draft: Draft, sealed: SealedBody) -> Stored:
        facts = sealed.facts
        # The ETag of an object that only its customer's key opens must not tell its MD5 (design D10).
        random_etag = draft.mode is not SealingMode.SSE_S3
        etag = draft.random_etag if random_etag else facts.md5.hex()
        head = Head(
            etag=etag,
            checksum_algorithm=facts.checksum_algorithm,
            checksum_type=ChecksumType.FULL_OBJECT,
            checksum=encode_digest(facts.checksum),
            headers=request.headers,
        )
        version = ObjectVersion(
            bucket_id=draft.place.bucket_id,
            object_key=request.object_key,
            version_id=draft.place.version_id,
            sequence=0,
            is_null=False,
            is_marker=False,
            size_bytes=facts.size_bytes,
            modified_at_ms=self._clock.now_ms(),
            mode=draft.mode,
            storage=sealed.storage,
            part_count=0,
            data_id=draft.data_id,
            body_id=0,
            etag=etag if random_etag else "",
            wrapped_key=draft.wrapped_key,
            sealed_head=b"",
            sealed_tags=seal_tags(target.keys.metadata, draft.place, request.tags, draft.tags_nonce),
            lock=request.lock.lock,
            retain_until_ms=request.lock.retain_until_ms,
        )
        place, secret, nonce = draft.place, draft.head_secret, draft.head_nonce
        if secret:
            sealed_head = seal_own_head(secret, place, version, head, nonce)
        else:
            sealed_head = seal_head(target.keys.metadata, place, version, head, nonce)
        return Stored(replace(version, sealed_head=sealed_head), head)


def check_lock(target: Target, wish: LockWish) -> None:
    """Raise InvalidRequestError if a write wants a lock where there is none, InvalidArgumentError for an end in the past."""
    if wish and target.object_lock is None:
        raise missing_lock()
    check_wish(wish, target.guard.reference_ms)
