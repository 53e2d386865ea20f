"""Identity providers: create, show, list, change, delete.

Nobody is asked here: a provider is asked when a token of its is to be proven (`service/webkeys.py`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.identities import OidcProvider, provider_name
from siegel.domain.limits import CLIENT_IDS_MAX
from siegel.domain.outbound import AddressRefusedError
from siegel.domain.query_errors import InvalidInputError, LimitExceededError
from siegel.iamwire.iam_asks import CreateProvider, Named, ProviderClient, ProviderThumbprints
from siegel.iamwire.iam_views import provider_view, tags_view
from siegel.service.identities.scene import Change, Result, Scene
from siegel.service.identities.tag_values import merge_tags


def create_provider(change: Change, ask: CreateProvider) -> Result:
    """Create a provider. Raises InvalidInputError for an URL that this deployment would not ask."""
    try:
        change.means.outbound.check(ask.url)
    except AddressRefusedError as error:
        raise InvalidInputError(f"The URL of the provider cannot be used: {error}.") from error
    provider = OidcProvider(
        name=provider_name(ask.url),
        created_at_ms=change.now_ms,
        url=ask.url,
        client_ids=tuple(dict.fromkeys(ask.client_ids)),
        thumbprints=ask.thumbprints,
        tags=merge_tags((), ask.tags),
    )
    change.entities.insert(provider)
    return {"OpenIDConnectProviderArn": change.entities.arn(provider), "Tags": tags_view(provider.tags)}


def get_provider(scene: Scene, ask: Named) -> Result:
    """Show a provider."""
    return provider_view(scene.entities.provider(ask.name))


def list_providers(scene: Scene, _ask: object) -> Result:
    """List the ARNs of all providers."""
    return {"OpenIDConnectProviderList": [{"Arn": scene.entities.arn(found)} for found in scene.entities.scan(OidcProvider)]}


def delete_provider(change: Change, ask: Named) -> Result:
    """Delete a provider; roles that trust it stay, and nobody can take them on by its tokens any more."""
    change.entities.remove(change.entities.provider(ask.name))
    return None


def add_client(change: Change, ask: ProviderClient) -> Result:
    """Believe tokens for one more audience. Raises LimitExceededError."""
    provider = change.entities.provider(ask.name)
    client_ids = tuple(dict.fromkeys((*provider.client_ids, ask.client_id)))
    if len(client_ids) > CLIENT_IDS_MAX:
        raise LimitExceededError(f"Cannot exceed quota for client ids of a provider: {CLIENT_IDS_MAX}")
    change.entities.put(replace(provider, client_ids=client_ids))
    return None


def remove_client(change: Change, ask: ProviderClient) -> Result:
    """Believe tokens for an audience no more; one that is not there counts as removed."""
    provider = change.entities.provider(ask.name)
    left = tuple(client_id for client_id in provider.client_ids if client_id != ask.client_id)
    change.entities.put(replace(provider, client_ids=left))
    return None


def put_thumbprints(change: Change, ask: ProviderThumbprints) -> Result:
    """Keep other thumbprints."""
    change.entities.put(replace(change.entities.provider(ask.name), thumbprints=ask.thumbprints))
    return None


READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    "GetOpenIDConnectProvider": get_provider,
    "ListOpenIDConnectProviders": list_providers,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Result]]] = {
    "CreateOpenIDConnectProvider": create_provider,
    "DeleteOpenIDConnectProvider": delete_provider,
    "AddClientIDToOpenIDConnectProvider": add_client,
    "RemoveClientIDFromOpenIDConnectProvider": remove_client,
    "UpdateOpenIDConnectProviderThumbprint": put_thumbprints,
}
