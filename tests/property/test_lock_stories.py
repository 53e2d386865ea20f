"""Random stories of locks, lifecycles and clocks that are set: what must not be gone is there after every step.

In one process, over the store in memory: a clock that jumps by years cannot be had from the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from siegel.domain.entry import Entry
from siegel.domain.errors import AccessDeniedError, InvalidArgumentError
from siegel.domain.lifecycle import Lifecycle, Rule, RuleFilter
from siegel.domain.objects import Lock, ObjectVersion
from siegel.domain.ports import Writer
from siegel.domain.records import Kind
from siegel.domain.retention import NO_LOCK, LockWish, ObjectLock
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemRandomness
from siegel.s3wire.conditions import NO_DELETE_CONDITIONS, WriteConditions
from siegel.s3wire.names import encode_version_id
from siegel.service.accounts import Accounts
from siegel.service.amend import Amender
from siegel.service.buckets import Buckets, BucketWish
from siegel.service.configurations import Configurations
from siegel.service.delete import Deleter, make_marker
from siegel.service.directory import Directory
from siegel.service.expiry import Calendar
from siegel.service.keys import KeyRing
from siegel.service.lifecycle import LifecycleSteward
from siegel.service.lockclock import DAY_MS, LockTime
from siegel.service.locks import Guard
from siegel.service.session_tokens import SessionTokens
from siegel.service.versions import Target, place_version

T = TypeVar("T")

STORIES, STEPS = 60, 40
START_MS = 1_800_000_000_000
YEAR_MS = 365 * DAY_MS
KEYS = st.sampled_from(["a", "b"])
MODES = st.sampled_from([Lock.GOVERNANCE, Lock.COMPLIANCE])
DAYS = st.integers(1, 60)
ENTRY = Entry(0, "id", "test", "", "", "")
RULES = Lifecycle(
    rules=(
        Rule("r", is_enabled=True, filter=RuleFilter(), expire_days=1, noncurrent_days=1),
        Rule("m", is_enabled=True, filter=RuleFilter(), expire_markers=True),
    )
)


class Machine:
    """A machine that has run for a day, whose time of day anybody can set."""

    boot_id = "boot"

    def __init__(self) -> None:
        self.true_ms = START_MS
        self.wrong_ms = 0

    def ran_ms(self) -> int:
        return self.true_ms - START_MS + DAY_MS

    def now_ms(self) -> int:
        return self.true_ms + self.wrong_ms


@dataclass
class Kept:
    """What the model knows of a version: until when, in true time, and by what it is locked."""

    lock: Lock
    until_ms: int

    def must_stay(self, true_ms: int, *, bypass: bool) -> bool:
        if self.lock & Lock.HOLD:
            return True
        if self.until_ms <= true_ms:
            return False
        return bool(self.lock & Lock.COMPLIANCE) or (bool(self.lock & Lock.GOVERNANCE) and not bypass)


class LockStory(RuleBasedStateMachine):
    """One bucket whose versions can be locked, several tellers of the time, a steward, and a model."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine()
        self.store = MemoryStore(self.machine)
        self.random = SystemRandomness()
        custodian = LocalCustodian(bytes(32))
        keyring = KeyRing(custodian, self.random)
        self.directory = Directory(self.store, keyring, SessionTokens(custodian, self.random), self.machine)
        self.lock_time = LockTime(self.store, self.machine, self.machine)
        self.amender = Amender(self.store, keyring)
        self.deleter = Deleter(self.store, self.machine, self.random)
        self.steward = LifecycleSteward(self.store, self.directory, self.machine, self.random, self.lock_time, Calendar(DAY_MS))
        self.do(self.lock_time.keep)
        account = self.do(lambda: Accounts(self.store, keyring, self.machine, self.random).create("acme"))
        buckets = Buckets(self.store, self.machine, "eu-central-1")
        self.do(lambda: buckets.create(account.account_id, "vault", BucketWish(object_lock=True), ENTRY))
        self.do(lambda: Configurations(self.store).put(self.target(), Kind.LIFECYCLE, RULES, ENTRY))
        self.model: dict[tuple[str, bytes], Kept] = {}

    @staticmethod
    def do(work: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await work()

        return asyncio.run(run())

    def target(self, *, bypass: bool = False) -> Target:
        generation = self.directory.generation()
        bucket = self.directory.bucket("vault")
        document = self.directory.document(bucket, Kind.OBJECT_LOCK, ObjectLock)
        guard = Guard(*self.lock_time.moment(), may_bypass=bypass)
        return Target(bucket, generation, self.directory.keys_of(bucket), guard, document)

    def rows(self) -> dict[tuple[str, bytes], ObjectVersion]:
        bucket_id = self.directory.bucket("vault").bucket_id
        found = self.store.reader.objects.scan_versions(bucket_id, "", None, None, 10_000)
        return {(row.object_key, row.version_id): row for row in found if not row.is_marker}

    def chosen(self, data: st.DataObject) -> tuple[str, bytes]:
        there = self.rows()
        names = [name for name in self.model if name in there]
        return names[data.draw(st.integers(0, len(names) - 1), label="version")]

    def any_left(self) -> bool:
        return any(name in self.rows() for name in self.model)

    def until_of(self, days: int) -> int:
        """An end that many days from now, as whoever asks sees the time: in true time it may be later, never earlier."""
        return (self.lock_time.moment()[1] + days * DAY_MS) // 1000 * 1000

    @rule(key=KEYS, mode=MODES | st.just(Lock.NONE), days=DAYS, hold=st.booleans())
    def put(self, key: str, mode: Lock, days: int, *, hold: bool) -> None:
        until_ms = self.until_of(days) if mode else 0
        target = self.target()
        made = make_marker(target, key, self.random, self.machine.now_ms())
        wish = LockWish(mode, until_ms, hold)
        made = replace(made, is_marker=False, lock=wish.lock, retain_until_ms=until_ms)

        def change(tx: Writer) -> ObjectVersion:
            return place_version(tx, target, made, None, WriteConditions())

        self.do(lambda: self.store.write(change, ENTRY))
        self.model[key, made.version_id] = Kept(wish.lock, min(until_ms, self.machine.true_ms + days * DAY_MS))

    @precondition(any_left)
    @rule(data=st.data(), bypass=st.booleans())
    def delete_version(self, data: st.DataObject, *, bypass: bool) -> None:
        name = self.chosen(data)
        must_stay = self.model[name].must_stay(self.machine.true_ms, bypass=bypass)
        key, version_id = name[0], encode_version_id(name[1])
        try:
            self.do(
                lambda: self.deleter.delete(self.target(bypass=bypass), key, version_id, NO_DELETE_CONDITIONS, lambda _: ENTRY)
            )
        except AccessDeniedError:
            return
        assert not must_stay
        del self.model[name]

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.do(lambda: self.deleter.delete(self.target(), key, None, NO_DELETE_CONDITIONS, lambda _: ENTRY))

    @precondition(any_left)
    @rule(data=st.data(), mode=MODES | st.just(Lock.NONE), days=DAYS, bypass=st.booleans())
    def retain(self, data: st.DataObject, mode: Lock, days: int, *, bypass: bool) -> None:
        name = self.chosen(data)
        kept = self.model[name]
        before = self.rows()[name].retain_until_ms
        wish = LockWish(mode, self.until_of(days)) if mode else NO_LOCK
        try:
            self.do(
                lambda: self.amender.set_retention(
                    self.target(bypass=bypass), name[0], encode_version_id(name[1]), wish, lambda _: ENTRY
                )
            )
        except (AccessDeniedError, InvalidArgumentError):
            return
        if kept.until_ms > self.machine.true_ms and not (bypass and not kept.lock & Lock.COMPLIANCE):
            assert mode == kept.lock & (Lock.GOVERNANCE | Lock.COMPLIANCE)
            assert wish.retain_until_ms >= before
        until_ms = min(wish.retain_until_ms, self.machine.true_ms + days * DAY_MS) if mode else 0
        if mode is Lock.COMPLIANCE and kept.lock & Lock.COMPLIANCE:
            until_ms = max(until_ms, kept.until_ms)
        self.model[name] = Kept((kept.lock & Lock.HOLD) | mode, until_ms)

    @precondition(any_left)
    @rule(data=st.data(), is_set=st.booleans())
    def hold(self, data: st.DataObject, *, is_set: bool) -> None:
        name = self.chosen(data)
        self.do(lambda: self.amender.set_hold(self.target(), name[0], encode_version_id(name[1]), lambda _: ENTRY, is_set=is_set))
        kept = self.model[name]
        kept.lock = kept.lock | Lock.HOLD if is_set else kept.lock & ~Lock.HOLD

    @rule(span_ms=st.integers(0, 20 * DAY_MS))
    def wait(self, span_ms: int) -> None:
        self.machine.true_ms += span_ms

    @rule(wrong_ms=st.sampled_from([0, 0, DAY_MS, -DAY_MS, 10 * YEAR_MS, -10 * YEAR_MS]))
    def set_the_clock(self, wrong_ms: int) -> None:
        self.machine.wrong_ms = wrong_ms

    @rule()
    def keep_the_lock_clock(self) -> None:
        self.do(self.lock_time.keep)

    @rule()
    def restart_a_process(self) -> None:
        self.lock_time = LockTime(self.store, self.machine, self.machine)

    @rule()
    def apply_lifecycles(self) -> None:
        self.do(self.steward.run_once)
        there = self.rows()
        for name in [name for name in self.model if name not in there]:
            assert not self.model[name].must_stay(self.machine.true_ms, bypass=False)
            del self.model[name]

    @invariant()
    def what_is_locked_is_there(self) -> None:
        there = self.rows()
        for name, kept in self.model.items():
            assert name in there or not kept.must_stay(self.machine.true_ms, bypass=False)


def test_t102_whatever_happens_what_is_locked_stays() -> None:
    run_state_machine_as_test(
        LockStory,
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_the_model_itself_knows_a_lock() -> None:
    compliance, governance = Kept(Lock.COMPLIANCE, 10), Kept(Lock.GOVERNANCE, 10)
    assert compliance.must_stay(9, bypass=True)
    assert not compliance.must_stay(10, bypass=False)
    assert governance.must_stay(9, bypass=False)
    assert not governance.must_stay(9, bypass=True)
    assert Kept(Lock.HOLD, 0).must_stay(99, bypass=True)
