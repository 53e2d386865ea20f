"""The custodian's keys at work: the last one seals, each opens what it has sealed.

A record of key 0, the one that is derived from a root key, is a bare record of the envelope; those of later keys name theirs:

    offset  size  field
    0       1     version of this format, 0x02
    1       4     number of the key, big-endian
    5       n     record (`envelope/record.py`)
"""

import hmac
import os
from struct import Struct as Layout
from typing import Final

from siegel.domain.errors import SealBrokenError
from siegel.drivers.custody.contents import Contents
from siegel.drivers.custody.rootfile import RandomBytes
from siegel.envelope.record import NONCE_BYTES, RecordKey

# What the custodian seals is bound to this in front of the caller's context, so that no other seal passes for it.
_CONTEXT: Final = b"siegel custodian v1\x00"
_NUMBERED: Final = Layout(">BI")
_VERSION: Final = 2


class UnknownKeyError(SealBrokenError):
    """A record names a key that this custodian does not know."""


class KeySet:
    """The custodian's keys, ready for use (port KeyCustodian). Neither `repr` nor any error shows a key."""

    __slots__ = ("_current", "_database_key", "_keys", "_random_bytes", "database_number", "retired_at_ms")

    def __init__(self, contents: Contents, random_bytes: RandomBytes = os.urandom) -> None:
        """Take the keys and a source of nonces. `retired_at_ms`: when the oldest key that only opens was retired, or 0."""
        self.retired_at_ms = min((key.retired_at_ms for key in contents.keys if key.retired_at_ms), default=0)
        self._keys = {key.number: RecordKey(key.secret) for key in contents.keys}
        self._current = contents.current.number
        self._database_key = contents.database_key
        self.database_number = contents.database_number
        self._random_bytes = random_bytes

    def wrap(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal `plaintext` bound to `context`; it is opened again and compared before it is returned."""
        number = self._current
        record = self._keys[number].seal(plaintext, _CONTEXT + context, self._random_bytes(NONCE_BYTES))
        wrapped = _NUMBERED.pack(_VERSION, number) + record if number else record
        if not hmac.compare_digest(self.unwrap(wrapped, context), plaintext):
            raise SealBrokenError("a fresh wrap opened to something else")
        return wrapped

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Open what `wrap` made for the same `context`. Raises SealBrokenError; UnknownKeyError where the key is not known."""
        number, record = _parse(wrapped)
        key = self._keys.get(number)
        if key is None:
            raise UnknownKeyError(f"a record is sealed under key {number} of the custodian, which the key chest does not have")
        return key.open(record, _CONTEXT + context)

    def renew(self, wrapped: bytes, context: bytes) -> bytes:
        """Return what `wrapped` holds sealed under the current key; `wrapped` itself, seen to open, if it is so already."""
        plaintext = self.unwrap(wrapped, context)
        return wrapped if _parse(wrapped)[0] == self._current else self.wrap(plaintext, context)

    def database_key(self) -> bytes:
        """Return the 32-byte key that encrypts the metadata database."""
        return self._database_key

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _parse(wrapped: bytes) -> tuple[int, bytes]:
    """Return the number of the key, and the record."""
    if wrapped[:1] != bytes((_VERSION,)):
        return 0, wrapped
    if len(wrapped) < _NUMBERED.size:
        raise SealBrokenError("not a sealed record")
    _, number = _NUMBERED.unpack_from(wrapped)
    if number == 0:
        raise SealBrokenError("a record of key 0 does not name its key")
    return number, wrapped[_NUMBERED.size :]
