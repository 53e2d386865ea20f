"""Ranges of bytes: the `Range` of a read and the `x-amz-copy-source-range` of a part's copy.

Sources: RFC 9110 section 14; Amazon S3 API Reference, GetObject and UploadPartCopy.
"""

import re
from typing import Final

from msgspec import Struct

from siegel.domain.errors import InvalidArgumentError, InvalidRangeError, InvalidRequestError

_RANGE: Final = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)
_COPY_RANGE: Final = re.compile(r"bytes=([0-9]+)-([0-9]+)")
_DIGITS_MAX: Final = 19
_BEYOND: Final = 1 << 63


class ByteRange(Struct, frozen=True):
    """A range that exists: 0 <= start <= stop <= size_bytes, which is the size of the whole object. Only a part may be empty."""

    start: int
    stop: int
    size_bytes: int

    @property
    def length(self) -> int:
        """How many bytes the range has."""
        return self.stop - self.start

    @property
    def content_range(self) -> str:
        """The value of the Content-Range header."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size_bytes}"


def _number(digits: str) -> int:
    """Return a position; one with more digits than any object has bytes stands for a place beyond all of them."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS_MAX else _BEYOND


def parse_range(value: str | None, size_bytes: int) -> ByteRange | None:
    """Return the one range that a `Range` header asks for, or None if the whole object is to be sent.

    As in S3, a header that is malformed, of another unit, or names several ranges is ignored. Raises InvalidRangeError if no
    byte of the object is in the range.
    """
    match = _RANGE.fullmatch(value) if value is not None else None
    if match is None:
        return None
    first, last = match.groups()
    if first:
        start = _number(first)
        stop = min(_number(last) + 1, size_bytes) if last else size_bytes
        if last and _number(last) < start:
            return None
    elif last:
        start, stop = max(size_bytes - _number(last), 0), size_bytes
    else:
        return None
    if start >= stop:
        raise InvalidRangeError(
            fields={"RangeRequested": match[0], "ActualObjectSize": str(size_bytes)},
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )
    return ByteRange(start, stop, size_bytes)


def named_range(value: str | None) -> str:
    """Return the range that a header asks for, of an object whose size nobody has looked up: `0-99`, `100-`, `-5`.

    It is empty where all is asked for, also by a header that `parse_range` ignores.
    """
    match = _RANGE.fullmatch(value) if value is not None else None
    if match is None or not any(match.groups()):
        return ""
    first, last = (_number(digits) if digits else None for digits in match.groups())
    if first is not None and last is not None and last < first:
        return ""
    return f"{'' if first is None else first}-{'' if last is None else last}"


def parse_copy_range(value: str | None, size_bytes: int) -> ByteRange | None:
    """Return the range of a copy's source, or None for all of it.

    Stricter than `parse_range`, as S3 is here: raises InvalidArgumentError unless it is `bytes=first-last` within the source,
    InvalidRequestError if it begins behind its end.
    """
    if value is None:
        return None
    match = _COPY_RANGE.fullmatch(value)
    if match is None or _number(match[2]) < _number(match[1]):
        raise InvalidArgumentError(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            fields={"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": value},
        )
    start, stop = _number(match[1]), _number(match[2]) + 1
    if start >= size_bytes:
        raise InvalidRequestError("The specified copy range is invalid for the source object size")
    if stop > size_bytes:
        raise InvalidArgumentError(
            f"Range specified is not valid for source object of size: {size_bytes}",
            fields={"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": value},
        )
    return ByteRange(start, stop, size_bytes)
