"""IAM's use cases together: each call is decided, done and written down in one transaction, or refused.

Every change tells all workers before it is acknowledged, so it binds on the next request. Credentials of GetSessionToken are let
in nowhere: AWS STS API Reference, GetSessionToken.
"""

from collections.abc import Mapping

from siegel.access.caller import Caller
from siegel.access.decide import decide
from siegel.access.evaluation import ResourceSide
from siegel.domain.errors import AccessDeniedError
from siegel.domain.ports import Clock, Journal, MetaStore, Writer
from siegel.iamwire.action import Spoken
from siegel.iamwire.xml import Node
from siegel.s3wire.conditionkeys import RequestKeys
from siegel.s3wire.request import Request
from siegel.service.identities import access_keys, account, groups, holders, managed, providers, roles, simulation, tags, users
from siegel.service.identities.rights import demands
from siegel.service.identities.scene import Change, Means, Scene
from siegel.service.trail import Trail

READS = {
    **access_keys.READS,
    **account.READS,
    **groups.READS,
    **holders.READS,
    **managed.READS,
    **providers.READS,
    **roles.READS,
    **simulation.READS,
    **tags.READS,
    **users.READS,
}
CHANGES = {
    **access_keys.CHANGES,
    **groups.CHANGES,
    **holders.CHANGES,
    **managed.CHANGES,
    **providers.CHANGES,
    **roles.CHANGES,
    **tags.CHANGES,
    **users.CHANGES,
}


class Identities:
    """Answers the calls of IAM."""

    def __init__(
        self,
        store: MetaStore,
        journal: Journal,
        *,
        means: Means,
        clock: Clock,
        region: str,
    ) -> None:
        self._store = store
        self._journal = journal
        self._means = means
        self._clock = clock
        self._region = region

    async def answer(self, spoken: Spoken, request: Request, trail: Trail) -> Mapping[str, Node] | None:
        """Do what `trail.caller` asks for, if its policies allow it; the journal entry is durable on return.

        Raises AccessDeniedError, QueryError, StorageError.
        """
        name = spoken.action.name
        if spoken.action.changes:

            def change(tx: Writer) -> Mapping[str, Node] | None:
                scene = Change(tx, trail.caller, self._clock.now_ms(), self._means)
                self._decide(scene, spoken, request, trail)
                result = CHANGES[name](scene, spoken.ask)
                tx.invalidate()
                return result

            return await self._store.write(change, lambda _: trail.entry(200))
        scene = Scene(self._store.reader, trail.caller, self._clock.now_ms())
        self._decide(scene, spoken, request, trail)
        result = READS[name](scene, spoken.ask)
        await self._journal.append(trail.entry(200))
        return result

    def _decide(self, scene: Scene, spoken: Spoken, request: Request, trail: Trail) -> None:
        """Raise AccessDeniedError unless all that the call needs is allowed. An account has no say in others' identities."""
        keys = RequestKeys(
            request, None, now_ms=scene.now_ms, region=self._region, owner=scene.account_id, existing_tags=dict, others={}
        )
        for number, asked in enumerate(demands(scene, spoken, keys)):
            if not number:
                trail.object_key = asked.resource
                _refuse_session_token(trail.caller, spoken)
            trail.note(decide(trail.caller, asked, ResourceSide(scene.account_id)))


def _refuse_session_token(caller: Caller, spoken: Spoken) -> None:
    # They would make permanent keys of credentials that end. AWS lets in those of an MFA device, and there are none here.
    if caller.has_session_token:
        raise AccessDeniedError(f"Cannot call {spoken.action.name} with credentials of GetSessionToken")
