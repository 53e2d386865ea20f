"""Where a sealed object belongs: the account, bucket and object key that were chosen when it was sealed."""

from typing import Final

from msgspec import Struct

from siegel.customer.sealing.refusals import SealingError
from siegel.envelope.context import Place

_SCHEME: Final = "s3://"
_OBJECT_KEY_BYTES_MAX: Final = 1024
_NAME_CHARS_MAX: Final = 255


class ObjectPlace(Struct, frozen=True):
    """The name of an object, as its sealer and its readers know it. `account_id` may be empty: then no account is bound."""

    bucket: str
    object_key: str
    account_id: str = ""

    @property
    def uri(self) -> str:
        """Return the place as people write it; the account is left out."""
        return f"{_SCHEME}{self.bucket}/{self.object_key}"

    def context(self, object_id: bytes) -> Place:
        """Return what the body is bound to. A bucket's name has no slash, so no two places give the same text."""
        return Place(self.account_id, 0, f"{self.bucket}/{self.object_key}", object_id)


def parse_uri(uri: str, account_id: str = "") -> ObjectPlace:
    """Read `s3://BUCKET/OBJECT-KEY`. Raises SealingError."""
    place = parse_prefix(uri, account_id)
    if not place.object_key:
        raise SealingError(f"{uri} names a bucket, not an object\ntry: s3://BUCKET/OBJECT-KEY")
    return place


def parse_prefix(uri: str, account_id: str = "") -> ObjectPlace:
    """Read `s3://BUCKET` or `s3://BUCKET/PREFIX`; the object key may be empty. Raises SealingError."""
    bucket, _, object_key = uri.removeprefix(_SCHEME).partition("/")
    if not uri.startswith(_SCHEME) or not bucket:
        raise SealingError(f"{uri!r} is not an address in a store\ntry: s3://BUCKET/OBJECT-KEY")
    if not _encodable(object_key, _OBJECT_KEY_BYTES_MAX):
        raise SealingError(f"an object key has at most {_OBJECT_KEY_BYTES_MAX} bytes of UTF-8")
    if not _encodable(bucket, _NAME_CHARS_MAX) or not _encodable(account_id, _NAME_CHARS_MAX):
        raise SealingError(f"names of buckets and accounts have at most {_NAME_CHARS_MAX} characters")
    return ObjectPlace(bucket, object_key, account_id)


def _encodable(text: str, bytes_max: int) -> bool:
    """Tell whether `text` is UTF-8 of at most so many bytes: a file's name may hold bytes that are no text at all."""
    try:
        return len(text.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False
