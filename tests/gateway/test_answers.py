"""What every answer has in common, and what an unbuilt corner of S3 says."""

from __future__ import annotations

import hmac
import random
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from . import signer
from .raw import CutError, RawClient, with_length
from .shelf import Shelf, md5_b64, refused, seeded

OF_BUCKETS = [
    "acl", "policy", "policyStatus", "cors", "website", "lifecycle", "tagging", "replication", "logging", "notification",
    "accelerate", "requestPayment", "inventory", "analytics", "metrics", "intelligent-tiering", "ownershipControls",
    "object-lock", "encryption", "session", "metadataTable", "abac",
]  # fmt: skip
OF_OBJECTS = [
    "acl",
    "tagging",
    "retention",
    "legal-hold",
    "torrent",
    "restore",
    "select&select-type=2",
    "renameObject",
    "encryption",
]
METHODS = ["GET", "PUT", "DELETE", "POST"]


@pytest.mark.parametrize("name", OF_BUCKETS)
@pytest.mark.parametrize("method", METHODS)
def test_trap_29_a_sub_resource_of_a_bucket_is_never_a_listing_or_the_bucket_itself(bucket: Shelf, method, name):
    bucket.put("k", b"1")
    body = b"<x/>" if method in {"PUT", "POST"} else b""
    versions = bucket.versions()
    answer = bucket.call(method, query=name, body=body)
    assert b"ListBucketResult" not in answer.body
    if method in {"PUT", "POST"}:
        malformed = "MalformedXML", "MalformedPolicy", "InvalidArgument", "InvalidRequest"
        refused(answer, (400, 405, 501), "NotImplemented", "MethodNotAllowed", *malformed)
    assert bucket.versions() == versions


@pytest.mark.parametrize("name", ["foo", "Versioning", "list-typ=2", "versioning-x", "prefixes=a", "acl&foo"])
@pytest.mark.parametrize("method", METHODS)
def test_trap_29_an_unknown_sub_resource_of_a_bucket_is_refused(bucket: Shelf, method, name):
    bucket.put("k", b"1")
    body = b"<x/>" if method in {"PUT", "POST"} else b""
    with bucket.unchanged():
        refused(bucket.call(method, query=name, body=body), 501, "NotImplemented")


@pytest.mark.parametrize("name", OF_OBJECTS)
@pytest.mark.parametrize("method", METHODS)
def test_trap_29_a_sub_resource_of_an_object_is_never_the_object_itself(bucket: Shelf, method, name):
    bucket.put("k", b"1")
    body = b"<x/>" if method in {"PUT", "POST"} else b""
    with bucket.unchanged():
        answer = bucket.call(method, "k", query=name, body=body)
    assert answer.body != b"1"
    if method in {"PUT", "POST"}:
        malformed = "MalformedXML", "MalformedPolicy", "InvalidArgument", "InvalidRequest"
        refused(answer, (400, 405, 501), "NotImplemented", "MethodNotAllowed", *malformed)
    assert bucket.get("k") == b"1"


@pytest.mark.parametrize("name", ["foo", "Uploads", "versionid=null", "partnumber=1", "acl&foo"])
@pytest.mark.parametrize("method", METHODS)
def test_trap_29_an_unknown_sub_resource_of_an_object_is_never_a_plain_put(bucket: Shelf, method, name):
    bucket.put("k", b"1")
    body = b"<x/>" if method in {"PUT", "POST"} else b""
    with bucket.unchanged():
        refused(bucket.call(method, "k", query=name, body=body), 501, "NotImplemented")
    assert bucket.get("k") == b"1"


def test_t71_minio_cve_2026_39414_select_is_not_there(bucket: Shelf):
    bucket.put("k.csv", b"a,b\n1,2\n")
    xml = b"<SelectObjectContentRequest><Expression>select * from s3object</Expression></SelectObjectContentRequest>"
    with bucket.unchanged():
        refused(bucket.call("POST", "k.csv", query="select&select-type=2", body=xml), 501, "NotImplemented")


@pytest.mark.parametrize(
    ("method", "name"),
    [("GET", "torrent"), ("POST", "restore"), ("PUT", "renameObject"), ("GET", "session"), ("GET", "inventory&id=1")],
)
def test_t71_other_unbuilt_features_say_so(bucket: Shelf, method, name):
    bucket.put("k", b"1")
    with bucket.unchanged():
        refused(bucket.call(method, "k", query=name), 501, "NotImplemented")


def test_t71_unbuilt_headers_say_so(bucket: Shelf):
    cases = [
        ("x-amz-server-side-encryption", "aws:fsx"),
        ("x-amz-write-offset-bytes", "0"),
    ]
    with bucket.unchanged():
        for name, value in cases:
            refused(bucket.call("PUT", "k", headers=[(name, value)], body=b"1"), (400, 501), "NotImplemented", "InvalidArgument")


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "CONNECT", "PROPFIND", "FOO"])
def test_unknown_methods_are_refused(bucket: Shelf, method):
    with bucket.unchanged():
        for key in (None, "k"):
            try:
                answer = bucket.call(method, key)
            except CutError:
                continue
            assert answer.status in {400, 403, 405, 501}


IDS = re.compile(r"\A\S{8,}\Z")


def test_trap_41_every_answer_has_two_ids(bucket: Shelf):
    bucket.put("k", b"1")
    answers = [bucket.call(method, key) for method in ("GET", "HEAD", "DELETE") for key in ("k", "missing")]
    answers += [bucket.call("GET"), bucket.raw.anonymous("GET", bucket.name), bucket.call("GET", query="foo")]
    answers.append(bucket.call("PUT", "k", body=b"1"))
    for answer in answers:
        assert IDS.match(answer.header("x-amz-request-id")), answer
        assert IDS.match(answer.header("x-amz-id-2")), answer
        assert parsedate_to_datetime(answer.header("date"))
        assert answer.header("server")
    assert len({answer.header("x-amz-request-id") for answer in answers}) == len(answers)


def test_trap_41_errors_have_their_form(bucket: Shelf):
    answer = refused(bucket.call("GET", 'miss<ing> & "ü"'), 404, "NoSuchKey")
    fields = {node.tag: node.text for node in answer.xml}
    assert fields["Code"] == "NoSuchKey"
    assert fields["Message"]
    assert 'miss<ing> & "ü"' in (fields.get("Resource", "") + fields.get("Key", "")) or "miss" in fields["Resource"]
    assert fields["RequestId"] == answer.header("x-amz-request-id")
    assert fields["HostId"] == answer.header("x-amz-id-2")
    assert answer.body.startswith(b"<?xml")


def test_trap_41_no_body_where_there_must_be_none(bucket: Shelf):
    bucket.put("k", b"hello")
    asks = [
        ("HEAD", "k", [], 200),
        ("HEAD", "missing", [], 404),
        ("DELETE", "missing", [], 204),
        ("GET", "k", [("If-None-Match", "*")], 304),
    ]
    raw = bucket.raw
    with raw.connect() as wire:
        for method, key, headers, status in asks:
            wire.send(raw.sign(raw.ask(method, bucket.name, key, headers=headers)).wire())
            answer = wire.read(method=method)
            assert (answer.status, answer.body) == (status, b"")
            wire.send(raw.sign(raw.ask("GET", bucket.name, "k")).wire())
            assert wire.read().body == b"hello"  # no stray byte came between


def test_trap_43_dates_have_their_forms(bucket: Shelf):
    bucket.put("k", b"1")
    stamp = re.compile(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
    upload = bucket.start("up")
    bucket.part("up", upload, 1, b"1")
    found = [
        bucket.call("GET", query="list-type=2").xml.findtext("Contents/LastModified"),
        bucket.call("GET", query="versions").xml.findtext("Version/LastModified"),
        bucket.call("GET", query="uploads").xml.findtext("Upload/Initiated"),
        bucket.call("GET", "up", query=f"uploadId={upload}").xml.findtext("Part/LastModified"),
        bucket.raw.call("GET").xml.findtext("Buckets/Bucket/CreationDate"),
        bucket.call("PUT", "copy", headers=[("x-amz-copy-source", f"{bucket.name}/k")]).xml.findtext("LastModified"),
    ]
    assert all(stamp.match(date or "") for date in found), found


def test_trap_43_the_date_header_may_stand_in_for_x_amz_date(bucket: Shelf, raw: RawClient):

    now = datetime.now(UTC).replace(microsecond=0)
    ask = raw.ask(
        "GET", bucket.name, headers=[("Date", format_datetime(now, usegmt=True)), ("x-amz-content-sha256", signer.EMPTY_SHA256)]
    )
    names = ["date", "host", "x-amz-content-sha256"]
    stamp = signer.stamp_of(now)
    scope = f"{stamp[:8]}/{signer.REGION}/s3/aws4_request"
    text = signer.string_to_sign(stamp, scope, signer.canonical_request(ask, names, signer.EMPTY_SHA256))

    signature = hmac.new(signer.signing_key(raw.keys.secret_access_key, stamp[:8]), text.encode(), "sha256").hexdigest()
    value = (
        f"AWS4-HMAC-SHA256 Credential={raw.keys.access_key_id}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    assert raw.send(ask.with_header("Authorization", value)).status == 200


def test_trap_46_the_sdks_operation_name_in_the_query_is_ignored(bucket: Shelf):
    assert bucket.call("PUT", "k", query="x-id=PutObject", body=b"1").status == 200
    assert bucket.call("GET", "k", query="x-id=GetObject").body == b"1"
    assert bucket.call("GET", query="list-type=2&x-id=ListObjectsV2").status == 200
    assert bucket.call("DELETE", "k", query="x-id=DeleteObject").status == 204


def test_t52_minio_cve_2022_35919_no_error_tells_of_the_machine(bucket: Shelf):
    """Each error that is easily provoked: no path, no file content, no trace, no name of a module."""
    bucket.put("k", b"1")
    answers = [bucket.call("GET", key) for key in ("missing", "../../etc/passwd", "\x00", "..%2f..", "%ff")]
    answers += [bucket.call("GET", query=query) for query in ("foo", "versions&max-keys=x", "list-type=2&continuation-token=x")]
    answers += [bucket.call("PUT", query="versioning", body=b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>")]
    answers += [bucket.call("PUT", "k", headers=[("x-amz-copy-source", "/../../etc/passwd")])]
    answers += [bucket.call("POST", "k", query="uploadId=../../../etc/passwd", body=b"<x/>")]
    answers += [bucket.call("GET", "k", headers=[("Range", "bytes=9999-")])]
    answers += [bucket.raw.call("GET", "../etc/passwd"), bucket.raw.call("GET", "%2e%2e", "etc/passwd")]
    marks = [
        b"Traceback",
        b".py",
        str(bucket.service.directory).encode(),
        b"root:x:",
        b"sqlite",
        b"apsw",
        b"/usr/",
        b"site-packages",
    ]
    for answer in answers:
        assert 400 <= answer.status < 500 or answer.status == 501, answer
        assert not [mark for mark in marks if mark in answer.body], answer.body


def test_t59_uvicorn_cve_2020_7694_no_escape_sequence_reaches_the_log(bucket: Shelf):
    evil = "\x1b[31mred\x9b0m"
    raw = bucket.raw
    for ask in (
        raw.ask("GET", bucket.name, evil, headers=[("User-Agent", f"a{evil}")]),
        raw.ask("GET", bucket.name, "line\r\nfeed ERROR forged", headers=[("User-Agent", "tab\tagent")]),
        raw.ask("GET", bucket.name, "k", query=signer.encode_query([("foo", evil)])),
    ):
        with_answer = raw.send(raw.sign(ask))
        assert with_answer.status in {400, 403, 404, 501}
    log = bucket.service.log.read_bytes()
    assert b"\x1b" not in log
    assert b"\nfeed ERROR forged" not in log


FUZZ_ROUNDS = 400
FUZZ_NAMES = [
    "versionId", "partNumber", "uploadId", "uploads", "versions", "delete", "location", "versioning", "list-type", "prefix",
    "delimiter", "marker", "max-keys", "encoding-type", "continuation-token", "start-after", "fetch-owner", "attributes",
    "key-marker", "version-id-marker", "max-parts", "part-number-marker", "response-content-type", "x-id", "max-uploads",
]  # fmt: skip
FUZZ_HEADERS = [
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "content-md5",
    "x-amz-checksum-crc32",
    "x-amz-checksum-sha256",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-type",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-copy-source-if-match",
    "x-amz-metadata-directive",
    "x-amz-server-side-encryption",
    "x-amz-tagging",
    "x-amz-acl",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-storage-class",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-meta-a",
    "x-amz-object-attributes",
    "x-amz-mp-object-size",
    "x-amz-expected-bucket-owner",
    "x-amz-website-redirect-location",
    "expires",
    "content-encoding",
    "x-amz-checksum-mode",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-if-match-size",
    "x-amz-if-match-last-modified-time",
    "x-amz-bypass-governance-retention",
    "x-amz-request-payer",
    "x-amz-mfa",
    "content-type",
]


def test_t100_no_request_makes_a_5xx(bucket: Shelf):
    """Random mixtures of methods, sub-resources, headers and bodies, all rightly signed: never a 5xx but 501."""
    choose = random.Random(100)
    bucket.put("k", b"hello")
    upload = bucket.start("u")
    values = [
        "",
        "0",
        "-1",
        "1",
        "x",
        "null",
        "\x00",
        "ü",
        "%",
        "a" * 300,
        "99999999999999999999",
        "*",
        '"',
        "true",
        "2",
        upload,
        "/",
        "../",
    ]
    bodies = [b"", b"x", b"<a/>", b"<Delete><Object><Key>z</Key></Object></Delete>", seeded(300), b"<CompleteMultipartUpload/>"]
    plain = [value for value in values if value.isprintable() and value.isascii()]
    for round_number in range(FUZZ_ROUNDS):
        method = choose.choice(["GET", "PUT", "POST", "DELETE", "HEAD"])
        key = choose.choice([None, "k", "u", "fuzz"])
        query = signer.encode_query([(choose.choice(FUZZ_NAMES), choose.choice(values)) for _ in range(choose.randrange(3))])
        extra = {choose.choice(FUZZ_HEADERS): choose.choice(plain) for _ in range(choose.randrange(4))}
        body = choose.choice(bodies) if method in {"PUT", "POST"} else b""
        if method in {"PUT", "DELETE"} and key is None:
            query = query or "versioning"
        if choose.random() < 0.3 and body:
            extra["content-md5"] = md5_b64(body)
        answer = bucket.call(method, key, query=query, headers=list(extra.items()), body=body)
        assert answer.status < 500 or answer.status == 501, (round_number, method, key, query, extra, body, answer)
    assert bucket.call("GET").status == 200


def test_a_request_to_nowhere_is_answered_in_form(raw: RawClient):
    for path in ("*", "//", "/?", "/%00", "/%", "/" + "a" * 100):
        ask = with_length(signer.Ask("GET", path, "", (("Host", raw.host),)))
        assert 400 <= raw.send(ask).status < 500, path
