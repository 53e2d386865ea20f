"""Copying: the source is opened and sealed anew for its destination. No ciphertext is ever shared between two objects."""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from siegel.s3wire.body import BodyFacts
from siegel.s3wire.checksums import Algorithm, Buffer, new_hasher
from siegel.service.bodies import payload_of
from siegel.service.get import Getter
from siegel.service.opened import Opened


class OpenedBody:
    """A stored object, or a range of it, as a body to be sealed again; its digests are computed on the way."""

    def __init__(self, getter: Getter, opened: Opened, start: int, stop: int, algorithm: Algorithm) -> None:
        self.size_bytes = stop - start
        self._pieces = getter.stream(opened, start, stop)
        self._algorithm = algorithm
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hasher = new_hasher(algorithm)
        self._size = 0

    async def slabs(self) -> AsyncGenerator[list[bytes], None]:
        """Yield the plaintext. Raises SealBrokenError, StorageError."""
        async with aclosing(self._pieces) as pieces:
            async for piece in pieces:
                # Whoever seals it may keep it for longer than until the next.
                yield [bytes(piece)]

    async def payload(self) -> list[Buffer]:
        """Return all of the plaintext. Raises what `slabs` raises."""
        return await payload_of(self)

    def feed(self, piece: bytes) -> Sequence[Buffer]:
        """Count the digests."""
        self._md5.update(piece)
        self._hasher.update(piece)
        self._size += len(piece)
        return (piece,)

    def finish(self) -> BodyFacts:
        """Return the digests of the whole."""
        return BodyFacts(
            size_bytes=self._size,
            md5=self._md5.digest(),
            checksum_algorithm=self._algorithm,
            checksum=self._hasher.digest(),
            is_declared=False,
        )
