"""Identities as answers of IAM show them.

Policy documents are percent-encoded in answers, as every client of IAM expects.

Source: AWS IAM API Reference, data types User, Group, Role, Policy, PolicyVersion, AccessKeyMetadata.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

from siegel.domain.identities import Entity, Group, ManagedPolicy, OidcProvider, Pairs, PolicyVersion, Role, User, entity_arn
from siegel.domain.objects import Credential
from siegel.iamwire.xml import Node, moment

View: TypeAlias = Mapping[str, Node]


def document(text: str) -> str:
    """Return a policy's text as answers hold it."""
    return quote(text, safe="")


def tags_view(tags: Pairs) -> Sequence[View] | None:
    """Return tags as a list, None where there are none."""
    return [{"Key": key, "Value": value} for key, value in tags] or None


def _boundary_view(arn: str) -> View | None:
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn} if arn else None


def arn_of(account_id: str, entity: Entity) -> str:
    """Return an entity's ARN."""
    return entity_arn(account_id, entity.resource, entity.path, entity.name)


def _named_view(account_id: str, word: str, entity: User | Group | Role) -> dict[str, Node]:
    return {
        "Path": entity.path,
        f"{word}Name": entity.name,
        f"{word}Id": entity.unique_id,
        "Arn": arn_of(account_id, entity),
        "CreateDate": moment(entity.created_at_ms),
    }


def user_view(account_id: str, user: User, *, whole: bool = True) -> View:
    """Return a user; lists leave out boundary and tags (`whole` is off)."""
    view = _named_view(account_id, "User", user)
    return {**view, "PermissionsBoundary": _boundary_view(user.boundary), "Tags": tags_view(user.tags)} if whole else view


def root_view(account_id: str, created_at_ms: int) -> View:
    """Return the account's root in place of a user."""
    return {"UserId": account_id, "Arn": f"arn:aws:iam::{account_id}:root", "CreateDate": moment(created_at_ms)}


def group_view(account_id: str, group: Group) -> View:
    """Return a group."""
    return _named_view(account_id, "Group", group)


def role_view(account_id: str, role: Role, *, whole: bool = True) -> View:
    """Return a role; lists leave out boundary and tags (`whole` is off)."""
    view = {
        **_named_view(account_id, "Role", role),
        "AssumeRolePolicyDocument": document(role.trust_text),
        "Description": role.description or None,
        "MaxSessionDuration": role.session_s_max,
    }
    return {**view, "PermissionsBoundary": _boundary_view(role.boundary), "Tags": tags_view(role.tags)} if whole else view


def policy_view(arn: str, policy: ManagedPolicy, attached: int, bounding: int, *, whole: bool = True) -> View:
    """Return a managed policy that is attached to, and the boundary of, so many entities."""
    view: dict[str, Node] = {
        "PolicyName": policy.name,
        "PolicyId": policy.unique_id,
        "Arn": arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_number}",
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": bounding,
        "IsAttachable": True,
        "CreateDate": moment(policy.created_at_ms),
        "UpdateDate": moment(policy.updated_at_ms),
    }
    return {**view, "Description": policy.description or None, "Tags": tags_view(policy.tags)} if whole else view


def version_view(policy: ManagedPolicy, version: PolicyVersion, *, whole: bool = True) -> View:
    """Return a version of a policy; lists leave out the document (`whole` is off)."""
    return {
        "Document": document(version.text) if whole else None,
        "VersionId": f"v{version.number}",
        "IsDefaultVersion": version.number == policy.default_number,
        "CreateDate": moment(version.created_at_ms),
    }


def provider_view(provider: OidcProvider) -> View:
    """Return an identity provider; its URL is shown without the scheme, as AWS does."""
    return {
        "Url": provider.name,
        "ClientIDList": provider.client_ids,
        "ThumbprintList": provider.thumbprints,
        "CreateDate": moment(provider.created_at_ms),
        "Tags": tags_view(provider.tags),
    }


def key_view(credential: Credential) -> dict[str, Node]:
    """Return an access key without its secret. A key of the account's root has no user."""
    return {
        "UserName": credential.user_name or None,
        "AccessKeyId": credential.access_key_id,
        "Status": "Active" if credential.is_active else "Inactive",
        "CreateDate": moment(credential.created_at_ms),
    }


def page_view(name: str, entries: Iterable[Any], marker: str) -> View:
    """Return one page of a list; `marker` continues it, empty at its end."""
    return {name: list(entries), "IsTruncated": bool(marker), "Marker": marker or None}
