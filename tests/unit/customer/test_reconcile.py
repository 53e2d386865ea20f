"""Two books that balance, and everything that a provider can leave out, make up, change or date otherwise in one of them."""

import pytest
from tests.unit.customer.two_books import ALICE, FIRST_ID, KEY, OTHER, name_of, words

from siegel.customer.audit.balance import Kind, summary

MINUTE_MS = 60_000


def test_books_of_an_honest_provider_balance(story):
    story.publish()
    found = story.balance()
    assert (found.mismatches, found.said) == ([], [])
    counts = found.counts
    assert (counts.unwraps, counts.wraps, counts.uses, counts.leases, counts.reads) == (3, 1, 4, 1, 3)
    assert (counts.receipts, counts.requests) == (3, 4)
    page = summary(found)
    assert page.startswith("BALANCES: every use of your keys is in the ledger")
    assert page.count("ok  ") == 4
    assert "3 data keys unwrapped, 1 wrapped" in page


# What the provider leaves out or makes up


def test_an_unwrap_around_the_ledger_is_missing_there(story):
    """Somebody who has the service's credentials asks the key server himself."""
    request = story.begin()
    story.line(request, "decrypt")
    story.publish()
    (found,) = story.balance().mismatches
    assert (found.kind, found.message) == (
        Kind.MISSING,
        f"a data key of photos/film.mp4 was unwrapped for {ALICE}, and the ledger has no entry of that request",
    )
    evidence = found.evidence
    assert (evidence["line"], evidence["request"], evidence["key"], evidence["object"]) == (5, request, KEY, "photos/film.mp4")
    assert evidence["log"].endswith("box/log.jsonl")
    page = summary(story.balance(from_ms=1))
    assert page.startswith("DOES NOT BALANCE: the books differ in 1 place.")
    assert f"            request: {request}" in page


def test_an_unwrap_without_any_request_is_missing_there(story):
    story.line("", "decrypt", principal="")
    assert words(story.told()) == [("missing", "a data key of photos/film.mp4 was unwrapped for somebody who is not named")]


@pytest.mark.parametrize("operation", ["decrypt", "encrypt"])
def test_one_more_under_a_request_that_there_was_is_extra(story, operation):
    request = story.read()
    story.line(request, operation)
    ((kind, message),) = story.told()
    assert (kind, "more often than the ledger says of that request" in message) == ("extra", True)


def test_one_more_under_the_request_of_a_lease_is_extra(story):
    first = story.read()
    second = story.read(call=first)
    story.line(second, "decrypt")
    assert [kind for kind, _ in story.told()] == ["extra"]


def test_an_entry_that_was_dropped_is_missing(story):
    request = story.read()
    story.entries = [one for one in story.entries if one["request"] != request]
    told = story.told()
    assert words(told) == [
        ("missing", f"a data key of photos/film.mp4 was unwrapped for {ALICE}"),
        ("missing", "a client was answered"),
    ]


def test_a_use_that_was_dropped_shows_by_the_read(story):
    request = story.read()
    story.entries = [one for one in story.entries if (one["request"], one["kind"]) != (request, "kms.decrypt")]
    story.of(request)[0] |= {"keys": (), "call": ""}
    assert words(story.told()) == [
        ("extra", f"a data key of photos/film.mp4 was unwrapped for {ALICE}"),
        ("missing", "photos/film.mp4 was read"),
    ]


def test_a_read_without_unwrap_is_found(story):
    """The service has opened the object by other means, and says that it has asked."""
    request = story.read()
    story.lines = [one for one in story.lines if one["request_id"] != request]
    story.line(story.write(("photos", "other", "v2")), "decrypt", result="AccessDeniedException")
    story.publish()
    (found,) = story.balance().mismatches
    assert (found.kind, found.evidence["request"]) == (Kind.MISSING, request)
    assert "the key server's log has no such call" in found.message


def test_a_read_that_says_of_no_call_is_found(story):
    request = story.read()
    story.lines = [one for one in story.lines if one["request_id"] != request]
    story.of(request)[-1]["call"] = ""
    assert words(story.told()) == [("missing", "a key was used")]


def test_an_entry_that_is_there_twice_states_a_call_too_many(story):
    story.read()
    story.entries.append(dict(story.entries[-1]))
    assert words(story.told()) == [("missing", "the ledger says that the key server was asked")]


def test_an_entry_without_its_request_is_missing_one(story):
    entries = story.of(name_of(story.number))
    for entry in entries:
        entry["request"] = entry["call"] = ""
    story.entry("", "steward.remove_blobs", ("", "", ""))
    told = words(story.told())
    assert told[1:] == [("missing", "an entry of what only a request can have done names no request")] * len(entries)


# What the provider tells otherwise


@pytest.mark.parametrize(
    ("place", "changes", "message"),
    [
        (0, {"object": "harmless.txt"}, "the ledger names another object than the data key belongs to"),
        (0, {"version": "v9"}, "the ledger names another version than the data key belongs to"),
        (-1, {"bucket": "harmless"}, "the ledger names another bucket than the data key belongs to"),
        (-1, {"bucket": ""}, "the ledger says of another service than the key server was told that it used the key"),
        (-1, {"principal": "arn:aws:iam::1:user/mallory"}, "the key server was told of another person than the ledger names"),
    ],
)
def test_an_entry_that_was_edited_is_altered(story, place, changes, message):
    story.of(story.read())[place] |= changes
    assert ("altered", message) in story.told(receipts=False)


def test_a_read_that_is_told_as_one_of_another_object_is_altered(story):
    story.of(story.read())[0]["object"] = "harmless.txt"
    kinds = {kind for kind, _ in story.told()}
    assert kinds == {"altered"}


def test_an_operation_of_the_key_service_is_no_read_of_an_object(story):
    request = story.begin()
    story.line(request, "decrypt", via="", context={"a": "b"})
    story.use(request, bucket="")
    story.line(story.begin(), "decrypt", via="")
    story.use(name_of(story.number), bucket="photos")
    assert words(story.told()) == [
        ("altered", "the ledger says of another service than the key server was told that it used the key")
    ]


@pytest.mark.parametrize("by_ms", [-3_600_000, 3_600_000 - 30_000])
def test_an_entry_that_was_dated_otherwise_is_late(story, by_ms):
    for entry in story.of(story.read()):
        entry["asked_ms"] += by_ms
        entry["recorded_ms"] += by_ms
    story.now_ms += 2 * 3_600_000
    told = story.told(receipts=False)
    assert ("late", "the ledger dates the use of a key otherwise than the key server") in told
    # Behind the others by its number, before them by its time: back-dated entries fall out of the row.
    assert any("higher id" in message for _, message in told) is (by_ms < 0)


def test_an_entry_that_was_moved_to_another_request_is_found(story):
    first, second = story.read(), story.read()
    for entry in story.entries:
        if entry["request"] in {first, second}:
            entry["request"] = entry["call"] = second
    kinds = [kind for kind, _ in story.told(receipts=False)]
    assert sorted(kinds) == ["missing", "missing"]


def test_a_request_with_two_times_is_found(story):
    request = story.read()
    story.now_ms += 2 * MINUTE_MS
    story.entry(request, "bucket.list", ("photos", "", ""))
    assert ("late", "two requests of different times have the same id") in story.told(receipts=False)


def test_numbers_of_other_processes_are_another_row(story):
    story.number = FIRST_ID - (1 << 40)
    story.read()
    story.number += 1 << 41
    story.read()
    assert story.told() == []


@pytest.mark.parametrize("status", [302, 400, 403, 404, 500])
def test_a_read_that_is_told_as_refused_is_altered(story, status):
    story.of(story.read())[0] |= {"status": status, "reason": "AccessDenied"}
    told = story.told(receipts=False)
    message = "the ledger says that this was refused or failed"
    assert words(told) == ([("altered", message)] if story.carries else [])


def test_a_use_that_is_told_as_refused_is_altered(story):
    request = story.begin()
    story.line(request, "decrypt")
    story.entry(request, "object.read", status=403, reason="AccessDenied")
    story.use(request, status=403, reason="AccessDenied")
    assert words(story.told()) == [("altered", "the ledger says that the use of a key was refused")]


def test_an_unwrap_for_an_object_needs_the_entry_of_one(story):
    """The ledger tells of the key alone: nobody would see that the object was read."""
    request = story.begin()
    story.line(request, "decrypt")
    story.use(request)
    assert words(story.told()) == [("missing", f"a data key of photos/film.mp4 was unwrapped for {ALICE}")]


def test_a_body_that_streams_across_the_interval_has_its_entry_before(story):
    request, asked_ms = story.read(), story.now_ms
    story.publish(end_ms=20 * MINUTE_MS)
    assert story.balance().mismatches == []
    story.now_ms -= MINUTE_MS
    for _ in range(2):
        story.now_ms += 30 * MINUTE_MS
        story.line(request, "decrypt")
        story.use(request, asked_ms=asked_ms, reason="renewal")
    assert story.told() == []


def test_a_body_that_seems_to_stream_is_of_its_object(story):
    request, asked_ms = story.read(), story.now_ms
    story.publish(end_ms=20 * MINUTE_MS)
    assert story.balance().mismatches == []
    story.line(request, "decrypt", ("photos", "secret.mp4", "v8"))
    story.use(request, asked_ms=asked_ms, reason="renewal")
    assert words(story.told()) == [("altered", "the ledger names another object than the data key belongs to")]


def test_a_use_that_is_told_before_its_write_is_waited_for(story):
    request, asked_ms = story.begin(), story.now_ms
    for operation in ("encrypt", "decrypt"):
        story.line(request, operation, ("photos", "huge", "v5"), reason="object.write")
    story.use(request, "kms.generate_data_key")
    story.publish()
    found = story.balance()
    assert (found.mismatches, found.until_ms) == ([], asked_ms + 5)
    story.publish(end_ms=3_700_000)
    assert [one.kind for one in story.balance().mismatches] == [Kind.MISSING, Kind.MISSING]


# Leases


def test_a_lease_that_is_over_is_late(story):
    request = story.read(call=story.read(), later_ms=66_000)
    story.publish()
    (found,) = story.balance().mismatches
    assert (found.kind, found.evidence["request"]) == (Kind.LATE, request)
    assert "66.0 s old, and 60 s are granted" in found.message
    assert story.balance(from_ms=1, lease_s=120).mismatches == []
    assert story.balance(from_ms=1, leases={"photos": 61}).mismatches == []
    assert len(story.balance(from_ms=1, leases={"other": 120}).mismatches) == 1


@pytest.mark.parametrize(("recorded_after_ms", "is_late"), [(79_000, False), (81_000, True), (94_000, True)])
def test_a_lease_is_not_younger_for_an_earlier_time_that_it_is_said_to_be_asked_at(story, recorded_after_ms, is_late):
    """The heads prove when something was recorded; when it was asked, the provider says."""
    called_ms = story.now_ms + 1005
    for entry in story.of(story.read(call=story.read())):
        entry["recorded_ms"] = called_ms + recorded_after_ms
    story.now_ms += 100_000
    told = story.told(receipts=False)
    assert [kind for kind, _ in told] == ["late"] * is_late
    assert all("s old, and 60 s are granted" in message for _, message in told)


def begin_upload(story, place):
    """Tell of an upload that is begun under the key, in both books; return its request."""
    create = story.begin()
    for operation in ("encrypt", "decrypt"):
        story.line(create, operation, place, reason="upload.create")
    story.entry(create, "upload.create", (*place[:2], ""))
    story.use(create, "kms.generate_data_key", bucket="minutes")
    return create


def test_a_part_that_is_sent_for_minutes_may_rest_on_a_lease_of_when_it_began(story):
    place = ("minutes", "large", "v8")
    create = begin_upload(story, place)
    part = story.begin()
    story.entry(part, "upload.write_part", (*place[:2], ""), recorded_ms=story.now_ms + 40 * MINUTE_MS)
    for entry in [story.of(part)[0], story.use(part, bucket="minutes", call=create)]:
        entry["recorded_ms"] = story.now_ms + 40 * MINUTE_MS
    story.publish(end_ms=60 * MINUTE_MS)
    assert story.balance().mismatches == []
    assert [one.kind for one in story.balance(from_ms=1, in_flight_s=1200).mismatches] == [Kind.LATE]


def test_a_read_that_was_recorded_long_after_its_call_is_late(story):
    for entry in story.of(story.read()):
        entry["recorded_ms"] += 30_000
    story.now_ms += MINUTE_MS
    assert words(story.told(receipts=False)) == [("late", "a use of a key was recorded 30.0 s after it: it was held back")]


def test_a_lease_that_rests_on_nothing_is_missing(story):
    story.read(call=name_of(7))
    assert words(story.told()) == [("missing", "a key was used by a lease")]


def test_a_lease_cannot_rest_on_what_came_later(story):
    story.read(call=name_of(story.number + 2))
    story.read(later_ms=10_000)
    assert words(story.told()) == [("missing", "a key was used by a lease")]


@pytest.mark.parametrize("place", [("photos", "other", "v1"), ("photos", "film.mp4", "v2")])
def test_a_lease_of_another_object_or_version_is_altered(story, place):
    story.read(call=story.write(place))
    story.publish()
    (found,) = story.balance().mismatches
    assert (found.kind, found.evidence["call was for"]) == (Kind.ALTERED, f"{place[0]}/{place[1]} {place[2]}")


def test_a_lease_may_rest_on_what_was_written(story):
    place = ("photos", "fresh", "v3")
    story.read(place, call=story.write(place), later_ms=50_000)
    assert story.told() == []


# Writes, other versions, other keys


def test_a_version_that_shows_no_id_is_known_by_the_write_before(story):
    place, shown = ("minutes", "today", "v7"), "null"
    story.write(place, shown)
    story.now_ms += 5000
    story.read(place, shown)
    story.publish()
    assert story.balance().counts.reads == 4
    # It is written over without the key: reads need none any more.
    story.entry(story.begin(), "object.write", ("minutes", "today", "null"))
    story.entry(story.begin(5000), "object.read", ("minutes", "today", "null"))
    assert story.told(from_ms=1) == []
    # And again with it: then they do.
    story.write(place, shown)
    story.entry(story.begin(5000), "object.read", ("minutes", "today", "null"))
    assert words(story.told(from_ms=1)) == [("missing", "minutes/today was read")]


def test_an_upload_is_under_the_key_that_ends_it(story):
    place = ("minutes", "large", "v8")
    begin_upload(story, place)
    complete = story.begin()
    story.line(complete, "decrypt", place, reason="upload.complete")
    story.entry(complete, "upload.complete", (*place[:2], "null"))
    story.use(complete, bucket="minutes")
    story.entry(story.begin(5000), "object.head", (*place[:2], "null"))
    assert words(story.told()) == [("missing", "minutes/large was read")]


def test_another_key_for_a_version_that_is_there(story):
    request = story.begin()
    story.line(request, "decrypt", reason="object.encryption.write")
    story.entry(request, "object.encryption.write")
    story.use(request)
    story.use(request, "kms.generate_data_key", key=OTHER, call="")
    story.entry(story.begin(5000), "object.read")
    story.publish()
    # OTHER is a key of the provider's: from then on, nobody asks the customer.
    assert story.balance().mismatches == []


PLAIN = ("photos", "plain.jpg", "v6")


def rekey(story, place=PLAIN, kind="object.encryption.write", **more):
    """Give a version that is there the customer's key."""
    request = story.begin()
    for operation in ("encrypt", "decrypt"):
        story.line(request, operation, place, reason="object.encryption.write")
    story.entry(request, kind, place, **more)
    if more.get("status", 200) == 200:
        story.use(request, "kms.generate_data_key")
    return request


def look(story, later_ms=5000, **more):
    """Read a version without any use of the customer's key."""
    return story.entry(story.begin(later_ms), "object.read", PLAIN, **more)


def test_reads_of_before_a_version_came_under_the_key_need_none(story):
    # Long before, shortly before, and at the same time.
    for later_ms in (5000, 600_000, 59_000, 800):
        look(story, later_ms)
    rekey(story)
    story.entry(story.begin(50), "object.head", PLAIN)
    story.number += 1
    assert story.told() == []
    look(story)
    assert words(story.told(from_ms=1)) == [("missing", "photos/plain.jpg was read")]


@pytest.mark.parametrize("erased", [False, True])
def test_a_read_beside_a_rekeying_may_see_either(story, erased):
    request = rekey(story)
    story.entry(name_of(story.number + 1), "object.read", PLAIN, asked_ms=story.now_ms - 10)
    story.number += 1
    story.of(request)[0]["erased"] = erased
    assert story.told() == []


@pytest.mark.parametrize("later_ms", [20, 4000, 60_000])
def test_a_rekeying_that_failed_puts_nothing_under_the_key(story, later_ms):
    look(story)
    rekey(story, status=503)
    look(story, later_ms)
    assert not [message for _, message in story.told() if "was read" in message]


def test_a_rekeying_of_which_the_ledger_does_not_know_puts_nothing_under_the_key(story):
    """Its process was killed after the key server's answer: that call is an accident to be explained, no read is."""
    request = rekey(story)
    story.entries = [entry for entry in story.entries if entry["request"] != request]
    look(story, 60_000)
    story.publish(end_ms=7_200_000)
    assert [one.evidence["request"] for one in story.balance().mismatches] == [request, request]


def test_a_write_that_was_told_to_the_key_server_as_a_rekeying_is_a_write_all_the_same(story):
    rekey(story, kind="object.write")
    look(story)
    assert ("missing", "photos/plain.jpg was read") in words(story.told())


def test_a_version_that_was_born_under_the_key_stays_so_when_it_gets_another_of_the_customers(story):
    story.write(PLAIN)
    look(story)
    rekey(story)
    look(story)
    assert words(story.told()) == [("missing", "photos/plain.jpg was read")] * 2


def test_a_read_beside_a_write_may_see_either(story):
    story.write(("minutes", "today", "v7"), "null")
    story.now_ms += 5000
    request = story.begin()
    story.entry(request, "object.write", ("minutes", "today", "null"))
    story.entry(name_of(story.number + 1), "object.read", ("minutes", "today", "null"), asked_ms=story.now_ms - 10)
    assert story.told() == []


def test_a_copy_needs_both_keys(story):
    request = story.begin()
    story.line(request, "decrypt", reason="object.copy")
    place = ("photos", "copy", "v4")
    for operation in ("encrypt", "decrypt"):
        story.line(request, operation, place, reason="object.copy", key=OTHER)
    story.entry(request, "object.read", reason="copy source")
    story.use(request)
    story.entry(request, "object.copy", place)
    story.use(request, "kms.generate_data_key", key=OTHER)
    assert story.told() == []


def test_what_streams_for_long_asks_again_with_an_entry_each_time(story):
    request, began_ms = story.read(), story.now_ms
    for _ in range(3):
        story.now_ms += 45_000
        story.line(request, "decrypt")
        story.use(request, asked_ms=began_ms, reason="renewal")
    story.line(request, "decrypt")
    assert [kind for kind, _ in story.told()] == ["extra"]


def test_what_failed_may_have_asked_or_not(story):
    for has_line in (True, False):
        request = story.begin()
        if has_line:
            story.line(request, "decrypt")
        story.entry(request, "object.read", status=503, reason="KMS.DependencyTimeoutException")
        story.use(request, status=503, reason="KMS.DependencyTimeoutException")
    refused = story.begin()
    story.entry(refused, "object.read", status=403, reason="AccessDenied")
    story.use(refused, status=403, call="")
    assert story.told() == []


def test_ciphertexts_under_another_key_of_the_customer(story):
    request = story.begin()
    story.line(request, "decrypt", via="", context={"a": "b"})
    for operation in ("encrypt", "decrypt"):
        story.line(request, operation, via="", context={"a": "b"}, key=OTHER)
    story.use(request, "kms.re_encrypt", bucket="")
    story.use(request, "kms.re_encrypt", key=OTHER, bucket="")
    assert story.told() == []
