"""Sealing: a stream of plaintext becomes a header and a segment, in constant memory."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final

from siegel.customer.sealing.header import OBJECT_ID_BYTES, build_header
from siegel.customer.sealing.keyfile import KeyFile, Recipient
from siegel.customer.sealing.manifest import SEQUENCE_MAX, SIZE_BYTES_MAX, Manifest
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import Keybox, box_context, wrap, wrap_for_box
from siegel.customer.sealing.refusals import SealingError
from siegel.customer.sealing.seen import Sighting
from siegel.envelope.derive import KEY_BYTES
from siegel.envelope.ranges import CHUNK_BYTES, SALT_BYTES
from siegel.envelope.ranges import sealed_size as segment_size
from siegel.envelope.record import NONCE_BYTES
from siegel.envelope.segment import SegmentSealer

# Small enough for a processor's cache, large enough that the loop costs little.
PIECE_BYTES: Final = 256 * 1024

Piece = bytes | memoryview


class SealedStream:
    """The sealed form of one stream. Iterate once; each piece is valid until the next one is asked for."""

    def __init__(self, source: BinaryIO, manifest: Manifest, header: bytes, digest: bytes, sealer: SegmentSealer) -> None:
        """Take what `seal_stream` made."""
        self.manifest = manifest
        self.digest = digest
        self.sealed_size_bytes = len(header) + segment_size(manifest.size_bytes)
        self._source = source
        self._header = header
        self._sealer = sealer

    @property
    def sighting(self) -> Sighting:
        """Return what a reader remembers of this object, to be noted once it is stored."""
        return Sighting(self.manifest.sequence, self.digest)

    def __iter__(self) -> Iterator[Piece]:
        """Yield header, chunks, last chunk. Raises SealingError if the source is not as long as was said: then discard all."""
        yield self._header + self._sealer.header
        piece = memoryview(bytearray(PIECE_BYTES))
        left = self.manifest.size_bytes
        while left:
            count = _fill(self._source, piece[: min(left, PIECE_BYTES)])
            if not count:
                raise SealingError("the source ended before the size that it was said to have")
            left -= count
            yield self._sealer.seal(piece[:count])
        if self._source.read(1):
            raise SealingError("the source is longer than it was said to be: it grew meanwhile")
        yield self._sealer.finish()


def seal_stream(
    source: BinaryIO,
    size_bytes: int,
    place: ObjectPlace,
    *,
    sealer: KeyFile | None,
    recipients: Sequence[Recipient],
    box: Keybox | None = None,
    sealer_opens: bool = True,
    name: str | None = None,
    last: Sighting | None = None,
    random: Callable[[int], bytes] = os.urandom,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> SealedStream:
    """Prepare to seal `size_bytes` of `source` for `place`.

    `sealer` signs, and can open the object too unless `sealer_opens` is False; without one the object is unsigned. A `box` that
    is given can open it: then it is asked for a key. `last` is what is remembered of the place
    (`Seen.last`), so that the new object counts as newer. Raises SealingError: nobody to seal for, or a size beyond
    the format; KeyServerError.
    """
    if not 0 <= size_bytes <= SIZE_BYTES_MAX:
        raise SealingError("no object can have this size")
    if name is not None and not name.isprintable():
        raise SealingError("the name of the file holds characters that cannot be shown\ntry: another name")
    at_ms = now_ms()
    sequence = max(at_ms, last.sequence + 1) if last else at_ms
    if sequence > SEQUENCE_MAX:
        raise SealingError("the object that was last seen here has the highest number there is")
    manifest = Manifest(
        account_id=place.account_id,
        bucket=place.bucket,
        object_key=place.object_key,
        size_bytes=size_bytes,
        chunk_bytes=CHUNK_BYTES,
        sequence=sequence,
        sealed_at_ms=at_ms,
        name=name,
        previous=last.digest.hex() if last else None,
        sealer=sealer.sealer.hex() if sealer else None,
    )
    data_key, object_id = random(KEY_BYTES), random(OBJECT_ID_BYTES)
    segment = SegmentSealer(data_key, place.context(object_id), object_id, 0, random(SALT_BYTES))
    own = [sealer.recipient] if sealer and sealer_opens else []
    everyone = {one.kem_bytes: one for one in [*own, *recipients]}
    stanzas = [wrap(data_key, one, object_id) for one in everyone.values()]
    if box is not None:
        made = box.fresh_key(box_context(place, object_id, sequence))
        stanzas.append(wrap_for_box(data_key, made, object_id, sequence))
    header, digest = build_header(
        manifest, data_key, object_id, stanzas, segment.header, nonce=random(NONCE_BYTES), sealer=sealer
    )
    return SealedStream(source, manifest, header, digest, segment)


def _fill(source: BinaryIO, room: memoryview) -> int:
    """Read into `room` until it is full or the source ends; return the bytes read."""
    filled = 0
    while filled < len(room):
        count = source.readinto(room[filled:])  # type: ignore[attr-defined] # every binary stream has it; typing.BinaryIO lacks it
        if not count:
            break
        filled += count
    return filled
