"""What a lock forbids, to whom, and until when."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from tests.contract.meta_fixtures import a_version

from siegel.domain.errors import AccessDeniedError, InvalidArgumentError, InvalidRequestError
from siegel.domain.objects import Lock
from siegel.domain.retention import NO_LOCK, LockWish, ObjectLock
from siegel.service.lockclock import DAY_MS
from siegel.service.locks import Guard, check_wish, held, retained, with_lock

NOW_MS = 1_800_000_000_123
PLAIN = Guard(NOW_MS, NOW_MS)
BYPASS = Guard(NOW_MS, NOW_MS, may_bypass=True)
G, C, H = Lock.GOVERNANCE, Lock.COMPLIANCE, Lock.HOLD


def version(lock=Lock.NONE, retain_until_ms=0, *, is_marker=False):
    return a_version(is_marker=is_marker, modified_at_ms=NOW_MS, lock=lock, retain_until_ms=retain_until_ms)


LATER, PAST = NOW_MS + 1, NOW_MS


@pytest.mark.parametrize(
    ("lock", "until", "plain", "bypass"),
    [
        (Lock.NONE, 0, False, False),
        (G, LATER, True, False),
        (G, PAST, False, False),
        (C, LATER, True, True),
        (C, PAST, False, False),
        (H, 0, True, True),
        (G | H, LATER, True, True),
        (C | H, PAST, True, True),
    ],
)
def test_trap_40_who_may_remove_what(lock, until, plain, bypass):
    locked = version(lock, until)
    assert (PLAIN.forbids(locked), BYPASS.forbids(locked)) == (plain, bypass)
    if plain:
        with pytest.raises(AccessDeniedError):
            PLAIN.check_removal(locked)
    else:
        PLAIN.check_removal(locked)


def test_locks_are_judged_by_the_lock_clock_alone():
    assert Guard(lock_ms=NOW_MS, reference_ms=10 * NOW_MS).forbids(version(C, LATER))


LONG, LONGER = NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS


@pytest.mark.parametrize(
    ("before", "wish", "guard", "allowed"),
    [
        (version(), LockWish(G, LONG), PLAIN, True),
        (version(), NO_LOCK, PLAIN, True),
        (version(C, PAST), LockWish(G, LONG), PLAIN, True),
        (version(C, LONG), LockWish(C, LONG), PLAIN, True),
        (version(C, LONG), LockWish(C, LONGER), PLAIN, True),
        (version(C, LONGER), LockWish(C, LONG), PLAIN, False),
        (version(C, LONGER), LockWish(C, LONG), BYPASS, False),
        (version(C, LONG), LockWish(G, LONGER), BYPASS, False),
        (version(C, LONG), NO_LOCK, BYPASS, False),
        (version(G, LONG), LockWish(G, LONGER), PLAIN, True),
        (version(G, LONGER), LockWish(G, LONG), PLAIN, False),
        (version(G, LONGER), LockWish(G, LONG), BYPASS, True),
        (version(G, LONG), LockWish(C, LONGER), PLAIN, False),
        (version(G, LONG), LockWish(C, LONGER), BYPASS, True),
        (version(G, LONG), NO_LOCK, PLAIN, False),
        (version(G, LONG), NO_LOCK, BYPASS, True),
    ],
)
@pytest.mark.parametrize("hold", [Lock.NONE, H])
def test_trap_40_who_may_change_a_retention(before, wish, guard, allowed, hold):
    before = replace(before, lock=before.lock | hold)
    if not allowed:
        with pytest.raises(AccessDeniedError):
            retained(before, wish, guard)
        return
    after = retained(before, wish, guard)
    assert (after.lock, after.retain_until_ms) == (wish.mode | hold, wish.retain_until_ms)


def test_a_hold_leaves_the_retention_alone():
    before = version(C, LONG)
    assert held(before, is_set=True) == replace(before, lock=C | H)
    assert held(held(before, is_set=True), is_set=False) == before


@pytest.mark.parametrize("until", [0, NOW_MS, NOW_MS + 101 * 366 * DAY_MS])
def test_trap_40_a_retention_ends_in_the_future_and_within_a_lifetime(until):
    with pytest.raises(InvalidArgumentError):
        check_wish(LockWish(G, until), NOW_MS)
    with pytest.raises(InvalidArgumentError):
        retained(version(), LockWish(G, until), BYPASS)
    check_wish(LockWish(hold=True), NOW_MS)


def test_a_new_version_gets_the_default_unless_it_has_a_retention_of_its_own():
    by_days = with_lock(version(), ObjectLock(mode=G.value, days=2), NOW_MS)
    assert (by_days.lock, by_days.retain_until_ms) == (G, -(-(NOW_MS + 2 * DAY_MS) // 1000) * 1000)
    assert with_lock(version(H), ObjectLock(mode=C.value, days=2), NOW_MS).lock == C | H
    own = version(G, LONG)
    assert with_lock(own, ObjectLock(mode=C.value, days=2), NOW_MS) == own
    assert with_lock(version(), ObjectLock(), NOW_MS) == version()
    marker = version(is_marker=True)
    assert with_lock(marker, ObjectLock(mode=C.value, days=2), NOW_MS) == marker


def test_years_are_those_of_the_calendar():
    leap_day_ms = int(datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp() * 1000)
    until_ms = with_lock(version(), ObjectLock(mode=C.value, years=1), leap_day_ms).retain_until_ms
    assert datetime.fromtimestamp(until_ms / 1000, UTC) == datetime(2029, 3, 1, 12, tzinfo=UTC)


def test_a_bucket_that_locks_nothing_takes_no_lock():
    assert with_lock(version(), None, NOW_MS) == version()
    with pytest.raises(InvalidRequestError, match="Bucket is missing Object Lock Configuration"):
        with_lock(version(H), None, NOW_MS)
