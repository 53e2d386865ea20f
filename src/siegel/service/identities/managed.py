"""Managed policies, their versions, and whom they are attached to."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.errors import AccessDeniedError
from siegel.domain.identities import Entity, Group, Holder, ManagedPolicy, PolicyVersion, Role, User, name_key
from siegel.domain.limits import POLICY_VERSIONS_MAX
from siegel.domain.query_errors import DeleteConflictError, LimitExceededError, NoSuchEntityError
from siegel.iamwire import iam_asks as asks
from siegel.iamwire.iam_views import View, page_view, policy_view, version_view
from siegel.iamwire.xml import Node
from siegel.service.identities.entities import Entities
from siegel.service.identities.provided import PROVIDED
from siegel.service.identities.scene import Change, Result, Scene, check_policy, take_page
from siegel.service.identities.tag_values import merge_tags

_BOUNDARY: Final = "PermissionsBoundary"
_PERMISSIONS: Final = "PermissionsPolicy"


def check_own(entity: Entity) -> None:
    """Raise AccessDeniedError for a policy that every account has: nobody changes it."""
    if entity in PROVIDED.values():
        raise AccessDeniedError("Policies of arn:aws:iam::aws:policy/ cannot be changed.")


def _own(change: Change, arn: str) -> ManagedPolicy:
    policy = change.entities.policy(arn)
    check_own(policy)
    return policy


def _usage(entities: Entities) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many entities each policy, by its ARN, is attached to, and is the boundary of."""
    attached: dict[str, int] = {}
    bounding: dict[str, int] = {}
    for holder in entities.holders():
        for arn in holder.attached:
            attached[arn] = attached.get(arn, 0) + 1
        if not isinstance(holder, Group) and holder.boundary:
            bounding[holder.boundary] = bounding.get(holder.boundary, 0) + 1
    return attached, bounding


def _view(entities: Entities, policy: ManagedPolicy) -> View:
    arn = entities.policy_arn(policy)
    attached, bounding = _usage(entities)
    return policy_view(arn, policy, attached.get(arn, 0), bounding.get(arn, 0))


def create_policy(change: Change, ask: asks.CreatePolicy) -> Result:
    """Create a managed policy with its first version."""
    check_policy(ask.policy_document)
    policy = ManagedPolicy(
        name=ask.policy_name,
        path=ask.path,
        unique_id=change.unique_id(ManagedPolicy.resource),
        created_at_ms=change.now_ms,
        updated_at_ms=change.now_ms,
        description=ask.description,
        versions=(PolicyVersion(1, ask.policy_document, change.now_ms),),
        tags=merge_tags((), ask.tags),
    )
    change.entities.insert(policy)
    return {"Policy": policy_view(change.entities.arn(policy), policy, 0, 0)}


def get_policy(scene: Scene, ask: asks.Named) -> Result:
    """Show a managed policy."""
    return {"Policy": _view(scene.entities, scene.entities.policy(ask.name))}


def list_policies(scene: Scene, ask: asks.ListPolicies) -> Result:
    """List managed policies: the account's own, those that every account has, or both."""
    attached, bounding = _usage(scene.entities)
    used = {_PERMISSIONS: attached, _BOUNDARY: bounding}.get(ask.policy_usage_filter, attached | bounding)
    fitting = (
        (arn, policy_view(arn, policy, attached.get(arn, 0), bounding.get(arn, 0), whole=False))
        for arn, policy in _in_scope(scene.entities, ask.scope)
        if policy.path.startswith(ask.path_prefix) and (arn in used or not (ask.only_attached or ask.policy_usage_filter))
    )
    return page_view("Policies", *take_page(fitting, ask))


def _in_scope(entities: Entities, scope: str) -> Iterator[tuple[str, ManagedPolicy]]:
    own = [(entities.arn(policy), policy) for policy in entities.scan(ManagedPolicy)] if scope != "AWS" else []
    provided = PROVIDED.items() if scope != "Local" else ()
    yield from sorted([*own, *provided], key=lambda pair: pair[0])


def delete_policy(change: Change, ask: asks.Named) -> Result:
    """Delete a managed policy that is attached nowhere and has one version."""
    policy = _own(change, ask.name)
    attached, bounding = _usage(change.entities)
    if ask.name in attached or ask.name in bounding:
        raise DeleteConflictError("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflictError(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    change.entities.remove(policy)
    return None


def create_version(change: Change, ask: asks.NewVersion) -> Result:
    """Add a version, which decides from now on if it is set as default."""
    policy = _own(change, ask.name)
    check_policy(ask.policy_document)
    if len(policy.versions) >= POLICY_VERSIONS_MAX:
        raise LimitExceededError(
            f"A managed policy can have up to {POLICY_VERSIONS_MAX} versions. Before you create a new version, you must "
            "delete an existing version."
        )
    number = policy.last_number + 1
    version = PolicyVersion(number, ask.policy_document, change.now_ms)
    policy = replace(
        policy,
        versions=(*policy.versions, version),
        last_number=number,
        default_number=number if ask.set_as_default else policy.default_number,
        updated_at_ms=change.now_ms,
    )
    change.entities.put(policy)
    return {"PolicyVersion": version_view(policy, version, whole=False)}


def _version(policy: ManagedPolicy, ask: asks.VersionNamed) -> PolicyVersion:
    version = policy.version(int(ask.version_id[1:]))
    if version is None:
        raise NoSuchEntityError(f"Policy {ask.name} version {ask.version_id} does not exist or is not attachable.")
    return version


def get_version(scene: Scene, ask: asks.VersionNamed) -> Result:
    """Show a version with its document."""
    policy = scene.entities.policy(ask.name)
    return {"PolicyVersion": version_view(policy, _version(policy, ask))}


def list_versions(scene: Scene, ask: asks.NamedPage) -> Result:
    """List versions, without their documents."""
    policy = scene.entities.policy(ask.name)
    entries = ((f"{version.number:09}", version_view(policy, version, whole=False)) for version in policy.versions)
    return page_view("Versions", *take_page(entries, ask))


def set_default_version(change: Change, ask: asks.VersionNamed) -> Result:
    """Let a version decide from now on."""
    policy = _own(change, ask.name)
    number = _version(policy, ask).number
    change.entities.put(replace(policy, default_number=number, updated_at_ms=change.now_ms))
    return None


def delete_version(change: Change, ask: asks.VersionNamed) -> Result:
    """Delete a version that is not the default."""
    policy = _own(change, ask.name)
    gone = _version(policy, ask)
    if gone.number == policy.default_number:
        raise DeleteConflictError("Cannot delete the default version of a policy.")
    change.entities.put(replace(policy, versions=tuple(version for version in policy.versions if version is not gone)))
    return None


def list_entities(scene: Scene, ask: asks.Entities) -> Result:
    """List the users, groups and roles that have a policy, attached or as their boundary."""
    scene.entities.policy(ask.name)
    found = (
        (f"{holder.resource}/{name_key(holder.name)}", holder)
        for holder in sorted(scene.entities.holders(), key=lambda one: (one.resource, name_key(one.name)))
        if _has_policy(holder, ask)
    )
    page, marker = take_page(found, ask)
    lists: dict[str, Node] = {f"Policy{word}s": _shown(page, holder_type, word) for holder_type, word in _WORDS.items()}
    return {**lists, "IsTruncated": bool(marker), "Marker": marker or None}


_WORDS: Final[dict[type[Holder], str]] = {Group: "Group", User: "User", Role: "Role"}


def _shown(page: list[Holder], holder_type: type[Holder], word: str) -> list[View]:
    of_type = [holder for holder in page if type(holder) is holder_type]
    return [{f"{word}Name": holder.name, f"{word}Id": holder.unique_id} for holder in of_type]


def _has_policy(holder: Holder, ask: asks.Entities) -> bool:
    if ask.entity_filter not in {"", _WORDS[type(holder)]} or not holder.path.startswith(ask.path_prefix):
        return False
    bounds = not isinstance(holder, Group) and holder.boundary == ask.name
    return (ask.name in holder.attached and ask.policy_usage_filter != _BOUNDARY) or (
        bounds and ask.policy_usage_filter != _PERMISSIONS
    )


READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    "GetPolicy": get_policy,
    "ListPolicies": list_policies,
    "GetPolicyVersion": get_version,
    "ListPolicyVersions": list_versions,
    "ListEntitiesForPolicy": list_entities,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Result]]] = {
    "CreatePolicy": create_policy,
    "DeletePolicy": delete_policy,
    "CreatePolicyVersion": create_version,
    "SetDefaultPolicyVersion": set_default_version,
    "DeletePolicyVersion": delete_version,
}
