"""The default encryption of a bucket in XML.

Every object is sealed, whatever is configured: a bucket without a configuration shows the default that it has anyway.

Source: Amazon S3 API Reference, PutBucketEncryption, ServerSideEncryptionRule, BlockedEncryptionTypes.
"""

from typing import Final

from msgspec import Struct

from siegel.domain.configuration import BucketEncryption
from siegel.domain.errors import InvalidArgumentError, MalformedXMLError, UnsupportedFeatureError
from siegel.s3wire.encryption import DSSE, WITH_KEY_SERVICE
from siegel.s3wire.xmltext import document, element, flag
from siegel.s3wire.xmltree import Element, add_field, children, doubled, flag_of, leaves, name_of, read_tree, text_of

_ROOT: Final = "ServerSideEncryptionConfiguration"
_DEFAULT: Final = "ApplyServerSideEncryptionByDefault"
_BLOCKED: Final = "BlockedEncryptionTypes"
_CUSTOMER_KEYS: Final = "SSE-C"
_NOTHING: Final = "NONE"
_SEALED: Final = "AES256"
_OF_OTHERS: Final = frozenset({"aws:fsx", "aws:backup"})
_KEY_NAME_CHARS_MAX: Final = 2048


class EncryptionRule(Struct, frozen=True):
    """What a PutBucketEncryption asks for. `sse_c_allowed` is None where it says nothing of customers' keys."""

    encryption: BucketEncryption
    sse_c_allowed: bool | None


def parse_encryption(body: bytes) -> EncryptionRule:
    """Return what a PutBucketEncryption asks for.

    Raises MalformedXMLError, InvalidArgumentError for what does not go together, UnsupportedFeatureError for methods of others.
    """
    rules = list(children(read_tree(body, _ROOT), frozenset({"Rule"})))
    if len(rules) != 1:
        raise MalformedXMLError("There is one Rule.")
    fields: dict[str, str] = {}
    algorithm, key_id = _SEALED, ""
    sse_c_allowed: bool | None = None
    for child in children(rules[0], frozenset({_DEFAULT, "BucketKeyEnabled", _BLOCKED})):
        if name_of(child) == _BLOCKED:
            if sse_c_allowed is not None:
                raise doubled(_BLOCKED)
            sse_c_allowed = _read_blocked(child) == _NOTHING
        elif name_of(child) == _DEFAULT:
            algorithm, key_id = _read_algorithm(child)
            add_field(fields, _DEFAULT, algorithm)
        else:
            add_field(fields, name_of(child), text_of(child))
    key_enabled = flag_of("BucketKeyEnabled", fields.get("BucketKeyEnabled", "false"))
    if key_enabled and algorithm == DSSE:
        raise InvalidArgumentError("S3 Bucket Keys are not supported for DSSE-KMS.", fields={"ArgumentName": "BucketKeyEnabled"})
    encryption = BucketEncryption(algorithm=algorithm, bucket_key_enabled=key_enabled, key_id=key_id)
    return EncryptionRule(encryption, sse_c_allowed)


def _read_algorithm(default: Element) -> tuple[str, str]:
    """Return the algorithm, and the name of a key of the key service. Whether there is such a key shows when it is used."""
    fields = leaves(default, frozenset({"SSEAlgorithm", "KMSMasterKeyID"}))
    algorithm, key_id = fields.get("SSEAlgorithm", "").strip(), fields.get("KMSMasterKeyID", "").strip()
    if algorithm in _OF_OTHERS:
        raise UnsupportedFeatureError(f"{algorithm} belongs to another service, which is not available.")
    if algorithm in WITH_KEY_SERVICE:
        if len(key_id) > _KEY_NAME_CHARS_MAX:
            raise MalformedXMLError(f"A KMSMasterKeyID has at most {_KEY_NAME_CHARS_MAX} characters.")
        return algorithm, key_id
    if algorithm != _SEALED:
        raise MalformedXMLError(f"SSEAlgorithm is {_SEALED}, {' or '.join(sorted(WITH_KEY_SERVICE))}.")
    if "KMSMasterKeyID" in fields:
        message = (
            f"a KMSMasterKeyID is not applicable if the default sse algorithm is not {' or '.join(sorted(WITH_KEY_SERVICE))}"
        )
        raise InvalidArgumentError(message, fields={"ArgumentName": "ApplyServerSideEncryptionByDefault"})
    return algorithm, ""


def _read_blocked(types: Element) -> str:
    blocked = leaves(types, frozenset({"EncryptionType"})).get("EncryptionType", "").strip()
    if blocked not in {_CUSTOMER_KEYS, _NOTHING}:
        raise MalformedXMLError(f"{_BLOCKED} holds one EncryptionType: {_CUSTOMER_KEYS} or {_NOTHING}.")
    return blocked


def render_encryption(encryption: BucketEncryption, *, sse_c_allowed: bool) -> bytes:
    """Return the answer of GetBucketEncryption; `sse_c_allowed` is what holds for the bucket."""
    key = element("KMSMasterKeyID", encryption.key_id) if encryption.key_id else ""
    default = f"<{_DEFAULT}>{element('SSEAlgorithm', encryption.algorithm)}{key}</{_DEFAULT}>"
    blocked = element("EncryptionType", _NOTHING if sse_c_allowed else _CUSTOMER_KEYS)
    inside = default + flag("BucketKeyEnabled", is_set=encryption.bucket_key_enabled) + f"<{_BLOCKED}>{blocked}</{_BLOCKED}>"
    return document(_ROOT, f"<Rule>{inside}</Rule>")
