"""The key service's operations together: each call is decided, done and written down, or refused.

Changes are one transaction each, which tells all workers before it is acknowledged; uses of keys read what is remembered of them.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from siegel.domain.ports import Clock, Journal, KeyCustodian, MetaStore, Randomness, Writer
from siegel.kmswire.answers import Answer
from siegel.kmswire.operation import Spoken
from siegel.s3wire.request import Request
from siegel.service.kms import aliases, grants, imports, key_stores, keys, policies, rotation, tags
from siegel.service.kms.ciphers import Ciphers
from siegel.service.kms.external import ExternalCiphers
from siegel.service.kms.imports import ImportParameters
from siegel.service.kms.inquiries import Inquiries
from siegel.service.kms.material import Materials
from siegel.service.kms.proxies import Proxies
from siegel.service.kms.scene import Change, Finding, Scene, Setting, Unwrapped
from siegel.service.kms.views import FreshViews, KeyDirectory
from siegel.service.lockclock import LockTime
from siegel.service.trail import Trail

READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {
    **aliases.READS,
    **grants.READS,
    **key_stores.READS,
    **keys.READS,
    **policies.READS,
    **rotation.READS,
    **tags.READS,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    **aliases.CHANGES,
    **grants.CHANGES,
    **imports.CHANGES,
    **key_stores.CHANGES,
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
        proxies: Proxies,
        region: str,
    ) -> None:
        """Answer from `store`; material is sealed by `custodian`; external key stores are asked by `proxies`.

        No clock that was set back shortens the time to a deletion.
        """
        self._store = store
        self._journal = journal
        self._clock = clock
        self._lock_time = lock_time
        self._region = region
        self._materials = Materials(custodian, randomness)
        self._directory = KeyDirectory(store, self._materials, clock)
        self._inquiries = Inquiries(self._materials, proxies)
        ciphers = Ciphers(self._directory, ExternalCiphers(self._directory, proxies), randomness)
        self._uses: Final[Mapping[str, Callable[[Scene, Any], Awaitable[Answer]]]] = {
            **ImportParameters(self._materials).uses,
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
        if spoken.operation.changes:
            return await self._change(setting)
        scene = Scene(self._store.reader, self._directory, setting)
        answer = await self._read_or_use(scene)
        await self._journal.append(trail.entries_of_keys(200))
        return answer

    async def _change(self, setting: Setting) -> Answer | None:
        name = setting.spoken.operation.name
        _, reference_ms = self._lock_time.moment()
        finding: Finding | Unwrapped | None = None
        if self._inquiries.is_needed(name):
            finding = await self._inquiries.inquire(
                Scene(self._store.reader, FreshViews(self._store.reader, setting.now_ms), setting)
            )

        def change(tx: Writer) -> Answer | None:
            scene = Change(tx, setting, self._materials, reference_ms, finding)
            _check_tokens(scene)
            answer = CHANGES[name](scene, setting.spoken.ask)
            scene.end_dry_run()
            tx.invalidate()
            return answer

        return await self._store.write(change, lambda _: setting.trail.entry(200))

    async def _read_or_use(self, scene: Scene) -> Answer | None:
        """Do it all; a dry run ends where the rest would become true. Raises KmsDryRunError for one that would succeed."""
        _check_tokens(scene)
        name, ask = scene.setting.spoken.operation.name, scene.setting.spoken.ask
        answer = READS[name](scene, ask) if name in READS else await self._uses[name](scene, ask)
        scene.end_dry_run()
        return answer


def _check_tokens(scene: Scene) -> None:
    grants.check_tokens(scene, getattr(scene.setting.spoken.ask, "grant_tokens", ()))
