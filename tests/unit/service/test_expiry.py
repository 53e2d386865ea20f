"""When a lifecycle's time is up, and for what."""

from calendar import timegm

import pytest
from tests.contract.meta_fixtures import a_version

from siegel.domain.lifecycle import Lifecycle, Rule, RuleFilter
from siegel.service.expiry import Calendar, Deed, Standing, abort_of, expiry_of, judge, prefix_of_all

DAY_MS = 86_400_000
CALENDAR = Calendar(DAY_MS)


def at(*moment):
    return timegm((*moment, 0, 0, 0)[:6]) * 1000


MADE_MS = at(2014, 1, 15, 10, 30)
LATE_MS = at(2030, 1, 1, 0)


def version(object_key="k", size_bytes=10, *, is_marker=False, modified_at_ms=MADE_MS):
    return a_version(object_key, size_bytes=size_bytes, is_marker=is_marker, modified_at_ms=modified_at_ms)


def rule(*, is_enabled=True, rule_id="r", narrow=None, **fields):
    return Rule(rule_id, is_enabled=is_enabled, filter=narrow or RuleFilter(), **fields)


def lifecycle(*rules):
    return Lifecycle(rules=rules)


def no_tags():
    return {}


NEWEST = Standing(0, None, None, is_alone=False)
ALONE = Standing(0, None, None, is_alone=True)


def deed_of(rules, row, standing=NEWEST, *, now_ms=LATE_MS, tags=no_tags):
    due = judge(rules, row, standing, tags, now_ms=now_ms, calendar=CALENDAR)
    return None if due is None else (due.deed, due.rule.rule_id)


def test_days_are_rounded_up_to_midnight_as_in_the_user_guide():
    """The guide's own example: made on 15 January at 10:30, three days, gone on 19 January at 0:00."""
    assert CALENDAR.due_ms(MADE_MS, 3) == at(2014, 1, 19, 0)
    assert CALENDAR.due_ms(at(2014, 1, 15, 0), 3) == at(2014, 1, 18, 0)
    rules = lifecycle(rule(expire_days=3))
    assert deed_of(rules, version(), now_ms=at(2014, 1, 19, 0) - 1) is None
    assert deed_of(rules, version(), now_ms=at(2014, 1, 19, 0)) == (Deed.EXPIRE, "r")


def test_the_earliest_rule_counts():
    rules = lifecycle(
        rule(rule_id="late", expire_days=9),
        rule(rule_id="date", expire_at_ms=at(2014, 1, 20, 0)),
        rule(rule_id="off", expire_days=1, is_enabled=False),
        rule(rule_id="other", expire_days=1, narrow=RuleFilter(prefix="x")),
    )
    found = expiry_of(rules, version(), no_tags, CALENDAR)
    assert (found.at_ms, found.rule.rule_id) == (at(2014, 1, 20, 0), "date")
    assert expiry_of(lifecycle(), version(), no_tags, CALENDAR) is None


@pytest.mark.parametrize(
    ("narrow", "meets"),
    [
        (RuleFilter(prefix="k"), True),
        (RuleFilter(prefix="kk"), False),
        (RuleFilter(size_above_bytes=9, size_below_bytes=11), True),
        (RuleFilter(size_above_bytes=10), False),
        (RuleFilter(size_below_bytes=10), False),
        (RuleFilter(tags=(("a", "1"),)), True),
        (RuleFilter(tags=(("a", "1"), ("b", "2"))), True),
        (RuleFilter(tags=(("a", "1"), ("c", "2"))), False),
        (RuleFilter(tags=(("a", "2"),)), False),
        (RuleFilter(prefix="k", tags=(("a", "1"),), size_above_bytes=10), False),
    ],
)
def test_a_filter_is_met_whole_or_not_at_all(narrow, meets):
    found = deed_of(lifecycle(rule(expire_days=1, narrow=narrow)), version(), tags=lambda: {"a": "1", "b": "2"})
    assert found == ((Deed.EXPIRE, "r") if meets else None)


def test_a_marker_goes_only_once_nothing_is_under_it():
    marker = version(is_marker=True)
    for rules in (lifecycle(rule(expire_markers=True)), lifecycle(rule(expire_days=1))):
        assert deed_of(rules, marker, ALONE) == (Deed.CLEAR, "r")
        assert deed_of(rules, marker, NEWEST) is None
        assert deed_of(rules, version(), ALONE) == ((Deed.EXPIRE, "r") if rules.rules[0].expire_days else None)
    assert deed_of(lifecycle(rule(expire_days=1)), marker, ALONE, now_ms=MADE_MS) is None
    assert deed_of(lifecycle(rule(expire_markers=True)), marker, ALONE, now_ms=MADE_MS) == (Deed.CLEAR, "r")
    narrow = RuleFilter(size_below_bytes=100)
    assert deed_of(lifecycle(rule(expire_days=1, narrow=narrow)), marker, ALONE) is None


def test_noncurrent_days_count_from_the_next_newer_version():
    newer = version(modified_at_ms=at(2014, 2, 1, 12))
    rules = lifecycle(rule(noncurrent_days=2))
    standing = Standing(1, newer, newer, is_alone=False)
    assert deed_of(rules, version(), standing, now_ms=at(2014, 2, 4, 0) - 1) is None
    assert deed_of(rules, version(), standing, now_ms=at(2014, 2, 4, 0)) == (Deed.REMOVE, "r")
    assert deed_of(rules, version(is_marker=True), standing) == (Deed.REMOVE, "r")
    assert deed_of(rules, version(), NEWEST) is None
    assert deed_of(lifecycle(rule(expire_days=1)), version(), standing) is None


def test_the_newest_noncurrent_versions_may_be_kept():
    newer = version(modified_at_ms=MADE_MS)
    rules = lifecycle(rule(noncurrent_days=1, noncurrent_kept=2, narrow=RuleFilter(prefix="k")))
    kept = [deed_of(rules, version(), Standing(index, newer, newer, is_alone=False)) for index in range(1, 5)]
    assert kept == [None, None, (Deed.REMOVE, "r"), (Deed.REMOVE, "r")]
    assert deed_of(rules, version("other"), Standing(4, newer, newer, is_alone=False)) is None


def test_uploads_are_aborted_by_the_earliest_rule():
    rules = lifecycle(
        rule(rule_id="late", abort_days=9),
        rule(rule_id="early", abort_days=2, narrow=RuleFilter(prefix="k")),
        rule(rule_id="other", abort_days=1, narrow=RuleFilter(prefix="x")),
        rule(rule_id="off", abort_days=1, is_enabled=False),
    )
    found = abort_of(rules, "k", MADE_MS, CALENDAR)
    assert (found.at_ms, found.rule.rule_id) == (at(2014, 1, 18, 0), "early")
    assert abort_of(lifecycle(rule(expire_days=1)), "k", MADE_MS, CALENDAR) is None


@pytest.mark.parametrize(
    ("prefixes", "common"),
    [([], ""), ([""], ""), (["a/b"], "a/b"), (["a/b", "a/c"], "a/"), (["a", "a/b"], "a"), (["a", "b"], ""), (["a", ""], "")],
)
def test_the_walk_is_as_narrow_as_the_rules(prefixes, common):
    off = rule(narrow=RuleFilter(prefix="zzz"), is_enabled=False)
    assert prefix_of_all(lifecycle(off, *(rule(narrow=RuleFilter(prefix=prefix)) for prefix in prefixes))) == common
