"""The key service's operations together: each call is decided, done and written down, or refused.

Changes are one transaction each, which tells all workers before it is acknowledged; uses of keys read what is remembered of them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from siegel.domain.kms_errors import KmsDryRunError
from siegel.domain.ports import Clock, Journal, KeyCustodian, MetaStore, Randomness, Writer
from siegel.kmswire.answers import Answer
from siegel.kmswire.operation import Spoken
from siegel.s3wire.request import Request
from siegel.service.kms import aliases, grants, keys, policies, rotation, tags
from siegel.service.kms.ciphers import Ciphers
from siegel.service.kms.material import Materials
from siegel.service.kms.scene import Change, Scene, Setting
from siegel.service.kms.views import KeyDirectory
from siegel.service.lockclock import LockTime
from siegel.service.trail import Trail

READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {
    **aliases.READS,
    **grants.READS,
    **keys.READS,
    **policies.READS,
    **rotation.READS,
    **tags.READS,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    **aliases.CHANGES,
    **grants.CHANGES,
    **keys.CHANGES,
    **policies.CHANGES,
    **rotation.CHANGES,
    **tags.CHANGES,
}


class KeyService:
    """Answers the calls of KMS."""

    def __init__(
        self,
        store: MetaStore,
        journal: Journal,
        custodian: KeyCustodian,
        *,
        clock: Clock,
        lock_time: LockTime,
        randomness: Randomness,
        region: str,
    ) -> None:
        """Answer from `store`; material is sealed by `custodian`. No clock that was set back shortens the time to a deletion."""
        self._store = store
        self._journal = journal
        self._clock = clock
        self._lock_time = lock_time
        self._region = region
        self._materials = Materials(custodian, randomness)
        self._directory = KeyDirectory(store, self._materials)
        ciphers = Ciphers(self._directory, randomness)
        self._reads: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {
            **READS,
            "Encrypt": ciphers.encrypt,
            "Decrypt": ciphers.decrypt,
            "GenerateDataKey": ciphers.generate_data_key,
            "GenerateDataKeyWithoutPlaintext": ciphers.generate_data_key_without_plaintext,
            "ReEncrypt": ciphers.re_encrypt,
            "GenerateRandom": ciphers.generate_random,
        }

    async def answer(self, spoken: Spoken, request: Request, trail: Trail) -> Answer | None:
        """Do what `trail.caller` asks for, if policies and grants allow it; the journal entry is durable on return.

        Raises KmsError, AccessDeniedError, StorageError.
        """
        setting = Setting(request, spoken, trail, self._region, self._clock.now_ms())
        name = spoken.operation.name
        if spoken.operation.changes:
            _, reference_ms = self._lock_time.moment()

            def change(tx: Writer) -> Answer | None:
                scene = Change(tx, setting, self._materials, reference_ms)
                answer = _perform(CHANGES[name], scene, spoken)
                tx.invalidate()
                return answer

            return await self._store.write(change, lambda _: trail.entry(200))
        scene = Scene(self._store.reader, self._directory, setting)
        answer = _perform(self._reads[name], scene, spoken)
        # Whoever owns a key learns of each use, also where a call is about keys of two accounts.
        for account_id, arn in scene.touched or [(trail.account_id, trail.object_key)]:
            trail.account_id, trail.object_key = account_id, arn
            await self._journal.append(trail.entry(200))
        return answer


def _perform(work: Callable[[Any, Any], Answer | None], scene: Scene, spoken: Spoken) -> Answer | None:
    """Do it all; a dry run ends where the rest would become true. Raises KmsDryRunError for one that would succeed."""
    grants.check_tokens(scene, getattr(spoken.ask, "grant_tokens", ()))
    answer = work(scene, spoken.ask)
    if getattr(spoken.ask, "dry_run", False):
        raise KmsDryRunError
    return answer
