"""Deleting many objects with one request."""

from __future__ import annotations

import base64
import hashlib
from xml.sax.saxutils import escape

import pytest
from awscrt import checksums

from .raw import Answer
from .shelf import Shelf, b64, md5_b64, quoted_md5, refused, sha256_b64


def delete_xml(keys: list[str], *, quiet: bool = False, versions: dict[str, str] | None = None) -> bytes:

    rows = "".join(
        f"<Object><Key>{escape(key)}</Key>"
        + (f"<VersionId>{(versions or {})[key]}</VersionId>" if key in (versions or {}) else "")
        + "</Object>"
        for key in keys
    )
    return f"<Delete>{'<Quiet>true</Quiet>' if quiet else ''}{rows}</Delete>".encode()


def delete(bucket: Shelf, xml: bytes, **headers: str) -> Answer:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()] or [("Content-MD5", md5_b64(xml))]
    return bucket.call("POST", query="delete", headers=pairs, body=xml)


PROOFS = {
    "Content-MD5": md5_b64,
    "x-amz-checksum-crc32": lambda data: b64(checksums.crc32(data).to_bytes(4)),
    "x-amz-checksum-crc32c": lambda data: b64(checksums.crc32c(data).to_bytes(4)),
    "x-amz-checksum-crc64nvme": lambda data: b64(checksums.crc64nvme(data).to_bytes(8)),
    "x-amz-checksum-sha1": lambda data: b64(hashlib.sha1(data, usedforsecurity=False).digest()),
    "x-amz-checksum-sha256": sha256_b64,
}


@pytest.mark.parametrize("proof", PROOFS)
def test_trap_30_a_content_md5_or_any_checksum_will_do(bucket: Shelf, proof):
    bucket.put("k", b"1")
    xml = delete_xml(["k"])
    answer = delete(bucket, xml, **{proof: PROOFS[proof](xml)})
    assert answer.status == 200, answer.body
    assert [node.text for node in answer.xml.findall("Deleted/Key")] == ["k"]
    assert bucket.keys() == []


@pytest.mark.parametrize("proof", PROOFS)
def test_trap_30_a_wrong_one_is_refused(bucket: Shelf, proof):
    bucket.put("k", b"1")
    with bucket.unchanged():
        answer = delete(bucket, delete_xml(["k"]), **{proof: PROOFS[proof](b"else")})
        refused(answer, 400, "BadDigest")


def test_trap_30_neither_is_refused(bucket: Shelf):
    bucket.put("k", b"1")
    with bucket.unchanged():
        answer = bucket.call("POST", query="delete", body=delete_xml(["k"]))
        refused(answer, 400, "InvalidRequest", "MissingContentMD5", "InvalidDigest")


def test_trap_30_missing_keys_count_as_deleted(bucket: Shelf):
    bucket.put("there", b"1")
    answer = delete(bucket, delete_xml(["there", "missing"]))
    assert sorted(node.text or "" for node in answer.xml.findall("Deleted/Key")) == ["missing", "there"]
    assert answer.xml.find("Error") is None


def test_trap_30_quiet_hides_successes_only(bucket: Shelf):
    for key in ("a", "b"):
        bucket.put(key, key.encode())
    xml = (
        f"<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object><Object><Key>b</Key><ETag>{quoted_md5(b'other')}</ETag></Object></Delete>"
    ).encode()
    answer = delete(bucket, xml)
    assert answer.status == 200
    assert answer.xml.find("Deleted") is None
    assert [(node.findtext("Key"), node.findtext("Code")) for node in answer.xml.findall("Error")] == [
        ("b", "PreconditionFailed")
    ]
    assert bucket.keys() == ["b"]


def test_trap_30_a_thousand_keys_and_no_more(bucket: Shelf):
    for key in ("0000", "0999"):
        bucket.put(key, b"1")
    keys = [f"{number:04}" for number in range(1001)]
    with bucket.unchanged():
        refused(delete(bucket, delete_xml(keys)), 400, "MalformedXML")
    answer = delete(bucket, delete_xml(keys[:1000]))
    assert len(answer.xml.findall("Deleted")) == 1000
    assert bucket.keys() == []


def test_t70_a_thousand_and_one_deletes(bucket: Shelf):
    """Class: one more than the limit is refused whole."""
    bucket.put("k", b"1")
    with bucket.unchanged():
        refused(delete(bucket, delete_xml(["k"] * 1001)), 400, "MalformedXML")


def test_versions_and_markers(versioned: Shelf):
    old = versioned.put("k", b"old")["VersionId"]
    versioned.put("k", b"new")
    by_version = delete(versioned, delete_xml(["k"], versions={"k": old}))
    assert by_version.xml.findtext("Deleted/VersionId") == old
    by_key = delete(versioned, delete_xml(["k"]))
    assert by_key.xml.findtext("Deleted/DeleteMarker") == "true"
    marker = by_key.xml.findtext("Deleted/DeleteMarkerVersionId") or ""
    assert versioned.keys() == []
    again = delete(versioned, delete_xml(["k"], versions={"k": marker}))
    assert again.xml.findtext("Deleted/DeleteMarker") == "true"
    assert versioned.get("k") == b"new"


def test_a_malformed_version_is_an_error_of_its_key_alone(versioned: Shelf):
    versioned.put("a", b"1")
    versioned.put("b", b"1")
    answer = delete(versioned, delete_xml(["a", "b"], versions={"a": "nonsense"}))
    assert answer.status == 200
    assert (answer.xml.findtext("Error/Key"), answer.xml.findtext("Error/Code")) == ("a", "NoSuchVersion")
    assert versioned.keys() == ["a"]


def test_conditions_of_single_keys(bucket: Shelf):
    bucket.put("a", b"1")
    bucket.put("b", b"1")
    done = bucket.s3.delete_objects(
        Bucket=bucket.name,
        Delete={"Objects": [{"Key": "a", "ETag": quoted_md5(b"1")}, {"Key": "b", "ETag": quoted_md5(b"2")}]},
    )
    assert [row["Key"] for row in done["Deleted"]] == ["a"]
    assert [(row["Key"], row["Code"]) for row in done["Errors"]] == [("b", "PreconditionFailed")]
    assert bucket.keys() == ["b"]


def test_the_same_key_twice(bucket: Shelf):
    bucket.put("k", b"1")
    answer = delete(bucket, delete_xml(["k", "k"]))
    assert answer.status == 200
    assert bucket.keys() == []


def test_the_sdk_deletes_without_content_md5(bucket: Shelf):
    names = ["a b", "ü", "x/../y", "<&>"]
    for key in names:
        bucket.put(key, b"1")
    done = bucket.s3.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": key} for key in names]})
    assert sorted(row["Key"] for row in done["Deleted"]) == sorted(names)
    assert bucket.keys() == []


@pytest.mark.parametrize("key", ["../other/k", "..%2fother/k", "/k", "k/../../x", "\\..\\k", "%2e%2e/k", "", "k" * 1025])
def test_t51_seaweedfs_cve_2026_58372_paths_inside_the_xml(bucket: Shelf, second_bucket: Shelf, key):
    bucket.put("k", b"1")
    second_bucket.put("k", b"1")
    with bucket.unchanged(), second_bucket.unchanged():
        answer = delete(bucket, delete_xml([key]))
        assert answer.status in {200, 400}
        if answer.status == 200 and answer.xml.find("Deleted") is not None:
            assert answer.xml.findtext("Deleted/Key") == key


def test_keys_beyond_ascii_and_with_controls_can_be_deleted(bucket: Shelf):
    bucket.call("PUT", "tab\tkey", body=b"1")
    xml = b"<Delete><Object><Key>tab&#9;key</Key></Object></Delete>"
    assert delete(bucket, xml).xml.findtext("Deleted/Key") == "tab\tkey"
    assert bucket.keys() == []
    assert base64.b64decode(md5_b64(b"")).hex() == "d41d8cd98f00b204e9800998ecf8427e"
