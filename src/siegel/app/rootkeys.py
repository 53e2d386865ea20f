"""The rotation of the root key, and its end a day and a half later: the key chest's steps, and the walk through the database.

And another key for the database's pages, which a rotation of the root key leaves as they are.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from siegel.app.settings import Settings
from siegel.app.wiring import DatabaseRekeying, Deployment, RootRotation, open_deployment, root_rotation
from siegel.domain.entry import Entry
from siegel.service.accounts import LOCAL_OPERATOR
from siegel.service.resealing import KEPT_MS, Resealed, Resealing

BEGUN: Final = "root_key.rotation_begun"
ENDED: Final = "root_key.rotation_ended"
REKEYED: Final = "root_key.database_rekeyed"


async def rotate(
    deployment: Deployment, rotation: RootRotation, progress: Callable[[Resealed], None]
) -> tuple[str, str, Resealed]:
    """Rotate the root key, or go on with a rotation; return the places of the old and the new one, and what was sealed anew.

    Whatever ends this in between, both root keys open the deployment until the last step.
    Raises ConfigurationError, StorageError, SealBrokenError.
    """
    with rotation.held():
        old, new = rotation.begin()
        await _note(deployment, BEGUN, f"{old} -> {new}")
        resealed = await Resealing(deployment.store, deployment.custodian, progress).run()
        # Said before it is so: what the journal tells must not depend on the moment at which this process dies.
        await _note(deployment, ENDED, f"{old} -> {new}")
        rotation.finish(deployment.clock.now_ms())
    return old, new, resealed


async def forget_retired(deployment: Deployment, settings: Settings) -> bool:
    """Drop the custodian's keys that no session token can need any more; return whether there were any.

    What a process may have sealed in the very moment of the rotation is sealed anew first.
    """
    retired_at_ms = deployment.custodian.retired_at_ms()
    before_ms = deployment.clock.now_ms() - KEPT_MS
    if not 0 < retired_at_ms < before_ms:
        return False
    rotation = root_rotation(settings)
    with rotation.held():
        await Resealing(deployment.store, deployment.custodian).run()
        rotation.forget(before_ms)
    return True


def rekey_database(settings: Settings, rekeying: DatabaseRekeying, progress: Callable[[int, int], None]) -> bool:
    """Give the database a fresh key, or end what was begun; return whether it was begun before.

    Whatever ends this in between, the deployment opens. Raises ConfigurationError (somebody has it open, or the root key
    is being rotated), StorageError.
    """
    # No event loop around all of it: that would keep Ctrl-C waiting until the copy is done, and is the database.
    with rekeying.held():
        is_begun = rekeying.is_begun()
        if not is_begun:
            rekeying.change(progress)
        deployment = open_deployment(settings, is_held=True)
        try:
            asyncio.run(_note(deployment, REKEYED, ""))
        finally:
            deployment.close()
        rekeying.remove()
    return is_begun


async def _note(deployment: Deployment, kind: str, reason: str) -> None:
    await deployment.store.append(
        Entry(
            at_ms=deployment.clock.now_ms(),
            request_id=deployment.randomness.bytes(8).hex().upper(),
            kind=kind,
            account_id="",
            principal=LOCAL_OPERATOR,
            bucket="",
            reason=reason,
        )
    )
