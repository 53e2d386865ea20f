import asyncio

import pytest
from msgspec.structs import replace

from siegel.domain.configuration import OwnershipControls, PublicAccessBlock, Tagging
from siegel.domain.entry import Entry
from siegel.domain.errors import InvalidTagError, NoSuchBucketError
from siegel.domain.records import Kind, bucket_scope
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemRandomness
from siegel.service.accounts import Accounts
from siegel.service.buckets import Buckets, BucketWish
from siegel.service.configurations import Configurations
from siegel.service.directory import Directory
from siegel.service.keys import KeyRing
from siegel.service.locks import Guard
from siegel.service.session_tokens import SessionTokens
from siegel.service.versions import Target

REGION = "eu-central-1"
ENTRY = Entry(0, "id", "test", "", "", "", "", "", "", 200, "", "")


class FixedClock:
    def now_ms(self):
        return 1_700_000_000_000


class Room:
    """A store with one account, and what configures its buckets."""

    def __init__(self):
        clock, custodian = FixedClock(), LocalCustodian(bytes(32))
        ring = KeyRing(custodian, SystemRandomness())
        self.store = MemoryStore(clock)
        self.account_id = asyncio.run(Accounts(self.store, ring, clock, SystemRandomness()).create("acme")).account_id
        self.buckets = Buckets(self.store, clock, REGION)
        self.directory = Directory(self.store, ring, SessionTokens(custodian, SystemRandomness()), clock)
        self.configurations = Configurations(self.store)

    def bucket(self, name="shelf", tagging=None):
        return asyncio.run(self.buckets.create(self.account_id, name, BucketWish(tagging=tagging), ENTRY))

    def target(self, bucket):
        return Target(bucket, self.directory.generation(), self.directory.keys_of(bucket), Guard(0, 0))

    def put(self, target, document, check=None):
        asyncio.run(self.configurations.put(target, Kind.TAGGING, document, ENTRY, check))

    def tags(self, bucket):
        found = self.directory.document(bucket, Kind.TAGGING, Tagging)
        return None if found is None else dict(found.tags)


@pytest.fixture
def room():
    return Room()


def test_a_new_bucket_is_closed_from_its_first_moment(room):
    bucket = room.bucket(tagging=Tagging(tags=(("a", "b"),)))
    assert room.directory.document(bucket, Kind.PUBLIC_ACCESS_BLOCK, PublicAccessBlock) == PublicAccessBlock()
    assert room.directory.document(bucket, Kind.OWNERSHIP_CONTROLS, OwnershipControls) == OwnershipControls()
    assert room.tags(bucket) == {"a": "b"}
    assert room.tags(room.bucket("other")) is None


def test_a_change_binds_on_the_next_look_and_absence_is_remembered_too(room):
    bucket = room.bucket()
    assert room.tags(bucket) is None
    room.put(room.target(bucket), Tagging(tags=(("a", "1"),)))
    assert room.tags(bucket) == {"a": "1"}
    asyncio.run(room.configurations.delete(room.target(bucket), Kind.TAGGING, ENTRY))
    assert room.tags(bucket) is None
    asyncio.run(room.configurations.delete(room.target(bucket), Kind.TAGGING, ENTRY))


def test_looks_after_the_first_do_not_ask_the_store(room, monkeypatch):
    bucket = room.bucket()
    room.put(room.target(bucket), Tagging(tags=(("a", "1"),)))
    assert room.tags(bucket) == {"a": "1"}
    assert room.directory.document(bucket, Kind.ENCRYPTION, Tagging) is None
    monkeypatch.delattr(type(room.store.reader.records), "find")
    assert room.tags(bucket) == {"a": "1"}
    assert room.directory.document(bucket, Kind.ENCRYPTION, Tagging) is None


def test_what_a_check_refuses_is_not_stored_and_what_it_changes_is(room):
    bucket = room.bucket()

    def refuse(_tx, _bucket):
        raise InvalidTagError

    with pytest.raises(InvalidTagError):
        room.put(room.target(bucket), Tagging(tags=(("a", "1"),)), refuse)
    assert room.tags(bucket) is None
    room.put(room.target(bucket), Tagging(), lambda tx, bucket: tx.buckets.replace(replace(bucket, sse_c_allowed=True)))
    assert room.directory.bucket("shelf").sse_c_allowed is True

    def take_back(tx, bucket):
        tx.buckets.replace(replace(bucket, sse_c_allowed=None))

    asyncio.run(room.configurations.delete(room.target(bucket), Kind.TAGGING, ENTRY, take_back))
    assert room.directory.bucket("shelf").sse_c_allowed is None


def test_an_amendment_sees_what_is_there_now(room):
    bucket = room.bucket()

    def amend(change):
        asyncio.run(room.configurations.amend(room.target(bucket), Kind.TAGGING, Tagging, change, ENTRY))

    amend(lambda tagging: Tagging(tags=(("was", str(tagging)),)))
    assert room.tags(bucket) == {"was": "None"}
    amend(lambda tagging: Tagging(tags=(*tagging.tags, ("more", ""))))
    assert room.tags(bucket) == {"was": "None", "more": ""}
    amend(lambda _: None)
    assert room.tags(bucket) is None


def test_a_bucket_that_went_meanwhile_is_not_configured_and_its_name_inherits_nothing(room):
    bucket = room.bucket()
    target = room.target(bucket)
    room.put(target, Tagging(tags=(("a", "1"),)))
    late = room.target(bucket)
    asyncio.run(room.buckets.delete(room.target(bucket), ENTRY))
    assert room.store.reader.records.scan(bucket_scope(bucket.bucket_id), Kind.TAGGING, "", 10) == []
    again = room.bucket()
    with pytest.raises(NoSuchBucketError):
        room.put(late, Tagging(tags=(("late", ""),)))
    with pytest.raises(NoSuchBucketError):
        asyncio.run(room.configurations.delete(late, Kind.PUBLIC_ACCESS_BLOCK, ENTRY))
    with pytest.raises(NoSuchBucketError):
        asyncio.run(room.configurations.amend(late, Kind.TAGGING, Tagging, lambda _: None, ENTRY))
    assert room.tags(again) is None
    assert room.directory.document(again, Kind.PUBLIC_ACCESS_BLOCK, PublicAccessBlock) == PublicAccessBlock()
