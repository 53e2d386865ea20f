"""Configurations of buckets: each is put, read as it was put, replaced, deleted, and gone with its bucket."""

from __future__ import annotations

from .raw import RawClient
from .shelf import Shelf, fails, md5_b64, new_name, refused

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
