"""The parameters of lists, read once.

Source: Amazon S3 API Reference, ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads, ListParts, ListBuckets.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from siegel.domain.errors import InvalidArgumentError
from siegel.domain.limits import BUCKETS_PER_ACCOUNT_MAX, PAGE_ENTRIES_MAX, PART_NUMBER_MAX
from siegel.s3wire.names import decode_token, decode_version_id

_INTEGER_MAX: Final = (1 << 31) - 1
_DIGITS_MAX: Final = 10
BUCKETS_SCOPE: Final = "/buckets"
"""The scope of ListBuckets' tokens; no bucket has this name."""


class ObjectQuery(Struct, frozen=True, kw_only=True):
    """ListObjects (`is_v2` false) and ListObjectsV2.

    `after` is where the page begins (exclusive); `marker`, `start_after` and `token` are what the client sent, to be shown again.
    """

    is_v2: bool
    prefix: str
    delimiter: str
    max_keys: int
    after: str
    marker: str
    start_after: str
    token: str | None
    is_url_encoded: bool
    fetch_owner: bool


class VersionQuery(Struct, frozen=True, kw_only=True):
    """ListObjectVersions. The page begins behind version `version_id_marker` of `key_marker`, or behind the whole key."""

    prefix: str
    delimiter: str
    max_keys: int
    key_marker: str
    version_id_marker: str
    is_url_encoded: bool


class UploadQuery(Struct, frozen=True, kw_only=True):
    """ListMultipartUploads. The page begins behind upload `upload_id_marker` of `key_marker`, or behind the whole key."""

    prefix: str
    delimiter: str
    max_uploads: int
    key_marker: str
    upload_id_marker: str
    is_url_encoded: bool


class PartQuery(Struct, frozen=True, kw_only=True):
    """ListParts, and the parts in GetObjectAttributes. The page begins behind `part_number_marker`."""

    max_parts: int
    part_number_marker: int


class BucketQuery(Struct, frozen=True, kw_only=True):
    """ListBuckets. `after` is the name behind which the page begins; `region` is None where all are wanted."""

    prefix: str
    max_buckets: int
    after: str
    region: str | None


def parse_integer(name: str, text: str, low: int, high: int = _INTEGER_MAX) -> int:
    """Return a whole number of plain digits in [low, high]. Raises InvalidArgumentError, naming the parameter."""
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX and low <= int(text) <= high:
        return int(text)
    raise InvalidArgumentError(
        f"Provided {name} not an integer or within integer range", fields={"ArgumentName": name, "ArgumentValue": text}
    )


def parse_part_number(text: str) -> int:
    """Return a part number. Raises InvalidArgumentError unless it is in 1 to 10,000."""
    try:
        return parse_integer("partNumber", text, 1, PART_NUMBER_MAX)
    except InvalidArgumentError as refusal:
        message = f"Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive"
        raise InvalidArgumentError(message, fields=refusal.fields) from None


def _page_size(values: Mapping[str, str], name: str, limit: int = PAGE_ENTRIES_MAX) -> int:
    text = values.get(name)
    return limit if text is None else min(parse_integer(name, text, 0), limit)


def _is_url_encoded(query: Mapping[str, str]) -> bool:
    value = query.get("encoding-type", "")
    if value.lower() not in {"", "url"}:
        raise InvalidArgumentError(
            "Invalid Encoding Method specified in Request", fields={"ArgumentName": "encoding-type", "ArgumentValue": value}
        )
    return bool(value)


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise InvalidArgumentError(f"{name} must be true or false", fields={"ArgumentName": name, "ArgumentValue": value})
    return value == "true"


def parse_object_query(query: Mapping[str, str], bucket: str) -> ObjectQuery:
    """Read ListObjects or, with `list-type=2`, ListObjectsV2. A token wins over `start-after`. Raises InvalidArgumentError."""
    is_v2 = "list-type" in query
    if is_v2 and query["list-type"] != "2":
        raise InvalidArgumentError("Invalid List Type specified in Request", fields={"ArgumentName": "list-type"})
    token = query.get("continuation-token") if is_v2 else None
    marker = "" if is_v2 else query.get("marker", "")
    start_after = query.get("start-after", "") if is_v2 else ""
    return ObjectQuery(
        is_v2=is_v2,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        max_keys=_page_size(query, "max-keys"),
        after=decode_token(bucket, token) if token is not None else marker or start_after,
        marker=marker,
        start_after=start_after,
        token=token,
        is_url_encoded=_is_url_encoded(query),
        fetch_owner=is_v2 and _flag(query, "fetch-owner"),
    )


def parse_version_query(query: Mapping[str, str]) -> VersionQuery:
    """Read ListObjectVersions. Raises InvalidArgumentError."""
    key_marker = query.get("key-marker", "")
    version_id_marker = query.get("version-id-marker", "")
    if version_id_marker:
        if not key_marker:
            raise InvalidArgumentError(
                "A version-id marker cannot be specified without a key marker.",
                fields={"ArgumentName": "version-id-marker", "ArgumentValue": version_id_marker},
            )
        decode_version_id(version_id_marker)
    return VersionQuery(
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        max_keys=_page_size(query, "max-keys"),
        key_marker=key_marker,
        version_id_marker=version_id_marker,
        is_url_encoded=_is_url_encoded(query),
    )


def parse_upload_query(query: Mapping[str, str]) -> UploadQuery:
    """Read ListMultipartUploads. An upload id marker means nothing without a key marker. Raises InvalidArgumentError."""
    key_marker = query.get("key-marker", "")
    return UploadQuery(
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        max_uploads=_page_size(query, "max-uploads"),
        key_marker=key_marker,
        upload_id_marker=query.get("upload-id-marker", "") if key_marker else "",
        is_url_encoded=_is_url_encoded(query),
    )


def parse_part_query(query: Mapping[str, str]) -> PartQuery:
    """Read ListParts. Raises InvalidArgumentError."""
    return _part_query(query, "max-parts", "part-number-marker")


def parse_attribute_part_query(headers: Mapping[str, str]) -> PartQuery:
    """Read the page of parts that GetObjectAttributes asks for in its headers. Raises InvalidArgumentError."""
    return _part_query(headers, "x-amz-max-parts", "x-amz-part-number-marker")


def _part_query(values: Mapping[str, str], size_name: str, marker_name: str) -> PartQuery:
    return PartQuery(
        max_parts=_page_size(values, size_name),
        part_number_marker=parse_integer(marker_name, values.get(marker_name, "0") or "0", 0),
    )


def parse_bucket_query(query: Mapping[str, str]) -> BucketQuery:
    """Read ListBuckets. Raises InvalidArgumentError."""
    token = query.get("continuation-token", "")
    size = query.get("max-buckets")
    return BucketQuery(
        prefix=query.get("prefix", ""),
        max_buckets=BUCKETS_PER_ACCOUNT_MAX if size is None else parse_integer("max-buckets", size, 1, BUCKETS_PER_ACCOUNT_MAX),
        after=decode_token(BUCKETS_SCOPE, token) if token else "",
        region=query.get("bucket-region") or None,
    )
