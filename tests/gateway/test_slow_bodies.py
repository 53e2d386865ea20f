"""While the body of a request is on its way, its bucket may change, or become another: what counts is how it is in the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from .form import signed_form
from .shelf import fails, md5_b64, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from .raw import Answer
    from .service import Keys
    from .shelf import Shelf
    from .signer import Ask

# The head has long been understood by then.
UNDER_WAY_S = 0.2
DELETE = b"<Delete><Object><Key>k</Key></Object></Delete>"
ENCRYPTION = (
    b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
    b"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
)


def slowly(bucket: Shelf, ask: Ask, meanwhile: Callable[[], object]) -> Answer:
    """Send a request but for its last bytes, let something happen, then send those."""
    with bucket.raw.connect() as wire:
        wire.send(ask.wire()[:-3])
        time.sleep(UNDER_WAY_S)
        meanwhile()
        wire.send(ask.wire()[-3:])
        return wire.read()


def signed(bucket: Shelf, method: str, key: str | None, query: str, body: bytes) -> Ask:
    headers = [("Content-MD5", md5_b64(body))]
    return bucket.raw.sign(bucket.raw.ask(method, bucket.name, key, query=query, headers=headers, body=body))


def make_anew(bucket: Shelf) -> None:
    bucket.s3.delete_bucket(Bucket=bucket.name)
    bucket.s3.create_bucket(Bucket=bucket.name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})


def test_a_delete_of_many_in_a_bucket_that_has_begun_to_keep_versions_removes_none(bucket: Shelf) -> None:
    bucket.put("k", b"precious")
    answer = slowly(bucket, signed(bucket, "POST", None, "delete=", DELETE), bucket.version)
    assert (answer.status, b"<DeleteMarker>true" in answer.body) == (200, True)
    assert bucket.get("k", VersionId="null") == b"precious"


def test_an_upload_that_is_completed_then_becomes_one_more_version(bucket: Shelf) -> None:
    bucket.put("k", b"precious")
    upload_id = bucket.start("k")
    part = bucket.part("k", upload_id, 1, b"new")
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part['ETag']}</ETag></Part></CompleteMultipartUpload>"
    )
    assert slowly(bucket, signed(bucket, "POST", "k", f"uploadId={upload_id}", body.encode()), bucket.version).status == 200
    assert bucket.get("k") == b"new"
    assert bucket.get("k", VersionId="null") == b"precious"


def test_a_configuration_that_arrives_late_takes_back_no_other_one(bucket: Shelf) -> None:
    assert slowly(bucket, signed(bucket, "PUT", None, "encryption=", ENCRYPTION), bucket.version).status == 200
    assert bucket.s3.get_bucket_versioning(Bucket=bucket.name)["Status"] == "Enabled"
    bucket.put("k", b"1")
    bucket.put("k", b"2")
    assert len(bucket.versions()) == 2


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [("PUT", "encryption=", ENCRYPTION), ("POST", "delete=", DELETE), ("PUT", "policy=", b'{"Version": "2012-10-17"}')],
)
def test_what_is_meant_for_a_bucket_that_is_gone_does_not_reach_the_one_of_the_same_name(
    bucket: Shelf, method: str, query: str, body: bytes
) -> None:
    answer = slowly(bucket, signed(bucket, method, None, query, body), lambda: (make_anew(bucket), bucket.put("k", b"other")))
    assert b"<Code>NoSuchBucket</Code>" in answer.body
    assert bucket.get("k") == b"other"
    if query == "policy=":
        with fails(404, "NoSuchBucketPolicy"):
            bucket.s3.get_bucket_policy(Bucket=bucket.name)


def test_a_form_for_a_bucket_that_is_gone_is_refused(bucket: Shelf, owner: Keys) -> None:
    form = signed_form(owner, bucket.name).ask(bucket.raw, f"/{bucket.name}")
    refused(slowly(bucket, form, lambda: make_anew(bucket)), 404, "NoSuchBucket")
    assert bucket.keys() == []
