"""Who may come in: accounts and their access keys, operators and theirs.

A secret is returned once, by the call that makes it; at rest it is wrapped by the custodian. An account's wrapping and metadata
keys are made here too and never leave the deployment in clear. `service/keys.py` says what each wrapped thing is bound to.
"""

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain import ids
from siegel.domain.entry import Entry
from siegel.domain.errors import AccountError
from siegel.domain.objects import Account, Credential, CredentialKind
from siegel.domain.ports import Clock, MetaStore, Randomness, Writer
from siegel.service.access_keys import AccessKey, make_access_key
from siegel.service.keys import KeyRing

# The principal under which the ledger shows what an operator did on the deployment's own machine.
LOCAL_OPERATOR: Final = "operator/local"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class NewAccount(Struct, frozen=True):
    """A fresh account and its root access key."""

    account_id: str
    name: str
    access_key: AccessKey


class Accounts:
    """The use cases of accounts and access keys."""

    def __init__(self, store: MetaStore, key_ring: KeyRing, clock: Clock, randomness: Randomness) -> None:
        self._store = store
        self._key_ring = key_ring
        self._clock = clock
        self._randomness = randomness

    async def create(self, name: str, *, request_id: str = "", principal: str = LOCAL_OPERATOR, source: str = "") -> NewAccount:
        """Create an account with one root access key; `principal` is the operator who does it, `source` whence.

        Raises AccountError for a name that is taken or has other characters than letters, digits, dot, dash and underscore.
        """
        check_account_name(name)
        now_ms = self._clock.now_ms()
        account_id = ids.make_account_id(self._randomness.bytes(ids.ACCOUNT_ID_RANDOM_BYTES))
        sealed_keys = self._key_ring.create_account_keys(account_id)
        account = Account(account_id=account_id, name=name, created_at_ms=now_ms, sealed_keys=sealed_keys)
        access_key, credential = self._make_access_key(CredentialKind.ROOT, account_id, now_ms)

        def change(writer: Writer) -> None:
            if any(other.name == name for other in writer.identities.list_accounts()):
                raise AccountError(f"an account called {name} exists already")
            writer.identities.insert_account(account)
            writer.identities.insert_credential(credential)
            writer.invalidate()

        entry = self._entry("account.create", account_id, name, request_id=request_id, at_ms=now_ms, principal=principal)
        await self._store.write(change, replace(entry, source=source))
        return NewAccount(account_id=account_id, name=name, access_key=access_key)

    async def create_operator(self, *, request_id: str = "") -> AccessKey:
        """Create an access key of the provider's own staff. It opens no object: operators have no read path."""
        now_ms = self._clock.now_ms()
        access_key, credential = self._make_access_key(CredentialKind.OPERATOR, "", now_ms)

        def change(writer: Writer) -> None:
            writer.identities.insert_credential(credential)
            writer.invalidate()

        entry = self._entry(
            "operator.create", "", access_key.access_key_id, request_id=request_id, at_ms=now_ms, principal=LOCAL_OPERATOR
        )
        await self._store.write(change, entry)
        return access_key

    def list(self) -> list[Account]:
        """Return all accounts, in order of their ids."""
        return self._store.reader.identities.list_accounts()

    def check_keys(self, *, of_all: bool) -> None:
        """See that the keys of all accounts open, or of the first and the last one: what changes them goes from here to there.

        Raises SealBrokenError.
        """
        accounts = self.list()
        for account in accounts if of_all else {*accounts[:1], *accounts[-1:]}:
            self._key_ring.check_account_keys(account)

    def _make_access_key(self, kind: CredentialKind, account_id: str, now_ms: int) -> tuple[AccessKey, Credential]:
        return make_access_key(self._key_ring, self._randomness, kind=kind, account_id=account_id, now_ms=now_ms)

    def _entry(self, kind: str, account_id: str, reason: str, *, request_id: str, at_ms: int, principal: str) -> Entry:
        return Entry(
            at_ms=at_ms,
            request_id=request_id or self._randomness.bytes(8).hex().upper(),
            kind=kind,
            account_id=account_id,
            principal=principal,
            bucket="",
            reason=reason,
        )


def check_account_name(name: str) -> None:
    """Raise AccountError unless `name` can name an account."""
    if not _NAME.fullmatch(name):
        raise AccountError(f"{name!r} cannot name an account: use 1 to 64 letters, digits, dots, dashes and underscores")
