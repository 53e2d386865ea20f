"""The doors of IAM, STS and KMS, put together at the first request that knocks at one of them."""

from collections.abc import Mapping

from siegel.app.assembly import Shared
from siegel.app.settings import Settings
from siegel.app.wiring import Deployment
from siegel.service.identities.scene import Means
from siegel.service.identities.use_cases import Identities
from siegel.service.kms.use_cases import KeyService
from siegel.service.sessions import Sessions
from siegel.service.webidentities import WebIdentities
from siegel.service.webkeys import WebKeys
from siegel.web.door import Door
from siegel.web.door_steps import DoorParts
from siegel.web.iam import iam_door
from siegel.web.kms_door import KmsDoor
from siegel.web.sts import sts_door


def build_doors(deployment: Deployment, settings: Settings, parts: DoorParts, shared: Shared) -> Mapping[str, Door]:
    """Return the doors by the names that requests to them are signed for."""
    store, clock, randomness = deployment.store, deployment.clock, deployment.randomness
    means = Means(randomness, shared.keyring, deployment.outbound)
    identities = Identities(store, store, means=means, clock=clock, region=settings.region)
    web_identities = WebIdentities(store, WebKeys(deployment.outbound, clock), clock)
    sessions = Sessions(store, store, shared.tokens, web_identities, clock=clock, region=settings.region)
    keys = KeyService(
        store,
        store,
        deployment.custodian,
        clock=clock,
        lock_time=deployment.lock_time,
        randomness=randomness,
        proxies=shared.key_servers,
        region=settings.region,
    )
    return {"kms": KmsDoor(keys, parts), "iam": iam_door(identities, parts), "sts": sts_door(sessions, parts)}
