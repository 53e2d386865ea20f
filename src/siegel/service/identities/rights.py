"""What a call of IAM must be allowed: its action, on the ARN of what it is about, under the conditions of the request."""

from collections.abc import Iterator, Mapping
from typing import Final

from siegel.access.condition_keys import ConditionKeys
from siegel.access.evaluation import Asked
from siegel.domain.identities import Entity, Group, ManagedPolicy, OidcProvider, Pairs, Role, User, entity_arn, provider_name
from siegel.iamwire import iam_asks as asks
from siegel.iamwire.action import About, Spoken
from siegel.service.identities.access_keys import find_own_key
from siegel.service.identities.provided import PROVIDED
from siegel.service.identities.scene import ROOT_NAME, Scene

_EVERYTHING: Final = "*"
_LISTS: Final[dict[About, type[Entity]]] = {About.USER: User, About.GROUP: Group, About.ROLE: Role, About.POLICY: ManagedPolicy}
# Keys that a request to this service answers from its parameters alone: no header can speak for them.
_OWN_FAMILIES: Final = ("aws:requesttag/", "aws:tagkeys", "aws:resourcetag/", "iam:", "s3:")

Values = Mapping[str, tuple[str, ...]]


class IamKeys:
    """The condition keys of one call: those of its parameters and of what it is about, then those of every request."""

    def __init__(self, own: Values, of_request: ConditionKeys) -> None:
        self._own = own
        self._of_request = of_request

    def get(self, name: str, /) -> tuple[str, ...] | None:
        """Return the values of a key, or None."""
        if name.startswith(_OWN_FAMILIES):
            return self._own.get(name)
        return self._of_request.get(name)


def demands(scene: Scene, spoken: Spoken, of_request: ConditionKeys) -> Iterator[Asked]:
    """Yield all that a call must be allowed: an entity that gets another name is asked for under both."""
    entity, resource = _place(scene, spoken)
    keys = IamKeys(_own_keys(spoken.ask, entity), of_request)
    yield Asked(spoken.action.permission, resource, keys)
    renamed = _renamed(scene, spoken.ask, entity)
    if renamed is not None:
        yield Asked(spoken.action.permission, renamed, keys)


def _place(scene: Scene, spoken: Spoken) -> tuple[Entity | None, str]:
    """Return what a call is about, if it is there, and its ARN."""
    ask = spoken.ask
    if isinstance(ask, asks.Named):
        return _named(scene, ask)
    if isinstance(ask, asks.SimulatePrincipalPolicy):
        return None, ask.policy_source_arn
    if isinstance(ask, asks.KeyLastUsed):
        return _key_owner(scene, ask.access_key_id)
    if isinstance(ask, asks.CreatePolicy | asks.CreateProvider):
        return None, _new_arn(scene.account_id, ask)
    listed = _LISTS.get(spoken.action.about)
    if listed is not None:
        prefix = ask.path_prefix if isinstance(ask, asks.PathPage) else "/"
        return None, entity_arn(scene.account_id, listed.resource, prefix, "")
    return None, _EVERYTHING


def _new_arn(account_id: str, ask: asks.CreatePolicy | asks.CreateProvider) -> str:
    if isinstance(ask, asks.CreatePolicy):
        return entity_arn(account_id, ManagedPolicy.resource, ask.path, ask.policy_name)
    return entity_arn(account_id, OidcProvider.resource, "/", provider_name(ask.url))


def _named(scene: Scene, ask: asks.Named) -> tuple[Entity | None, str]:
    if ask.entity_type is ManagedPolicy:
        found = PROVIDED.get(ask.name) or scene.entities.find(ManagedPolicy, ask.name.rpartition("/")[2])
        return (found if found is not None and scene.entities.policy_arn(found) == ask.name else None), ask.name
    if ask.entity_type is OidcProvider:
        provider = scene.entities.find(OidcProvider, ask.name.partition("/")[2])
        return (provider if provider is not None and scene.entities.arn(provider) == ask.name else None), ask.name
    name = ask.name or scene.subject(ask)
    if name == ROOT_NAME:
        return None, f"arn:aws:iam::{scene.account_id}:root"
    entity = scene.entities.find(ask.entity_type, name)
    if entity is not None:
        return entity, scene.entities.arn(entity)
    path = ask.path if isinstance(ask, asks.CreateUser | asks.CreateGroup) else "/"
    return None, entity_arn(scene.account_id, ask.entity_type.resource, path, name)


def _key_owner(scene: Scene, access_key_id: str) -> tuple[Entity | None, str]:
    credential = find_own_key(scene.entities, access_key_id)
    if credential is None:
        return None, _EVERYTHING
    if credential.user_name == ROOT_NAME:
        return None, f"arn:aws:iam::{scene.account_id}:root"
    user = scene.entities.get(User, credential.user_name)
    return user, scene.entities.arn(user)


def _renamed(scene: Scene, ask: object, entity: Entity | None) -> str | None:
    if entity is None or not isinstance(ask, asks.UpdateUser | asks.UpdateGroup):
        return None
    name = ask.new_user_name if isinstance(ask, asks.UpdateUser) else ask.new_group_name
    return entity_arn(scene.account_id, entity.resource, ask.new_path or entity.path, name or entity.name)


def _own_keys(ask: object, entity: Entity | None) -> Values:
    keys: dict[str, tuple[str, ...]] = {}
    boundary = entity.boundary if isinstance(entity, User | Role) else ""
    if isinstance(ask, asks.CreateUser | asks.Boundary):
        boundary = ask.permissions_boundary
    if boundary:
        keys["iam:permissionsboundary"] = (boundary,)
    if isinstance(ask, asks.Attachment):
        keys["iam:policyarn"] = (ask.policy_arn,)
    if isinstance(ask, asks.CreateUser | asks.CreatePolicy | asks.CreateProvider | asks.Tagged) and ask.tags:
        keys |= {f"aws:requesttag/{tag.key.lower()}": (tag.value,) for tag in ask.tags}
        keys["aws:tagkeys"] = tuple(tag.key for tag in ask.tags)
    if isinstance(ask, asks.Untagged) and ask.tag_keys:
        keys["aws:tagkeys"] = ask.tag_keys
    if isinstance(entity, User | Role | ManagedPolicy | OidcProvider):
        keys |= resource_tag_keys(entity.tags)
    return keys


def resource_tag_keys(tags: Pairs) -> Values:
    """Return the condition keys that tell which tags an entity has."""
    return {f"{family}:resourcetag/{key.lower()}": (value,) for key, value in tags for family in ("aws", "iam")}
