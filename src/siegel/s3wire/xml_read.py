"""Request bodies in XML, read strictly: whatever is unknown, misspelt, doubled or out of place is refused, never dropped.

The bodies of objects' and buckets' own operations; each configuration has a module of its own. How trees are read: `xmltree.py`.

Sources: Amazon S3 API Reference, CompleteMultipartUpload, DeleteObjects, CreateBucket, PutBucketVersioning.
"""

from itertools import pairwise
from typing import Final

from msgspec import Struct

from siegel.domain.errors import (
    IllegalVersioningConfigurationError,
    InvalidPartOrderError,
    KeyTooLongError,
    MalformedXMLError,
    UnsupportedFeatureError,
)
from siegel.domain.limits import DELETE_KEYS_MAX, OBJECT_KEY_BYTES_MAX, PART_NUMBER_MAX
from siegel.domain.objects import Versioning
from siegel.s3wire.checksums import BY_ELEMENT, Algorithm, parse_digest
from siegel.s3wire.conditions import NO_DELETE_CONDITIONS, DeleteConditions, make_delete_conditions
from siegel.s3wire.listquery import parse_part_number
from siegel.s3wire.tags import OF_BUCKETS
from siegel.s3wire.tagsxml import read_tags
from siegel.s3wire.xmltree import Element, add_field, children, doubled, leaves, name_of, read_tree, text_of


class CompletedPart(Struct, frozen=True):
    """A part as CompleteMultipartUpload names it: `etag` without quotes, and the checksum if the client gives one."""

    part_number: int
    etag: str
    checksum_algorithm: Algorithm | None = None
    checksum: bytes | None = None


class DeleteTarget(Struct, frozen=True):
    """An object that DeleteObjects names. `version_id` and `etag` are the client's text, None where it names none."""

    object_key: str
    version_id: str | None = None
    conditions: DeleteConditions = NO_DELETE_CONDITIONS
    etag: str | None = None


class DeleteRequest(Struct, frozen=True):
    """The body of DeleteObjects. `is_quiet`: only failures are to be answered."""

    targets: list[DeleteTarget]
    is_quiet: bool


class NewBucket(Struct, frozen=True):
    """What CreateBucket asks for: a location constraint, None where it has none, and tags."""

    location: str | None
    tags: dict[str, str]


def parse_complete_upload(body: bytes) -> list[CompletedPart]:
    """Return the parts of a CompleteMultipartUpload, in ascending order.

    Raises MalformedXMLError, InvalidPartOrderError, InvalidArgumentError for a part number that is none, InvalidRequestError
    for a checksum that is none.
    """
    root = read_tree(body, "CompleteMultipartUpload")
    parts = [_read_part(element) for element in children(root, frozenset({"Part"}))]
    if not 1 <= len(parts) <= PART_NUMBER_MAX:
        raise MalformedXMLError("You must specify at least one part, and no more than 10,000.")
    numbers = [part.part_number for part in parts]
    if any(before >= after for before, after in pairwise(numbers)):
        raise InvalidPartOrderError
    return parts


def _read_part(element: Element) -> CompletedPart:
    fields = leaves(element, _PART_FIELDS)
    if "PartNumber" not in fields or "ETag" not in fields:
        raise MalformedXMLError("A part needs its PartNumber and its ETag.")
    text = fields.pop("PartNumber").strip()
    if not (text.isascii() and text.removeprefix("-").isdecimal()):
        raise MalformedXMLError("A PartNumber is a whole number.")
    number = parse_part_number(text)
    etag = fields.pop("ETag").strip().strip('"')
    if not fields:
        return CompletedPart(number, etag)
    if len(fields) > 1:
        raise MalformedXMLError("A part has one checksum at most.")
    name, text = fields.popitem()
    return CompletedPart(number, etag, BY_ELEMENT[name], parse_digest(BY_ELEMENT[name], text.strip()))


def parse_delete(body: bytes) -> DeleteRequest:
    """Return what a DeleteObjects body names.

    Raises MalformedXMLError (also for more than 1,000 objects), KeyTooLongError, InvalidArgumentError for a condition that
    cannot be read.
    """
    targets: list[DeleteTarget] = []
    quiet: str | None = None
    for element in children(read_tree(body, "Delete"), frozenset({"Object", "Quiet"})):
        if name_of(element) == "Object":
            targets.append(_read_target(element))
        elif quiet is not None:
            raise doubled("Quiet")
        else:
            quiet = text_of(element).strip().lower()
    if not 1 <= len(targets) <= DELETE_KEYS_MAX:
        raise MalformedXMLError(f"You must specify at least one object, and no more than {DELETE_KEYS_MAX}.")
    if quiet not in {None, "true", "false"}:
        raise MalformedXMLError("Quiet is true or false.")
    return DeleteRequest(targets, quiet == "true")


def _read_target(element: Element) -> DeleteTarget:
    fields = leaves(element, _TARGET_FIELDS)
    object_key = fields.get("Key")
    if not object_key:
        raise MalformedXMLError("An object needs its Key.")
    if len(object_key.encode()) > OBJECT_KEY_BYTES_MAX:
        raise KeyTooLongError
    etag = fields.get("ETag")
    conditions = make_delete_conditions(etag, fields.get("Size"), fields.get("LastModifiedTime"))
    return DeleteTarget(object_key, fields.get("VersionId") or None, conditions, etag)


def parse_create_bucket(body: bytes) -> NewBucket:
    """Return what a CreateBucket asks for (the body may be empty).

    Raises MalformedXMLError, InvalidTagError, UnsupportedFeatureError for directory buckets.
    """
    fields: dict[str, str] = {}
    tags: dict[str, str] | None = None
    root = children(read_tree(body, "CreateBucketConfiguration"), _NEW_BUCKET_FIELDS) if body else ()
    for element in root:
        name = name_of(element)
        if name == "LocationConstraint":
            add_field(fields, name, text_of(element))
        elif name != "Tags":
            raise UnsupportedFeatureError("There are general purpose buckets alone: directory buckets are not implemented.")
        elif tags is not None:
            raise doubled(name)
        else:
            tags = read_tags(element, OF_BUCKETS)
    return NewBucket(fields.get("LocationConstraint") or None, tags or {})


def parse_versioning(body: bytes) -> Versioning:
    """Return the state that a PutBucketVersioning asks for, ENABLED or SUSPENDED.

    Raises MalformedXMLError, IllegalVersioningConfigurationError where it names no state, UnsupportedFeatureError for MFA delete.
    """
    fields = leaves(read_tree(body, "VersioningConfiguration"), frozenset({"Status", "MfaDelete"}))
    mfa_delete = fields.get("MfaDelete", "Disabled")
    if mfa_delete != "Disabled":
        if mfa_delete != "Enabled":
            raise MalformedXMLError("MfaDelete is Enabled or Disabled.")
        raise UnsupportedFeatureError("MFA delete is not implemented.")
    status = fields.get("Status")
    if not status:
        raise IllegalVersioningConfigurationError("The Versioning element must be specified")
    if status not in {Versioning.ENABLED, Versioning.SUSPENDED}:
        raise MalformedXMLError("Status is Enabled or Suspended.")
    return Versioning(status)


_NEW_BUCKET_FIELDS: Final = frozenset({"LocationConstraint", "Location", "Bucket", "Tags"})
_PART_FIELDS: Final = frozenset({"PartNumber", "ETag", *BY_ELEMENT})
_TARGET_FIELDS: Final = frozenset({"Key", "VersionId", "ETag", "Size", "LastModifiedTime"})
