"""Groups and their members."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.identities import Group, User, name_key
from siegel.domain.limits import GROUPS_PER_USER_MAX
from siegel.domain.query_errors import DeleteConflictError, LimitExceededError, NoSuchEntityError
from siegel.iamwire.iam_asks import CreateGroup, Member, Named, NamedPage, PathPage, UpdateGroup
from siegel.iamwire.iam_views import group_view, page_view, user_view
from siegel.service.identities.entities import Entities
from siegel.service.identities.scene import Change, Result, Scene, take_page


def create_group(change: Change, ask: CreateGroup) -> Result:
    """Create a group without members and rights."""
    unique_id = change.unique_id(Group.resource)
    group = Group(name=ask.name, path=ask.path, unique_id=unique_id, created_at_ms=change.now_ms)
    change.entities.insert(group)
    return {"Group": group_view(change.account_id, group)}


def get_group(scene: Scene, ask: NamedPage) -> Result:
    """Show a group and its members."""
    group = scene.entities.get(Group, ask.name)
    members = scene.entities.members(group)
    entries = ((name_key(user.name), user_view(scene.account_id, user, whole=False)) for user in members)
    return {"Group": group_view(scene.account_id, group), **page_view("Users", *take_page(entries, ask))}


def list_groups(scene: Scene, ask: PathPage) -> Result:
    """List groups whose paths begin so."""
    groups = scene.entities.scan(Group)
    fitting = (
        (name_key(group.name), group_view(scene.account_id, group)) for group in groups if group.path.startswith(ask.path_prefix)
    )
    return page_view("Groups", *take_page(fitting, ask))


def update_group(change: Change, ask: UpdateGroup) -> Result:
    """Give a group another name or path; members and policies stay."""
    old = change.entities.get(Group, ask.name)
    new = replace(old, name=ask.new_group_name or old.name, path=ask.new_path or old.path)
    members = list(change.entities.members(old))
    change.entities.rename(old, new)
    for user in members:
        groups = tuple(new.name if name == old.name else name for name in user.groups)
        change.entities.put(replace(user, groups=groups))
    return None


def delete_group(change: Change, ask: Named) -> Result:
    """Delete a group that has neither members nor policies."""
    group = change.entities.get(Group, ask.name)
    if next(change.entities.members(group), None) is not None:
        raise DeleteConflictError("Cannot delete entity, must remove users from group first.")
    if group.attached:
        raise DeleteConflictError("Cannot delete entity, must detach all policies first.")
    if group.inline:
        raise DeleteConflictError("Cannot delete entity, must delete policies first.")
    change.entities.remove(group)
    return None


def add_user_to_group(change: Change, ask: Member) -> Result:
    """Make a user a member; one who is it already stays it."""
    group = change.entities.get(Group, ask.name)
    user = change.entities.get(User, ask.user_name)
    if group.name in user.groups:
        return None
    if len(user.groups) >= GROUPS_PER_USER_MAX:
        raise LimitExceededError(f"Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER_MAX}")
    change.entities.put(replace(user, groups=(*user.groups, group.name)))
    return None


def remove_user_from_group(change: Change, ask: Member) -> Result:
    """End a membership."""
    group = change.entities.get(Group, ask.name)
    user = change.entities.get(User, ask.user_name)
    if group.name not in user.groups:
        raise NoSuchEntityError(f"User {user.name} is not a member of group {group.name}.")
    change.entities.put(replace(user, groups=tuple(name for name in user.groups if name != group.name)))
    return None


def groups_of(entities: Entities, user: User) -> list[Group]:
    """Return a user's groups in order of their names."""
    return [entities.get(Group, name) for name in sorted(user.groups, key=name_key)]


READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    "GetGroup": get_group,
    "ListGroups": list_groups,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Result]]] = {
    "CreateGroup": create_group,
    "UpdateGroup": update_group,
    "DeleteGroup": delete_group,
    "AddUserToGroup": add_user_to_group,
    "RemoveUserFromGroup": remove_user_from_group,
}
