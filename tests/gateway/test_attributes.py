"""GetObjectAttributes."""

from __future__ import annotations

import base64
import hashlib

import pytest

from .shelf import MIB, Shelf, fails, md5_hex, refused, seeded, sha256_b64

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


def attributes(bucket: Shelf, key: str, wanted: list[str], **options: object) -> dict[str, object]:
    found = bucket.s3.get_object_attributes(Bucket=bucket.name, Key=key, ObjectAttributes=wanted, **options)
    found.pop("ResponseMetadata")
    return dict(found)


def test_all_attributes_of_a_plain_object(bucket: Shelf):
    bucket.put("k", b"hello", ChecksumAlgorithm="SHA256")
    found = attributes(bucket, "k", ALL)
    assert found["ETag"] == md5_hex(b"hello")  # here, and only here, without quotes
    assert found["ObjectSize"] == 5
    assert found["StorageClass"] == "STANDARD"
    assert found["Checksum"] == {"ChecksumSHA256": sha256_b64(b"hello"), "ChecksumType": "FULL_OBJECT"}
    assert "ObjectParts" not in found
    assert found["LastModified"] == bucket.head("k")["LastModified"]


@pytest.mark.parametrize("wanted", ALL)
def test_only_what_was_asked_for(bucket: Shelf, wanted):
    bucket.put("k", b"hello")
    found = attributes(bucket, "k", [wanted])
    assert set(found) - {"LastModified"} <= {wanted}


def test_parts_of_a_multipart_object(bucket: Shelf):
    upload_id = bucket.start("k", ChecksumAlgorithm="SHA256")
    bodies = [seeded(5 * MIB, 1), seeded(5 * MIB, 2), b"end"]
    bucket.complete(
        "k", upload_id, [bucket.part("k", upload_id, n, body, ChecksumAlgorithm="SHA256") for n, body in enumerate(bodies, 1)]
    )
    found = attributes(bucket, "k", ["Checksum", "ObjectParts"])
    # Here, and only here, without the number of parts.
    whole = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(body).digest() for body in bodies)).digest()).decode()
    assert found["Checksum"] == {"ChecksumSHA256": whole, "ChecksumType": "COMPOSITE"}
    parts = found["ObjectParts"]
    assert parts["TotalPartsCount"] == 3
    assert [(part["PartNumber"], part["Size"], part["ChecksumSHA256"]) for part in parts["Parts"]] == [
        (number, len(body), sha256_b64(body)) for number, body in enumerate(bodies, 1)
    ]
    page = attributes(bucket, "k", ["ObjectParts"], MaxParts=1, PartNumberMarker=1)["ObjectParts"]
    assert [part["PartNumber"] for part in page["Parts"]] == [2]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["PartNumberMarker"], page["MaxParts"]) == (True, 2, 1, 1)


def test_versions_and_markers(versioned: Shelf):
    old = versioned.put("k", b"old")["VersionId"]
    versioned.put("k", b"newer")
    assert attributes(versioned, "k", ["ObjectSize"], VersionId=old)["ObjectSize"] == 3
    marker = versioned.s3.delete_object(Bucket=versioned.name, Key="k")["VersionId"]
    with fails(404, "NoSuchKey"):
        attributes(versioned, "k", ["ObjectSize"])
    with fails(405, "MethodNotAllowed"):
        attributes(versioned, "k", ["ObjectSize"], VersionId=marker)


@pytest.mark.parametrize("wanted", ["", "Nonsense", "ETag,Nonsense", "etag"])
def test_unknown_attributes_are_refused(bucket: Shelf, wanted):
    bucket.put("k", b"hello")
    answer = bucket.call("GET", "k", query="attributes", headers=[("x-amz-object-attributes", wanted)])
    refused(answer, 400, "InvalidArgument", "InvalidRequest")


def test_the_header_must_be_there(bucket: Shelf):
    bucket.put("k", b"hello")
    refused(bucket.call("GET", "k", query="attributes"), 400, "InvalidArgument", "InvalidRequest")


def test_of_a_missing_key(bucket: Shelf):
    with fails(404, "NoSuchKey"):
        attributes(bucket, "missing", ALL)
