"""The ten checksums of S3: computing, combining, and their forms on the wire.

A checksum is kept as the raw digest, big-endian for the CRCs and XXHash as S3 sends them, and travels as base64. That of a
multipart object is either FULL_OBJECT (of all its bytes, combined from those of the parts) or COMPOSITE (of the parts' digests,
written with the number of parts behind it: `...=-3`).

Source: Amazon S3 User Guide, "Checking object integrity"; the S3 service model of botocore.
"""

import hashlib
import zlib
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final, Protocol

from awscrt.checksums import (  # type: ignore[import-untyped]  # the package has hints, but does not say so
    XXHash,
    combine_crc32,
    combine_crc32c,
    combine_crc64nvme,
    crc32c,
    crc64nvme,
)
from msgspec import Struct

from siegel.domain.errors import InvalidRequestError

Buffer = bytes | bytearray | memoryview

HEADER_PREFIX: Final = "x-amz-checksum-"


class Algorithm(StrEnum):
    """A checksum algorithm, by its name in the S3 API."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    CRC64NVME = "CRC64NVME"
    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"
    MD5 = "MD5"
    XXHASH64 = "XXHASH64"
    XXHASH3 = "XXHASH3"
    XXHASH128 = "XXHASH128"

    @property
    def header(self) -> str:
        """The request and response header that carries a value, in lower case."""
        return HEADER_PREFIX + self.value.lower()

    @property
    def element(self) -> str:
        """The XML element that carries a value."""
        return "Checksum" + self.value

    @property
    def digest_bytes(self) -> int:
        """The size of a digest."""
        return DIGEST_BYTES[self]


class ChecksumType(StrEnum):
    """What the checksum of a multipart object is made of. Objects put in one piece are always FULL_OBJECT."""

    FULL_OBJECT = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


class Hasher(Protocol):
    """A running checksum."""

    def update(self, data: Buffer, /) -> None:
        """Add `data`."""
        ...

    def digest(self) -> bytes:
        """Return the checksum of everything added so far."""
        ...


class Checksum(Struct, frozen=True):
    """A checksum as an object keeps it and its answers show it. `part_count` is set for COMPOSITE only."""

    algorithm: Algorithm
    digest: bytes
    type: ChecksumType = ChecksumType.FULL_OBJECT
    part_count: int = 0

    @property
    def text(self) -> str:
        """The form on the wire: base64, and `-N` for a composite of N parts."""
        text = encode_digest(self.digest)
        return f"{text}-{self.part_count}" if self.part_count else text

    def to_headers(self) -> dict[str, str]:
        """Return the two response headers that show the checksum."""
        return {self.algorithm.header: self.text, "x-amz-checksum-type": self.type.value}


DIGEST_BYTES: Final = {
    Algorithm.CRC32: 4,
    Algorithm.CRC32C: 4,
    Algorithm.CRC64NVME: 8,
    Algorithm.SHA1: 20,
    Algorithm.SHA256: 32,
    Algorithm.SHA512: 64,
    Algorithm.MD5: 16,
    Algorithm.XXHASH64: 8,
    Algorithm.XXHASH3: 8,
    Algorithm.XXHASH128: 16,
}

BY_HEADER: Final = {algorithm.header: algorithm for algorithm in Algorithm}
BY_ELEMENT: Final = {algorithm.element: algorithm for algorithm in Algorithm}

# Of a multipart object. The first one is what an upload gets that names no type.
ALLOWED_TYPES: Final = {
    algorithm: (
        (ChecksumType.FULL_OBJECT,)
        if algorithm is Algorithm.CRC64NVME
        else (ChecksumType.COMPOSITE, ChecksumType.FULL_OBJECT)
        if algorithm in (Algorithm.CRC32, Algorithm.CRC32C)
        else (ChecksumType.COMPOSITE,)
    )
    for algorithm in Algorithm
}

_COMBINE: Final[dict[Algorithm, Callable[[int, int, int], int]]] = {
    Algorithm.CRC32: combine_crc32,
    Algorithm.CRC32C: combine_crc32c,
    Algorithm.CRC64NVME: combine_crc64nvme,
}


class _Crc:
    """A running CRC over a function that takes the value so far."""

    __slots__ = ("_size", "_step", "_value")

    def __init__(self, step: Callable[[Buffer, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """A running XXHash. The library takes `bytes` alone, so other buffers are copied."""

    __slots__ = ("_state",)

    def __init__(self, state: XXHash) -> None:
        self._state = state

    def update(self, data: Buffer, /) -> None:
        self._state.update(data if type(data) is bytes else bytes(data))

    def digest(self) -> bytes:
        return bytes(self._state.finalize())


# zlib's CRC32 is twice as fast as awscrt's where there is no AVX-512, and lets other threads run.
_HASHERS: Final[dict[Algorithm, Callable[[], Hasher]]] = {
    Algorithm.CRC32: lambda: _Crc(zlib.crc32, 4),
    Algorithm.CRC32C: lambda: _Crc(crc32c, 4),
    Algorithm.CRC64NVME: lambda: _Crc(crc64nvme, 8),
    Algorithm.SHA1: lambda: hashlib.sha1(usedforsecurity=False),
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA512: hashlib.sha512,
    Algorithm.MD5: lambda: hashlib.md5(usedforsecurity=False),
    Algorithm.XXHASH64: lambda: _XxHash(XXHash.new_xxhash64()),
    Algorithm.XXHASH3: lambda: _XxHash(XXHash.new_xxhash3_64()),
    Algorithm.XXHASH128: lambda: _XxHash(XXHash.new_xxhash3_128()),
}


def new_hasher(algorithm: Algorithm) -> Hasher:
    """Start a checksum."""
    return _HASHERS[algorithm]()


def parse_algorithm(name: str, header: str) -> Algorithm:
    """Return the algorithm of that name in any case. Raises InvalidRequestError, naming `header`."""
    try:
        return Algorithm(name.strip().upper())
    except ValueError:
        known = ", ".join(Algorithm)
        raise InvalidRequestError(f"Value for {header} header is invalid; the checksum algorithms are {known}.") from None


def choose_type(algorithm: Algorithm, name: str | None) -> ChecksumType:
    """Return the type that a multipart upload's checksum has, `name` being what the client asked for.

    Raises InvalidRequestError for an unknown type, or one that the algorithm cannot have.
    """
    allowed = ALLOWED_TYPES[algorithm]
    if name is None:
        return allowed[0]
    for choice in allowed:
        if choice == name.upper():
            return choice
    raise InvalidRequestError(f"The {name} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.")


def encode_digest(digest: bytes) -> str:
    """Return the base64 form."""
    return b64encode(digest).decode("ascii")


def decode_digest(text: str, size: int) -> bytes | None:
    """Return the digest of `size` bytes that `text` is the one base64 form of, or None if it is not."""
    try:
        digest = a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        return None
    return digest if len(digest) == size and encode_digest(digest) == text else None


def parse_digest(algorithm: Algorithm, text: str) -> bytes:
    """Return the digest of a header's or element's text. Raises InvalidRequestError if it is malformed."""
    digest = decode_digest(text, DIGEST_BYTES[algorithm])
    if digest is None:
        raise InvalidRequestError(f"Value for {algorithm.header} header is invalid.")
    return digest


def parse_object_checksum(algorithm: Algorithm, text: str) -> tuple[bytes, int | None]:
    """Return digest and number of parts of a checksum of a whole multipart object, as CompleteMultipartUpload names it.

    The number is None where the text has none. Raises InvalidRequestError if it is malformed.
    """
    value, dash, count = text.partition("-")
    digest = parse_digest(algorithm, value)
    if not dash:
        return digest, None
    if not (count.isascii() and count.isdecimal() and len(count) <= 5):  # noqa: PLR2004  (10,000 parts at most)
        raise InvalidRequestError(f"Value for {algorithm.header} header is invalid.")
    return digest, int(count)


def combine(algorithm: Algorithm, parts: Sequence[tuple[bytes, int]]) -> bytes:
    """Return the checksum of all bytes from (digest, size in bytes) of the parts, in order, without reading them again.

    Raises InvalidRequestError for an algorithm that is not a CRC.
    """
    step = _COMBINE.get(algorithm)
    if step is None:
        raise InvalidRequestError(f"The {algorithm} checksum of a whole object cannot be made from those of its parts.")
    value = 0
    for digest, size_bytes in parts:
        value = step(value, int.from_bytes(digest, "big"), size_bytes)
    return value.to_bytes(DIGEST_BYTES[algorithm], "big")


def composite(algorithm: Algorithm, digests: Iterable[bytes]) -> bytes:
    """Return the checksum of the parts' digests, one after the other."""
    hasher = new_hasher(algorithm)
    hasher.update(b"".join(digests))
    return hasher.digest()
