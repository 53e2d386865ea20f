"""Object Lock on the wire: what is understood, what is refused, and that what is written is read again."""

import pytest

from siegel.domain.errors import InvalidArgumentError, InvalidRetentionPeriodError, MalformedXMLError
from siegel.domain.objects import Lock
from siegel.domain.retention import NO_LOCK, LockWish, ObjectLock
from siegel.s3wire.locks import (
    asks_for_bypass,
    asks_for_lock,
    hold_keys,
    lock_headers,
    lock_keys,
    parse_legal_hold,
    parse_lock_headers,
    parse_object_lock,
    parse_retention,
    render_legal_hold,
    render_object_lock,
    render_retention,
    retention_keys,
)

MODE, UNTIL, HOLD = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"
DATE, DATE_MS = "2030-01-01T00:00:00Z", 1_893_456_000_000


@pytest.mark.parametrize(
    ("headers", "wish"),
    [
        ({}, NO_LOCK),
        ({"x-amz-meta-object-lock-mode": "GOVERNANCE"}, NO_LOCK),
        ({MODE: "GOVERNANCE", UNTIL: DATE}, LockWish(Lock.GOVERNANCE, DATE_MS)),
        ({MODE: "COMPLIANCE", UNTIL: "2030-01-01T00:00:00.000Z", HOLD: "ON"}, LockWish(Lock.COMPLIANCE, DATE_MS, hold=True)),
        ({MODE: "COMPLIANCE", UNTIL: DATE, HOLD: "OFF"}, LockWish(Lock.COMPLIANCE, DATE_MS)),
        ({HOLD: "ON"}, LockWish(hold=True)),
        ({HOLD: "OFF"}, NO_LOCK),
    ],
)
def test_headers_say_how_a_version_is_locked(headers, wish):
    assert parse_lock_headers(headers) == wish


@pytest.mark.parametrize(
    "headers",
    [
        {MODE: "GOVERNANCE"},
        {UNTIL: DATE},
        {MODE: "governance", UNTIL: DATE},
        {MODE: "", UNTIL: DATE},
        {MODE: "GOVERNANCE", UNTIL: "tomorrow"},
        {MODE: "GOVERNANCE", UNTIL: ""},
        {MODE: "GOVERNANCE", UNTIL: "9999-12-31T23:59:60Z"},
        {HOLD: "on"},
        {HOLD: ""},
    ],
)
def test_headers_that_say_half_or_nonsense_are_refused(headers):
    with pytest.raises(InvalidArgumentError):
        parse_lock_headers(headers)


def test_a_wish_is_true_if_it_locks_anything():
    assert [bool(wish) for wish in (NO_LOCK, LockWish(hold=True), LockWish(Lock.GOVERNANCE, 1))] == [False, True, True]
    assert LockWish(Lock.GOVERNANCE, 1, hold=True).lock == Lock.GOVERNANCE | Lock.HOLD
    assert NO_LOCK.lock is Lock.NONE


def test_a_lock_is_shown_as_far_as_it_may_be_seen():
    lock = Lock.COMPLIANCE | Lock.HOLD
    retention = [(MODE.encode(), b"COMPLIANCE"), (UNTIL.encode(), b"2030-01-01T00:00:00.000Z")]
    hold = [(HOLD.encode(), b"ON")]
    assert lock_headers(lock, DATE_MS, retention=True, hold=True) == retention + hold
    assert lock_headers(lock, DATE_MS, retention=True, hold=False) == retention
    assert lock_headers(lock, DATE_MS, retention=False, hold=True) == hold
    assert lock_headers(Lock.NONE, 0, retention=True, hold=True) == []


def test_switches_of_requests():
    assert asks_for_bypass({"x-amz-bypass-governance-retention": "True"})
    assert not asks_for_bypass({"x-amz-bypass-governance-retention": "yes"})
    assert not asks_for_bypass({})
    assert asks_for_lock({"x-amz-bucket-object-lock-enabled": "TRUE"})
    assert not asks_for_lock({"x-amz-bucket-object-lock-enabled": "false"})
    assert not asks_for_lock({})
    with pytest.raises(InvalidArgumentError):
        asks_for_lock({"x-amz-bucket-object-lock-enabled": "1"})


@pytest.mark.parametrize("mode", [Lock.GOVERNANCE, Lock.COMPLIANCE])
def test_a_retention_is_read_as_it_was_written(mode):
    assert parse_retention(render_retention(mode | Lock.HOLD, DATE_MS)) == LockWish(mode, DATE_MS)


def test_an_empty_retention_takes_it_off():
    assert parse_retention(b"<Retention/>") == NO_LOCK


@pytest.mark.parametrize(
    "inside",
    [
        f"<RetainUntilDate>{DATE}</RetainUntilDate>",
        "<Mode>GOVERNANCE</Mode>",
        f"<Mode>abc</Mode><RetainUntilDate>{DATE}</RetainUntilDate>",
        "<Mode>GOVERNANCE</Mode><RetainUntilDate>soon</RetainUntilDate>",
        "<Days>1</Days>",
    ],
)
def test_t69_odd_retentions_are_refused(inside):
    with pytest.raises(MalformedXMLError):
        parse_retention(f"<Retention>{inside}</Retention>".encode())


@pytest.mark.parametrize("is_set", [True, False])
def test_a_hold_is_read_as_it_was_written(is_set):
    assert parse_legal_hold(render_legal_hold(is_set=is_set)) is is_set


@pytest.mark.parametrize("inside", ["", "<Status>on</Status>", "<Status/>"])
def test_t69_odd_holds_are_refused(inside):
    with pytest.raises(MalformedXMLError):
        parse_legal_hold(f"<LegalHold>{inside}</LegalHold>".encode())


@pytest.mark.parametrize(
    "lock", [ObjectLock(), ObjectLock(mode=Lock.GOVERNANCE.value, days=36_500), ObjectLock(mode=Lock.COMPLIANCE.value, years=100)]
)
def test_a_default_is_read_as_it_was_written(lock):
    assert parse_object_lock(render_object_lock(lock)) == lock


ENABLED = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"


def rule(inside):
    return f"<Rule><DefaultRetention>{inside}</DefaultRetention></Rule>"


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<ObjectLockEnabled>Disabled</ObjectLockEnabled>",
        rule("<Mode>GOVERNANCE</Mode><Days>1</Days>"),
        f"{ENABLED}{ENABLED}",
        f"{ENABLED}<Rule/>",
        ENABLED + rule("<Days>1</Days>"),
        ENABLED + rule("<Mode>abc</Mode><Days>1</Days>"),
        ENABLED + rule("<Mode>GOVERNANCE</Mode>"),
        ENABLED + rule("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"),
        ENABLED + rule("<Mode>GOVERNANCE</Mode><Days>one</Days>"),
        ENABLED + rule("<Mode>GOVERNANCE</Mode><Days>99999999999</Days>"),
        ENABLED + rule("<Mode>GOVERNANCE</Mode><Days>1</Days>") * 2,
    ],
)
def test_t69_odd_defaults_are_refused(inside):
    with pytest.raises(MalformedXMLError):
        parse_object_lock(f"<ObjectLockConfiguration>{inside}</ObjectLockConfiguration>".encode())


@pytest.mark.parametrize(
    "period", ["<Days>0</Days>", "<Days>-1</Days>", "<Days>36501</Days>", "<Years>0</Years>", "<Years>101</Years>"]
)
def test_a_period_is_positive_and_ends_within_a_lifetime(period):
    body = f"<ObjectLockConfiguration>{ENABLED}{rule('<Mode>COMPLIANCE</Mode>' + period)}</ObjectLockConfiguration>"
    with pytest.raises(InvalidRetentionPeriodError):
        parse_object_lock(body.encode())


def test_a_wished_retention_speaks_to_policies():
    day_ms = 86_400_000
    keys = retention_keys(LockWish(Lock.COMPLIANCE, DATE_MS), DATE_MS - 2 * day_ms + 1)
    assert keys == {
        "s3:object-lock-mode": ("COMPLIANCE",),
        "s3:object-lock-retain-until-date": ("2030-01-01T00:00:00.000Z",),
        "s3:object-lock-remaining-retention-days": ("2",),
    }
    assert retention_keys(NO_LOCK, 0) == {}


@pytest.mark.parametrize("hold", ["ON", "OFF"])
def test_a_wished_hold_speaks_to_policies(hold):
    told = {"s3:object-lock-legal-hold": (hold,)}
    assert hold_keys(is_set=hold == "ON") == told
    assert lock_keys({"x-amz-object-lock-legal-hold": hold}, 0) == told
    assert lock_keys({}, 0) == {}
