"""Tags of objects: set, read, replaced and taken away, on the current or a named version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .shelf import Shelf, blob_files, everything_on_disk, fails, md5_b64, refused


def tag_set(tags: dict[str, str]) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def put_tags(bucket: Shelf, key: str, tags: dict[str, str], **options: Any) -> Any:
    return bucket.s3.put_object_tagging(Bucket=bucket.name, Key=key, Tagging=tag_set(tags), **options)


def get_tags(bucket: Shelf, key: str, **options: Any) -> dict[str, str]:
    found = bucket.s3.get_object_tagging(Bucket=bucket.name, Key=key, **options)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def test_trap_39_an_object_without_tags_has_an_empty_set(bucket: Shelf):
    bucket.put("k", b"1")
    assert get_tags(bucket, "k") == {}
    assert "TagCount" not in bucket.head("k")


def test_trap_39_tags_are_put_read_replaced_and_deleted(bucket: Shelf):
    bucket.put("k", b"1", Tagging="a=1&b=x%3Dy")
    assert get_tags(bucket, "k") == {"a": "1", "b": "x=y"}
    put_tags(bucket, "k", {"ü": "", "c": "with = and spaces"})
    assert get_tags(bucket, "k") == {"ü": "", "c": "with = and spaces"}
    before = bucket.head("k")
    assert before["TagCount"] == 2
    bucket.s3.delete_object_tagging(Bucket=bucket.name, Key="k")
    assert get_tags(bucket, "k") == {}
    after = bucket.head("k")
    assert (after["ETag"], after["LastModified"]) == (before["ETag"], before["LastModified"])
    assert bucket.get("k") == b"1"


def test_tags_go_with_a_version(versioned: Shelf):
    old = versioned.put("k", b"old", Tagging="v=old")["VersionId"]
    new = versioned.put("k", b"new")["VersionId"]
    done = put_tags(versioned, "k", {"v": "changed"}, VersionId=old)
    assert done["VersionId"] == old
    assert get_tags(versioned, "k", VersionId=old) == {"v": "changed"}
    assert get_tags(versioned, "k") == get_tags(versioned, "k", VersionId=new) == {}
    put_tags(versioned, "k", {"v": "new"})
    versioned.s3.delete_object_tagging(Bucket=versioned.name, Key="k", VersionId=old)
    assert (get_tags(versioned, "k"), get_tags(versioned, "k", VersionId=old)) == ({"v": "new"}, {})


def test_tags_of_nothing(versioned: Shelf):
    with fails(404, "NoSuchKey"):
        get_tags(versioned, "k")
    with fails(404, "NoSuchKey"):
        put_tags(versioned, "k", {"a": "1"})
    version = versioned.put("k", b"1")["VersionId"]
    marker = versioned.s3.delete_object(Bucket=versioned.name, Key="k")["VersionId"]
    with fails(404, "NoSuchKey"):
        put_tags(versioned, "k", {"a": "1"})
    with fails(405, "MethodNotAllowed"):
        put_tags(versioned, "k", {"a": "1"}, VersionId=marker)
    with fails(404, "NoSuchVersion"):
        get_tags(versioned, "k", VersionId="A" * 22)
    with fails(400, "InvalidArgument"):
        get_tags(versioned, "k", VersionId="nonsense")
    put_tags(versioned, "k", {"a": "1"}, VersionId=version)


@pytest.mark.parametrize(
    "tags",
    [
        {f"k{number}": "v" for number in range(11)},
        {"k" * 129: "v"},
        {"k": "v" * 257},
        {"": "v"},
        {"aws:k": "v"},
        {"k": "a\u0001b"},
        {"k?": "v"},
    ],
    ids=["eleven", "long key", "long value", "no key", "reserved", "control", "mark"],
)
def test_trap_39_tags_beyond_the_rules_change_nothing(bucket: Shelf, tags):
    bucket.put("k", b"1", Tagging="a=1")
    with fails(400, "InvalidTag", "MalformedXML"):
        put_tags(bucket, "k", tags)
    assert get_tags(bucket, "k") == {"a": "1"}


def test_trap_39_the_greatest_tags_fit(bucket: Shelf):
    bucket.put("k", b"1")
    tags = {f"{number}{'k' * 127}": "ü" * 256 for number in range(10)}
    put_tags(bucket, "k", tags)
    assert get_tags(bucket, "k") == tags


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"<Tagging/>",
        b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet/><TagSet/></Tagging>",
        b"<!DOCTYPE x><Tagging><TagSet/></Tagging>",
    ],
)
def test_t69_odd_bodies_are_refused(bucket: Shelf, xml):
    """Class: XML that is not what the operation takes."""
    bucket.put("k", b"1", Tagging="a=1")
    answer = bucket.call("PUT", "k", query="tagging", headers=[("Content-MD5", md5_b64(xml))], body=xml)
    refused(answer, 400, "MalformedXML", "MissingRequestBodyError")
    assert get_tags(bucket, "k") == {"a": "1"}


def test_a_key_twice_is_refused(bucket: Shelf):
    bucket.put("k", b"1")
    tag = "<Tag><Key>a</Key><Value>1</Value></Tag>"
    xml = f"<Tagging><TagSet>{tag}{tag}</TagSet></Tagging>".encode()
    answer = bucket.call("PUT", "k", query="tagging", headers=[("Content-MD5", md5_b64(xml))], body=xml)
    refused(answer, 400, "InvalidTag")


def test_copies_take_tags_along(bucket: Shelf):
    bucket.put("k", b"1")
    put_tags(bucket, "k", {"a": "1"})
    source = {"Bucket": bucket.name, "Key": "k"}
    bucket.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=source)
    bucket.s3.copy_object(Bucket=bucket.name, Key="new", CopySource=source, TaggingDirective="REPLACE", Tagging="b=2")
    assert (get_tags(bucket, "copy"), get_tags(bucket, "new")) == ({"a": "1"}, {"b": "2"})


def test_tags_of_an_object_with_a_customers_key_need_no_key(bucket: Shelf):
    bucket.put("k", b"1", SSECustomerAlgorithm="AES256", SSECustomerKey=bytes(32), Tagging="a=1")
    put_tags(bucket, "k", {"b": "2"})
    assert get_tags(bucket, "k") == {"b": "2"}
    got = bucket.s3.get_object(Bucket=bucket.name, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey=bytes(32))
    assert got["Body"].read() == b"1"


def test_tags_rest_sealed(bucket: Shelf):
    bucket.put("k", b"1")
    put_tags(bucket, "k", {"canary-tag-key": "canary-tag-value"})
    bucket.put("large", bytes(200_000))
    assert blob_files(bucket, 100_000)
    assert b"canary-tag" not in everything_on_disk(bucket)


def test_concurrent_changes_leave_one_of_them_whole(bucket: Shelf):
    bucket.put("k", b"1")
    wanted = [{f"a{number}": str(number), f"b{number}": str(number)} for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda tags: put_tags(bucket, "k", tags), wanted))
    assert get_tags(bucket, "k") in wanted
    assert len(bucket.versions()) == 1
