"""Sealing anew, under the custodian's newest key, all that an older one has sealed: a rotation of the root key, and its end.

Everything that the custodian seals and the database keeps is walked here, in transactions of bounded size; whoever lets the
custodian seal something else adds it. Session tokens are not stored: the keys that sealed them are kept until all have expired.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.limits import SESSION_TOKEN_S_MAX
from siegel.domain.logs import Log
from siegel.domain.ports import KeyCustodian, MetaStore, Writer
from siegel.domain.wrapping_keys import Material
from siegel.service.keys import account_context, secret_context
from siegel.service.kms.keybook import KeyBook, KeyBookWriter
from siegel.service.kms.material import credential_context, material_context
from siegel.service.ledgers.keychanges import find_change, put_change
from siegel.service.ledgers.secrets import secrets_context

AT_ONCE: Final = 100
"""Accounts, access keys, logs, keys or key stores of the key service that one transaction may seal anew."""

KEPT_MS: Final = (SESSION_TOKEN_S_MAX + 3600) * 1000
"""How long a replaced key of the custodian still opens: no session token lives longer, with an hour for clocks that disagree."""


class Resealed(Struct):
    """What a walk has looked at, and how much of it was still sealed under an older key."""

    accounts: int = 0
    access_keys: int = 0
    keys: int = 0
    key_stores: int = 0
    logs: int = 0
    renewed: int = 0


Progress = Callable[[Resealed], None]


class Resealing:
    """Walks the database once. A walk that was interrupted is begun again: what is sealed anew already is only looked at."""

    def __init__(self, store: MetaStore, custodian: KeyCustodian, progress: Progress | None = None) -> None:
        """Report to `progress` after every transaction."""
        self._store = store
        self._custodian = custodian
        self._progress = progress
        self._done = Resealed()

    async def run(self) -> Resealed:
        """Seal everything anew that is under an older key. Raises StorageError, SealBrokenError (damage: nothing is skipped)."""
        accounts = [account.account_id for account in self._store.reader.identities.list_accounts()]
        for begin in range(0, len(accounts), AT_ONCE):
            await self._accounts(accounts[begin : begin + AT_ONCE])
        await self._credentials()
        for account_id in accounts:
            await self._keys(account_id)
            await self._stores(account_id)
        await self._logs()
        return self._done

    async def _accounts(self, account_ids: Sequence[str]) -> None:
        def change(tx: Writer) -> int:
            renewed = 0
            for account_id in account_ids:
                account = tx.identities.find_account(account_id)
                if account is not None:
                    sealed = self._custodian.renew(account.sealed_keys, account_context(account_id))
                    if sealed != account.sealed_keys:
                        tx.seals.reseal_account(account_id, sealed)
                        renewed += 1
            return renewed

        self._done.accounts += len(account_ids)
        await self._write(change)

    async def _credentials(self) -> None:
        after = ""
        while page := self._store.reader.seals.scan_credentials(after, AT_ONCE):
            ids = [credential.access_key_id for credential in page]

            def change(tx: Writer, ids: Sequence[str] = ids) -> int:
                return sum(self._credential(tx, access_key_id) for access_key_id in ids)

            after = ids[-1]
            self._done.access_keys += len(ids)
            await self._write(change)

    def _credential(self, tx: Writer, access_key_id: str) -> bool:
        credential = tx.identities.find_credential(access_key_id)
        if credential is None:
            return False
        sealed = self._custodian.renew(credential.sealed_secret, secret_context(credential))
        if sealed == credential.sealed_secret:
            return False
        tx.seals.reseal_credential(access_key_id, sealed)
        return True

    async def _keys(self, account_id: str) -> None:
        ids = [key.key_id for key in KeyBook(self._store.reader, account_id).scan_keys()]
        for begin in range(0, len(ids), AT_ONCE):
            page = ids[begin : begin + AT_ONCE]

            def change(tx: Writer, page: Sequence[str] = page) -> int:
                return sum(self._key(KeyBookWriter(tx, account_id), key_id) for key_id in page)

            self._done.keys += len(page)
            await self._write(change)

    def _key(self, book: KeyBookWriter, key_id: str) -> bool:
        key = book.find_key(key_id)
        if key is None:
            return False
        materials = tuple(self._material(book.account_id, key_id, material) for material in key.materials)
        pending = None if key.pending is None else self._material(book.account_id, key_id, key.pending)
        renewed = replace(key, materials=materials, pending=pending)
        if renewed == key:
            return False
        book.put_key(renewed)
        return True

    def _material(self, account_id: str, key_id: str, material: Material) -> Material:
        if not material.sealed:
            return material
        sealed = self._custodian.renew(material.sealed, material_context(account_id, key_id, material.number))
        return replace(material, sealed=sealed)

    async def _stores(self, account_id: str) -> None:
        ids = [store.store_id for store in KeyBook(self._store.reader, account_id).stores()]
        for begin in range(0, len(ids), AT_ONCE):
            page = ids[begin : begin + AT_ONCE]

            def change(tx: Writer, page: Sequence[str] = page) -> int:
                return sum(self._store_of(KeyBookWriter(tx, account_id), store_id) for store_id in page)

            self._done.key_stores += len(page)
            await self._write(change)

    def _store_of(self, book: KeyBookWriter, store_id: str) -> bool:
        store = book.find_store(store_id)
        if store is None:
            return False
        sealed = self._custodian.renew(store.sealed_secret, credential_context(book.account_id, store_id, store.access_key_id))
        if sealed == store.sealed_secret:
            return False
        book.put_store(replace(store, sealed_secret=sealed))
        return True

    async def _logs(self) -> None:
        after = 0
        while page := self._store.reader.ledgers.scan(after, AT_ONCE):

            def change(tx: Writer, page: Sequence[Log] = page) -> int:
                return sum(self._log(tx, log.account_id) + self._change_of_keys(tx, log) for log in page)

            after = page[-1].log_id
            self._done.logs += len(page)
            await self._write(change)

    def _log(self, tx: Writer, account_id: str) -> bool:
        log = tx.ledgers.find(account_id)
        if log is None:
            return False
        sealed = self._custodian.renew(log.sealed_secrets, secrets_context(log.origin))
        if sealed == log.sealed_secrets:
            return False
        tx.ledgers.reseal(log.log_id, sealed)
        return True

    def _change_of_keys(self, tx: Writer, log: Log) -> bool:
        change = find_change(tx, log.account_id)
        if change is None:
            return False
        sealed = self._custodian.renew(change.sealed, secrets_context(log.origin))
        if sealed == change.sealed:
            return False
        put_change(tx, log.account_id, replace(change, sealed=sealed))
        return True

    async def _write(self, change: Callable[[Writer], int]) -> None:
        def counted(tx: Writer) -> int:
            renewed = change(tx)
            if renewed:
                tx.invalidate()
            return renewed

        self._done.renewed += await self._store.write(counted, None)
        if self._progress is not None:
            self._progress(self._done)
