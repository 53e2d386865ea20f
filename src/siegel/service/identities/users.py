"""Users: create, show, list, rename, delete."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.access.caller import CallerKind
from siegel.domain.errors import InternalError
from siegel.domain.identities import User, name_key
from siegel.domain.query_errors import DeleteConflictError
from siegel.iamwire.iam_asks import CreateUser, Named, NamedPage, PathPage, UpdateUser
from siegel.iamwire.iam_views import group_view, page_view, root_view, user_view
from siegel.service.identities.access_keys import rename_owner
from siegel.service.identities.groups import groups_of
from siegel.service.identities.holders import check_boundary
from siegel.service.identities.scene import ROOT_NAME, Change, Result, Scene, take_page
from siegel.service.identities.tag_values import merge_tags


def create_user(change: Change, ask: CreateUser) -> Result:
    """Create a user, who has no right to begin with."""
    if ask.permissions_boundary:
        check_boundary(change.entities, ask.permissions_boundary)
    user = User(
        name=ask.name,
        path=ask.path,
        unique_id=change.unique_id(User.resource),
        created_at_ms=change.now_ms,
        tags=merge_tags((), ask.tags),
        boundary=ask.permissions_boundary,
    )
    change.entities.insert(user)
    return {"User": user_view(change.account_id, user)}


def get_user(scene: Scene, ask: Named) -> Result:
    """Show a user; without a name the caller, be it the account's root."""
    name = scene.subject(ask)
    if name == ROOT_NAME:
        account = scene.entities.reader.identities.find_account(scene.account_id)
        if account is None or scene.caller.kind is not CallerKind.ROOT:
            raise InternalError
        return {"User": root_view(scene.account_id, account.created_at_ms)}
    return {"User": user_view(scene.account_id, scene.entities.get(User, name))}


def list_users(scene: Scene, ask: PathPage) -> Result:
    """List users whose paths begin so."""
    users = scene.entities.scan(User)
    fitting = (
        (name_key(user.name), user_view(scene.account_id, user, whole=False))
        for user in users
        if user.path.startswith(ask.path_prefix)
    )
    return page_view("Users", *take_page(fitting, ask))


def update_user(change: Change, ask: UpdateUser) -> Result:
    """Give a user another name or path; its keys, policies and unique id stay."""
    old = change.entities.get(User, ask.name)
    new = replace(old, name=ask.new_user_name or old.name, path=ask.new_path or old.path)
    change.entities.rename(old, new)
    rename_owner(change, old.name, new.name)
    return None


def delete_user(change: Change, ask: Named) -> Result:
    """Delete a user that nothing belongs to any more."""
    user = change.entities.get(User, ask.name)
    if change.writer.identities.credentials_of(change.account_id, user.name):
        raise DeleteConflictError("Cannot delete entity, must delete access keys first.")
    if user.groups:
        raise DeleteConflictError("Cannot delete entity, must remove users from group first.")
    if user.attached:
        raise DeleteConflictError("Cannot delete entity, must detach all policies first.")
    if user.inline:
        raise DeleteConflictError("Cannot delete entity, must delete policies first.")
    change.entities.remove(user)
    return None


def list_groups_for_user(scene: Scene, ask: NamedPage) -> Result:
    """List the groups of a user."""
    groups = groups_of(scene.entities, scene.entities.get(User, ask.name))
    entries = ((name_key(group.name), group_view(scene.account_id, group)) for group in groups)
    return page_view("Groups", *take_page(entries, ask))


READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    "GetUser": get_user,
    "ListUsers": list_users,
    "ListGroupsForUser": list_groups_for_user,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Result]]] = {
    "CreateUser": create_user,
    "UpdateUser": update_user,
    "DeleteUser": delete_user,
}
