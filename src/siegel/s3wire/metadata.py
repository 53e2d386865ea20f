"""What an object carries besides its bytes: content headers, user metadata, storage class and redirect.

A value is text of one character for each byte that was sent (Latin-1), so that it can be given back exactly.

Sources: Amazon S3 User Guide, "Working with object metadata"; RFC 2047.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

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


_KEPT: Final[Mapping[str, Callable[[str], str]]] = {
    "cache-control": str,
    "content-disposition": str,
    "content-encoding": _without_framing,
    "content-language": str,
    "expires": str,
    "x-amz-website-redirect-location": _redirect,
}


def parse_kept_headers(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return what a PutObject, CreateMultipartUpload or replacing copy wants kept with its object, ready to be sent back.

    Raises MetadataTooLargeError, InvalidStorageClassError, InvalidRedirectLocationError, InvalidArgumentError.
    """
    storage_class = headers.get("x-amz-storage-class", STORAGE_CLASS)
    if storage_class != STORAGE_CLASS:
        raise InvalidStorageClassError(fields={"StorageClassRequested": storage_class})
    kept = {"content-type": headers.get("content-type") or DEFAULT_CONTENT_TYPE}
    for name, read in _KEPT.items():
        value = read(headers[name]) if name in headers else ""
        if value:
            kept[name] = value
    for name, value in _user_metadata(headers):
        kept[name] = value if value.isascii() else _encode_word(value)
    return tuple([(name.encode(), value.encode("latin-1")) for name, value in kept.items()])


def _user_metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    found = [pair for pair in headers.items() if pair[0].startswith(USER_METADATA_PREFIX)]
    cut, size = len(USER_METADATA_PREFIX), 0
    for name, value in found:
        if not _NAME.fullmatch(name, cut):
            raise InvalidArgumentError("The name of a user metadata header is not one.", fields={"ArgumentName": "x-amz-meta-"})
        size += len(name) - cut + len(value)
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
