"""What an auditor's directory remembers, while a ledger grows and while somebody reads: names, times, and one tree at a time."""

import threading

import pytest
from tests.unit.customer.ledgers import (
    BEGAN_S,
    NOW_S,
    WITNESSES,
    Desk,
    entries,
    entry,
    head_at,
    log_of,
    names,
    opening,
    publish_openings,
)
from tests.unit.ledger.log import Log, cosigned

from siegel.customer.audit import book as books
from siegel.customer.audit.accounts import Wanted, balance_books
from siegel.customer.audit.book import Book
from siegel.customer.audit.findings import summary
from siegel.customer.audit.openings import read_lines
from siegel.customer.audit.sources import SourceError
from siegel.customer.audit.verify import verify
from siegel.ledger.leaves import Facts, Leaf, encode_leaf, encode_opening
from siegel.ledger.signed_checkpoints import sign_checkpoint


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def publish_dated(desk, log, log_at_s, witnessed_at_s):
    """Publish a log that says another time than its witnesses."""
    desk.publish(log)
    signed = sign_checkpoint(log.head, log.signers, log_at_s)
    (desk.ledger / "checkpoint").write_bytes(cosigned(signed, log.head, witnessed_at_s, WITNESSES))
    return desk


def test_a_log_that_dates_its_heads_back(desk):
    """Else it could hold back entries as long as it likes: the witnesses know until when it showed the tree without them."""
    assert publish_dated(desk, log_of(10), head_at(log_of(10)), NOW_S - 60).sync().report.holds()
    late = Log([*entries(10), entry(10, NOW_S - 110)])
    found = publish_dated(desk, late, NOW_S - 105, NOW_S).sync().report
    assert names(found) == {"dates"}
    assert "held back, or made up" in found.findings[0].message
    old = Log([entry(number, NOW_S - 9000) for number in range(10)])
    assert names(publish_dated(Desk(desk.book.folder / "new"), old, NOW_S - 9000, NOW_S).sync().report) == {"freshness"}


def test_a_slow_witness_is_no_fault_of_the_logs(desk):
    """An entry that came while the witness was still asked about the head before was not held back."""
    publish_dated(desk, log_of(10), NOW_S - 100, NOW_S - 75).sync()
    late = Log([*entries(10), entry(10, NOW_S - 99)])
    assert publish_dated(desk, late, NOW_S - 98, NOW_S - 70).sync().report.findings == []


def test_a_log_that_dates_its_heads_ahead(tmp_path, desk):
    """Nobody may show a head for ever that says a time to come, nor entries from there."""
    lone = Desk(tmp_path / "lone", witnesses=[])
    lone.publish(log_of(10), at_s=NOW_S + 9000, witnesses=[])
    assert lone.checks() == {"freshness"}
    ahead = Log([*entries(10), entry(10, NOW_S + 2000)])
    assert names(publish_dated(desk, ahead, NOW_S + 2000, NOW_S).sync().report) == {"dates"}


def test_an_older_head_over_the_same_entries_is_not_remembered(desk):
    """Else entries could be dated between the two."""
    for at_s in (NOW_S - 100, NOW_S - 40, NOW_S - 100):
        assert desk.publish(log_of(10), at_s=at_s).sync().report.holds()
    found = desk.publish(Log([*entries(10), entry(10, NOW_S - 80)]), at_s=NOW_S).sync()
    assert names(found.report) == {"dates"}
    assert b"\n10\n" in (found.evidence / "last").read_bytes(), "the head that lacks the entry is the evidence"


def test_who_shows_no_names_does_not_pass_for_one_who_does(desk):
    """Else a provider could leave out who was there: no file of openings, or one that was erased from the first moment."""
    found = desk.publish(log_of(10)).sync().report
    assert (found.holds(), found.unnamed) == (True, 10)
    assert "Of 10 entries it is not told who was there" in summary(found)
    log = log_of(300)
    publish_openings(log, desk.ledger, lambda number, stored: b"" if number == 299 else stored)
    assert desk.publish(log).sync().report.unnamed == 1
    assert verify(Book(desk.book.folder), NOW_S).unnamed == 1


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(lambda number, stored: b"" if number == 5 else stored, id="erased"),
        pytest.param(lambda number, stored: encode_opening(opening(5, "mallory")) if number == 5 else stored, id="forged"),
        pytest.param(None, id="left out"),
    ],
)
def test_names_that_were_read_once_are_not_forgotten(desk, later):
    """The openings of a bundle are fetched again while it grows: a provider takes no name back by that."""
    log = log_of(10)
    publish_openings(log, desk.ledger)
    desk.publish(log).sync()
    log = log_of(300)
    if later:
        publish_openings(log, desk.ledger, later)
    found = desk.publish(log).sync().report
    # Whoever has shown names and shows no more hides who was there.
    assert names(found) == (set() if later else {"consent"})
    lines = list(read_lines(Book(desk.book.folder).mirror, 0, 300))
    assert [line.opening.object_key for line in lines[:10]] == [f"picture-{number}" for number in range(10)]
    assert sum(line.opening is None for line in lines) == (0 if later else 290)


@pytest.mark.parametrize("damaged", [b"\0", b"\0\0", b"\0\x01x" * 20])
def test_what_cannot_be_read_is_told_and_not_mended(desk, damaged):
    log = log_of(10)
    publish_openings(log, desk.ledger)
    desk.publish(log).sync()
    log = log_of(20)
    desk.publish(log)
    (desk.ledger / "openings/000.p/20").write_bytes(damaged)
    assert names(desk.sync().report) == {"openings"}


def test_a_mirror_is_not_exchanged_while_it_is_read(desk):
    """Else what was read of one head and of the next would pass for a ledger that was changed."""
    desk.publish(log_of(300)).sync()
    desk.publish(log_of(310))
    syncing = threading.Thread(target=desk.sync)

    def progress(_entries):
        if not syncing.ident:
            syncing.start()
            # As long as a sync takes that nothing keeps back.
            syncing.join(0.5)

    found = verify(Book(desk.book.folder), NOW_S, lambda _entries: progress)
    syncing.join()
    assert (found.findings, found.size) == ([], 300)
    assert verify(Book(desk.book.folder), NOW_S).size == 310


def test_a_mirror_is_not_exchanged_while_it_is_compared(desk, tmp_path):
    desk.publish(log_of(300)).sync()
    desk.publish(log_of(310))
    (tmp_path / "receipts").touch()
    syncing = threading.Thread(target=desk.sync)

    def starting(what, _count):
        if what == "entries":
            syncing.start()
            syncing.join(0.5)
        return lambda _done: None

    wanted = Wanted(logs=(), receipts=(tmp_path / "receipts",), from_ms=0)
    assert balance_books([Book(desk.book.folder)], wanted, NOW_S * 1000, starting).size == 300
    syncing.join()


def test_the_same_evidence_is_kept_once_and_a_flood_not_at_all(desk, monkeypatch):
    """A watch looks every minute: who is found out must not fill the disk by it."""
    desk.publish(log_of(300)).sync()
    desk.publish(Log([*entries(299), entry(999), *entries(10, 301)]))
    first = desk.sync(NOW_S).evidence
    assert (first / "ledger").is_dir()
    assert [desk.sync(NOW_S + more).evidence for more in (1, 2)] == [first, first]
    monkeypatch.setattr(books, "FETCHED_BYTES_MAX", 4096)
    desk.publish(Log([*entries(299), entry(999), *entries(20, 301)]))
    second = desk.sync(NOW_S + 3).evidence
    assert second != first
    assert not (second / "ledger").exists()
    (second / "report.json").write_bytes(b"{")
    assert desk.sync(NOW_S + 4).evidence not in {first, second}


def test_a_ledgers_words_in_findings_are_shown_on_one_line(desk):
    facts = Facts(0, "object.read\x1b[2J\n", 200, bytes(32), bytes(32))
    hostile = encode_leaf(Leaf(BEGAN_S * 1000, "", facts))
    desk.publish(Log([hostile, *entries(9, 1)])).sync()
    found = desk.publish(log_of(20)).sync().report
    assert any("object.read?[2J?" in str(finding.evidence) for finding in found.findings)
    assert all(line.isprintable() for line in summary(found).split("\n"))


def test_a_mirror_that_nobody_may_write_is_read_all_the_same(desk, monkeypatch):
    desk.publish(log_of(10)).sync()
    (desk.book.folder / "mirror.lock").unlink()
    monkeypatch.setattr(books.os, "access", lambda *_: False)
    assert verify(Book(desk.book.folder), NOW_S).holds()
    assert not (desk.book.folder / "mirror.lock").exists()


@pytest.mark.parametrize("size", [300, 512])
@pytest.mark.parametrize("names_shown", [True, False])
@pytest.mark.parametrize("lost", ["tile/entries/000", "tile/0/000", "openings/000", "checkpoint"])
def test_what_this_machine_has_lost_accuses_nobody_and_is_fetched_again(desk, size, names_shown, lost):
    log = log_of(size)
    publish_openings(log, desk.ledger)
    desk.publish(log, at_s=NOW_S).sync()
    path = desk.book.folder / "ledger" / lost
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(SourceError, match=f"has lost 1 of its files, such as {lost}, .*\n.*siegel audit sync"):
        verify(Book(desk.book.folder), NOW_S)
    if not names_shown and lost.startswith("openings"):
        # Whoever showed them then and does not now hides them: that is the ledger's, and nothing is looked for again.
        (desk.ledger / lost).unlink()
        assert names(desk.sync().report) == names(verify(Book(desk.book.folder), NOW_S)) == {"consent"}
        return
    assert desk.sync().report.holds()
    assert path.read_bytes() == whole
    assert verify(Book(desk.book.folder), NOW_S).holds()


def test_what_was_lost_and_comes_back_as_something_else_is_found(desk):
    desk.publish(log_of(300), at_s=NOW_S).sync()
    path = desk.book.folder / "ledger" / "tile" / "entries" / "000"
    path.unlink()
    forged = desk.ledger / "tile" / "entries" / "000"
    forged.write_bytes(forged.read_bytes().replace(b"access 7", b"access 8", 1))
    assert "consistency" in names(desk.sync().report)
    assert not path.exists()
