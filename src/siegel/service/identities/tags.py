"""Tags of users, roles, policies and identity providers."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from msgspec.structs import replace

from siegel.domain.identities import ManagedPolicy, OidcProvider, Role, User
from siegel.iamwire.iam_asks import Named, NamedPage, Tagged, Untagged
from siegel.iamwire.iam_views import page_view
from siegel.service.identities.entities import Entities
from siegel.service.identities.managed import check_own
from siegel.service.identities.scene import Change, Result, Scene, take_page
from siegel.service.identities.tag_values import merge_tags


def _tagged(entities: Entities, ask: Named) -> User | Role | ManagedPolicy | OidcProvider:
    return entities.get(cast("type[User | Role | ManagedPolicy | OidcProvider]", ask.entity_type), ask.name)


def put_tags(change: Change, ask: Tagged) -> Result:
    """Put tags over those that are there."""
    entity = _tagged(change.entities, ask)
    check_own(entity)
    change.entities.put(replace(entity, tags=merge_tags(entity.tags, ask.tags)))
    return None


def remove_tags(change: Change, ask: Untagged) -> Result:
    """Remove tags by their keys; those that are not there count as removed."""
    entity = _tagged(change.entities, ask)
    check_own(entity)
    gone = {key.lower() for key in ask.tag_keys}
    change.entities.put(replace(entity, tags=tuple(pair for pair in entity.tags if pair[0].lower() not in gone)))
    return None


def list_tags(scene: Scene, ask: NamedPage) -> Result:
    """List tags in order of their keys."""
    tags = ((key, {"Key": key, "Value": value}) for key, value in _tagged(scene.entities, ask).tags)
    return page_view("Tags", *take_page(tags, ask))


_EVERY: Final = ("User", "Role", "Policy", "OpenIDConnectProvider")

READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {f"List{word}Tags": list_tags for word in _EVERY}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Result]]] = {
    **{f"Tag{word}": put_tags for word in _EVERY},
    **{f"Untag{word}": remove_tags for word in _EVERY},
}
