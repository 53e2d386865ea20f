"""What time does to keys: they are deleted with their material, they rotate by themselves, imported material expires.

Deletion goes by the lock clock, which no clock that was set ahead can hurry: what is deleted here never comes back.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.entry import Entry
from siegel.domain.kms_errors import KmsInvalidStateError
from siegel.domain.ports import Clock, KeyCustodian, MetaStore, Randomness, Writer
from siegel.domain.wrapping_keys import WrappingKey
from siegel.service.kms.keybook import KeyBook, KeyBookWriter
from siegel.service.kms.keys import DAY_MS
from siegel.service.kms.material import Materials
from siegel.service.kms.rotation import AUTOMATIC, rotated
from siegel.service.lockclock import LockTime

DELETED: Final = "steward.delete_key"
ROTATED: Final = "steward.rotate_key"
EXPIRED: Final = "steward.expire_key_material"


class Kept(Struct):
    """What one round did."""

    deleted: int = 0
    rotated: int = 0
    expired: int = 0


class KeyUpkeep:
    """Runs one round after the other."""

    def __init__(
        self, store: MetaStore, custodian: KeyCustodian, *, clock: Clock, lock_time: LockTime, randomness: Randomness
    ) -> None:
        self._store = store
        self._clock = clock
        self._lock_time = lock_time
        self._materials = Materials(custodian, randomness)

    async def run_once(self) -> Kept:
        """Delete, rotate and expire what is due. Raises StorageError; then the next round goes on where this one ended."""
        kept = Kept()
        for account in self._store.reader.identities.list_accounts():
            for key in list(KeyBook(self._store.reader, account.account_id).scan_keys()):
                if self._is_gone(key):
                    kept.deleted += await self._delete(account.account_id, key.key_id)
                elif self._is_due(key):
                    kept.rotated += await self._rotate(account.account_id, key.key_id)
                elif self._is_expired(key):
                    kept.expired += await self._expire(account.account_id, key.key_id)
        return kept

    def _is_gone(self, key: WrappingKey) -> bool:
        return 0 < key.deletes_at_ms <= self._lock_time.now_ms()

    def _is_due(self, key: WrappingKey) -> bool:
        return not key.deletes_at_ms and key.is_enabled and 0 < key.rotates_at_ms <= self._clock.now_ms()

    def _is_expired(self, key: WrappingKey) -> bool:
        return 0 < key.expires_at_ms <= self._clock.now_ms()

    async def _expire(self, account_id: str, key_id: str) -> bool:
        def change(tx: Writer) -> None:
            book = KeyBookWriter(tx, account_id)
            key = book.find_key(key_id)
            if key is None or not self._is_expired(key):
                raise KmsInvalidStateError
            book.put_key(key.without_expired(self._clock.now_ms()))
            tx.invalidate()

        return await self._write(change, self._entry(EXPIRED, account_id, key_id))

    async def _delete(self, account_id: str, key_id: str) -> bool:
        def change(tx: Writer) -> None:
            book = KeyBookWriter(tx, account_id)
            key = book.find_key(key_id)
            if key is None or not self._is_gone(key):
                raise KmsInvalidStateError
            book.remove_key(key_id)
            tx.invalidate()

        return await self._write(change, self._entry(DELETED, account_id, key_id))

    async def _rotate(self, account_id: str, key_id: str) -> bool:
        def change(tx: Writer) -> None:
            book = KeyBookWriter(tx, account_id)
            key = book.find_key(key_id)
            if key is None or not self._is_due(key):
                raise KmsInvalidStateError
            now_ms = self._clock.now_ms()
            key = rotated(self._materials, account_id, key, at_ms=now_ms, rotation=AUTOMATIC)
            book.put_key(replace(key, rotates_at_ms=now_ms + key.rotation_days * DAY_MS))
            tx.invalidate()

        return await self._write(change, self._entry(ROTATED, account_id, key_id))

    async def _write(self, change: Callable[[Writer], None], entry: Entry) -> bool:
        """Return whether a change was made: where it is not due any more, nothing is, and no entry says so."""
        try:
            await self._store.write(change, entry)
        except KmsInvalidStateError:
            return False
        return True

    def _entry(self, kind: str, account_id: str, key_id: str) -> Entry:
        return Entry(
            at_ms=self._clock.now_ms(),
            request_id="",
            kind=kind,
            account_id=account_id,
            principal="steward",
            bucket="",
            object_key=key_id,
        )
