"""The last use of every access key: written down in passing, at most once in a quarter of an hour."""

import asyncio
import logging
from typing import Final

from siegel.domain.errors import StorageError
from siegel.domain.identities import KeyUse
from siegel.domain.ports import MetaStore, Writer
from siegel.domain.records import Kind, account_scope, encode_document
from siegel.s3wire.claims import Claim

EVERY_MS: Final = 15 * 60 * 1000
REMEMBERED_MAX: Final = 10_000

_log = logging.getLogger(__name__)


class KeyUses:
    """Notes uses. What is not written yet when the process ends is not missed: the next use is."""

    def __init__(self, store: MetaStore) -> None:
        self._store = store
        self._noted_at_ms: dict[str, int] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, account_id: str, claim: Claim, at_ms: int) -> None:
        """Note that a permanent access key signed a request that was verified. Returns at once; nothing waits for the disk."""
        if claim.session_token:
            return
        noted = self._noted_at_ms.get(claim.access_key_id)
        if noted is not None and at_ms - noted < EVERY_MS:
            return
        if len(self._noted_at_ms) >= REMEMBERED_MAX:
            self._noted_at_ms.clear()
        self._noted_at_ms[claim.access_key_id] = at_ms
        use = KeyUse(at_ms=at_ms, service=claim.service, region=claim.region)
        task = asyncio.get_running_loop().create_task(self._write(account_id, claim.access_key_id, use))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, account_id: str, access_key_id: str, use: KeyUse) -> None:
        def change(tx: Writer) -> None:
            # A key that is gone meanwhile leaves nothing behind.
            if tx.identities.find_credential(access_key_id) is not None:
                tx.records.put(account_scope(account_id), Kind.KEY_USE, access_key_id, encode_document(use))

        try:
            await self._store.write(change, None)
        except StorageError as error:
            self._noted_at_ms.pop(access_key_id, None)
            _log.warning("the use of access key %s could not be written down: %s", access_key_id, error)
