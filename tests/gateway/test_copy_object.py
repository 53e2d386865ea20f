"""Copies: of objects and of ranges into parts; between buckets, of versions, onto themselves."""

from __future__ import annotations

import pytest
from boto3.s3.transfer import TransferConfig

from . import signer
from .raw import Answer
from .shelf import MIB, Shelf, fails, new_name, quoted_md5, refused, seeded, sha256_b64


def copy(bucket: Shelf, source: str, key: str = "copy", **headers: str) -> Answer:
    pairs = [("x-amz-copy-source", source)] + [(name.replace("_", "-"), value) for name, value in headers.items()]
    return bucket.call("PUT", key, headers=pairs)


@pytest.mark.parametrize("size", [0, 10, 65_537, 300_000])
def test_a_copy_has_the_bytes_the_headers_and_a_life_of_its_own(bucket: Shelf, second_bucket: Shelf, size):
    body = seeded(size)
    bucket.put("source", body, ContentType="text/plain", Metadata={"a": "b"}, CacheControl="no-cache")
    done = copy(second_bucket, f"/{bucket.name}/source")
    assert done.status == 200, done.body
    assert done.xml.tag == "CopyObjectResult"
    assert done.xml.findtext("ETag") == quoted_md5(body)
    bucket.s3.delete_object(Bucket=bucket.name, Key="source")
    assert second_bucket.get("copy") == body
    head = second_bucket.head("copy")
    assert (head["ContentType"], head["Metadata"], head["CacheControl"]) == ("text/plain", {"a": "b"}, "no-cache")


@pytest.mark.parametrize("key", ["a b+c/ü", "100%", "a?versionId=x", "q&a=b", "//x", "trailing/"])
@pytest.mark.parametrize("slash", ["/", ""])
def test_trap_36_the_source_is_url_encoded_with_or_without_a_slash(bucket: Shelf, key, slash):
    bucket.call("PUT", key, body=b"hello")
    source = f"{slash}{bucket.name}/{signer.encode_key(key)}"
    assert copy(bucket, source).status == 200
    assert bucket.get("copy") == b"hello"


def test_trap_36_a_version_can_be_copied(versioned: Shelf):
    old = versioned.put("k", b"old")["VersionId"]
    versioned.put("k", b"new")
    done = copy(versioned, f"/{versioned.name}/k?versionId={old}")
    assert done.header("x-amz-copy-source-version-id") == old
    assert done.header("x-amz-version-id")
    assert versioned.get("copy") == b"old"
    assert copy(versioned, f"/{versioned.name}/k").status == 200
    assert versioned.get("copy") == b"new"


def test_trap_36_a_copy_onto_itself_must_change_something(bucket: Shelf):
    bucket.put("k", b"hello", ContentType="text/plain", CacheControl="no-cache", Metadata={"a": "b"})
    with bucket.unchanged():
        refused(copy(bucket, f"/{bucket.name}/k", "k"), 400, "InvalidRequest")
    headers = {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-new": "1", "Content-Type": "text/html"}
    assert copy(bucket, f"/{bucket.name}/k", "k", **headers).status == 200
    head = bucket.head("k")
    assert (head["ContentType"], head["Metadata"], head.get("CacheControl")) == ("text/html", {"new": "1"}, None)
    assert bucket.get("k") == b"hello"


def test_trap_36_replace_without_a_type_falls_back_to_the_default(bucket: Shelf):
    bucket.put("k", b"hello", ContentType="text/plain")
    assert copy(bucket, f"/{bucket.name}/k", **{"x-amz-metadata-directive": "REPLACE"}).status == 200
    assert bucket.head("copy")["ContentType"] == "binary/octet-stream"


def test_trap_36_an_old_version_may_be_copied_onto_its_own_key(versioned: Shelf):
    old = versioned.put("k", b"old")["VersionId"]
    versioned.put("k", b"new")
    assert copy(versioned, f"/{versioned.name}/k?versionId={old}", "k").status == 200
    assert versioned.get("k") == b"old"
    assert len(versioned.versions()) == 3


def test_trap_36_a_storage_class_is_a_change_even_if_it_is_the_same(bucket: Shelf):
    bucket.put("k", b"hello", Metadata={"a": "b"})
    assert copy(bucket, f"/{bucket.name}/k", "k", **{"x-amz-storage-class": "STANDARD"}).status == 200
    assert (bucket.get("k"), bucket.head("k")["Metadata"]) == (b"hello", {"a": "b"})


@pytest.mark.parametrize("directive", ["replace", "MOVE", ""])
def test_trap_36_odd_directives_are_refused(bucket: Shelf, directive):
    bucket.put("k", b"hello")
    with bucket.unchanged():
        refused(copy(bucket, f"/{bucket.name}/k", **{"x-amz-metadata-directive": directive}), 400, "InvalidArgument")


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("if-match", quoted_md5(b"hello"), 200),
        ("if-match", '"other"', 412),
        ("if-none-match", '"other"', 200),
        ("if-none-match", quoted_md5(b"hello"), 412),
        ("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT", 200),
        ("if-unmodified-since", "Thu, 01 Jan 2015 00:00:00 GMT", 412),
    ],
)
def test_conditions_on_the_source(bucket: Shelf, name, value, status):
    bucket.put("k", b"hello")
    answer = copy(bucket, f"/{bucket.name}/k", **{f"x-amz-copy-source-{name}": value})
    assert answer.status == status, answer.body
    if status == 412:
        # Told apart from the same condition on the destination.
        assert (answer.xml.findtext("Condition") or "").lower() == f"x-amz-copy-source-{name}"
    assert bucket.keys() == (["copy", "k"] if status == 200 else ["k"])


def test_sources_that_are_not_there(bucket: Shelf):
    bucket.put("k", b"1")
    with bucket.unchanged():
        refused(copy(bucket, f"/{bucket.name}/missing"), 404, "NoSuchKey")
        refused(copy(bucket, "/no-such-bucket-here/k"), 404, "NoSuchBucket")
        refused(
            copy(bucket, f"/{bucket.name}/k?versionId=AAAAAAAAAAAAAAAAAAAAAA"), (400, 404), "NoSuchVersion", "InvalidArgument"
        )


def test_a_delete_marker_cannot_be_copied(versioned: Shelf):
    versioned.put("k", b"1")
    marker = versioned.call("DELETE", "k").header("x-amz-version-id")
    with versioned.unchanged():
        refused(copy(versioned, f"/{versioned.name}/k"), 404, "NoSuchKey")
        refused(copy(versioned, f"/{versioned.name}/k?versionId={marker}"), 400, "InvalidRequest")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/",
        "//",
        "nobucket",
        "/nokey",
        "/nokey/",
        "?versionId=null",
        "%",
        "%zz/k",
        "/b%00/k",
        "arn:aws:s3:x",
        "/../etc/passwd",
        "/%2e%2e/k",
    ],
)
def test_t27_versitygw_67aaa80d_sources_that_are_none(bucket: Shelf, source):
    with bucket.unchanged():
        answer = copy(bucket, source)
        codes = (
            "InvalidArgument",
            "InvalidRequest",
            "NoSuchBucket",
            "InvalidBucketName",
            "InvalidURI",
            "AccessDenied",
            "NoSuchKey",
        )
        refused(answer, (400, 403, 404), *codes)


def test_t27_rustfs_ghsa_mx42_no_copy_from_another_account(bucket: Shelf, stranger_s3, service):
    bucket.put("secret", b"the secret")

    name = new_name()
    stranger_s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    thief = service.raw(service.stranger)
    part = stranger_s3.create_multipart_upload(Bucket=name, Key="part")["UploadId"]
    for source in (f"/{bucket.name}/secret", f"{bucket.name}/secret?versionId=null", f"/{bucket.name}/%73ecret"):
        headers = [("x-amz-copy-source", source)]
        refused(thief.call("PUT", name, "stolen", headers=headers), 403, "AccessDenied")
        query = f"partNumber=1&uploadId={part}"
        refused(thief.call("PUT", name, "part", query=query, headers=headers), 403, "AccessDenied")
    assert "Contents" not in stranger_s3.list_objects_v2(Bucket=name)


def test_t46_ceph_70746_a_copy_onto_itself_keeps_the_bytes(bucket: Shelf):
    body = seeded(300_000)
    bucket.put("k", body)
    for turn in range(3):
        answer = copy(bucket, f"/{bucket.name}/k", "k", **{"x-amz-metadata-directive": "REPLACE", "x-amz-meta-turn": str(turn)})
        assert answer.status == 200
        assert bucket.get("k") == body


def test_t46_ceph_47866_copies_outlive_their_sources(bucket: Shelf):
    body = seeded(5 * MIB + 5)
    upload_id = bucket.start("source")
    bucket.complete("source", upload_id, [bucket.part("source", upload_id, 1, body)])
    assert copy(bucket, f"/{bucket.name}/source", "one").status == 200
    assert copy(bucket, f"/{bucket.name}/one", "two").status == 200
    for key in ("source", "one"):
        bucket.s3.delete_object(Bucket=bucket.name, Key=key)
    assert bucket.get("two") == body


def test_t46_a_read_goes_on_through_a_delete(bucket: Shelf):
    body = seeded(8 * MIB)
    bucket.put("k", body)
    ask = bucket.raw.sign(bucket.raw.ask("GET", bucket.name, "k"))
    with bucket.raw.connect() as wire:
        wire.send(ask.wire())
        first = wire.sock.recv(100)
        bucket.s3.delete_object(Bucket=bucket.name, Key="k")
        wire._held = first
        assert wire.read().body == body
    refused(bucket.call("GET", "k"), 404, "NoSuchKey")


def part_copy(bucket: Shelf, upload_id: str, number: int, source: str, **headers: str) -> Answer:
    pairs = [("x-amz-copy-source", source), *headers.items()]
    return bucket.call("PUT", "k", query=f"partNumber={number}&uploadId={upload_id}", headers=pairs)


def test_trap_20_parts_copied_from_ranges_make_the_right_object(bucket: Shelf):
    body = seeded(12 * MIB)
    bucket.put("source", body)
    upload_id = bucket.start("k")
    spans = [(1, 5 * MIB + 1), (7, 5 * MIB + 7), (12 * MIB - 100, 12 * MIB)]
    parts = []
    for number, (start, stop) in enumerate(spans, 1):
        answer = part_copy(
            bucket, upload_id, number, f"/{bucket.name}/source", **{"x-amz-copy-source-range": f"bytes={start}-{stop - 1}"}
        )
        assert answer.status == 200, answer.body
        assert answer.xml.tag == "CopyPartResult"
        assert answer.xml.findtext("ETag") == quoted_md5(body[start:stop])
        parts.append({"PartNumber": number, "ETag": answer.xml.findtext("ETag")})
    bucket.complete("k", upload_id, parts)
    assert bucket.get("k") == b"".join(body[start:stop] for start, stop in spans)


def test_trap_20_a_whole_multipart_object_as_a_part(bucket: Shelf):
    bodies = [seeded(5 * MIB, 1), seeded(77_777, 2)]
    upload_id = bucket.start("source")
    bucket.complete("source", upload_id, [bucket.part("source", upload_id, n, body) for n, body in enumerate(bodies, 1)])
    target = bucket.start("k")
    answer = part_copy(bucket, target, 1, f"/{bucket.name}/source")
    assert answer.status == 200, answer.body
    bucket.complete("k", target, [{"PartNumber": 1, "ETag": answer.xml.findtext("ETag")}])
    assert bucket.get("k") == b"".join(bodies)


@pytest.mark.parametrize(
    "span", ["bytes=0-10", "bytes=10-", "bytes=-5", "bytes=5-3", "0-5", "bytes=0-5,7-8", "x", "bytes=99-100"]
)
def test_trap_36_ranges_of_copied_parts_are_strict(bucket: Shelf, span):
    bucket.put("source", b"0123456789")
    upload_id = bucket.start("k")
    with bucket.unchanged():
        answer = part_copy(bucket, upload_id, 1, f"/{bucket.name}/source", **{"x-amz-copy-source-range": span})
        refused(answer, (400, 416), "InvalidArgument", "InvalidRange", "InvalidRequest")


def test_a_copy_may_ask_for_a_checksum(bucket: Shelf):

    bucket.put("k", b"hello")
    done = bucket.s3.copy_object(
        Bucket=bucket.name, Key="copy", CopySource={"Bucket": bucket.name, "Key": "k"}, ChecksumAlgorithm="SHA256"
    )
    assert done["CopyObjectResult"]["ChecksumSHA256"] == sha256_b64(b"hello")
    assert bucket.head("copy", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha256_b64(b"hello")


def test_a_copy_keeps_the_checksum_of_its_source(bucket: Shelf):

    bucket.put("k", b"hello", ChecksumAlgorithm="SHA256")
    bucket.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource={"Bucket": bucket.name, "Key": "k"})
    assert bucket.head("copy", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha256_b64(b"hello")


def test_a_copy_of_a_multipart_object_is_a_plain_one(bucket: Shelf):
    body = seeded(5 * MIB) + b"end"
    upload_id = bucket.start("k")
    bucket.complete("k", upload_id, [bucket.part("k", upload_id, 1, body[: 5 * MIB]), bucket.part("k", upload_id, 2, b"end")])
    done = copy(bucket, f"/{bucket.name}/k")
    assert done.xml.findtext("ETag") == quoted_md5(body)
    assert bucket.get("copy") == body


def test_the_sdks_managed_copy_runs_through_parts(bucket: Shelf):

    body = seeded(11 * MIB)
    bucket.put("k", body)
    config = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB)
    bucket.s3.copy({"Bucket": bucket.name, "Key": "k"}, bucket.name, "copy", Config=config)
    assert bucket.get("copy") == body
    with fails(404, "404"):
        bucket.s3.copy({"Bucket": bucket.name, "Key": "missing"}, bucket.name, "copy2")


def test_a_copy_with_a_body_is_refused_or_ignores_it(bucket: Shelf):
    bucket.put("k", b"hello")
    answer = bucket.call("PUT", "copy", headers=[("x-amz-copy-source", f"/{bucket.name}/k")], body=b"other")
    assert answer.status in {200, 400}
    if answer.status == 200:
        assert bucket.get("copy") == b"hello"
