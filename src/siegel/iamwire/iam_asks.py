"""What each action of IAM asks for.

Users, groups, roles, policies and providers have the same actions in the same words, so each class below is written once with a
`name`, and `of` makes the class for one kind of entity, in which `name` is the parameter `UserName`, `GroupName`, `RoleName`,
`PolicyArn` or `OpenIDConnectProviderArn`.

Source: AWS IAM API Reference, "Actions"; every pattern and length is from there.
"""

from typing import Annotated, ClassVar, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, field

from siegel.domain.identities import Entity, Group, ManagedPolicy, OidcProvider, Role, User
from siegel.domain.limits import CLIENT_IDS_MAX
from siegel.iamwire.ask import Ask, Part, Tag

N = TypeVar("N", bound="Named")

Name: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_+=,.@-]+\Z", min_length=1, max_length=128)]
ShortName: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_+=,.@-]+\Z", min_length=1, max_length=64)]
Path: TypeAlias = Annotated[str, Meta(pattern=r"\A(/|/[\x21-\x7e]+/)\Z", max_length=512)]
PathPrefix: TypeAlias = Annotated[str, Meta(pattern=r"\A/[\x21-\x7e]*\Z", max_length=512)]
Arn: TypeAlias = Annotated[str, Meta(pattern=r"\A[\x21-\x7e]+\Z", min_length=20, max_length=2048)]
KeyId: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_]+\Z", min_length=16, max_length=128)]
PolicyText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=131_072)]
VersionId: TypeAlias = Annotated[str, Meta(pattern=r"\Av[1-9][0-9]{0,8}\Z")]
Description: TypeAlias = Annotated[str, Meta(pattern=r"\A[\t\n\r\x20-\x7e\xa1-\xff]*\Z", max_length=1000)]
Marker: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_=-]+\Z", max_length=320)]
MaxItems: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]
SessionSeconds: TypeAlias = Annotated[int, Meta(ge=3600, le=43_200)]
ActionName: TypeAlias = Annotated[str, Meta(min_length=3, max_length=128)]
ResourceName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2048)]
IssuerUrl: TypeAlias = Annotated[
    str, Meta(pattern=r"\Ahttps?://[A-Za-z0-9._-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?\Z", min_length=1, max_length=255)
]
ClientId: TypeAlias = Annotated[str, Meta(pattern=r"\A[\x21-\x7e]+\Z", min_length=1, max_length=255)]
Thumbprints: TypeAlias = Annotated[tuple[Annotated[str, Meta(pattern=r"\A[0-9A-Fa-f]{40}\Z")], ...], Meta(max_length=5)]
ContextKeyName: TypeAlias = Annotated[str, Meta(min_length=5, max_length=256)]

_PAGE_DEFAULT: Final = 100


class Named(Ask, frozen=True, kw_only=True):
    """An action about one entity. `name` is empty where the caller itself is meant, and a policy's ARN."""

    entity_type: ClassVar[type[Entity]] = User

    name: str = ""


class Page(Ask, frozen=True, kw_only=True):
    """A list of the account."""

    marker: Marker = ""
    max_items: MaxItems = _PAGE_DEFAULT


class PathPage(Page, frozen=True, kw_only=True):
    """The same, by path."""

    path_prefix: PathPrefix = "/"


class NamedPage(Named, frozen=True, kw_only=True):
    """A list of what belongs to one entity."""

    marker: Marker = ""
    max_items: MaxItems = _PAGE_DEFAULT


class NamedPathPage(NamedPage, frozen=True, kw_only=True):
    """The same, by path."""

    path_prefix: PathPrefix = "/"


class CreateUser(Named, frozen=True, kw_only=True):
    """CreateUser."""

    path: Path = "/"
    permissions_boundary: Arn = ""
    tags: tuple[Tag, ...] = ()


class CreateGroup(Named, frozen=True, kw_only=True):
    """CreateGroup."""

    path: Path = "/"


class CreateRole(CreateUser, frozen=True, kw_only=True):
    """CreateRole."""

    assume_role_policy_document: PolicyText
    description: Description = ""
    max_session_duration: SessionSeconds = 3600


class UpdateUser(Named, frozen=True, kw_only=True):
    """UpdateUser."""

    new_path: Path = ""
    new_user_name: ShortName = ""


class UpdateGroup(Named, frozen=True, kw_only=True):
    """UpdateGroup."""

    new_path: Path = ""
    new_group_name: Name = ""


class UpdateRole(Named, frozen=True, kw_only=True):
    """UpdateRole: what is not given stays."""

    description: Description | None = None
    max_session_duration: SessionSeconds = 0


class UpdateRoleDescription(Named, frozen=True, kw_only=True):
    """UpdateRoleDescription."""

    description: Description


class Member(Named, frozen=True, kw_only=True):
    """AddUserToGroup, RemoveUserFromGroup."""

    user_name: ShortName


class KeyNamed(Named, frozen=True, kw_only=True):
    """DeleteAccessKey."""

    access_key_id: KeyId


class KeyStatus(KeyNamed, frozen=True, kw_only=True):
    """UpdateAccessKey."""

    status: Literal["Active", "Inactive"]


class KeyLastUsed(Ask, frozen=True, kw_only=True):
    """GetAccessKeyLastUsed."""

    access_key_id: KeyId


class InlineNamed(Named, frozen=True, kw_only=True):
    """GetUserPolicy, DeleteUserPolicy and their like."""

    policy_name: Name


class InlineText(InlineNamed, frozen=True, kw_only=True):
    """PutUserPolicy and its like."""

    policy_document: PolicyText


class Attachment(Named, frozen=True, kw_only=True):
    """AttachUserPolicy, DetachUserPolicy and their like."""

    policy_arn: Arn


class Boundary(Named, frozen=True, kw_only=True):
    """PutUserPermissionsBoundary and its like."""

    permissions_boundary: Arn


class TrustText(Named, frozen=True, kw_only=True):
    """UpdateAssumeRolePolicy."""

    policy_document: PolicyText


class Tagged(Named, frozen=True, kw_only=True):
    """TagUser and its like."""

    tags: Annotated[tuple[Tag, ...], Meta(max_length=50)]


class Untagged(Named, frozen=True, kw_only=True):
    """UntagUser and its like."""

    tag_keys: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...], Meta(max_length=50)]


class CreatePolicy(Ask, frozen=True, kw_only=True):
    """CreatePolicy."""

    policy_name: Name
    policy_document: PolicyText
    path: Path = "/"
    description: Description = ""
    tags: tuple[Tag, ...] = ()


class ListPolicies(PathPage, frozen=True, kw_only=True):
    """ListPolicies."""

    scope: Literal["All", "AWS", "Local"] = "All"
    only_attached: bool = False
    policy_usage_filter: Literal["", "PermissionsPolicy", "PermissionsBoundary"] = ""


class NewVersion(Named, frozen=True, kw_only=True):
    """CreatePolicyVersion."""

    policy_document: PolicyText
    set_as_default: bool = False


class VersionNamed(Named, frozen=True, kw_only=True):
    """GetPolicyVersion, SetDefaultPolicyVersion, DeletePolicyVersion."""

    version_id: VersionId


class Entities(NamedPathPage, frozen=True, kw_only=True):
    """ListEntitiesForPolicy."""

    entity_filter: Literal["", "User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"] = ""
    policy_usage_filter: Literal["", "PermissionsPolicy", "PermissionsBoundary"] = ""


class ContextEntry(Part, frozen=True, kw_only=True):
    """A condition key's values in a simulation."""

    context_key_name: ContextKeyName
    context_key_values: tuple[str, ...] = ()
    context_key_type: str = "string"


class SimulateCustomPolicy(Ask, frozen=True, kw_only=True):
    """SimulateCustomPolicy."""

    action_names: Annotated[tuple[ActionName, ...], Meta(min_length=1)]
    policy_input_list: Annotated[tuple[PolicyText, ...], Meta(max_length=10)]
    permissions_boundary_policy_input_list: Annotated[tuple[PolicyText, ...], Meta(max_length=1)] = ()
    resource_arns: tuple[ResourceName, ...] = ("*",)
    resource_policy: PolicyText = ""
    resource_owner: ResourceName = ""
    caller_arn: ResourceName = ""
    context_entries: tuple[ContextEntry, ...] = ()
    resource_handling_option: Annotated[str, Meta(max_length=64)] = ""
    marker: Marker = ""
    max_items: MaxItems = _PAGE_DEFAULT


class SimulatePrincipalPolicy(SimulateCustomPolicy, frozen=True, kw_only=True):
    """SimulatePrincipalPolicy: what is given comes on top of the policies of the principal."""

    policy_source_arn: Arn
    policy_input_list: Annotated[tuple[PolicyText, ...], Meta(max_length=10)] = ()


class CreateProvider(Ask, frozen=True, kw_only=True):
    """CreateOpenIDConnectProvider."""

    url: IssuerUrl
    client_ids: Annotated[tuple[ClientId, ...], Meta(max_length=CLIENT_IDS_MAX)] = field(name="ClientIDList", default=())
    thumbprints: Thumbprints = field(name="ThumbprintList", default=())
    tags: tuple[Tag, ...] = ()


class ProviderClient(Named, frozen=True, kw_only=True):
    """AddClientIDToOpenIDConnectProvider, RemoveClientIDFromOpenIDConnectProvider."""

    client_id: ClientId = field(name="ClientID")


class ProviderThumbprints(Named, frozen=True, kw_only=True):
    """UpdateOpenIDConnectProviderThumbprint."""

    thumbprints: Thumbprints = field(name="ThumbprintList")


class MfaDevices(Page, frozen=True, kw_only=True):
    """ListVirtualMFADevices."""

    assignment_status: Literal["", "Assigned", "Unassigned", "Any"] = ""


_NAMES: Final[dict[type[Entity], tuple[str, object]]] = {
    User: ("UserName", ShortName),
    Group: ("GroupName", Name),
    Role: ("RoleName", ShortName),
    ManagedPolicy: ("PolicyArn", Arn),
    OidcProvider: ("OpenIDConnectProviderArn", Arn),
}


def of(entity_type: type[Entity], ask: type[N], *, optional: bool = False) -> type[N]:
    """Return `ask` for one kind of entity. `optional`: without a name, the caller itself is meant."""
    parameter, annotation = _NAMES[entity_type]
    renamed = field(name=parameter, default="") if optional else field(name=parameter)
    made = msgspec.defstruct(
        f"{ask.__name__}Of{entity_type.__name__}",
        [("name", annotation, renamed)],
        bases=(ask,),
        namespace={"entity_type": entity_type, "__doc__": ask.__doc__},
        frozen=True,
        kw_only=True,
    )
    assert issubclass(made, ask)  # noqa: S101  (its base, which the library's types do not tell)
    return made
