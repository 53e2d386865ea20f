"""Trees of XML, read strictly: what a reader does not name is refused, never dropped.

Before any parser sees a body it must be UTF-8, within the size limit, and free of DOCTYPE, entities and other declarations.
A reader of a body calls `read_tree`, walks with `children` and `leaves`, and refuses what is doubled; every function here raises
MalformedXMLError.
"""

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from lxml import etree

from siegel.domain.errors import MalformedXMLError, MaxMessageLengthExceededError
from siegel.domain.limits import XML_BYTES_MAX

Element: TypeAlias = etree._Element  # noqa: SLF001  (the one name that lxml gives the type of its elements)

NAMESPACES: Final = frozenset({"http://s3.amazonaws.com/doc/2006-03-01/", "http://doc.s3.amazonaws.com/2006-03-01"})
"""The namespaces of S3, either of which clients declare, or none."""

CONTROL_NAMESPACE: Final = "http://awss3control.amazonaws.com/doc/2018-08-20/"
"""The namespace of S3 Control."""

_KNOWN_NAMESPACES: Final = NAMESPACES | {CONTROL_NAMESPACE}
_NO_ATTRIBUTES: Final[frozenset[str]] = frozenset()
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# DOCTYPE, ENTITY, ELEMENT and the like; comments and CDATA may stay.
_DECLARATION: Final = re.compile(rb"<!(?!--|\[CDATA\[)")
_PROLOGUE: Final = re.compile(rb"<\?xml[ \t\r\n][^>]{0,200}\?>")
_ENCODING: Final = re.compile(rb"encoding[ \t\r\n]*=[ \t\r\n]*[\"']([^\"']*)[\"']")


def read_tree(body: bytes, root_name: str) -> Element:
    """Return the root of a body, which is named `root_name`. Raises MaxMessageLengthExceededError beyond XML_BYTES_MAX."""
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
    if name_of(root) != root_name:
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


def name_of(element: Element) -> str:
    """Return the element's name, "" for what is no element (a comment) or of a foreign namespace."""
    if not isinstance(element.tag, str):
        return ""
    namespace, brace, name = element.tag.rpartition("}")
    return name if not brace or namespace[1:] in _KNOWN_NAMESPACES else ""


def children(parent: Element, names: frozenset[str], attributes: frozenset[str] = _NO_ATTRIBUTES) -> Iterator[Element]:
    """Yield the elements inside one that holds elements alone, none but those of `names`; `attributes` it may have."""
    if not attributes.issuperset(map(str, parent.attrib)):
        raise MalformedXMLError(f"{name_of(parent)} has an attribute that is not known.")
    _check_blank(parent, parent.text)
    for child in parent:
        if name_of(child) not in names:
            raise MalformedXMLError(f"{name_of(parent)} does not hold such an element.")
        _check_blank(parent, child.tail)
        yield child


def _check_blank(parent: Element, text: str | None) -> None:
    if text is not None and text.strip(" \t\r\n"):
        raise MalformedXMLError(f"{name_of(parent)} holds elements alone.")


def text_of(element: Element) -> str:
    """Return the text of an element that holds nothing else."""
    if len(element) or element.attrib:
        raise MalformedXMLError(f"{name_of(element)} holds text alone.")
    return element.text or ""


def leaves(parent: Element, names: frozenset[str]) -> dict[str, str]:
    """Return the texts inside an element by their elements' names, each of `names` once at most."""
    fields: dict[str, str] = {}
    for child in children(parent, names):
        add_field(fields, name_of(child), text_of(child))
    return fields


def add_field(fields: dict[str, str], name: str, text: str) -> None:
    """Add what may stand there once."""
    if name in fields:
        raise doubled(name)
    fields[name] = text


def doubled(name: str) -> MalformedXMLError:
    """Return the refusal of an element that is there twice."""
    return MalformedXMLError(f"{name} is given twice.")


def flag_of(name: str, text: str) -> bool:
    """Return what an element of true or false says."""
    word = text.strip().lower()
    if word not in {"true", "false"}:
        raise MalformedXMLError(f"{name} is true or false.")
    return word == "true"
