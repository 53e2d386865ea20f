"""The last use of a key is written down once in a while, and never for a key that is gone."""

import asyncio

import pytest

from siegel.domain.errors import StorageError
from siegel.domain.identities import KeyUse
from siegel.domain.objects import Credential, CredentialKind
from siegel.domain.records import Kind, account_scope, decode_document
from siegel.drivers.meta.memory import MemoryStore
from siegel.s3wire.claims import Claim
from siegel.service import key_uses
from siegel.service.key_uses import EVERY_MS, KeyUses

OWN = "111122223333"
KEY_ID = "SGK" + "A" * 17


class FixedClock:
    def now_ms(self):
        return 1_700_000_000_000


def claim(access_key_id=KEY_ID, service="s3", **options):
    return Claim(
        access_key_id=access_key_id,
        date="20261127",
        region="eu-central-1",
        service=service,
        signed_headers=("host",),
        signature="",
        timestamp="20261127T000000Z",
        at_ms=0,
        expires_s=None,
        source="header",
        payload_hash="",
        **options,
    )


@pytest.fixture
def store():
    made = MemoryStore(FixedClock())
    credential = Credential(KEY_ID, CredentialKind.USER, OWN, 0, b"", "bob")
    asyncio.run(made.write(lambda tx: tx.identities.insert_credential(credential), None))
    return made


async def settle(uses):
    while uses._writing:
        await asyncio.gather(*uses._writing)


def noted(store, uses, *notes):
    async def work():
        for found, at_ms in notes:
            uses.note(OWN, found, at_ms)
        await settle(uses)

    asyncio.run(work())
    stored = store.reader.records.find(account_scope(OWN), Kind.KEY_USE, KEY_ID)
    return None if stored is None else decode_document(stored, KeyUse)


def test_a_use_is_written_at_most_once_in_a_while_and_invalidates_nothing(store):
    uses, before = KeyUses(store), store.generation()
    first = KeyUse(at_ms=1000, service="s3", region="eu-central-1")
    assert noted(store, uses, (claim(), 1000), (claim(service="iam"), 1000 + EVERY_MS - 1)) == first
    later = noted(store, uses, (claim(service="iam"), 1000 + EVERY_MS))
    assert later == KeyUse(at_ms=1000 + EVERY_MS, service="iam", region="eu-central-1")
    assert store.generation() == before


def test_temporary_credentials_and_keys_that_are_gone_leave_nothing(store):
    assert noted(store, KeyUses(store), (claim(session_token="t"), 1000)) is None
    gone = "SGK" + "B" * 17
    noted(store, KeyUses(store), (claim(gone), 1000))
    assert store.reader.records.find(account_scope(OWN), Kind.KEY_USE, gone) is None


def test_what_could_not_be_written_is_tried_at_the_next_use(store, monkeypatch):
    uses, write = KeyUses(store), store.write

    async def fail(*_):
        raise StorageError("full")

    monkeypatch.setattr(store, "write", fail)
    assert noted(store, uses, (claim(), 1000)) is None
    monkeypatch.setattr(store, "write", write)
    found = noted(store, uses, (claim(), 1001))
    assert found is not None
    assert found.at_ms == 1001


def test_what_is_remembered_has_a_limit(store, monkeypatch):
    monkeypatch.setattr(key_uses, "REMEMBERED_MAX", 2)
    uses = KeyUses(store)
    noted(store, uses, *((claim("SGK" + letter * 17), 1000) for letter in "CDE"))
    assert len(uses._noted_at_ms) == 1
