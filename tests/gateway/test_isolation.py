"""Other accounts and anonymous callers: nothing of the owner's is theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from . import signer
from .raw import Answer, RawClient, with_length
from .service import Service
from .shelf import Shelf, fails, make_shelf, md5_b64, refused

DELETE = b"<Delete><Object><Key>k</Key></Object></Delete>"
VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
COMPLETE = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"

# Every operation that there is: method, whether on the object, query, headers, body.
OPERATIONS: dict[str, tuple[str, bool, str, list[tuple[str, str]], bytes]] = {
    "HeadBucket": ("HEAD", False, "", [], b""),
    "DeleteBucket": ("DELETE", False, "", [], b""),
    "GetBucketLocation": ("GET", False, "location", [], b""),
    "GetBucketVersioning": ("GET", False, "versioning", [], b""),
    "PutBucketVersioning": ("PUT", False, "versioning", [], VERSIONING),
    "ListObjects": ("GET", False, "", [], b""),
    "ListObjectsV2": ("GET", False, "list-type=2", [], b""),
    "ListObjectVersions": ("GET", False, "versions", [], b""),
    "ListMultipartUploads": ("GET", False, "uploads", [], b""),
    "DeleteObjects": ("POST", False, "delete", [("Content-MD5", md5_b64(DELETE))], DELETE),
    "PutObject": ("PUT", True, "", [], b"evil"),
    "GetObject": ("GET", True, "", [], b""),
    "GetObject of a version": ("GET", True, "versionId=null", [], b""),
    "GetObject of a part": ("GET", True, "partNumber=1", [], b""),
    "HeadObject": ("HEAD", True, "", [], b""),
    "DeleteObject": ("DELETE", True, "", [], b""),
    "DeleteObject of a version": ("DELETE", True, "versionId=null", [], b""),
    "CopyObject": ("PUT", True, "", [("x-amz-copy-source", "{bucket}/k"), ("x-amz-metadata-directive", "REPLACE")], b""),
    "GetObjectAttributes": ("GET", True, "attributes", [("x-amz-object-attributes", "ETag")], b""),
    "CreateMultipartUpload": ("POST", True, "uploads", [], b""),
    "UploadPart": ("PUT", True, "partNumber=2&uploadId={upload}", [], b"evil"),
    "UploadPartCopy": ("PUT", True, "partNumber=2&uploadId={upload}", [("x-amz-copy-source", "{bucket}/k")], b""),
    "ListParts": ("GET", True, "uploadId={upload}", [], b""),
    "CompleteMultipartUpload": ("POST", True, "uploadId={upload}", [], COMPLETE),
    "AbortMultipartUpload": ("DELETE", True, "uploadId={upload}", [], b""),
    "GetObjectAcl": ("GET", True, "acl", [], b""),
    "PutObjectAcl": ("PUT", True, "acl", [("x-amz-acl", "private")], b""),
    "PutBucketAcl": ("PUT", False, "acl", [("x-amz-acl", "private")], b""),
}
_CONFIGURED = {
    "publicAccessBlock": b"<PublicAccessBlockConfiguration/>",
    "ownershipControls": (
        b"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"
    ),
    "tagging": b"<Tagging><TagSet/></Tagging>",
    "encryption": b"<ServerSideEncryptionConfiguration><Rule/></ServerSideEncryptionConfiguration>",
    "policy": b"{}",
    "website": b"",
    "replication": b"",
    "analytics&id=1": b"",
}
for _query, _body in _CONFIGURED.items():
    OPERATIONS |= {
        f"GET {_query}": ("GET", False, _query, [], b""),
        f"PUT {_query}": ("PUT", False, _query, [("Content-MD5", md5_b64(_body))], _body),
        f"DELETE {_query}": ("DELETE", False, _query, [], b""),
    }
for _query in ("acl", "policyStatus", "logging", "notification", "accelerate", "requestPayment", "abac", "inventory", "metrics"):
    OPERATIONS[f"GET {_query}"] = "GET", False, _query, [], b""


@dataclass(frozen=True)
class Target:
    """An object and an upload under way, and everything that a request could change there."""

    bucket: Shelf
    upload: str
    state: object

    def untouched(self) -> bool:
        return self.bucket.state() == self.state and self.bucket.get("k") == b"mine"


@pytest.fixture(scope="module")
def target(service: Service, s3: Any) -> Target:
    """What all of them go for, one after the other: it stays as it is."""
    bucket = make_shelf(service, s3)
    bucket.put("k", b"mine")
    upload = bucket.start("k")
    bucket.part("k", upload, 1, b"part")
    return Target(bucket, upload, bucket.state())


def anonymous(raw: RawClient, ask: signer.Ask) -> signer.Ask:
    return with_length(ask)


def stranger(raw: RawClient, ask: signer.Ask) -> signer.Ask:
    return raw.sign(ask)


def stranger_presigned(raw: RawClient, ask: signer.Ask) -> signer.Ask:
    return with_length(raw.presign(ask))


@pytest.mark.parametrize("caller", [anonymous, stranger, stranger_presigned])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_trap_42_nobody_but_the_owner(target: Target, operation, caller: Callable[[RawClient, signer.Ask], signer.Ask]):
    bucket = target.bucket
    method, on_object, query, headers, body = OPERATIONS[operation]
    fill = {"bucket": bucket.name, "upload": target.upload}
    raw = bucket.service.raw(bucket.service.stranger)
    ask = raw.ask(
        method, bucket.name, "k" if on_object else None,
        query=query.format(**fill), headers=[(name, value.format(**fill)) for name, value in headers], body=body,
    )  # fmt: skip
    denied(raw.send(caller(raw, ask)), method)
    assert target.untouched()


def denied(answer: Answer, method: str) -> None:
    assert answer.status == 403, (answer.status, answer.body)
    assert b"mine" not in answer.body
    if method == "HEAD":
        assert answer.body == b""
    else:
        refused(answer, 403, "AccessDenied")


def test_trap_42_a_missing_key_is_not_told_to_those_who_may_not_list(bucket: Shelf):
    bucket.put("there", b"1")
    raw = bucket.service.raw(bucket.service.stranger)
    answers = [raw.call("GET", bucket.name, key) for key in ("there", "missing")]
    assert {(answer.status, answer.code) for answer in answers} == {(403, "AccessDenied")}
    assert {raw.call("HEAD", bucket.name, key).status for key in ("there", "missing")} == {403}
    assert {bucket.raw.anonymous("GET", bucket.name, key).status for key in ("there", "missing")} == {403}


def test_accounts_see_their_own_buckets_alone(bucket: Shelf, stranger_s3):
    assert bucket.name not in [entry["Name"] for entry in stranger_s3.list_buckets()["Buckets"]]
    assert bucket.name in [entry["Name"] for entry in bucket.s3.list_buckets()["Buckets"]]


def test_anonymous_callers_have_no_buckets(raw: RawClient):
    refused(raw.anonymous("GET"), 403, "AccessDenied")
    refused(raw.anonymous("PUT", "a-bucket-for-nobody"), 403, "AccessDenied")
    assert raw.call("HEAD", "a-bucket-for-nobody").status == 404


@pytest.mark.parametrize("operation", OPERATIONS)
def test_t35_a_wrong_expected_owner_is_refused(target: Target, operation):
    """Class (confused deputy): the caller says whose bucket it believes to reach."""
    bucket = target.bucket
    method, on_object, query, headers, body = OPERATIONS[operation]
    query = query.format(upload=target.upload)
    pairs = [(name, value.format(bucket=bucket.name)) for name, value in headers]
    source = ["x-amz-source-expected-bucket-owner"] if "Copy" in operation else []
    for name in ["x-amz-expected-bucket-owner", *source]:
        wrong = [*pairs, (name, bucket.service.stranger.account_id or "000000000000")]
        answer = bucket.call(method, "k" if on_object else None, query=query, headers=wrong, body=body)
        assert answer.status == 403, (name, answer.status, answer.body)
        assert target.untouched(), name
        right = [*pairs, (name, bucket.service.owner.account_id)]
        assert bucket.call("HEAD", headers=right[-1:] if "source" not in name else []).status == 200


def test_the_strangers_presigned_url_opens_nothing(bucket: Shelf, stranger_s3):
    bucket.put("k", b"mine")
    with fails(403, "AccessDenied"):
        stranger_s3.get_object(Bucket=bucket.name, Key="k")


def test_operators_have_no_way_into_the_data(bucket: Shelf):
    """The operator's key is good for operating: as a caller of S3 it is nobody's owner."""
    bucket.put("k", b"mine")
    operator = bucket.service.operator
    raw = bucket.service.raw(operator)
    with bucket.unchanged():
        for method, key in (("GET", "k"), ("PUT", "k"), ("DELETE", "k"), ("GET", None), ("DELETE", None)):
            refused(raw.call(method, bucket.name, key), 403, "InvalidAccessKeyId")
        refused(raw.call("PUT", "a-bucket-for-operators"), 403, "InvalidAccessKeyId")
        refused(raw.call("GET"), 403, "InvalidAccessKeyId")
