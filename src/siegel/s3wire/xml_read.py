"""Request bodies in XML, read strictly: whatever is unknown, misspelt, doubled or out of place is refused, never dropped.

Before any parser sees a body it must be UTF-8, within the size limit, and free of DOCTYPE, entities and other declarations.

Sources: Amazon S3 API Reference, CompleteMultipartUpload, DeleteObjects, CreateBucket, PutBucketVersioning.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from lxml import etree
from msgspec import Struct

from siegel.domain.errors import (
    IllegalVersioningConfigurationError,
    InvalidPartOrderError,
    KeyTooLongError,
    MalformedXMLError,
    MaxMessageLengthExceededError,
    UnsupportedFeatureError,
)
from siegel.domain.limits import DELETE_KEYS_MAX, OBJECT_KEY_BYTES_MAX, PART_NUMBER_MAX, XML_BYTES_MAX
from siegel.domain.objects import Versioning
from siegel.s3wire.checksums import BY_ELEMENT, Algorithm, parse_digest
from siegel.s3wire.conditions import NO_DELETE_CONDITIONS, DeleteConditions, make_delete_conditions
from siegel.s3wire.listquery import parse_part_number

_NAMESPACES: Final = ("http://s3.amazonaws.com/doc/2006-03-01/", "http://doc.s3.amazonaws.com/2006-03-01")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# DOCTYPE, ENTITY, ELEMENT and the like; comments and CDATA may stay.
_DECLARATION: Final = re.compile(rb"<!(?!--|\[CDATA\[)")
_PROLOGUE: Final = re.compile(rb"<\?xml[ \t\r\n][^>]{0,200}\?>")
_ENCODING: Final = re.compile(rb"encoding[ \t\r\n]*=[ \t\r\n]*[\"']([^\"']*)[\"']")


class CompletedPart(Struct, frozen=True):
    """A part as CompleteMultipartUpload names it: `etag` without quotes, and the checksum if the client gives one."""

    part_number: int
    etag: str
    checksum_algorithm: Algorithm | None = None
    checksum: bytes | None = None


class DeleteTarget(Struct, frozen=True):
    """An object that DeleteObjects names. `version_id` is the client's text, None where it names none."""

    object_key: str
    version_id: str | None = None
    conditions: DeleteConditions = NO_DELETE_CONDITIONS


class DeleteRequest(Struct, frozen=True):
    """The body of DeleteObjects. `is_quiet`: only failures are to be answered."""

    targets: list[DeleteTarget]
    is_quiet: bool


def parse_complete_upload(body: bytes) -> list[CompletedPart]:
    """Return the parts of a CompleteMultipartUpload, in ascending order.

    Raises MalformedXMLError, InvalidPartOrderError, InvalidArgumentError for a part number that is none, InvalidRequestError
    for a checksum that is none.
    """
    root = _parse(body, "CompleteMultipartUpload")
    parts = [_read_part(element) for element in _children(root, frozenset({"Part"}))]
    if not 1 <= len(parts) <= PART_NUMBER_MAX:
        raise MalformedXMLError("You must specify at least one part, and no more than 10,000.")
    numbers = [part.part_number for part in parts]
    if any(before >= after for before, after in pairwise(numbers)):
        raise InvalidPartOrderError
    return parts


def _read_part(element: etree._Element) -> CompletedPart:
    fields = _leaves(element, _PART_FIELDS)
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
    for element in _children(_parse(body, "Delete"), frozenset({"Object", "Quiet"})):
        if _name(element) == "Object":
            targets.append(_read_target(element))
        elif quiet is not None:
            raise _doubled("Quiet")
        else:
            quiet = _text(element).strip().lower()
    if not 1 <= len(targets) <= DELETE_KEYS_MAX:
        raise MalformedXMLError(f"You must specify at least one object, and no more than {DELETE_KEYS_MAX}.")
    if quiet not in {None, "true", "false"}:
        raise MalformedXMLError("Quiet is true or false.")
    return DeleteRequest(targets, quiet == "true")


def _read_target(element: etree._Element) -> DeleteTarget:
    fields = _leaves(element, _TARGET_FIELDS)
    object_key = fields.get("Key")
    if not object_key:
        raise MalformedXMLError("An object needs its Key.")
    if len(object_key.encode()) > OBJECT_KEY_BYTES_MAX:
        raise KeyTooLongError
    conditions = make_delete_conditions(fields.get("ETag"), fields.get("Size"), fields.get("LastModifiedTime"))
    return DeleteTarget(object_key, fields.get("VersionId") or None, conditions)


def parse_create_bucket(body: bytes) -> str | None:
    """Return the location constraint of a CreateBucket, None where it has none (the body may be empty).

    Raises MalformedXMLError, UnsupportedFeatureError for directory buckets and tags.
    """
    if not body:
        return None
    root = _parse(body, "CreateBucketConfiguration")
    fields: dict[str, str] = {}
    for element in _children(root, frozenset({"LocationConstraint", "Location", "Bucket", "Tags"})):
        name = _name(element)
        if name != "LocationConstraint":
            raise UnsupportedFeatureError(f"{name} in the configuration of a new bucket is not implemented.")
        _add(fields, name, _text(element))
    return fields.get("LocationConstraint") or None


def parse_versioning(body: bytes) -> Versioning:
    """Return the state that a PutBucketVersioning asks for, ENABLED or SUSPENDED.

    Raises MalformedXMLError, IllegalVersioningConfigurationError where it names no state, UnsupportedFeatureError for MFA delete.
    """
    fields = _leaves(_parse(body, "VersioningConfiguration"), frozenset({"Status", "MfaDelete"}))
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


_PART_FIELDS: Final = frozenset({"PartNumber", "ETag", *BY_ELEMENT})
_TARGET_FIELDS: Final = frozenset({"Key", "VersionId", "ETag", "Size", "LastModifiedTime"})


def _parse(body: bytes, root_name: str) -> etree._Element:
    if len(body) > XML_BYTES_MAX:
        raise MaxMessageLengthExceededError(fields={"MaxMessageLengthBytes": str(XML_BYTES_MAX)})
    _check_bytes(body)
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, collect_ids=False
    )
    try:
        root = etree.fromstring(body.removeprefix(_BYTE_ORDER_MARK), parser)
    except etree.XMLSyntaxError:
        raise MalformedXMLError from None
    if _name(root) != root_name:
        raise MalformedXMLError(f"The XML is not a {root_name}.")
    return root


def _check_bytes(body: bytes) -> None:
    """Refuse what could make the parser read something other than the bytes say: encodings, declarations, entities."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedXMLError("The XML is not encoded in UTF-8.") from None
    if b"\0" in body or _DECLARATION.search(body) is not None:
        raise MalformedXMLError("The XML holds a declaration, which is not permitted.")
    if body.removeprefix(_BYTE_ORDER_MARK).startswith(_BYTE_ORDER_MARK):
        raise MalformedXMLError("The XML begins with more than one byte order mark.")
    prologue = _PROLOGUE.match(body.removeprefix(_BYTE_ORDER_MARK))
    encoding = _ENCODING.search(prologue[0]) if prologue is not None else None
    if encoding is not None and encoding[1].lower() != b"utf-8":
        raise MalformedXMLError("The XML is not encoded in UTF-8.")


def _name(element: etree._Element) -> str:
    """Return the element's name, "" for what is no element (a comment) or of a foreign namespace."""
    if not isinstance(element.tag, str):
        return ""
    namespace, brace, name = element.tag.rpartition("}")
    return name if not brace or namespace[1:] in _NAMESPACES else ""


def _children(parent: etree._Element, names: frozenset[str]) -> Iterator[etree._Element]:
    """Yield the elements inside one that holds elements alone. Raises MalformedXMLError for others than `names`."""
    _check_blank(parent, parent.text)
    for child in parent:
        if _name(child) not in names:
            raise MalformedXMLError(f"{_name(parent)} does not hold such an element.")
        _check_blank(parent, child.tail)
        yield child


def _check_blank(parent: etree._Element, text: str | None) -> None:
    if parent.attrib or (text is not None and text.strip(" \t\r\n")):
        raise MalformedXMLError(f"{_name(parent)} holds elements alone.")


def _text(element: etree._Element) -> str:
    if len(element) or element.attrib:
        raise MalformedXMLError(f"{_name(element)} holds text alone.")
    return element.text or ""


def _leaves(parent: etree._Element, names: frozenset[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for child in _children(parent, names):
        _add(fields, _name(child), _text(child))
    return fields


def _add(fields: dict[str, str], name: str, text: str) -> None:
    if name in fields:
        raise _doubled(name)
    fields[name] = text


def _doubled(name: str) -> MalformedXMLError:
    return MalformedXMLError(f"{name} is given twice.")
