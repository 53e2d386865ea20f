"""Names that travel as text: version ids, copy sources, and the opaque tokens with which a list is continued.

Source: Amazon S3 API Reference, CopyObject and ListObjectsV2.
"""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from msgspec import Struct

from siegel.domain.errors import InvalidArgumentError, InvalidURIError, KeyTooLongError
from siegel.domain.limits import OBJECT_KEY_BYTES_MAX
from siegel.s3wire.uri import decode

NULL_VERSION: Final = "null"
_VERSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_VERSION_MARK: Final = "?versionId="
_TOKEN_FORMAT: Final = b"\x01"
_TOKEN_CHECK_BYTES: Final = 8
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{12,8192}")


def encode_version_id(version_id: bytes | None) -> str:
    """Return the text of a version's 16 random bytes, 22 characters of base64url; None is the null version."""
    return NULL_VERSION if version_id is None else urlsafe_b64encode(version_id)[:22].decode("ascii")


def decode_version_id(text: str) -> bytes | None:
    """Return the bytes of a version id, None for `null`. Raises InvalidArgumentError for anything else."""
    if text == NULL_VERSION:
        return None
    if _VERSION_ID.fullmatch(text) is None:
        raise InvalidArgumentError("Invalid version id specified", fields={"ArgumentName": "versionId", "ArgumentValue": text})
    return urlsafe_b64decode(text + "==")


def named_version(text: str | None) -> str:
    """Return the version id that a request names, empty where it names none or what cannot be one."""
    return text if text == NULL_VERSION or (text is not None and _VERSION_ID.fullmatch(text)) else ""


class CopySource(Struct, frozen=True):
    """The object that a copy reads. `version_id` is text that `decode_version_id` accepts; None: the current version."""

    bucket: str
    object_key: str
    version_id: str | None


def parse_copy_source(value: str) -> CopySource:
    """Return the object that an `x-amz-copy-source` header names.

    The form is `bucket/key`, percent-encoded, with an optional slash before it and `?versionId=...` behind it. It is decoded
    exactly once; everything behind the first slash is the key. Raises InvalidArgumentError, KeyTooLongError.
    """
    path, mark, version_id = value.rpartition(_VERSION_MARK)
    if not mark:
        path = value
    try:
        bucket, slash, object_key = decode(path.encode("latin-1")).removeprefix("/").partition("/")
    except InvalidURIError:
        raise _bad_source(value, "The copy source must be URL-encoded UTF-8.") from None
    if not slash or not object_key or _BUCKET.fullmatch(bucket) is None or "\0" in object_key:
        raise _bad_source(value, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    if len(object_key.encode()) > OBJECT_KEY_BYTES_MAX:
        raise KeyTooLongError
    if mark:
        decode_version_id(version_id)
    return CopySource(bucket, object_key, version_id if mark else None)


def _bad_source(value: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, fields={"ArgumentName": "x-amz-copy-source", "ArgumentValue": value})


def encode_token(scope: str, position: str) -> str:
    """Return the token that continues a list behind `position`. `scope` names the list (its bucket, say).

    A token is no secret and grants nothing: its check only tells an altered or misplaced one from a right one.
    """
    body = position.encode()
    return urlsafe_b64encode(_TOKEN_FORMAT + _check_of(scope, body) + body).rstrip(b"=").decode("ascii")


def decode_token(scope: str, token: str) -> str:
    """Return the position of a token that `encode_token` made for the same `scope`. Raises InvalidArgumentError."""
    if _TOKEN.fullmatch(token) is not None and len(token) % 4 != 1:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        position = raw[1 + _TOKEN_CHECK_BYTES :].decode(errors="replace")
        if encode_token(scope, position) == token:
            return position
    raise InvalidArgumentError("The continuation token provided is incorrect", fields={"ArgumentName": "continuation-token"})


def _check_of(scope: str, body: bytes) -> bytes:
    return hashlib.sha256(scope.encode() + b"\0" + body).digest()[:_TOKEN_CHECK_BYTES]
