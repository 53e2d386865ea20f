"""Key material that somebody brings along: pairs of RSA keys to wrap it for, and what comes out again.

RSAES-OAEP carries 32 bytes directly; with RSA-AES key wrap, OAEP carries an AES key of 256 bits, which wraps the material behind
it (AES-KWP). Making a pair and wrapping for it are what draws its own random numbers in this room: the library takes no others.

Sources: RFC 8017 (RSAES-OAEP, MGF1), RFC 5649 (AES-KWP), PKCS #11 v2.40 (CKM_RSA_AES_KEY_WRAP); AWS KMS Developer Guide,
"Importing key material".
"""

from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from siegel.domain.errors import SealBrokenError
from siegel.envelope.derive import KEY_BYTES, Label, derive_key

_EXPONENT: Final = 65_537
_WRAPPING_KEY_BYTES: Final = 32


class ImportWrapping(StrEnum):
    """How material is wrapped on its way, in the words of KMS."""

    OAEP_SHA_1 = "RSAES_OAEP_SHA_1"
    OAEP_SHA_256 = "RSAES_OAEP_SHA_256"
    AES_KEY_WRAP_SHA_1 = "RSA_AES_KEY_WRAP_SHA_1"
    AES_KEY_WRAP_SHA_256 = "RSA_AES_KEY_WRAP_SHA_256"


_HASHES: Final[dict[ImportWrapping, type[hashes.SHA1 | hashes.SHA256]]] = {
    ImportWrapping.OAEP_SHA_1: hashes.SHA1,
    ImportWrapping.OAEP_SHA_256: hashes.SHA256,
    ImportWrapping.AES_KEY_WRAP_SHA_1: hashes.SHA1,
    ImportWrapping.AES_KEY_WRAP_SHA_256: hashes.SHA256,
}
_WITH_AES: Final = {ImportWrapping.AES_KEY_WRAP_SHA_1, ImportWrapping.AES_KEY_WRAP_SHA_256}


def make_import_pair(bits: int) -> tuple[bytes, bytes]:
    """Return a fresh pair of RSA keys: the private one (PKCS #8), the public one (SubjectPublicKeyInfo), in DER.

    Slow, up to seconds for 4,096 bits: call it off the event loop.
    """
    private = rsa.generate_private_key(_EXPONENT, bits)
    return (
        private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def wrap_import(public_der: bytes, material: bytes) -> bytes:
    """Return material wrapped for a pair by RSAES_OAEP_SHA_256, as a customer does it. Raises TypeError for another pair."""
    public = load_der_public_key(public_der)
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError("material is wrapped for RSA keys")
    return public.encrypt(material, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))


def unwrap_import(wrapping: ImportWrapping, private_der: bytes, wrapped: bytes) -> bytes:
    """Return what was wrapped for a pair. Raises SealBrokenError for what was not, and never says why."""
    # Made here, and sealed since: to prove once more that its primes are primes would take seconds.
    private = load_der_private_key(private_der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise SealBrokenError("a pair for an import is none of RSA")
    size = private.key_size // 8
    digest = _HASHES[wrapping]
    oaep = padding.OAEP(padding.MGF1(digest()), digest(), None)
    try:
        if wrapping not in _WITH_AES:
            return private.decrypt(wrapped, oaep)
        key = private.decrypt(wrapped[:size], oaep)
        if len(key) != _WRAPPING_KEY_BYTES:
            raise SealBrokenError("imported key material does not unwrap")
        return aes_key_unwrap_with_padding(key, wrapped[size:])
    except (ValueError, InvalidUnwrap):
        raise SealBrokenError("imported key material does not unwrap") from None


def fingerprint(material: bytes, key_id: str) -> bytes:
    """Return what tells whether material that is brought again is the same: for one key only, and useless to find it by."""
    return derive_key(material, Label.IMPORTED_MATERIAL, key_id.encode())


def is_material(material: bytes) -> bool:
    """Tell whether bytes can be the material of a key: 256 bits, no more and no less."""
    return len(material) == KEY_BYTES
