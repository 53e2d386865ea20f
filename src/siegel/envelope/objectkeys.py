"""The keys of an object under a key of the key service (SSE-KMS): two layers, both of which it takes to open them.

    offset  size  field
    0       1     version of this format, 0xE1
    1       2     length of the settings, big-endian
    3       n     settings
    3 + n   1     custody: who holds the outer layer's key; 1 = this deployment, 2 = an external key store
    4 + n   ...   what that custody made of the inner layer

    settings: account id (u64) || key id (16 bytes, of the UUID) || flags (u8) || the customer's encryption context

Flags: 1 = the object counts as sealed twice (DSSE), 2 = with a bucket key. The context's pairs are in the canonical form of
`keyblob.py`, without the pair that the service adds to them.

The inner layer is a record (`record.py`) of data key and head key, 32 bytes each, under the bucket's wrapping key. Of custody 1,
the outer layer is the number of the material (u32, big-endian) and a record of the inner layer under a key derived from that
material for the bucket; of custody 2, it is what `outerlayer.py` says. Records are bound to the same context: the place of the
version, and the settings. Format page: `docs/design/formats/kms.md`.
"""

import hmac
from collections.abc import Mapping
from enum import IntFlag
from struct import Struct as Layout
from typing import Final
from uuid import UUID

from msgspec import Struct

from siegel.domain.errors import SealBrokenError
from siegel.envelope.context import Place, Purpose, encode_context
from siegel.envelope.derive import KEY_BYTES
from siegel.envelope.keyblob import encode_encryption_context
from siegel.envelope.record import RecordKey

LOCAL_CUSTODY: Final = 1
EXTERNAL_CUSTODY: Final = 2
SECRETS_BYTES: Final = 2 * KEY_BYTES

_VERSION: Final = 0xE1
_FRONT: Final = Layout(">BH")
_SETTINGS: Final = Layout(">Q16sB")
_NUMBER: Final = Layout(">I")
_LOCAL: Final = bytes((LOCAL_CUSTODY,))
_RECORD_AT: Final = 1 + _NUMBER.size
_LENGTH: Final = Layout(">H")
_ACCOUNT_DIGITS: Final = 12


class Flags(IntFlag):
    """How an object counts as sealed. The numbers are stored: never change them."""

    NONE = 0
    DSSE = 1
    BUCKET_KEY = 2


class Settings(Struct, frozen=True):
    """Which key an object is sealed under, and how; `context` is the customer's own part of the encryption context."""

    account_id: str
    key_id: str
    flags: Flags
    context: Mapping[str, str]


def encode_settings(settings: Settings) -> bytes:
    """Return the one form of settings. Raises ValueError for a key id that is no UUID, or a context that is too long."""
    front = _SETTINGS.pack(int(settings.account_id), UUID(settings.key_id).bytes, settings.flags)
    return front + encode_encryption_context(settings.context)


def decode_settings(encoded: bytes) -> Settings:
    """Read settings. Raises SealBrokenError for what is none."""
    if len(encoded) < _SETTINGS.size:
        raise SealBrokenError("the settings of an object's keys are cut short")
    account, key_id, flags = _SETTINGS.unpack_from(encoded)
    if account >= 10**_ACCOUNT_DIGITS or flags > sum(Flags):
        raise SealBrokenError("the settings of an object's keys are of an unknown form")
    context = _decode_context(encoded[_SETTINGS.size :])
    return Settings(f"{account:012}", str(UUID(bytes=key_id)), Flags(flags), context)


def _decode_context(encoded: bytes) -> dict[str, str]:
    texts: list[str] = []
    at = 0
    while at < len(encoded):
        start = at + _LENGTH.size
        stop = start + int.from_bytes(encoded[at:start], "big")
        if stop > len(encoded) or start > len(encoded):
            raise SealBrokenError("an object's encryption context is cut short")
        try:
            texts.append(encoded[start:stop].decode())
        except UnicodeDecodeError as error:
            raise SealBrokenError("an object's encryption context is no text") from error
        at = stop
    if len(texts) % 2:
        raise SealBrokenError("an object's encryption context has a name without a value")
    return dict(zip(texts[::2], texts[1::2], strict=True))


def join_wrapped(settings: bytes, outer: bytes) -> bytes:
    """Return what is stored of settings and outer layer; `outer` begins with its custody. Raises ValueError."""
    if len(settings) > 0xFFFF:  # noqa: PLR2004  a length of 16 bits
        raise ValueError("the settings of an object's keys are shorter")
    return _FRONT.pack(_VERSION, len(settings)) + settings + outer


def split_wrapped(wrapped: bytes) -> tuple[bytes, bytes]:
    """Return settings and outer layer. Raises SealBrokenError for what is neither."""
    if len(wrapped) <= _FRONT.size:
        raise SealBrokenError("the wrapped keys of an object are cut short")
    stop = _FRONT.size + int.from_bytes(wrapped[1 : _FRONT.size], "big")
    if wrapped[0] != _VERSION or len(wrapped) <= stop:
        raise SealBrokenError("not the wrapped keys of an object, or of an unknown version")
    return wrapped[_FRONT.size : stop], wrapped[stop:]


class Wrapped(Struct, frozen=True):
    """The wrapped keys of an object, taken apart: its settings, its outer layer, and what both layers are bound to."""

    settings: bytes
    outer: bytes
    bound: bytes


def parse_wrapped(wrapped: bytes, place: Place) -> Wrapped:
    """Take apart what `join_wrapped` made for a place. Raises SealBrokenError for what is neither."""
    settings, outer = split_wrapped(wrapped)
    return Wrapped(settings, outer, bind(place, settings))


def bind(place: Place, settings: bytes) -> bytes:
    """Return what both layers are bound to."""
    return encode_context(Purpose.OBJECT_KEYS, place, settings)


def seal_secrets(wrapping: RecordKey, secrets: bytes, bound: bytes, nonce: bytes) -> bytes:
    """Return the inner layer of a data key and a head key. Raises SealBrokenError if it does not open to them again."""
    if len(secrets) != SECRETS_BYTES:
        raise ValueError("a data key and a head key have 32 bytes each")
    inner = wrapping.seal(secrets, bound, nonce)
    if not hmac.compare_digest(open_secrets(wrapping, inner, bound), secrets):
        raise SealBrokenError("a fresh wrap opened to other keys")
    return inner


def open_secrets(wrapping: RecordKey, inner: bytes, bound: bytes) -> bytes:
    """Return the data key and the head key of an inner layer. Raises SealBrokenError."""
    secrets = wrapping.open(inner, bound)
    if len(secrets) != SECRETS_BYTES:
        raise SealBrokenError("the keys of an object have the wrong size")
    return secrets


def split_secrets(secrets: bytes) -> tuple[bytes, bytes]:
    """Return the data key and the head key."""
    return secrets[:KEY_BYTES], secrets[KEY_BYTES:]


def encode_number(number: int) -> bytes:
    """Return the number of a material as it stands in an outer layer of custody 1."""
    return _NUMBER.pack(number)


def seal_local(layer: RecordKey, number: bytes, inner: bytes, bound: bytes, nonce: bytes) -> bytes:
    """Return the outer layer of custody 1: `layer` is derived from the material of that (encoded) number.

    Raises SealBrokenError if it does not open to the same again.
    """
    sealed = layer.seal(inner, bound, nonce)
    if not hmac.compare_digest(layer.open(sealed, bound), inner):
        raise SealBrokenError("a fresh wrap opened to something else")
    return _LOCAL + number + sealed


def split_local(outer: bytes) -> tuple[bytes, bytes]:
    """Return the encoded number of the material, and the record, of an outer layer of custody 1. Raises SealBrokenError."""
    if outer[:1] != _LOCAL or len(outer) <= _RECORD_AT:
        raise SealBrokenError("not an outer layer of this deployment's own")
    return outer[1:_RECORD_AT], outer[_RECORD_AT:]
