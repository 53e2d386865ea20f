"""Who stands behind temporary credentials now: the token says whose they are, the account says what that means today."""

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.access.caller import Caller, CallerKind, Rights, root_caller
from siegel.access.policy import Policy, PolicyKind, parse_policy
from siegel.domain.consents import support_arn
from siegel.domain.errors import InvalidTokenError, PolicyError, StorageError
from siegel.domain.identities import Role, User, entity_arn
from siegel.domain.ports import Reader
from siegel.domain.query_errors import ValidationError
from siegel.domain.sessions import Session, SessionOf
from siegel.service.identities.entities import Entities, find_by_unique_id
from siegel.service.principals import rights_of, user_caller

TRANSITIVE: Final = "siegel:transitivetagkeys"
"""The key under which a session's caller keeps which of its tags go on to further roles."""
SOURCE_IDENTITY: Final = "aws:sourceidentity"

# What a consent can permit at most; explicit denials of the account's own policies go before it.
_OF_SUPPORT: Final = """{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Resource": "*", "Action": [
"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes", "s3:ListBucket",
"s3:ListBucketVersions", "kms:Decrypt"]}}"""
_ROLE_ARN: Final = re.compile(r"arn:aws:iam::(?P<account>[0-9]{12}):role/(?:[\x21-\x7e]+/)?(?P<name>[\w+=,.@-]{1,64})", re.ASCII)


class RoleName(Struct, frozen=True):
    """A role by its account and name."""

    account_id: str
    name: str


def parse_role_arn(arn: str) -> RoleName:
    """Return what the ARN of a role names. Raises ValidationError."""
    named = _ROLE_ARN.fullmatch(arn)
    if named is None:
        raise ValidationError(f"{arn[:200]} is not the ARN of a role.")
    return RoleName(named["account"], named["name"])


def session_caller(reader: Reader, session: Session, access_key_id: str) -> Caller:
    """Return the principal of a session.

    Raises InvalidTokenError if the user or role is gone, also where another was made under its name; StorageError if a policy
    cannot be read.
    """
    if session.session_of is SessionOf.ROLE:
        caller = _role_caller(reader, session, access_key_id)
    elif session.session_of is SessionOf.SUPPORT:
        caller = _support_caller(session, access_key_id)
    elif session.session_of is SessionOf.USER:
        caller = user_caller(reader, session.account_id, _user_of(reader, session), access_key_id)
    else:
        caller = root_caller(session.account_id, access_key_id)
    return replace(caller, is_temporary=True, issued_at_ms=session.issued_at_ms)


def _user_of(reader: Reader, session: Session) -> User:
    # By the unique id: the user may have got another name since.
    found = find_by_unique_id(reader, session.unique_id)
    if found is None or found[0] != session.account_id or not isinstance(found[1], User):
        raise InvalidTokenError
    return found[1]


def _role_caller(reader: Reader, session: Session, access_key_id: str) -> Caller:
    account_id = session.account_id
    role = Entities(reader, account_id).find(Role, session.name)
    if role is None or role.unique_id != session.unique_id:
        raise InvalidTokenError
    keys = dict(session.keys)
    if session.source_identity:
        keys[SOURCE_IDENTITY] = (session.source_identity,)
    if session.transitive_keys:
        keys[TRANSITIVE] = session.transitive_keys
    return Caller(
        kind=CallerKind.ROLE,
        account_id=account_id,
        access_key_id=access_key_id,
        arn=f"arn:aws:sts::{account_id}:assumed-role/{role.name}/{session.session_name}",
        principal_id=f"{role.unique_id}:{session.session_name}",
        role_arn=entity_arn(account_id, Role.resource, role.path, role.name),
        tags=_tags_of(role, session),
        rights=rights_of(reader, account_id, role, [(name, _parse(name, text)) for name, text in session.policies]),
        keys=keys,
    )


def _support_caller(session: Session, access_key_id: str) -> Caller:
    """Return an operator under a consent. Whether that is live, and what it permits, is asked anew at each request."""
    policy = _parse("consent", _OF_SUPPORT)
    return Caller(
        kind=CallerKind.SUPPORT,
        account_id=session.account_id,
        access_key_id=access_key_id,
        arn=support_arn(session.name, session.session_name),
        principal_id=f"support/{session.name}/{session.session_name}",
        rights=Rights.of([(f"consent {session.name}", policy)]),
        consent_id=session.name,
    )


def _tags_of(role: Role, session: Session) -> dict[str, str]:
    # A session's tag takes the place of the role's: keys are matched without regard to case.
    taken = {key.lower() for key, _ in session.tags}
    return {**{key: value for key, value in role.tags if key.lower() not in taken}, **dict(session.tags)}


def _parse(name: str, text: str) -> Policy:
    try:
        return parse_policy(text, PolicyKind.IDENTITY)
    except PolicyError as error:
        raise StorageError(f"the session's policy {name} cannot be read: {error}") from error
