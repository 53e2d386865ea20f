"""Reading objects: ranges, part numbers, overrides, headers, what is not there."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import pytest

from . import signer
from .shelf import MIB, Shelf, fails, quoted_md5, refused, seeded

BODY = seeded(200_000)


@pytest.mark.parametrize("size", [100, 70_000, 200_000])
@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, None),
        ("bytes=5-9", 5, 10),
        ("bytes=50-99999999", 50, None),
        ("bytes=50-184467440737095516160", 50, None),
        ("bytes=-1", -1, None),
        ("bytes=-50", -50, None),
        ("bytes=-99999999", 0, None),
        ("bytes=99-99", 99, 100),
        ("Bytes=5-9", 5, 10),
    ],
)
def test_trap_37_ranges(bucket: Shelf, header, start, stop, size):
    body = BODY[:size]
    bucket.put("k", body)
    expected = body[start:stop]
    first = len(body) + start if start < 0 else start
    answer = bucket.call("GET", "k", headers=[("Range", header)])
    assert (answer.status, answer.body) == (206, expected)
    assert answer.header("content-range") == f"bytes {first}-{first + len(expected) - 1}/{size}"
    head = bucket.call("HEAD", "k", headers=[("Range", header)])
    assert (head.status, head.header("content-length")) == (206, str(len(expected)))
    assert head.header("content-range") == answer.header("content-range")


@pytest.mark.parametrize("cut", [16383, 16384, 16385, 32767, 32768, 65536, 131_072, 199_999])
def test_trap_20_ranges_across_the_edges_of_sealed_chunks(bucket: Shelf, cut):
    bucket.put("k", BODY)
    for start, stop in ((cut - 1, cut + 1), (cut, cut + 16384), (0, cut), (max(0, cut - 40_000), cut)):
        assert bucket.get("k", Range=f"bytes={start}-{stop - 1}") == BODY[start:stop]


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=9999999-", "bytes=-0"])
def test_trap_37_a_range_beyond_the_end_is_not_satisfiable(bucket: Shelf, header):
    bucket.put("k", b"x" * 100)
    answer = refused(bucket.call("GET", "k", headers=[("Range", header)]), 416, "InvalidRange")
    assert answer.header("content-range") == "bytes */100"


def test_trap_37_any_range_of_an_empty_object_is_not_satisfiable(bucket: Shelf):
    bucket.put("k", b"")
    for header in ("bytes=0-", "bytes=0-0", "bytes=-1"):
        answer = refused(bucket.call("GET", "k", headers=[("Range", header)]), 416, "InvalidRange")
        assert answer.header("content-range") == "bytes */0"


@pytest.mark.parametrize(
    "header", ["bytes=", "bytes=a-b", "bytes=5", "bytes=9-5", "lines=0-5", "bytes 0-5", "bytes=--5", "bytes=0-5x", "=", "0-5"]
)
def test_trap_37_a_range_that_is_none_is_ignored(bucket: Shelf, header):
    bucket.put("k", b"0123456789")
    answer = bucket.call("GET", "k", headers=[("Range", header)])
    assert (answer.status, answer.body) == (200, b"0123456789")


@pytest.mark.parametrize("count", [2, 100, 10_000])
def test_t60_starlette_cve_2025_62727_many_ranges_cost_nothing(bucket: Shelf, count):
    bucket.put("k", BODY)
    headers = [("Range", "bytes=" + ",".join(["0-0"] * count))]
    answer = bucket.call("GET", "k", headers=headers)
    assert answer.status in {200, 206, 400, 416}
    if answer.status == 200:
        assert answer.body == BODY
    began = time.monotonic()
    assert bucket.call("GET", "k", headers=[("Range", "bytes=0-9")]).body == BODY[:10]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("header", ["bytes=" + "9" * 4000 + "-", "bytes=0-" + "9" * 4000, "bytes=-" + "9" * 4000])
def test_t60_huge_numbers_in_ranges(bucket: Shelf, header):
    bucket.put("k", b"0123456789")
    assert bucket.call("GET", "k", headers=[("Range", header)]).status in {200, 206, 416}


def multipart(bucket: Shelf, bodies: list[bytes]) -> None:
    upload_id = bucket.start("k", Metadata={"a": "b"})
    bucket.complete("k", upload_id, [bucket.part("k", upload_id, number, body) for number, body in enumerate(bodies, 1)])


def test_part_numbers_read_single_parts(bucket: Shelf):
    bodies = [seeded(5 * MIB, 1), seeded(6 * MIB, 2), seeded(100, 3)]
    multipart(bucket, bodies)
    start = 0
    for number, body in enumerate(bodies, 1):
        got = bucket.s3.get_object(Bucket=bucket.name, Key="k", PartNumber=number)
        with got["Body"] as stream:
            assert stream.read() == body
        assert got["PartsCount"] == 3
        assert got["ContentRange"] == f"bytes {start}-{start + len(body) - 1}/{sum(map(len, bodies))}"
        head = bucket.head("k", PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (len(body), 3)
        start += len(body)
    refused(bucket.call("GET", "k", query="partNumber=4"), 416, "InvalidPartNumber")


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_the_checksum_of_a_part_is_its_own(bucket: Shelf, kind):
    bodies = [seeded(5 * MIB, 1), b"end"]
    upload_id = bucket.start("k", ChecksumAlgorithm="CRC32", ChecksumType=kind)
    parts = [bucket.part("k", upload_id, number, body, ChecksumAlgorithm="CRC32") for number, body in enumerate(bodies, 1)]
    bucket.complete("k", upload_id, parts)
    for part in parts:
        head = bucket.head("k", PartNumber=part["PartNumber"], ChecksumMode="ENABLED")
        shown = (head.get("ChecksumCRC32"), head.get("ChecksumType"))
        # One that is combined of the parts' own is not told apart again.
        assert shown == ((part["ChecksumCRC32"], kind) if kind == "COMPOSITE" else (None, None))
        assert "ChecksumCRC32" not in bucket.head("k", PartNumber=part["PartNumber"])
    # The SDK compares what it reads.
    assert bucket.get("k", PartNumber=2, ChecksumMode="ENABLED") == b"end"


def test_a_range_of_all_bytes_shows_the_checksum_of_all(bucket: Shelf):
    put = bucket.put("k", b"hello", ChecksumAlgorithm="CRC32")
    for asked in ("bytes=0-4", "bytes=0-99", "bytes=-5", "bytes=0-"):
        assert bucket.head("k", Range=asked, ChecksumMode="ENABLED")["ChecksumCRC32"] == put["ChecksumCRC32"]
    for asked in ("bytes=0-3", "bytes=1-", "bytes=-4"):
        assert "ChecksumCRC32" not in bucket.head("k", Range=asked, ChecksumMode="ENABLED")


def test_part_number_one_of_a_plain_object_is_all_of_it(bucket: Shelf):
    bucket.put("k", b"hello")
    answer = bucket.call("GET", "k", query="partNumber=1")
    assert (answer.status, answer.body) == (206, b"hello")
    refused(bucket.call("GET", "k", query="partNumber=2"), 416, "InvalidPartNumber")


def test_a_part_without_bytes_is_read_as_such_and_not_as_a_range(bucket: Shelf):
    bucket.put("empty")
    multipart(bucket, [seeded(5 * MIB, 1), b""])
    for key, number in (("k", 2), ("empty", 1)):
        for method in ("GET", "HEAD"):
            answer = bucket.call(method, key, query=f"partNumber={number}")
            assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "0")
            assert not answer.has("content-range")
    assert bucket.head("k", PartNumber=2)["PartsCount"] == 2
    upload_id = bucket.start("none", ChecksumAlgorithm="CRC32")
    bucket.complete("none", upload_id, [bucket.part("none", upload_id, 1, b"", ChecksumAlgorithm="CRC32")])
    assert bucket.get("none", PartNumber=1, ChecksumMode="ENABLED") == b""


@pytest.mark.parametrize("number", ["0", "-1", "10001", "x", "", "1.0", "9" * 30])
def test_part_numbers_that_are_none_are_refused(bucket: Shelf, number):
    bucket.put("k", b"hello")
    refused(bucket.call("GET", "k", query=f"partNumber={number}"), (400, 416), "InvalidArgument", "InvalidPartNumber")


def test_a_part_number_and_a_range_exclude_each_other(bucket: Shelf):
    bucket.put("k", b"hello")
    refused(bucket.call("GET", "k", query="partNumber=1", headers=[("Range", "bytes=0-1")]), 400, "InvalidRequest")


def test_ranges_run_across_the_parts_of_an_object(bucket: Shelf):
    bodies = [seeded(5 * MIB, 1), seeded(5 * MIB + 7, 2), seeded(100, 3)]
    multipart(bucket, bodies)
    whole = b"".join(bodies)
    for start, stop in ((5 * MIB - 10, 5 * MIB + 10), (0, len(whole)), (5 * MIB, 10 * MIB + 8), (len(whole) - 101, len(whole))):
        assert bucket.get("k", Range=f"bytes={start}-{stop - 1}") == whole[start:stop]
    assert bucket.get("k", Range="bytes=-150") == whole[-150:]


OVERRIDES = {
    "response-content-type": "text/csv; charset=utf-8",
    "response-content-language": "de",
    "response-expires": "Thu, 01 Dec 1994 16:00:00 GMT",
    "response-cache-control": "no-cache",
    "response-content-disposition": 'attachment; filename="x.csv"',
    "response-content-encoding": "x-none",
}


def test_response_overrides(bucket: Shelf):
    bucket.put("k", b"hello", ContentType="text/plain", CacheControl="max-age=1")
    answer = bucket.call("GET", "k", query=signer.encode_query(OVERRIDES.items()))
    assert {name: answer.header(name[9:]) for name in OVERRIDES} == OVERRIDES


@pytest.mark.parametrize("name", OVERRIDES)
@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rb", "a\x00b", "\r\n\r\nbody"])
def test_t58_uvicorn_cve_2020_7695_overrides_cannot_split_the_answer(bucket: Shelf, name, value):
    bucket.put("k", b"hello")
    answer = bucket.call("GET", "k", query=signer.encode_query([(name, value)]))
    assert not answer.has("x-injected")
    refused(answer, 400, "InvalidArgument")


def test_t58_overrides_with_other_letters_survive(bucket: Shelf):
    bucket.put("k", b"hello")
    value = 'attachment; filename="über 日本.txt"'
    answer = bucket.call("GET", "k", query=signer.encode_query([("response-content-disposition", value)]))
    assert answer.header("content-disposition").encode("latin-1").decode() == value


def test_trap_41_head_of_a_missing_key_is_a_bare_404(bucket: Shelf):
    answer = bucket.call("HEAD", "missing")
    assert (answer.status, answer.body) == (404, b"")
    with fails(404, "404"):
        bucket.head("missing")
    with fails(404, "NoSuchKey"):
        bucket.get("missing")


def test_trap_43_last_modified_agrees_everywhere_to_the_second(bucket: Shelf):
    bucket.put("k", b"hello")
    head = bucket.call("HEAD", "k").header("last-modified")
    assert head.endswith(" GMT")
    listed = bucket.call("GET", query="list-type=2").xml.findtext("Contents/LastModified") or ""
    assert listed.endswith("Z")
    assert len(listed) == len("2026-01-01T00:00:00.000Z")
    at = parsedate_to_datetime(head)
    assert at.strftime("%Y-%m-%dT%H:%M:%S") == listed[:19]
    assert bucket.call("GET", "k").header("last-modified") == head


def test_answers_carry_what_clients_rely_on(bucket: Shelf):
    bucket.put("k", b"hello")
    for method in ("GET", "HEAD"):
        answer = bucket.call(method, "k")
        assert answer.header("accept-ranges") == "bytes"
        assert answer.header("content-length") == "5"
        assert answer.header("etag") == quoted_md5(b"hello")
        assert not answer.has("transfer-encoding")
        assert not answer.has("x-amz-version-id")


def test_one_connection_serves_many_requests(bucket: Shelf):
    bucket.put("k", b"hello")
    get = bucket.raw.sign(bucket.raw.ask("GET", bucket.name, "k"))
    head = bucket.raw.sign(bucket.raw.ask("HEAD", bucket.name, "k"))
    missing = bucket.raw.sign(bucket.raw.ask("GET", bucket.name, "missing"))
    with bucket.raw.connect() as wire:
        for _ in range(20):
            wire.send(get.wire())
            assert wire.read().body == b"hello"
            wire.send(head.wire())
            assert wire.read(method="HEAD").status == 200
            wire.send(missing.wire())
            assert wire.read().status == 404


def test_pipelined_requests_are_answered_in_order(bucket: Shelf):
    bucket.put("a", b"first")
    bucket.put("b", b"second")
    asks = [bucket.raw.sign(bucket.raw.ask("GET", bucket.name, key)) for key in "abab"]
    with bucket.raw.connect() as wire:
        wire.send(b"".join(ask.wire() for ask in asks))
        assert [wire.read().body for _ in asks] == [b"first", b"second"] * 2
