"""Getting an object: find the version, open its head and data key, then its chunks, each authenticated before it leaves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import MethodNotAllowedError, NoSuchKeyError, SealBrokenError
from siegel.domain.objects import Bucket, ObjectVersion, SealingMode, Storage
from siegel.domain.ports import BlobStore, MetaStore, Objects
from siegel.envelope.context import Place
from siegel.envelope.ranges import CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES, chunk_span
from siegel.envelope.segment import SegmentOpener, plain_views, sealed_views
from siegel.s3wire.dates import format_http_date
from siegel.s3wire.names import decode_version_id
from siegel.service.asker import Asker
from siegel.service.directory import Directory
from siegel.service.heads import LayoutPart, open_head, open_own_head, open_tags, place_of
from siegel.service.keeping import Keeping
from siegel.service.keys import BucketKeys
from siegel.service.objectkeys import ObjectKeys, Unwrapped, split_lease
from siegel.service.opened import Made, Opened, version_text
from siegel.service.recent import Memo, RecentObjects
from siegel.service.rolling import behind
from siegel.service.slabs import Slabs
from siegel.service.versions import version_or_raise

# Chunks read at a time: what was read is still in the processor's cache when it is opened.
READ_CHUNKS: Final = 16

# Of heads that are kept open outside the bounded memory; larger ones are opened anew each time.
_HEAD_KEPT_BYTES_MAX: Final = 1024

Piece = bytes | bytearray
"""A piece of plaintext; one that is a bytearray is valid until the next is asked for."""


class _Made(Struct, frozen=True):
    """What the keys of a layer have opened of a version, without a lease; it stands for this reading of the version's row."""

    memo: Memo
    opened: Opened

    def stands(self, bucket: Bucket, keys: BucketKeys, memo: Memo) -> bool:
        """Tell whether it is what opening the version would give again."""
        return self.memo is memo and self.opened.keys is keys and self.opened.bucket is bucket

    def __repr__(self) -> str:
        """Show nothing of the keys."""
        return "_Made()"


def find_object(
    objects: Objects, bucket: Bucket, object_key: str, version_id: str | None, *, with_body: bool = False
) -> ObjectVersion:
    """Return the current version (`version_id` None) or the one named by its text form. Markers are refused.

    Raises NoSuchKeyError, NoSuchVersionError, MethodNotAllowedError (a marker by its id), InvalidArgumentError.
    """
    if version_id is None:
        version = objects.find_current(bucket.bucket_id, object_key, with_body=with_body)
        if version is None:
            raise _no_such_key(objects, bucket, object_key)
        return version
    wanted = decode_version_id(version_id)
    found = objects.find_version(bucket.bucket_id, object_key, wanted, with_body=with_body)
    version = version_or_raise(found, object_key, version_id)
    if version.is_marker:
        headers = {
            "x-amz-delete-marker": "true",
            "x-amz-version-id": version_text(version),
            "last-modified": format_http_date(version.modified_at_ms),
            "allow": "DELETE",
        }
        raise MethodNotAllowedError(fields={"ResourceType": "DeleteMarker"}, headers=headers)
    return version


def _no_such_key(objects: Objects, bucket: Bucket, object_key: str) -> NoSuchKeyError:
    headers = {}
    for newest in objects.scan_versions(bucket.bucket_id, object_key, None, behind(object_key), 1):
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": version_text(newest)}
    return NoSuchKeyError(fields={"Key": object_key}, headers=headers)


class Getter:
    """The use cases GetObject, HeadObject, and the reading side of copies."""

    def __init__(
        self,
        store: MetaStore,
        blobs: BlobStore,
        directory: Directory,
        object_keys: ObjectKeys,
        executor: Executor,
        *,
        keeping: Keeping,
    ) -> None:
        self._objects = store.reader.objects
        self._recent = RecentObjects(store.reader.objects, store.object_changes)
        self._blobs = blobs
        self._directory = directory
        self._object_keys = object_keys
        self._use_again = object_keys.use_again
        self._executor = executor
        self._keeping = keeping
        self._slabs = Slabs()

    def find(self, bucket: Bucket, object_key: str, version_id: str | None, *, with_body: bool = True) -> ObjectVersion:
        """Return a version, with its body where that is asked for; see `find_object`. A current one may come from memory."""
        if version_id is not None:
            return find_object(self._objects, bucket, object_key, version_id, with_body=with_body)
        version = self._recent.find(bucket.bucket_id, object_key, with_body=with_body)
        if version is None:
            raise _no_such_key(self._objects, bucket, object_key)
        return version

    async def open(self, bucket: Bucket, version: ObjectVersion, asker: Asker) -> Opened:
        """Open a version's keys and head. Raises what `ObjectKeys.unwrap` raises."""
        keys = self._directory.keys_of(bucket)
        memo = self._recent.memo(version, bucket.account_id)
        known = memo.opened
        if known is not None and known.keys is keys and known.bucket is bucket and asker.customer_key is None:
            protection = known.unwrapped.protection
            if protection is None or self._use_again(asker, protection, bucket, memo.place):
                return known
            memo.opened = None
        if version.mode is SealingMode.SSE_KMS:
            return self._find_kept(bucket, keys, version, memo, asker) or await self._open_under_key(
                bucket, keys, version, memo, asker
            )
        unwrapped = await self._object_keys.unwrap(keys, bucket, memo.place, version, asker)
        secret = unwrapped.head_secret
        head = open_own_head(secret, memo.place, version) if secret else open_head(keys.metadata, memo.place, version)
        opened = Opened(bucket, version, memo.place, head, unwrapped, keys, Made())
        if version.mode is SealingMode.SSE_S3:
            memo.opened = opened
        return opened

    def _find_kept(self, bucket: Bucket, keys: BucketKeys, version: ObjectVersion, memo: Memo, asker: Asker) -> Opened | None:
        """Return a version that the keys of a layer, which is kept for a while, have opened before; note the use of the key.

        None where that has to be decided, or opened. What lies beside its row is opened whole at once, and needs no lease.
        """
        if version.storage is not Storage.INLINE:
            return None
        kept = self._object_keys.find_kept(bucket, memo.place, memo.wrapped(version), asker)
        if kept is None:
            return None
        layer, use = kept
        known = layer.made
        if not isinstance(known, _Made) or not known.stands(bucket, keys, memo):
            return None
        asker.trail.uses += (use,)
        return known.opened

    async def _open_under_key(self, bucket: Bucket, keys: BucketKeys, version: ObjectVersion, memo: Memo, asker: Asker) -> Opened:
        """Open a version under a key of the key service: that decides on every use, what its layer gave is not opened twice."""
        place, wrapped = memo.place, memo.wrapped(version)
        use, lease = await self._object_keys.lease(bucket, place, wrapped, asker)
        layer = lease.layer
        known = layer.made
        if not isinstance(known, _Made) or not known.stands(bucket, keys, memo):
            data_key, head_secret = split_lease(keys, wrapped, lease)
            head = open_own_head(head_secret, place, version)
            unwrapped = Unwrapped(data_key, keys.metadata, head_secret, use.protection)
            known = _Made(memo, Opened(bucket, version, place, head, unwrapped, keys, Made()))
            if len(version.sealed_head) <= _HEAD_KEPT_BYTES_MAX:
                layer.made = known
        opened = known.opened
        if version.storage is not Storage.INLINE:
            opened = replace(opened, unwrapped=replace(opened.unwrapped, protection=use.protection, lease=lease))
        if lease.is_lasting:
            memo.opened = opened
        return opened

    def tags(self, bucket: Bucket, object_key: str, version_id: str | None) -> tuple[bytes, dict[str, str]]:
        """Return the tags of an object or version, and its id; of neither there is any where there is no such thing.

        Raises SealBrokenError, InvalidArgumentError.
        """
        if version_id is None:
            version = self._recent.find(bucket.bucket_id, object_key, with_body=False)
        else:
            version = self._objects.find_version(bucket.bucket_id, object_key, decode_version_id(version_id))
        if version is None:
            return b"", {}
        keys = self._directory.keys_of(bucket)
        return version.version_id, dict(open_tags(keys.metadata, place_of(bucket.account_id, version), version.sealed_tags))

    @staticmethod
    def is_inline(version: ObjectVersion) -> bool:
        """Whether the body came along with the version."""
        return version.storage is Storage.INLINE

    async def stream(self, opened: Opened, start: int, stop: int) -> AsyncGenerator[Piece, None]:
        """Yield the plaintext of [start, stop) in pieces. Raises SealBrokenError, StorageError instead of a wrong byte.

        A piece is valid until the next one is asked for: large bodies are opened into one buffer, over and over.
        The first piece is opened before anything is yielded, so damage at the front is still an error answer. Close the
        generator (`contextlib.aclosing`) wherever it may not be run to its end: it holds a blob open. It ends with what
        `Lease.check` raises once the object's key may not be used any more.
        """
        if opened.version.storage is Storage.INLINE:
            yield opened.inline_bytes()[start:stop]
            return
        at, parts, due_ms = 0, opened.parts(), self._keeping.due_ms()
        for number, part in enumerate(parts, 1):
            if at >= stop:
                return
            low, high = max(start - at, 0), min(stop - at, part.size_bytes)
            if low < high:
                async with aclosing(self._stream_part(opened, part, low, high)) as pieces:
                    async for piece in pieces:
                        yield piece
                        if self._keeping.is_due(due_ms):
                            due_ms = await self._keeping.go_on([each.data_id for each in parts[number:]])
            at += part.size_bytes

    async def _stream_part(self, opened: Opened, part: LayoutPart, start: int, stop: int) -> AsyncGenerator[Piece, None]:
        loop = asyncio.get_running_loop()
        span = chunk_span(start, stop, part.size_bytes)
        end = span.first_chunk + span.chunk_count
        data_key, lease = opened.unwrapped.data_key, opened.unwrapped.lease
        with self._slabs.share() as slab:
            room = min(slab, span.chunk_count)
            source = await loop.run_in_executor(self._executor, SegmentSource, self._blobs, data_key, opened.place, part, room)
            try:
                skip, left = span.skip_bytes, stop - start
                for chunk in range(span.first_chunk, end, room):
                    if lease is not None and (renewal := lease.check()) is not None:
                        await renewal
                    count = min(room, end - chunk)
                    # What the page cache holds is opened here: a trip off the loop would cost more than the work.
                    plain = source.open_cached(chunk, count)
                    if plain is None:
                        plain = await loop.run_in_executor(self._executor, source.open_chunks, chunk, count)
                    piece = source.piece(plain[skip : skip + left])
                    skip, left = 0, left - len(piece)
                    if piece:
                        yield piece
            finally:
                source.close()


class SegmentSource:
    """One sealed segment in the blob store, opened chunk by chunk into a reused buffer."""

    def __init__(self, blobs: BlobStore, data_key: bytes, place: Place, part: LayoutPart, room: int) -> None:
        """Open the segment, with a buffer for `room` chunks. Blocking.

        Raises SealBrokenError if it is not the one expected, StorageError if it is missing.
        """
        self._reader = blobs.open(part.data_id)
        try:
            self._opener = self._check_header(data_key, place, part)
        except BaseException:
            self._reader.close()
            raise
        self._sealed = memoryview(bytearray(min(room, READ_CHUNKS) * SEALED_CHUNK_BYTES))
        self._buffer = bytearray(room * CHUNK_BYTES)
        self._plain = memoryview(self._buffer)
        # Made once: of large bodies, to cut them anew for each chunk would take a fiftieth of the time.
        self._sealed_views, self._plain_views = sealed_views(self._sealed), plain_views(self._plain)

    def _check_header(self, data_key: bytes, place: Place, part: LayoutPart) -> SegmentOpener:
        header = bytearray(HEADER_BYTES)
        if self._reader.read_into(0, memoryview(header)) != HEADER_BYTES:
            raise SealBrokenError("a blob is shorter than its header")
        return SegmentOpener(
            data_key,
            place,
            part.data_id,
            part.part_number,
            header=header,
            plain_size=part.size_bytes,
            stored_size=self._reader.size_bytes,
        )

    def open_chunks(self, first_chunk: int, count: int) -> memoryview:
        """Open `count` chunks; the plaintext is valid until the next call. Blocking. Raises SealBrokenError, StorageError."""
        plain = self._open(self._reader.read_into, first_chunk, count)
        if plain is None:
            raise SealBrokenError("a blob ends before its last chunk")
        return plain

    def open_cached(self, first_chunk: int, count: int) -> memoryview | None:
        """Like `open_chunks`, but return None where the disk would have to be waited for."""
        return self._open(self._reader.read_cached_into, first_chunk, count)

    def _open(self, read_into: Callable[[int, memoryview], int], first_chunk: int, count: int) -> memoryview | None:
        """Open `count` chunks as `read_into` reads them; None where it does not read them all."""
        size = 0
        for done in range(0, count, READ_CHUNKS):
            chunk = first_chunk + done
            offset = HEADER_BYTES + chunk * SEALED_CHUNK_BYTES
            wanted = min(min(count - done, READ_CHUNKS) * SEALED_CHUNK_BYTES, self._reader.size_bytes - offset)
            room = self._sealed[:wanted]
            if read_into(offset, room) != wanted:
                return None
            views = self._sealed_views if wanted == len(self._sealed) else sealed_views(room)
            size += self._opener.open_chunks(chunk, views, self._plain_views[done:])
        return self._plain[:size]

    def piece(self, plain: memoryview) -> Piece:
        """Return what was opened as the server takes it: it copies, so a full buffer goes out without a copy of our own."""
        return self._buffer if len(plain) == len(self._buffer) else bytes(plain)

    def close(self) -> None:
        """Release the blob."""
        self._reader.close()
