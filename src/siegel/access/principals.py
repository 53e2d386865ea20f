"""Principals: whom a statement of a resource's policy speaks of.

A user, role or session is named by its ARN, but recognised by the unique id that the ARN stood for when the policy was put: one
who was deleted and made again under the same name is somebody else. An ARN that stood for nobody speaks of nobody. A policy is
shown with the names of now (`rename_principals`): whoever puts back what he was shown gives nothing to somebody else.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal", "NotPrincipal".
"""

import json
import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final

from msgspec import Struct

from siegel.access.documents import load_document
from siegel.access.identity import CallerKind, Identity
from siegel.domain.errors import PolicyError

EVERYONE: Final = "*"
_ACCOUNT: Final = re.compile(r"(?P<id>[0-9]{12})|arn:aws:iam::(?P<root>[0-9]{12}):root")
_NAMED: Final = re.compile(
    r"arn:aws:iam::[0-9]{12}:(user|role)/[\x21-\x29\x2b-\x3e\x40-\x7e]{1,576}"
    r"|arn:aws:sts::[0-9]{12}:assumed-role/[\w+=,.@-]{1,64}/(?P<session>[\w+=,.@-]{2,64})",
    re.ASCII,
)
_UNIQUE_ID: Final = re.compile(r"[A-Z0-9]{16,128}")


class PrincipalType(StrEnum):
    """The kinds of names in a Principal element."""

    AWS = "AWS"
    FEDERATED = "Federated"
    SERVICE = "Service"
    CANONICAL = "CanonicalUser"


_FORMS: Final = {
    PrincipalType.CANONICAL: re.compile(r"[0-9a-f]{64}"),
    PrincipalType.FEDERATED: re.compile(r"[A-Za-z0-9._:/-]{1,512}"),
    PrincipalType.SERVICE: re.compile(r"[a-z0-9.-]{1,128}\.amazonaws\.com"),
}


class Naming(IntEnum):
    """How closely a statement names a caller; the closer, the less its own account's policies limit what is granted."""

    NOT = 0
    # The account is named: it may delegate to its principals.
    ACCOUNT = 1
    # The role of a session is named: the session's boundary and policies still limit it.
    ROLE = 2
    # The caller is named, or everyone.
    DIRECT = 3


class Principals(Struct, frozen=True):
    """Whom a Principal element names; `names` are those that must be somebody's, bound or not, as they are written."""

    everyone: bool
    accounts: frozenset[str]
    unique_ids: frozenset[str]
    federated: frozenset[str]
    names: tuple[str, ...]

    def naming(self, caller: Identity) -> Naming:
        """Tell how closely the element names a caller."""
        if caller.federated_provider in self.federated:
            return Naming.DIRECT
        if self.everyone or caller.principal_id in self.unique_ids:
            return Naming.DIRECT
        if caller.kind is CallerKind.ROLE and caller.role_id in self.unique_ids:
            return Naming.ROLE
        if caller.account_id in self.accounts:
            return Naming.DIRECT if caller.kind is CallerKind.ROOT else Naming.ACCOUNT
        return Naming.NOT

    def names_wholly(self, caller: Identity) -> bool:
        """Tell whether the element names all that the caller is: the account, the role if it has one, and itself."""
        if self.everyone or caller.federated_provider in self.federated:
            return True
        if caller.account_id not in self.accounts or (caller.kind is CallerKind.ROLE and caller.role_id not in self.unique_ids):
            return False
        return caller.kind is CallerKind.ROOT or caller.principal_id in self.unique_ids


NOBODY: Final = Principals(everyone=False, accounts=frozenset(), unique_ids=frozenset(), federated=frozenset(), names=())


def read_principals(names: Mapping[str, tuple[str, ...]], bindings: Mapping[str, str]) -> Principals:
    """Return whom `names`, by type, speak of. Raises PolicyError for a name of unknown form."""
    accounts, unique_ids, found = set[str](), set[str](), list[str]()
    for name in names.get(PrincipalType.AWS, ()):
        account, named = _ACCOUNT.fullmatch(name), _NAMED.fullmatch(name)
        if account is not None:
            accounts.add(account["id"] or account["root"])
        elif named is not None:
            found.append(name)
            if name in bindings:
                unique_ids.add(f"{bindings[name]}:{named['session']}" if named["session"] else bindings[name])
        elif _UNIQUE_ID.fullmatch(name):
            found.append(name)
            unique_ids.add(name)
        elif name != EVERYONE:
            raise _invalid(name)
    for kind, form in _FORMS.items():
        for name in names.get(kind, ()):
            if not form.fullmatch(name):
                raise _invalid(name)
    canonical = names.get(PrincipalType.CANONICAL, ())
    return Principals(
        everyone=EVERYONE in names.get(PrincipalType.AWS, ()),
        accounts=frozenset(accounts | {bindings[name] for name in canonical if name in bindings}),
        unique_ids=frozenset(unique_ids),
        federated=frozenset(names.get(PrincipalType.FEDERATED, ())),
        names=(*found, *canonical),
    )


def rename_principals(text: str, names: Mapping[str, str]) -> str:
    """Return a document that says the same of others: those whom its Principal elements name by a key of `names` get the value.

    Raises PolicyError for what is no document.
    """
    document = load_document(text)
    statements = document.get("Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in ("Principal", "NotPrincipal"):
            by_type = statement.get(element) if isinstance(statement, dict) else None
            if isinstance(by_type, dict) and PrincipalType.AWS in by_type:
                by_type[PrincipalType.AWS] = _renamed(by_type[PrincipalType.AWS], names)
    return json.dumps(document, ensure_ascii=False)


def _renamed(written: object, names: Mapping[str, str]) -> object:
    if isinstance(written, list):
        return [_renamed(one, names) for one in written]
    return names.get(written, written) if isinstance(written, str) else written


def _invalid(name: str) -> PolicyError:
    return PolicyError(f'Invalid principal in policy: "{name}"')
