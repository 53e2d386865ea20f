"""An entry of an account's log: what is hashed into the tree, and its opening, which is kept beside it and can be erased.

    offset  size  field
    0       1     version of this format, 0x01
    1       8     when the entry became durable, milliseconds since 1970 (UTC), big-endian
    9       8     id of the request as answered in `x-amz-request-id` and `x-siegel-entry`; zero where nobody asked
    17      n     `Facts`, a MessagePack array

Names and persons are in an entry as salted hashes alone (commitments). The opening has the salts and what was hashed; without it
nothing can be guessed from the hashes, with it everybody can check that it is what was hashed. Format page:
`docs/design/formats/entry.md`.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from struct import Struct as Layout
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError, ProofError

SALT_BYTES: Final = 16

_VERSION: Final = 1
_HEAD: Final = Layout(">BQQ")
_OPENING_VERSION: Final = b"\x01"
_MARKER: Final = b"siegel commitment v1\0"
_PERSON: Final = _MARKER + b"person"
_NAME: Final = _MARKER + b"name"
_CONTENT: Final = _MARKER + b"content"
_LENGTH: Final = Layout(">I")
_TWO_LENGTHS: Final = Layout(">II")
_THREE_LENGTHS: Final = Layout(">III")
_REQUEST_DIGITS: Final = 16
_PERSONS_KEPT_MAX: Final = 256

T = TypeVar("T")


class Facts(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """What an entry says openly, beside its time and request.

    `asked_at_ms` is when the request arrived. `person`, `name` and `content` are commitments (32 bytes): to who asked, from where
    and by which permit; to bucket and object key; to the manifest hash of what a write stored (empty for all others).
    """

    asked_at_ms: int
    kind: str
    status: int
    person: bytes
    name: bytes
    bucket_id: int = 0
    version_id: str = ""
    byte_range: str = ""
    reason: str = ""
    content: bytes = b""
    key_ids: tuple[str, ...] = ()
    consent_id: str = ""
    key_call_id: str = ""


class Leaf(Struct, frozen=True, gc=False):
    """A whole entry. `request_id` has 16 upper-case hexadecimal digits, or is empty where nobody asked."""

    recorded_at_ms: int
    request_id: str
    facts: Facts


class Opening(Struct, frozen=True, array_like=True, gc=False):
    """What the commitments of an entry were made of. `salts`: SALT_BYTES for the person, and as many for name and content."""

    salts: bytes
    principal: str
    source: str
    permit: str
    bucket: str
    object_key: str


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_facts: Final = msgspec.msgpack.Decoder(Facts).decode
_decode_opening: Final = msgspec.msgpack.Decoder(Opening).decode


def encode_leaf(leaf: Leaf) -> bytes:
    """Return the bytes of an entry. Raises ValueError for a request id that is none."""
    return _HEAD.pack(_VERSION, leaf.recorded_at_ms, int(leaf.request_id or "0", 16)) + _encode(leaf.facts)


def decode_leaf(entry: bytes) -> Leaf:
    """Read an entry. Raises LedgerFormError: of another version, cut, or malformed."""
    if len(entry) < _HEAD.size or entry[0] != _VERSION:
        raise LedgerFormError("this is no entry of an account, or of a version that is not known here")
    _, recorded_at_ms, number = _HEAD.unpack_from(entry)
    facts = _read(_decode_facts, entry[_HEAD.size :], "an entry")
    return Leaf(recorded_at_ms, f"{number:0{_REQUEST_DIGITS}X}" if number else "", facts)


def encode_opening(opening: Opening) -> bytes:
    """Return the bytes of an opening."""
    return _OPENING_VERSION + _encode(opening)


def decode_opening(stored: bytes) -> Opening | None:
    """Read an opening; None if it was erased. Raises LedgerFormError: of another version, cut, or malformed."""
    if not stored:
        return None
    if stored[:1] != _OPENING_VERSION:
        raise LedgerFormError("this is no opening, or of a version that is not known here")
    opening = _read(_decode_opening, stored[1:], "an opening")
    if len(opening.salts) != 2 * SALT_BYTES:
        raise LedgerFormError("the salts of an opening have another length")
    return opening


def commit_person(opening: Opening) -> bytes:
    """Return the commitment to who asked, from where, and by which permit."""
    person = _encode_person(opening.principal, opening.source, opening.permit)
    return sha256(_PERSON + opening.salts[:SALT_BYTES] + person).digest()


@lru_cache(maxsize=_PERSONS_KEPT_MAX)
def _encode_person(principal: str, source: str, permit: str) -> bytes:
    """Return what is hashed of a person: that of all entries of a caller who comes again and again."""
    encoded = principal.encode(), source.encode(), permit.encode()
    return b"".join((_THREE_LENGTHS.pack(*map(len, encoded)), *encoded))


def commit_name(opening: Opening) -> bytes:
    """Return the commitment to bucket and object key."""
    bucket, object_key = opening.bucket.encode(), opening.object_key.encode()
    lengths = _TWO_LENGTHS.pack(len(bucket), len(object_key))
    return sha256(_NAME + opening.salts[SALT_BYTES:] + lengths + bucket + object_key).digest()


def commit_content(opening: Opening, manifest: bytes) -> bytes:
    """Return the commitment to a manifest hash; b"" where there is none."""
    if not manifest:
        return b""
    return sha256(_CONTENT + opening.salts[SALT_BYTES:] + _LENGTH.pack(len(manifest)) + manifest).digest()


def check_opening(leaf: Leaf, opening: Opening) -> None:
    """Raise ProofError unless the opening is what the entry's commitments were made of."""
    if commit_person(opening) != leaf.facts.person:
        raise ProofError("the opening names another person than the entry")
    if commit_name(opening) != leaf.facts.name:
        raise ProofError("the opening names another object than the entry")


def _read(decode: Callable[[bytes], T], stored: bytes, what: str) -> T:
    try:
        return decode(stored)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise LedgerFormError(f"{what} is cut or malformed") from None
