"""The S3 gateway, put together from the use cases over the ports of one deployment.

Apart from `wiring.py` because only workers need it: commands must not wait for the whole protocol to be imported.
"""

import importlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Final

from msgspec import Struct

from siegel.app.process import leave_core
from siegel.app.settings import Settings
from siegel.app.wiring import Deployment
from siegel.envelope.objectkeys import EXTERNAL_CUSTODY, LOCAL_CUSTODY
from siegel.service.amend import Amender
from siegel.service.bodies import Sealer
from siegel.service.bucketpolicies import BucketPolicies
from siegel.service.buckets import Buckets
from siegel.service.configurations import Configurations
from siegel.service.delete import Deleter
from siegel.service.directory import Directory
from siegel.service.expiry import Calendar
from siegel.service.get import Getter
from siegel.service.keeping import Keeping
from siegel.service.key_uses import KeyUses
from siegel.service.keys import KeyRing
from siegel.service.kms.custody import Custodies, LocalCustody
from siegel.service.kms.datakeys import DataKeys
from siegel.service.kms.external_custody import ExternalCustody
from siegel.service.kms.managed import ManagedKeys
from siegel.service.kms.material import Materials
from siegel.service.kms.naming import KeyNames
from siegel.service.kms.proxies import Proxies as KeyServers
from siegel.service.kms.views import KeyDirectory
from siegel.service.listing import Lister
from siegel.service.multipart import Multipart
from siegel.service.objectkeys import ObjectKeys
from siegel.service.put import Putter
from siegel.service.reseal import Resealer
from siegel.service.session_tokens import SessionTokens
from siegel.service.unproven import Unproven
from siegel.web.alarms import Alarms
from siegel.web.body import IdleReaper
from siegel.web.call import LedgerEraser, LedgerFiles, LedgerPolicies, Rules, UseCases
from siegel.web.consent_cases import CustomerConsents, LiveUses
from siegel.web.door import Door
from siegel.web.door_steps import DoorParts
from siegel.web.gate import Gate
from siegel.web.gateway import Gateway
from siegel.web.peer import Proxies

# Large bodies are checked, sealed and written here; one per core would let a slow disk keep the others waiting.
BODY_THREADS: Final = 8


class Shared(Struct, frozen=True):
    """What S3 and the other doors have in common. There is one bound of calls to a key server, whoever causes them."""

    keyring: KeyRing
    tokens: SessionTokens
    key_servers: KeyServers


Doors = Callable[[Deployment, Settings, DoorParts, Shared], Mapping[str, Door]]


def build_s3(deployment: Deployment, settings: Settings) -> Gateway:
    """Return the ASGI application of the S3 port."""
    store, blobs, clock, randomness = deployment.store, deployment.blobs, deployment.clock, deployment.randomness
    executor = ThreadPoolExecutor(max_workers=BODY_THREADS, thread_name_prefix="body", initializer=leave_core)
    keyring = KeyRing(deployment.custodian, randomness)
    tokens = SessionTokens(deployment.custodian, randomness)
    directory = Directory(store, keyring, tokens, clock)
    sealer = Sealer(blobs, executor)
    materials = Materials(deployment.custodian, randomness)
    key_directory = KeyDirectory(store, materials, clock)
    key_servers = KeyServers(deployment.outbound, clock, settings.region, settings.key_server_cert)
    custodies: Custodies = {
        LOCAL_CUSTODY: LocalCustody(key_directory),
        EXTERNAL_CUSTODY: ExternalCustody(key_directory, directory, key_servers, store),
    }
    data_keys = DataKeys(key_directory, custodies, settings.region)
    object_keys = ObjectKeys(keyring, data_keys)
    rules = Rules(
        region=settings.region,
        domains=settings.domains,
        sse_c_default=settings.sse_c_default,
        sse_c_over_http=settings.sse_c_over_http,
    )
    parts = DoorParts(
        directory=directory,
        unproven=Unproven(store, clock),
        key_uses=KeyUses(store),
        reaper=IdleReaper(),
        region=settings.region,
    )
    keeping = Keeping(store, clock, round(settings.grace_s * 1000))
    getter = Getter(store, blobs, directory, object_keys, executor, keeping=keeping)
    return Gateway(
        UseCases(
            rules=rules,
            clock=clock,
            store=store,
            journal=store,
            directory=directory,
            putter=Putter(store, directory, keyring, object_keys, sealer, clock, deployment.lock_time),
            getter=getter,
            deleter=Deleter(store, clock, randomness),
            lister=Lister(store, directory),
            multipart=Multipart(store, keyring, object_keys, sealer, clock, randomness),
            amender=Amender(store, keyring),
            resealer=Resealer(store, keyring, object_keys),
            buckets=Buckets(store, clock, settings.region),
            configurations=Configurations(store),
            reaper=parts.reaper,
            bucket_policies=BucketPolicies(store),
            calendar=Calendar(settings.lifecycle_day_ms),
            gate=Gate(directory, getter, clock, settings.region),
            proxies=Proxies(settings.trusted_proxies),
            alarms=Alarms(),
            key_uses=parts.key_uses,
            key_names=KeyNames(key_directory, data_keys, ManagedKeys(store, materials, settings.region), settings.region),
            ledgers=cache(partial(_ledger_reader, deployment)),
            witness_policies=cache(partial(_witness_policies, deployment)),
            eraser=cache(partial(_eraser, deployment)),
            unproven=parts.unproven,
            live_consents=cache(partial(_live_consents, deployment)),
            consents=cache(partial(_consents, deployment)),
        ),
        doors=partial(_build_doors, deployment, settings, parts, Shared(keyring, tokens, key_servers)),
    )


def _ledger_reader(deployment: Deployment) -> LedgerFiles:
    # What signs and hashes is not waited for at the start.
    made: LedgerFiles = importlib.import_module("siegel.service.ledgers.reader").LedgerReader(
        deployment.store, deployment.custodian
    )
    return made


def _witness_policies(deployment: Deployment) -> LedgerPolicies:
    made: LedgerPolicies = importlib.import_module("siegel.service.ledgers.policies").WitnessPolicies(
        deployment.store, deployment.outbound, deployment.clock
    )
    return made


def _eraser(deployment: Deployment) -> LedgerEraser:
    made: LedgerEraser = importlib.import_module("siegel.service.ledgers.erasing").Eraser(
        deployment.store, deployment.custodian, deployment.randomness
    )
    return made


def _live_consents(deployment: Deployment) -> LiveUses:
    made: LiveUses = importlib.import_module("siegel.service.consents.live").LiveConsents(
        deployment.store, deployment.custodian, deployment.clock
    )
    return made


def _consents(deployment: Deployment) -> CustomerConsents:
    made: CustomerConsents = importlib.import_module("siegel.service.consents.customer").Consents(
        deployment.store, deployment.clock
    )
    return made


def _build_doors(deployment: Deployment, settings: Settings, parts: DoorParts, shared: Shared) -> Mapping[str, Door]:
    # Identities and keys are asked for seldom, and a third of all modules are theirs: the start does not wait for them.
    doors: Doors = importlib.import_module("siegel.app.doors").build_doors
    return doors(deployment, settings, parts, shared)
