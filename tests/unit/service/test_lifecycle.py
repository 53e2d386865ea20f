"""The steward's round over lifecycles: what is due goes, what was touched meanwhile or is locked stays."""

import asyncio

import pytest
from msgspec.structs import replace

from siegel.domain.entry import Entry
from siegel.domain.lifecycle import Lifecycle, Rule, RuleFilter
from siegel.domain.objects import Lock, SealingMode, Storage, Upload, Versioning
from siegel.domain.records import Kind
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemRandomness
from siegel.service.accounts import Accounts
from siegel.service.buckets import Buckets, BucketWish
from siegel.service.configurations import store_document
from siegel.service.delete import make_marker
from siegel.service.directory import Directory
from siegel.service.expiry import Calendar
from siegel.service.heads import place_of, seal_tags
from siegel.service.keys import KeyRing
from siegel.service.lifecycle import Applied, LifecycleSteward
from siegel.service.lockclock import DAY_MS, LockTime
from siegel.service.locks import Guard
from siegel.service.session_tokens import SessionTokens
from siegel.service.versions import Target

START_MS = 1_800_000_000_000 // DAY_MS * DAY_MS
ENTRY = Entry(START_MS, "id", "bucket.create", "", "", "logs")


class Machine:
    boot_id = "boot"

    def __init__(self):
        self.true_ms = START_MS
        self.wrong_ms = 0

    def ran_ms(self):
        return self.true_ms

    def now_ms(self):
        return self.true_ms + self.wrong_ms


class World:
    """A store with one account, and a steward whose rounds can be interrupted."""

    def __init__(self):
        self.machine = Machine()
        self.store = MemoryStore(self.machine)
        self.random = SystemRandomness()
        custodian = LocalCustodian(bytes(32))
        keyring = KeyRing(custodian, self.random)
        self.directory = Directory(self.store, keyring, SessionTokens(custodian, self.random), self.machine)
        self.lock_time = LockTime(self.store, self.machine, self.machine)
        self.run(self.lock_time.keep())
        made = self.run(Accounts(self.store, keyring, self.machine, self.random).create("acme"))
        self.account_id = made.account_id
        self.steward = LifecycleSteward(self.store, self.directory, self.machine, self.random, self.lock_time, Calendar(DAY_MS))

    @staticmethod
    def run(work):
        return asyncio.run(work)

    def write(self, change):
        return self.run(self.store.write(change, None))

    def bucket(self, *rules, versioning=Versioning.ENABLED):
        buckets = Buckets(self.store, self.machine, "eu-central-1")
        self.run(buckets.create(self.account_id, "logs", BucketWish(), ENTRY))
        target = self.target()
        if versioning is not Versioning.UNVERSIONED:
            self.run(buckets.set_versioning(target, versioning, None))
        self.rules(*rules)

    def rules(self, *rules):
        def change(tx):
            tx.invalidate()
            store_document(tx, self.directory.bucket("logs").bucket_id, Kind.LIFECYCLE, Lifecycle(rules=rules))

        self.write(change)

    def target(self):
        generation = self.directory.generation()
        bucket = self.directory.bucket("logs")
        return Target(bucket, generation, self.directory.keys_of(bucket), Guard(0, 0))

    def put(self, object_key, *, is_marker=False, is_null=False, **fields):
        target = self.target()
        made = make_marker(target, object_key, self.random, self.machine.now_ms())
        tags = fields.pop("tags", ())
        fields = {"storage": Storage.EMPTY, "mode": SealingMode.SSE_S3, **fields}
        made = replace(made, is_marker=is_marker, is_null=is_null, **fields)
        sealed = seal_tags(target.keys.metadata, place_of(self.account_id, made), tags, bytes(12))
        made = replace(made, sealed_tags=sealed)
        return self.write(lambda tx: tx.objects.insert(made, None))

    def days_later(self, days):
        self.machine.true_ms += days * DAY_MS

    def round(self):
        return self.run(self.steward.run_once())

    def rows(self):
        bucket_id = self.directory.bucket("logs").bucket_id
        return [
            (row.object_key, row.is_marker) for row in self.store.reader.objects.scan_versions(bucket_id, "", None, None, 1000)
        ]

    def deeds(self):
        batches = self.store.entries(0, 10_000)
        return [
            (entry.kind, entry.principal, entry.account_id, entry.bucket, entry.object_key, entry.reason)
            for _, batch in batches
            for entry in batch
            if entry is not None and entry.kind.startswith("lifecycle.")
        ]


def rule(rule_id="r", narrow=None, **fields):
    return Rule(rule_id, is_enabled=True, filter=narrow or RuleFilter(), **fields)


@pytest.fixture
def world():
    return World()


def test_a_current_object_gets_a_marker_and_an_entry_that_names_the_rule(world):
    world.bucket(rule("tidy", RuleFilter(prefix="old/"), expire_days=2))
    world.put("old/a")
    world.put("new/a")
    assert world.round() == Applied()
    world.days_later(2)
    assert world.round() == Applied(expired=1)
    assert world.rows() == [("new/a", False), ("old/a", True), ("old/a", False)]
    assert world.deeds() == [("lifecycle.expire", "steward", world.account_id, "logs", "old/a", "lifecycle rule tidy")]
    assert world.round() == Applied()


def test_without_versions_a_current_object_is_gone(world):
    world.bucket(rule(expire_days=1), versioning=Versioning.UNVERSIONED)
    world.put("a", is_null=True)
    world.days_later(1)
    assert world.round() == Applied(expired=1)
    assert world.rows() == []


def test_with_versions_suspended_the_null_version_gives_way_to_a_marker(world):
    world.bucket(rule(expire_days=1), versioning=Versioning.SUSPENDED)
    world.put("a", is_null=True)
    world.days_later(1)
    assert world.round() == Applied(expired=1)
    assert world.rows() == [("a", True)]
    world.days_later(1)
    assert world.round() == Applied(cleared=1)
    assert world.rows() == []


def test_noncurrent_versions_go_and_the_newest_of_them_stay(world):
    world.bucket(rule(noncurrent_days=1, noncurrent_kept=1))
    for _ in range(4):
        world.put("a")
    world.put("b")
    world.days_later(2)
    assert world.round() == Applied(removed=2)
    assert world.rows() == [("a", False), ("a", False), ("b", False)]


def test_a_marker_over_nothing_goes(world):
    world.bucket(rule(expire_markers=True))
    world.put("a", is_marker=True)
    world.put("b")
    world.put("b", is_marker=True)
    assert world.round() == Applied(cleared=1)
    assert world.rows() == [("b", True), ("b", False)]


def test_tags_are_opened_where_a_rule_asks_for_them(world):
    world.bucket(rule(narrow=RuleFilter(tags=(("keep", "no"),)), expire_days=1))
    world.put("a", tags=(("keep", "no"),))
    world.put("b", tags=(("keep", "yes"),))
    world.put("c")
    world.days_later(1)
    assert world.round() == Applied(expired=1)
    assert ("a", True) in world.rows()


@pytest.mark.parametrize("lock", [Lock.GOVERNANCE, Lock.COMPLIANCE, Lock.HOLD])
def test_t102_what_is_locked_stays(world, lock):
    world.bucket(rule(noncurrent_days=1, expire_days=1, expire_markers=True))
    world.put("a", lock=lock, retain_until_ms=START_MS + 30 * DAY_MS)
    world.put("a")
    world.put("b", lock=lock, retain_until_ms=START_MS + 30 * DAY_MS)
    world.days_later(3)
    world.round()
    world.days_later(3)
    world.round()
    assert world.rows() == [("a", True), ("a", False), ("b", True), ("b", False)]
    world.days_later(30)
    world.round()
    assert len(world.rows()) == (4 if lock is Lock.HOLD else 2)


def test_t102_a_clock_ten_years_ahead_expires_nothing(world):
    world.bucket(rule(expire_days=1, noncurrent_days=1, abort_days=1))
    world.put("a")
    world.put("a")
    world.machine.wrong_ms = 3650 * DAY_MS
    assert world.round() == Applied()
    assert world.deeds() == []


def upload(world, object_key):
    bucket_id = world.directory.bucket("logs").bucket_id
    made = Upload(object_key, bucket_id, object_key, bytes(16), world.machine.now_ms(), SealingMode.SSE_S3, b"", b"", b"", "", "")
    world.write(lambda tx: tx.uploads.insert(made))


def test_uploads_are_aborted(world):
    world.bucket(rule(narrow=RuleFilter(prefix="x"), abort_days=2))
    upload(world, "x1")
    upload(world, "y1")
    world.days_later(1)
    upload(world, "x2")
    world.days_later(1)
    assert world.round() == Applied(aborted=1)
    bucket_id = world.directory.bucket("logs").bucket_id
    assert [row.object_key for row in world.store.reader.uploads.scan(bucket_id, "", None, None, 10)] == ["x2", "y1"]
    assert world.deeds()[0][0] == "lifecycle.abort_upload"


class Between:
    """A store that does something between the walk and the first transaction of a round."""

    def __init__(self, store, act):
        self._store = store
        self._act = act

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def write(self, change, entry):
        act, self._act = self._act, None
        if act is not None:
            await self._store.write(act, None)
        return await self._store.write(change, entry)


def interrupted(world, act):
    world.steward._store = Between(world.store, act)
    done = world.round()
    world.steward._store = world.store
    return done


def test_what_was_overwritten_meanwhile_stays(world):
    world.bucket(rule(expire_days=1))
    first = world.put("a")
    world.days_later(1)
    assert interrupted(world, lambda tx: tx.objects.insert(replace(first, version_id=b"\1" * 16), None)) == Applied()
    assert world.rows() == [("a", False), ("a", False)]
    assert world.deeds() == []


def test_what_was_tagged_meanwhile_is_looked_at_again(world):
    world.bucket(rule(narrow=RuleFilter(tags=(("keep", "no"),)), expire_days=1))
    first = world.put("a", tags=(("keep", "no"),))
    world.days_later(1)
    assert interrupted(world, lambda tx: tx.objects.amend(replace(first, sealed_tags=b""))) == Applied()
    assert world.rows() == [("a", False)]


def test_what_was_locked_meanwhile_stays(world):
    world.bucket(rule(noncurrent_days=1))
    first = world.put("a")
    world.put("a")
    world.days_later(2)
    assert interrupted(world, lambda tx: tx.objects.amend(replace(first, lock=Lock.HOLD))) == Applied()
    assert len(world.rows()) == 2


def test_a_version_that_became_current_meanwhile_stays(world):
    world.bucket(rule(noncurrent_days=1))
    world.put("a")
    newest = world.put("a")
    world.days_later(2)
    assert interrupted(world, lambda tx: tx.objects.remove(newest, [])) == Applied()
    assert world.rows() == [("a", False)]


def test_a_version_that_is_among_the_kept_now_stays(world):
    world.bucket(rule(noncurrent_days=1, noncurrent_kept=1))
    world.put("a")
    world.put("a")
    kept = world.put("a")
    world.put("a")
    world.days_later(2)
    assert interrupted(world, lambda tx: tx.objects.remove(kept, [])) == Applied(removed=1)
    assert len(world.rows()) == 2


def test_a_marker_that_something_came_over_stays(world):
    world.bucket(rule(expire_markers=True))
    marker = world.put("a", is_marker=True)
    over = replace(marker, version_id=b"\1" * 16, is_marker=False)
    assert interrupted(world, lambda tx: tx.objects.insert(over, None)) == Applied()
    assert world.rows() == [("a", False), ("a", True)]


def test_a_rule_that_was_taken_back_meanwhile_does_nothing(world):
    world.bucket(rule(expire_days=1, abort_days=1))
    world.put("a")
    upload(world, "u")
    world.days_later(1)

    def change(tx):
        tx.invalidate()
        document = Lifecycle(rules=(rule(expire_days=2),))
        store_document(tx, world.directory.bucket("logs").bucket_id, Kind.LIFECYCLE, document)

    assert interrupted(world, change) == Applied()
    assert world.rows() == [("a", False)]


def test_a_rule_that_stays_goes_on_although_something_else_changed(world):
    world.bucket(rule(expire_days=1))
    world.put("a")
    world.days_later(1)
    assert interrupted(world, lambda tx: tx.invalidate()) == Applied(expired=1)


def test_an_upload_that_ended_meanwhile_is_left_alone(world):
    world.bucket(rule(abort_days=1))
    upload(world, "u")
    world.days_later(1)
    assert interrupted(world, lambda tx: tx.uploads.abort("u")) == Applied()
    assert world.deeds() == []


def test_a_bucket_that_cannot_be_read_does_not_hold_up_the_others(world, caplog):
    world.bucket(rule(narrow=RuleFilter(tags=(("a", "b"),)), expire_days=1))
    world.put("a", tags=(("a", "b"),))
    bucket_id = world.directory.bucket("logs").bucket_id
    damaged = replace(world.store.reader.objects.find_current(bucket_id, "a"), sealed_tags=b"\0" * 40)
    world.write(lambda tx: tx.objects.amend(damaged))
    world.days_later(1)
    assert world.round() == Applied()
    assert f"the lifecycle of bucket {bucket_id} of account " in caplog.text
    assert "logs" not in caplog.text


def test_many_versions_of_one_key_are_walked_in_slices(world, monkeypatch):
    monkeypatch.setattr("siegel.service.lifecycle.ROWS_PER_SLICE", 2)
    world.bucket(rule(noncurrent_days=1, noncurrent_kept=3, abort_days=1))
    for key in ("a", "b"):
        for _ in range(9):
            world.put(key)
    for number in range(5):
        upload(world, f"u{number}")
    world.days_later(2)
    assert world.round() == Applied(removed=10, aborted=5)
    assert world.rows() == [("a", False)] * 4 + [("b", False)] * 4
