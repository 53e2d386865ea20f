"""The encryption headers of S3: what a request asks for, and keys that it brings along (SSE-C).

Source: Amazon S3 User Guide, "Specifying SSE-S3" and "Using server-side encryption with customer-provided keys (SSE-C)".
"""

import hashlib
from collections.abc import Mapping
from hmac import compare_digest
from typing import Final

from msgspec import Struct

from siegel.domain.errors import (
    InvalidArgumentError,
    InvalidEncryptionAlgorithmError,
    UnsupportedFeatureError,
)
from siegel.s3wire.checksums import decode_digest, encode_digest

ENCRYPTION_HEADER: Final = "x-amz-server-side-encryption"
ALGORITHM: Final = "AES256"
KMS: Final = "aws:kms"
DSSE: Final = "aws:kms:dsse"
WITH_KEY_SERVICE: Final = frozenset({KMS, DSSE})
CUSTOMER_KEY_PREFIX: Final = "x-amz-server-side-encryption-customer-"
COPY_SOURCE_CUSTOMER_KEY_PREFIX: Final = "x-amz-copy-source-server-side-encryption-customer-"

_OF_CUSTOMER_KEYS: Final = frozenset(
    prefix + name for prefix in (CUSTOMER_KEY_PREFIX, COPY_SOURCE_CUSTOMER_KEY_PREFIX) for name in ("algorithm", "key", "key-md5")
)
_KEY_BYTES: Final = 32
_MD5_BYTES: Final = 16
_OF_OTHERS: Final = frozenset({"aws:fsx", "aws:backup"})
_KMS_HEADERS: Final = (
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-context",
)
_DEMAND: Final = "Requests specifying Server Side Encryption with Customer provided keys must provide"


class CustomerKey(Struct, frozen=True, kw_only=True):
    """The key of a request (SSE-C): 32 bytes that are never stored, logged or shown."""

    key: bytes
    key_md5: str

    def __repr__(self) -> str:
        """Show that there is a key, and nothing of it."""
        return "CustomerKey(...)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Show nothing of it to rich either."""
        return []

    def to_headers(self) -> dict[str, str]:
        """Return the response headers that tell the client which of its keys was used."""
        return {CUSTOMER_KEY_PREFIX + "algorithm": ALGORITHM, CUSTOMER_KEY_PREFIX + "key-MD5": self.key_md5}


def parse_customer_key(headers: Mapping[str, str], prefix: str = CUSTOMER_KEY_PREFIX) -> CustomerKey | None:
    """Return the key that a request brings, or None. `prefix` chooses between the object's and the copy source's.

    Raises InvalidArgumentError or InvalidEncryptionAlgorithmError unless all three headers are there and agree.
    """
    if _OF_CUSTOMER_KEYS.isdisjoint(headers):
        return None
    algorithm = headers.get(prefix + "algorithm")
    text = headers.get(prefix + "key")
    md5_text = headers.get(prefix + "key-md5")
    if algorithm is None and text is None and md5_text is None:
        return None
    if not algorithm:
        raise _refusal(prefix, f"{_DEMAND} a valid encryption algorithm.")
    if algorithm != ALGORITHM:
        raise InvalidEncryptionAlgorithmError(fields={"ArgumentName": prefix + "algorithm", "ArgumentValue": algorithm})
    if not text:
        raise _refusal(prefix, f"{_DEMAND} an appropriate secret key.")
    if not md5_text:
        raise _refusal(prefix, f"{_DEMAND} the client calculated MD5 of the secret key.")
    key = decode_digest(text, _KEY_BYTES)
    if key is None:
        raise _refusal(prefix, "The secret key was invalid for the specified algorithm.")
    md5 = hashlib.md5(key, usedforsecurity=False).digest()
    if not compare_digest(decode_digest(md5_text, _MD5_BYTES) or b"", md5):
        raise _refusal(prefix, "The calculated MD5 hash of the key did not match the hash that was provided.")
    return CustomerKey(key=key, key_md5=encode_digest(md5))


def _refusal(prefix: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, fields={"ArgumentName": prefix + "key"})


def check_encryption(headers: Mapping[str, str]) -> str:
    """Return what a write asks of server-side encryption: AES256, a method of WITH_KEY_SERVICE, or "" for nothing.

    Raises UnsupportedFeatureError for methods of other services, InvalidArgumentError for a contradiction,
    InvalidEncryptionAlgorithmError for anything else.
    """
    method = headers.get(ENCRYPTION_HEADER, "")
    if method in _OF_OTHERS:
        raise UnsupportedFeatureError(f"{method} belongs to another service, which is not available.")
    if ENCRYPTION_HEADER in headers and method != ALGORITHM and method not in WITH_KEY_SERVICE:
        raise InvalidEncryptionAlgorithmError(fields={"ArgumentName": ENCRYPTION_HEADER, "ArgumentValue": method})
    for name in _KMS_HEADERS:
        if name in headers and method not in WITH_KEY_SERVICE:
            message = f"Server Side Encryption with AWS KMS managed key requires HTTP header {ENCRYPTION_HEADER} : {KMS}"
            raise InvalidArgumentError(message, fields={"ArgumentName": name})
    if method and CUSTOMER_KEY_PREFIX + "algorithm" in headers:
        raise InvalidArgumentError(
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            fields={"ArgumentName": ENCRYPTION_HEADER, "ArgumentValue": method},
        )
    return method


def refuse_in_read(headers: Mapping[str, str]) -> None:
    """Raise InvalidArgumentError where a read says how its object is to be sealed: that was decided when it was written."""
    if ENCRYPTION_HEADER in headers:
        message = f"{ENCRYPTION_HEADER} header is not supported for this operation."
        raise InvalidArgumentError(
            message, fields={"ArgumentName": ENCRYPTION_HEADER, "ArgumentValue": headers[ENCRYPTION_HEADER]}
        )
