"""Objects under a key that comes with each request (SSE-C)."""

from __future__ import annotations

import hashlib
import re

import pytest

from .raw import Answer
from .shelf import MIB, Shelf, b64, everything_on_disk, make_shelf, md5_b64, quoted_md5, refused, sdk, seeded

KEY, OTHER = seeded(32, 1), seeded(32, 2)
SSE = "x-amz-server-side-encryption-customer-"
SOURCE = "x-amz-copy-source-server-side-encryption-customer-"
Pairs = list[tuple[str, str]]


def under(key: bytes, prefix: str = SSE) -> Pairs:
    return [(f"{prefix}algorithm", "AES256"), (f"{prefix}key", b64(key)), (f"{prefix}key-MD5", md5_b64(key))]


def options(key: bytes) -> dict[str, object]:
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}


@pytest.mark.parametrize("size", [0, 10, 70_000, 300_000])
def test_trap_22_an_object_opens_with_its_key_and_with_no_other(bucket: Shelf, size):
    body = seeded(size)
    put = bucket.call("PUT", "k", headers=under(KEY), body=body)
    assert put.status == 200, put.body
    for answer in (put, bucket.call("GET", "k", headers=under(KEY)), bucket.call("HEAD", "k", headers=under(KEY))):
        assert answer.header(f"{SSE}algorithm") == "AES256"
        assert answer.header(f"{SSE}key-md5") == md5_b64(KEY)
        assert not answer.has("x-amz-server-side-encryption")
    assert bucket.call("GET", "k", headers=under(KEY)).body == body
    with bucket.unchanged():
        refused(bucket.call("GET", "k"), 400, "InvalidRequest")
        refused(bucket.call("GET", "k", headers=under(OTHER)), 403, "AccessDenied")
        assert bucket.call("HEAD", "k").status == 400
        assert bucket.call("HEAD", "k", headers=under(OTHER)).status == 403


def test_trap_22_ranges_and_conditions_work_under_a_key(bucket: Shelf):
    body = seeded(100_000)
    etag = bucket.call("PUT", "k", headers=under(KEY), body=body).header("etag")
    answer = bucket.call("GET", "k", headers=[*under(KEY), ("Range", "bytes=16380-16390")])
    assert (answer.status, answer.body) == (206, body[16380:16391])
    assert bucket.call("GET", "k", headers=[*under(KEY), ("If-None-Match", etag)]).status == 304


def test_trap_17_the_etag_under_a_customer_key_is_no_md5(bucket: Shelf):
    """No fingerprint of such a body exists outside its seal; the form keeps clients from taking it for one."""
    etag = bucket.call("PUT", "k", headers=under(KEY), body=b"hello").header("etag")
    assert re.fullmatch(r'"[0-9a-f]{32}-1"', etag)
    assert etag[1:33] != hashlib.md5(b"hello").hexdigest()
    assert bucket.call("GET").xml.findtext("Contents/ETag") == etag
    assert bucket.call("HEAD", "k", headers=under(KEY)).header("etag") == etag


BROKEN: dict[str, tuple[Pairs, tuple[int, ...]]] = {
    "no md5": (under(KEY)[:2], (400,)),
    "no key": ([under(KEY)[0], under(KEY)[2]], (400,)),
    "no algorithm": (under(KEY)[1:], (400,)),
    "wrong md5": ([*under(KEY)[:2], (f"{SSE}key-MD5", md5_b64(OTHER))], (400,)),
    "short key": (under(KEY[:31]), (400,)),
    "long key": (under(KEY + b"x"), (400,)),
    "empty key": (under(b""), (400,)),
    "other algorithm": ([(f"{SSE}algorithm", "AES128"), *under(KEY)[1:]], (400,)),
    "not base64": ([under(KEY)[0], (f"{SSE}key", "no base64!"), under(KEY)[2]], (400,)),
    "with sse-s3": ([*under(KEY), ("x-amz-server-side-encryption", "AES256")], (400,)),
}


@pytest.mark.parametrize("case", BROKEN)
def test_t84_broken_customer_keys_are_refused(bucket: Shelf, case):
    """SSE-C class: wrong key, wrong key MD5, half the headers."""
    headers, statuses = BROKEN[case]
    with bucket.unchanged():
        answer = bucket.call("PUT", "k", headers=headers, body=b"1")
        refused(answer, statuses, "InvalidArgument", "InvalidRequest", "InvalidEncryptionAlgorithmError", "InvalidDigest")


def test_t84_keys_appear_neither_on_disk_nor_in_the_log(bucket: Shelf):

    bucket.call("PUT", "k", headers=under(KEY), body=b"1")
    bucket.call("GET", "k", headers=under(OTHER))
    bucket.call("GET", "k", headers=BROKEN["wrong md5"][0])
    log, disk = bucket.service.log.read_bytes(), everything_on_disk(bucket)
    for key in (KEY, OTHER):
        for form in (b64(key).encode(), key.hex().encode(), key, md5_b64(key).encode()):
            assert form not in log
            assert form not in disk


def test_a_key_for_an_object_that_has_none_is_refused(bucket: Shelf):
    bucket.put("k", b"1")
    refused(bucket.call("GET", "k", headers=under(KEY)), 400, "InvalidRequest")
    assert bucket.call("HEAD", "k", headers=under(KEY)).status == 400


def upload(bucket: Shelf, bodies: list[bytes], key: bytes = KEY) -> Answer:
    started = bucket.call("POST", "k", query="uploads", headers=under(key))
    assert started.status == 200, started.body
    upload_id = started.xml.findtext("UploadId") or ""
    rows = ""
    for number, body in enumerate(bodies, 1):
        part = bucket.call("PUT", "k", query=f"partNumber={number}&uploadId={upload_id}", headers=under(key), body=body)
        assert part.status == 200, part.body
        rows += f"<Part><PartNumber>{number}</PartNumber><ETag>{part.header('etag')}</ETag></Part>"
    xml = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
    return bucket.call("POST", "k", query=f"uploadId={upload_id}", headers=under(key), body=xml)


def test_trap_22_every_part_needs_the_key(bucket: Shelf):
    started = bucket.call("POST", "k", query="uploads", headers=under(KEY))
    query = f"partNumber=1&uploadId={started.xml.findtext('UploadId')}"
    with bucket.unchanged():
        refused(bucket.call("PUT", "k", query=query, body=b"1"), 400, "InvalidRequest")
        refused(
            bucket.call("PUT", "k", query=query, headers=under(OTHER), body=b"1"),
            (400, 403),
            "InvalidRequest",
            "AccessDenied",
            "InvalidArgument",
        )
    bodies = [seeded(5 * MIB), b"end"]
    done = upload(bucket, bodies)
    assert done.status == 200, done.body
    assert bucket.call("GET", "k", headers=under(KEY)).body == b"".join(bodies)
    refused(bucket.call("GET", "k", headers=under(OTHER)), 403, "AccessDenied")


def test_trap_22_a_part_with_a_key_for_an_upload_without_one_is_refused(bucket: Shelf):
    upload_id = bucket.start("k")
    with bucket.unchanged():
        answer = bucket.call("PUT", "k", query=f"partNumber=1&uploadId={upload_id}", headers=under(KEY), body=b"1")
        refused(answer, 400, "InvalidRequest")


@pytest.mark.parametrize("size", [10, 300_000])
def test_trap_36_copies_need_the_source_key_and_may_take_another(bucket: Shelf, size):
    body = seeded(size)
    bucket.call("PUT", "k", headers=under(KEY), body=body)
    source = [("x-amz-copy-source", f"{bucket.name}/k")]
    with bucket.unchanged():
        refused(bucket.call("PUT", "copy", headers=source), 400, "InvalidRequest")
        refused(bucket.call("PUT", "copy", headers=[*source, *under(OTHER, SOURCE)]), 403, "AccessDenied")
    assert bucket.call("PUT", "plain", headers=[*source, *under(KEY, SOURCE)]).status == 200
    assert bucket.get("plain") == body
    assert bucket.head("plain")["ETag"] == quoted_md5(body)
    assert bucket.call("PUT", "other", headers=[*source, *under(KEY, SOURCE), *under(OTHER)]).status == 200
    assert bucket.call("GET", "other", headers=under(OTHER)).body == body
    rotate = bucket.call("PUT", "k", headers=[*source, *under(KEY, SOURCE), *under(OTHER)])
    assert rotate.status == 200, rotate.body
    assert bucket.call("GET", "k", headers=under(OTHER)).body == body
    refused(bucket.call("GET", "k", headers=under(KEY)), 403, "AccessDenied")


def test_trap_36_a_copy_onto_itself_takes_the_key_off(bucket: Shelf):
    assert bucket.call("PUT", "k", headers=[*under(KEY), ("x-amz-meta-a", "b")], body=b"hello").status == 200
    source = [("x-amz-copy-source", f"/{bucket.name}/k"), *under(KEY, SOURCE)]
    assert bucket.call("PUT", "k", headers=source).status == 200
    assert (bucket.get("k"), bucket.head("k")["Metadata"]) == (b"hello", {"a": "b"})


def test_trap_36_parts_copied_from_under_a_key(bucket: Shelf):
    body = seeded(6 * MIB)
    bucket.call("PUT", "source", headers=under(KEY), body=body)
    upload_id = bucket.start("k")
    headers = [("x-amz-copy-source", f"{bucket.name}/source"), *under(KEY, SOURCE)]
    answer = bucket.call("PUT", "k", query=f"partNumber=1&uploadId={upload_id}", headers=headers)
    assert answer.status == 200, answer.body
    bucket.complete("k", upload_id, [{"PartNumber": 1, "ETag": answer.xml.findtext("ETag")}])
    assert bucket.get("k") == body


def test_attributes_need_the_key(bucket: Shelf):
    bucket.call("PUT", "k", headers=under(KEY), body=b"hello")
    ask = [("x-amz-object-attributes", "ObjectSize,ETag")]
    assert bucket.call("GET", "k", query="attributes", headers=[*ask, *under(KEY)]).xml.findtext("ObjectSize") == "5"
    refused(bucket.call("GET", "k", query="attributes", headers=ask), 400, "InvalidRequest")


def test_lists_and_deletes_need_no_key(bucket: Shelf):
    bucket.call("PUT", "k", headers=under(KEY), body=b"hello")
    entry = bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"][0]
    assert (entry["Key"], entry["Size"]) == ("k", 5)
    assert bucket.call("DELETE", "k").status == 204


def test_metadata_under_a_key(bucket: Shelf):
    headers = [*under(KEY), ("x-amz-meta-colour", "blue"), ("Content-Type", "text/plain")]
    bucket.call("PUT", "k", headers=headers, body=b"hello")
    head = bucket.call("HEAD", "k", headers=under(KEY))
    assert (head.meta, head.header("content-type")) == ({"colour": "blue"}, "text/plain")


def test_trap_22_plain_http_and_sse_c_itself_are_off_unless_a_setting_says_otherwise(strict_service):

    client = sdk(strict_service)
    shelf = make_shelf(strict_service, client)
    with shelf.unchanged():
        answer = shelf.call("PUT", "k", headers=under(KEY), body=b"1")
        refused(answer, (400, 403), "InvalidRequest", "AccessDenied", "InvalidArgument")
        started = shelf.call("POST", "k", query="uploads", headers=under(KEY))
        refused(started, (400, 403), "InvalidRequest", "AccessDenied", "InvalidArgument")
    client.close()


def test_t101_codefinger_sse_c_is_off_by_default_even_over_tls(tls_bucket: Shelf):
    """A stolen key cannot lock the data away under a key of the thief."""
    tls_bucket.put("k", b"precious")
    with tls_bucket.unchanged():
        refused(tls_bucket.call("PUT", "k", headers=under(KEY), body=b"1"), 403, "AccessDenied")
        copy = [("x-amz-copy-source", f"{tls_bucket.name}/k"), *under(KEY)]
        refused(tls_bucket.call("PUT", "k", headers=copy), 403, "AccessDenied")


def alarms_of(shelf: Shelf, request_ids: list[str]) -> list[str]:
    """The alarms about some requests in the service's log, which never names a bucket."""
    log = shelf.service.log.read_text(encoding="utf-8")
    assert shelf.name not in log
    return [line for line in log.splitlines() if "alarm:" in line and line.rpartition("request ")[2] in request_ids]


def test_t101_codefinger_raises_an_alarm_at_once_and_not_again_and_again(tls_bucket: Shelf):
    answers = [tls_bucket.call("PUT", "k", headers=under(KEY), body=b"1") for _ in range(3)]
    for answer in answers:
        refused(answer, 403, "AccessDenied")
    raised = alarms_of(tls_bucket, [answer.header("x-amz-request-id") for answer in answers])
    assert 1 <= len(raised) <= 2, "one of each worker at the most"
    assert all("SSE-C" in line and "account " in line for line in raised)
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}}
    for days, more in ((30, 0), (7, 1)):
        lifecycle = {"Rules": [{**rule, "Expiration": {"Days": days}}]}
        put = tls_bucket.s3.put_bucket_lifecycle_configuration(Bucket=tls_bucket.name, LifecycleConfiguration=lifecycle)
        assert len(alarms_of(tls_bucket, [put["ResponseMetadata"]["RequestId"]])) == more


def test_the_sdk_speaks_it_too(bucket: Shelf):
    """The SDK refuses to send such keys in plain HTTP only for some operations: what it sends must work."""
    bucket.s3.put_object(Bucket=bucket.name, Key="k", Body=b"hello", **options(KEY))
    assert bucket.get("k", **options(KEY)) == b"hello"
    assert bucket.head("k", **options(KEY))["ContentLength"] == 5


def test_a_complete_with_a_malformed_key_makes_no_object(bucket: Shelf) -> None:
    upload_id = bucket.start("k")
    part = bucket.part("k", upload_id, 1, b"1")
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part['ETag']}</ETag></Part></CompleteMultipartUpload>"
    )
    headers = [("x-amz-server-side-encryption-customer-algorithm", "AES256")]
    with bucket.unchanged():
        answer = bucket.call("POST", "k", query=f"uploadId={upload_id}", body=body.encode(), headers=headers)
        refused(answer, 400, "InvalidArgument", "InvalidRequest")
    bucket.complete("k", upload_id, [part])
    assert bucket.get("k") == b"1"
