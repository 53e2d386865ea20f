"""External key stores: create, connect and disconnect, show, change, delete.

What a proxy says is asked for before the transaction, which checks everything once more: see `inquiries.py`.

Source: AWS KMS API Reference, "CreateCustomKeyStore" and its neighbours; AWS KMS Developer Guide, "External key stores".
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.key_stores import ConnectionState, KeyStore, Proxy
from siegel.domain.kms_errors import (
    KmsCustomKeyStoreHasCMKsError,
    KmsCustomKeyStoreInvalidStateError,
    KmsCustomKeyStoreNameInUseError,
    KmsCustomKeyStoreNotFoundError,
    KmsLimitExceededError,
    KmsValidationError,
    KmsXksProxyInvalidConfigurationError,
    KmsXksProxyUriInUseError,
)
from siegel.domain.limits import KMS_KEY_STORES_MAX
from siegel.kmswire.answers import Answer, page_view, store_view
from siegel.kmswire.asks import CreateCustomKeyStore, DescribeCustomKeyStores, OfStore, UpdateCustomKeyStore
from siegel.service.kms.lapses import error_of_store, failure_of
from siegel.service.kms.material import Materials
from siegel.service.kms.scene import Change, Scene, page_start, take_page

_ID_BYTES: Final = 9
_ID_CHARS: Final = 17
_VERSION: Final = "/v1"
_NOTHING: Final[Answer] = {}


def planned_proxy(scene: Scene, ask: CreateCustomKeyStore) -> Proxy:
    """Return the proxy of a key store that is to be made, if the caller may make one.

    Raises AccessDeniedError, KmsValidationError, KmsCustomKeyStoreNameInUseError, KmsXksProxyUriInUseError,
    KmsXksProxyInvalidConfigurationError, KmsLimitExceededError.
    """
    scene.admit_account()
    credential = ask.xks_proxy_authentication_credential
    if (
        ask.xks_proxy_uri_endpoint is None
        or ask.xks_proxy_uri_path is None
        or credential is None
        or not ask.xks_proxy_connectivity
    ):
        raise KmsValidationError(
            "An external key store needs XksProxyConnectivity, XksProxyUriEndpoint, XksProxyUriPath and "
            "XksProxyAuthenticationCredential."
        )
    _check_place(scene, "", ask.custom_key_store_name, ask.xks_proxy_uri_endpoint, ask.xks_proxy_uri_path)
    if sum(1 for _ in scene.book.stores()) >= KMS_KEY_STORES_MAX:
        raise KmsLimitExceededError(f"An account has at most {KMS_KEY_STORES_MAX} key stores.")
    url = ask.xks_proxy_uri_endpoint + ask.xks_proxy_uri_path
    return Proxy(url, credential.access_key_id, credential.raw_secret_access_key, ask.trust_anchor_certificate)


def create_store(change: Change, ask: CreateCustomKeyStore) -> Answer:
    """Make a key store whose proxy was asked for its health; it is not connected yet."""
    proxy = planned_proxy(change, ask)
    finding = change.finding_about(proxy)
    if finding.error is not None:
        raise error_of_store(finding.error)
    store_id = f"cks-{change.materials.randomness.bytes(_ID_BYTES).hex()[:_ID_CHARS]}"
    store = KeyStore(
        store_id=store_id,
        name=ask.custom_key_store_name,
        created_at_ms=change.now_ms,
        endpoint=ask.xks_proxy_uri_endpoint or "",
        uri_path=ask.xks_proxy_uri_path or "",
        trust_pem=proxy.trust_pem,
    )
    change.setting.trail.object_key = store_id
    change.book_of(change.account_id).put_store(_with_credential(change, store, proxy))
    return {"CustomKeyStoreId": store_id}


def store_to_connect(scene: Scene, ask: OfStore) -> KeyStore:
    """Return a key store that the caller may connect. Raises AccessDeniedError, KmsCustomKeyStore...Error."""
    store = _admit(scene, ask.custom_key_store_id)
    if store.state is ConnectionState.FAILED:
        raise KmsCustomKeyStoreInvalidStateError("The key store is FAILED: disconnect it before it is connected again.")
    return store


def connect_store(change: Change, ask: OfStore) -> Answer:
    """Let the keys of a store be used, if its proxy is healthy; else the store says why it is FAILED."""
    store = store_to_connect(change, ask)
    finding = change.finding_about(change.materials.proxy(change.account_id, store))
    state, failure = ConnectionState.CONNECTED, ""
    if finding.error is not None:
        state, failure = ConnectionState.FAILED, failure_of(finding.error)
    store = replace(store, state=state, failure=failure)
    change.book_of(change.account_id).put_store(_renewed(change, store))
    return _NOTHING


def disconnect_store(change: Change, ask: OfStore) -> Answer:
    """Let nothing be done with the keys of a store, from the moment of the answer on."""
    store = _admit(change, ask.custom_key_store_id)
    state = ConnectionState.DISCONNECTED
    change.book_of(change.account_id).put_store(replace(store, state=state, failure=""))
    return _NOTHING


def planned_update(scene: Scene, materials: Materials, ask: UpdateCustomKeyStore) -> tuple[KeyStore, Proxy]:
    """Return a key store as it is to be, its credential still the old one, and its proxy as it is to be.

    Raises AccessDeniedError, KmsCustomKeyStore...Error, KmsXksProxyUriInUseError, KmsXksProxyInvalidConfigurationError.
    """
    store = _admit(scene, ask.custom_key_store_id)
    endpoint = ask.xks_proxy_uri_endpoint or store.endpoint
    if endpoint != store.endpoint and store.state is not ConnectionState.DISCONNECTED:
        raise KmsCustomKeyStoreInvalidStateError("Disconnect the key store before its XksProxyUriEndpoint is changed.")
    name = ask.new_custom_key_store_name or store.name
    uri_path = ask.xks_proxy_uri_path or store.uri_path
    _check_place(scene, store.store_id, name, endpoint, uri_path)
    store = replace(store, name=name, endpoint=endpoint, uri_path=uri_path)
    proxy, credential = materials.proxy(scene.account_id, store), ask.xks_proxy_authentication_credential
    if credential is not None:
        proxy = Proxy(proxy.url, credential.access_key_id, credential.raw_secret_access_key, proxy.trust_pem)
    return store, proxy


def update_store(change: Change, ask: UpdateCustomKeyStore) -> Answer:
    """Change a key store whose proxy, as it is to be, was asked for its health."""
    store, proxy = planned_update(change, change.materials, ask)
    finding = change.finding_about(proxy)
    if finding.error is not None:
        raise error_of_store(finding.error)
    if proxy != change.materials.proxy(change.account_id, find_store(change, store.store_id)):
        store = _renewed(change, _with_credential(change, store, proxy))
    change.book_of(change.account_id).put_store(store)
    return _NOTHING


def delete_store(change: Change, ask: OfStore) -> Answer:
    """Delete a key store without keys."""
    store = _admit(change, ask.custom_key_store_id)
    if any(key.key_store_id == store.store_id for key in change.book.scan_keys()):
        raise KmsCustomKeyStoreHasCMKsError
    if store.state is not ConnectionState.DISCONNECTED:
        raise KmsCustomKeyStoreInvalidStateError(f"The key store is {store.state.value}: disconnect it before it is deleted.")
    change.book_of(change.account_id).remove_store(store.store_id)
    return _NOTHING


def describe_stores(scene: Scene, ask: DescribeCustomKeyStores) -> Answer:
    """Show the account's key stores, or one of them."""
    scene.admit_account()
    if ask.custom_key_store_id is not None and ask.custom_key_store_name is not None:
        raise KmsValidationError("Name a key store by CustomKeyStoreId or by CustomKeyStoreName, not by both.")
    if ask.custom_key_store_id is None and ask.custom_key_store_name is None:
        found = ((store.store_id, store_view(store)) for store in scene.book.stores(page_start(ask)))
        return page_view("CustomKeyStores", *take_page(found, ask))
    wanted = {ask.custom_key_store_id, ask.custom_key_store_name}
    shown = [store_view(store) for store in scene.book.stores() if store.store_id in wanted or store.name in wanted]
    if not shown:
        raise KmsCustomKeyStoreNotFoundError
    return page_view("CustomKeyStores", shown, "")


def find_store(scene: Scene, store_id: str) -> KeyStore:
    """Return a key store of the account. Raises KmsCustomKeyStoreNotFoundError."""
    store = scene.book.find_store(store_id)
    if store is None:
        raise KmsCustomKeyStoreNotFoundError(f"There is no key store {store_id}.")
    return store


def _renewed(change: Change, store: KeyStore) -> KeyStore:
    """Return a key store whose keys are to be asked for anew: nothing that was opened before is used any more."""
    # Greater than before, also where the clock was set back or stands.
    return replace(store, renewed_at_ms=max(change.now_ms, store.renewed_at_ms + 1))


def _with_credential(change: Change, store: KeyStore, proxy: Proxy) -> KeyStore:
    sealed = change.materials.seal_credential(change.account_id, store.store_id, proxy)
    return replace(store, access_key_id=proxy.access_key_id, sealed_secret=sealed)


def _admit(scene: Scene, store_id: str) -> KeyStore:
    scene.setting.trail.object_key = store_id
    scene.admit_account()
    return find_store(scene, store_id)


def _check_place(scene: Scene, own_id: str, name: str, endpoint: str, uri_path: str) -> None:
    """Raise an error for a name or a proxy that another store of the account has, and for a version that is not spoken here."""
    if not uri_path.endswith(_VERSION):
        raise KmsXksProxyInvalidConfigurationError(
            "The XKS proxy API is spoken here in its version 1: XksProxyUriPath ends in /v1."
        )
    for store in scene.book.stores():
        if store.store_id == own_id:
            continue
        if store.name == name:
            raise KmsCustomKeyStoreNameInUseError(f"There is a key store {name} already: {store.store_id}.")
        if (store.endpoint.lower(), store.uri_path) == (endpoint.lower(), uri_path):
            raise KmsXksProxyUriInUseError(f"The key store {store.store_id} has that proxy.")


READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {"DescribeCustomKeyStores": describe_stores}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    "CreateCustomKeyStore": create_store,
    "ConnectCustomKeyStore": connect_store,
    "DisconnectCustomKeyStore": disconnect_store,
    "UpdateCustomKeyStore": update_store,
    "DeleteCustomKeyStore": delete_store,
}
