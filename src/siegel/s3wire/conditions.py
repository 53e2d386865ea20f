"""Conditions on an object's state: of reads, of a copy's source, of writes and of deletes.

Headers in, frozen values out; a value's `check` compares it with the state and raises. Times are compared by whole seconds.

Sources: RFC 9110 section 13; Amazon S3 User Guide, "Conditional requests".
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from siegel.domain.errors import (
    InvalidArgumentError,
    NoSuchKeyError,
    NotModifiedError,
    PreconditionFailedError,
    S3Error,
    UnsupportedFeatureError,
)
from siegel.s3wire.dates import format_http_date, parse_date

COPY_SOURCE_PREFIX: Final = "x-amz-copy-source-"
_SIZE_DIGITS_MAX: Final = 19
_ANY: Final = "*"


def parse_etags(value: str) -> tuple[str, ...]:
    """Return the tags of an If-Match or If-None-Match list, without weak marks and quotes; `*` stands for any.

    Quotes may be missing, as S3 allows. Its tags hold no comma, so a comma always parts two members.
    """
    members = (member.strip(" \t") for member in value.split(","))
    return tuple(member.removeprefix("W/").strip('"') for member in members if member)


def names_etag(value: str) -> bool:
    """Whether an If-Match asks what is in an object, and not only whether there is one."""
    return _ANY not in parse_etags(value)


def _matches(tags: tuple[str, ...], etag: str) -> bool:
    return etag in tags or _ANY in tags


def _failed(condition: str) -> PreconditionFailedError:
    return PreconditionFailedError(fields={"Condition": condition})


class ReadConditions(Struct, frozen=True):
    """The conditions of a GET or HEAD, or of a copy's source (`is_copy`: there nothing answers 304). None: not asked."""

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    if_modified_since_ms: int | None = None
    if_unmodified_since_ms: int | None = None
    is_copy: bool = False

    def check(self, etag: str, modified_at_ms: int) -> None:
        """Compare with the object, `etag` without quotes.

        Raises PreconditionFailedError, or NotModifiedError which carries ETag and Last-Modified. If-Match overrules
        If-Unmodified-Since, If-None-Match overrules If-Modified-Since (RFC 9110 section 13.2.2).
        """
        modified_s = modified_at_ms // 1000
        if self.if_match is not None:
            if not _matches(self.if_match, etag):
                raise self._failed("If-Match")
        elif self.if_unmodified_since_ms is not None and modified_s > self.if_unmodified_since_ms // 1000:
            raise self._failed("If-Unmodified-Since")
        if self.if_none_match is not None:
            if _matches(self.if_none_match, etag):
                raise self._unchanged("If-None-Match", etag, modified_at_ms)
        elif self.if_modified_since_ms is not None and modified_s <= self.if_modified_since_ms // 1000:
            raise self._unchanged("If-Modified-Since", etag, modified_at_ms)

    def _failed(self, condition: str) -> PreconditionFailedError:
        return _failed(f"{COPY_SOURCE_PREFIX if self.is_copy else ''}{condition}")

    def _unchanged(self, condition: str, etag: str, modified_at_ms: int) -> PreconditionFailedError | NotModifiedError:
        if self.is_copy:
            return self._failed(condition)
        return NotModifiedError(headers={"ETag": f'"{etag}"', "Last-Modified": format_http_date(modified_at_ms)})


NO_READ_CONDITIONS: Final = ReadConditions()
_OF_READS: Final = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})


def parse_read_conditions(headers: Mapping[str, str], prefix: str = "") -> ReadConditions:
    """Return the conditions of a read, or with `COPY_SOURCE_PREFIX` those of a copy's source. A date that is none is ignored."""
    if not prefix and _OF_READS.isdisjoint(headers):
        return NO_READ_CONDITIONS
    match = headers.get(f"{prefix}if-match")
    none_match = headers.get(f"{prefix}if-none-match")
    modified = headers.get(f"{prefix}if-modified-since")
    unmodified = headers.get(f"{prefix}if-unmodified-since")
    if match is None and none_match is None and modified is None and unmodified is None:
        return NO_READ_CONDITIONS
    return ReadConditions(
        parse_etags(match) if match is not None else None,
        parse_etags(none_match) if none_match is not None else None,
        parse_date(modified) if modified is not None else None,
        parse_date(unmodified) if unmodified is not None else None,
        prefix == COPY_SOURCE_PREFIX,
    )


def range_applies(if_range: str | None, etag: str, modified_at_ms: int) -> bool:
    """Whether a Range is to be honoured: always without If-Range, else only if the object is exactly the one it names."""
    if if_range is None:
        return True
    date_ms = parse_date(if_range)
    if date_ms is not None:
        return date_ms // 1000 == modified_at_ms // 1000
    return if_range.strip('"') == etag


class WriteConditions(Struct, frozen=True):
    """The conditions of a write: on the key being absent, or on the tag of what is there."""

    if_match: tuple[str, ...] | None = None
    if_absent: bool = False

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return self.if_absent or self.if_match is not None

    def check(self, object_key: str, current_etag: str | None) -> None:
        """Compare with the tag of a key's current object, None if there is none (a delete marker counts as none).

        Raises PreconditionFailedError, or NoSuchKeyError where If-Match finds nothing.
        """
        if self.if_absent and current_etag is not None:
            raise _failed("If-None-Match")
        if self.if_match is None:
            return
        if current_etag is None:
            raise NoSuchKeyError(fields={"Key": object_key})
        if not _matches(self.if_match, current_etag):
            raise _failed("If-Match")


NO_WRITE_CONDITIONS: Final = WriteConditions()
_NO_WRITE_DATES: Final = ("if-modified-since", "if-unmodified-since")


def parse_write_conditions(headers: Mapping[str, str]) -> WriteConditions:
    """Return the conditions of PutObject, CompleteMultipartUpload or a copy's destination.

    Raises UnsupportedFeatureError for those that S3 does not know here: If-None-Match other than `*`, dates, or both tags.
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    for name in _NO_WRITE_DATES:
        if name in headers:
            raise _unsupported(name)
    if match is None and none_match is None:
        return NO_WRITE_CONDITIONS
    if none_match is not None and (match is not None or parse_etags(none_match) != (_ANY,)):
        raise _unsupported("if-none-match")
    return WriteConditions(parse_etags(match) if match is not None else None, none_match is not None)


def _unsupported(header: str) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        "A header you provided implies functionality that is not implemented", fields={"Header": header.title()}
    )


class DeleteConditions(Struct, frozen=True):
    """The conditions of a delete, by header or for each object of DeleteObjects."""

    if_match: tuple[str, ...] | None = None
    size_bytes: int | None = None
    modified_at_ms: int | None = None

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return self.if_match is not None or self.size_bytes is not None or self.modified_at_ms is not None

    def check(self, etag: str, size_bytes: int, modified_at_ms: int) -> None:
        """Compare with an object that is there. Raises PreconditionFailedError."""
        if self.if_match is not None and not _matches(self.if_match, etag):
            raise _failed("If-Match")
        if self.size_bytes is not None and self.size_bytes != size_bytes:
            raise _failed("x-amz-if-match-size")
        if self.modified_at_ms is not None and self.modified_at_ms // 1000 != modified_at_ms // 1000:
            raise _failed("x-amz-if-match-last-modified-time")

    def check_absent(self, refusal: S3Error) -> None:
        """Raise `refusal` if the conditions ask for an object: If-Match does, size and time hold where there is none."""
        if self.if_match is not None:
            raise refusal


NO_DELETE_CONDITIONS: Final = DeleteConditions()


def parse_delete_conditions(headers: Mapping[str, str]) -> DeleteConditions:
    """Return the conditions of DeleteObject. Raises InvalidArgumentError for a size or a date that is none."""
    return make_delete_conditions(
        headers.get("if-match"), headers.get("x-amz-if-match-size"), headers.get("x-amz-if-match-last-modified-time")
    )


def make_delete_conditions(etags: str | None, size: str | None, modified: str | None) -> DeleteConditions:
    """Return the conditions that these texts state, each None where it is not asked. Raises InvalidArgumentError."""
    if etags is None and size is None and modified is None:
        return NO_DELETE_CONDITIONS
    size_bytes = modified_at_ms = None
    if size is not None:
        if not (size.isascii() and size.isdecimal() and len(size) <= _SIZE_DIGITS_MAX):
            raise InvalidArgumentError("The size to match is not a number of bytes.", fields={"ArgumentValue": size})
        size_bytes = int(size)
    if modified is not None:
        modified_at_ms = parse_date(modified)
        if modified_at_ms is None:
            raise InvalidArgumentError("The last modified time to match is not a date.", fields={"ArgumentValue": modified})
    return DeleteConditions(parse_etags(etags) if etags is not None else None, size_bytes, modified_at_ms)
