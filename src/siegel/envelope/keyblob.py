"""Ciphertexts of the key service: what a customer's key encrypts, bound to key, material and encryption context.

    offset  size  field
    0       4     "SGB" and the version of this format, 0x01
    4       8     account id, as a number, big-endian
    12      16    key id (the bytes of the UUID)
    28      4     number of the material, big-endian
    32      16    salt, random, fresh for every ciphertext
    48      n+29  a record (`record.py`) under the key derived from the material and the salt

A key in an external key store wraps over such a ciphertext, and its ciphertexts are:

    0       4     "SGX" and the version of this format, 0x01
    4       8     account id, as a number, big-endian
    12      16    key id
    28      ...   the outer layer (`outerlayer.py`) of a ciphertext as above

The record's context is "siegel key service v1", a zero byte, the first 32 bytes, and the encryption context in canonical form:
its pairs in the order of their names' bytes, each name and value with its length. Every ciphertext has a key of its own, so that
a key may encrypt without a practical bound. Format page: `docs/design/formats/kms.md`.
"""

import hmac
from collections.abc import Mapping
from struct import Struct as Layout
from typing import Final
from uuid import UUID

from msgspec import Struct

from siegel.domain.errors import SealBrokenError
from siegel.envelope.derive import Label, derive_key
from siegel.envelope.record import NONCE_BYTES, RECORD_OVERHEAD_BYTES, RecordKey

SALT_BYTES: Final = 16
BLOB_RANDOM_BYTES: Final = SALT_BYTES + NONCE_BYTES

_MARKER: Final = b"SGB\x01"
_HEAD: Final = Layout(">4sQ16sI")
_EXTERNAL_MARKER: Final = b"SGX\x01"
_EXTERNAL_HEAD: Final = Layout(">4sQ16s")
_CONTEXT: Final = b"siegel key service v1\0"
_LENGTH: Final = Layout(">H")
_ACCOUNT_DIGITS: Final = 12
_SEALED_AT: Final = _HEAD.size + SALT_BYTES


class BlobHead(Struct, frozen=True):
    """Which key made a ciphertext: nothing of it is proven before the ciphertext opens. `material` is 0 under an outer layer."""

    account_id: str
    key_id: str
    material: int = 0

    @property
    def is_external(self) -> bool:
        """Whether an external key store has to open its outer layer first."""
        return self.material == 0


def encode_encryption_context(pairs: Mapping[str, str]) -> bytes:
    """Return the canonical form. Raises ValueError for a name or value of more than 65,535 bytes."""
    encoded = sorted((name.encode(), value.encode()) for name, value in pairs.items())
    if any(len(text) > 0xFFFF for pair in encoded for text in pair):  # noqa: PLR2004  a length of 16 bits
        raise ValueError("an encryption context has shorter names and values")
    return b"".join(_LENGTH.pack(len(text)) + text for pair in encoded for text in pair)


def read_blob_head(blob: bytes) -> BlobHead:
    """Return which key made a ciphertext. Raises SealBrokenError for what is none."""
    if blob.startswith(_EXTERNAL_MARKER) and len(blob) > _EXTERNAL_HEAD.size:
        _, account, key_id = _EXTERNAL_HEAD.unpack_from(blob)
        return _head_of(account, key_id, 0)
    if len(blob) < _SEALED_AT + RECORD_OVERHEAD_BYTES:
        raise SealBrokenError("too short for a ciphertext of the key service")
    marker, account, key_id, material = _HEAD.unpack_from(blob)
    if marker != _MARKER or material == 0:
        raise SealBrokenError("not a ciphertext of the key service, or of an unknown version")
    return _head_of(account, key_id, material)


def _head_of(account: int, key_id: bytes, material: int) -> BlobHead:
    if account >= 10**_ACCOUNT_DIGITS:
        raise SealBrokenError("a ciphertext names an account that there cannot be")
    return BlobHead(f"{account:012}", str(UUID(bytes=key_id)), material)


def join_external(head: BlobHead, layer: bytes) -> bytes:
    """Return the ciphertext of a key in an external key store: `layer` is the outer layer over one of `seal_blob`."""
    return _EXTERNAL_HEAD.pack(_EXTERNAL_MARKER, int(head.account_id), UUID(head.key_id).bytes) + layer


def external_layer(blob: bytes) -> bytes:
    """Return the outer layer of a ciphertext whose head is external."""
    return blob[_EXTERNAL_HEAD.size :]


def seal_blob(material: bytes, head: BlobHead, plaintext: bytes, pairs: Mapping[str, str], random: bytes) -> bytes:
    """Encrypt with one material of a key. `random`: BLOB_RANDOM_BYTES fresh bytes, else ValueError.

    Raises SealBrokenError if the ciphertext does not open to the same plaintext again.
    """
    if len(random) != BLOB_RANDOM_BYTES:
        raise ValueError("a ciphertext takes 28 random bytes")
    salt, nonce = random[:SALT_BYTES], random[SALT_BYTES:]
    front = _HEAD.pack(_MARKER, int(head.account_id), UUID(head.key_id).bytes, head.material)
    blob = front + salt + _cipher(material, salt).seal(plaintext, _bound(front, pairs), nonce)
    if not hmac.compare_digest(open_blob(material, blob, pairs), plaintext):
        raise SealBrokenError("a fresh ciphertext opened to something else")
    return blob


def open_blob(material: bytes, blob: bytes, pairs: Mapping[str, str]) -> bytes:
    """Decrypt what `seal_blob` made of the same material and encryption context. Raises SealBrokenError for anything else."""
    if read_blob_head(blob).is_external:
        raise SealBrokenError("a ciphertext under an outer layer")
    front, salt = blob[: _HEAD.size], blob[_HEAD.size : _SEALED_AT]
    return _cipher(material, salt).open(blob[_SEALED_AT:], _bound(front, pairs))


def _cipher(material: bytes, salt: bytes) -> RecordKey:
    return RecordKey(derive_key(material, Label.KEY_SERVICE, salt))


def _bound(front: bytes, pairs: Mapping[str, str]) -> bytes:
    return _CONTEXT + front + encode_encryption_context(pairs)
