"""The sealed head of an object version: ETag, checksum, content headers and user metadata; its tags; its layout of parts.

Format page: `docs/design/formats/metadata.md`. In provider mode the bucket's metadata key seals the head; in customer-key mode
a key derived from the object's own data key does, so that even a HEAD needs the customer's key. Tags and layouts, which
deleting and lifecycle must read, always rest under the bucket's metadata key.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from struct import Struct as Layout
from typing import Final

import msgspec
from msgspec import Struct

from siegel.domain.errors import SealBrokenError
from siegel.domain.objects import ObjectVersion
from siegel.envelope.context import Place, Purpose, encode_context
from siegel.envelope.record import RecordKey, open_record, seal_record
from siegel.service.keys import BucketKeys

# The clear columns that a head binds: size, time, mode, storage, part count, data id; a part binds number, size, data id.
_HEAD_DETAIL: Final = Layout(">QQBBI16s")
_PART_DETAIL: Final = Layout(">IQ16s")
# No ETag begins like this.
_SEALED_ETAG: Final = "="


class Head(Struct, frozen=True, array_like=True):
    """What `sealed_head` holds. `headers` are the response headers that the client stored, ready to be sent."""

    etag: str
    checksum_algorithm: str
    checksum_type: str
    checksum: str
    headers: tuple[tuple[bytes, bytes], ...]


class ListHead(Struct, frozen=True, array_like=True):
    """The front of a Head: all that a list needs."""

    etag: str
    checksum_algorithm: str
    checksum_type: str


class PartHead(Struct, frozen=True, array_like=True):
    """What a part's `sealed_head` holds: its ETag (MD5 of its plaintext; random with SSE-C) and the digest of its checksum."""

    etag: str
    checksum: bytes


class LayoutPart(Struct, frozen=True, array_like=True):
    """One part of a finished object: the number it was sealed under, its size, its blob."""

    part_number: int
    size_bytes: int
    data_id: bytes


class UploadHead(Struct, frozen=True, array_like=True):
    """What an upload in progress knows of its object. `head_key` is there for SSE-C only.

    A Complete comes without the customer's key, yet the object's head must be sealed out of the provider's reach. So the key that
    seals this one head (it opens no content) rests under the bucket's metadata key for as long as the upload lasts.
    """

    head: Head
    head_key: bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_head: Final = msgspec.msgpack.Decoder(Head).decode
_decode_list_head: Final = msgspec.msgpack.Decoder(ListHead).decode
_decode_part_head: Final = msgspec.msgpack.Decoder(PartHead).decode
_decode_upload_head: Final = msgspec.msgpack.Decoder(UploadHead).decode
_decode_pair: Final = msgspec.msgpack.Decoder(tuple[bytes, bytes]).decode
_decode_checksums: Final = msgspec.msgpack.Decoder(list[str]).decode
_decode_layout: Final = msgspec.msgpack.Decoder(list[LayoutPart]).decode
_decode_tags: Final = msgspec.msgpack.Decoder(list[tuple[str, str]]).decode


def place_of(account_id: str, version: ObjectVersion) -> Place:
    """Return the place that a version's seals are bound to."""
    return Place(account_id, version.bucket_id, version.object_key, version.version_id)


def _head_context(place: Place, version: ObjectVersion) -> bytes:
    """Bind the head to the clear columns beside it, so that none of them can be changed unnoticed."""
    detail = _HEAD_DETAIL.pack(
        version.size_bytes, version.modified_at_ms, version.mode, version.storage, version.part_count, version.data_id
    )
    return encode_context(Purpose.HEAD, place, detail)


def seal_head(key: RecordKey, place: Place, version: ObjectVersion, head: Head, nonce: bytes) -> bytes:
    """Seal a head for the version beside whose columns it will rest."""
    return key.seal(_encode(head), _head_context(place, version), nonce)


def seal_own_head(secret: bytes, place: Place, version: ObjectVersion, head: Head, nonce: bytes) -> bytes:
    """Seal the head of a version that has a key of its own for it, as `seal_head` does."""
    return seal_record(secret, _encode(head), _head_context(place, version), nonce)


def open_head(key: RecordKey, place: Place, version: ObjectVersion) -> Head:
    """Open a version's head. Raises SealBrokenError."""
    return _decode_head(key.open(version.sealed_head, _head_context(place, version)))


def open_own_head(secret: bytes, place: Place, version: ObjectVersion) -> Head:
    """Open a version's head that has a key of its own. Raises SealBrokenError."""
    return _decode_head(open_record(secret, version.sealed_head, _head_context(place, version)))


def open_list_head(key: RecordKey, place: Place, version: ObjectVersion) -> ListHead:
    """Open as much of a version's head as a list shows. Raises SealBrokenError."""
    return _decode_list_head(key.open(version.sealed_head, _head_context(place, version)))


def seal_list_head(key: RecordKey, place: Place, head: Head, nonce: bytes) -> str:
    """Return what rests in the column of an ETag that must not stand there in clear, though its head opens no more for lists."""
    shown = ListHead(head.etag, head.checksum_algorithm, head.checksum_type)
    sealed = key.seal(_encode(shown), encode_context(Purpose.LIST_HEAD, place), nonce)
    return _SEALED_ETAG + b64encode(sealed).decode()


def shown_head(keys: BucketKeys, account_id: str, version: ObjectVersion) -> ListHead:
    """Return what a list shows of a version; under a customer's key that is a random ETag and no more. Raises SealBrokenError."""
    etag = version.etag
    if not etag:
        return open_list_head(keys.metadata, place_of(account_id, version), version)
    if etag[0] != _SEALED_ETAG:
        return ListHead(etag, "", "")
    context = encode_context(Purpose.LIST_HEAD, place_of(account_id, version))
    return _decode_list_head(keys.metadata.open(b64decode(etag[1:]), context))


def etag_of(keys: BucketKeys, account_id: str, version: ObjectVersion) -> str:
    """Return a version's ETag without quotes. Raises SealBrokenError."""
    return shown_head(keys, account_id, version).etag


def seal_upload_head(key: RecordKey, place: Place, head: UploadHead, nonce: bytes) -> bytes:
    """Seal, under the bucket's metadata key, the head that an upload will give to its object."""
    return key.seal(_encode(head), encode_context(Purpose.UPLOAD_HEAD, place), nonce)


def open_upload_head(key: RecordKey, place: Place, sealed: bytes) -> UploadHead:
    """Open what `seal_upload_head` made. Raises SealBrokenError."""
    return _decode_upload_head(key.open(sealed, encode_context(Purpose.UPLOAD_HEAD, place)))


def _part_context(place: Place, part: LayoutPart) -> bytes:
    return encode_context(Purpose.PART_HEAD, place, _PART_DETAIL.pack(part.part_number, part.size_bytes, part.data_id))


def seal_part_head(key: RecordKey, place: Place, part: LayoutPart, head: PartHead, nonce: bytes) -> bytes:
    """Seal a part's digests, bound to the part's number, size and blob."""
    return key.seal(_encode(head), _part_context(place, part), nonce)


def open_part_head(key: RecordKey, place: Place, part: LayoutPart, sealed: bytes) -> PartHead:
    """Open what `seal_part_head` made. Raises SealBrokenError."""
    return _decode_part_head(key.open(sealed, _part_context(place, part)))


def seal_tags(key: RecordKey, place: Place, tags: Sequence[tuple[str, str]], nonce: bytes) -> bytes:
    """Seal an object's tags; no tags are no bytes."""
    return key.seal(_encode(tags), encode_context(Purpose.TAGS, place), nonce) if tags else b""


def open_tags(key: RecordKey, place: Place, sealed: bytes) -> list[tuple[str, str]]:
    """Open what `seal_tags` made. Raises SealBrokenError."""
    return _decode_tags(key.open(sealed, encode_context(Purpose.TAGS, place))) if sealed else []


def seal_layout(key: RecordKey, place: Place, parts: Sequence[LayoutPart], nonce: bytes) -> bytes:
    """Seal the list of an object's parts under the bucket's metadata key: deleting must read it without the customer."""
    return key.seal(_encode(parts), encode_context(Purpose.LAYOUT, place), nonce)


def replace_part_checksums(body: bytes | None, sealed_checksums: bytes) -> bytes:
    """Return the body of a PARTS version with its checksums sealed anew. Raises SealBrokenError."""
    return join_layout(_split_layout(body)[0], sealed_checksums)


def seal_part_checksums(key: RecordKey, place: Place, checksums: Sequence[str], nonce: bytes) -> bytes:
    """Seal the parts' checksums, in the layout's order, under the head's key: they tell something of the content."""
    return key.seal(_encode(checksums), encode_context(Purpose.PART_CHECKSUMS, place), nonce)


def join_layout(sealed_layout: bytes, sealed_checksums: bytes) -> bytes:
    """Put a sealed layout and its sealed checksums into the one body that a PARTS version rests as."""
    return _encode((sealed_layout, sealed_checksums))


def open_layout(key: RecordKey, place: Place, body: bytes | None) -> list[LayoutPart]:
    """Open the layout in a PARTS version's body. Raises SealBrokenError, also where it is missing."""
    return _decode_layout(key.open(_split_layout(body)[0], encode_context(Purpose.LAYOUT, place)))


def open_part_checksums(key: RecordKey, place: Place, body: bytes | None) -> list[str]:
    """Open the parts' checksums in a PARTS version's body; without checksums the list is empty. Raises SealBrokenError."""
    sealed = _split_layout(body)[1]
    return _decode_checksums(key.open(sealed, encode_context(Purpose.PART_CHECKSUMS, place))) if sealed else []


def _split_layout(body: bytes | None) -> tuple[bytes, bytes]:
    if body is None:
        raise SealBrokenError("the layout of the object's parts is missing")
    try:
        return _decode_pair(body)
    except msgspec.DecodeError as error:
        raise SealBrokenError("the layout of the object's parts is damaged") from error
