"""The sealed body: one segment per body or part, read and written in chunks, never held whole.

    offset  size  field
    0       7     "SIEGELS"
    7       1     version of this format, 0x01
    8       1     suite: 1 = Cobblestone-256
    9       1     mode: 0 = sealed by the service
    10      4     part number, big-endian; 0 for a body that is no part
    14      2     zero
    16      16    data id, random
    32      24    salt, random
    56      32    commitment
    88      ...   chunks: 16 KiB each under AES-256-GCM, the last one shorter than 16 KiB, maybe empty

From offset 32 on this is C2SP chunked-encryption (c2sp.org/chunked-encryption) with SHA-512 and AEAD_AES_256_GCM:

    key || base nonce || commitment = HKDF-Expand-SHA-512(data key,
        "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM" || 0x00 || salt || context)

with the context of `context.py` (account, bucket id, object key, version id, suite, part number, data id). Chunk k is sealed
under the base nonce XOR k, and rests at offset 88 + k * 16400. The plaintext's size is authenticated by whoever keeps it
(the metadata): it is an argument when opening, and a segment of any other length does not open.
"""

import hmac
from collections.abc import Sequence
from struct import Struct as Layout
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from siegel.domain.errors import SealBrokenError
from siegel.envelope.context import Place, Purpose, encode_context
from siegel.envelope.derive import KEY_BYTES, expand
from siegel.envelope.ranges import (
    CHUNK_BYTES,
    CHUNKS_MAX,
    COMMITMENT_BYTES,
    HEADER_BYTES,
    PREAMBLE_BYTES,
    SALT_BYTES,
    SEALED_CHUNK_BYTES,
    sealed_size,
)
from siegel.envelope.record import NONCE_BYTES, TAG_BYTES

Bytes = bytes | bytearray | memoryview

DATA_ID_BYTES: Final = 16

_MAGIC: Final = b"SIEGELS\x01"
_SUITE: Final = 1
_MODE: Final = 0
_PREAMBLE: Final = Layout(">8sBBIH16s")
_DETAIL: Final = Layout(">BI16s")
_INFO: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
_COMMITMENT_AT: Final = PREAMBLE_BYTES + SALT_BYTES
# What is derived for a segment: key, base nonce, commitment.
_NONCE_STOP: Final = KEY_BYTES + NONCE_BYTES
_DERIVED_BYTES: Final = _NONCE_STOP + COMMITMENT_BYTES
_NO_CHUNKS: Final = memoryview(b"")
_NO_ROOM: Final = memoryview(bytearray())


def _derive(data_key: bytes, place: Place, data_id: bytes, part_number: int, salt: bytes) -> bytes:
    info = _INFO + salt + encode_context(Purpose.SEGMENT, place, _DETAIL.pack(_SUITE, part_number, data_id))
    return expand(data_key, info, _DERIVED_BYTES)


class _ChunkKeys:
    """What opens and seals the chunks of one segment."""

    __slots__ = ("base_nonce", "cipher", "commitment")

    def __init__(self, data_key: bytes, place: Place, data_id: bytes, part_number: int, salt: bytes) -> None:
        derived = _derive(data_key, place, data_id, part_number, salt)
        self.cipher = AESGCM(derived[:KEY_BYTES])
        self.base_nonce = int.from_bytes(derived[KEY_BYTES:_NONCE_STOP], "big")
        self.commitment = derived[_NONCE_STOP:]

    def nonce(self, chunk: int) -> bytes:
        return (self.base_nonce ^ chunk).to_bytes(NONCE_BYTES, "big")


class SegmentSealer:
    """Seals one segment as its plaintext arrives. Every instance needs a fresh random `salt` (24 bytes) and serves once.

    Write `header`, then what each `seal` returns, then what `finish` returns. Raises ValueError for arguments of a wrong size.
    """

    __slots__ = ("_chunk", "_keys", "_output", "_pending", "_pending_size", "header")

    def __init__(self, data_key: bytes, place: Place, data_id: bytes, part_number: int, salt: bytes) -> None:
        _check_sizes(data_key, data_id, salt)
        keys = _ChunkKeys(data_key, place, data_id, part_number, salt)
        self.header: bytes = _preamble(data_id, part_number) + salt + keys.commitment
        self._keys: _ChunkKeys | None = keys
        self._chunk = 0
        self._pending = bytearray(CHUNK_BYTES)
        self._pending_size = 0
        self._output = bytearray()

    def seal(self, data: Bytes) -> memoryview:
        """Take plaintext; return the chunks that are complete by now, whole and sealed.

        The view is valid until the next `seal`: its buffer is used again. What does not fill a chunk is kept back.
        """
        view = memoryview(data)
        pending = self._pending_size
        total = pending + len(view)
        count = total // CHUNK_BYTES
        keys = self._usable(count)
        if not count:
            self._pending[pending:total] = view
            self._pending_size = total
            return _NO_CHUNKS
        output = self._room_for(count)
        taken = 0
        if pending:
            taken = CHUNK_BYTES - pending
            self._pending[pending:] = view[:taken]
            self._seal_chunks(keys, memoryview(self._pending), output)
            output = output[SEALED_CHUNK_BYTES:]
        rest = total % CHUNK_BYTES
        self._seal_chunks(keys, view[taken : len(view) - rest], output)
        self._pending[:rest] = view[len(view) - rest :]
        self._pending_size = rest
        return memoryview(self._output)[: count * SEALED_CHUNK_BYTES]

    def finish(self) -> bytes:
        """Return the last chunk, which is shorter than the others and maybe empty. The sealer cannot be used again."""
        keys = self._usable(1)
        self._keys = None
        return keys.cipher.encrypt(keys.nonce(self._chunk), memoryview(self._pending)[: self._pending_size], None)

    def _seal_chunks(self, keys: _ChunkKeys, plain: memoryview, sealed: memoryview) -> None:
        """Seal whole chunks; the counter moves on before each one, so that a nonce never serves twice, come what may."""
        encrypt_into, nonce = keys.cipher.encrypt_into, keys.nonce
        at = 0
        for start in range(0, len(plain), CHUNK_BYTES):
            chunk = self._chunk
            self._chunk = chunk + 1
            end = at + SEALED_CHUNK_BYTES
            encrypt_into(nonce(chunk), plain[start : start + CHUNK_BYTES], None, sealed[at:end])
            at = end

    def _usable(self, more_chunks: int) -> _ChunkKeys:
        """Return the keys for `more_chunks`; a finished sealer has none, or its last nonce could serve twice."""
        if self._keys is None:
            raise ValueError("a segment that is finished takes no more data")
        if self._chunk + more_chunks > CHUNKS_MAX:
            raise ValueError("a segment cannot have more chunks")
        return self._keys

    def _room_for(self, chunks: int) -> memoryview:
        """Return a view of the output buffer, which only ever grows to the largest piece that came in."""
        if len(self._output) < chunks * SEALED_CHUNK_BYTES:
            self._output = bytearray(chunks * SEALED_CHUNK_BYTES)
        return memoryview(self._output)[: chunks * SEALED_CHUNK_BYTES]


class SegmentOpener:
    """Opens chunks of one segment, in any order, after checking that it is the segment that is asked for.

    `header` is its first 88 bytes, `plain_size` what the metadata says of its plaintext, `stored_size` the bytes there are.
    Raises SealBrokenError if any of them, or the key or the place, is not the one it was sealed with.
    """

    __slots__ = ("_base_nonce", "_cipher", "_last_chunk", "_plain_size")

    def __init__(
        self,
        data_key: bytes,
        place: Place,
        data_id: bytes,
        part_number: int,
        *,
        header: Bytes,
        plain_size: int,
        stored_size: int,
    ) -> None:
        if stored_size != sealed_size(plain_size):
            raise SealBrokenError("a segment is shorter or longer than it was sealed")
        derived = _checked(data_key, place, data_id, part_number, bytes(header))
        self._cipher = AESGCM(derived[:KEY_BYTES])
        self._base_nonce = int.from_bytes(derived[KEY_BYTES:_NONCE_STOP], "big")
        self._plain_size = plain_size
        self._last_chunk = plain_size // CHUNK_BYTES

    def open_into(self, first_chunk: int, sealed: memoryview, output: memoryview) -> int:
        """Open consecutive whole chunks from `first_chunk` on into `output`; see `open_chunks`."""
        return self.open_chunks(first_chunk, sealed_views(sealed), plain_views(output))

    def open_chunks(self, first_chunk: int, sealed: Sequence[memoryview], output: Sequence[memoryview]) -> int:
        """Open consecutive whole chunks from `first_chunk` on, each into a view of its own; return the bytes of plaintext.

        Raises SealBrokenError if a chunk does not open or is cut short; then `output` is blank again. Raises ValueError if
        `output` is too small for what `sealed` holds.
        """
        count = len(sealed)
        last_bytes = len(sealed[-1]) if count else 0
        size = self._plain_length(first_chunk, count, last_bytes)
        rooms = [*output[:count], _NO_ROOM][:count]
        rooms[-1] = rooms[-1][: last_bytes - TAG_BYTES]
        if len(rooms) < count or len(rooms[-1]) != last_bytes - TAG_BYTES:
            raise ValueError("no room for the plaintext")
        decrypt_into, base_nonce = self._cipher.decrypt_into, self._base_nonce
        chunk = first_chunk
        # Written out rather than called: at this size of chunk every microsecond of the loop shows in large downloads.
        try:
            for piece, room in zip(sealed, rooms, strict=True):
                decrypt_into((base_nonce ^ chunk).to_bytes(NONCE_BYTES, "big"), piece, None, room)
                chunk += 1
        except InvalidTag:
            for room in rooms:
                room[:] = bytes(len(room))
            raise SealBrokenError(f"chunk {chunk} of a segment does not open") from None
        return size

    def _plain_length(self, first_chunk: int, count: int, last_bytes: int) -> int:
        """Return what the chunks open to. Only the last chunk may be short, and it must have exactly its own length."""
        stop = first_chunk + count
        size = min(stop * CHUNK_BYTES, self._plain_size) - first_chunk * CHUNK_BYTES
        is_within = first_chunk >= 0 and 0 < count <= self._last_chunk + 1 - first_chunk
        if not is_within or last_bytes - TAG_BYTES != size - (count - 1) * CHUNK_BYTES:
            raise SealBrokenError("chunks of a segment are missing or cut short")
        return size


def sealed_views(sealed: memoryview) -> list[memoryview]:
    """Return a view of each sealed chunk in a buffer."""
    return [sealed[at : at + SEALED_CHUNK_BYTES] for at in range(0, len(sealed), SEALED_CHUNK_BYTES)]


def plain_views(plain: memoryview) -> list[memoryview]:
    """Return a view of the room for each chunk's plaintext in a buffer."""
    return [plain[at : at + CHUNK_BYTES] for at in range(0, len(plain), CHUNK_BYTES)]


def seal_segment(data_key: bytes, place: Place, data_id: bytes, part_number: int, *, salt: bytes, plaintext: Bytes) -> bytes:
    """Seal a small body in one go: the same bytes as `SegmentSealer` gives. `salt`: 24 random bytes, fresh for every segment."""
    _check_sizes(data_key, data_id, salt)
    keys = _ChunkKeys(data_key, place, data_id, part_number, salt)
    parts = [_preamble(data_id, part_number), salt, keys.commitment]
    plain = memoryview(plaintext)
    parts += [
        keys.cipher.encrypt(keys.nonce(chunk), plain[chunk * CHUNK_BYTES : (chunk + 1) * CHUNK_BYTES], None)
        for chunk in range(len(plain) // CHUNK_BYTES + 1)
    ]
    return b"".join(parts)


class SmallSegment:
    """The keys of one small segment, whose length and header were checked: to open it more than once, and derive them once."""

    __slots__ = ("_base_nonce", "_key", "_size")

    def __init__(
        self, data_key: bytes, place: Place, data_id: bytes, part_number: int, *, sealed: Bytes, plain_size: int
    ) -> None:
        """Check `sealed`; `plain_size` is what the metadata says. Raises SealBrokenError."""
        if len(sealed) != sealed_size(plain_size):
            raise SealBrokenError("a segment is shorter or longer than it was sealed")
        derived = _checked(data_key, place, data_id, part_number, bytes(sealed[:HEADER_BYTES]))
        # The key, not the cipher: that takes half as much memory as a small body, and is made in less than two microseconds.
        self._key = derived[:KEY_BYTES]
        self._base_nonce = derived[KEY_BYTES:_NONCE_STOP]
        self._size = len(sealed)

    def open(self, sealed: Bytes) -> bytes:
        """Return the plaintext of the segment, each chunk of it authenticated. Raises SealBrokenError."""
        if len(sealed) != self._size:
            raise SealBrokenError("a segment is shorter or longer than it was sealed")
        view, decrypt = memoryview(sealed), AESGCM(self._key).decrypt
        try:
            if self._size < HEADER_BYTES + SEALED_CHUNK_BYTES:
                return decrypt(self._base_nonce, view[HEADER_BYTES:], None)
            base_nonce = int.from_bytes(self._base_nonce, "big")
            return b"".join(
                [
                    decrypt((base_nonce ^ chunk).to_bytes(NONCE_BYTES, "big"), view[start : start + SEALED_CHUNK_BYTES], None)
                    for chunk, start in enumerate(range(HEADER_BYTES, self._size, SEALED_CHUNK_BYTES))
                ]
            )
        except InvalidTag:
            raise SealBrokenError("a segment does not open") from None


def _preamble(data_id: bytes, part_number: int) -> bytes:
    return _PREAMBLE.pack(_MAGIC, _SUITE, _MODE, part_number, 0, data_id)


def _check_sizes(data_key: bytes, data_id: bytes, salt: bytes) -> None:
    if len(data_key) != KEY_BYTES or len(data_id) != DATA_ID_BYTES or len(salt) != SALT_BYTES:
        raise ValueError("a data key has 32 bytes, a data id 16, a salt 24")


def _checked(data_key: bytes, place: Place, data_id: bytes, part_number: int, header: bytes) -> bytes:
    """Return what is derived for the segment of `header`, or raise SealBrokenError: only the very one asked for will do."""
    if len(data_key) != KEY_BYTES or len(header) != HEADER_BYTES or header[:PREAMBLE_BYTES] != _preamble(data_id, part_number):
        raise SealBrokenError("not the segment that was asked for, or of an unknown version")
    derived = _derive(data_key, place, data_id, part_number, header[PREAMBLE_BYTES:_COMMITMENT_AT])
    if not hmac.compare_digest(derived[_NONCE_STOP:], header[_COMMITMENT_AT:]):
        raise SealBrokenError("a segment was sealed with another key or for another place")
    return derived
