"""What a change has to know before its transaction, which waits for nobody: what a proxy says, what comes out of a wrapping.

The caller's rights and the state of things are checked before a proxy is asked, and once more inside the transaction; a finding
about another proxy than the transaction sees counts for nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from siegel.domain.key_stores import KeyServerError, Proxy
from siegel.domain.kms_errors import KmsXksProxyUriUnreachableError
from siegel.domain.outbound import AddressRefusedError
from siegel.kmswire.answers import ORIGIN_EXTERNAL
from siegel.kmswire.asks import CreateCustomKeyStore, CreateKey, OfStore, UpdateCustomKeyStore
from siegel.service.kms.imports import unwrap_material
from siegel.service.kms.key_stores import planned_proxy, planned_update, store_to_connect
from siegel.service.kms.keys import store_for_key
from siegel.service.kms.material import Materials
from siegel.service.kms.proxies import Proxies
from siegel.service.kms.scene import Finding, Scene, Unwrapped

Ask = Callable[[Scene, Any], Awaitable[Finding | Unwrapped | None]]


class Inquiries:
    """Asks what a change needs to know."""

    def __init__(self, materials: Materials, proxies: Proxies) -> None:
        self._materials = materials
        self._proxies = proxies
        self._asks: Final[Mapping[str, Ask]] = {
            "CreateCustomKeyStore": self._of_creation,
            "ConnectCustomKeyStore": self._of_connection,
            "UpdateCustomKeyStore": self._of_update,
            "CreateKey": self._of_key,
            "ImportKeyMaterial": partial(unwrap_material, materials),
        }

    def is_needed(self, operation: str) -> bool:
        """Tell whether an operation may have to ask first."""
        return operation in self._asks

    async def inquire(self, scene: Scene) -> Finding | Unwrapped | None:
        """Return what was found; None where the call needs nothing to be. Raises what the change raises."""
        spoken = scene.setting.spoken
        return await self._asks[spoken.operation.name](scene, spoken.ask)

    async def _of_creation(self, scene: Scene, ask: CreateCustomKeyStore) -> Finding:
        return await self._health(scene, planned_proxy(scene, ask))

    async def _of_connection(self, scene: Scene, ask: OfStore) -> Finding:
        store = store_to_connect(scene, ask)
        return await self._health(scene, self._materials.proxy(scene.account_id, store))

    async def _of_update(self, scene: Scene, ask: UpdateCustomKeyStore) -> Finding:
        _, proxy = planned_update(scene, self._materials, ask)
        return await self._health(scene, proxy)

    async def _of_key(self, scene: Scene, ask: CreateKey) -> Finding | None:
        if ask.origin != ORIGIN_EXTERNAL:
            return None
        store = store_for_key(scene, ask)
        proxy = self._materials.proxy(scene.account_id, store)
        metadata = told(scene) | {"awsPrincipalArn": scene.caller.arn}
        try:
            problem = await self._proxies.check_key(proxy, ask.xks_key_id or "", metadata)
        except KeyServerError as error:
            return Finding(proxy, error)
        return Finding(proxy, problem=problem)

    async def _health(self, scene: Scene, proxy: Proxy) -> Finding:
        try:
            self._proxies.check_place(proxy)
        except AddressRefusedError as error:
            raise KmsXksProxyUriUnreachableError(f"The proxy is not asked there: {error}") from error
        try:
            await self._proxies.check_health(proxy, told(scene))
        except KeyServerError as error:
            return Finding(proxy, error)
        return Finding(proxy)


def told(scene: Scene) -> dict[str, str]:
    """Return what every question says: for which operation it is, and by which number both logs know it."""
    return {"kmsRequestId": scene.setting.trail.request_id, "kmsOperation": scene.setting.spoken.operation.name}
