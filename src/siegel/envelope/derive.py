"""Key derivation: HKDF-Expand with SHA-512 (RFC 5869, section 2.3), and the labels that keep derived keys apart.

Every key that is expanded here is uniformly random already, so HKDF's extract step has nothing to add.
"""

from enum import Enum
from hashlib import sha512
from struct import Struct as Layout
from typing import Final

KEY_BYTES: Final = 32

_MARKER: Final = b"siegel derive v1"
_LENGTHS: Final = Layout(">BH")

_DIGEST_BYTES: Final = 64
# SHA-512 hashes blocks of this size; HMAC sets its two keys apart by these bytes (RFC 2104, section 2).
_BLOCK_BYTES: Final = 128
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class Label(Enum):
    """What a derived key is for. The values are part of the format: never change them."""

    DATABASE = b"database"  # from the root key: encrypts the metadata database
    CUSTODIAN = b"custodian"  # from the root key: wraps the accounts' keys and access key secrets
    KEY_CHEST = b"key chest"  # from the root key: seals the key chest
    ROOT_ID = b"root id"  # from the root key: its public name
    BUCKET_WRAPPING = b"bucket wrapping"  # from an account's wrapping key; context: the bucket id
    BUCKET_METADATA = b"bucket metadata"  # from an account's metadata key; context: the bucket id
    IMPORTED_MATERIAL = b"imported material"  # from material that was brought along; context: the key id: tells it again
    OBJECT_METADATA = b"object metadata"  # from a data key: metadata that only the data key's holder may read
    CLIENT_MANIFEST = b"client manifest"  # from the data key of an object that a customer sealed before sending: its manifest
    KEY_SERVICE = b"key service"  # from the material of a customer's key; context: the salt of one ciphertext
    KEY_SERVICE_BUCKET = b"key service bucket"  # from the material of a customer's key; context: the bucket id
    ENTRY_FILE = b"entry file"  # from the key of the database; context: the salt of the file: seals journal entries beside it


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """Return `length` bytes of HKDF-Expand-SHA-512.

    HMAC is written out (RFC 2104): looking up its implementation in OpenSSL anew for each block costs more than the hashing.
    """
    if len(key) > _BLOCK_BYTES:
        key = sha512(key).digest()
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    inner, outer = padded.translate(_INNER), padded.translate(_OUTER)
    block = output = b""
    for number in range(1, -(-length // _DIGEST_BYTES) + 1):
        block = sha512(outer + sha512(b"".join((inner, block, info, bytes((number,))))).digest()).digest()
        output += block
    return output[:length]


def derive_key(key: bytes, label: Label, context: bytes = b"") -> bytes:
    """Return the 32-byte key for one use of `key`. Label and context are encoded so that no two pairs coincide."""
    name = label.value
    return expand(key, b"".join((_MARKER, _LENGTHS.pack(len(name), len(context)), name, context)), KEY_BYTES)


def derive_bucket_key(key: bytes, label: Label, bucket_id: int) -> bytes:
    """Return the key of one bucket: each bucket has its own, so that random nonces stay far below their limit of 2^32."""
    return derive_key(key, label, bucket_id.to_bytes(8, "big"))
