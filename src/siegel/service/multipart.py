"""Multipart uploads: a version whose body arrives in parts, and becomes visible at once when they are complete.

The version's id and data key are fixed when the upload is created, so each part is sealed for its final place; completing moves
no data. A finished upload is remembered for a day, so that a repeated Complete gives the same answer.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.entry import Entries
from siegel.domain.errors import (
    BadDigestError,
    EntityTooLargeError,
    EntityTooSmallError,
    InvalidPartError,
    InvalidRequestError,
    NoSuchUploadError,
    S3Error,
)
from siegel.domain.faultpoints import reach
from siegel.domain.limits import OBJECT_BYTES_MAX, PAGE_ENTRIES_MAX, PART_BYTES_MIN, PART_NUMBER_MAX
from siegel.domain.objects import Bucket, CompletedUpload, ObjectVersion, Part, SealingMode, Storage, Upload
from siegel.domain.pages import ListedPart, PartPage
from siegel.domain.ports import Clock, MetaStore, Randomness, Writer
from siegel.envelope.context import Place
from siegel.envelope.record import RecordKey
from siegel.s3wire.checksums import Algorithm, ChecksumType, combine, composite, encode_digest
from siegel.s3wire.conditions import WriteConditions
from siegel.s3wire.xml_read import CompletedPart
from siegel.service.asker import Asker
from siegel.service.bodies import Body, Sealer, Segment
from siegel.service.heads import (
    Head,
    LayoutPart,
    PartHead,
    UploadHead,
    join_layout,
    open_head,
    open_part_head,
    open_upload_head,
    seal_head,
    seal_layout,
    seal_part_checksums,
    seal_part_head,
    seal_tags,
    seal_upload_head,
)
from siegel.service.keys import ID_BYTES, KeyRing
from siegel.service.kms.custody import Protection
from siegel.service.objectkeys import ObjectKeys, Unwrapped
from siegel.service.put import PutRequest, Stored, check_lock
from siegel.service.versions import Target, bucket_now, check_write, place_version

_UPLOAD_ID_TIME_BYTES: Final = 6
_UPLOAD_ID_RANDOM_BYTES: Final = 18


class ChecksumChoice(Struct, frozen=True):
    """The checksum that an upload was created with; `declared` tells whether the client asked for it."""

    algorithm: Algorithm
    type: ChecksumType
    declared: bool


class CompleteRequest(Struct, frozen=True):
    """What a Complete asks for: parts in ascending order of their numbers.

    `checksum` (its algorithm and text), `checksum_type` and `size_bytes` are what the client expects of the whole object, if it
    says so.
    """

    parts: list[CompletedPart]
    conditions: WriteConditions
    checksum: tuple[Algorithm, str] | None
    checksum_type: str
    size_bytes: int | None

    def digest(self) -> bytes:
        """Return what tells this request from another on the same upload."""
        asked = [(part.part_number, part.etag) for part in self.parts]
        return hashlib.sha256(msgspec.msgpack.encode(asked)).digest()


class OpenUpload(Struct, frozen=True):
    """An upload whose head is open; `unwrapped` where its keys are needed: for parts, and with the key service always."""

    upload: Upload
    head: UploadHead
    part_key: RecordKey
    unwrapped: Unwrapped | None

    @property
    def checksum(self) -> ChecksumChoice:
        """The checksum that the upload's parts have."""
        head = self.head.head
        return ChecksumChoice(
            algorithm=Algorithm(head.checksum_algorithm),
            type=ChecksumType(head.checksum_type),
            declared=bool(self.upload.checksum_algorithm),
        )

    @property
    def protection(self) -> Protection | None:
        """The key of the key service that the object will be sealed under, None where it is under none."""
        return None if self.unwrapped is None else self.unwrapped.protection


class _Found(Struct, frozen=True):
    """A part of an upload with its head open."""

    part: Part
    head: PartHead


class Multipart:
    """The use cases of multipart uploads."""

    def __init__(  # noqa: PLR0917 - the parts that uploads need, one by one
        self,
        store: MetaStore,
        keyring: KeyRing,
        object_keys: ObjectKeys,
        sealer: Sealer,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._uploads = store.reader.uploads
        self._keyring = keyring
        self._object_keys = object_keys
        self._sealer = sealer
        self._clock = clock
        self._randomness = randomness

    async def create(self, target: Target, request: PutRequest, checksum: ChecksumChoice, entry: Callable[[], Entries]) -> Upload:
        """Begin an upload.

        Raises NoSuchBucketError, InvalidRequestError and InvalidArgumentError for a lock, what the key service raises of its key,
        StorageError.
        """
        check_lock(target, request.lock)
        draft = await self._object_keys.draft(target.keys, target.bucket, request.object_key, request.asker, request.protection)
        head = Head(
            etag="",
            checksum_algorithm=checksum.algorithm,
            checksum_type=checksum.type,
            checksum="",
            headers=request.headers,
        )
        is_customers = draft.mode is SealingMode.SSE_C
        # Whoever completes an upload under a key of the key service may use that key: then the head can do without the bucket's.
        key = draft.head_key(target.keys) if draft.mode is SealingMode.SSE_KMS else target.keys.metadata
        upload_head = UploadHead(head=head, head_key=draft.head_secret if is_customers else b"")
        now_ms = self._clock.now_ms()
        upload = Upload(
            upload_id=self._upload_id(now_ms),
            bucket_id=target.bucket.bucket_id,
            object_key=request.object_key,
            version_id=draft.place.version_id,
            initiated_at_ms=now_ms,
            mode=draft.mode,
            wrapped_key=draft.wrapped_key,
            sealed_head=seal_upload_head(key, draft.place, upload_head, draft.head_nonce),
            sealed_tags=seal_tags(target.keys.metadata, draft.place, request.tags, draft.tags_nonce),
            checksum_algorithm=checksum.algorithm if checksum.declared else "",
            checksum_type=checksum.type if checksum.declared else "",
            lock=request.lock.lock,
            retain_until_ms=request.lock.retain_until_ms,
        )

        def change(tx: Writer) -> Upload:
            bucket_now(tx, target)
            tx.uploads.insert(upload)
            return upload

        return await self._store.write(change, entry())

    def _upload_id(self, at_ms: int) -> str:
        """Return an id that nobody guesses, and that sorts by its time: the uploads of a key are listed in that order."""
        return (at_ms.to_bytes(_UPLOAD_ID_TIME_BYTES) + self._randomness.bytes(_UPLOAD_ID_RANDOM_BYTES)).hex()

    def find(self, bucket: Bucket, object_key: str, upload_id: str) -> Upload:
        """Return an upload in progress. Raises NoSuchUploadError, also where it belongs to another bucket or key."""
        upload = self._uploads.find(upload_id)
        if upload is None or upload.bucket_id != bucket.bucket_id or upload.object_key != object_key:
            raise NoSuchUploadError(fields={"UploadId": upload_id})
        return upload

    async def open(self, target: Target, upload: Upload, asker: Asker, *, for_part: bool = False) -> OpenUpload:
        """Open an upload, `for_part` with what seals its parts. Raises what `ObjectKeys.unwrap` raises."""
        place, unwrapped = _place(target, upload), None
        is_kept = upload.mode is SealingMode.SSE_KMS
        if for_part or is_kept:
            unwrapped = await self._object_keys.unwrap(target.keys, target.bucket, place, upload, asker)
        if unwrapped is not None and is_kept:
            head = open_upload_head(unwrapped.head_key, place, upload.sealed_head)
            return OpenUpload(upload, head, unwrapped.head_key, unwrapped)
        head = open_upload_head(target.keys.metadata, place, upload.sealed_head)
        return OpenUpload(upload, head, RecordKey(head.head_key) if head.head_key else target.keys.metadata, unwrapped)

    async def put_part(
        self,
        target: Target,
        opened: OpenUpload,
        part_number: int,
        body: Body,
        entry: Entries,
    ) -> tuple[Part, PartHead]:
        """Store a part of an upload that was opened for it; one of the same number is replaced.

        Raises what checking the body raises, NoSuchUploadError if the upload ended meanwhile, StorageError.
        """
        upload, unwrapped = opened.upload, opened.unwrapped
        assert unwrapped is not None  # noqa: S101  (it was opened for this)
        place = _place(target, upload)
        data_id, salt = self._keyring.fresh_segment()
        segment = Segment(place=place, data_key=unwrapped.data_key, data_id=data_id, salt=salt, part_number=part_number)
        sealed = await self._sealer.seal(segment, body, may_inline=False)
        try:
            facts = sealed.facts
            random_etag = upload.mode is not SealingMode.SSE_S3
            etag = self._randomness.bytes(ID_BYTES).hex() if random_etag else facts.md5.hex()
            head = PartHead(etag=etag, checksum=facts.checksum)
            place_in_layout = LayoutPart(part_number, facts.size_bytes, data_id)
            part = Part(
                upload_id=upload.upload_id,
                part_number=part_number,
                size_bytes=facts.size_bytes,
                modified_at_ms=self._clock.now_ms(),
                data_id=data_id,
                sealed_head=seal_part_head(opened.part_key, place, place_in_layout, head, self._keyring.nonce()),
            )

            def change(tx: Writer) -> None:
                require_upload(tx, upload.upload_id)
                tx.uploads.put_part(part)

            reach("part.before_commit")
            await self._store.write(change, entry)
        except S3Error:
            # Refused. Whatever else it was may turn out to be committed, by a crash that replays it: then the body must be there.
            await self._sealer.discard(segment, sealed)
            raise
        return part, head

    def _open_parts(self, target: Target, opened: OpenUpload, after: int, limit: int) -> list[_Found]:
        upload, place, key = opened.upload, _place(target, opened.upload), opened.part_key
        found: list[_Found] = []
        for part in self._uploads.parts(upload.upload_id, after, limit):
            place_in_layout = LayoutPart(part.part_number, part.size_bytes, part.data_id)
            found.append(_Found(part, open_part_head(key, place, place_in_layout, part.sealed_head)))
        return found

    def parts(self, target: Target, opened: OpenUpload, after: int, limit: int) -> PartPage:
        """Return a page of an upload's parts."""
        limit = min(limit, PAGE_ENTRIES_MAX)
        found = self._open_parts(target, opened, after, limit + 1)
        page = [
            ListedPart(
                part_number=item.part.part_number,
                size_bytes=item.part.size_bytes,
                modified_at_ms=item.part.modified_at_ms,
                etag=item.head.etag,
                checksum=encode_digest(item.head.checksum) if opened.upload.checksum_algorithm else "",
            )
            for item in found[:limit]
        ]
        is_truncated = len(found) > limit > 0
        return PartPage(parts=page, is_truncated=is_truncated, next_part_number=page[-1].part_number if page else 0, part_count=0)

    async def abort(self, upload: Upload, entry: Entries) -> None:
        """End an upload and drop its parts. Raises NoSuchUploadError if another request ended it first."""

        def change(tx: Writer) -> None:
            require_upload(tx, upload.upload_id)
            tx.uploads.abort(upload.upload_id)

        await self._store.write(change, entry)

    async def completed(self, target: Target, object_key: str, upload_id: str, request: CompleteRequest, asker: Asker) -> Stored:
        """Return what an upload became that the same Complete has finished before.

        Raises NoSuchUploadError, what `ObjectKeys.unwrap` raises.

        The head of an object under its customer's key (SSE-C) stays closed: of it only the ETag is told.
        """
        done = self._uploads.find_completed(upload_id)
        missing = NoSuchUploadError(fields={"UploadId": upload_id})
        if done is None or (done.bucket_id, done.object_key) != (target.bucket.bucket_id, object_key):
            raise missing
        if done.request_digest != request.digest():
            raise missing
        objects = self._store.reader.objects
        version = objects.find_version(done.bucket_id, object_key, done.version_id)
        if version is None:
            version = objects.find_version(done.bucket_id, object_key, None)
        if version is None or version.version_id != done.version_id:
            raise missing
        if version.mode is SealingMode.SSE_C:
            return Stored(version, Head(etag=version.etag, checksum_algorithm="", checksum_type="", checksum="", headers=()))
        place = Place(target.bucket.account_id, version.bucket_id, version.object_key, version.version_id)
        unwrapped = await self._object_keys.unwrap(target.keys, target.bucket, place, version, asker)
        return Stored(version, open_head(unwrapped.head_key, place, version), unwrapped.protection)

    async def complete(
        self, target: Target, opened: OpenUpload, request: CompleteRequest, entry: Callable[[Stored], Entries]
    ) -> Stored:
        """Make the object of the parts that the request names, in its order.

        Raises InvalidPartError, EntityTooSmallError, EntityTooLargeError, BadDigestError,
        InvalidRequestError, PreconditionFailedError, NoSuchUploadError (it ended meanwhile), StorageError.
        """
        upload = opened.upload
        check_write(self._store.reader, target, upload.object_key, request.conditions)
        chosen = self._choose(target, opened, request)
        stored, body = self._assemble(target, opened, request, chosen)
        done = CompletedUpload(
            upload_id=upload.upload_id,
            bucket_id=upload.bucket_id,
            object_key=upload.object_key,
            version_id=upload.version_id,
            completed_at_ms=stored.version.modified_at_ms,
            request_digest=request.digest(),
        )
        keep = [item.part.part_number for item in chosen]
        data_ids = [item.part.data_id for item in chosen]

        def change(tx: Writer) -> Stored:
            require_upload(tx, upload.upload_id)
            numbers = set(keep)
            now = [p.data_id for p in tx.uploads.parts(upload.upload_id, 0, PART_NUMBER_MAX) if p.part_number in numbers]
            if now != data_ids:
                raise InvalidPartError("A part was replaced while the upload was being completed.")
            placed = place_version(tx, target, stored.version, body, request.conditions)
            tx.uploads.complete(done, keep)
            return Stored(placed, stored.head, stored.protection)

        reach("complete.before_commit")
        return await self._store.write(change, entry)

    def _choose(self, target: Target, opened: OpenUpload, request: CompleteRequest) -> list[_Found]:
        found = {item.part.part_number: item for item in self._open_parts(target, opened, 0, PART_NUMBER_MAX)}
        chosen: list[_Found] = []
        for asked in request.parts:
            item = found.get(asked.part_number)
            if item is None or asked.etag != item.head.etag or not _same_checksum(asked, item):
                # Another request may have ended the upload since it was found, and its parts went with it.
                self.find(target.bucket, opened.upload.object_key, opened.upload.upload_id)
                raise InvalidPartError(fields={"PartNumber": str(asked.part_number), "ETag": asked.etag})
            chosen.append(item)
        for item in chosen[:-1]:
            if item.part.size_bytes < PART_BYTES_MIN:
                raise EntityTooSmallError(
                    fields={
                        "ProposedSize": str(item.part.size_bytes),
                        "MinSizeAllowed": str(PART_BYTES_MIN),
                        "PartNumber": str(item.part.part_number),
                        "ETag": item.head.etag,
                    }
                )
        return chosen

    def _assemble(
        self, target: Target, opened: OpenUpload, request: CompleteRequest, chosen: Sequence[_Found]
    ) -> tuple[Stored, bytes]:
        upload, key = opened.upload, opened.part_key
        place = _place(target, upload)
        size_bytes = sum(item.part.size_bytes for item in chosen)
        if size_bytes > OBJECT_BYTES_MAX:
            raise EntityTooLargeError
        if request.size_bytes is not None and request.size_bytes != size_bytes:
            raise InvalidRequestError("The provided 'x-amz-mp-object-size' header does not match what was computed.")
        checksum = _whole_checksum(opened.checksum, chosen)
        _check_expected(request, opened.checksum, checksum)
        head = replace(opened.head.head, etag=self._whole_etag(upload, chosen), checksum=checksum)
        version = ObjectVersion(
            bucket_id=upload.bucket_id,
            object_key=upload.object_key,
            version_id=upload.version_id,
            sequence=0,
            is_null=False,
            is_marker=False,
            size_bytes=size_bytes,
            modified_at_ms=self._clock.now_ms(),
            mode=upload.mode,
            storage=Storage.PARTS,
            part_count=len(chosen),
            data_id=self._randomness.bytes(ID_BYTES),
            body_id=0,
            etag="" if upload.mode is SealingMode.SSE_S3 else head.etag,
            wrapped_key=upload.wrapped_key,
            sealed_head=b"",
            sealed_tags=upload.sealed_tags,
            lock=upload.lock,
            retain_until_ms=upload.retain_until_ms,
        )
        layout = [LayoutPart(item.part.part_number, item.part.size_bytes, item.part.data_id) for item in chosen]
        checksums = [encode_digest(item.head.checksum) for item in chosen] if upload.checksum_algorithm else []
        body = join_layout(
            seal_layout(target.keys.metadata, place, layout, self._keyring.nonce()),
            seal_part_checksums(key, place, checksums, self._keyring.nonce()),
        )
        sealed_head = seal_head(key, place, version, head, self._keyring.nonce())
        return Stored(replace(version, sealed_head=sealed_head), head, opened.protection), body

    def _whole_etag(self, upload: Upload, chosen: Sequence[_Found]) -> str:
        if upload.mode is not SealingMode.SSE_S3:
            return f"{self._randomness.bytes(ID_BYTES).hex()}-{len(chosen)}"
        joined = b"".join(bytes.fromhex(item.head.etag) for item in chosen)
        return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(chosen)}"


def require_upload(tx: Writer, upload_id: str) -> None:
    """Raise NoSuchUploadError unless the upload is still in progress."""
    if tx.uploads.find(upload_id) is None:
        raise NoSuchUploadError(fields={"UploadId": upload_id})


def _place(target: Target, upload: Upload) -> Place:
    return Place(target.bucket.account_id, upload.bucket_id, upload.object_key, upload.version_id)


def _same_checksum(asked: CompletedPart, item: _Found) -> bool:
    return asked.checksum is None or asked.checksum == item.head.checksum


def _check_expected(request: CompleteRequest, choice: ChecksumChoice, checksum: str) -> None:
    """Compare an object's checksum with what the request expects. Raises InvalidRequestError, BadDigestError."""
    if request.checksum_type not in {"", *ChecksumType}:
        raise InvalidRequestError("Value for x-amz-checksum-type header is invalid.")
    if request.checksum_type not in {"", choice.type}:
        raise BadDigestError(
            f"The upload was created using the {choice.type} checksum mode. The complete request must use the same checksum mode."
        )
    if request.checksum is None:
        return
    algorithm, text = request.checksum
    if algorithm is not choice.algorithm:
        if not choice.declared:
            # The upload was created for no checksum in particular: there is nothing of this one to compare with.
            return
        raise InvalidRequestError(
            f"Checksum Type mismatch occurred, expected checksum Type: {choice.algorithm.lower()}, "
            f"actual checksum Type: {algorithm.lower()}"
        )
    # The number of parts may be left out of a checksum of checksums. One that is there must be right.
    if text not in {checksum, checksum.partition("-")[0]}:
        raise BadDigestError("The checksum of the whole object did not match what was computed of its parts.")


def _whole_checksum(choice: ChecksumChoice, chosen: Sequence[_Found]) -> str:
    if choice.type is ChecksumType.COMPOSITE:
        digest = composite(choice.algorithm, [item.head.checksum for item in chosen])
        return f"{encode_digest(digest)}-{len(chosen)}"
    return encode_digest(combine(choice.algorithm, [(item.head.checksum, item.part.size_bytes) for item in chosen]))
