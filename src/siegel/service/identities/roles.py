"""Roles: create, show, list, change, delete; and the policy that says who may take them on."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.access.policy import PolicyKind, parse_policy, principals_of
from siegel.domain.errors import PolicyError
from siegel.domain.identities import Pairs, Role, name_key
from siegel.domain.ports import Reader
from siegel.domain.query_errors import DeleteConflictError, MalformedPolicyDocumentError
from siegel.iamwire.iam_asks import CreateRole, Named, PathPage, TrustText, UpdateRole, UpdateRoleDescription
from siegel.iamwire.iam_views import View, page_view, role_view
from siegel.service.identities.holders import check_boundary
from siegel.service.identities.scene import Change, Result, Scene, take_page
from siegel.service.identities.tag_values import merge_tags
from siegel.service.principals import text_now, unique_id_of


def create_role(change: Change, ask: CreateRole) -> Result:
    """Create a role, which has no right to begin with."""
    if ask.permissions_boundary:
        check_boundary(change.entities, ask.permissions_boundary)
    role = Role(
        name=ask.name,
        path=ask.path,
        unique_id=change.unique_id(Role.resource),
        created_at_ms=change.now_ms,
        tags=merge_tags((), ask.tags),
        boundary=ask.permissions_boundary,
        trust_text=ask.assume_role_policy_document,
        trust_bindings=_bind(change.writer, ask.assume_role_policy_document),
        description=ask.description,
        session_s_max=ask.max_session_duration,
    )
    change.entities.insert(role)
    return {"Role": _view(change, role)}


def _view(scene: Scene, role: Role, *, whole: bool = True) -> View:
    """Return a role as answers show it, whom it trusts by the names that they have now. Raises StorageError."""
    trust_text = text_now(scene.entities.reader, role.trust_text, role.trust_bindings)
    return role_view(scene.account_id, replace(role, trust_text=trust_text), whole=whole)


def _bind(reader: Reader, text: str) -> Pairs:
    """Return the unique ids of all that a trust policy names. Raises MalformedPolicyDocumentError, also for an unknown name."""
    try:
        names = principals_of(parse_policy(text, PolicyKind.TRUST))
    except PolicyError as error:
        raise MalformedPolicyDocumentError(str(error)) from error
    bindings: list[tuple[str, str]] = []
    for arn in names:
        unique_id = unique_id_of(reader, arn)
        if unique_id is None:
            raise MalformedPolicyDocumentError(f'Invalid principal in policy: "AWS":"{arn}"')
        bindings.append((arn, unique_id))
    return tuple(bindings)


def get_role(scene: Scene, ask: Named) -> Result:
    """Show a role."""
    return {"Role": _view(scene, scene.entities.get(Role, ask.name))}


def list_roles(scene: Scene, ask: PathPage) -> Result:
    """List roles whose paths begin so."""
    roles = scene.entities.scan(Role)
    fitting = ((name_key(role.name), role) for role in roles if role.path.startswith(ask.path_prefix))
    page, marker = take_page(fitting, ask)
    return page_view("Roles", [_view(scene, role, whole=False) for role in page], marker)


def update_role(change: Change, ask: UpdateRole) -> Result:
    """Change a role's description and the longest session."""
    role = change.entities.get(Role, ask.name)
    description = role.description if ask.description is None else ask.description
    session_s_max = ask.max_session_duration or role.session_s_max
    change.entities.put(replace(role, description=description, session_s_max=session_s_max))
    return {}


def update_role_description(change: Change, ask: UpdateRoleDescription) -> Result:
    """Change a role's description, and show the role."""
    role = replace(change.entities.get(Role, ask.name), description=ask.description)
    change.entities.put(role)
    return {"Role": _view(change, role)}


def update_trust(change: Change, ask: TrustText) -> Result:
    """Put another policy that says who may take on the role."""
    role = change.entities.get(Role, ask.name)
    bindings = _bind(change.writer, ask.policy_document)
    change.entities.put(replace(role, trust_text=ask.policy_document, trust_bindings=bindings))
    return None


def delete_role(change: Change, ask: Named) -> Result:
    """Delete a role that has no policies any more."""
    role = change.entities.get(Role, ask.name)
    if role.attached:
        raise DeleteConflictError("Cannot delete entity, must detach all policies first.")
    if role.inline:
        raise DeleteConflictError("Cannot delete entity, must delete policies first.")
    change.entities.remove(role)
    return None


READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    "GetRole": get_role,
    "ListRoles": list_roles,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Result]]] = {
    "CreateRole": create_role,
    "UpdateRole": update_role,
    "UpdateRoleDescription": update_role_description,
    "UpdateAssumeRolePolicy": update_trust,
    "DeleteRole": delete_role,
}
