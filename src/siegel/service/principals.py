"""Principals: who stands behind an access key, and what its account's policies say of it.

A stored policy that cannot be read is never taken for an absent one: then its principal is refused altogether.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from siegel.access.caller import Caller, CallerKind, Rights, root_caller
from siegel.access.policy import Policy, PolicyKind, parse_policy
from siegel.access.principals import rename_principals
from siegel.domain.errors import InvalidAccessKeyIdError, PolicyError, StorageError
from siegel.domain.identities import Group, Holder, ManagedPolicy, Pairs, Role, User, entity_arn
from siegel.domain.objects import Credential, CredentialKind
from siegel.domain.ports import Reader
from siegel.domain.query_errors import NoSuchEntityError
from siegel.service.identities.entities import Entities, find_by_unique_id, read_unique_name

_NAMED: Final = re.compile(
    r"arn:aws:iam::(?P<account>[0-9]{12}):(?P<resource>user|role)/(?:[\x21-\x7e]+/)?(?P<name>[\w+=,.@-]+)", re.ASCII
)
_SESSION: Final = re.compile(r"arn:aws:sts::(?P<account>[0-9]{12}):assumed-role/(?P<name>[\w+=,.@-]+)/[\w+=,.@-]+", re.ASCII)

NamedPolicies = Sequence[tuple[str, Policy]]


def resolve(reader: Reader, credential: Credential) -> Caller:
    """Return the principal that an access key stands for.

    Raises InvalidAccessKeyIdError for a key that is not active or whose user is gone, StorageError if a policy of the user's
    cannot be read.
    """
    absent = InvalidAccessKeyIdError(fields={"AWSAccessKeyId": credential.access_key_id})
    if not credential.is_active:
        raise absent
    if credential.kind is CredentialKind.ROOT:
        return root_caller(credential.account_id, credential.access_key_id)
    user = Entities(reader, credential.account_id).find(User, credential.user_name) if credential.user_name else None
    if credential.kind is not CredentialKind.USER or user is None:
        raise absent
    return user_caller(reader, credential.account_id, user, credential.access_key_id)


def user_caller(reader: Reader, account_id: str, user: User, access_key_id: str) -> Caller:
    """Return a user as the principal of a request. Raises StorageError if a policy cannot be read."""
    return Caller(
        kind=CallerKind.USER,
        account_id=account_id,
        access_key_id=access_key_id,
        arn=entity_arn(account_id, user.resource, user.path, user.name),
        principal_id=user.unique_id,
        name=user.name,
        tags=dict(user.tags),
        rights=rights_of(reader, account_id, user),
    )


def rights_of_role(reader: Reader, account_id: str, role_name: str, session: NamedPolicies = ()) -> Rights:
    """Return the rights of a role's sessions; policies of the session limit them. Raises NoSuchEntityError, StorageError."""
    return rights_of(reader, account_id, Entities(reader, account_id).get(Role, role_name), session)


def rights_of(reader: Reader, account_id: str, holder: Holder, session: NamedPolicies = ()) -> Rights:
    """Return what policies say of a user (those of its groups too), a group or a role. Raises StorageError."""
    entities = Entities(reader, account_id)
    boundary = "" if isinstance(holder, Group) else holder.boundary
    return Rights.of(
        identity=[policy for _, policy in policies_of(entities, holder)],
        boundary=(boundary, _managed(entities, boundary, PolicyKind.BOUNDARY)) if boundary else None,
        session=session,
    )


def policies_of(entities: Entities, holder: Holder) -> Iterator[tuple[Holder, tuple[str, Policy]]]:
    """Yield the policies of a holder and of its groups, each with its holder and its name. Raises StorageError."""
    for name, text in holder.inline:
        yield holder, (name, _parse(text, PolicyKind.IDENTITY, name))
    for arn in holder.attached:
        yield holder, (arn, _managed(entities, arn, PolicyKind.IDENTITY))
    for group_name in holder.groups if isinstance(holder, User) else ():
        group = entities.find(Group, group_name)
        if group is None:
            raise StorageError(f"the group {group_name} of the user {holder.name} cannot be read")
        yield from policies_of(entities, group)


def trust_of(role: Role) -> Policy:
    """Return the policy that says who may take on a role. Raises StorageError if it cannot be read."""
    try:
        return parse_policy(role.trust_text, PolicyKind.TRUST, bindings=dict(role.trust_bindings))
    except PolicyError as error:
        raise StorageError(f"the trust policy of the role {role.name} cannot be read: {error}") from error


def unique_id_of(reader: Reader, name: str) -> str | None:
    """Return the unique id of the user or role that an ARN, or the id itself, names, for the ARN of a session its role's.

    None if there is none.
    """
    named, session = _NAMED.fullmatch(name), _SESSION.fullmatch(name)
    if session is not None:
        role = Entities(reader, session["account"]).find(Role, session["name"])
        return None if role is None else role.unique_id
    if named is None:
        return None if read_unique_name(reader, name) is None else name
    entities = Entities(reader, named["account"])
    is_user = named["resource"] == User.resource
    found: User | Role | None = entities.find(User, named["name"]) if is_user else entities.find(Role, named["name"])
    return found.unique_id if found is not None and entities.arn(found) == name else None


def arn_of(reader: Reader, unique_id: str) -> str | None:
    """Return the ARN that a user or role has now, None if nobody has that unique id."""
    found = find_by_unique_id(reader, unique_id)
    return None if found is None else Entities(reader, found[0]).arn(found[1])


def text_now(reader: Reader, text: str, bindings: Pairs) -> str:
    """Return a resource's policy as it is shown: its principals by the ARNs that they have now, those who are gone by unique ids.

    It is the text as it was put where that names them so. Raises StorageError.
    """
    names = {name: now for name, unique_id in bindings if (now := _name_now(reader, name, unique_id)) != name}
    try:
        return rename_principals(text, names) if names else text
    except PolicyError as error:
        raise StorageError(f"a stored policy cannot be read: {error}") from error


def _name_now(reader: Reader, name: str, unique_id: str) -> str:
    arn = arn_of(reader, unique_id)
    if not _SESSION.fullmatch(name):
        return arn or unique_id
    # Roles keep their names. What stands for a session of one that is gone, no policy may name.
    return name if arn is not None else f"{unique_id}:{name.rpartition('/')[2]}"


def default_text(policy: ManagedPolicy) -> str:
    """Return the text of a managed policy's default version. Raises StorageError if it has none."""
    version = policy.version(policy.default_number)
    if version is None:
        raise StorageError(f"the default version of the policy {policy.name} is missing")
    return version.text


def _managed(entities: Entities, arn: str, kind: PolicyKind) -> Policy:
    try:
        policy = entities.policy(arn)
    except NoSuchEntityError as error:
        raise StorageError(f"the attached policy {arn} is missing") from error
    return _parse(default_text(policy), kind, arn)


def _parse(text: str, kind: PolicyKind, name: str) -> Policy:
    try:
        return _remembered(text, kind)
    except PolicyError as error:
        raise StorageError(f"the stored policy {name} cannot be read: {error}") from error


@lru_cache(maxsize=1024)
def _remembered(text: str, kind: PolicyKind) -> Policy:
    return parse_policy(text, kind)
