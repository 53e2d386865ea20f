"""Conditions: of reads, of writes, of copies and of deletes; also when many ask at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from .raw import Answer
from .shelf import MIB, Shelf, fails, quoted_md5, refused, seeded


def stamp(bucket: Shelf, seconds: int = 0) -> str:
    at = parsedate_to_datetime(bucket.call("HEAD", "k").header("last-modified"))
    return format_datetime(at + timedelta(seconds=seconds), usegmt=True)


ETAG = quoted_md5(b"hello")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": ETAG}, 200),
        ({"If-Match": ETAG.strip('"')}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": f'"other", {ETAG}'}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": ETAG.strip('"')}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": f'"other", {ETAG}'}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": 0}, 304),
        ({"If-Modified-Since": -1}, 200),
        ({"If-Unmodified-Since": 0}, 200),
        ({"If-Unmodified-Since": -1}, 412),
        ({"If-Match": ETAG, "If-Unmodified-Since": -10}, 200),
        ({"If-None-Match": '"other"', "If-Modified-Since": 0}, 200),
        ({"If-None-Match": ETAG, "If-Modified-Since": -10}, 304),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Unmodified-Since": "yesterday"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_trap_23_conditions_of_reads(bucket: Shelf, method, headers, status):
    bucket.put("k", b"hello")
    sent = [(name, stamp(bucket, value) if isinstance(value, int) else value) for name, value in headers.items()]
    answer = bucket.call(method, "k", headers=sent)
    assert answer.status == status
    if status == 304:
        assert answer.body == b""
        assert answer.header("etag") == ETAG
    if status == 412 and method == "GET":
        refused(answer, 412, "PreconditionFailed")


def test_trap_23_every_form_of_date_is_read(bucket: Shelf):
    bucket.put("k", b"hello")
    later = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1) + timedelta(hours=1)
    forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"]
    for form in forms:
        headers = [("If-Unmodified-Since", (later - timedelta(days=30)).strftime(form))]
        assert bucket.call("GET", "k", headers=headers).status == 412, form


def test_trap_23_a_condition_comes_before_the_range(bucket: Shelf):
    bucket.put("k", b"hello")
    assert bucket.call("GET", "k", headers=[("Range", "bytes=0-1"), ("If-Match", '"other"')]).status == 412
    assert bucket.call("GET", "k", headers=[("Range", "bytes=0-1"), ("If-Match", ETAG)]).status == 206
    assert bucket.call("GET", "k", headers=[("Range", "bytes=900-"), ("If-None-Match", ETAG)]).status == 304


def test_trap_24_a_write_that_must_be_the_first(bucket: Shelf):
    bucket.put("k", b"one", IfNoneMatch="*")
    with bucket.unchanged(), fails(412, "PreconditionFailed"):
        bucket.put("k", b"two", IfNoneMatch="*")
    assert bucket.get("k") == b"one"


def test_trap_24_a_write_over_a_known_state(bucket: Shelf):
    bucket.put("k", b"one")
    with bucket.unchanged(), fails(412, "PreconditionFailed"):
        bucket.put("k", b"two", IfMatch='"d41d8cd98f00b204e9800998ecf8427e"')
    bucket.put("k", b"two", IfMatch=quoted_md5(b"one"))
    bucket.put("k", b"three", IfMatch=quoted_md5(b"two").strip('"'))
    assert bucket.get("k") == b"three"
    with bucket.unchanged(), fails(404, "NoSuchKey"):
        bucket.put("absent", b"1", IfMatch=quoted_md5(b"one"))


def test_trap_24_if_none_match_with_an_etag_is_not_there_and_says_so(bucket: Shelf):
    bucket.put("k", b"one")
    with bucket.unchanged(), fails(501, "NotImplemented"):
        bucket.put("k", b"two", IfNoneMatch=quoted_md5(b"one"))


def test_trap_24_a_delete_marker_counts_as_absent(versioned: Shelf):
    versioned.put("k", b"one")
    versioned.s3.delete_object(Bucket=versioned.name, Key="k")
    with fails(404, "NoSuchKey"):
        versioned.put("k", b"two", IfMatch=quoted_md5(b"one"))
    versioned.put("k", b"two", IfNoneMatch="*")
    with fails(412, "PreconditionFailed"):
        versioned.put("k", b"three", IfNoneMatch="*")


@pytest.mark.parametrize("size", [10, 100_000])
def test_trap_24_large_and_small_bodies_are_held_to_the_same(bucket: Shelf, size):
    bucket.put("k", seeded(size))
    with bucket.unchanged(), fails(412, "PreconditionFailed"):
        bucket.put("k", seeded(size, 1), IfNoneMatch="*")


def one_part(bucket: Shelf, body: bytes = b"part") -> tuple[str, list[dict[str, object]]]:
    upload_id = bucket.start("k")
    return upload_id, [bucket.part("k", upload_id, 1, body)]


def test_trap_24_complete_may_be_conditional(bucket: Shelf):
    bucket.put("k", b"one")
    upload_id, parts = one_part(bucket)
    with bucket.unchanged(), fails(412, "PreconditionFailed"):
        bucket.complete("k", upload_id, parts, IfNoneMatch="*")
    with bucket.unchanged(), fails(412, "PreconditionFailed"):
        bucket.complete("k", upload_id, parts, IfMatch='"other"')
    bucket.complete("k", upload_id, parts, IfMatch=quoted_md5(b"one"))
    assert bucket.get("k") == b"part"


def test_trap_24_complete_on_an_absent_key(bucket: Shelf):
    upload_id, parts = one_part(bucket)
    with bucket.unchanged(), fails(404, "NoSuchKey"):
        bucket.complete("k", upload_id, parts, IfMatch='"other"')
    bucket.complete("k", upload_id, parts, IfNoneMatch="*")
    assert bucket.get("k") == b"part"


def test_a_copy_may_be_conditional_on_its_destination(bucket: Shelf):
    bucket.put("source", b"one")
    bucket.put("k", b"old")
    copy = {"Bucket": bucket.name, "Key": "k", "CopySource": {"Bucket": bucket.name, "Key": "source"}}
    with bucket.unchanged(), fails(412, "PreconditionFailed"):
        bucket.s3.copy_object(**copy, IfNoneMatch="*")
    with bucket.unchanged(), fails(412, "PreconditionFailed"):
        bucket.s3.copy_object(**copy, IfMatch='"other"')
    bucket.s3.copy_object(**copy, IfMatch=quoted_md5(b"old"))
    assert bucket.get("k") == b"one"


def test_a_delete_may_be_conditional(bucket: Shelf):
    bucket.put("k", b"one")
    with bucket.unchanged(), fails(412, "PreconditionFailed"):
        bucket.s3.delete_object(Bucket=bucket.name, Key="k", IfMatch='"other"')
    bucket.s3.delete_object(Bucket=bucket.name, Key="k", IfMatch=quoted_md5(b"one"))
    assert bucket.keys() == []


@pytest.mark.parametrize("etag", ["*", quoted_md5(b"one")])
def test_a_delete_that_wants_an_object_fails_where_there_is_none(versioned: Shelf, etag):
    versioned.put("k", b"one")
    marker = versioned.s3.delete_object(Bucket=versioned.name, Key="k")["VersionId"]
    with versioned.unchanged():
        for key, status, code in (("k", 412, "PreconditionFailed"), ("absent", 404, "NoSuchKey")):
            with fails(status, code):
                versioned.s3.delete_object(Bucket=versioned.name, Key=key, IfMatch=etag)
        with fails(412, "PreconditionFailed"):
            versioned.s3.delete_object(Bucket=versioned.name, Key="k", VersionId=marker, IfMatch=etag)
        with fails(404, "NoSuchVersion"):
            versioned.s3.delete_object(Bucket=versioned.name, Key="absent", VersionId=marker, IfMatch=etag)
        objects = [{"Key": "k", "ETag": etag}, {"Key": "absent", "ETag": etag}]
        done = versioned.s3.delete_objects(Bucket=versioned.name, Delete={"Objects": objects})
        assert [(row["Key"], row["Code"]) for row in done["Errors"]] == [("k", "PreconditionFailed"), ("absent", "NoSuchKey")]


def test_conditions_on_size_and_time_hold_where_there_is_no_object(bucket: Shelf):
    headers = [("x-amz-if-match-size", "3"), ("x-amz-if-match-last-modified-time", "Sun, 06 Nov 1994 08:49:37 GMT")]
    assert bucket.call("DELETE", "absent", headers=headers).status == 204
    refused(bucket.call("DELETE", "absent", headers=[*headers, ("If-Match", "*")]), 404, "NoSuchKey")


def test_a_delete_conditional_on_size_and_time(bucket: Shelf):
    bucket.put("k", b"one")
    at = stamp(bucket)
    with bucket.unchanged():
        wrong_size = bucket.call("DELETE", "k", headers=[("x-amz-if-match-size", "4")])
        refused(wrong_size, 412, "PreconditionFailed")
        wrong_time = bucket.call("DELETE", "k", headers=[("x-amz-if-match-last-modified-time", stamp(bucket, -60))])
        refused(wrong_time, 412, "PreconditionFailed")
        nonsense = bucket.call("DELETE", "k", headers=[("x-amz-if-match-size", "many")])
        refused(nonsense, 400, "InvalidArgument", "InvalidRequest")
    headers = [("x-amz-if-match-size", "3"), ("x-amz-if-match-last-modified-time", at), ("If-Match", quoted_md5(b"one"))]
    assert bucket.call("DELETE", "k", headers=headers).status == 204


WRITERS = 20


def all_at_once(count: int, act: object) -> list[Answer]:
    """Run `act(number)` in that many threads which start together."""
    gate = threading.Barrier(count)

    def run(number: int) -> Answer:
        gate.wait()
        return act(number)  # type: ignore[operator] # a callable of the test's own

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.parametrize("size", [20, 100_000])
def test_trap_24_of_twenty_first_writers_exactly_one_wins(bucket: Shelf, size):
    for attempt in range(3):
        key = f"k{attempt}"
        bodies = [seeded(size, number) for number in range(WRITERS)]
        answers = all_at_once(
            WRITERS, lambda n, key=key, bodies=bodies: bucket.call("PUT", key, headers=[("If-None-Match", "*")], body=bodies[n])
        )
        statuses = [answer.status for answer in answers]
        assert statuses.count(200) == 1, statuses
        assert set(statuses) <= {200, 409, 412}, statuses
        assert bucket.get(key) == bodies[statuses.index(200)]


def test_trap_24_of_twenty_writers_over_one_state_exactly_one_wins(bucket: Shelf):
    bucket.put("k", b"start")
    state = quoted_md5(b"start")
    for turn in range(3):
        bodies = [b"turn %d writer %d" % (turn, number) for number in range(WRITERS)]
        answers = all_at_once(
            WRITERS, lambda n, state=state, bodies=bodies: bucket.call("PUT", "k", headers=[("If-Match", state)], body=bodies[n])
        )
        statuses = [answer.status for answer in answers]
        assert statuses.count(200) == 1, statuses
        assert set(statuses) <= {200, 409, 412}
        state = answers[statuses.index(200)].header("etag")
        assert bucket.get("k") == bodies[statuses.index(200)]


def test_trap_24_racing_completes_of_different_uploads_have_one_winner(bucket: Shelf):
    ready = [one_part(bucket, b"upload %d" % number) for number in range(8)]

    def finish(number: int) -> Answer:
        upload_id, parts = ready[number]
        etag = parts[0]["ETag"]
        xml = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        return bucket.call("POST", "k", query=f"uploadId={upload_id}", headers=[("If-None-Match", "*")], body=xml.encode())

    statuses = [answer.status for answer in all_at_once(8, finish)]
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 409, 412}
    assert bucket.get("k") == b"upload %d" % statuses.index(200)


@pytest.mark.parametrize("size", [4096, 300_000, 2 * MIB])
def test_a_reader_during_overwrites_sees_old_or_new_and_never_a_mix(bucket: Shelf, size):
    bodies = [bytes([letter]) * size for letter in b"abcdef"]
    bucket.put("k", bodies[0])
    done = threading.Event()

    def write() -> None:
        for turn in range(12):
            assert bucket.call("PUT", "k", body=bodies[turn % 6]).status == 200
        done.set()

    def read() -> int:
        count = 0
        while not done.is_set() or count < 3:
            answer = bucket.call("GET", "k")
            assert answer.status == 200
            assert answer.body in bodies, "a mix of two bodies"
            assert answer.header("etag") == quoted_md5(answer.body)
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        writer = pool.submit(write)
        readers = [pool.submit(read) for _ in range(3)]
        writer.result()
        assert all(reader.result() >= 3 for reader in readers)
