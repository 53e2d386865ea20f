import asyncio

import pytest
from msgspec.structs import replace

from siegel.domain.errors import AccountError, SealBrokenError
from siegel.domain.objects import CredentialKind
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemClock, SystemRandomness
from siegel.service.accounts import LOCAL_OPERATOR, Accounts
from siegel.service.keys import KeyRing


class FixedClock:
    def now_ms(self):
        return 1_700_000_000_000


@pytest.fixture
def store():
    return MemoryStore(FixedClock())


@pytest.fixture
def custodian():
    return LocalCustodian(bytes(32))


@pytest.fixture
def accounts(store, custodian):
    return Accounts(store, KeyRing(custodian, SystemRandomness()), FixedClock(), SystemRandomness())


def test_a_new_account_has_one_root_key_whose_secret_opens_only_with_the_root_key(accounts, store, custodian):
    made = asyncio.run(accounts.create("acme"))
    credential = store.reader.identities.find_credential(made.access_key.access_key_id)
    assert (credential.kind, credential.account_id) == (CredentialKind.ROOT, made.account_id)
    assert made.access_key.secret_access_key.encode() not in credential.sealed_secret
    ring = KeyRing(custodian, SystemRandomness())
    assert ring.open_secret(credential) == made.access_key.secret_access_key
    stranger = KeyRing(LocalCustodian(b"\1" * 32), SystemRandomness())
    with pytest.raises(SealBrokenError):
        stranger.open_secret(credential)


@pytest.mark.parametrize(
    "graft", [{"access_key_id": "SGLAAAAAAAAAAAAAAAAA"}, {"account_id": "111122223333"}, {"kind": CredentialKind.OPERATOR}]
)
def test_a_secret_opens_only_for_whom_it_was_made(accounts, store, custodian, graft):
    """Who can write rows of the database gives a key that he knows to nobody else's account."""
    made = asyncio.run(accounts.create("acme"))
    credential = store.reader.identities.find_credential(made.access_key.access_key_id)
    with pytest.raises(SealBrokenError):
        KeyRing(custodian, SystemRandomness()).open_secret(replace(credential, **graft))


def test_accounts_are_listed_and_their_making_is_an_entry(accounts, store):
    made = asyncio.run(accounts.create("acme"))
    assert [account.name for account in accounts.list()] == ["acme"]
    ((_, (entry,)),) = store.entries(0, 10)
    assert (entry.kind, entry.account_id, entry.principal) == ("account.create", made.account_id, LOCAL_OPERATOR)


def test_a_name_is_taken_once(accounts):
    asyncio.run(accounts.create("acme"))
    with pytest.raises(AccountError, match="exists already"):
        asyncio.run(accounts.create("acme"))
    assert len(accounts.list()) == 1


@pytest.mark.parametrize("name", ["", "-acme", "a b", "ä", "a" * 65, "a\n", "a/b"])
def test_a_name_that_would_confuse_is_refused(accounts, name):
    with pytest.raises(AccountError, match="cannot name an account"):
        asyncio.run(accounts.create(name))
    assert accounts.list() == []


def test_an_operator_has_no_account(accounts, store):
    made = asyncio.run(accounts.create_operator())
    credential = store.reader.identities.find_credential(made.access_key_id)
    assert (credential.kind, credential.account_id) == (CredentialKind.OPERATOR, "")


def test_whoever_remembers_identities_is_told(accounts, store):
    before = store.generation()
    asyncio.run(accounts.create("acme"))
    assert store.generation() != before


def test_a_custodian_that_returns_something_else_is_noticed(store, custodian, monkeypatch):
    ring = KeyRing(custodian, SystemRandomness())
    monkeypatch.setattr(ring, "open_secret", lambda *_: "something else")
    with pytest.raises(SealBrokenError, match="did not return"):
        asyncio.run(Accounts(store, ring, SystemClock(), SystemRandomness()).create("acme"))


def test_secrets_do_not_show_in_logs_by_accident(accounts):
    made = asyncio.run(accounts.create("acme"))
    assert made.access_key.secret_access_key not in repr(made)
