"""The default encryption of a bucket in XML.

Every object is sealed, whatever is configured: a bucket without a configuration shows the default that it has anyway.

Source: Amazon S3 API Reference, PutBucketEncryption, ServerSideEncryptionRule, BlockedEncryptionTypes.
"""

from typing import Final

from msgspec import Struct

from siegel.domain.configuration import BucketEncryption
from siegel.domain.errors import MalformedXMLError, UnsupportedFeatureError
from siegel.s3wire.xmltext import document, element, flag
from siegel.s3wire.xmltree import Element, add_field, children, doubled, flag_of, leaves, name_of, read_tree, text_of

_ROOT: Final = "ServerSideEncryptionConfiguration"
_DEFAULT: Final = "ApplyServerSideEncryptionByDefault"
_BLOCKED: Final = "BlockedEncryptionTypes"
_CUSTOMER_KEYS: Final = "SSE-C"
_NOTHING: Final = "NONE"
_SEALED: Final = "AES256"
_WITH_KEY_SERVICE: Final = frozenset({"aws:kms", "aws:kms:dsse", "aws:fsx", "aws:backup"})


class EncryptionRule(Struct, frozen=True):
    """What a PutBucketEncryption asks for. `sse_c_allowed` is None where it says nothing of customers' keys."""

    encryption: BucketEncryption
    sse_c_allowed: bool | None


def parse_encryption(body: bytes) -> EncryptionRule:
    """Return what a PutBucketEncryption asks for.

    Raises MalformedXMLError, UnsupportedFeatureError for keys of a key management service.
    """
    rules = list(children(read_tree(body, _ROOT), frozenset({"Rule"})))
    if len(rules) != 1:
        raise MalformedXMLError("There is one Rule.")
    fields: dict[str, str] = {}
    sse_c_allowed: bool | None = None
    for child in children(rules[0], frozenset({_DEFAULT, "BucketKeyEnabled", _BLOCKED})):
        if name_of(child) == _BLOCKED:
            if sse_c_allowed is not None:
                raise doubled(_BLOCKED)
            sse_c_allowed = _read_blocked(child) == _NOTHING
        elif name_of(child) == _DEFAULT:
            add_field(fields, _DEFAULT, _read_algorithm(child))
        else:
            add_field(fields, name_of(child), text_of(child))
    key_enabled = flag_of("BucketKeyEnabled", fields.get("BucketKeyEnabled", "false"))
    encryption = BucketEncryption(algorithm=fields.get(_DEFAULT, _SEALED), bucket_key_enabled=key_enabled)
    return EncryptionRule(encryption, sse_c_allowed)


def _read_algorithm(default: Element) -> str:
    fields = leaves(default, frozenset({"SSEAlgorithm", "KMSMasterKeyID"}))
    algorithm = fields.get("SSEAlgorithm", "").strip()
    if algorithm in _WITH_KEY_SERVICE:
        # Here it will be decided which key of the key service seals the bucket's objects.
        raise UnsupportedFeatureError("Server-side encryption with a key management service is not available.")
    if algorithm != _SEALED or "KMSMasterKeyID" in fields:
        raise MalformedXMLError(f"SSEAlgorithm is {_SEALED}, which goes without a KMSMasterKeyID.")
    return algorithm


def _read_blocked(types: Element) -> str:
    blocked = leaves(types, frozenset({"EncryptionType"})).get("EncryptionType", "").strip()
    if blocked not in {_CUSTOMER_KEYS, _NOTHING}:
        raise MalformedXMLError(f"{_BLOCKED} holds one EncryptionType: {_CUSTOMER_KEYS} or {_NOTHING}.")
    return blocked


def render_encryption(encryption: BucketEncryption, *, sse_c_allowed: bool) -> bytes:
    """Return the answer of GetBucketEncryption; `sse_c_allowed` is what holds for the bucket."""
    default = f"<{_DEFAULT}>{element('SSEAlgorithm', encryption.algorithm)}</{_DEFAULT}>"
    blocked = element("EncryptionType", _NOTHING if sse_c_allowed else _CUSTOMER_KEYS)
    inside = default + flag("BucketKeyEnabled", is_set=encryption.bucket_key_enabled) + f"<{_BLOCKED}>{blocked}</{_BLOCKED}>"
    return document(_ROOT, f"<Rule>{inside}</Rule>")
