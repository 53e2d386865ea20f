"""The steward's process: tidies up in rounds, and answers on the admin port."""

import asyncio
import importlib
import logging
import os
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Final, Protocol

from siegel.app.http import HttpServer
from siegel.app.lifeline import Lifeline
from siegel.app.orders import Orders, ServiceState
from siegel.app.process import report_ready_soon, run, settle_memory
from siegel.app.rootkeys import forget_retired
from siegel.app.settings import Settings
from siegel.app.wiring import Deployment, open_deployment
from siegel.domain.errors import SiegelError, StorageError
from siegel.service.directory import Directory
from siegel.service.expiry import Calendar
from siegel.service.keys import KeyRing
from siegel.service.kms.upkeep import KeyUpkeep
from siegel.service.lifecycle import LifecycleSteward
from siegel.service.lockclock import LockTime
from siegel.service.operators import Operators
from siegel.service.session_tokens import SessionTokens
from siegel.service.sizes import Overview, SizeSteward
from siegel.service.steward import Steward
from siegel.web.admin import OK, Desk, build_admin
from siegel.web.support import SupportCases, SupportDesk

# However often the port is asked, the disk is probed at most this often.
DISK_PROBE_INTERVAL_S: Final = 1.0
PROBE_NAME: Final = ".probe"
# Of the time that a machine ran, at most this much is not believed after it stopped without notice.
LOCK_CLOCK_INTERVAL_S: Final = 60.0
LIFECYCLE_ROUNDS_PER_DAY: Final = 24
LEDGER_DELAY_S: Final = 0.5
# Counting what is stored rests so many times longer than it took.
SIZES_REST: Final = 100

_log = logging.getLogger(__name__)


def main(orders: Orders) -> None:
    """Be the steward by these orders, until SIGTERM."""
    run(serve, orders)


async def serve(lifeline: Lifeline, orders: Orders) -> None:
    """Answer on the admin port and tidy up every `steward_interval_s`, until told to stop."""
    settings = orders.settings
    deployment = open_deployment(settings)
    with ThreadPoolExecutor(1, "steward") as executor:
        health = Health(deployment, Path(settings.directory), settings.workers, executor)
        lifeline.watch(health.note)
        desk = _desk(deployment, settings.region)
        server = HttpServer(build_admin(health.checks, desk), orders.admin)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        steward = Steward(deployment.store, deployment.blobs, deployment.clock, executor, round(settings.grace_s * 1000))
        # Before anybody is told that the service is ready, this run of the machine is noted.
        await _note_lock_clock(deployment.lock_time)
        rounds = [
            asyncio.create_task(_tidy_up(steward, settings.steward_interval_s)),
            asyncio.create_task(_keep_lock_clock(deployment.lock_time)),
            asyncio.create_task(_apply_lifecycles(_lifecycle_steward(deployment, settings), settings)),
            asyncio.create_task(_keep_keys(_key_upkeep(deployment), settings.steward_interval_s)),
            asyncio.create_task(_forget_root_keys(deployment, settings)),
            asyncio.create_task(_count_sizes(SizeSteward(deployment.store, deployment.clock), settings.steward_interval_s)),
            asyncio.create_task(health.keep_ledger(settings)),
        ]
        settle_memory()
        report_ready_soon()
        try:
            await server.run()
        finally:
            for task in rounds:
                task.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)
            await desk.close()
            deployment.close()


def _desk(deployment: Deployment, region: str) -> Desk:
    operators = Operators(deployment.store, KeyRing(deployment.custodian, deployment.randomness))
    support = SupportDesk(cache(partial(_support, deployment)))
    sizes = Overview(deployment.store, deployment.store, deployment.clock)
    return Desk(deployment.accounts, operators, deployment.store, deployment.clock, region=region, sizes=sizes, support=support)


def _support(deployment: Deployment) -> SupportCases:
    # What signs takes a while to be imported, and is asked for seldom.
    made: SupportCases = importlib.import_module("siegel.app.support").build_support(deployment)
    return made


async def _tidy_up(steward: Steward, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        try:
            swept = await steward.run_once()
        except SiegelError as error:
            _log.error("this round of the steward failed, the next one goes on: %s", error)
        else:
            _log.debug("swept %s", swept)


def _key_upkeep(deployment: Deployment) -> KeyUpkeep:
    return KeyUpkeep(
        deployment.store,
        deployment.custodian,
        clock=deployment.clock,
        lock_time=deployment.lock_time,
        randomness=deployment.randomness,
    )


async def _keep_keys(upkeep: KeyUpkeep, interval_s: float) -> None:
    """Delete and rotate keys of the key service when their time has come."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            kept = await upkeep.run_once()
        except SiegelError as error:
            _log.error("this round of keys failed, the next one goes on: %s", error)
        else:
            _log.debug("keys %s", kept)


async def _count_sizes(steward: SizeSteward, interval_s: float) -> None:
    """Count what is stored again and again, for at most a hundredth of the time."""
    pause_s = interval_s
    while True:
        await asyncio.sleep(pause_s)
        began = time.monotonic()
        try:
            counted = await steward.run_once()
        except SiegelError as error:
            _log.error("what is stored could not be counted, which is tried again: %s", error)
        else:
            _log.debug("stored %s", counted)
        pause_s = max(interval_s, SIZES_REST * (time.monotonic() - began))


async def _forget_root_keys(deployment: Deployment, settings: Settings) -> None:
    """Drop keys of the custodian that a rotation of the root key has replaced, when nothing needs them any more."""
    while True:
        await asyncio.sleep(settings.steward_interval_s)
        try:
            await forget_retired(deployment, settings)
        except SiegelError as error:
            _log.error("replaced keys of the custodian could not be dropped, which is tried again: %s", error)


async def _keep_lock_clock(lock_time: LockTime) -> None:
    while True:
        await asyncio.sleep(LOCK_CLOCK_INTERVAL_S)
        await _note_lock_clock(lock_time)


def _lifecycle_steward(deployment: Deployment, settings: Settings) -> LifecycleSteward:
    custodian, randomness = deployment.custodian, deployment.randomness
    keyring, tokens = KeyRing(custodian, randomness), SessionTokens(custodian, randomness)
    return LifecycleSteward(
        deployment.store,
        Directory(deployment.store, keyring, tokens, deployment.clock),
        deployment.clock,
        deployment.randomness,
        deployment.lock_time,
        Calendar(settings.lifecycle_day_ms),
    )


async def _apply_lifecycles(steward: LifecycleSteward, settings: Settings) -> None:
    """Apply all lifecycles again and again, so often in a day that what is due at midnight is gone in the first hour."""
    interval_s = max(settings.steward_interval_s, settings.lifecycle_day_s / LIFECYCLE_ROUNDS_PER_DAY)
    while True:
        await asyncio.sleep(settings.steward_interval_s)
        try:
            applied = await steward.run_once()
        except SiegelError as error:
            _log.error("this round of lifecycles failed, the next one goes on: %s", error)
        else:
            _log.debug("lifecycles %s", applied)
        await asyncio.sleep(interval_s - settings.steward_interval_s)


async def _note_lock_clock(lock_time: LockTime) -> None:
    try:
        await lock_time.keep()
    except SiegelError as error:
        _log.error("the lock clock could not be written down, which is tried again: %s", error)


class Keeper(Protocol):
    """Who keeps the ledger; `finding` is `OK` or what is wrong."""

    finding: str

    async def run(self) -> None:
        """Go on for ever."""
        ...


class Health:
    """What `/-/ready` reports: the workers, the database, the ledger, the disk."""

    def __init__(self, deployment: Deployment, directory: Path, workers: int, executor: ThreadPoolExecutor) -> None:
        """Watch a deployment whose service starts with `workers` workers, none of them ready yet."""
        self._deployment = deployment
        self._directory = directory
        self._executor = executor
        self._state = ServiceState(workers=workers, workers_ready=0)
        self._keeper: Keeper | None = None
        self._disk = OK
        self._disk_probed_at = -DISK_PROBE_INTERVAL_S

    def note(self, state: ServiceState) -> None:
        """Take the supervisor's word on how the workers are."""
        self._state = state

    async def checks(self) -> Mapping[str, str]:
        """Run every check; `web/admin.py` shows them."""
        ledger = OK if self._keeper is None else self._keeper.finding
        found = {"workers": self._check_workers(), "database": self._check_database(), "ledger": ledger}
        return {**found, "disk": await self._check_disk()}

    async def keep_ledger(self, settings: Settings) -> None:
        """Keep the ledger for ever."""
        # What signs takes a while to be imported, and at the start the processor belongs to the workers.
        await asyncio.sleep(LEDGER_DELAY_S)
        self._keeper = importlib.import_module("siegel.app.ledgers").LedgerKeeper(self._deployment, settings)
        await self._keeper.run()

    def _check_workers(self) -> str:
        if self._state.stopping:
            return "the service is stopping"
        if self._state.workers_ready < self._state.workers:
            return f"{self._state.workers_ready} of {self._state.workers} workers are ready"
        return OK

    def _check_database(self) -> str:
        try:
            self._deployment.store.reader.identities.list_accounts()
        except StorageError as error:
            return str(error)
        return OK

    async def _check_disk(self) -> str:
        now = time.monotonic()
        if now - self._disk_probed_at >= DISK_PROBE_INTERVAL_S:
            self._disk_probed_at = now
            loop = asyncio.get_running_loop()
            self._disk = await loop.run_in_executor(self._executor, probe_disk, self._directory)
        return self._disk


def probe_disk(directory: Path) -> str:
    """Write and sync a small file in `directory`; return `OK` or what is wrong. Blocking."""
    path = directory / PROBE_NAME
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, bytes(512))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            path.unlink()
    except OSError as error:
        return f"the disk cannot be written: {error.strerror}"
    return OK
