"""Sealing anew walks everything that the custodian has sealed, loses nothing, and may be interrupted anywhere."""

import asyncio
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

import siegel
from siegel.domain.errors import SealBrokenError, StorageError
from siegel.domain.key_stores import KeyStore, Proxy
from siegel.domain.logs import DEPLOYMENT_LOG, Log
from siegel.domain.wrapping_keys import Material, WrappingKey
from siegel.drivers.custody.contents import Contents, CustodianKey
from siegel.drivers.custody.keyset import KeySet
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemClock, SystemRandomness
from siegel.service import resealing
from siegel.service.accounts import Accounts
from siegel.service.keys import KeyRing, account_context, secret_context
from siegel.service.kms.keybook import KeyBook, KeyBookWriter
from siegel.service.kms.material import Materials, credential_context, material_context
from siegel.service.ledgers.keychanges import KeyChange, find_change, put_change
from siegel.service.ledgers.secrets import create_secrets, replace_signers, secrets_context
from siegel.service.resealing import Resealed, Resealing

OLD, NEW = CustodianKey(0, b"o" * 32), CustodianKey(1, b"n" * 32)
KEYS = 3


def custodian(*keys):
    return KeySet(Contents(1, bytes(32), keys))


class Story:
    """Three accounts with keys of the key service, and an operator; all sealed under the old key."""

    def __init__(self):
        self.store = MemoryStore(SystemClock())
        asyncio.run(self._fill())

    async def _fill(self):
        old, randomness = custodian(OLD), SystemRandomness()
        accounts = Accounts(self.store, KeyRing(old, randomness), SystemClock(), randomness)
        materials = Materials(old, randomness)
        await accounts.create_operator()
        for name in ("ann", "bob", "cyd"):
            account_id = (await accounts.create(name)).account_id
            for number in range(KEYS):
                made = tuple(materials.make(account_id, f"key-{number}", turn, at_ms=0) for turn in (1, 2))
                key = WrappingKey(key_id=f"key-{number}", materials=made)
                await self.store.write(lambda tx, a=account_id, key=key: KeyBookWriter(tx, a).put_key(key), None)
            sealed = materials.seal_credential(account_id, "cks-1", Proxy("", "ACCESS", "a secret of forty characters", ""))
            store = KeyStore(store_id="cks-1", access_key_id="ACCESS", sealed_secret=sealed)
            await self.store.write(lambda tx, a=account_id, store=store: KeyBookWriter(tx, a).put_store(store), None)

        for account_id in ("111122223333", DEPLOYMENT_LOG):
            origin = f"siegel.test/{account_id}"
            log = Log(0, account_id, origin, 0, create_secrets(old, randomness, origin))
            await self.store.write(lambda tx, log=log: tx.ledgers.insert(log), None)
            # Both change their keys just now: there are two sets of secrets.
            change = KeyChange(sealed=replace_signers(old, randomness, origin, log.sealed_secrets))
            await self.store.write(lambda tx, a=account_id, change=change: put_change(tx, a, change), None)

    def opened(self, keeper):
        """Everything that is sealed, opened by `keeper`."""
        reader = self.store.reader
        found = {
            account.account_id: keeper.unwrap(account.sealed_keys, account_context(account.account_id))
            for account in reader.identities.list_accounts()
        }
        for credential in reader.seals.scan_credentials("", 99):
            found[credential.access_key_id] = keeper.unwrap(credential.sealed_secret, secret_context(credential))
        for account in reader.identities.list_accounts():
            for key in KeyBook(reader, account.account_id).scan_keys():
                for made in key.materials:
                    context = material_context(account.account_id, key.key_id, made.number)
                    found[context] = keeper.unwrap(made.sealed, context)
            for store in KeyBook(reader, account.account_id).stores():
                context = credential_context(account.account_id, store.store_id, store.access_key_id)
                found[context] = keeper.unwrap(store.sealed_secret, context)
        for log in reader.ledgers.scan(0, 99):
            found[log.origin] = keeper.unwrap(log.sealed_secrets, secrets_context(log.origin))
            change = find_change(reader, log.account_id)
            found[log.origin, "change"] = keeper.unwrap(change.sealed, secrets_context(log.origin))
        return found

    def reseal(self, progress=None):
        return asyncio.run(Resealing(self.store, custodian(OLD, NEW), progress).run())


@pytest.fixture
def story():
    return Story()


def test_afterwards_the_new_key_alone_opens_all_that_the_old_one_did(story):
    before = story.opened(custodian(OLD))
    assert len(before) == 3 + 4 + 3 * KEYS * 2 + 3 + 4
    generation = story.store.generation()
    assert story.reseal() == Resealed(accounts=3, access_keys=4, keys=9, key_stores=3, logs=2, renewed=23)
    assert story.opened(custodian(NEW)) == before
    assert story.store.generation() > generation, "workers forget what they remember of the old seals"


def test_material_that_waits_for_a_rotation_is_sealed_anew_and_none_is_made_of_what_is_gone(story):
    materials = Materials(custodian(OLD), SystemRandomness())
    account_id = next(iter(story.store.reader.identities.list_accounts())).account_id
    here, pending = (materials.make(account_id, "key-0", number, at_ms=0) for number in (2, 3))
    key = WrappingKey(key_id="key-0", is_imported=True, materials=(Material(1, b"", 0), here), pending=pending)
    asyncio.run(story.store.write(lambda tx: KeyBookWriter(tx, account_id).put_key(key), None))
    story.reseal()
    found = KeyBook(story.store.reader, account_id).find_key("key-0")
    assert found.materials[0] == key.materials[0]
    for before, after in ((here, found.materials[1]), (pending, found.pending)):
        context = material_context(account_id, "key-0", before.number)
        assert custodian(NEW).unwrap(after.sealed, context) == custodian(OLD).unwrap(before.sealed, context)


def test_a_second_walk_changes_nothing(story):
    story.reseal()
    generation = story.store.generation()
    assert story.reseal() == Resealed(accounts=3, access_keys=4, keys=9, key_stores=3, logs=2, renewed=0)
    assert story.store.generation() == generation


def test_transactions_are_bounded_and_told(story, monkeypatch):
    monkeypatch.setattr(resealing, "AT_ONCE", 2)
    told = []
    story.reseal(lambda done: told.append((done.accounts, done.access_keys, done.keys, done.key_stores, done.logs, done.renewed)))
    steps = [
        tuple(b - a for a, b in zip(one, two, strict=True)) for one, two in zip([(0, 0, 0, 0, 0, 0), *told], told, strict=False)
    ]
    assert {max(step) for step in steps} <= {1, 2, 4}, "of a log whose keys change, two secrets are sealed"
    assert told[-1] == (3, 4, 9, 3, 2, 23)


def test_a_walk_that_ended_anywhere_is_begun_again(story, monkeypatch):
    monkeypatch.setattr(resealing, "AT_ONCE", 1)
    before = story.opened(custodian(OLD))

    def end_after_one(done):
        if done.renewed:
            raise StorageError("the power failed")

    walks = 0
    while True:
        try:
            story.reseal(end_after_one)
            break
        except StorageError:
            walks += 1
            assert story.opened(custodian(OLD, NEW)) == before
    assert walks == 21
    assert story.opened(custodian(NEW)) == before


def test_damage_ends_the_walk_and_is_not_passed_over(story):
    account = story.store.reader.identities.list_accounts()[1]
    broken = replace(account, sealed_keys=account.sealed_keys[:-1] + b"\0\0")
    asyncio.run(story.store.write(lambda tx: tx.seals.reseal_account(account.account_id, broken.sealed_keys), None))
    with pytest.raises(SealBrokenError):
        story.reseal()


def test_what_went_meanwhile_is_no_hindrance(story):
    walk = Resealing(story.store, custodian(OLD, NEW))
    reader = story.store.reader
    gone = [credential.access_key_id for credential in reader.seals.scan_credentials("", 99)]
    account_id = reader.identities.list_accounts()[0].account_id
    assert not walk._credential(reader, "SGLGONE")
    assert not walk._key(KeyBook(reader, account_id), "gone")
    assert not walk._store_of(KeyBook(reader, account_id), "gone")
    assert not walk._log(reader, "gone")
    asyncio.run(walk._accounts(["999999999999"]))
    assert len(gone) == 4


def test_whatever_the_custodian_seals_is_walked():
    """What the custodian seals for is known here: a new kind of thing belongs into the walk, or is never stored."""
    source = Path(siegel.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in source.rglob("*.py")]
    found = {name for text in texts if "custodian.wrap(" in text for name in re.findall(r'"siegel ([a-z ]+) v\d+\\0', text)}
    walked = {"account keys", "access key secret", "key material", "key store credential", "ledger secrets"}
    # Openings are under a key of their log, which is one of its secrets.
    assert found == walked | {"session token", "import token", "ledger openings"}
