"""Configurations of buckets: each is put, read as it was put, replaced, deleted, and gone with its bucket."""

from __future__ import annotations

from typing import Any

import pytest

from .raw import RawClient
from .service import Service
from .shelf import Shelf, fails, md5_b64, new_name, refused
from .signer import REGION

ALL_ON = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


def test_a_new_bucket_blocks_the_public(bucket: Shelf):
    found = bucket.s3.get_public_access_block(Bucket=bucket.name)
    assert found["PublicAccessBlockConfiguration"] == ALL_ON


def test_a_public_access_block_is_put_read_and_deleted(bucket: Shelf):
    wanted = ALL_ON | {"BlockPublicPolicy": False}
    bucket.s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=wanted)
    for _ in range(6):  # on every worker
        found = bucket.s3.get_public_access_block(Bucket=bucket.name)
        assert found["PublicAccessBlockConfiguration"] == wanted
    bucket.s3.delete_public_access_block(Bucket=bucket.name)
    for _ in range(6):
        with fails(404, "NoSuchPublicAccessBlockConfiguration"):
            bucket.s3.get_public_access_block(Bucket=bucket.name)
    bucket.s3.delete_public_access_block(Bucket=bucket.name)


def test_configurations_are_gone_with_their_bucket(raw: RawClient, s3):
    name = new_name()
    assert raw.call("PUT", name).status == 200
    s3.delete_public_access_block(Bucket=name)
    assert raw.call("DELETE", name).status == 204
    refused(raw.call("GET", name, query="publicAccessBlock"), 404, "NoSuchBucket")
    assert raw.call("PUT", name).status == 200
    assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"] == ALL_ON


BLOCK = b"<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>"


def test_trap_30_a_configuration_comes_with_its_digest(bucket: Shelf):
    refused(bucket.call("PUT", query="publicAccessBlock", body=BLOCK), 400, "InvalidRequest")
    wrong = [("Content-MD5", md5_b64(b"something else"))]
    refused(bucket.call("PUT", query="publicAccessBlock", headers=wrong, body=BLOCK), 400, "BadDigest")
    assert bucket.s3.get_public_access_block(Bucket=bucket.name)["PublicAccessBlockConfiguration"] == ALL_ON
    right = [("Content-MD5", md5_b64(BLOCK))]
    assert bucket.call("PUT", query="publicAccessBlock", headers=right, body=BLOCK).status == 200
    checksum = [("x-amz-checksum-crc32", "AAAAAA==")]
    refused(bucket.call("PUT", query="publicAccessBlock", headers=checksum, body=BLOCK), 400, "BadDigest")


def test_ownership_controls_are_the_owners_alone(bucket: Shelf):
    s3, name = bucket.s3, bucket.name
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"] == enforced
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=enforced)
    for other in ("BucketOwnerPreferred", "ObjectWriter"):
        with fails(501, "NotImplemented") as refusal:
            s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": other}]})
        assert "Access control lists are off" in str(refusal.value)
        with fails(501, "NotImplemented"):
            s3.create_bucket(Bucket=new_name(), ObjectOwnership=other)
    assert s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"] == enforced
    s3.delete_bucket_ownership_controls(Bucket=name)
    with fails(404, "OwnershipControlsNotFoundError"):
        s3.get_bucket_ownership_controls(Bucket=name)


def test_a_bucket_may_be_created_with_its_ownership(s3):
    name = new_name()
    s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]


def test_the_owner_has_full_control_and_no_list_changes_that(bucket: Shelf):
    s3, name = bucket.s3, bucket.name
    version = bucket.put("k", b"1")
    found = s3.get_bucket_acl(Bucket=name)
    owner = found["Owner"]["ID"]
    assert [(grant["Grantee"]["ID"], grant["Permission"]) for grant in found["Grants"]] == [(owner, "FULL_CONTROL")]
    assert s3.get_object_acl(Bucket=name, Key="k")["Grants"] == found["Grants"]
    same = {"Owner": found["Owner"], "Grants": found["Grants"]}
    s3.put_bucket_acl(Bucket=name, AccessControlPolicy=same)
    s3.put_object_acl(Bucket=name, Key="k", AccessControlPolicy=same)
    for canned in ("private", "bucket-owner-full-control"):
        s3.put_bucket_acl(Bucket=name, ACL=canned)
        s3.put_object_acl(Bucket=name, Key="k", ACL=canned)
    everyone = {"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}
    wider = {"Owner": found["Owner"], "Grants": [*found["Grants"], everyone]}
    for wanted in ({"ACL": "public-read"}, {"AccessControlPolicy": wider}, {"GrantRead": f'id="{owner}"'}):
        with fails(400, "AccessControlListNotSupported"):
            s3.put_bucket_acl(Bucket=name, **wanted)
        with fails(400, "AccessControlListNotSupported"):
            s3.put_object_acl(Bucket=name, Key="k", **wanted)
    refused(bucket.call("PUT", query="acl"), 400, "MissingSecurityHeader")
    with fails(404, "NoSuchKey"):
        s3.get_object_acl(Bucket=name, Key="absent")
    with fails(404, "NoSuchKey"):
        s3.put_object_acl(Bucket=name, Key="absent", ACL="private")
    assert "VersionId" not in version


def test_the_list_of_a_version(versioned: Shelf):
    version_id = versioned.put("k", b"1")["VersionId"]
    assert versioned.s3.get_object_acl(Bucket=versioned.name, Key="k", VersionId=version_id)["Grants"]
    assert versioned.call("GET", "k", query="acl").header("x-amz-version-id") == version_id
    with fails(404, "NoSuchVersion"):
        versioned.s3.get_object_acl(Bucket=versioned.name, Key="k", VersionId="null")


def test_trap_39_tags_of_a_bucket(bucket: Shelf):
    s3, name = bucket.s3, bucket.name
    tags = [{"Key": "z", "Value": "a=b"}, {"Key": "a", "Value": ""}]
    with fails(404, "NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=name)
    answer = s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
    for bad in (many, [*tags, tags[0]], [{"Key": "aws:x", "Value": ""}], [{"Key": "k" * 129, "Value": ""}]):
        with fails(400, "InvalidTag"):
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": bad})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": many[:50]})
    assert len(s3.get_bucket_tagging(Bucket=name)["TagSet"]) == 50
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": []})
    with fails(404, "NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    s3.delete_bucket_tagging(Bucket=name)
    with fails(404, "NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=name)


def test_a_bucket_may_be_created_with_tags(s3):
    name, tags = new_name(), [{"Key": "team", "Value": "shelf"}]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION, "Tags": tags})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    with fails(400, "InvalidTag"):
        s3.create_bucket(Bucket=new_name(), CreateBucketConfiguration={"LocationConstraint": REGION, "Tags": tags * 2})


AES = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
OWN_KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}


def encryption_of(bucket: Shelf) -> dict[str, Any]:
    found = bucket.s3.get_bucket_encryption(Bucket=bucket.name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert len(found) == 1
    rule: dict[str, Any] = found[0]
    return rule


def test_a_bucket_always_shows_the_default_encryption(bucket: Shelf):
    expected = AES["Rules"][0] | {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    assert encryption_of(bucket) == expected
    bucket.s3.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration=AES)
    assert encryption_of(bucket) == expected
    bucket.s3.delete_bucket_encryption(Bucket=bucket.name)
    assert encryption_of(bucket) == expected


def test_a_new_bucket_of_a_service_as_it_comes_blocks_customers_keys(tls_bucket: Shelf):
    assert encryption_of(tls_bucket)["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
    with fails(403, "AccessDenied"):
        tls_bucket.put("k", b"1", **OWN_KEY)
    allowing = {"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]}
    tls_bucket.s3.put_bucket_encryption(Bucket=tls_bucket.name, ServerSideEncryptionConfiguration=allowing)
    assert encryption_of(tls_bucket)["BlockedEncryptionTypes"] == {"EncryptionType": ["NONE"]}
    tls_bucket.put("k", b"1", **OWN_KEY)
    tls_bucket.s3.delete_bucket_encryption(Bucket=tls_bucket.name)
    with fails(403, "AccessDenied"):
        tls_bucket.put("k", b"1", **OWN_KEY)
    assert tls_bucket.get("k", **OWN_KEY) == b"1"


def test_customers_keys_can_be_blocked(bucket: Shelf):
    bucket.put("k", b"1", **OWN_KEY)
    blocking = {"Rules": [AES["Rules"][0] | {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}]}
    bucket.s3.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration=blocking)
    for _ in range(6):  # on every worker
        with fails(403, "AccessDenied"):
            bucket.put("k2", b"1", **OWN_KEY)
    assert bucket.get("k", **OWN_KEY) == b"1"


def test_a_default_of_another_service_is_refused_clearly(bucket: Shelf):
    other = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:fsx"}}]}
    with fails(501, "NotImplemented") as refusal:
        bucket.s3.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration=other)
    assert "another service" in str(refusal.value)
    assert encryption_of(bucket)["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


@pytest.mark.parametrize(
    "query", ["publicAccessBlock", "ownershipControls", "tagging", "encryption", "acl", "website", "analytics", "versioning"]
)
def test_t35_a_configuration_call_may_insist_on_the_owner(bucket: Shelf, query):
    owner = bucket.s3.get_bucket_acl(Bucket=bucket.name)["Owner"]["ID"]
    for method in ("GET", "PUT", "DELETE"):
        with bucket.unchanged():
            wrong = bucket.call(method, query=query, headers=[("x-amz-expected-bucket-owner", "999999999999")])
            assert wrong.status in {403, 405, 400}
            assert wrong.code in {"AccessDenied", "MethodNotAllowed", "InvalidArgument"}
    right = bucket.call("GET", query=query, headers=[("x-amz-expected-bucket-owner", owner)])
    assert right.status in {200, 404}


@pytest.mark.parametrize("query", ["publicAccessBlock", "ownershipControls", "tagging", "encryption", "acl", "website"])
def test_t35_configurations_are_not_a_strangers(bucket: Shelf, service: Service, query):
    stranger = service.raw(service.stranger)
    for method in ("GET", "PUT"):
        refused(stranger.call(method, bucket.name, query=query), 403, "AccessDenied")
