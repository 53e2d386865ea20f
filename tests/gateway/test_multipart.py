"""Multipart uploads: parts, order, repetition, abort, lists, odd numbers, races."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from . import signer
from .raw import Answer
from .shelf import MIB, Shelf, fails, md5_hex, quoted_md5, refused, seeded

FIRST, SECOND = seeded(5 * MIB, 1), seeded(5 * MIB + 3, 2)


def complete_xml(parts: list[dict[str, object]] | list[tuple[object, object]]) -> bytes:
    rows = [(part["PartNumber"], part["ETag"]) if isinstance(part, dict) else part for part in parts]
    inner = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in rows)
    return f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</CompleteMultipartUpload>'.encode()


def finish(bucket: Shelf, upload_id: str, xml: bytes, key: str = "k") -> Answer:
    return bucket.call("POST", key, query=f"uploadId={upload_id}", body=xml)


def multipart_etag(*bodies: bytes) -> str:
    digests = b"".join(hashlib.md5(body, usedforsecurity=False).digest() for body in bodies)
    return f'"{md5_hex(digests)}-{len(bodies)}"'


def test_trap_17_the_etag_of_a_multipart_object(bucket: Shelf):
    upload_id = bucket.start("k", ContentType="text/plain", Metadata={"a": "b"}, CacheControl="no-cache")
    parts = [bucket.part("k", upload_id, 1, FIRST), bucket.part("k", upload_id, 2, b"end")]
    done = bucket.complete("k", upload_id, parts)
    assert done["ETag"] == multipart_etag(FIRST, b"end")
    head = bucket.head("k")
    assert (head["ETag"], head["ContentType"], head["Metadata"]) == (done["ETag"], "text/plain", {"a": "b"})
    assert head["CacheControl"] == "no-cache"
    assert bucket.get("k") == FIRST + b"end"
    assert bucket.uploads() == []


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 5 * MIB])
def test_an_upload_of_a_single_part_may_have_any_size(bucket: Shelf, size):
    body = seeded(size)
    upload_id = bucket.start("k")
    bucket.complete("k", upload_id, [bucket.part("k", upload_id, 7, body)])
    assert bucket.get("k") == body
    assert bucket.head("k")["ETag"] == multipart_etag(body)


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"garbage",
        b"<CompleteMultipartUpload/>",
        b"<CompleteMultipartUpload></CompleteMultipartUpload>",
        b"<Other><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></Other>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    ],
)
def test_trap_33_a_complete_that_is_no_xml_of_parts(bucket: Shelf, xml):
    upload_id = bucket.start("k")
    bucket.part("k", upload_id, 1, b"1")
    with bucket.unchanged():
        refused(
            finish(bucket, upload_id, xml), 400, "MalformedXML", "InvalidRequest", "MissingRequestBodyError", "InvalidArgument"
        )


def test_trap_33_unknown_parts_and_etags(bucket: Shelf):
    upload_id = bucket.start("k")
    etag = bucket.part("k", upload_id, 1, b"1")["ETag"]
    with bucket.unchanged():
        for rows in ([(2, etag)], [(1, etag), (2, etag)], [(1, quoted_md5(b"other"))], [(1, '""')], [(1, "x" * 300)]):
            refused(finish(bucket, upload_id, complete_xml(rows)), 400, "InvalidPart")


def test_trap_33_parts_out_of_order(bucket: Shelf):
    upload_id = bucket.start("k")
    parts = [bucket.part("k", upload_id, 1, FIRST), bucket.part("k", upload_id, 2, FIRST)]
    with bucket.unchanged():
        refused(finish(bucket, upload_id, complete_xml(parts[::-1])), 400, "InvalidPartOrder")
        refused(finish(bucket, upload_id, complete_xml([parts[0], parts[0]])), 400, "InvalidPartOrder")


def test_trap_33_a_part_that_is_too_small(bucket: Shelf):
    upload_id = bucket.start("k")
    parts = [bucket.part("k", upload_id, 1, seeded(5 * MIB - 1)), bucket.part("k", upload_id, 2, b"end")]
    with bucket.unchanged():
        refused(finish(bucket, upload_id, complete_xml(parts)), 400, "EntityTooSmall")


def test_trap_33_some_of_the_parts_with_gaps_and_bare_etags(bucket: Shelf):
    upload_id = bucket.start("k")
    parts = [bucket.part("k", upload_id, number, body) for number, body in ((3, FIRST), (10, b"unused"), (10_000, b"end"))]
    rows = [(3, parts[0]["ETag"].strip('"')), (10_000, parts[2]["ETag"].replace('"', "&quot;"))]
    done = finish(bucket, upload_id, complete_xml(rows))
    assert done.status == 200, done.body
    assert bucket.get("k") == FIRST + b"end"
    assert bucket.head("k")["ETag"] == multipart_etag(FIRST, b"end")


def test_trap_34_a_repeated_complete_answers_the_same(bucket: Shelf):
    upload_id = bucket.start("k")
    xml = complete_xml([bucket.part("k", upload_id, 1, b"1")])
    first = finish(bucket, upload_id, xml)
    with bucket.unchanged():
        again = finish(bucket, upload_id, xml)
    assert (again.status, again.xml.findtext("ETag")) == (200, first.xml.findtext("ETag"))
    assert again.xml.findtext("Key") == "k"
    assert again.xml.findtext("Bucket") == bucket.name


def test_trap_34_a_repeat_does_not_bring_back_what_was_overwritten(bucket: Shelf):
    upload_id = bucket.start("k")
    xml = complete_xml([bucket.part("k", upload_id, 1, b"1")])
    finish(bucket, upload_id, xml)
    bucket.put("k", b"newer")
    with bucket.unchanged():
        assert finish(bucket, upload_id, xml).status in {200, 404}
    assert bucket.get("k") == b"newer"


@pytest.mark.parametrize("upload_id", ["unknown", "", "../../x", "'", "A" * 3000, "%00", "null"])
def test_trap_34_unknown_uploads(bucket: Shelf, upload_id):
    query = signer.encode_query([("uploadId", upload_id)])
    with bucket.unchanged():
        codes = "NoSuchUpload", "InvalidArgument"
        refused(bucket.call("POST", "k", query=query, body=complete_xml([(1, "x")])), (400, 404), *codes)
        refused(bucket.call("PUT", "k", query=f"partNumber=1&{query}", body=b"1"), (400, 404), *codes)
        refused(bucket.call("GET", "k", query=query), (400, 404), *codes)
        refused(bucket.call("DELETE", "k", query=query), (400, 404), *codes)


def test_trap_34_after_an_abort_nothing_is_left(bucket: Shelf):
    upload_id = bucket.start("k")
    part = bucket.part("k", upload_id, 1, FIRST)
    assert bucket.call("DELETE", "k", query=f"uploadId={upload_id}").status == 204
    assert bucket.uploads() == []
    with bucket.unchanged():
        refused(finish(bucket, upload_id, complete_xml([part])), 404, "NoSuchUpload")
        with fails(404, "NoSuchUpload"):
            bucket.part("k", upload_id, 2, b"1")
        with fails(404, "NoSuchUpload"):
            bucket.s3.abort_multipart_upload(Bucket=bucket.name, Key="k", UploadId=upload_id)


@pytest.mark.parametrize("number", ["0", "10001", "-1", str(2**63), "x", "", "1.5", "0x1", " 1", "1e2"])
def test_t44_part_numbers_out_of_range(bucket: Shelf, number):
    """Class: part 0, 10001, -1, 2^63."""
    upload_id = bucket.start("k")
    with bucket.unchanged():
        query = signer.encode_query([("partNumber", number), ("uploadId", upload_id)])
        refused(bucket.call("PUT", "k", query=query, body=b"1"), 400, "InvalidArgument")
        refused(finish(bucket, upload_id, complete_xml([(number, "x")])), 400, "MalformedXML", "InvalidArgument", "InvalidPart")


def test_t44_an_upload_belongs_to_its_key_bucket_and_account(bucket: Shelf, second_bucket: Shelf, stranger_s3):
    upload_id = bucket.start("k")
    part = bucket.part("k", upload_id, 1, b"1")
    xml = complete_xml([part])
    with bucket.unchanged(), second_bucket.unchanged():
        refused(finish(bucket, upload_id, xml, key="other"), 404, "NoSuchUpload")
        refused(finish(second_bucket, upload_id, xml), 404, "NoSuchUpload")
        refused(bucket.call("PUT", "other", query=f"partNumber=1&uploadId={upload_id}", body=b"x"), 404, "NoSuchUpload")
        refused(second_bucket.call("GET", "k", query=f"uploadId={upload_id}"), 404, "NoSuchUpload")
        refused(second_bucket.call("DELETE", "k", query=f"uploadId={upload_id}"), 404, "NoSuchUpload")
        with fails(403, "AccessDenied"):
            stranger_s3.abort_multipart_upload(Bucket=bucket.name, Key="k", UploadId=upload_id)
    assert finish(bucket, upload_id, xml).status == 200


def test_t44_part_uploads_need_both_of_their_parameters(bucket: Shelf):
    upload_id = bucket.start("k")
    with bucket.unchanged():
        for query in ("partNumber=1", f"uploadId={upload_id}"):
            assert bucket.call("PUT", "k", query=query, body=b"1").status in {400, 405, 501}


def test_trap_35_a_part_can_be_sent_again(bucket: Shelf):
    upload_id = bucket.start("k")
    old = bucket.part("k", upload_id, 1, b"old")
    new = bucket.part("k", upload_id, 1, b"new")
    listed = bucket.s3.list_parts(Bucket=bucket.name, Key="k", UploadId=upload_id)["Parts"]
    assert [(part["PartNumber"], part["ETag"], part["Size"]) for part in listed] == [(1, quoted_md5(b"new"), 3)]
    with bucket.unchanged():
        refused(finish(bucket, upload_id, complete_xml([old])), 400, "InvalidPart")
    assert finish(bucket, upload_id, complete_xml([new])).status == 200
    assert bucket.get("k") == b"new"


def test_trap_35_lists_of_parts_are_paged(bucket: Shelf):
    upload_id = bucket.start("k")
    numbers = [1, 2, 5, 9, 10_000]
    for number in numbers:
        bucket.part("k", upload_id, number, b"%d" % number)
    found, marker = [], 0
    while True:
        page = bucket.s3.list_parts(Bucket=bucket.name, Key="k", UploadId=upload_id, MaxParts=2, PartNumberMarker=marker)
        found += [part["PartNumber"] for part in page.get("Parts", [])]
        assert len(page.get("Parts", [])) <= 2
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert found == numbers
    assert page["MaxParts"] == 2
    assert page["StorageClass"] == "STANDARD"


@pytest.mark.parametrize("query", ["max-parts=-1", "max-parts=x", "part-number-marker=-1", "part-number-marker=x"])
def test_trap_35_odd_pages_of_parts_are_refused(bucket: Shelf, query):
    upload_id = bucket.start("k")
    refused(bucket.call("GET", "k", query=f"{query}&uploadId={upload_id}"), 400, "InvalidArgument")


def test_trap_35_metadata_is_fixed_when_the_upload_starts(bucket: Shelf):
    upload_id = bucket.start("k", Metadata={"from": "create"})
    part = bucket.call("PUT", "k", query=f"partNumber=1&uploadId={upload_id}", headers=[("x-amz-meta-from", "part")], body=b"1")
    assert part.status in {200, 400}
    if part.status == 400:
        bucket.part("k", upload_id, 1, b"1")
    assert finish(bucket, upload_id, complete_xml([(1, quoted_md5(b"1"))])).status == 200
    assert bucket.head("k")["Metadata"] == {"from": "create"}


def test_uploads_are_listed_in_order_and_paged(bucket: Shelf):
    keys = ["a/1", "a/2", "b", "b", "c/1"]
    started = sorted((key, bucket.start(key)) for key in keys)
    answer = bucket.s3.list_multipart_uploads(Bucket=bucket.name)
    assert sorted((u["Key"], u["UploadId"]) for u in answer["Uploads"]) == started
    assert [u["Key"] for u in answer["Uploads"]] == keys
    found, mark = [], {}
    while True:
        page = bucket.s3.list_multipart_uploads(Bucket=bucket.name, MaxUploads=2, **mark)
        found += [(u["Key"], u["UploadId"]) for u in page.get("Uploads", [])]
        if not page["IsTruncated"]:
            break
        mark = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert sorted(found) == started
    assert len(found) == len(started)
    grouped = bucket.s3.list_multipart_uploads(Bucket=bucket.name, Delimiter="/")
    assert [group["Prefix"] for group in grouped["CommonPrefixes"]] == ["a/", "c/"]
    assert [u["Key"] for u in grouped["Uploads"]] == ["b", "b"]
    assert [u["Key"] for u in bucket.s3.list_multipart_uploads(Bucket=bucket.name, Prefix="a/")["Uploads"]] == ["a/1", "a/2"]


def test_the_uploads_of_a_key_are_listed_as_they_were_begun(bucket: Shelf):
    started = [bucket.start("k") for _ in range(6)]
    assert len(set(map(len, started))) == 1
    found, mark = [], ""
    for _ in range(3):
        page = bucket.s3.list_multipart_uploads(
            Bucket=bucket.name, MaxUploads=2, KeyMarker="k" if mark else "", UploadIdMarker=mark
        )
        found += [upload["UploadId"] for upload in page["Uploads"]]
        mark = page.get("NextUploadIdMarker", "")
    assert found == started


def test_an_upload_in_progress_is_no_object_and_keeps_its_bucket(bucket: Shelf):
    upload_id = bucket.start("k")
    bucket.part("k", upload_id, 1, b"1")
    assert bucket.keys() == []
    refused(bucket.call("GET", "k"), 404, "NoSuchKey")
    answer = bucket.call("DELETE")
    assert answer.status in {204, 409}
    if answer.status == 409:
        assert bucket.call("DELETE", "k", query=f"uploadId={upload_id}").status == 204


def test_a_completed_upload_is_a_version(versioned: Shelf):
    old = versioned.put("k", b"old")["VersionId"]
    upload_id = versioned.start("k")
    done = versioned.complete("k", upload_id, [versioned.part("k", upload_id, 1, b"new")])
    assert done["VersionId"] != old
    assert versioned.get("k") == b"new"
    assert versioned.get("k", VersionId=old) == b"old"
    assert versioned.call("GET", "k").header("x-amz-version-id") == done["VersionId"]


COMPLETERS = 50


def test_t45_minio_17858_fifty_completes_with_an_abort_racing(bucket: Shelf):
    for attempt in range(3):
        key = f"k{attempt}"
        upload_id = bucket.start(key)
        parts = [bucket.part(key, upload_id, 1, FIRST), bucket.part(key, upload_id, 2, b"end")]
        xml, gate = complete_xml(parts), threading.Barrier(COMPLETERS + 1)

        def act(number: int, key: str = key, upload_id: str = upload_id, xml: bytes = xml, gate=gate) -> Answer:
            gate.wait()
            if number == COMPLETERS:
                return bucket.call("DELETE", key, query=f"uploadId={upload_id}")
            return finish(bucket, upload_id, xml, key)

        with ThreadPoolExecutor(COMPLETERS + 1) as pool:
            answers = list(pool.map(act, range(COMPLETERS + 1)))
        *completes, abort = answers
        statuses = {answer.status for answer in completes}
        assert statuses <= {200, 404, 409}, statuses
        etags = {answer.xml.findtext("ETag") for answer in completes if answer.status == 200}
        if etags:
            assert etags == {multipart_etag(FIRST, b"end")}
            assert bucket.get(key) == FIRST + b"end"
            assert abort.status in {204, 404}
        else:
            assert abort.status == 204
            refused(bucket.call("GET", key), 404, "NoSuchKey")
        assert bucket.uploads() == []


def test_t45_parts_racing_for_one_number_leave_one_whole_part(bucket: Shelf):
    upload_id = bucket.start("k")
    bodies = [bytes([letter]) * 100_000 for letter in b"abcdefgh"]
    query = f"partNumber=1&uploadId={upload_id}"
    with ThreadPoolExecutor(8) as pool:
        assert {answer.status for answer in pool.map(lambda body: bucket.call("PUT", "k", query=query, body=body), bodies)} == {
            200
        }
    listed = bucket.s3.list_parts(Bucket=bucket.name, Key="k", UploadId=upload_id)["Parts"]
    assert len(listed) == 1
    assert finish(bucket, upload_id, complete_xml([(1, listed[0]["ETag"])])).status == 200
    body = bucket.get("k")
    assert body in bodies
    assert listed[0]["ETag"] == quoted_md5(body)


def test_a_complete_with_the_wrong_method_or_form_changes_nothing(bucket: Shelf):
    upload_id = bucket.start("k")
    with bucket.unchanged():
        assert bucket.call("POST", "k", body=b"").status in {400, 405, 501}
        assert bucket.call("POST", "k", query="uploads=&uploadId=" + upload_id, body=b"").status in {400, 404, 405, 501}
