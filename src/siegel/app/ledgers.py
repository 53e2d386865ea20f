"""The steward's work on the ledger: one round after the other, and a word on how it goes."""

import asyncio
import logging
from typing import Final

from siegel.app.settings import Settings
from siegel.app.wiring import Deployment
from siegel.domain.errors import SiegelError
from siegel.service.consents.steward import ConsentSteward
from siegel.service.ledgers.integrator import Integrator
from siegel.service.ledgers.keychanges import KeyChanges
from siegel.service.ledgers.witnessing import Witnessing
from siegel.web.admin import BUT, OK

# An entry is under a signed head within a second of its answer: half of that is for waiting, half for the work.
ROUND_INTERVAL_S: Final = 0.5
LOGS_TOLD_MAX: Final = 10

_log = logging.getLogger(__name__)


class LedgerKeeper:
    """Integrates and signs, round after round. `finding` is `OK`, or what was wrong with the last round."""

    def __init__(self, deployment: Deployment, settings: Settings) -> None:
        """Keep the ledger of a deployment. New logs are named after its first domain, or else its region."""
        self.finding: str = OK
        self._integrator = Integrator(
            deployment.store,
            deployment.custodian,
            clock=deployment.clock,
            randomness=deployment.randomness,
            marks=deployment.head_marks,
            host=settings.domains[0] if settings.domains else f"siegel.{settings.region}",
        )

        self._changes = KeyChanges(deployment.store, deployment.custodian, deployment.clock, deployment.randomness)
        self._witnessing = Witnessing(deployment.store, deployment.outbound, deployment.clock, self._changes)
        self._consents = ConsentSteward(deployment.store, deployment.custodian, deployment.clock)

    async def run(self) -> None:
        """Go on for ever; what fails in one round is tried again in the next."""
        await asyncio.gather(self._integrate(), self._witness(), self._look_after_consents())

    async def _integrate(self) -> None:
        while True:
            more = await self.run_once()
            await asyncio.sleep(0 if more else ROUND_INTERVAL_S)

    async def _witness(self) -> None:
        while True:
            try:
                await self._changes.settle()
                await self._witnessing.begin_round()
            except SiegelError as error:
                _log.error("heads could not be sent to their witnesses, which is tried again: %s", error)
            await asyncio.sleep(ROUND_INTERVAL_S)

    async def _look_after_consents(self) -> None:
        while True:
            try:
                await self._consents.run_once()
            except SiegelError as error:
                _log.error("consents could not be looked after, which is tried again: %s", error)
            await asyncio.sleep(ROUND_INTERVAL_S)

    async def run_once(self) -> bool:
        """Run one round; return whether more waits already."""
        try:
            done = await self._integrator.run_once()
        except SiegelError as error:
            self._tell(f"the ledger stands still: {error}")
            return False
        self._tell(_told(done.standing))
        return done.is_behind

    def _tell(self, finding: str) -> None:
        """Log what is new."""
        if finding == OK != self.finding:
            _log.warning("the ledger goes on")
        elif finding != self.finding:
            _log.error("%s", finding)
        self.finding = finding


def _told(standing: dict[str, str]) -> str:
    """Return one sentence on the logs that stand still: the service is ready nevertheless, since all others go on."""
    if not standing:
        return OK
    some = "; ".join(f"that of {account_id}: {why}" for account_id, why in sorted(standing.items())[:LOGS_TOLD_MAX])
    return f"{BUT}{len(standing)} of the logs stand still, and what comes for them is set aside: {some}"
