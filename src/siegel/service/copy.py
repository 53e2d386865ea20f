"""Copying: the source is opened and sealed anew for its destination. No ciphertext is ever shared between two objects."""

import hashlib
from collections.abc import AsyncIterator, Sequence

from siegel.s3wire.body import BodyFacts
from siegel.s3wire.checksums import Algorithm, new_hasher
from siegel.service.bodies import Buffer
from siegel.service.get import Getter, Opened


class OpenedBody:
    """A stored object, or a range of it, as a body to be sealed again; its digests are computed on the way."""

    def __init__(self, getter: Getter, opened: Opened, start: int, stop: int, algorithm: Algorithm) -> None:
        self.size_bytes = stop - start
        self._source = getter.stream(opened, start, stop)
        self._algorithm = algorithm
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hasher = new_hasher(algorithm)
        self._size = 0

    def slabs(self) -> AsyncIterator[bytes]:
        """Yield the plaintext. Raises SealBrokenError, StorageError."""
        return self._source

    def feed(self, slab: bytes) -> Sequence[Buffer]:
        """Count the digests."""
        self._md5.update(slab)
        self._hasher.update(slab)
        self._size += len(slab)
        return (slab,)

    def finish(self) -> BodyFacts:
        """Return the digests of the whole."""
        return BodyFacts(
            size_bytes=self._size,
            md5=self._md5.digest(),
            checksum_algorithm=self._algorithm,
            checksum=self._hasher.digest(),
            is_declared=False,
        )
