"""How keys of the box are used: AES-256-GCM under a fresh key for every call, derived from the box's key and a random salt.

So no number of calls wears out a key of the box, as 2^32 random nonces under one key would (NIST SP 800-38D, section 8.3).

    call key = HMAC-SHA-256(key of the box, label || salt)

The label tells the two faces apart: what one has sealed, the other does not open. Bytes: `docs/design/formats/keybox.md`.

Source of the framing: aws/aws-kms-xksproxy-api-spec, `xks_proxy_api_spec.md`, "Encrypt" and appendix C.
"""

import hmac
import struct
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from siegel.customer.keybox.refusals import RefusedError

SALT_BYTES: Final = 16
IV_BYTES: Final = 12
TAG_BYTES: Final = 16
RANDOM_BYTES: Final = SALT_BYTES + IV_BYTES

# A key of the box: its bytes, or what computes HMAC-SHA-256 with a key that stays in a token.
Secret = bytes | Callable[[bytes], bytes]

_XKS_LABEL: Final = b"siegel keybox xks v1\x00"
_KMS_LABEL: Final = b"siegel keybox kms v1\x00"
_VERSION: Final = b"\x01"


class Sealed(Struct, frozen=True):
    """What the XKS face answers and takes back: as much ciphertext as plaintext, 12 bytes of IV, 16 of tag, 17 of metadata."""

    ciphertext: bytes
    iv: bytes
    tag: bytes
    metadata: bytes


def seal_xks(secret: Secret, plaintext: bytes, aad: bytes, randomness: bytes) -> Sealed:
    """Seal bound to `aad` (at most 65,535 bytes). `randomness`: 28 bytes, new for every call."""
    salt, iv = randomness[:SALT_BYTES], randomness[SALT_BYTES:]
    metadata = _VERSION + salt
    sealed = _cipher(secret, _XKS_LABEL, salt).encrypt(iv, plaintext, frame_aad(aad, metadata))
    return Sealed(sealed[:-TAG_BYTES], iv, sealed[-TAG_BYTES:], metadata)


def open_xks(secret: Secret, sealed: Sealed, aad: bytes) -> bytes:
    """Open what `seal_xks` made for the same `aad`. Raises RefusedError (InvalidCiphertextException) for anything else."""
    metadata = sealed.metadata
    if len(metadata) != 1 + SALT_BYTES or metadata[:1] != _VERSION:
        raise _broken("The ciphertextMetadata is not that of this key server.")
    cipher = _cipher(secret, _XKS_LABEL, metadata[1:])
    try:
        return cipher.decrypt(sealed.iv, sealed.ciphertext + sealed.tag, frame_aad(aad, metadata))
    except InvalidTag:
        raise _broken("The ciphertext, its tag, or the additional authenticated data is not what was encrypted.") from None


def frame_aad(aad: bytes, metadata: bytes) -> bytes:
    """Return the cipher's associated data, as the specification frames it: both parts with their lengths in front."""
    return b"%b%b%c%b" % (len(aad).to_bytes(2, "big"), aad, len(metadata), metadata)


def integrity_value(sealed: Sealed, aad: bytes) -> bytes:
    """Return the ciphertext data integrity value (CDIV) by SHA_256."""
    return sha256(aad + sealed.metadata + sealed.iv + sealed.ciphertext + sealed.tag).digest()


def seal_blob(secret: Secret, key_id: str, plaintext: bytes, context: Mapping[str, str], randomness: bytes) -> bytes:
    """Return a `CiphertextBlob` that names its key. `randomness`: 28 bytes, new for every call."""
    salt, iv = randomness[:SALT_BYTES], randomness[SALT_BYTES:]
    name = key_id.encode()
    front = b"%b%c%b" % (_VERSION, len(name), name)
    return front + randomness + _cipher(secret, _KMS_LABEL, salt).encrypt(iv, plaintext, front + encode_context(context))


def key_of_blob(blob: bytes) -> str:
    """Return the id of the key that a blob names. Raises RefusedError (InvalidCiphertextException) for what is no blob."""
    if blob[:1] != _VERSION or len(blob) < 2 + blob[1] + RANDOM_BYTES + TAG_BYTES:
        raise _broken("The CiphertextBlob is none of this key server.")
    return blob[2 : 2 + blob[1]].decode("latin-1")


def open_blob(secret: Secret, blob: bytes, context: Mapping[str, str]) -> bytes:
    """Open a blob that `key_of_blob` has read. Raises RefusedError (InvalidCiphertextException)."""
    body = 2 + blob[1]
    salt, iv = blob[body : body + SALT_BYTES], blob[body + SALT_BYTES : body + RANDOM_BYTES]
    try:
        return _cipher(secret, _KMS_LABEL, salt).decrypt(iv, blob[body + RANDOM_BYTES :], blob[:body] + encode_context(context))
    except InvalidTag:
        raise _broken("The CiphertextBlob or the encryption context is not what was encrypted.") from None


def encode_context(context: Mapping[str, str]) -> bytes:
    """Return the canonical bytes of an encryption context: pairs in the order of their bytes, every text with its length."""
    pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    return b"".join(struct.pack(">I", len(text)) + text for pair in pairs for text in pair)


def _cipher(secret: Secret, label: bytes, salt: bytes) -> AESGCM:
    call = label + salt
    return AESGCM(hmac.digest(secret, call, "sha256") if isinstance(secret, bytes) else secret(call))


def _broken(message: str) -> RefusedError:
    return RefusedError("InvalidCiphertextException", message)
