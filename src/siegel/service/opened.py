"""An object version that is open for one request, and what is made of it once for all requests that may open it."""

from typing import Final

from msgspec import Struct

from siegel.domain.errors import SealBrokenError
from siegel.domain.objects import Bucket, ObjectVersion, Storage
from siegel.envelope.context import Place
from siegel.envelope.segment import SmallSegment
from siegel.s3wire.dates import format_http_date
from siegel.s3wire.names import encode_version_id
from siegel.service.heads import Head, LayoutPart, open_layout
from siegel.service.keys import BucketKeys
from siegel.service.kms.custody import Protection
from siegel.service.objectkeys import Unwrapped

HeaderPairs = tuple[tuple[bytes, bytes], ...]
_ACCEPT_RANGES: Final = (b"accept-ranges", b"bytes")


class Made:
    """What is made of a version when it is first asked for: the headers that tell of it, its id as text, its body's keys."""

    __slots__ = ("headers", "segment", "version_text")

    def __init__(self) -> None:
        self.headers: HeaderPairs | None = None
        self.segment: SmallSegment | None = None
        self.version_text = ""


class Opened(Struct, frozen=True):
    """A version whose head and keys are open."""

    bucket: Bucket
    version: ObjectVersion
    place: Place
    head: Head
    unwrapped: Unwrapped
    keys: BucketKeys
    made: Made

    @property
    def version_text(self) -> str:
        """The version id as clients see it."""
        made = self.made
        if not made.version_text:
            made.version_text = version_text(self.version)
        return made.version_text

    @property
    def headers(self) -> HeaderPairs:
        """The headers of every answer that tells of this version: what identifies it, and what the client stored with it."""
        made = self.made
        if made.headers is None:
            made.headers = (
                (b"etag", b'"%b"' % self.head.etag.encode()),
                (b"last-modified", format_http_date(self.version.modified_at_ms).encode()),
                _ACCEPT_RANGES,
                *self.head.headers,
            )
        return made.headers

    @property
    def protection(self) -> Protection | None:
        """The key of the key service that the version is sealed under, None where it is under none."""
        return self.unwrapped.protection

    def parts(self) -> list[LayoutPart]:
        """Return the parts of the body in order; a body in one piece counts as one. Raises SealBrokenError."""
        version = self.version
        if version.storage is Storage.PARTS:
            return open_layout(self.keys.metadata, self.place, version.body)
        return [LayoutPart(0, version.size_bytes, version.data_id)]

    def inline_bytes(self) -> bytes:
        """Return the whole body of an INLINE version. Raises SealBrokenError."""
        version, made = self.version, self.made
        if version.body is None:
            raise SealBrokenError("the body is missing")
        if made.segment is None:
            key, size = self.unwrapped.data_key, version.size_bytes
            made.segment = SmallSegment(key, self.place, version.data_id, 0, sealed=version.body, plain_size=size)
        return made.segment.open(version.body)


def version_text(version: ObjectVersion) -> str:
    """Return a version's id as clients see it: `null`, or the text form of its 16 bytes."""
    return "null" if version.is_null else encode_version_id(version.version_id)
