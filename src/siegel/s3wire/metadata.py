"""What an object carries besides its bytes: content headers, user metadata, storage class and redirect.

A value is text of one character for each byte that was sent (Latin-1), so that it can be given back exactly.

Sources: Amazon S3 User Guide, "Working with object metadata"; RFC 2047.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from siegel.domain.errors import (
    InvalidArgumentError,
    InvalidRedirectLocationError,
    InvalidRequestError,
    InvalidStorageClassError,
    MetadataTooLargeError,
)
from siegel.domain.limits import USER_METADATA_BYTES_MAX

USER_METADATA_PREFIX: Final = "x-amz-meta-"
DEFAULT_CONTENT_TYPE: Final = "binary/octet-stream"
STORAGE_CLASS: Final = "STANDARD"
REDIRECT_BYTES_MAX: Final = 2048

# A token of RFC 9110: names that came by the query of a presigned URL went through no HTTP parser.
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_FRAMING: Final = "aws-chunked"
_CONTROLS: Final = frozenset(chr(code) for code in (*range(32), 127)) - {"\t"}
_RESPONSE_OVERRIDES: Final = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}


class ContentHead(Struct, frozen=True, omit_defaults=True):
    """The headers that are kept with an object and come back with it. Empty text: the header was not given."""

    content_type: str = DEFAULT_CONTENT_TYPE
    cache_control: str = ""
    content_disposition: str = ""
    content_encoding: str = ""
    content_language: str = ""
    expires: str = ""
    website_redirect_location: str = ""
    user_metadata: dict[str, str] = field(default_factory=dict)

    def to_headers(self) -> dict[str, str]:
        """Return the response headers, each with a value that fits into one."""
        given = (
            ("Content-Type", self.content_type),
            ("Cache-Control", self.cache_control),
            ("Content-Disposition", self.content_disposition),
            ("Content-Encoding", self.content_encoding),
            ("Content-Language", self.content_language),
            ("Expires", self.expires),
            ("x-amz-website-redirect-location", self.website_redirect_location),
        )
        headers = {name: value for name, value in given if value}
        for name, value in self.user_metadata.items():
            headers[USER_METADATA_PREFIX + name] = value if value.isascii() else _encode_word(value)
        return headers


class Directive(StrEnum):
    """Whether a copy keeps what its source has, or takes what the request says."""

    COPY = "COPY"
    REPLACE = "REPLACE"


def _encode_word(value: str) -> str:
    """Return the RFC 2047 form of a value that is not ASCII: what was sent as UTF-8, or else as Latin-1."""
    raw = value.encode("latin-1")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raw = value.encode()
    return f"=?UTF-8?B?{b64encode(raw).decode('ascii')}?="


def parse_content_head(headers: Mapping[str, str]) -> ContentHead:
    """Return what a PutObject, CreateMultipartUpload or replacing copy wants kept.

    Raises MetadataTooLargeError, InvalidStorageClassError, InvalidRedirectLocationError, InvalidArgumentError.
    """
    storage_class = headers.get("x-amz-storage-class", STORAGE_CLASS)
    if storage_class != STORAGE_CLASS:
        raise InvalidStorageClassError(fields={"StorageClassRequested": storage_class})
    return ContentHead(
        content_type=headers.get("content-type") or DEFAULT_CONTENT_TYPE,
        cache_control=headers.get("cache-control", ""),
        content_disposition=headers.get("content-disposition", ""),
        content_encoding=_without_framing(headers.get("content-encoding", "")),
        content_language=headers.get("content-language", ""),
        expires=headers.get("expires", ""),
        website_redirect_location=_redirect(headers.get("x-amz-website-redirect-location", "")),
        user_metadata=_user_metadata(headers),
    )


def _without_framing(encoding: str) -> str:
    """Return a Content-Encoding without `aws-chunked`, which speaks of the transfer; the rest stays as it was."""
    if _FRAMING not in encoding.lower():
        return encoding
    tokens = (token.strip(" \t") for token in encoding.split(","))
    return ", ".join(token for token in tokens if token and token.lower() != _FRAMING)


def _redirect(location: str) -> str:
    if location and not location.startswith(("/", "http://", "https://")):
        raise InvalidRedirectLocationError
    if len(location) > REDIRECT_BYTES_MAX:
        raise InvalidRedirectLocationError(f"The length of website redirect location cannot exceed {REDIRECT_BYTES_MAX} bytes.")
    return location


def _user_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    cut = len(USER_METADATA_PREFIX)
    found = {name[cut:]: value for name, value in headers.items() if name.startswith(USER_METADATA_PREFIX)}
    for name in found:
        if not _NAME.fullmatch(name):
            raise InvalidArgumentError("The name of a user metadata header is not one.", fields={"ArgumentName": "x-amz-meta-"})
    size = sum(map(len, found)) + sum(map(len, found.values()))
    if size > USER_METADATA_BYTES_MAX:
        raise MetadataTooLargeError(fields={"Size": str(size), "MaxSizeAllowed": str(USER_METADATA_BYTES_MAX)})
    return found


def parse_directive(headers: Mapping[str, str], header: str) -> Directive:
    """Return what `x-amz-metadata-directive` or `x-amz-tagging-directive` asks for. Raises InvalidArgumentError."""
    value = headers.get(header, Directive.COPY.value)
    try:
        return Directive(value)
    except ValueError:
        raise InvalidArgumentError(
            f"Unknown {header.removeprefix('x-amz-').replace('-', ' ')}.", fields={"ArgumentName": header, "ArgumentValue": value}
        ) from None


def parse_response_overrides(query: Mapping[str, str], *, is_signed: bool) -> dict[str, str]:
    """Return the response headers that the `response-*` parameters of a GET or HEAD set.

    Raises InvalidRequestError for an anonymous request, InvalidArgumentError for control characters, which could end a header.
    """
    headers: dict[str, str] = {}
    for name, header in _RESPONSE_OVERRIDES.items():
        value = query.get(name)
        if value is None:
            continue
        if not is_signed:
            raise InvalidRequestError("Request specific response headers cannot be used for anonymous GET requests.")
        if not _CONTROLS.isdisjoint(value):
            raise InvalidArgumentError("Header value cannot hold control characters.", fields={"ArgumentName": name})
        headers[header] = value.encode().decode("latin-1")
    return headers
