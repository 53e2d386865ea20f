"""A guest in the deployment: an account and an access key that only the process knows that admits them.

The verification writes as a customer would, with a signature and under an account's keys, and yet leaves no account behind.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from msgspec import Struct

from siegel.app.wiring import Deployment, Store
from siegel.domain import ids
from siegel.domain.entry import Entries, Entry
from siegel.domain.logs import Batch
from siegel.domain.objects import Account, Credential, CredentialKind
from siegel.domain.ports import Identities, ObjectChanges, Reader, Writer
from siegel.service.access_keys import AccessKey
from siegel.service.keys import KeyRing

T = TypeVar("T")

GUEST_NAME: Final = "siegel-verify"


class GuestIdentities:
    """The deployment's identities, and one more of each kind."""

    def __init__(self, inner: Identities, account: Account, credential: Credential) -> None:
        """Put `account` and `credential` beside those of `inner`."""
        self._inner = inner
        self._account = account
        self._credential = credential

    def find_credential(self, access_key_id: str) -> Credential | None:
        """Return the access key, or None."""
        if access_key_id == self._credential.access_key_id:
            return self._credential
        return self._inner.find_credential(access_key_id)

    def find_account(self, account_id: str) -> Account | None:
        """Return the account, or None."""
        return self._account if account_id == self._account.account_id else self._inner.find_account(account_id)

    def list_accounts(self) -> list[Account]:
        """Return all accounts that are stored; the guest is not."""
        return self._inner.list_accounts()

    def insert_account(self, account: Account) -> None:
        """Add an account."""
        self._inner.insert_account(account)

    def insert_credential(self, credential: Credential) -> None:
        """Add an access key."""
        self._inner.insert_credential(credential)

    def credentials_of(self, account_id: str, user_name: str) -> list[Credential]:
        """Return the access keys that are stored; the guest's is not."""
        return self._inner.credentials_of(account_id, user_name)

    def replace_credential(self, credential: Credential) -> None:
        """Store an access key's changes."""
        self._inner.replace_credential(credential)

    def remove_credential(self, access_key_id: str) -> None:
        """Remove an access key."""
        self._inner.remove_credential(access_key_id)


class GuestReader:
    """The deployment's reader with the guest's identities."""

    def __init__(self, inner: Reader, identities: Identities) -> None:
        """Read from `inner`, save for `identities`."""
        self.identities = identities
        self.records = inner.records
        self.buckets = inner.buckets
        self.objects = inner.objects
        self.uploads = inner.uploads
        self.housekeeping = inner.housekeeping
        self.seals = inner.seals
        self.ledgers = inner.ledgers
        self._inner = inner

    def inline_body(self, body_id: int) -> bytes | None:
        """Return an inline body or layout by its id."""
        return self._inner.inline_body(body_id)


class GuestStore:
    """The deployment's store and journal, seen by a process in which the guest exists."""

    reader: Reader
    object_changes: ObjectChanges

    def __init__(self, inner: Store, account: Account, credential: Credential) -> None:
        """Read and write through `inner`."""
        self._inner = inner
        self.object_changes = inner.object_changes
        self.reader = GuestReader(inner.reader, GuestIdentities(inner.reader.identities, account, credential))

    async def write(self, change: Callable[[Writer], T], entry: Callable[[T], Entries] | Entries | None) -> T:
        """Run `change` in a transaction."""
        return await self._inner.write(change, entry)

    async def append(self, entry: Entries) -> None:
        """Append to the journal: the guest's accesses are entries like all others."""
        await self._inner.append(entry)

    async def collect(self) -> None:
        """Have the journal show every entry."""
        await self._inner.collect()

    def entries(self, after: int, limit: int) -> list[tuple[int, list[Entry]]]:
        """Return batches of the journal."""
        return self._inner.entries(after, limit)

    def oldest(self, batches_max: int, entries_max: int) -> list[Batch]:
        """Return the oldest batches of the journal."""
        return self._inner.oldest(batches_max, entries_max)

    def last_batch(self) -> int:
        """Return the number of the journal's last batch."""
        return self._inner.last_batch()

    def generation(self) -> int:
        """Return the store's generation."""
        return self._inner.generation()

    def close(self) -> None:
        """Close the store."""
        self._inner.close()


class Guest(Struct, frozen=True):
    """The guest's account, and its access key; the secrets of both are sealed."""

    account: Account
    credential: Credential


def make_guest(deployment: Deployment) -> Guest:
    """Make a guest, whom nobody knows yet."""
    random, now_ms = deployment.randomness, deployment.clock.now_ms()
    key_ring = KeyRing(deployment.custodian, random)
    account_id = ids.make_account_id(random.bytes(ids.ACCOUNT_ID_RANDOM_BYTES))
    account = Account(
        account_id=account_id, name=GUEST_NAME, created_at_ms=now_ms, sealed_keys=key_ring.create_account_keys(account_id)
    )
    owned = Credential(
        access_key_id=ids.make_access_key_id(CredentialKind.ROOT, random.bytes(ids.ACCESS_KEY_ID_RANDOM_BYTES)),
        kind=CredentialKind.ROOT,
        account_id=account_id,
        created_at_ms=now_ms,
        sealed_secret=b"",
    )
    return Guest(account, key_ring.with_secret(owned, ids.make_secret(random.bytes(ids.SECRET_RANDOM_BYTES))))


def admit_guest(deployment: Deployment, guest: Guest) -> tuple[Deployment, AccessKey]:
    """Return the deployment as a process sees it that knows the guest, and the key that it signs with.

    Raises SealBrokenError: the custodian does not open this guest's secret.
    """
    secret = KeyRing(deployment.custodian, deployment.randomness).open_secret(guest.credential)
    store = GuestStore(deployment.store, guest.account, guest.credential)
    return replace(deployment, store=store), AccessKey(guest.credential.access_key_id, secret)
