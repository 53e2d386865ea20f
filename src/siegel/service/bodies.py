"""Sealing a body as it arrives: into memory up to the inline limit, else into a blob, with flat memory either way.

A body is a source of raw slabs that are checked (frames, checksums, length) before their plaintext is sealed. Work on large slabs
leaves the event loop; while one slab is checked, sealed and written, the next one is received.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Protocol

from msgspec import Struct

from siegel.domain.limits import INLINE_BYTES_MAX
from siegel.domain.objects import Storage
from siegel.domain.ports import BlobStore, BlobWriter
from siegel.envelope.context import Place
from siegel.envelope.segment import SegmentSealer, seal_segment
from siegel.s3wire.body import BodyFacts
from siegel.s3wire.checksums import Buffer


class Body(Protocol):
    """A body on its way in. `size_bytes` is what it announces; `finish` raises unless it kept its word."""

    size_bytes: int

    def slabs(self) -> AsyncGenerator[list[bytes], None]:
        """Yield the raw bytes, as pieces that together are worth a trip off the event loop."""
        ...

    async def payload(self) -> list[Buffer]:
        """Return the checked plaintext of all slabs, for a body that is small."""
        ...

    def feed(self, piece: bytes) -> Sequence[Buffer]:
        """Check a piece and return its plaintext. May run off the event loop, one piece at a time."""
        ...

    def finish(self) -> BodyFacts:
        """Check what only the end can tell, and return what is known of the whole."""
        ...


async def payload_of(body: Body) -> list[Buffer]:
    """Return the checked plaintext of all slabs of a body."""
    payload: list[Buffer] = []
    async with aclosing(body.slabs()) as slabs:
        async for slab in slabs:
            for piece in slab:
                payload += body.feed(piece)
    return payload


class Segment(Struct, frozen=True):
    """Where a body is to be sealed: the identity and key of one segment."""

    place: Place
    data_key: bytes
    data_id: bytes
    salt: bytes
    part_number: int


class SealedBody(Struct, frozen=True):
    """A body at rest: `inline` holds it where `storage` is INLINE; a BLOB is durable under the segment's data id."""

    storage: Storage
    inline: bytes | None
    facts: BodyFacts


class Sealer:
    """Seals bodies into memory or into the blob store."""

    def __init__(self, blobs: BlobStore, executor: Executor) -> None:
        self._blobs = blobs
        self._executor = executor

    async def seal(self, segment: Segment, body: Body, *, may_inline: bool) -> SealedBody:
        """Seal `body` and return it at rest; nothing of it is left behind if it fails."""
        if may_inline and body.size_bytes <= INLINE_BYTES_MAX:
            return await self._seal_inline(segment, body)
        loop = asyncio.get_running_loop()
        writer = await loop.run_in_executor(self._executor, self._blobs.create, segment.data_id)
        try:
            facts = await self._seal_blob(segment, body, writer)
        except BaseException:
            await asyncio.shield(loop.run_in_executor(self._executor, writer.abandon))
            raise
        return SealedBody(storage=Storage.BLOB, inline=None, facts=facts)

    async def discard(self, segment: Segment, sealed: SealedBody) -> None:
        """Remove a sealed body that was refused its place; of those that are left behind by anything else, the steward does."""
        if sealed.storage is Storage.BLOB:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._blobs.remove, segment.data_id)

    @staticmethod
    async def _seal_inline(segment: Segment, body: Body) -> SealedBody:
        pieces = await body.payload()
        facts = body.finish()
        plaintext = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        sealed = seal_segment(
            segment.data_key,
            segment.place,
            segment.data_id,
            segment.part_number,
            salt=segment.salt,
            plaintext=plaintext,
        )
        return SealedBody(storage=Storage.INLINE, inline=sealed, facts=facts)

    async def _seal_blob(self, segment: Segment, body: Body, writer: BlobWriter) -> BodyFacts:
        loop = asyncio.get_running_loop()
        sealer = SegmentSealer(segment.data_key, segment.place, segment.data_id, segment.part_number, segment.salt)

        def seal_slab(slab: list[bytes]) -> None:
            for piece in slab:
                for plaintext in body.feed(piece):
                    sealed = sealer.seal(plaintext)
                    if sealed:
                        writer.write(sealed)

        def seal_end() -> BodyFacts:
            facts = body.finish()
            writer.write(sealer.finish())
            writer.commit()
            return facts

        writer.write(sealer.header)
        working: asyncio.Future[None] | None = None
        try:
            async with aclosing(body.slabs()) as slabs:
                async for slab in slabs:
                    if working is not None:
                        await working
                    working = loop.run_in_executor(self._executor, seal_slab, slab)
        finally:
            # The thread must be done with the writer before anyone abandons it.
            if working is not None:
                await asyncio.wait([working])
        if working is not None:
            working.result()
        return await loop.run_in_executor(self._executor, seal_end)
