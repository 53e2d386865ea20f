"""Buckets: names, owners, regions, lists of them, and their end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from . import signer
from .raw import RawClient, with_length
from .shelf import Shelf, fails, new_name, refused

LOCATION = b"<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>"


def test_create_head_location_and_delete(raw: RawClient):
    name = new_name()
    made = raw.call("PUT", name)
    assert (made.status, made.header("location")) == (200, f"/{name}")
    head = raw.call("HEAD", name)
    assert (head.status, head.header("x-amz-bucket-region")) == (200, signer.REGION)
    location = raw.call("GET", name, query="location")
    assert (location.xml.tag, location.xml.text) == ("LocationConstraint", signer.REGION)
    assert raw.call("DELETE", name).status == 204
    assert raw.call("HEAD", name).status == 404
    refused(raw.call("GET", name), 404, "NoSuchBucket")


@pytest.mark.parametrize("query", ["location", "location="])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_trailing_slash_is_the_same_bucket(bucket: Shelf, slash, query):
    answer = bucket.raw.call("GET", bucket.name, "" if slash else None, query=query)
    assert answer.status == 200
    assert answer.xml.text == signer.REGION


def test_trap_44_a_bucket_of_ones_own_is_told_apart_from_anothers(bucket: Shelf, stranger_s3):
    again = bucket.raw.call("PUT", bucket.name)
    refused(again, 409, "BucketAlreadyOwnedByYou")
    with bucket.unchanged(), fails(409, "BucketAlreadyExists"):
        stranger_s3.create_bucket(Bucket=bucket.name, CreateBucketConfiguration={"LocationConstraint": signer.REGION})


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "UpperCase",
        "under_score",
        "-dash",
        "dash-",
        ".dot",
        "dot.",
        "a..b",
        "a.-b",
        "a-.b",
        "192.168.1.1",
        "ü" * 4,
        "a b",
        "xn--abc",
        "a*b",
    ],
)
def test_trap_44_bad_names_are_refused(raw: RawClient, name):
    refused(raw.call("PUT", signer.encode_key(name)), 400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["a.b.c", "0abc", "abc0", "a-b-c", "123"])
def test_good_names(raw: RawClient, name):
    unique = f"{name}{new_name()[5:]}"
    assert raw.call("PUT", unique).status == 200
    assert raw.call("DELETE", unique).status == 204


@pytest.mark.parametrize("place", [b"", b"eu-central-1"])
def test_a_location_that_is_here(raw: RawClient, place):
    name = new_name()
    assert raw.call("PUT", name, body=LOCATION % place if place else b"").status == 200


def test_the_default_region_of_clients_makes_a_bucket_here(raw: RawClient):

    name = new_name()
    signed, _ = signer.sign_header(raw.ask("PUT", name), raw.keys, signer.EMPTY_SHA256, region="us-east-1")
    assert raw.send(with_length(replace(signed))).status == 200


@pytest.mark.parametrize("place", [b"us-west-2", b"EU", b"mars"])
def test_a_location_elsewhere_is_refused(raw: RawClient, place):
    name = new_name()
    codes = "IllegalLocationConstraintException", "InvalidLocationConstraint", "MalformedXML"
    refused(raw.call("PUT", name, body=LOCATION % place), 400, *codes)
    assert raw.call("HEAD", name).status == 404


@pytest.mark.parametrize(
    "xml",
    [
        b"nonsense",
        b"<Wrong/>",
        b"<CreateBucketConfiguration><Unknown/></CreateBucketConfiguration>",
        LOCATION.replace(b"%s", b"eu-central-1</LocationConstraint><LocationConstraint>eu-central-1"),
    ],
)
def test_t69_odd_configurations_of_a_new_bucket_are_refused(raw: RawClient, xml):
    """RustFS serde notes: unknown and doubled elements are never dropped."""
    name = new_name()
    refused(raw.call("PUT", name, body=xml), 400, "MalformedXML")
    assert raw.call("HEAD", name).status == 404


def test_trap_31_a_bucket_that_is_not_empty_stays(bucket: Shelf, versioned: Shelf):
    bucket.put("k", b"1")
    with bucket.unchanged():
        refused(bucket.call("DELETE"), 409, "BucketNotEmpty")
    bucket.s3.delete_object(Bucket=bucket.name, Key="k")
    assert bucket.call("DELETE").status == 204
    versioned.put("k", b"1")
    versioned.s3.delete_object(Bucket=versioned.name, Key="k")
    with versioned.unchanged():
        refused(versioned.call("DELETE"), 409, "BucketNotEmpty")


def test_a_bucket_made_again_is_empty(bucket: Shelf):
    bucket.put("k", b"1")
    bucket.s3.delete_object(Bucket=bucket.name, Key="k")
    assert bucket.call("DELETE").status == 204
    refused(bucket.call("PUT", "k", body=b"1"), 404, "NoSuchBucket")
    assert bucket.call("PUT").status == 200
    assert bucket.keys() == []
    refused(bucket.call("GET", "k"), 404, "NoSuchKey")
    bucket.put("k", b"2")
    assert bucket.get("k") == b"2"


def test_all_workers_see_a_new_bucket_and_its_end_at_once(raw: RawClient):
    for _ in range(10):
        name = new_name()
        assert raw.call("PUT", name).status == 200
        assert {raw.call("PUT", name, "k", body=b"1").status for _ in range(6)} == {200}
        assert raw.call("DELETE", name, "k").status == 204
        assert raw.call("DELETE", name).status == 204
        assert {raw.call("PUT", name, "k", body=b"1").status for _ in range(6)} == {404}


def test_buckets_are_listed_by_name_prefix_and_page(s3):
    stem = new_name()
    names = [f"{stem}-{letter}" for letter in "abcde"]
    for name in reversed(names):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": signer.REGION})
    everything = s3.list_buckets()
    assert [b["Name"] for b in everything["Buckets"]] == sorted(b["Name"] for b in everything["Buckets"])
    assert everything["Owner"]["ID"]
    found, token = [], {}
    while True:
        page = s3.list_buckets(Prefix=stem, MaxBuckets=2, **token)
        assert len(page["Buckets"]) <= 2
        found += [b["Name"] for b in page["Buckets"]]
        assert all(b.get("BucketRegion", signer.REGION) == signer.REGION for b in page["Buckets"])
        if "ContinuationToken" not in page:
            break
        token = {"ContinuationToken": page["ContinuationToken"]}
    assert found == names


@pytest.mark.parametrize(
    "query", ["max-buckets=0", "max-buckets=-1", "max-buckets=x", "max-buckets=10001", "continuation-token=%00"]
)
def test_odd_pages_of_buckets_are_refused(raw: RawClient, query):
    refused(raw.call("GET", query=query), 400, "InvalidArgument")


def test_trap_42_a_missing_bucket_is_told_before_a_missing_key_or_sub_resource(raw: RawClient):
    missing = new_name()
    for method, key, query in [
        ("GET", "k", ""),
        ("PUT", "k", ""),
        ("DELETE", "k", ""),
        ("GET", None, ""),
        ("GET", None, "location"),
        ("GET", None, "versioning"),
        ("GET", None, "uploads"),
        ("POST", "k", "uploads"),
        ("GET", "k", "uploadId=x"),
        ("GET", "k", "versionId=null"),
        ("DELETE", None, ""),
    ]:
        refused(raw.call(method, missing, key, query=query), 404, "NoSuchBucket")
    assert raw.call("HEAD", missing).status == 404


def test_virtual_host_style(bucket: Shelf):
    port = bucket.raw.address[1]
    host = f"{bucket.name}.s3.localhost:{port}"
    raw = bucket.raw
    put = raw.ask("PUT", "a/b", body=b"hello").set_header("Host", host)
    assert raw.send(raw.sign(put)).status == 200
    assert bucket.get("a/b") == b"hello"
    listing = raw.ask("GET", query="list-type=2").set_header("Host", host)
    assert raw.send(raw.sign(listing)).xml.findtext("Contents/Key") == "a/b"
    upper = raw.ask("GET", query="list-type=2").set_header("Host", host.replace("s3.localhost", "S3.LocalHost"))
    assert raw.send(raw.sign(upper)).status == 200
    service = raw.ask("GET").set_header("Host", f"s3.localhost:{port}")
    assert raw.send(raw.sign(service)).xml.tag == "ListAllMyBucketsResult"
    unknown = raw.ask("GET").set_header("Host", f"{new_name()}.s3.localhost:{port}")
    refused(raw.send(raw.sign(unknown)), 404, "NoSuchBucket")
