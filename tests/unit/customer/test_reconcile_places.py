"""Every book has its own place: what was never compared with a book is compared with it, whatever was compared before."""

import json
from contextlib import nullcontext

import pytest
from tests.unit.customer.two_books import ALICE, Story

from siegel.customer.audit.accounts import Wanted, balance_books
from siegel.customer.audit.book import Book
from siegel.customer.audit.reconcile import Terms
from siegel.customer.audit.sources import FolderSource
from siegel.customer.audit.watch import Comparing, Watch
from siegel.domain.errors import ConfigurationError


@pytest.fixture
def rogue(story):
    """Return a story with an unwrap that the ledger does not tell of."""
    story.line(story.begin(), "decrypt")
    story.publish()
    return story


def compared(story, *, log=None, receipts=False, receipts_of=(), both=False):
    wanted = Wanted(
        logs=[log] if log else [story.folder / "box"] if both else [],
        receipts=[story.folder / "receipts.jsonl"] if receipts or both else [],
        terms=Terms(from_ms=0, to_ms=0, receipts_of=frozenset(receipts_of)),
    )
    return balance_books([Book(story.desk.book.folder)], wanted, story.now_ms + 1000)


def test_a_run_with_receipts_alone_hides_no_unwrap_from_the_next(rogue):
    assert compared(rogue, receipts=True).mismatches == []
    assert len(compared(rogue, log=rogue.folder / "box").mismatches) == 1


def test_a_run_with_another_key_server_hides_none_either(rogue):
    other = Story(rogue.folder / "other")
    other.line(other.begin(later_ms=7), "encrypt")
    other.publish()
    compared(rogue, log=other.folder / "box")
    assert len(compared(rogue, both=True).mismatches) == 1


def test_a_run_without_a_word_about_whose_receipts_are_whole_is_none_with_it(rogue):
    del rogue.receipts[-1]
    rogue.publish()
    compared(rogue, receipts=True)
    rogue.publish()
    # Of the write there is no receipt either.
    assert len(compared(rogue, receipts=True, receipts_of=[ALICE]).mismatches) == 2
    rogue.publish()
    assert compared(rogue, receipts=True, receipts_of=[ALICE]).mismatches == []


def test_what_came_behind_the_end_of_a_copy_is_compared_with_the_next_one(story):
    copy = story.folder / "copy.jsonl"
    copy.write_bytes(story.box_log())
    story.line(story.begin(), "decrypt")
    story.publish()
    assert compared(story, log=copy).mismatches == []
    copy.write_bytes(story.box_log())
    assert len(compared(story, log=copy).mismatches) == 1


def test_a_copy_is_the_book_that_it_is_of(rogue):
    compared(rogue, both=True)
    copy = rogue.folder / "copy.jsonl"
    copy.write_bytes(rogue.box_log())
    rogue.publish()
    assert compared(rogue, log=copy).mismatches == []


def test_a_new_file_of_receipts_begins_with_its_first(rogue):
    """Whoever begins a file each month is not told of everything again each month."""
    assert len(compared(rogue, both=True).mismatches) == 1
    rogue.read()
    rogue.receipts = rogue.receipts[-1:]
    rogue.publish()
    assert compared(rogue, both=True).mismatches == []


def test_a_log_that_does_not_hold_is_not_compared_with_that(rogue):
    path = rogue.folder / "box" / "log.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"alice", b"malic", 1))
    compared(rogue, both=True)
    path.write_bytes(whole)
    assert len(compared(rogue, both=True).mismatches) == 1


def test_a_place_of_before_counts_for_nothing(rogue):
    """It does not say with which books it was compared."""
    state = rogue.desk.book.folder / "reconcile.json"
    state.write_text(json.dumps({"version": 1, "until_ms": rogue.now_ms, "heads": {}}))
    assert len(compared(rogue, both=True).mismatches) == 1


def test_a_book_that_is_named_twice_is_refused(rogue):
    copy = rogue.folder / "copy.jsonl"
    copy.write_bytes(rogue.box_log())
    for also in (rogue.folder / "box", copy):
        with pytest.raises(ConfigurationError, match="is named twice"):
            rogue.balance(also=[also])


def test_a_watch_that_is_given_another_book_compares_it_from_the_beginning(rogue):
    folder = rogue.desk.book.folder
    (folder / "watch.json").write_text(json.dumps({"version": 1, "compared_until_ms": rogue.now_ms}))

    def looked(**books):
        rogue.publish_ledger()
        watch = Watch(
            folder, lambda _place: nullcontext(FolderSource(rogue.desk.ledger)), [], verify_every_s=86_400,
            comparing=Comparing(Wanted(**books), 1), now_s=lambda: rogue.now_ms / 1000 + 1,
        )  # fmt: skip
        return [notice.message.partition(",")[0] for notice in watch.round().notices]

    receipts = [folder.parent / "receipts.jsonl"]
    stray = [f"missing: a data key of photos/film.mp4 was unwrapped for {ALICE}"]
    assert looked(logs=[], receipts=receipts) == []
    assert looked(logs=[folder.parent / "box"], receipts=receipts) == stray
    assert looked(logs=[folder.parent / "box"], receipts=receipts) == []
