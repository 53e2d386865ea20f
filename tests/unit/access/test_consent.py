"""The steps of a consent, and what a live one permits."""

from itertools import product

import pytest

from siegel.access.consent import ACTIONS, OPEN, STEPS, Bounds, Step, Use, follow, refusal_of, state_at
from siegel.domain.consents import ConsentState, InvalidConsentStateError, support_arn
from siegel.ledger.consent_scope import Scope

ACCOUNT = "111122223333"
BOUNDS = Bounds(ACCOUNT, frozenset({"list", "read"}), (Scope("film", "a"), Scope("film", "b/", is_prefix=True)), 1000, 2000)


def use(operation="GetObject", account_id=ACCOUNT, bucket="film", object_key="a", prefix=""):
    return Use(operation, account_id, bucket, object_key, prefix)


def test_every_step_that_is_not_in_the_table_is_refused():
    for state, step in product(ConsentState, Step):
        if (state, step) in STEPS:
            assert follow(state, step) is STEPS[state, step]
            assert follow(state, step) == step
        else:
            with pytest.raises(InvalidConsentStateError, match=f"that is {state} cannot become {step}"):
                follow(state, step)


def test_nothing_leads_back():
    reached = {state: {after for (before, _), after in STEPS.items() if before is state} for state in ConsentState}
    for state in ConsentState:
        seen, queue = set(), [state]
        while queue:
            new = reached[queue.pop()] - seen
            seen |= new
            queue += new
        assert state not in seen
        assert state in OPEN or not seen & OPEN


@pytest.mark.parametrize(
    ("state", "now_ms", "expected"),
    [
        ("requested", 9, "requested"),
        ("requested", 10, "lapsed"),
        ("approved", 19, "approved"),
        ("approved", 20, "expired"),
        ("active", 19, "active"),
        ("active", 20, "expired"),
        ("denied", 99, "denied"),
        ("revoked", 99, "revoked"),
        ("closed", 99, "closed"),
    ],
)
def test_time_ends_what_nobody_ended(state, now_ms, expected):
    assert state_at(ConsentState(state), now_ms, answer_by_ms=10, expires_ms=20) == expected


@pytest.mark.parametrize(
    "permitted",
    [
        use(),
        use("HeadObject"),
        use("GetObjectAttributes"),
        use(object_key="b/x"),
        use("ListObjectsV2", object_key="", prefix="b/"),
        use("ListObjects", object_key="", prefix="b/x"),
        use("ListObjectVersions", object_key="", prefix="b/x"),
    ],
)
def test_what_is_permitted(permitted):
    assert refusal_of(BOUNDS, permitted, 1000) == refusal_of(BOUNDS, permitted, 1999) == ""


@pytest.mark.parametrize(
    ("refused", "now_ms", "why"),
    [
        (use(), 999, "is not valid yet"),
        (use(), 2000, "has expired"),
        (use("PutObject"), 1500, "permits no PutObject"),
        (use("GetObjectTagging"), 1500, "permits no GetObjectTagging"),
        (use(account_id="999988887777"), 1500, "is about other objects"),
        (use(account_id=""), 1500, "is about other objects"),
        (use(object_key="aa"), 1500, "is about other objects"),
        (use(bucket="other", account_id="999988887777"), 1500, "is about other objects"),
        (use(object_key="b"), 1500, "is about other objects"),
        (use(bucket="other"), 1500, "is about other objects"),
        (use("ListObjectsV2", object_key="", prefix=""), 1500, "is about other objects"),
        (use("ListObjectsV2", object_key="", prefix="a"), 1500, "is about other objects"),
        (use("ListObjectsV2", bucket="other", object_key="", prefix="b/"), 1500, "is about other objects"),
    ],
)
def test_what_is_refused(refused, now_ms, why):
    assert refusal_of(BOUNDS, refused, now_ms) == why


@pytest.mark.parametrize(
    ("actions", "operations"),
    [
        ({"list"}, {"ListObjects", "ListObjectsV2", "ListObjectVersions"}),
        ({"head"}, {"HeadObject", "GetObjectAttributes"}),
        ({"read"}, {"HeadObject", "GetObjectAttributes", "GetObject"}),
        (set(), set()),
    ],
)
def test_actions_permit_their_operations_alone(actions, operations):
    bounds = Bounds(ACCOUNT, frozenset(actions), (Scope("film", "", is_prefix=True),), 0, 9)
    assert {operation for operation in ACTIONS if not refusal_of(bounds, use(operation), 1)} == operations


def test_the_principal():
    assert support_arn("6b49d20000c0ffee", "jane") == "arn:aws:siegel:::support/6b49d20000c0ffee/jane"
