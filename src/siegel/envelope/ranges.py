"""Where plaintext lies in a sealed segment. All figures are bytes unless they say chunks.

A segment is an 88-byte header, then chunks of 16 KiB plaintext sealed to 16,400 bytes; the last chunk is always shorter than
16 KiB and may be empty, so every size has exactly one form (C2SP chunked-encryption, "Message chunking").
"""

from typing import Final

from msgspec import Struct

from siegel.envelope.record import TAG_BYTES

CHUNK_BYTES: Final = 16 * 1024
SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES
PREAMBLE_BYTES: Final = 32
SALT_BYTES: Final = 24
COMMITMENT_BYTES: Final = 32
HEADER_BYTES: Final = PREAMBLE_BYTES + SALT_BYTES + COMMITMENT_BYTES
# C2SP chunked-encryption: no message has more chunks.
CHUNKS_MAX: Final = 1 << 38


class Span(Struct, frozen=True):
    """The chunks that hold a range: read `sealed_length` bytes at `sealed_offset`, open them from `first_chunk` on.

    They open to `plain_length` bytes; the range begins `skip_bytes` into them.
    """

    first_chunk: int
    chunk_count: int
    sealed_offset: int
    sealed_length: int
    plain_length: int
    skip_bytes: int


def sealed_size(plain_size: int) -> int:
    """Return the size of the segment that seals `plain_size` bytes."""
    return HEADER_BYTES + plain_size + (plain_size // CHUNK_BYTES + 1) * TAG_BYTES


def chunk_span(start: int, stop: int, plain_size: int) -> Span:
    """Return the chunks that hold plaintext bytes `start` up to, not including, `stop`.

    A range that ends with the plaintext takes in the last chunk even where that one is empty: the end is authenticated too.
    Raises ValueError unless 0 <= start <= stop <= plain_size.
    """
    if not 0 <= start <= stop <= plain_size:
        raise ValueError("a range lies outside of its plaintext")
    first = start // CHUNK_BYTES
    last = stop // CHUNK_BYTES if stop == plain_size else max(start, stop - 1) // CHUNK_BYTES
    count = last - first + 1
    plain_length = min((last + 1) * CHUNK_BYTES, plain_size) - first * CHUNK_BYTES
    return Span(
        first_chunk=first,
        chunk_count=count,
        sealed_offset=HEADER_BYTES + first * SEALED_CHUNK_BYTES,
        sealed_length=plain_length + count * TAG_BYTES,
        plain_length=plain_length,
        skip_bytes=start - first * CHUNK_BYTES,
    )
