"""Ten checksum algorithms, by header and by trailer, over whole objects and over parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
import xxhash
from awscrt import checksums

from .raw import Answer
from .shelf import MIB, Shelf, b64, fails, md5_b64, refused, seeded, sha256_b64
from .signer import SIGNED_FRAMES_TRAILER, UNSIGNED_FRAMES_TRAILER


def _hash(name: str) -> Callable[[bytes], bytes]:
    return lambda data: hashlib.new(name, data, usedforsecurity=False).digest()


DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda data: checksums.crc32(data).to_bytes(4),
    "CRC32C": lambda data: checksums.crc32c(data).to_bytes(4),
    "CRC64NVME": lambda data: checksums.crc64nvme(data).to_bytes(8),
    "SHA1": _hash("sha1"),
    "SHA256": _hash("sha256"),
    "SHA512": _hash("sha512"),
    "MD5": _hash("md5"),
    "XXHASH64": xxhash.xxh64_digest,
    "XXHASH3": xxhash.xxh3_64_digest,
    "XXHASH128": xxhash.xxh3_128_digest,
}
FULL_OBJECT = ["CRC32", "CRC32C", "CRC64NVME"]
COMPOSITE = ["CRC32", "CRC32C", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"]
BODY = seeded(100_000, 7)
FIRST, SECOND = seeded(5 * MIB, 1), seeded(1234, 2)


def header_of(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


def value_of(algorithm: str, data: bytes) -> str:
    return b64(DIGESTS[algorithm](data))


def test_known_answers_of_the_algorithms():
    assert DIGESTS["CRC32"](b"123456789").hex() == "cbf43926"
    assert DIGESTS["CRC32C"](b"123456789").hex() == "e3069283"
    assert DIGESTS["CRC64NVME"](b"123456789").hex() == "ae8b14860a799888"


@pytest.mark.parametrize("body", [b"", b"x", BODY], ids=["empty", "one", "many"])
@pytest.mark.parametrize("algorithm", DIGESTS)
def test_trap_13_a_checksum_in_a_header_is_verified_kept_and_returned(bucket: Shelf, algorithm, body):
    name, value = header_of(algorithm), value_of(algorithm, body)
    answer = bucket.call("PUT", "k", headers=[(name, value)], body=body)
    assert answer.status == 200, answer.body
    assert answer.header(name) == value
    head = bucket.call("HEAD", "k", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert (head.header(name), head.header("x-amz-checksum-type")) == (value, "FULL_OBJECT")


@pytest.mark.parametrize("mode", [UNSIGNED_FRAMES_TRAILER, SIGNED_FRAMES_TRAILER])
@pytest.mark.parametrize("algorithm", DIGESTS)
def test_trap_13_a_checksum_in_a_trailer_is_verified_kept_and_returned(bucket: Shelf, algorithm, mode):
    name, value = header_of(algorithm), value_of(algorithm, BODY)
    answer = bucket.raw.send(bucket.raw.put_frames(bucket.name, "k", BODY, mode, trailers=[(name, value)]))
    assert answer.status == 200, answer.body
    assert answer.header(name) == value
    head = bucket.call("HEAD", "k", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert head.header(name) == value


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_trap_13_a_wrong_checksum_is_refused(bucket: Shelf, algorithm):
    name, wrong = header_of(algorithm), value_of(algorithm, b"something else")
    with bucket.unchanged():
        refused(bucket.call("PUT", "k", headers=[(name, wrong)], body=BODY), 400, "BadDigest")
        framed = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, trailers=[(name, wrong)])
        refused(bucket.raw.send(framed), 400, "BadDigest")


@pytest.mark.parametrize("value", ["", "====", "AAAA", "not base64", "AAAAAAA="])
@pytest.mark.parametrize("algorithm", DIGESTS)
def test_trap_13_a_malformed_checksum_is_refused(bucket: Shelf, algorithm, value):
    with bucket.unchanged():
        answer = bucket.call("PUT", "k", headers=[(header_of(algorithm), value)], body=BODY)
        refused(answer, 400, "InvalidRequest", "InvalidDigest")


@pytest.mark.parametrize("value", ["", "AAAA", "not base64 at all", "1B2M2Y8AsgTpgAmY7PhCfg"])
def test_trap_13_a_malformed_content_md5_is_refused(bucket: Shelf, value):
    with bucket.unchanged():
        refused(bucket.call("PUT", "k", headers=[("Content-MD5", value)], body=BODY), 400, "InvalidDigest")


def test_trap_13_a_wrong_content_md5_is_refused_and_a_right_one_is_not(bucket: Shelf):
    with bucket.unchanged():
        refused(bucket.call("PUT", "k", headers=[("Content-MD5", md5_b64(b"else"))], body=BODY), 400, "BadDigest")
    assert bucket.call("PUT", "k", headers=[("Content-MD5", md5_b64(BODY))], body=BODY).status == 200


def test_trap_13_without_a_checksum_crc64nvme_is_computed(bucket: Shelf):
    assert bucket.call("PUT", "k", body=BODY).status == 200
    head = bucket.call("HEAD", "k", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert head.header("x-amz-checksum-crc64nvme") == value_of("CRC64NVME", BODY)
    assert head.header("x-amz-checksum-type") == "FULL_OBJECT"


def test_trap_13_checksums_are_returned_only_when_asked_and_never_on_ranges(bucket: Shelf):
    bucket.call("PUT", "k", headers=[(header_of("SHA256"), sha256_b64(BODY))], body=BODY)
    name, ask = header_of("SHA256"), ("x-amz-checksum-mode", "ENABLED")
    assert not bucket.call("GET", "k").has(name)
    assert bucket.call("GET", "k", headers=[ask]).header(name) == sha256_b64(BODY)
    part = bucket.call("GET", "k", headers=[ask, ("Range", "bytes=0-9")])
    assert part.status == 206
    assert not part.has(name)
    assert bucket.get("k", Range="bytes=10-19", ChecksumMode="ENABLED") == BODY[10:20]


def test_trap_13_two_checksums_are_one_too_many(bucket: Shelf):
    headers = [(header_of(name), value_of(name, BODY)) for name in ("CRC32", "SHA256")]
    with bucket.unchanged():
        refused(bucket.call("PUT", "k", headers=headers, body=BODY), 400, "InvalidRequest")


def test_trap_12_the_algorithm_named_for_the_sdk_must_agree(bucket: Shelf):
    headers = [(header_of("CRC32"), value_of("CRC32", BODY)), ("x-amz-sdk-checksum-algorithm", "SHA1")]
    with bucket.unchanged():
        refused(bucket.call("PUT", "k", headers=headers, body=BODY), 400, "InvalidRequest")
        unknown = [("x-amz-sdk-checksum-algorithm", "ROT13")]
        refused(bucket.call("PUT", "k", headers=unknown, body=BODY), 400, "InvalidRequest", "InvalidArgument")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_the_sdk_sends_and_checks_the_checksum_itself(bucket: Shelf, algorithm):
    done = bucket.put("k", BODY, ChecksumAlgorithm=algorithm)
    assert done[f"Checksum{algorithm}"] == value_of(algorithm, BODY)
    assert bucket.get("k", ChecksumMode="ENABLED") == BODY
    listed = bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"][0]
    assert listed.get("ChecksumAlgorithm", [algorithm]) == [algorithm]


def composite_of(algorithm: str) -> str:
    digest = DIGESTS[algorithm]
    return b64(digest(digest(FIRST) + digest(SECOND))) + "-2"


def send_parts(bucket: Shelf, algorithm: str, kind: str | None) -> tuple[str, list[tuple[int, str, str]]]:
    """Start an upload by the raw client and send two parts with checksums in headers."""
    headers = [("x-amz-checksum-algorithm", algorithm)] + ([("x-amz-checksum-type", kind)] if kind else [])
    started = bucket.call("POST", "k", query="uploads", headers=headers)
    assert started.status == 200, started.body
    assert started.header("x-amz-checksum-algorithm") == algorithm
    upload_id = started.xml.findtext("UploadId") or ""
    parts = []
    for number, body in enumerate([FIRST, SECOND], 1):
        value = value_of(algorithm, body)
        query = f"partNumber={number}&uploadId={upload_id}"
        answer = bucket.call("PUT", "k", query=query, headers=[(header_of(algorithm), value)], body=body)
        assert answer.status == 200, answer.body
        assert answer.header(header_of(algorithm)) == value
        parts.append((number, answer.header("etag"), value))
    return upload_id, parts


def completion(algorithm: str, parts: list[tuple[int, str, str]]) -> bytes:
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><Checksum{algorithm}>{value}</Checksum{algorithm}></Part>"
        for number, etag, value in parts
    )
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


CASES = [(algorithm, "FULL_OBJECT") for algorithm in FULL_OBJECT] + [(algorithm, "COMPOSITE") for algorithm in COMPOSITE]


@pytest.mark.parametrize(("algorithm", "kind"), CASES)
def test_trap_14_checksums_of_multipart_objects(bucket: Shelf, algorithm, kind):
    upload_id, parts = send_parts(bucket, algorithm, kind)
    done = bucket.call("POST", "k", query=f"uploadId={upload_id}", body=completion(algorithm, parts))
    assert done.status == 200, done.body
    expected = value_of(algorithm, FIRST + SECOND) if kind == "FULL_OBJECT" else composite_of(algorithm)
    assert done.xml.findtext(f"Checksum{algorithm}") == expected
    assert done.xml.findtext("ChecksumType") == kind
    head = bucket.call("HEAD", "k", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert (head.header(header_of(algorithm)), head.header("x-amz-checksum-type")) == (expected, kind)
    again = bucket.call("POST", "k", query=f"uploadId={upload_id}", body=completion(algorithm, parts))
    assert (again.status, again.xml.findtext("ETag")) == (200, done.xml.findtext("ETag"))
    assert again.xml.findtext(f"Checksum{algorithm}") == expected


@pytest.mark.parametrize(("algorithm", "kind"), [("CRC32", "COMPOSITE"), ("CRC64NVME", "FULL_OBJECT"), ("SHA256", "COMPOSITE")])
def test_trap_14_the_type_has_a_default(bucket: Shelf, algorithm, kind):
    answer = bucket.call("POST", "k", query="uploads", headers=[("x-amz-checksum-algorithm", algorithm)])
    assert answer.header("x-amz-checksum-type") == kind


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC64NVME", "COMPOSITE"), ("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC32", "HALF"), ("ROT13", "")],
)
def test_trap_14_types_that_an_algorithm_does_not_have_are_refused(bucket: Shelf, algorithm, kind):
    headers = [("x-amz-checksum-algorithm", algorithm)] + ([("x-amz-checksum-type", kind)] if kind else [])
    with bucket.unchanged():
        answer = bucket.call("POST", "k", query="uploads", headers=headers)
        refused(answer, 400, "InvalidRequest", "InvalidArgument")


def test_trap_14_a_part_checksum_named_wrongly_in_complete_is_refused(bucket: Shelf):
    upload_id, parts = send_parts(bucket, "CRC32", "COMPOSITE")
    parts[1] = (parts[1][0], parts[1][1], value_of("CRC32", b"else"))
    with bucket.unchanged():
        answer = bucket.call("POST", "k", query=f"uploadId={upload_id}", body=completion("CRC32", parts))
        refused(answer, 400, "InvalidPart", "BadDigest", "InvalidRequest")


def test_trap_14_the_whole_objects_checksum_and_size_in_complete_are_verified(bucket: Shelf):
    upload_id, parts = send_parts(bucket, "CRC32C", "FULL_OBJECT")
    body, query = completion("CRC32C", parts), f"uploadId={upload_id}"
    with bucket.unchanged():
        wrong = [(header_of("CRC32C"), value_of("CRC32C", b"else")), ("x-amz-checksum-type", "FULL_OBJECT")]
        refused(bucket.call("POST", "k", query=query, headers=wrong, body=body), 400, "BadDigest")
        size = [("x-amz-mp-object-size", "17")]
        refused(bucket.call("POST", "k", query=query, headers=size, body=body), 400, "InvalidRequest")
        for kind, code in (("COMPOSITE", "BadDigest"), ("HALF", "InvalidRequest")):
            other_type = [(header_of("CRC32C"), value_of("CRC32C", FIRST + SECOND)), ("x-amz-checksum-type", kind)]
            refused(bucket.call("POST", "k", query=query, headers=other_type, body=body), 400, code)
        # The right text under the name of another algorithm of the same size is not right.
        other_name = [(header_of("CRC32"), value_of("CRC32C", FIRST + SECOND))]
        refused(bucket.call("POST", "k", query=query, headers=other_name, body=body), 400, "InvalidRequest")
    right = [(header_of("CRC32C"), value_of("CRC32C", FIRST + SECOND)), ("x-amz-checksum-type", "FULL_OBJECT")]
    right.append(("x-amz-mp-object-size", str(len(FIRST + SECOND))))
    done = bucket.call("POST", "k", query=query, headers=right, body=body)
    assert done.status == 200, done.body


def test_trap_14_a_whole_checksum_where_one_of_checksums_was_begun_is_a_bad_digest(bucket: Shelf):
    upload_id, parts = send_parts(bucket, "CRC32", "COMPOSITE")
    headers = [(header_of("CRC32"), value_of("CRC32", FIRST + SECOND)), ("x-amz-checksum-type", "FULL_OBJECT")]
    with bucket.unchanged():
        answer = bucket.call("POST", "k", query=f"uploadId={upload_id}", headers=headers, body=completion("CRC32", parts))
        refused(answer, 400, "BadDigest")


def test_trap_14_a_part_of_another_algorithm_than_the_upload_is_refused(bucket: Shelf):
    upload_id = bucket.start("k", ChecksumAlgorithm="CRC32")
    headers = [(header_of("SHA1"), value_of("SHA1", b"body"))]
    with bucket.unchanged():
        answer = bucket.call("PUT", "k", query=f"partNumber=1&uploadId={upload_id}", headers=headers, body=b"body")
        refused(answer, 400, "InvalidRequest")


def test_trap_14_an_upload_without_an_algorithm_gets_a_full_crc64nvme(bucket: Shelf):
    upload_id = bucket.call("POST", "k", query="uploads").xml.findtext("UploadId") or ""
    rows = []
    for number, body in enumerate([FIRST, SECOND], 1):
        answer = bucket.call("PUT", "k", query=f"partNumber={number}&uploadId={upload_id}", body=body)
        rows.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{answer.header('etag')}</ETag></Part>")
    xml = f"<CompleteMultipartUpload>{''.join(rows)}</CompleteMultipartUpload>".encode()
    done = bucket.call("POST", "k", query=f"uploadId={upload_id}", body=xml)
    assert done.status == 200, done.body
    head = bucket.call("HEAD", "k", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert head.header(header_of("CRC64NVME")) == value_of("CRC64NVME", FIRST + SECOND)
    assert head.header("x-amz-checksum-type") == "FULL_OBJECT"


@pytest.mark.parametrize(("algorithm", "kind"), [("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE"), ("CRC32", "FULL_OBJECT")])
def test_trap_14_the_number_of_parts_in_a_checksum_is_compared_where_it_is_given(bucket: Shelf, algorithm, kind):
    upload_id, parts = send_parts(bucket, algorithm, kind)
    right = composite_of(algorithm) if kind == "COMPOSITE" else value_of(algorithm, FIRST + SECOND)
    value = right.partition("-")[0]

    def complete(text: str) -> Answer:
        query, xml = f"uploadId={upload_id}", completion(algorithm, parts)
        return bucket.call("POST", "k", query=query, headers=[(header_of(algorithm), text)], body=xml)

    with bucket.unchanged():
        for count in ("99", "1", "0", *(["2"] if kind == "FULL_OBJECT" else [])):
            refused(complete(f"{value}-{count}"), 400, "BadDigest")
        refused(complete(f"{value}-many"), 400, "InvalidRequest")
    assert complete(right).status == 200


def test_trap_14_the_number_of_parts_in_a_checksum_may_be_left_out(bucket: Shelf):
    upload_id, parts = send_parts(bucket, "CRC32", "COMPOSITE")
    headers = [(header_of("CRC32"), composite_of("CRC32").partition("-")[0])]
    assert bucket.call("POST", "k", query=f"uploadId={upload_id}", headers=headers, body=completion("CRC32", parts)).status == 200


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_trap_14_a_checksum_that_the_upload_was_not_created_for_is_neither_compared_nor_stored(bucket: Shelf, algorithm):
    upload_id = bucket.call("POST", "k", query="uploads").xml.findtext("UploadId") or ""
    query = f"uploadId={upload_id}"
    etag = bucket.call("PUT", "k", query=f"partNumber=1&{query}", body=BODY).header("etag")
    xml = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>".encode()
    )
    with bucket.unchanged():
        wrong = [(header_of("CRC64NVME"), value_of("CRC64NVME", b"else"))]
        refused(bucket.call("POST", "k", query=query, headers=wrong, body=xml), 400, "BadDigest")
    done = bucket.call("POST", "k", query=query, headers=[(header_of(algorithm), value_of(algorithm, b"else"))], body=xml)
    assert done.status == 200, done.body
    head = bucket.call("HEAD", "k", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert not head.has(header_of(algorithm))
    assert head.header(header_of("CRC64NVME")) == value_of("CRC64NVME", BODY)


def test_a_wrong_checksum_of_a_part_leaves_no_part(bucket: Shelf):
    upload_id = bucket.start("k", ChecksumAlgorithm="CRC32")
    with bucket.unchanged(), fails(400, "BadDigest"):
        bucket.s3.upload_part(
            Bucket=bucket.name, Key="k", UploadId=upload_id, PartNumber=1, Body=b"body", ChecksumCRC32="AAAAAA=="
        )
