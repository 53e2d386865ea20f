"""Plaintext out of ranges of a sealed object: the reader that opens chunks, and the file that programs read."""

import io
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from typing import Final, Protocol

from msgspec import Struct

from siegel.customer.sealing.manifest import Manifest
from siegel.customer.sealing.refusals import BodyChangedError, WrongLengthError
from siegel.customer.sealing.threads import Threads
from siegel.domain.errors import SealBrokenError
from siegel.envelope.ranges import CHUNK_BYTES, SEALED_CHUNK_BYTES, Span, chunk_span
from siegel.envelope.segment import SegmentOpener

# What is opened at once: it still lies in the processor's cache when the next step wants it.
_CHUNKS_AT_ONCE: Final = 16
# What a sequential reader asks the source for by one read; of those, as many are under way as the source takes at once.
AHEAD_BYTES: Final = 4 * 1024 * 1024
# Its chunks when it begins and ends within one.
_ROOM_BYTES: Final = (AHEAD_BYTES // CHUNK_BYTES + 2) * SEALED_CHUNK_BYTES


class Source(Protocol):
    """Where sealed bytes come from: a file, or an object in a store."""

    @property
    def size_bytes(self) -> int:
        """Return how many bytes there are."""

    @property
    def reads_at_once(self) -> int:
        """Return how many threads may read at once; at least 1."""

    def read_into(self, offset: int, room: memoryview) -> int:
        """Fill `room` with the bytes from `offset` on; return how many came: fewer only where the source ends or fails."""


class _Read(Struct):
    """A read of the source that is under way."""

    fetched: Future[None]
    span: Span
    room: memoryview
    length: int


class SealedReader:
    """Opens ranges of one object. Its buffers are used again: one reader serves one thread."""

    def __init__(self, source: Source, opener: SegmentOpener, manifest: Manifest, body_at: int) -> None:
        """Take the source, and what its authentic header said."""
        self.manifest = manifest
        self._source = source
        self._opener = opener
        self._body_at = body_at
        self._sealed = bytearray()
        self._plain = memoryview(bytearray(_CHUNKS_AT_ONCE * CHUNK_BYTES))

    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        """Yield the plaintext from `start` up to `stop` by one read of the source; each piece is valid until the next.

        A range that ends with the plaintext authenticates the object's end too. Raises BodyChangedError, WrongLengthError.
        """
        span = chunk_span(start, stop, self.manifest.size_bytes)
        if len(self._sealed) < span.sealed_length:
            self._sealed = bytearray(span.sealed_length)
        sealed = memoryview(self._sealed)[: span.sealed_length]
        self._fetch(span, sealed)
        yield from self._open(span, sealed, stop - start)

    def stream(self, start: int, stop: int) -> Generator[memoryview, None, None]:
        """Yield the same as `pieces` by reads of constant size, however long the range is; several at once, if the source can.

        Who closes it waits for the reads that are under way; who throws KeyboardInterrupt or SystemExit into it does not.
        """
        if stop - start > AHEAD_BYTES and self._source.reads_at_once > 1:
            yield from self._stream_ahead(start, stop)
            return
        while True:
            step = min(stop, start + AHEAD_BYTES)
            yield from self.pieces(start, step)
            start = step
            if start >= stop:
                return

    def _stream_ahead(self, start: int, stop: int) -> Iterator[memoryview]:
        under_way: deque[_Read] = deque()
        spare: list[memoryview] = []
        with Threads(self._source.reads_at_once) as threads:
            for first in range(start, stop, AHEAD_BYTES):
                if len(under_way) == self._source.reads_at_once:
                    yield from self._finished(under_way.popleft(), spare)
                last = min(stop, first + AHEAD_BYTES)
                span = chunk_span(first, last, self.manifest.size_bytes)
                room = spare.pop() if spare else memoryview(bytearray(_ROOM_BYTES))
                fetched = threads.submit(self._fetch, span, room[: span.sealed_length])
                under_way.append(_Read(fetched, span, room, last - first))
            while under_way:
                yield from self._finished(under_way.popleft(), spare)

    def _finished(self, read: _Read, spare: list[memoryview]) -> Iterator[memoryview]:
        read.fetched.result()
        yield from self._open(read.span, read.room[: read.span.sealed_length], read.length)
        spare.append(read.room)

    def _fetch(self, span: Span, room: memoryview) -> None:
        if self._source.read_into(self._body_at + span.sealed_offset, room) != span.sealed_length:
            raise WrongLengthError("the store gave less than the object has")

    def _open(self, span: Span, sealed: memoryview, left: int) -> Iterator[memoryview]:
        chunk, skip = span.first_chunk, span.skip_bytes
        for at in range(0, len(sealed), _CHUNKS_AT_ONCE * SEALED_CHUNK_BYTES):
            try:
                size = self._opener.open_into(chunk, sealed[at : at + _CHUNKS_AT_ONCE * SEALED_CHUNK_BYTES], self._plain)
            except SealBrokenError as error:
                raise BodyChangedError(f"the body was changed: {error}") from None
            take = min(size - skip, left)
            yield self._plain[skip : skip + take]
            chunk, skip, left = chunk + _CHUNKS_AT_ONCE, 0, left - take


class SealedFile(io.RawIOBase):
    """A sealed object as a read-only, seekable binary file. `io.BufferedReader(file, n)` reads ahead by n bytes.

    `digest` is the SHA-256 of the authentic header.
    """

    def __init__(self, reader: SealedReader, digest: bytes) -> None:
        """Take the reader of an object whose header was opened."""
        super().__init__()
        self.reader = reader
        self.digest = digest
        self._at = 0

    @property
    def manifest(self) -> Manifest:
        """Return what the sealer said of the object."""
        return self.reader.manifest

    @property
    def size_bytes(self) -> int:
        """Return the size of the plaintext."""
        return self.manifest.size_bytes

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the plaintext."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position in the plaintext; positions beyond the end read nothing. Raises ValueError."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}.get(whence)
        if start is None or start + offset < 0:
            raise ValueError("no such position")
        self._at = start + offset
        return self._at

    def readall(self) -> bytes:
        """Return everything from the position on: by large reads, not by the small ones that Python would do."""
        rest = bytearray()
        if self._at < self.size_bytes:
            for piece in self.reader.stream(self._at, self.size_bytes):
                rest += piece
        self._at += len(rest)
        return bytes(rest)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # the buffer protocol has no name in Python 3.11
        """Fill `buffer` from the position on; return the bytes read, 0 at the end."""
        room = memoryview(buffer).cast("B")
        stop = min(self._at + len(room), self.size_bytes)
        filled = 0
        if stop > self._at:
            for piece in self.reader.pieces(self._at, stop):
                room[filled : filled + len(piece)] = piece
                filled += len(piece)
        self._at += filled
        return filled
