"""What sealed bytes are bound to: the place they belong to and the purpose they serve, in one canonical encoding.

Bytes sealed for one context open for no other, so nothing can be moved, swapped or put to another use.

    offset  size  field
    0       11    "SIEGEL-CTX" and the version of this encoding, 0x01
    11      1     purpose
    12      8     bucket id, big-endian
    20      2     length of the account id
    22      2     length of the object key
    24      2     length of the version id
    26      ...   account id, object key (UTF-8), version id, then the purpose's own detail up to the end
"""

from enum import IntEnum
from functools import lru_cache
from struct import Struct as Layout
from typing import Final

from msgspec import Struct

_MARKER: Final = b"SIEGEL-CTX\x01"
_LENGTHS: Final = Layout(">QHHH")
# A request seals or opens several things of one place, one after the other.
_PLACES_KEPT_MAX: Final = 64


class Place(Struct, frozen=True):
    """Where sealed bytes belong: one version of one object. `version_id` has 16 bytes and is fixed before anything is sealed."""

    account_id: str
    bucket_id: int
    object_key: str
    version_id: bytes


class Purpose(IntEnum):
    """What sealed bytes are for. The numbers are stored inside every seal: never change them."""

    SEGMENT = 1  # a sealed body; detail: suite, part number, data id
    DATA_KEY = 2  # a data key under the account's wrapping key
    CUSTOMER_KEY = 3  # a data key under the key of the request (SSE-C)
    HEAD = 4  # the sensitive metadata of a version
    TAGS = 5  # the tags of a version
    LAYOUT = 6  # the list of parts of a version
    UPLOAD_HEAD = 7  # the metadata of an upload in progress
    PART_HEAD = 8  # ETag and checksum of a part; detail: part number, size, data id
    PART_CHECKSUMS = 9  # the checksums of a version's parts
    OBJECT_KEYS = 10  # data key and head key of a version under a key of the key service; detail: its settings
    LIST_HEAD = 11  # what a list shows of a version that was sealed again under a key of the key service


# By the purpose's number.
_FRONTS: Final = tuple(_MARKER + bytes((number,)) for number in range(max(Purpose) + 1))


def encode_context(purpose: Purpose, place: Place, detail: bytes = b"") -> bytes:
    """Return the canonical bytes of a context: different arguments never give the same bytes.

    `detail` is what else the purpose binds (see `Purpose`); it needs no length, being the last.
    """
    return b"".join((_FRONTS[purpose], _encode_place(place), detail))


@lru_cache(maxsize=_PLACES_KEPT_MAX)
def _encode_place(place: Place) -> bytes:
    account_id = place.account_id.encode()
    object_key = place.object_key.encode()
    version_id = place.version_id
    lengths = _LENGTHS.pack(place.bucket_id, len(account_id), len(object_key), len(version_id))
    return b"".join((lengths, account_id, object_key, version_id))
