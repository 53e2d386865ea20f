"""Which key of the key service a write wants to be sealed under (SSE-KMS), and what an object says of its key.

Source: Amazon S3 User Guide, "Specifying server-side encryption with AWS KMS (SSE-KMS)", "Configuring an S3 Bucket Key at the
object level", "Using dual-layer server-side encryption with AWS KMS keys (DSSE-KMS)".
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from siegel.domain.configuration import BucketEncryption
from siegel.domain.errors import InvalidArgumentError
from siegel.domain.limits import KMS_CONTEXT_BYTES_MAX
from siegel.s3wire.encryption import DSSE, ENCRYPTION_HEADER, KMS, WITH_KEY_SERVICE, check_encryption

KEY_ID_HEADER: Final = "x-amz-server-side-encryption-aws-kms-key-id"
CONTEXT_HEADER: Final = "x-amz-server-side-encryption-context"
BUCKET_KEY_HEADER: Final = "x-amz-server-side-encryption-bucket-key-enabled"

_ASKING: Final = frozenset({ENCRYPTION_HEADER, KEY_ID_HEADER, CONTEXT_HEADER, BUCKET_KEY_HEADER})
_OF_SERVICE: Final = "aws:s3:arn"
_NO_CONTEXT: Final[Mapping[str, str]] = {}
_MALFORMED: Final = (
    f"The header '{CONTEXT_HEADER}' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map"
)


class KeyWish(Struct, frozen=True):
    """A key by whatever name, "" for the account's own one for S3. `of_bucket`: it comes from the bucket's configuration."""

    key_name: str
    is_dsse: bool
    with_bucket_key: bool
    context: Mapping[str, str] = _NO_CONTEXT
    of_bucket: bool = False


def parse_key_wish(headers: Mapping[str, str], default: BucketEncryption) -> KeyWish | None:
    """Return the key that a write is to be sealed under, None where it is not one of the key service.

    `default` is what the bucket does where a write asks for nothing. Raises what `check_encryption` raises, InvalidArgumentError
    for a context or a flag that is none, and for what does not go together.
    """
    if _ASKING.isdisjoint(headers):
        return _wish_of(default)
    method = check_encryption(headers)
    asked = _flag(headers)
    if method in WITH_KEY_SERVICE:
        wish = KeyWish(headers.get(KEY_ID_HEADER, ""), method == DSSE, default.bucket_key_enabled, parse_context(headers))
    elif not method and (of_bucket := _wish_of(default)) is not None:
        wish = of_bucket
    elif asked:
        raise needs_key_service(BUCKET_KEY_HEADER)
    else:
        return None
    with_bucket_key = wish.with_bucket_key if asked is None else asked
    if wish.is_dsse and asked:
        raise InvalidArgumentError("S3 Bucket Keys are not supported for DSSE-KMS.", fields={"ArgumentName": BUCKET_KEY_HEADER})
    return msgspec.structs.replace(wish, with_bucket_key=with_bucket_key and not wish.is_dsse)


def _wish_of(default: BucketEncryption) -> KeyWish | None:
    if default.algorithm not in WITH_KEY_SERVICE:
        return None
    is_dsse = default.algorithm == DSSE
    return KeyWish(default.key_id, is_dsse, default.bucket_key_enabled and not is_dsse, of_bucket=True)


def parse_context(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the encryption context that a request adds to S3's own. Raises InvalidArgumentError."""
    text = headers.get(CONTEXT_HEADER)
    if text is None:
        return {}
    try:
        context = msgspec.json.decode(b64decode(text, validate=True), type=dict[str, str])
    except (Base64Error, ValueError, msgspec.DecodeError) as error:
        raise _malformed(_MALFORMED) from error
    if "" in context or _OF_SERVICE in context:
        raise _malformed(f"Names of an encryption context are not empty, and {_OF_SERVICE} is set by this service.")
    if sum(len(name.encode()) + len(value.encode()) for name, value in context.items()) > KMS_CONTEXT_BYTES_MAX:
        raise _malformed(f"An encryption context has at most {KMS_CONTEXT_BYTES_MAX} bytes.")
    return context


def key_headers(arn: str, *, is_dsse: bool, with_bucket_key: bool) -> dict[str, str]:
    """Return the response headers of an object that is sealed under a key of the key service."""
    headers = {ENCRYPTION_HEADER: DSSE if is_dsse else KMS, KEY_ID_HEADER: arn}
    return headers | {BUCKET_KEY_HEADER: "true"} if with_bucket_key else headers


def context_headers(context: Mapping[str, str]) -> dict[str, str]:
    """Return the response header that repeats a write's encryption context, none where it had none."""
    return {CONTEXT_HEADER: b64encode(msgspec.json.encode(context)).decode()} if context else {}


def needs_key_service(header: str) -> InvalidArgumentError:
    """Return the refusal of a header that goes with a key of the key service only."""
    message = f"Server Side Encryption with AWS KMS managed key requires HTTP header {ENCRYPTION_HEADER} : {KMS}"
    return InvalidArgumentError(message, fields={"ArgumentName": header})


def unsigned() -> InvalidArgumentError:
    """Return the refusal of a request for such a key that nobody has signed: keys are used for principals alone."""
    return InvalidArgumentError(
        "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.",
        fields={"ArgumentName": "Authorization", "ArgumentValue": "null"},
    )


def _flag(headers: Mapping[str, str]) -> bool | None:
    text = headers.get(BUCKET_KEY_HEADER)
    if text is None:
        return None
    if text.lower() not in {"true", "false"}:
        fields = {"ArgumentName": BUCKET_KEY_HEADER, "ArgumentValue": text}
        raise InvalidArgumentError("The value specified in the header is invalid: it is true or false.", fields=fields)
    return text.lower() == "true"


def _malformed(message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, fields={"ArgumentName": CONTEXT_HEADER})
