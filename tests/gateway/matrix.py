"""One request for every operation of the S3 port, for the access matrix: the routing table says which, this says with what."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from siegel.s3wire.route import ROUTES as S3_ROUTES
from siegel.s3wire.routes.consents import CONSENT_ROUTES
from siegel.s3wire.routes.ledger import LEDGER_ROUTES
from siegel.s3wire.routes.row import Route

from .raw import RawClient
from .signer import Ask, encode_query

KEY = "k"
ROUTES = (*S3_ROUTES, *LEDGER_ROUTES, *CONSENT_ROUTES)
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass(frozen=True)
class Place:
    """What requests are about: a bucket with an object in it, and an upload of that key."""

    bucket: str
    upload: str
    account_id: str


def xml(root: str, inner: str) -> bytes:
    return f"<{root} {NAMESPACE}>{inner}</{root}>".encode()


TAGS = "<TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>"
# What a request of an operation has as its body; operations that are not named here have none.
BODIES: dict[str, bytes] = {
    "PutLedgerPolicy": b"quorum none\n",
    "PutConsentKeys": b"threshold 1\nkey PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
    "PutObject": b"evil",
    "UploadPart": b"evil",
    "DeleteObjects": xml("Delete", f"<Object><Key>{KEY}</Key></Object>"),
    "CompleteMultipartUpload": xml("CompleteMultipartUpload", '<Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part>'),
    "PutBucketVersioning": xml("VersioningConfiguration", "<Status>Enabled</Status>"),
    "PutPublicAccessBlock": xml("PublicAccessBlockConfiguration", "<BlockPublicAcls>false</BlockPublicAcls>"),
    "PutBucketOwnershipControls": xml("OwnershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"),
    "PutBucketTagging": xml("Tagging", TAGS),
    "PutObjectTagging": xml("Tagging", TAGS),
    "PutBucketEncryption": xml(
        "ServerSideEncryptionConfiguration",
        "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>",
    ),
    "PutBucketCors": xml(
        "CORSConfiguration",
        "<CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>",
    ),
    "PutBucketLifecycleConfiguration": xml(
        "LifecycleConfiguration",
        "<Rule><ID>r</ID><Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>",
    ),
    "PutObjectLockConfiguration": xml("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"),
    "PutObjectRetention": xml("Retention", "<Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate>"),
    "PutObjectLegalHold": xml("LegalHold", "<Status>ON</Status>"),
    "TagResource": (
        b'<TagResourceRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/">'
        b"<Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></TagResourceRequest>"
    ),
}
LEDGER_FILES = {"ReadLedger": "checkpoint", "PutLedgerPolicy": "policy", "EraseLedgerOpening": "opening/123456789"}
CONSENT_PATHS = {"consents": "", "consent-keys": "keys", "consent": f"{'0' * 16}/denial"}
HEADERS: dict[str, list[tuple[str, str]]] = {
    "CopyObject": [("x-amz-copy-source", "{bucket}/k"), ("x-amz-metadata-directive", "REPLACE")],
    "UploadPartCopy": [("x-amz-copy-source", "{bucket}/k")],
    "GetObjectAttributes": [("x-amz-object-attributes", "ETag")],
    "PutBucketAcl": [("x-amz-acl", "private")],
    "PutObjectAcl": [("x-amz-acl", "private")],
    "RenameObject": [("x-amz-rename-source", "/{bucket}/k")],
}
# Values of the query parameters that select an operation, and of those that it cannot do without.
VALUES = {"partNumber": "1", "uploadId": "{upload}", "id": "x", "select-type": "2", "max-directory-buckets": "1"}
FURTHER_QUERY = {"UntagResource": [("tagKeys", "a")]}
# What "exactly the right" is, besides the row's own action: reads of copy sources, and what headers of the sample ask for.
FURTHER_ACTIONS = {
    "CopyObject": ["s3:GetObject", "s3:GetObjectTagging"],
    "UploadPartCopy": ["s3:GetObject"],
    "GetObjectAttributes": ["s3:GetObject"],
}


def query_of(route: Route, place: Place) -> str:
    pairs = [marker.partition("=")[::2] for marker in route.query]
    filled = [(name, value or VALUES.get(name, "").format(upload=place.upload)) for name, value in pairs]
    return encode_query([*filled, *FURTHER_QUERY.get(route.operation, [])])


def body_of(route: Route, place: Place) -> bytes:
    if route.operation == "PutBucketPolicy":
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteBucket",
            "Resource": f"arn:aws:s3:::{place.bucket}",
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
    return BODIES.get(route.operation, b"<x/>" if route.needs_integrity else b"")


def request_of(raw: RawClient, route: Route, place: Place, more: Sequence[tuple[str, str]] = ()) -> Ask:
    """Return the unsigned request that means a route's operation at a place."""
    body = body_of(route, place)
    headers = [(name, value.format(bucket=place.bucket)) for name, value in HEADERS.get(route.operation, [])]
    if body:
        headers.append(("Content-MD5", base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()))
    bucket, key = place.bucket, None
    if route.level == "service":
        bucket = ""
    elif route.level == "object":
        key = KEY
    elif route.level == "control":
        bucket, key = "v20180820", f"tags/arn:aws:s3:::{place.bucket}"
        headers.append(("x-amz-account-id", place.account_id))
    elif route.level == "ledger":
        bucket, key = ".ledger", f"{place.account_id}/{LEDGER_FILES[route.operation]}"
    elif route.level in CONSENT_PATHS:
        bucket, key = ".consent", f"{place.account_id}/{CONSENT_PATHS[route.level]}"
    if route.operation == "WriteGetObjectResponse":
        bucket, key = "WriteGetObjectResponse", None
    return raw.ask(route.method, bucket, key, query=query_of(route, place), headers=[*headers, *more], body=body)


def actions_of(route: Route) -> list[str]:
    """Return the actions that exactly suffice for a route's sample."""
    return [action for action in (route.action, route.version_action, *FURTHER_ACTIONS.get(route.operation, [])) if action]


__all__ = ["KEY", "ROUTES", "Place", "actions_of", "request_of"]
