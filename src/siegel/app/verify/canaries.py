"""Canaries: text that nothing else can contain, and every form in which it might turn up on a disk."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from siegel.s3wire.checksums import Algorithm, new_hasher

MARK_RANDOM_BYTES: Final = 15
# A body carries the mark this often, so that no chunk, page or part of it is without one.
REPEAT_EVERY_BYTES: Final = 256

_DIGESTS: Final = (Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256, Algorithm.SHA512, Algorithm.CRC64NVME)


class Needle(Struct, frozen=True):
    """Bytes that must not be found, and what they would be."""

    form: str
    pattern: bytes


class Canary:
    """The mark of one run: 24 letters and digits that every written thing of the run carries, and the bodies made with it."""

    def __init__(self, random: bytes) -> None:
        """Make the mark from MARK_RANDOM_BYTES random bytes."""
        self.mark = base64.b32encode(random).decode("ascii").lower()
        self._bodies: dict[str, bytes] = {}

    def body(self, name: str, size_bytes: int) -> bytes:
        """Return a body of a size and remember it under `name`: its digests are looked for too."""
        line = hashlib.sha256(f"{self.mark} {name}".encode()).hexdigest()
        unit = f"{self.mark} {name} {line} ".encode().ljust(REPEAT_EVERY_BYTES, b".")
        made = (unit * (size_bytes // REPEAT_EVERY_BYTES + 1))[:size_bytes]
        self._bodies[name] = made
        return made

    def needles(self) -> list[Needle]:
        """Return all that must not be found."""
        mark = self.mark.encode("ascii")
        found = [
            Needle("raw", mark),
            Needle("raw, in capitals", mark.upper()),
            Needle("hex", mark.hex().encode()),
            Needle("hex, in capitals", mark.hex().upper().encode()),
            Needle("UTF-16, little-endian", self.mark.encode("utf-16-le")),
            Needle("UTF-16, big-endian", self.mark.encode("utf-16-be")),
        ]
        found += [Needle(f"base64, shifted by {shift}", pattern) for shift, pattern in enumerate(_base64_cores(mark))]
        for name, body in self._bodies.items():
            for algorithm in _DIGESTS:
                found += _digest_needles(f"{algorithm.value} of {name}", _digest(algorithm, body))
        return found


def _base64_cores(mark: bytes) -> Iterator[bytes]:
    """Yield what base64 makes of the mark at each of the three alignments, without the characters that neighbours change."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + mark)
        first = (shift * 8 + 5) // 6
        last = (shift + len(mark)) * 8 // 6
        yield encoded[first:last]


def _digest(algorithm: Algorithm, body: bytes) -> bytes:
    hasher = new_hasher(algorithm)
    hasher.update(body)
    return hasher.digest()


def _digest_needles(name: str, digest: bytes) -> list[Needle]:
    return [
        Needle(name, digest),
        Needle(f"{name}, hex", digest.hex().encode()),
        Needle(f"{name}, hex in capitals", digest.hex().upper().encode()),
        Needle(f"{name}, base64", base64.b64encode(digest).rstrip(b"=")),
    ]
