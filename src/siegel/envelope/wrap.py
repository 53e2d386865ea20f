"""Wrapping of data keys: under the account's wrapping key, and for SSE-C under the customer's key inside it.

SSE-C puts a customer layer inside the account's record; both keys are needed to open it:

    offset  size  field
    0       1     version of the customer layer, 0xC1
    1       32    salt, random, fresh for every wrap
    33      32    verifier: tells a wrong customer key from damage
    65      32    data key, AES-256-GCM
    97      16    tag

    PRK                      = HMAC-SHA-512(salt, customer key)                       (HKDF-Extract, RFC 5869)
    key || nonce || verifier = HKDF-Expand-SHA-512(PRK, "siegel customer layer v1", 76)

The account's record around it is authenticated first, so a verifier that does not match means a wrong key, not damage.
Every wrap is opened again and compared before it is returned: a key that cannot be recovered is never handed out.
"""

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from siegel.domain.errors import SealBrokenError, WrongCustomerKeyError
from siegel.envelope.context import Place, Purpose, encode_context
from siegel.envelope.derive import KEY_BYTES, expand
from siegel.envelope.record import NONCE_BYTES, TAG_BYTES, RecordKey

CUSTOMER_SALT_BYTES: Final = 32

_LAYER_VERSION: Final = b"\xc1"
_LAYER_INFO: Final = b"siegel customer layer v1"
_VERIFIER_BYTES: Final = 32
_VERIFIER_AT: Final = 1 + CUSTOMER_SALT_BYTES
_SEALED_AT: Final = _VERIFIER_AT + _VERIFIER_BYTES
_LAYER_BYTES: Final = _SEALED_AT + KEY_BYTES + TAG_BYTES


def wrap_data_key(wrapping: RecordKey, data_key: bytes, place: Place, nonce: bytes) -> bytes:
    """Wrap a data key for its place. Raises SealBrokenError if the wrap does not open to the same key again."""
    wrapped = wrapping.seal(data_key, encode_context(Purpose.DATA_KEY, place), nonce)
    return _checked(wrapped, data_key, unwrap_data_key(wrapping, wrapped, place))


def unwrap_data_key(wrapping: RecordKey, wrapped: bytes, place: Place) -> bytes:
    """Return the data key of a place. Raises SealBrokenError: damage, another place, or another account's key."""
    data_key = wrapping.open(wrapped, encode_context(Purpose.DATA_KEY, place))
    if len(data_key) != KEY_BYTES:
        raise SealBrokenError("a wrapped data key has the wrong size")
    return data_key


def wrap_for_customer(
    wrapping: RecordKey, customer_key: bytes, data_key: bytes, place: Place, *, salt: bytes, nonce: bytes
) -> bytes:
    """Wrap a data key so that it opens only with the account's *and* the customer's 32-byte key.

    `salt`: 32 random bytes, fresh for every wrap; `nonce`: 12 random bytes. Raises SealBrokenError as `wrap_data_key` does.
    """
    if len(salt) != CUSTOMER_SALT_BYTES or len(customer_key) != KEY_BYTES or len(data_key) != KEY_BYTES:
        raise ValueError("salt, customer key and data key have 32 bytes each")
    context = encode_context(Purpose.CUSTOMER_KEY, place)
    cipher, layer_nonce, verifier = _customer_keys(customer_key, salt)
    layer = _LAYER_VERSION + salt + verifier + cipher.encrypt(layer_nonce, data_key, context)
    wrapped = wrapping.seal(layer, context, nonce)
    return _checked(wrapped, data_key, unwrap_for_customer(wrapping, customer_key, wrapped, place))


def unwrap_for_customer(wrapping: RecordKey, customer_key: bytes, wrapped: bytes, place: Place) -> bytes:
    """Return the data key that `wrap_for_customer` wrapped.

    Raises WrongCustomerKeyError if the seal is whole but was made with another customer key, else SealBrokenError.
    """
    context = encode_context(Purpose.CUSTOMER_KEY, place)
    layer = wrapping.open(wrapped, context)
    if layer[:1] != _LAYER_VERSION or len(layer) != _LAYER_BYTES:
        raise SealBrokenError("not a customer layer, or of an unknown version")
    cipher, layer_nonce, verifier = _customer_keys(customer_key, layer[1:_VERIFIER_AT])
    if not hmac.compare_digest(verifier, layer[_VERIFIER_AT:_SEALED_AT]):
        raise WrongCustomerKeyError("the key of the request is not the key this object was stored with")
    try:
        return cipher.decrypt(layer_nonce, layer[_SEALED_AT:], context)
    except InvalidTag:
        raise SealBrokenError("a customer layer does not open") from None


def _customer_keys(customer_key: bytes, salt: bytes) -> tuple[AESGCM, bytes, bytes]:
    """Return cipher, nonce and verifier of one customer layer. The salt is fresh, so the nonce serves exactly once."""
    root = hmac.digest(salt, customer_key, "sha512")
    output = expand(root, _LAYER_INFO, KEY_BYTES + NONCE_BYTES + _VERIFIER_BYTES)
    verifier_at = KEY_BYTES + NONCE_BYTES
    return AESGCM(output[:KEY_BYTES]), output[KEY_BYTES:verifier_at], output[verifier_at:]


def _checked(wrapped: bytes, data_key: bytes, reopened: bytes) -> bytes:
    """Return `wrapped` if it opened to the very key that went in: a faulty memory or processor is caught here."""
    if not hmac.compare_digest(data_key, reopened):
        raise SealBrokenError("a fresh wrap opened to another key")
    return wrapped
