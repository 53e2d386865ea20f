"""The lock clock never runs ahead of what has passed, whatever the time of day says."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import StorageError
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind
from siegel.drivers.meta.memory import MemoryStore
from siegel.service.lockclock import ALLOWANCE_MS_MAX, DAY_MS, EARNED_SHARE, LockTime

START_MS = 1_800_000_000_000
YEAR_MS = 365 * DAY_MS
HOUR_MS = DAY_MS // 24


class Machine:
    """A machine with a time of day that anybody can set, and an uptime that nobody can."""

    def __init__(self):
        self.true_ms = START_MS
        self.wrong_ms = 0
        self.boots = 0
        self.booted_ms = START_MS - HOUR_MS

    @property
    def boot_id(self):
        return f"boot {self.boots}"

    def ran_ms(self):
        return self.true_ms - self.booted_ms

    def now_ms(self):
        return self.true_ms + self.wrong_ms

    def boot(self, off_ms):
        self.true_ms += off_ms
        self.booted_ms = self.true_ms
        self.boots += 1


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def store(machine):
    return MemoryStore(machine)


@pytest.fixture
def lock_time(store, machine):
    made = LockTime(store, machine, machine)
    asyncio.run(made.keep())
    return made


def restarted(store, machine):
    return LockTime(store, machine, machine)


def test_t102_a_clock_set_ten_years_ahead_opens_no_lock(lock_time, machine, store):
    machine.true_ms += HOUR_MS
    machine.wrong_ms = 10 * YEAR_MS
    assert lock_time.now_ms() == machine.true_ms
    assert restarted(store, machine).now_ms() == machine.true_ms
    for _ in range(100):
        machine.true_ms += HOUR_MS
        asyncio.run(lock_time.keep())
    assert lock_time.now_ms() == machine.true_ms
    assert lock_time.lag_ms() == 10 * YEAR_MS


def test_t102_a_boot_with_a_clock_ten_years_ahead_is_believed_a_week_at_most(lock_time, machine, store):
    machine.wrong_ms = 10 * YEAR_MS
    machine.boot(HOUR_MS)
    after = restarted(store, machine)
    assert after.now_ms() - machine.true_ms <= ALLOWANCE_MS_MAX
    asyncio.run(after.keep())
    for _ in range(50):
        machine.boot(HOUR_MS)
        asyncio.run(restarted(store, machine).keep())
    assert restarted(store, machine).now_ms() - machine.true_ms <= ALLOWANCE_MS_MAX


def test_a_machine_that_was_off_for_a_weekend_lags_behind_by_nothing(lock_time, machine, store):
    machine.boot(3 * DAY_MS)
    after = restarted(store, machine)
    asyncio.run(after.keep())
    assert (after.now_ms(), after.lag_ms()) == (machine.true_ms, 0)


def test_a_machine_that_was_off_for_long_lags_until_it_is_confirmed(lock_time, machine, store):
    machine.boot(30 * DAY_MS)
    after = restarted(store, machine)
    asyncio.run(after.keep())
    assert after.lag_ms() == 30 * DAY_MS - ALLOWANCE_MS_MAX
    other_worker = restarted(store, machine)
    assert other_worker.lag_ms() == after.lag_ms()
    assert asyncio.run(after.confirm()) == 30 * DAY_MS - ALLOWANCE_MS_MAX
    assert (after.lag_ms(), other_worker.lag_ms()) == (0, 0)
    ((_, (entry,)),) = store.entries(0, 10)
    assert (entry.kind, entry.principal) == ("clock.confirm", "operator/local")
    assert str(30 * DAY_MS - ALLOWANCE_MS_MAX) in entry.reason


def test_the_allowance_is_earned_again_by_running(lock_time, machine, store):
    machine.boot(ALLOWANCE_MS_MAX)
    asyncio.run(restarted(store, machine).keep())
    machine.boot(DAY_MS)
    after = restarted(store, machine)
    asyncio.run(after.keep())
    assert after.lag_ms() == DAY_MS
    machine.true_ms += EARNED_SHARE * DAY_MS
    asyncio.run(after.keep())
    machine.boot(0)
    assert restarted(store, machine).lag_ms() <= HOUR_MS


def test_a_clock_that_is_set_back_takes_nothing_back(lock_time, machine):
    machine.true_ms += HOUR_MS
    before = lock_time.now_ms()
    machine.wrong_ms = -10 * YEAR_MS
    assert lock_time.now_ms() == before
    assert lock_time.moment() == (before, before)
    machine.true_ms += HOUR_MS
    machine.wrong_ms = 0
    assert lock_time.now_ms() == machine.true_ms


def test_a_first_clock_that_was_far_ahead_is_mended_by_confirming(machine, store):
    machine.wrong_ms = 10 * YEAR_MS
    lock_time = restarted(store, machine)
    asyncio.run(lock_time.keep())
    machine.wrong_ms = 0
    assert lock_time.lag_ms() == -10 * YEAR_MS
    asyncio.run(lock_time.confirm())
    assert lock_time.lag_ms() == 0


def test_t33_a_note_that_cannot_be_read_is_no_time_at_all(lock_time, store, machine):
    def damage(tx):
        tx.invalidate()
        tx.records.put(DEPLOYMENT_SCOPE, Kind.LOCK_CLOCK, "", b"\xc1")

    asyncio.run(store.write(damage, None))
    with pytest.raises(StorageError):
        lock_time.now_ms()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, 40 * DAY_MS)),
        st.tuples(st.just("set"), st.integers(-20 * YEAR_MS, 20 * YEAR_MS)),
        st.tuples(st.just("boot"), st.integers(0, 40 * DAY_MS)),
        st.tuples(st.just("keep"), st.just(0)),
    ),
    max_size=30,
)


@given(STEPS)
def test_t102_however_the_clock_is_set_the_lock_clock_is_ahead_by_the_allowance_at_most(steps):
    machine = Machine()
    store = MemoryStore(machine)
    asyncio.run(LockTime(store, machine, machine).keep())
    ran_ms, last_ms = 0, 0
    for step, amount in steps:
        if step == "run":
            machine.true_ms += amount
            ran_ms += amount
        elif step == "set":
            machine.wrong_ms = amount
        elif step == "boot":
            machine.boot(amount)
        else:
            asyncio.run(LockTime(store, machine, machine).keep())
        told_ms = LockTime(store, machine, machine).now_ms()
        assert told_ms - machine.true_ms <= ALLOWANCE_MS_MAX + ran_ms // EARNED_SHARE
        if step == "keep":
            assert told_ms >= last_ms
            last_ms = told_ms
