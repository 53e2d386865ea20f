"""Receipts against the ledger; what of two books cannot be compared, and is said; what is remembered of a comparison."""

import json

import pytest
from msgspec.structs import replace
from tests.unit.customer.two_books import ALICE, BEGAN_MS, FIRST_ID, OTHER, json_line, name_of, words

from siegel.customer.audit.accounts import NothingNewError
from siegel.customer.audit.balance import MISMATCHES_MAX, Balance, Kind, moment_text, summary
from siegel.customer.keybox.chain import LINE_BYTES_MAX
from siegel.domain.errors import ConfigurationError

MINUTE_MS = 60_000


# Receipts


def test_a_receipt_without_its_entry_is_missing(story):
    story.begin()
    story.receipts.append(story.receipt(name_of(3), method="PUT"))
    story.publish()
    (found,) = story.balance().mismatches
    assert (found.kind, found.evidence["asked for"]) == (Kind.MISSING, "PUT photos/film.mp4")
    assert found.evidence["receipt"].endswith("receipts.jsonl:4")


@pytest.mark.parametrize("changes", [{"key": "other"}, {"bucket": "other"}, {"status": 206}, {"version": "v2"}])
def test_a_receipt_of_something_else_is_altered(story, changes):
    story.receipts[-1] = replace(story.receipts[-1], **changes)
    assert words(story.told()) == [("altered", "the ledger says something else of a request than its client was answered")]


def test_a_receipt_of_before_the_request_is_late(story):
    story.receipts[-1] = replace(story.receipts[-1], at=story.receipts[0].at)
    assert words(story.told()) == [("late", "the ledger dates a request after it was answered")]


def test_a_request_in_the_name_of_somebody_who_keeps_receipts_is_found(story):
    request = story.read()
    del story.receipts[-1]
    story.publish()
    assert story.balance().mismatches == []
    found = story.balance(from_ms=1, receipts_of=frozenset({ALICE})).mismatches
    # The write has none either.
    assert [one.evidence["request"] for one in found] == [name_of(FIRST_ID + 1), request]
    assert {one.kind for one in found} == {Kind.MISSING}


def test_one_receipt_is_of_all_that_a_request_deletes(story):
    """Each key has an entry, with the status of that key; the client has one answer."""
    request = story.begin()
    for key, status in (("a", 204), ("b", 403)):
        story.entry(request, "object.delete_many", ("photos", key, ""), status=status)
    story.receipts.append(story.receipt(request, ("photos", "", ""), "POST"))
    assert story.told() == []
    for place, status in ((("other", "", ""), 200), (("photos", "", ""), 400), (("photos", "a", ""), 200)):
        story.receipts[-1] = story.receipt(request, place, "POST", status)
        assert [kind for kind, _ in story.told(from_ms=1)] == ["altered"]


def test_a_receipt_of_no_version_fits_any(story):
    story.receipts[-1] = replace(story.receipts[-1], version="")
    assert story.told() == []


def test_lines_that_are_no_receipts_are_said(story):
    story.publish()
    path = story.folder / "receipts.jsonl"
    lines = [b"{}\n", b"nonsense\n", json_line(story.receipts[0]).replace(b"+00:00", b""), json_line(story.receipts[0])[:-1]]
    path.write_bytes(path.read_bytes() + b"".join(lines))
    found = story.balance()
    assert (found.mismatches, found.said) == ([], [f"4 lines of {path}, which are no receipts"])


# What cannot be compared is said


def test_a_write_that_is_under_way_is_waited_for(story):
    request = story.begin()
    began_ms = story.now_ms
    for operation in ("encrypt", "decrypt"):
        story.line(request, operation, ("photos", "huge", "v5"), reason="object.write")
    story.publish()
    found = story.balance()
    assert (found.mismatches, found.until_ms) == ([], began_ms + 5)
    assert "2 uses of keys for writes since" in found.said[0]
    # It never comes: somebody has said that he writes, and did not. The next interval has it again, and the hour is over.
    story.publish(end_ms=3_700_000)
    assert [kind for kind, _ in ((str(one.kind), one) for one in story.balance().mismatches)] == ["missing", "missing"]


def test_a_write_that_is_under_way_and_then_comes(story):
    request = story.begin()
    for operation in ("encrypt", "decrypt"):
        story.line(request, operation, ("photos", "huge", "v5"), reason="object.write")
    asked_ms = story.now_ms
    story.publish()
    assert story.balance().mismatches == []
    story.entry(request, "object.write", ("photos", "huge", "v5"), asked_ms=asked_ms)
    story.use(request, "kms.generate_data_key", asked_ms=asked_ms)
    story.publish()
    assert story.balance().mismatches == []


def test_a_write_that_has_ended_is_not_waited_for(story):
    request = story.write()
    story.line(request, "decrypt", reason="object.write")
    assert [kind for kind, _ in story.told()] == ["extra"]


def test_names_that_are_erased_are_counted(story):
    for entry in story.of(name_of(story.number)):
        entry["erased"] = True
    story.publish()
    found = story.balance()
    assert found.mismatches == []
    assert found.said == [
        "1 reads of which the ledger names neither person nor object: whether they needed your key is not known",
        "1 receipts of requests whose names are erased, or kept from you",
    ]
    assert summary(found).startswith("BALANCES, as far as it could be compared")


def test_an_object_whose_name_is_erased_is_not_compared(story):
    story.of(story.read())[0]["erased"] = True
    story.publish()
    found = story.balance(receipts=False)
    assert found.mismatches == []
    assert found.said[0].startswith("1 uses of keys whose object the ledger names no more")
    # A write that is erased might have been of any object.
    story.write(("minutes", "today", "v7"), "null")
    story.entry(story.begin(), "object.write", ("x", "y", "null"), erased=True)
    story.entry(story.begin(5000), "object.read", ("minutes", "today", "null"))
    story.publish()
    assert story.balance(from_ms=1, receipts=False).mismatches == []


def test_keys_of_other_servers_are_counted(story):
    story.read()
    story.use(name_of(story.number), key=OTHER)
    story.publish()
    assert story.balance().said == ["1 uses of keys in key servers whose logs are not here"]


def test_what_is_behind_the_end_of_a_copy_is_counted(story):
    copy = story.folder / "copy.jsonl"
    copy.write_bytes(story.box_log())
    story.read(call=story.read())
    story.publish()
    found = story.balance(log=copy)
    assert found.mismatches == []
    assert found.said == ["2 uses that came after the end of the log that was given: it is a copy of before"]


def test_edges_of_the_interval_are_said(story):
    story.publish()
    early, late = BEGAN_MS - 3_600_000, story.now_ms + 3_600_000
    found = story.balance(from_ms=early, to_ms=late)
    assert found.mismatches == []
    until = moment_text(story.now_ms - 1000)
    assert found.said == [
        f"what came after {until}: the ledger that is here ends there",
        f"what came before {moment_text(BEGAN_MS + 1020)}: the ledger begins there",
        f"{story.folder}/box/log.jsonl begins at {moment_text(BEGAN_MS + 1005)}",
    ]
    assert moment_text(found.until_ms) == until


def test_only_what_is_in_the_interval_is_told(story):
    middle_ms = story.now_ms + 500
    story.line(name_of(7), "decrypt")
    story.read()
    story.publish()
    assert len(story.balance(to_ms=middle_ms).mismatches) == 1
    assert story.balance(from_ms=middle_ms).mismatches == []
    with pytest.raises(NothingNewError, match="there is nothing to compare from"):
        story.balance(from_ms=story.now_ms)


def test_an_interval_in_which_there_is_nothing_is_no_agreement(story):
    story.publish()
    end_ms = story.balance().until_ms
    for interval in ({}, {"from_ms": end_ms}, {"from_ms": end_ms, "to_ms": end_ms + 9000}, {"from_ms": 5, "to_ms": 5}):
        with pytest.raises(NothingNewError, match=r"there is nothing to compare from .*\ntry: siegel audit sync"):
            story.balance(**interval)
    with pytest.raises(NothingNewError, match=f"you ask for what was before {moment_text(6)}"):
        story.balance(from_ms=7, to_ms=6)


def test_a_request_that_began_long_before_the_interval(story):
    asked_ms, request = story.now_ms, story.begin()
    story.now_ms += 3 * 3_600_000
    story.entry(request, "object.write", ("photos", "huge", "v5"), asked_ms=asked_ms)
    story.use(request, "kms.generate_data_key", asked_ms=asked_ms)
    story.publish()
    found = story.balance(from_ms=story.now_ms - 2 * MINUTE_MS)
    assert found.mismatches == []
    assert found.said == ["1 uses by requests that began long before the interval"]


def test_clients_of_the_customer_are_no_business_of_the_service(story):
    story.lines.append(story.line(name_of(7), "decrypt") | {"operation": "kms.decrypt"})
    del story.lines[-2]
    story.publish()
    assert story.balance().said == [
        f"1 calls in {story.folder}/box/log.jsonl by clients of yours, which the service has no part in"
    ]


# The log of the key server itself


def test_a_log_that_was_changed_says_so(story):
    story.publish()
    path = story.folder / "box" / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b"alice", b"malic", 1))
    found = story.balance()
    assert ("altered", 2) in [(str(one.kind), one.evidence.get("line")) for one in found.mismatches]


def test_a_log_that_was_cut_does_not_pass_for_a_whole_one(story):
    story.publish()
    assert story.balance().mismatches == []
    path = story.folder / "box" / "log.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    story.publish_ledger()
    story.desk.sync(now_s=story.now_ms // 1000)
    (found,) = story.balance().mismatches
    assert "was cut or exchanged" in found.message
    assert found.evidence["lines"] == 3


def test_a_log_that_was_begun_anew_goes_on_from_the_one_before(story):
    story.publish()
    assert story.balance().mismatches == []
    path = story.folder / "box" / "log.jsonl"
    before = story.folder / "before.jsonl"
    path.rename(before)
    story.lines = []
    story.read()
    story.read(call=story.read())
    story.publish()
    assert [str(one.kind) for one in story.balance(from_ms=story.now_ms - MINUTE_MS).mismatches] == ["altered"]
    assert story.balance(also=[before]).mismatches == []
    assert story.balance(from_ms=1, also=[before]).counts.unwraps == 5


def test_a_line_that_is_being_written_counts_for_nothing(story):
    story.publish()
    path = story.folder / "box" / "log.jsonl"
    path.write_bytes(path.read_bytes() + b'{"v":1,"seq":5,')
    assert story.balance().mismatches == []
    path.write_bytes(path.read_bytes() + b" " * LINE_BYTES_MAX)
    assert [one.evidence["line"] for one in story.balance(from_ms=1).mismatches] == [5]


def test_an_empty_log_is_said(story):
    story.lines, story.entries, story.receipts = [], [], []
    story.entry(story.begin(), "bucket.list", ("photos", "", ""))
    story.publish()
    assert story.balance().said == [f"{story.folder}/box/log.jsonl has no line yet"]


def test_an_empty_log_is_no_agreement_with_what_the_ledger_says_of_a_key_server(story):
    story.lines = []
    story.publish()
    found = story.balance()
    assert {(one.kind, one.message.rpartition(",")[2]) for one in found.mismatches} == {
        (Kind.MISSING, " and the key server's log has no call of the service at all")
    }
    assert len(found.mismatches) == 4
    assert found.mismatches[0].evidence["log"].endswith("box/log.jsonl")


# What is remembered


def test_the_next_interval_begins_where_the_last_ended(story):
    story.line(name_of(7), "decrypt")
    story.publish()
    assert len(story.balance().mismatches) == 1
    story.read()
    story.publish()
    found = story.balance()
    assert (found.mismatches, found.counts.requests, found.counts.unwraps) == ([], 1, 1)
    assert len(story.balance(from_ms=1).mismatches) == 1


def test_what_cannot_be_compared_is_refused(story):
    with pytest.raises(ConfigurationError, match="cannot be compared: the ledger shows no head"):
        story.balance()
    story.publish()
    (story.folder / "box" / "log.jsonl").unlink()
    with pytest.raises(ConfigurationError, match=r"log\.jsonl cannot be read"):
        story.balance()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        story.balance(log=story.folder / "nothing")
    state = story.desk.book.folder / "reconcile.json"
    for text in ("{", '{"places": "x"}'):
        state.write_text(text)
        with pytest.raises(ConfigurationError, match="is damaged"):
            story.balance()
    state.write_text('{"version": 3}')
    with pytest.raises(ConfigurationError, match="is of version 3, and this release knows 2"):
        story.balance()


def test_a_ledger_without_its_quorum_is_not_compared(story):
    story.publish()
    head = story.desk.book.folder / "ledger" / "checkpoint"
    lines = head.read_text().splitlines(keepends=True)
    head.write_text("".join(line for line in lines if "witness" not in line))
    with pytest.raises(ConfigurationError, match="wants more witnesses"):
        story.balance()


def test_more_of_one_kind_than_anybody_reads_are_counted():
    balance = Balance()
    for number in range(MISMATCHES_MAX + 2):
        balance.add(Kind.EXTRA, "one\nmore", line=number, object="")
    assert (len(balance.mismatches), balance.left_out) == (MISMATCHES_MAX, 2)
    page = summary(balance)
    assert f"the books differ in {MISMATCHES_MAX + 2} places" in page
    assert "one?more" in page
    assert "and 2 more of the same kinds" in page
    assert json.dumps(balance.mismatches[0].evidence) == '{"line": 0}'
    assert moment_text(None) == "unknown"
    # A provider may write down any time.
    assert moment_text(2**62) == f"{2**62 / 1000:.0f} s after 1970"
