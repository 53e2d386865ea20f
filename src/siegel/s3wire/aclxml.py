"""Access control lists in XML, as S3 answers them where they are switched off: the owner has all rights, nobody else any.

Source: Amazon S3 User Guide, "Controlling ownership of objects and disabling ACLs"; API Reference, PutBucketAcl, GetObjectAcl.
"""

from typing import Final

from siegel.domain.errors import AccessControlListNotSupportedError, MalformedXMLError
from siegel.s3wire.xmltext import document, element
from siegel.s3wire.xmltree import Element, children, leaves, name_of, read_tree, text_of

_ROOT: Final = "AccessControlPolicy"
_LIST: Final = "AccessControlList"
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE: Final = f"{{{_INSTANCE}}}type"
_PERMISSIONS: Final = frozenset({"FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"})
_GRANTEE_TYPES: Final = frozenset({"CanonicalUser", "AmazonCustomerByEmail", "Group"})
_PERSON: Final = frozenset({"ID", "DisplayName"})
_GRANTEE: Final = _PERSON | {"EmailAddress", "URI"}


def check_acl(body: bytes, account_id: str) -> None:
    """Accept a list that gives the owner, `account_id`, full control and nobody anything else.

    Raises AccessControlListNotSupportedError for any other list, MalformedXMLError for what is none.
    """
    owner: dict[str, str] | None = None
    grants: list[tuple[str, str]] | None = None
    for child in children(read_tree(body, _ROOT), frozenset({"Owner", _LIST})):
        if name_of(child) == "Owner" and owner is None:
            owner = leaves(child, _PERSON)
        elif name_of(child) == _LIST and grants is None:
            grants = [_read_grant(grant) for grant in children(child, frozenset({"Grant"}))]
        else:
            raise MalformedXMLError(f"{name_of(child)} is given twice.")
    if grants is None:
        raise MalformedXMLError(f"The XML holds no {_LIST}.")
    if owner is not None and owner.get("ID", account_id) != account_id:
        raise AccessControlListNotSupportedError
    if set(grants) != {(account_id, "FULL_CONTROL")}:
        raise AccessControlListNotSupportedError


def _read_grant(grant: Element) -> tuple[str, str]:
    """Return who is granted what; "" for a grantee who is no account."""
    grantee: str | None = None
    permission: str | None = None
    for child in children(grant, frozenset({"Grantee", "Permission"})):
        if name_of(child) == "Grantee" and grantee is None:
            grantee = _read_grantee(child)
        elif name_of(child) == "Permission" and permission is None:
            permission = text_of(child).strip()
        else:
            raise MalformedXMLError(f"{name_of(child)} is given twice.")
    if grantee is None or permission not in _PERMISSIONS:
        raise MalformedXMLError("A Grant has a Grantee and a Permission.")
    return grantee, permission


def _read_grantee(element_: Element) -> str:
    kind = element_.get(_TYPE)
    if kind not in _GRANTEE_TYPES:
        raise MalformedXMLError("A Grantee has a type.")
    fields = {name_of(child): text_of(child) for child in children(element_, _GRANTEE, frozenset({_TYPE}))}
    return fields.get("ID", "") if kind == "CanonicalUser" else ""


def render_acl(account_id: str) -> bytes:
    """Return the answer of GetBucketAcl and GetObjectAcl: the owner, `account_id`, has full control."""
    person = element("ID", account_id) + element("DisplayName", account_id)
    grantee = f'<Grantee xmlns:xsi="{_INSTANCE}" xsi:type="CanonicalUser">{person}</Grantee>'
    grant = f"<Grant>{grantee}<Permission>FULL_CONTROL</Permission></Grant>"
    return document(_ROOT, f"<Owner>{person}</Owner><{_LIST}>{grant}</{_LIST}>")
