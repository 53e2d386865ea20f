"""Recipients' stanzas in the header of a sealed object: for whom the data key is wrapped, and how it comes out again.

    key file   id 8, encapsulated key 1120, wrapped data key 48              single-shot HPKE
    keybox     id 8, number 8, length of the blob 2, wrapped data key 48,    a key that the box gave for this object alone,
               blob of the box, zeros up to 1176                             and that the box alone takes out of the blob

Both are 1,176 bytes: a reader that knows the first kind alone skips the second. Pure: what a box answers comes as an argument.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from struct import Struct as Layout
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from siegel.customer.sealing.keyfile import KeyFile, Recipient
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.refusals import HeaderChangedError, KeyServerLiedError, KeyServerRefusedError, NotForThisKeyError
from siegel.envelope.derive import KEY_BYTES, expand

RECIPIENTS_MAX: Final = 64
# A reader asks its box once for each of them at most.
BOXES_MAX: Final = 4
STANZA_BYTES: Final = 8 + 1120 + KEY_BYTES + 16
BLOB_BYTES_MAX: Final = STANZA_BYTES - 8 - 8 - 2 - KEY_BYTES - 16
BOX_KEY_BYTES: Final = 32

_ID_BYTES: Final = 8
_ID_LABEL: Final = b"siegel client recipient v1\x00"
_WRAP_LABEL: Final = b"siegel client data key v1\x00"
_BOX_ID_LABEL: Final = b"siegel client keybox v1\x00"
_BOX_WRAP_LABEL: Final = b"siegel client keybox data key v1\x00"
_FORMAT: Final = "siegel client v1"
_BOX_STANZA: Final = Layout(">8sQH48s")
_NONCE: Final = bytes(12)

_HPKE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class BoxKey(Struct, frozen=True):
    """A fresh key of a box: the key itself, and the blob that the box alone turns into it again."""

    plaintext: bytes
    blob: bytes

    def __repr__(self) -> str:
        return f"BoxKey({len(self.blob)} bytes of blob)"


class Keybox(Protocol):
    """The customer's key server, as sealing needs it. What it raises: the `KeyServerError`s of `refusals.py`."""

    def fresh_key(self, context: Mapping[str, str]) -> BoxKey:
        """Return a key that the box made for `context`, 32 bytes."""

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key of a blob. Raises HeaderChangedError too: the blob was not made for this context."""


class Unwrapped(Struct, frozen=True):
    """A data key, and the number that a box was told of its object."""

    data_key: bytes
    sequence: int | None = None

    def __repr__(self) -> str:
        return f"Unwrapped({self.sequence})"


Unwrap = Callable[[Sequence[bytes], bytes], Unwrapped]


def wrap(data_key: bytes, recipient: Recipient, object_id: bytes) -> bytes:
    """Return the stanza that lets one key file have the data key. HPKE draws its own randomness."""
    wrapped = _HPKE.encrypt(data_key, recipient.public_key, info=_WRAP_LABEL + object_id)
    return recipient_id(recipient, object_id) + wrapped


def recipient_id(recipient: Recipient, object_id: bytes) -> bytes:
    """Return the name of a recipient in one object: another one in each, so that objects do not tell who shares them."""
    return hashlib.sha256(_ID_LABEL + object_id + recipient.kem_bytes).digest()[:_ID_BYTES]


def box_context(place: ObjectPlace, object_id: bytes, sequence: int) -> dict[str, str]:
    """Return the encryption context of an object: what the policy of a box judges, its log tells, and its blob is bound to."""
    return {
        "account": place.account_id,
        "bucket": place.bucket,
        "key": place.object_key,
        "version": object_id.hex(),
        "number": str(sequence),
        "format": _FORMAT,
    }


def wrap_for_box(data_key: bytes, made: BoxKey, object_id: bytes, sequence: int) -> bytes:
    """Return the stanza that lets a box have the data key. Raises KeyServerLiedError for what no stanza can hold."""
    if len(made.plaintext) != BOX_KEY_BYTES or not 1 <= len(made.blob) <= BLOB_BYTES_MAX:
        raise KeyServerLiedError(f"the key server gave no key of {BOX_KEY_BYTES} bytes with a blob of 1 to {BLOB_BYTES_MAX}")
    wrapped = _box_cipher(made.plaintext, object_id).encrypt(_NONCE, data_key, None)
    stanza = _BOX_STANZA.pack(_box_id(object_id), sequence, len(made.blob), wrapped) + made.blob
    return stanza.ljust(STANZA_BYTES, b"\0")


def unwrapper(key: KeyFile | None, box: Keybox | None, place: ObjectPlace) -> Unwrap:
    """Return what takes data keys out of stanzas of the object at `place`: by the key file if it can, else by the box."""

    def unwrap(stanzas: Sequence[bytes], object_id: bytes) -> Unwrapped:
        data_key = _by_key_file(stanzas, object_id, key) if key is not None else None
        if data_key is not None:
            return Unwrapped(data_key)
        found = _by_box(stanzas, object_id, box, place) if box is not None else None
        if found is None:
            raise NotForThisKeyError(f"the object is sealed for others than {_named(key, box)}")
        return found

    return unwrap


def _by_key_file(stanzas: Sequence[bytes], object_id: bytes, key: KeyFile) -> bytes | None:
    """Return the data key out of the stanza that is this key's, if there is one."""
    wanted = recipient_id(key.recipient, object_id)
    for stanza in stanzas:
        if stanza[:_ID_BYTES] == wanted:
            try:
                return _HPKE.decrypt(stanza[_ID_BYTES:], key.private_key, info=_WRAP_LABEL + object_id)
            except (InvalidTag, ValueError):
                raise HeaderChangedError("the header was changed: the data key does not unwrap") from None
    return None


def _by_box(stanzas: Sequence[bytes], object_id: bytes, box: Keybox, place: ObjectPlace) -> Unwrapped | None:
    """Return what the box makes of the stanzas for boxes; whose of them are other boxes', only the box can tell."""
    mine = [stanza for stanza in stanzas if stanza[:_ID_BYTES] == _box_id(object_id)]
    if len(mine) > BOXES_MAX:
        raise HeaderChangedError(f"no object is sealed for more than {BOXES_MAX} key servers")
    refusal: HeaderChangedError | KeyServerRefusedError | None = None
    for stanza in mine:
        try:
            return _open_stanza(stanza, object_id, box, place)
        except HeaderChangedError as error:
            refusal = error
        except KeyServerRefusedError as error:
            if not error.is_about_key:
                raise
            refusal = error
    if refusal is not None:
        raise refusal
    return None


def _open_stanza(stanza: bytes, object_id: bytes, box: Keybox, place: ObjectPlace) -> Unwrapped:
    _, sequence, blob_bytes, wrapped = _BOX_STANZA.unpack_from(stanza)
    if not 1 <= blob_bytes <= BLOB_BYTES_MAX:
        raise HeaderChangedError("the header was changed: the blob of a key server has no possible size")
    blob = stanza[_BOX_STANZA.size : _BOX_STANZA.size + blob_bytes]
    box_key = box.unwrap(blob, box_context(place, object_id, sequence))
    try:
        return Unwrapped(_box_cipher(box_key, object_id).decrypt(_NONCE, wrapped, None), sequence)
    except InvalidTag:
        raise HeaderChangedError("the header was changed, or the key server answered with another key") from None


def _box_id(object_id: bytes) -> bytes:
    """Return the name that every box has in one object."""
    return hashlib.sha256(_BOX_ID_LABEL + object_id).digest()[:_ID_BYTES]


def _box_cipher(box_key: bytes, object_id: bytes) -> AESGCM:
    """Return the cipher for one data key. The object id is random: even a box that repeats itself repeats no key of a cipher."""
    return AESGCM(expand(box_key, _BOX_WRAP_LABEL + object_id, KEY_BYTES))


def _named(key: KeyFile | None, box: Keybox | None) -> str:
    names = [name for name, held in (("this key", key), ("this key server", box)) if held is not None]
    return " and ".join(names) or "nobody, who asks: no key file and no key server is given"
