"""The table of what this service does of IAM: every action with its permission, its parameters and what it is about.

Actions of AWS that are not here stand in `REFUSED` with the reason; together they are all that the API has.

Source: AWS IAM API Reference, "Actions"; AWS Service Authorization Reference, "Actions defined by AWS IAM".
"""

from collections.abc import Iterator
from typing import Final

from siegel.domain.entry import kind_of
from siegel.domain.identities import Entity, Group, ManagedPolicy, OidcProvider, Role, User
from siegel.iamwire import iam_asks as asks
from siegel.iamwire.action import About, Action, QueryProtocol, by_name
from siegel.iamwire.ask import Ask
from siegel.iamwire.iam_asks import of
from siegel.iamwire.iam_refused import REFUSED

SERVICE: Final = "iam"
_ABOUT: Final = {
    User: About.USER,
    Group: About.GROUP,
    Role: About.ROLE,
    ManagedPolicy: About.POLICY,
    OidcProvider: About.PROVIDER,
}


def _read(name: str, ask: type[Ask], about: About, *, is_empty: bool = False) -> Action:
    return Action(name=name, permission=f"{SERVICE}:{name}", kind=kind_of(SERVICE, name), ask=ask, about=about, is_empty=is_empty)


def _change(name: str, ask: type[Ask], about: About) -> Action:
    return Action(name=name, permission=f"{SERVICE}:{name}", kind=kind_of(SERVICE, name), ask=ask, about=about, changes=True)


def _of_every_entity(entity_type: type[Entity], word: str, plural: str) -> Iterator[Action]:
    about = _ABOUT[entity_type]
    yield _read(f"Get{word}", of(entity_type, asks.NamedPage if entity_type is Group else asks.Named), about)
    yield _change(f"Delete{word}", of(entity_type, asks.Named), about)
    if entity_type is not ManagedPolicy:
        yield _read(f"List{plural}", asks.PathPage, about)


def _of_every_holder(entity_type: type[Entity], word: str) -> Iterator[Action]:
    about = _ABOUT[entity_type]
    yield _change(f"Put{word}Policy", of(entity_type, asks.InlineText), about)
    yield _read(f"Get{word}Policy", of(entity_type, asks.InlineNamed), about)
    yield _change(f"Delete{word}Policy", of(entity_type, asks.InlineNamed), about)
    yield _read(f"List{word}Policies", of(entity_type, asks.NamedPage), about)
    yield _change(f"Attach{word}Policy", of(entity_type, asks.Attachment), about)
    yield _change(f"Detach{word}Policy", of(entity_type, asks.Attachment), about)
    yield _read(f"ListAttached{word}Policies", of(entity_type, asks.NamedPathPage), about)


def _of_every_principal(entity_type: type[Entity], word: str) -> Iterator[Action]:
    about = _ABOUT[entity_type]
    yield _change(f"Put{word}PermissionsBoundary", of(entity_type, asks.Boundary), about)
    yield _change(f"Delete{word}PermissionsBoundary", of(entity_type, asks.Named), about)


def _of_everything_tagged(entity_type: type[Entity], word: str) -> Iterator[Action]:
    about = _ABOUT[entity_type]
    yield _change(f"Tag{word}", of(entity_type, asks.Tagged), about)
    yield _change(f"Untag{word}", of(entity_type, asks.Untagged), about)
    yield _read(f"List{word}Tags", of(entity_type, asks.NamedPage), about)


_USERS: Final = (
    _change("CreateUser", of(User, asks.CreateUser), About.USER),
    _read("GetUser", of(User, asks.Named, optional=True), About.USER),
    _change("UpdateUser", of(User, asks.UpdateUser), About.USER),
    _read("ListGroupsForUser", of(User, asks.NamedPage), About.USER),
    _change("CreateAccessKey", of(User, asks.Named, optional=True), About.USER),
    _read("ListAccessKeys", of(User, asks.NamedPage, optional=True), About.USER),
    _change("UpdateAccessKey", of(User, asks.KeyStatus, optional=True), About.USER),
    _change("DeleteAccessKey", of(User, asks.KeyNamed, optional=True), About.USER),
    _read("GetAccessKeyLastUsed", asks.KeyLastUsed, About.ACCOUNT),
)
_GROUPS: Final = (
    _change("CreateGroup", of(Group, asks.CreateGroup), About.GROUP),
    _change("UpdateGroup", of(Group, asks.UpdateGroup), About.GROUP),
    _change("AddUserToGroup", of(Group, asks.Member), About.GROUP),
    _change("RemoveUserFromGroup", of(Group, asks.Member), About.GROUP),
)
_ROLES: Final = (
    _change("CreateRole", of(Role, asks.CreateRole), About.ROLE),
    _change("UpdateRole", of(Role, asks.UpdateRole), About.ROLE),
    _change("UpdateRoleDescription", of(Role, asks.UpdateRoleDescription), About.ROLE),
    _change("UpdateAssumeRolePolicy", of(Role, asks.TrustText), About.ROLE),
)
_POLICIES: Final = (
    _change("CreatePolicy", asks.CreatePolicy, About.POLICY),
    _read("ListPolicies", asks.ListPolicies, About.POLICY),
    _change("CreatePolicyVersion", of(ManagedPolicy, asks.NewVersion), About.POLICY),
    _read("GetPolicyVersion", of(ManagedPolicy, asks.VersionNamed), About.POLICY),
    _read("ListPolicyVersions", of(ManagedPolicy, asks.NamedPage), About.POLICY),
    _change("SetDefaultPolicyVersion", of(ManagedPolicy, asks.VersionNamed), About.POLICY),
    _change("DeletePolicyVersion", of(ManagedPolicy, asks.VersionNamed), About.POLICY),
    _read("ListEntitiesForPolicy", of(ManagedPolicy, asks.Entities), About.POLICY),
)
_PROVIDERS: Final = (
    _change("CreateOpenIDConnectProvider", asks.CreateProvider, About.PROVIDER),
    _read("GetOpenIDConnectProvider", of(OidcProvider, asks.Named), About.PROVIDER),
    _read("ListOpenIDConnectProviders", Ask, About.ACCOUNT),
    _change("DeleteOpenIDConnectProvider", of(OidcProvider, asks.Named), About.PROVIDER),
    _change("AddClientIDToOpenIDConnectProvider", of(OidcProvider, asks.ProviderClient), About.PROVIDER),
    _change("RemoveClientIDFromOpenIDConnectProvider", of(OidcProvider, asks.ProviderClient), About.PROVIDER),
    _change("UpdateOpenIDConnectProviderThumbprint", of(OidcProvider, asks.ProviderThumbprints), About.PROVIDER),
)
_ACCOUNT: Final = (
    _read("GetAccountSummary", Ask, About.ACCOUNT),
    _read("SimulateCustomPolicy", asks.SimulateCustomPolicy, About.ACCOUNT),
    _read("SimulatePrincipalPolicy", asks.SimulatePrincipalPolicy, About.PRINCIPAL),
)
# What tools ask before they delete an entity, and what there is nothing of here.
_EMPTY: Final = (
    _read("ListAccountAliases", asks.Page, About.ACCOUNT, is_empty=True),
    _read("ListMFADevices", of(User, asks.NamedPage, optional=True), About.USER, is_empty=True),
    _read("ListSSHPublicKeys", of(User, asks.NamedPage, optional=True), About.USER, is_empty=True),
    _read("ListSigningCertificates", of(User, asks.NamedPage, optional=True), About.USER, is_empty=True),
    _read("ListVirtualMFADevices", asks.MfaDevices, About.ACCOUNT, is_empty=True),
    _read("ListInstanceProfilesForRole", of(Role, asks.NamedPage), About.ROLE, is_empty=True),
    _read("ListInstanceProfiles", asks.PathPage, About.ACCOUNT, is_empty=True),
    _read("ListServerCertificates", asks.PathPage, About.ACCOUNT, is_empty=True),
    _read("GetLoginProfile", of(User, asks.Named, optional=True), About.USER, is_empty=True),
    _read("GetAccountPasswordPolicy", Ask, About.ACCOUNT, is_empty=True),
)


def _table() -> Iterator[Action]:
    for entity_type, word, plural in ((User, "User", "Users"), (Group, "Group", "Groups"), (Role, "Role", "Roles")):
        yield from _of_every_entity(entity_type, word, plural)
        yield from _of_every_holder(entity_type, word)
    yield from _of_every_entity(ManagedPolicy, "Policy", "Policies")
    for entity_type, word in ((User, "User"), (Role, "Role")):
        yield from _of_every_principal(entity_type, word)
    yield from _of_everything_tagged(User, "User")
    yield from _of_everything_tagged(Role, "Role")
    yield from _of_everything_tagged(ManagedPolicy, "Policy")
    yield from _of_everything_tagged(OidcProvider, "OpenIDConnectProvider")
    yield from (*_USERS, *_GROUPS, *_ROLES, *_POLICIES, *_PROVIDERS, *_ACCOUNT, *_EMPTY)


ACTIONS: Final[dict[str, Action]] = by_name(_table())
"""Every action of IAM that is understood, by its name."""

IAM: Final = QueryProtocol(SERVICE, "https://iam.amazonaws.com/doc/2010-05-08/", "2010-05-08", ACTIONS, REFUSED)
"""The protocol of the service."""
