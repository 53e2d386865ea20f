"""The S3 gateway, put together from the use cases over the ports of one deployment.

Apart from `wiring.py` because only workers need it: commands must not wait for the whole protocol to be imported.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from siegel.app.http import Application
from siegel.app.settings import Settings
from siegel.app.wiring import Deployment
from siegel.service.amend import Amender
from siegel.service.bodies import Sealer
from siegel.service.bucketpolicies import BucketPolicies
from siegel.service.buckets import Buckets
from siegel.service.configurations import Configurations
from siegel.service.delete import Deleter
from siegel.service.directory import Directory
from siegel.service.expiry import Calendar
from siegel.service.get import Getter
from siegel.service.identities.scene import Means
from siegel.service.identities.use_cases import Identities
from siegel.service.key_uses import KeyUses
from siegel.service.keys import KeyRing
from siegel.service.kms.use_cases import KeyService
from siegel.service.listing import Lister
from siegel.service.multipart import Multipart
from siegel.service.principals import unique_id_of
from siegel.service.put import Putter
from siegel.service.session_tokens import SessionTokens
from siegel.service.sessions import Sessions
from siegel.service.webidentities import WebIdentities
from siegel.service.webkeys import WebKeys
from siegel.web.alarms import Alarms
from siegel.web.body import IdleReaper
from siegel.web.call import Rules, UseCases
from siegel.web.door_steps import DoorParts
from siegel.web.gate import Gate
from siegel.web.gateway import Gateway
from siegel.web.iam import iam_door
from siegel.web.kms_door import KmsDoor
from siegel.web.peer import Proxies
from siegel.web.sts import sts_door

# Large bodies are checked, sealed and written here; one per core would let a slow disk keep the others waiting.
BODY_THREADS: Final = 8


def build_s3(deployment: Deployment, settings: Settings) -> Application:
    """Return the ASGI application of the S3 port."""
    store, blobs, clock, randomness = deployment.store, deployment.blobs, deployment.clock, deployment.randomness
    executor = ThreadPoolExecutor(max_workers=BODY_THREADS, thread_name_prefix="body")
    keyring = KeyRing(deployment.custodian, randomness)
    tokens = SessionTokens(deployment.custodian, randomness)
    directory = Directory(store, keyring, tokens, clock)
    sealer = Sealer(blobs, executor)
    rules = Rules(
        region=settings.region,
        domains=settings.domains,
        sse_c_default=settings.sse_c_default,
        sse_c_over_http=settings.sse_c_over_http,
    )
    parts = DoorParts(directory=directory, journal=store, key_uses=KeyUses(store), reaper=IdleReaper(), region=settings.region)
    means = Means(randomness, keyring, deployment.outbound)
    identities = Identities(store, store, means=means, clock=clock, region=settings.region)
    web_identities = WebIdentities(store, WebKeys(deployment.outbound, clock), clock)
    sessions = Sessions(store, store, tokens, web_identities, clock=clock, region=settings.region)
    keys = KeyService(
        store,
        store,
        deployment.custodian,
        clock=clock,
        lock_time=deployment.lock_time,
        randomness=randomness,
        region=settings.region,
    )
    getter = Getter(store, blobs, directory, keyring, executor)
    return Gateway(
        UseCases(
            rules=rules,
            clock=clock,
            store=store,
            journal=store,
            directory=directory,
            putter=Putter(store, directory, keyring, sealer, clock, deployment.lock_time),
            getter=getter,
            deleter=Deleter(store, clock, randomness),
            lister=Lister(store, directory),
            multipart=Multipart(store, keyring, sealer, clock, randomness),
            amender=Amender(store, keyring),
            buckets=Buckets(store, clock, settings.region),
            configurations=Configurations(store),
            reaper=parts.reaper,
            bucket_policies=BucketPolicies(store, unique_id_of),
            calendar=Calendar(settings.lifecycle_day_ms),
            gate=Gate(directory, getter, clock, settings.region),
            proxies=Proxies(settings.trusted_proxies),
            alarms=Alarms(),
            key_uses=parts.key_uses,
        ),
        doors={
            "kms": KmsDoor(keys, parts),
            "iam": iam_door(identities, parts),
            "sts": sts_door(sessions, parts),
        },
    )
