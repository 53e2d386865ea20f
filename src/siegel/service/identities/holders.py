"""Policies of users, groups and roles: their own (inline), those attached, and the boundary of all these."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from msgspec.structs import replace

from siegel.domain.identities import Group, Holder, Role, User
from siegel.domain.limits import ATTACHED_POLICIES_MAX, GROUP_INLINE_CHARS_MAX, ROLE_INLINE_CHARS_MAX, USER_INLINE_CHARS_MAX
from siegel.domain.query_errors import InvalidInputError, LimitExceededError, NoSuchEntityError
from siegel.iamwire.iam_asks import Attachment, Boundary, InlineNamed, InlineText, Named, NamedPage, NamedPathPage
from siegel.iamwire.iam_views import document, page_view
from siegel.service.identities.entities import Entities
from siegel.service.identities.scene import Change, Result, Scene, check_policy, take_page

_SPACE: Final = re.compile(r"\s+")
_INLINE_MAX: Final[dict[type[Holder], int]] = {
    User: USER_INLINE_CHARS_MAX,
    Group: GROUP_INLINE_CHARS_MAX,
    Role: ROLE_INLINE_CHARS_MAX,
}
_WORDS: Final[dict[type[Holder], str]] = {User: "User", Group: "Group", Role: "Role"}


def _holder(entities: Entities, ask: Named) -> Holder:
    return entities.get(cast("type[Holder]", ask.entity_type), ask.name)


def put_inline(change: Change, ask: InlineText) -> Result:
    """Put a policy of the holder's own in place of the one of that name."""
    holder = _holder(change.entities, ask)
    check_policy(ask.policy_document)
    inline = dict(holder.inline) | {ask.policy_name: ask.policy_document}
    limit = _INLINE_MAX[type(holder)]
    if sum(len(_SPACE.sub("", text)) for text in inline.values()) > limit:
        raise LimitExceededError(f"Maximum policy size of {limit} bytes exceeded for {holder.resource} {holder.name}")
    change.entities.put(replace(holder, inline=tuple(sorted(inline.items()))))
    return None


def get_inline(scene: Scene, ask: InlineNamed) -> Result:
    """Show a policy of the holder's own."""
    holder = _holder(scene.entities, ask)
    text = _inline_text(holder, ask.policy_name)
    return {f"{_WORDS[type(holder)]}Name": holder.name, "PolicyName": ask.policy_name, "PolicyDocument": document(text)}


def delete_inline(change: Change, ask: InlineNamed) -> Result:
    """Delete a policy of the holder's own."""
    holder = _holder(change.entities, ask)
    _inline_text(holder, ask.policy_name)
    inline = tuple(pair for pair in holder.inline if pair[0] != ask.policy_name)
    change.entities.put(replace(holder, inline=inline))
    return None


def _inline_text(holder: Holder, name: str) -> str:
    text = dict(holder.inline).get(name)
    if text is None:
        raise NoSuchEntityError(f"The {holder.resource} policy with name {name} cannot be found.")
    return text


def list_inline(scene: Scene, ask: NamedPage) -> Result:
    """List the names of the holder's own policies."""
    names = ((name, name) for name, _ in _holder(scene.entities, ask).inline)
    return page_view("PolicyNames", *take_page(names, ask))


def attach(change: Change, ask: Attachment) -> Result:
    """Attach a managed policy; one that is attached already stays it."""
    holder = _holder(change.entities, ask)
    change.entities.policy(ask.policy_arn)
    if ask.policy_arn in holder.attached:
        return None
    if len(holder.attached) >= ATTACHED_POLICIES_MAX:
        word = _WORDS[type(holder)]
        raise LimitExceededError(f"Cannot exceed quota for PoliciesPer{word}: {ATTACHED_POLICIES_MAX}")
    change.entities.put(replace(holder, attached=tuple(sorted((*holder.attached, ask.policy_arn)))))
    return None


def detach(change: Change, ask: Attachment) -> Result:
    """Detach a managed policy."""
    holder = _holder(change.entities, ask)
    if ask.policy_arn not in holder.attached:
        raise NoSuchEntityError(f"Policy {ask.policy_arn} was not found.")
    change.entities.put(replace(holder, attached=tuple(arn for arn in holder.attached if arn != ask.policy_arn)))
    return None


def list_attached(scene: Scene, ask: NamedPathPage) -> Result:
    """List the attached policies whose paths begin so."""
    attached = ((arn, scene.entities.policy(arn)) for arn in _holder(scene.entities, ask).attached)
    fitting = (
        (arn, {"PolicyName": policy.name, "PolicyArn": arn})
        for arn, policy in attached
        if policy.path.startswith(ask.path_prefix)
    )
    return page_view("AttachedPolicies", *take_page(fitting, ask))


def check_boundary(entities: Entities, arn: str) -> None:
    """Raise NoSuchEntityError, InvalidInputError unless an ARN names a policy that can be a boundary."""
    if ":policy/" not in arn:
        raise InvalidInputError(f"ARN {arn} is not valid.")
    entities.policy(arn)


def put_boundary(change: Change, ask: Boundary) -> Result:
    """Limit whatever the policies of a user or role allow."""
    holder = _principal(change, ask)
    check_boundary(change.entities, ask.permissions_boundary)
    change.entities.put(replace(holder, boundary=ask.permissions_boundary))
    return None


def delete_boundary(change: Change, ask: Named) -> Result:
    """Take the limit away."""
    holder = _principal(change, ask)
    if not holder.boundary:
        raise NoSuchEntityError(f"The {holder.resource} with name {holder.name} has no permissions boundary.")
    change.entities.put(replace(holder, boundary=""))
    return None


def _principal(change: Change, ask: Named) -> User | Role:
    return change.entities.get(cast("type[User | Role]", ask.entity_type), ask.name)


_EVERY: Final = ("User", "Group", "Role")

READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    **{f"Get{word}Policy": get_inline for word in _EVERY},
    **{f"List{word}Policies": list_inline for word in _EVERY},
    **{f"ListAttached{word}Policies": list_attached for word in _EVERY},
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Result]]] = {
    **{f"Put{word}Policy": put_inline for word in _EVERY},
    **{f"Delete{word}Policy": delete_inline for word in _EVERY},
    **{f"Attach{word}Policy": attach for word in _EVERY},
    **{f"Detach{word}Policy": detach for word in _EVERY},
    **{f"Put{word}PermissionsBoundary": put_boundary for word in ("User", "Role")},
    **{f"Delete{word}PermissionsBoundary": delete_boundary for word in ("User", "Role")},
}
