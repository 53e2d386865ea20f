"""What a consent is about: single objects, or all whose keys begin alike.

    s3://BUCKET/KEY       this object, in all its versions
    s3://BUCKET/PREFIX*   every object whose key begins so, `s3://BUCKET/*` all of the bucket

In the key, everything but printable ASCII, and blanks, `%` and `*`, is percent-encoded as UTF-8 (RFC 3986): two keys that look
alike are two texts.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.domain.limits import OBJECT_KEY_BYTES_MAX

_FORM: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([!-~]*)", re.ASCII)
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "%*")


class Scope(Struct, frozen=True):
    """One object, or all objects of a bucket whose keys begin with `key`."""

    bucket: str
    key: str
    is_prefix: bool = False

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{quote(self.key, safe=_SAFE)}{'*' if self.is_prefix else ''}"

    def has_object(self, bucket: str, object_key: str) -> bool:
        """Whether an object is in it."""
        if bucket != self.bucket:
            return False
        return object_key.startswith(self.key) if self.is_prefix else object_key == self.key

    def has_prefix(self, bucket: str, prefix: str) -> bool:
        """Whether every object whose key begins with `prefix`, however many there are, is in it."""
        return self.is_prefix and bucket == self.bucket and prefix.startswith(self.key)

    def covers(self, other: "Scope") -> bool:
        """Whether all of `other` is in it."""
        return self.has_prefix(other.bucket, other.key) if other.is_prefix else self.has_object(other.bucket, other.key)


def parse_scope(text: str) -> Scope:
    """Return what a text names. Raises LedgerFormError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise LedgerFormError("objects are named as in s3://bucket/key or s3://bucket/prefix*, other characters as %XX")
    encoded, is_prefix = found[2].removesuffix("*"), found[2].endswith("*")
    try:
        key = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise LedgerFormError("the key of an object is UTF-8") from None
    scope = Scope(found[1], key, is_prefix)
    if str(scope) != text:
        raise LedgerFormError("in the keys of objects all but printable ASCII is written as %XX, and so are % and *")
    if len(key.encode()) > OBJECT_KEY_BYTES_MAX or not (key or is_prefix):
        raise LedgerFormError(f"the key of an object has 1 to {OBJECT_KEY_BYTES_MAX} bytes")
    return scope


def is_within(narrow: Iterable[Scope], wide: Iterable[Scope]) -> bool:
    """Whether each of `narrow` is in one of `wide`."""
    wide = tuple(wide)
    return all(any(each.covers(scope) for each in wide) for scope in narrow)
