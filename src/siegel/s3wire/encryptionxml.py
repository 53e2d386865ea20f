"""The default encryption of a bucket in XML, and the new encryption of an object.

Every object is sealed, whatever is configured: a bucket without a configuration shows the default that it has anyway.

Source: Amazon S3 API Reference, PutBucketEncryption, ServerSideEncryptionRule, BlockedEncryptionTypes,
UpdateObjectEncryption.
"""

import re
from typing import Final

from msgspec import Struct

from siegel.domain.configuration import BucketEncryption
from siegel.domain.errors import InvalidArgumentError, InvalidRequestError, MalformedXMLError, UnsupportedFeatureError
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
_OBJECT_ROOT: Final = "ObjectEncryption"
_OBJECT_KMS: Final = "SSE-KMS"
_KEY_ARN: Final = re.compile(r"arn:aws:kms:[a-z0-9-]{1,63}:[0-9]{12}:key/[^/\s]{1,2048}", re.ASCII)
_UPDATES: Final = "Requests that modify an object encryption configuration"
_AGAIN: Final = "Modify the request to specify SSE-KMS for the updated encryption type, and then try again."


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


class ObjectEncryption(Struct, frozen=True):
    """What an UpdateObjectEncryption asks for."""

    key_arn: str
    bucket_key_enabled: bool


def parse_object_encryption(body: bytes) -> ObjectEncryption:
    """Return the key that an object is to be sealed under from now on. Raises MalformedXMLError, InvalidRequestError."""
    methods = list(children(read_tree(body, _OBJECT_ROOT), frozenset({_OBJECT_KMS, "SSE-S3"})))
    if len(methods) != 1 or name_of(methods[0]) != _OBJECT_KMS:
        raise InvalidRequestError(f"{_UPDATES} require a valid new encryption type. Valid values are SSEKMS. {_AGAIN}")
    fields = leaves(methods[0], frozenset({"KMSKeyArn", "BucketKeyEnabled"}))
    arn = fields.get("KMSKeyArn", "").strip()
    if not _KEY_ARN.fullmatch(arn):
        raise InvalidRequestError("Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS key ARN.")
    return ObjectEncryption(arn, flag_of("BucketKeyEnabled", fields.get("BucketKeyEnabled", "false")))


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
