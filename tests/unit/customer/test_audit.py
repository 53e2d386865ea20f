"""An auditor finds whatever a provider, or whoever broke in there, does to a ledger. And says nothing of an honest one."""

import json

import pytest
from tests.unit.customer.ledgers import (
    BEGAN_S,
    NOW_S,
    WITNESSES,
    Desk,
    Files,
    entries,
    entry,
    head_at,
    log_of,
    names,
    opening,
    publish,
    publish_openings,
    verified,
)
from tests.unit.ledger.log import ORIGIN, Log, cosigned, log_keys, policy_text

from siegel.customer.audit.book import Book, initialise
from siegel.customer.audit.compare import compare
from siegel.customer.audit.dates import Promise
from siegel.customer.audit.findings import FINDINGS_MAX, Name, Report, summary, time_text
from siegel.customer.audit.openings import read_lines
from siegel.customer.audit.receipts import NoSuchEntryError, check_receipt, make_receipts
from siegel.customer.audit.sources import FILE_BYTES_MAX, FolderSource, SourceError
from siegel.customer.audit.sync import sync
from siegel.customer.audit.verify import verify
from siegel.customer.audit.walk import audit
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.ledgers import LedgerError, LedgerFormError, UnsignedError
from siegel.ledger.bundles import encode_bundle
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.handover import HandOver
from siegel.ledger.leaves import encode_opening
from siegel.ledger.policies import read_policy
from siegel.ledger.signed_checkpoints import sign_checkpoint
from siegel.ledger.tiles import new_tiles


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_an_honest_ledger_holds_as_it_grows(desk):
    for size in (0, 1, 255, 256, 257, 600):
        found = desk.publish(log_of(size)).sync()
        assert found.report.findings == []
        assert (found.report.size, found.evidence) == (size, None)
    mirror = desk.book.folder / "ledger"
    kept = {str(path.relative_to(mirror)) for path in mirror.rglob("*") if path.is_file()}
    assert kept == {tile.path for tile in new_tiles(0, 600)} | {"checkpoint"}
    assert verified(desk).holds()


def test_partial_files_that_are_gone_are_taken_from_the_full_ones(desk):
    log = log_of(600)
    desk.publish(log)
    late = log_of(700)
    publish(late, desk.ledger)
    (desk.ledger / "checkpoint").write_bytes(log.checkpoint(head_at(log), WITNESSES))
    for path in [*desk.ledger.rglob("*.p/*")]:
        path.unlink()
    whole = log_of(768)
    publish(whole, desk.ledger)
    for path in [*desk.ledger.rglob("tile/entries/*.p/*"), *desk.ledger.rglob("tile/0/*.p/*")]:
        path.unlink()
    # Level 1 has no full tile yet: its partial one must be served.
    publish(log, desk.ledger / "again")
    for path in (desk.ledger / "again").rglob("tile/1/*.p/*"):
        place = desk.ledger / path.relative_to(desk.ledger / "again")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    (desk.ledger / "checkpoint").write_bytes(log.checkpoint(head_at(log), WITNESSES))
    assert desk.sync().report.findings == []
    assert verified(desk).holds()


# What a provider can do who has the ledger's own keys, and what finds it.


def test_split_view_two_clients_compare(tmp_path):
    one, other = Desk(tmp_path / "one", "any"), Desk(tmp_path / "other", "any")
    shared = entries(300)
    one.publish(Log([*shared[:290], *entries(10, 290)]))
    other.publish(Log([*shared[:290], *(entry(number, request=900) for number in range(290, 302))]))
    assert one.sync().report.holds()
    assert other.sync().report.holds()
    head = (one.book.folder / "ledger" / "checkpoint").read_bytes()
    found = compare(Book(other.book.folder), head, NOW_S)
    assert names(found) == {"consistency"}
    assert "two different histories of 300 entries" in found.findings[0].message
    same = compare(Book(one.book.folder), head, NOW_S + 10_000_000)
    assert same.holds()
    assert summary(same).startswith("SAME HISTORY")
    # Who has fewer entries cannot tell yet, and accuses nobody.
    with pytest.raises(SourceError, match="too few"):
        compare(Book(one.book.folder), (other.ledger / "checkpoint").read_bytes(), NOW_S)
    with pytest.raises(SourceError, match="no ledger to compare"):
        compare(Book(Desk(tmp_path / "empty", "any").book.folder), head, NOW_S)
    assert names(compare(Book(one.book.folder), head.replace(b"\n300\n", b"\n299\n"), NOW_S)) == {"signature"}


def test_split_view_the_next_head_of_the_other_history(desk):
    assert desk.publish(log_of(300)).sync().report.holds()
    fork = Log([*entries(299), entry(999)])
    for forged in (fork, Log(fork.entries).append(entries(50, 300))):
        found = desk.publish(forged).sync()
        assert "consistency" in names(found.report) or "entries" in names(found.report)
        assert (found.evidence / "checkpoint").read_bytes() == (desk.ledger / "checkpoint").read_bytes()
        assert (found.evidence / "last").read_bytes() == (desk.book.folder / "last").read_bytes()
        assert json.loads((found.evidence / "report.json").read_text())["findings"]
    # The mirror is what it was, and goes on with the honest ledger.
    assert verified(desk).holds()
    assert desk.publish(log_of(400)).sync().report.holds()


def test_a_ledger_that_was_set_back(desk):
    assert desk.publish(log_of(300)).sync().report.holds()
    found = desk.publish(log_of(200)).sync().report
    assert names(found) == {"consistency"}
    assert "shows 200 entries, and had 300" in found.findings[0].message


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param([*entries(100), *entries(199, 101)], id="dropped"),
        pytest.param([*entries(100), entry(100, request=7), *entries(199, 101)], id="edited"),
        pytest.param([*entries(99), entry(100), entry(99), *entries(199, 101)], id="moved"),
        pytest.param([*entries(101), entry(100), *entries(199, 101)], id="duplicated"),
        pytest.param([*entries(100), entry(100, NOW_S - 9000), *entries(199, 101)], id="dated back"),
        pytest.param([entry(900), *entries(300)], id="put before"),
    ],
)
def test_a_rewritten_past_is_found_by_what_was_verified_before(desk, forged):
    assert desk.publish(log_of(250)).sync().report.holds()
    found = desk.publish(Log(forged)).sync()
    assert not found.report.holds(Name.CONSISTENCY, Name.ENTRIES)
    assert found.evidence


def test_the_entry_that_was_rewritten_is_named_and_what_shows_it_is_kept(desk):
    assert desk.publish(log_of(290)).sync().report.holds()
    found = desk.publish(Log([*entries(270), entry(270, request=7), *entries(29, 271)])).sync()
    (finding,) = found.report.findings
    assert (finding.check, finding.message) == (Name.CONSISTENCY, "entry 270 is another one than was verified before")
    assert finding.evidence["before"].startswith("object.read 200 at ")
    assert finding.evidence["before"] != finding.evidence["now"]
    assert (found.evidence / "ledger" / "tile" / "entries" / "001.p" / "44").exists()
    told = summary(found.report)
    assert "  ok    The ledger itself has signed its head\n" in told
    assert "  -     Every entry is there, and hashes to what was signed\n" in told
    # In the same second nothing is put over it.
    assert desk.sync().evidence == found.evidence
    odd = desk.publish(Log([*entries(280), b"\1odd", *entries(19, 281)])).sync().report
    assert odd.findings[0].evidence["now"].startswith("no access, with the hash ")


def test_what_was_not_looked_at_is_not_said_to_hold(desk):
    assert desk.publish(log_of(300)).sync().report.holds()
    assert desk.publish(log_of(200)).sync().report.unchecked == [
        Name.ENTRIES,
        Name.TILES,
        Name.DATES,
        Name.OPENINGS,
        Name.CONSENT,
    ]
    (desk.ledger / "checkpoint").write_bytes(b"x")
    assert set(desk.sync().report.unchecked) == set(Name) - {Name.SIGNATURE}
    desk.publish(log_of(900))
    (desk.ledger / "tile" / "entries" / "002").unlink()
    assert desk.sync().report.unchecked == [Name.ENTRIES, Name.TILES, Name.DATES, Name.OPENINGS, Name.CONSENT]
    (desk.book.folder / "ledger" / "tile" / "entries" / "000").write_bytes(b"\xff")
    assert Name.CONSISTENCY in verify(Book(desk.book.folder), NOW_S).unchecked
    assert Name.ENTRIES in compare(Book(desk.book.folder), log_of(200).checkpoint(NOW_S, WITNESSES), NOW_S).unchecked


def test_a_stolen_key_of_the_ledger_finds_no_honest_witness(desk):
    assert desk.publish(log_of(250)).sync().report.holds()
    last = (desk.book.folder / "last").read_bytes()
    thief = Log([*entries(250), entry(250, request=666)])
    assert desk.publish(thief, witnesses=[]).checks() == {"quorum"}
    assert desk.publish(thief, witnesses=WITNESSES[:1]).checks() == {"quorum"}
    # Witness lines of another head do not fit, and spoil it.
    assert check_with_lines(desk, thief) == {"signature"}
    assert (desk.book.folder / "last").read_bytes() == last


def test_who_lost_the_last_head_knows_his_mirror(desk):
    assert desk.publish(log_of(250)).sync().report.holds()
    (desk.book.folder / "last").unlink()
    assert desk.publish(Log([*entries(100), entry(100, request=666), *entries(199, 101)])).checks() == {"consistency"}
    assert desk.publish(log_of(300)).sync().report.verified_before == 250


def test_who_came_is_not_called_checked_where_entries_are_not_what_was_signed(desk):
    desk.publish(log_of(250))
    bundle = desk.ledger / "tile/entries/000.p/250"
    bundle.write_bytes(encode_bundle([*entries(249), entry(249, request=666)]))
    report = desk.sync().report
    assert not report.holds(Name.ENTRIES)
    assert report.unchecked == [Name.OPENINGS, Name.CONSENT]
    assert "-     Nobody of the provider's came" in summary(report)


def check_with_lines(desk, thief):
    honest = log_of(251).checkpoint(NOW_S, WITNESSES)
    lines = honest.split(b"\n\n")[1].splitlines(keepends=True)[2:]
    (desk.ledger / "checkpoint").write_bytes(thief.checkpoint(NOW_S) + b"".join(lines))
    return desk.checks()


def test_another_key_signs_nothing_here(desk):
    found = desk.publish(Log(entries(10), log_keys(number=9))).sync()
    assert names(found.report) == {"signature"}
    (desk.ledger / "checkpoint").unlink()
    assert desk.checks() == {"signature"}


def test_a_stale_head(desk):
    desk.publish(log_of(10), at_s=NOW_S)
    assert desk.checks(NOW_S + 3599) == set()
    assert desk.checks(NOW_S + 3601) == {"freshness"}
    assert "WARNING" in summary(desk.sync(NOW_S + 3601).report)


def test_a_head_is_as_old_as_its_quorum(tmp_path):
    """The log's own time, and one witness of two, are not enough."""
    desk = Desk(tmp_path)
    log = log_of(10)
    desk.publish(log, at_s=NOW_S, witnesses=WITNESSES[:1])
    line = WITNESSES[1].sign(log.head, NOW_S - 9000).line.encode()
    path = desk.ledger / "checkpoint"
    path.write_bytes(path.read_bytes() + line)
    assert desk.checks() == {"freshness"}


def test_without_witnesses_the_logs_own_time_counts(tmp_path):
    desk = Desk(tmp_path, witnesses=[])
    desk.publish(log_of(10), witnesses=[])
    assert desk.checks() == set()
    assert desk.checks(NOW_S + 9000) == {"freshness"}
    silent = Desk(tmp_path / "silent", witnesses=[])
    silent.publish(Log(entries(10), log_keys()[:1]), witnesses=[])
    found = silent.sync().report
    assert names(found) == {"freshness"}
    assert "unknown" in summary(found)


def test_an_entry_that_was_held_back_or_made_up_later(desk):
    assert desk.publish(log_of(10), at_s=NOW_S - 50).sync().report.holds()
    late = Log([*entries(10), entry(10, NOW_S - 40), entry(11, NOW_S - 61)])
    found = desk.publish(late, at_s=NOW_S).sync()
    assert names(found.report) == {"dates"}
    assert any("held back, or made up" in finding.message for finding in found.report.findings)
    assert found.evidence
    assert found.report.size == 12


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ([entry(10, BEGAN_S - 20)], "moved or dated back"),
        ([entry(10, NOW_S + 20)], "after the head"),
        ([entry(9)], "entry 10 is entry 9 again"),
        ([entry(10, BEGAN_S + 15), entry(9)], "moved or dated back"),
        ([entry(10, BEGAN_S + 5), entry(9)], "entry 11 is entry 9 again"),
    ],
)
def test_dates(desk, more, why):
    found = desk.publish(Log([*entries(10), *more]), at_s=NOW_S).sync().report
    assert names(found) == {"dates"}
    assert any(why in finding.message for finding in found.findings)
    assert found.holds(Name.ENTRIES, Name.CONSISTENCY)


@pytest.mark.parametrize(
    "junk", [b"", b"\x01short", b"text instead of an entry", entry(3)[:20], b"siegel ledger hand-over v1\nof nothing to nobody\n"]
)
def test_what_is_no_entry(desk, junk):
    found = desk.publish(Log([*entries(10), junk, entry(11)]), at_s=NOW_S).sync().report
    assert names(found) >= {"openings"}
    assert found.holds(Name.ENTRIES, Name.CONSISTENCY)
    assert list(make_receipts(Book(desk.book.folder), f"{12:016X}")) == [11], "what is behind it can be proven all the same"


def test_openings_are_those_that_the_entries_were_made_with(desk):
    for size in (10, 300):
        log = log_of(size)
        publish_openings(log, desk.ledger)
        assert desk.publish(log).sync().report.findings == []
    mirror = desk.book.folder / "ledger"
    assert {str(path.relative_to(mirror)) for path in mirror.glob("openings/**/*") if path.is_file()} == {
        "openings/000",
        "openings/001.p/44",
    }
    lines = list(read_lines(Book(desk.book.folder).mirror, 290, 300))
    assert [line.opening.object_key for line in lines] == [f"picture-{number}" for number in range(290, 300)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda number, stored: encode_opening(opening(number, "mallory")) if number == 7 else stored, "another person"),
        (lambda number, stored: encode_opening(opening(8)) if number == 7 else stored, "another object"),
        (lambda number, stored: b"\x02" if number == 7 else stored, "version"),
        (lambda number, stored: stored[:9] if number == 7 else stored, "malformed"),
    ],
)
def test_a_forged_opening_is_found(desk, change, why):
    log = log_of(10)
    publish_openings(log, desk.ledger, change)
    found = desk.publish(log).sync()
    assert [(str(one.check), one.evidence) for one in found.report.findings] == [("openings", {"entry": 7})]
    assert why in found.report.findings[0].message
    assert found.evidence
    assert summary(found.report).startswith("WARNING")


def test_erased_openings_are_no_fault_and_missing_ones_are_told(desk):
    log = log_of(10)
    publish_openings(log, desk.ledger, lambda _number, _stored: b"")
    assert desk.publish(log).checks() == set()
    path = desk.ledger / "openings/000.p/10"
    for damaged, why in ((b"\0", "cannot be read"), (b"\0\0", "1 openings for 10")):
        path.write_bytes(damaged)
        other = Book(
            initialise(desk.book.folder.with_name(f"again{len(damaged)}"), str(desk.ledger), desk.policy, Promise()).folder
        )
        found = sync(other, FolderSource(desk.ledger), NOW_S).report
        assert len(found.findings) == 10
        assert why in found.findings[0].message


def test_small_steps_back_and_equal_times_are_no_fault(desk):
    steps = [entry(number, BEGAN_S + number % 7) for number in range(100)]
    assert desk.publish(Log(steps)).checks() == set()


def test_the_head_of_another_ledger(tmp_path):
    """A policy may trust two ledgers; an auditor's directory is about one."""
    other = "other.example/ledger"
    desk = Desk(tmp_path)
    desk.publish(log_of(10)).sync()
    (desk.book.folder / "policy").write_bytes(
        "".join(f"log {key.verifier}\n" for key in log_keys(other, 5)).encode() + desk.policy
    )
    head = Checkpoint(other, 10, log_of(10).frontier.root)
    signed = cosigned(sign_checkpoint(head, log_keys(other, 5), NOW_S), head, NOW_S, WITNESSES)
    (desk.ledger / "checkpoint").write_bytes(signed)
    assert desk.checks() == {"consistency"}


def test_keys_change_and_the_auditor_follows(desk):
    old, new, third = log_keys(), log_keys(number=1), log_keys(number=2)

    def verifiers(keys):
        return tuple(key.verifier for key in keys)

    assert desk.publish(log_of(20)).sync().report.holds()
    log, place = log_of(20), desk.ledger / "handover"
    place.mkdir()
    for number, (mine, next_keys) in enumerate([(old, new), (new, third)]):
        statement = HandOver(ORIGIN, verifiers(mine), verifiers(next_keys)).encode()
        log.append([statement])
        log.signers = [*mine, *next_keys]
        (place / f"{number:03d}").write_bytes(log.proof_file(log.size - 1, statement, at_s=NOW_S, witnesses=WITNESSES))
        log.signers = next_keys
        assert desk.publish(log.append(entries(3, log.size))).sync().report.findings == []
        assert verified(desk).holds()
    assert desk.publish(Log(log.entries, old)).checks() == {"signature"}
    (place / "002").write_bytes(b"forged")
    assert desk.publish(log).checks() == set()


def test_a_head_of_before_a_hand_over_is_compared_as_any_other(desk):
    old, new = log_keys(), log_keys(number=1)
    assert desk.publish(log_of(20)).sync().report.holds()
    before, other = (log.checkpoint(NOW_S, WITNESSES) for log in (log_of(20), Log(entries(20, 7))))
    statement = HandOver(ORIGIN, tuple(key.verifier for key in old), tuple(key.verifier for key in new)).encode()
    log = Log([*entries(20), statement], [*old, *new])
    (desk.ledger / "handover").mkdir()
    (desk.ledger / "handover" / "000").write_bytes(log.proof_file(20, statement, at_s=NOW_S, witnesses=WITNESSES))
    log.signers = new
    assert desk.publish(log).sync().report.holds()
    assert compare(Book(desk.book.folder), before, NOW_S).findings == []
    assert names(compare(Book(desk.book.folder), other, NOW_S)) == {"consistency"}
    stranger = Log(entries(20), log_keys(number=5)).checkpoint(NOW_S, WITNESSES)
    assert names(compare(Book(desk.book.folder), stranger, NOW_S)) == {"signature"}


def test_a_new_auditor_may_trust_the_newest_keys(tmp_path):
    old, new = log_keys(), log_keys(number=1)
    desk = Desk(tmp_path)
    (desk.book.folder / "policy").write_bytes(policy_text("all", log=new, witnesses=WITNESSES))
    statement = HandOver(ORIGIN, tuple(key.verifier for key in old), tuple(key.verifier for key in new)).encode()
    log = Log([*entries(3), statement], [*old, *new])
    (desk.ledger / "handover").mkdir(parents=True)
    (desk.ledger / "handover" / "000").write_bytes(log.proof_file(3, statement, witnesses=WITNESSES))
    log.signers = new
    assert desk.publish(log).checks() == set()


# Receipts.


def test_receipts_are_made_from_the_mirror_and_checked_offline(desk):
    log = Log([*entries(300), entry(300, request=5), entry(301, request=5)])
    desk.publish(log).sync()
    policy = read_policy(desk.policy)
    made = make_receipts(Book(desk.book.folder), f"{5:016X}")
    assert list(made) == [4, 300, 301]
    for index, data in made.items():
        receipt = check_receipt(data, policy)
        assert (receipt.index, receipt.entry) == (index, log.entries[index])
        assert receipt.judgement.witnessed == dict.fromkeys(("w0", "w1"), head_at(log))
        with pytest.raises(LedgerError):
            check_receipt(data.replace(b"index ", b"index 1"), policy)
        with pytest.raises(UnsignedError):
            check_receipt(data, read_policy(policy_text(log=log_keys(number=3))))
    assert list(make_receipts(Book(desk.book.folder), "#299")) == [299]
    with pytest.raises(LedgerFormError, match="does not hold the entry"):
        check_receipt(log.proof_file(3, witnesses=WITNESSES), policy)


@pytest.mark.parametrize("wanted", ["#302", "0" * 16, "FFFFFFFFFFFFFFFF", "abc", "#-1", "#01", "f" * 16])
def test_entries_that_are_not_there(desk, wanted):
    desk.publish(log_of(302)).sync()
    with pytest.raises(NoSuchEntryError):
        make_receipts(Book(desk.book.folder), wanted)


def test_receipts_need_a_whole_mirror(desk):
    with pytest.raises(ConfigurationError, match="no ledger yet"):
        make_receipts(Book(desk.book.folder), "#1")
    desk.publish(log_of(300)).sync()
    (desk.book.folder / "ledger" / "tile/0/000").unlink()
    with pytest.raises(SourceError, match="lacks tile/0/000"):
        make_receipts(Book(desk.book.folder), "#1")


# The directory.


def test_a_directory_begins_once(tmp_path):
    policy = policy_text(witnesses=WITNESSES)
    made = initialise(tmp_path / "a", 'quote " and \\', policy, Promise(60, 5))
    assert (made.settings.source, made.settings.max_age_s, made.settings.delay_s) == ('quote " and \\', 60, 5)
    with pytest.raises(ConfigurationError, match="not empty"):
        initialise(tmp_path / "a", "x", policy, Promise())
    with pytest.raises(LedgerFormError):
        initialise(tmp_path / "b", "x", b"", Promise())
    with pytest.raises(StorageError, match="cannot be written"):
        initialise(tmp_path / "a" / "policy" / "c", "x", policy, Promise())
    with pytest.raises(ConfigurationError, match="no directory of audits"):
        Book(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("audit.toml", "from = 7", "from"),
        ("audit.toml", "from = ", "audit.toml"),
        ("audit.toml", 'from = "x"\nmore = 1', "more"),
        ("policy", "nonsense", "policy"),
        ("policy", "", "no quorum"),
    ],
)
def test_settings_that_cannot_be_read(desk, name, text, why):
    (desk.book.folder / name).write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        Book(desk.book.folder)


def test_files_that_cannot_be_read_or_written(desk, monkeypatch):
    desk.publish(log_of(10)).sync()
    (desk.book.folder / "policy").unlink()
    (desk.book.folder / "policy").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Book(desk.book.folder)
    (desk.book.folder / "ledger").rename(desk.book.folder / "elsewhere")
    (desk.book.folder / "ledger").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        desk.book.keep(b"", 1, None)
    monkeypatch.setattr(desk.book, "folder", desk.book.folder / "audit.toml")
    with pytest.raises(StorageError, match="cannot be written"):
        desk.book.keep_evidence(b"", Report())


def test_a_disk_that_takes_nothing(desk):
    desk.publish(log_of(10))
    (desk.book.folder / "incoming").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        desk.sync()


def test_what_cannot_be_kept_back_for_lack_of_a_file(desk):
    """A file that no name has is missing in the mirror too, and the audit says so."""
    desk.publish(log_of(300))
    (desk.ledger / "tile/entries/001.p/44").unlink()
    (desk.ledger / "tile/0/000").unlink()
    found = desk.sync().report
    assert names(found) == {"entries", "tiles"}
    assert "missing" in summary(found)
    assert not (desk.book.folder / "last").exists()


def test_the_verdict_tells_what_is_wrong(desk):
    desk.publish(log_of(10), witnesses=[])
    assert summary(desk.sync().report).startswith("NOT WITNESSED")
    desk.publish(log_of(10))
    assert summary(desk.sync(NOW_S + 10_000).report).startswith("WARNING")
    assert summary(desk.sync().report).startswith("HOLDS")


def test_one_audit_at_a_time(desk):
    with desk.book.changing(), pytest.raises(ConfigurationError, match="another audit"):
        desk.sync()


class Bent(Files):
    """A ledger that says things that no ledger says."""

    def __init__(self, desk, change):
        self.desk = desk
        self.change = change

    def get(self, path):
        data = (self.desk.ledger / path).read_bytes() if (self.desk.ledger / path).is_file() else None
        return self.change(path, data)


def test_a_server_cannot_fill_the_disk(desk):
    desk.publish(log_of(10))
    with pytest.raises(SourceError, match="larger than any file"):
        sync(desk.book, Bent(desk, lambda path, data: bytes(FILE_BYTES_MAX + 1) if "entries" in path else data), NOW_S)
    huge = Checkpoint(ORIGIN, 2**40, bytes(32))
    head = sign_checkpoint(huge, log_keys(), NOW_S)
    with pytest.raises(SourceError, match="more than is fetched at once"):
        sync(desk.book, Bent(desk, lambda path, data: head if path == "checkpoint" else data), NOW_S)


def test_what_a_report_says_ends_somewhere(desk):
    found = desk.publish(Log([b"no entry %d" % number for number in range(100)])).sync().report
    assert len(found.findings) == 2 * FINDINGS_MAX
    assert f"and {200 - 2 * FINDINGS_MAX} more findings" in summary(found)
    assert time_text(10**20) == "100000000000000000000 s after 1970"


def test_progress_is_told(desk):
    told = []
    sync(
        desk.publish(log_of(300)).book,
        Bent(desk, lambda _path, data: data),
        NOW_S,
        lambda files: told.append(files) or told.append,
    )
    assert told[0] == sum(told[1:]) > 4
    counted = []
    book = Book(desk.book.folder)
    audit(book.mirror, book.trust(book.mirror), None, NOW_S, counted.append)
    assert sum(counted) == 300
