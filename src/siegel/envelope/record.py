"""Sealed records: small values under a long-lived key, AES-256-GCM with a random nonce (NIST SP 800-38D).

    offset  size  field
    0       1     version of this format, 0x01
    1       12    nonce
    13      n     ciphertext
    13 + n  16    tag

The context is the cipher's associated data. One key seals at most 2^32 records (SP 800-38D, section 8.3).
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from siegel.domain.errors import SealBrokenError

KEY_BYTES: Final = 32
"""AES-256, nothing shorter."""
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
RECORD_OVERHEAD_BYTES: Final = 1 + NONCE_BYTES + TAG_BYTES

_VERSION: Final = b"\x01"
_VERSION_NUMBER: Final = _VERSION[0]
_BODY_AT: Final = 1 + NONCE_BYTES


def open_record(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Open the one record of a key that serves no other: quicker than building a `RecordKey` for it. Raises SealBrokenError."""
    if sealed[:1] != _VERSION or len(sealed) < RECORD_OVERHEAD_BYTES:
        raise SealBrokenError("not a sealed record, or of an unknown version")
    try:
        return AESGCM(key).decrypt(sealed[1:_BODY_AT], sealed[_BODY_AT:], context)
    except InvalidTag:
        raise SealBrokenError("a sealed record does not open: damage, another place, or another key") from None


def seal_record(key: bytes, plaintext: bytes, context: bytes, nonce: bytes) -> bytes:
    """Seal the one record of a key that serves no other. `nonce`: 12 random bytes."""
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("a record key has 32 bytes, a nonce 12")
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plaintext, context)


class RecordKey:
    """A 32-byte key that seals records. Build it once per key: it holds the cipher ready for use. Never shows its key."""

    __slots__ = ("_decrypt", "_encrypt")

    def __init__(self, key: bytes) -> None:
        """Take the key: exactly 32 bytes, else ValueError."""
        if len(key) != KEY_BYTES:
            raise ValueError("a record key has 32 bytes")
        cipher = AESGCM(key)
        self._encrypt = cipher.encrypt
        self._decrypt = cipher.decrypt

    def seal(self, plaintext: bytes, context: bytes, nonce: bytes) -> bytes:
        """Seal `plaintext` bound to `context`. `nonce`: 12 random bytes, never used before with this key."""
        if len(nonce) != NONCE_BYTES:
            raise ValueError("a nonce has 12 bytes")
        return _VERSION + nonce + self._encrypt(nonce, plaintext, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Open what `seal` made for the same context. Raises SealBrokenError for anything else."""
        if len(sealed) < RECORD_OVERHEAD_BYTES or sealed[0] != _VERSION_NUMBER:
            raise SealBrokenError("not a sealed record, or of an unknown version")
        try:
            return self._decrypt(sealed[1:_BODY_AT], sealed[_BODY_AT:], context)
        except InvalidTag:
            raise SealBrokenError("a sealed record does not open: damage, another place, or another key") from None
