"""One key server for several accounts of one service: their ledgers are compared with its log together, or one by one."""

import json

import pytest
from tests.unit.customer.two_books import KEY, Story, words
from tests.unit.ledger.log import ORIGIN

from siegel.customer.audit.balance import Kind
from siegel.domain.errors import ConfigurationError

OTHERS = "store.example/ledger/444455556666"
REEL = ("reels", "one.mp4", "v9")


@pytest.fixture
def two(tmp_path):
    """Return two accounts whose key server keeps one log."""
    ours, theirs = Story(tmp_path / "ours"), Story(tmp_path / "theirs", origin=OTHERS)
    theirs.lines = ours.lines
    # Another process of the service counts for them.
    theirs.number += 1 << 33
    for account, place in ((ours, ("photos", "film.mp4", "v1")), (theirs, REEL)):
        account.write(place)
        account.read(place, call=account.read(place))
    return ours, theirs


def published(*accounts):
    for account in accounts:
        account.publish()
    return accounts


def test_ledgers_of_both_balance_with_the_one_log(two):
    ours, theirs = published(*two)
    found = ours.balance(others=[theirs])
    assert (found.mismatches, found.said) == ([], [])
    assert (found.counts.unwraps, found.counts.wraps, found.counts.leases, found.size) == (4, 2, 2, 6)
    assert found.ledger == f"{ORIGIN}, {OTHERS}"
    # It goes on where it ended, for each of them; who comes later is compared from the beginning.
    for account in two:
        places = json.loads((account.desk.book.folder / "reconcile.json").read_text())["places"]
        assert set(places.values()) == {found.until_ms}
    (theirs.desk.book.folder / "reconcile.json").unlink()
    assert ours.balance(others=[theirs]).counts == found.counts


def test_one_ledger_alone_accuses_nobody_of_what_is_bound_to_another_account(two):
    ours, theirs = published(*two)
    for account, other in ((ours, theirs), (theirs, ours)):
        found = account.balance(log=ours.folder / "box", receipts=False)
        assert found.mismatches == []
        assert found.said == [f"3 uses of keys for the account {other.account_id}, whose ledger is not here"]


def test_what_is_bound_to_an_account_whose_ledger_is_here_is_missed_and_so_is_a_bucket_of_ours_under_another_name(two):
    ours, theirs = two
    theirs.line(theirs.begin(), "decrypt", REEL)
    wrong = {"account": theirs.account_id, "bucket": "photos", "key": "film.mp4", "version": "v1"}
    ours.line(ours.begin(), "decrypt", context=wrong)
    ours.line(ours.begin(), "decrypt", context={"bucket": "reels", "key": "one.mp4"})
    published(ours, theirs)
    assert [one.evidence["object"] for one in ours.balance(others=[theirs]).mismatches] == [
        "reels/one.mp4", "photos/film.mp4", "reels/one.mp4"
    ]  # fmt: skip
    alone = ours.balance(from_ms=0)
    assert [one.evidence["object"] for one in alone.mismatches] == ["photos/film.mp4", "reels/one.mp4"]
    assert {one.kind for one in alone.mismatches} == {Kind.MISSING}


def test_an_entry_is_named_with_its_ledger(two):
    ours, theirs = two
    request = theirs.read(REEL)
    theirs.entries[-1]["principal"] = "arn:aws:iam::1:user/mallory"
    published(ours, theirs)
    (found,) = ours.balance(others=[theirs]).mismatches
    assert (found.kind, found.evidence["entry"], found.evidence["request"]) == (Kind.ALTERED, f"3 of {OTHERS}", request)
    (alone,) = theirs.balance(log=ours.folder / "box", receipts=False, from_ms=0).mismatches
    assert alone.evidence["entry"] == 3


def test_a_request_that_touches_both_accounts_is_read_as_one(two):
    """A copy from the one into the other: the object is theirs, the key is, too, and the request is in both ledgers."""
    ours, theirs = two
    request = ours.begin()
    theirs.now_ms = ours.now_ms
    ours.entry(request, "object.copy", ("photos", "copy.mp4", "v2"))
    theirs.line(request, "decrypt", REEL)
    theirs.entry(request, "object.read", REEL)
    theirs.use(request, bucket="reels")
    published(ours, theirs)
    assert words((str(one.kind), one.message) for one in ours.balance(others=[theirs]).mismatches) == []


def test_our_key_for_an_object_of_another_account_is_compared_with_both_ledgers(two):
    """The use is in our ledger, the object in theirs."""
    ours, theirs = two
    request = ours.begin()
    theirs.now_ms = asked_ms = ours.now_ms
    ours.line(
        request, "decrypt", context=dict(zip(("account", "bucket", "key", "version"), ("444455556666", *REEL), strict=True))
    )
    ours.entry(request, "kms.decrypt", ("reels", "", ""), keys=(KEY,), call=request)
    published(ours, theirs)
    alone = ours.balance(receipts=False)
    assert (alone.mismatches, alone.said) == ([], ["4 uses of keys for the account 444455556666, whose ledger is not here"])
    assert [one.kind for one in ours.balance(others=[theirs]).mismatches] == [Kind.MISSING]
    theirs.entry(request, "object.read", REEL, asked_ms=asked_ms, recorded_ms=asked_ms + 20)
    published(ours, theirs)
    assert ours.balance(others=[theirs], from_ms=1).mismatches == []


def test_ledgers_that_do_not_belong_together_are_refused(tmp_path, two):
    ours, theirs = published(*two)
    with pytest.raises(ConfigurationError, match="named twice"):
        ours.balance(others=[theirs, ours])
    elsewhere = Story(tmp_path / "elsewhere", origin="else.example/ledger/777788889999")
    elsewhere.write()
    elsewhere.publish()
    with pytest.raises(ConfigurationError, match="of several services"):
        ours.balance(others=[elsewhere])
