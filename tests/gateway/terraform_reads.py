"""What Terraform's AWS provider asks of S3 for a bucket and its companion resources, request by request.

Written down from the resources of the provider (`internal/service/s3`): which call each makes to create, read and destroy, and
which error code it takes for "there is none". A read that answers anything else fails a plan; 501 or 500 ends it.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass

from .raw import Answer, RawClient


@dataclass(frozen=True)
class Step:
    """One request about a bucket, and its answer: a status, and the error code where the provider expects one."""

    resource: str
    method: str
    query: str
    status: int
    code: str = ""
    body: bytes = b""
    header: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Name the step for test reports."""
        return f"{self.resource} {self.method} {self.query} {self.code or self.status}"

    def run(self, raw: RawClient, bucket: str) -> Answer:
        """Send it as the Go SDK does, with the CRC32 of its body."""
        headers = [self.header] if self.header else []
        if self.body:
            checksum = base64.b64encode(zlib.crc32(self.body).to_bytes(4, "big")).decode()
            headers += [("x-amz-sdk-checksum-algorithm", "CRC32"), ("x-amz-checksum-crc32", checksum)]
        return raw.call(self.method, bucket, query=self.query, headers=headers, body=self.body)


def _xml(root: str, inside: str) -> bytes:
    return f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</{root}>'.encode()


REFRESH = (
    Step("aws_s3_bucket", "HEAD", "", 200),
    Step("aws_s3_bucket", "GET", "location", 200),
    Step("aws_s3_bucket", "GET", "policy", 404, "NoSuchBucketPolicy"),
    Step("aws_s3_bucket", "GET", "acl", 200),
    Step("aws_s3_bucket", "GET", "cors", 404, "NoSuchCORSConfiguration"),
    Step("aws_s3_bucket", "GET", "lifecycle", 404, "NoSuchLifecycleConfiguration"),
    Step("aws_s3_bucket", "GET", "website", 404, "NoSuchWebsiteConfiguration"),
    Step("aws_s3_bucket", "GET", "versioning", 200),
    Step("aws_s3_bucket", "GET", "accelerate", 200),
    Step("aws_s3_bucket", "GET", "requestPayment", 200),
    Step("aws_s3_bucket", "GET", "logging", 200),
    Step("aws_s3_bucket", "GET", "replication", 404, "ReplicationConfigurationNotFoundError"),
    Step("aws_s3_bucket", "GET", "encryption", 200),
    Step("aws_s3_bucket", "GET", "object-lock", 404, "ObjectLockConfigurationNotFoundError"),
    Step("aws_s3_bucket", "GET", "tagging", 404, "NoSuchTagSet"),
)
"""What every refresh of `aws_s3_bucket` reads of a bucket of which nothing is configured."""

_BLOCK = "".join(
    f"<{name}>true</{name}>" for name in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
)
_AES = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"
_BLOCKED = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"
_LIFECYCLE = (
    "<Rule><ID>tidy</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration>"
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
)
_CORS = "<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://example.org</AllowedOrigin></CORSRule>"


def policy_for(bucket: str) -> bytes:
    """Return the policy that most modules attach: no plain HTTP."""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.0"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()


NOT_CONFIGURED = (
    Step("website_configuration", "GET", "website", 404, "NoSuchWebsiteConfiguration"),
    Step("website_configuration", "DELETE", "website", 204),
    Step("logging", "GET", "logging", 200),
    Step("notification", "GET", "notification", 200),
    Step("abac", "GET", "abac", 200),
    Step("replication_configuration", "GET", "replication", 404, "ReplicationConfigurationNotFoundError"),
    Step("replication_configuration", "DELETE", "replication", 204),
    Step("accelerate_configuration", "GET", "accelerate", 200),
    Step("request_payment_configuration", "GET", "requestPayment", 200),
    Step("analytics_configuration", "GET", "analytics&id=all", 404, "NoSuchConfiguration"),
    Step("analytics_configuration", "DELETE", "analytics&id=all", 204),
    Step("inventory", "GET", "inventory&id=all", 404, "NoSuchConfiguration"),
    Step("inventory", "DELETE", "inventory&id=all", 204),
    Step("metric", "GET", "metrics&id=all", 404, "NoSuchConfiguration"),
    Step("metric", "DELETE", "metrics&id=all", 204),
    Step("intelligent_tiering_configuration", "GET", "intelligent-tiering&id=all", 404, "NoSuchConfiguration"),
    Step("intelligent_tiering_configuration", "DELETE", "intelligent-tiering&id=all", 204),
)
"""What the resources of what is not configured here read and destroy."""


def companions(bucket: str) -> tuple[Step, ...]:
    """Return create, read and destroy of the resources beside a bucket, in an order in which they can be applied."""
    return (
        Step("public_access_block", "PUT", "publicAccessBlock", 200, body=_xml("PublicAccessBlockConfiguration", _BLOCK)),
        Step("public_access_block", "GET", "publicAccessBlock", 200),
        Step("public_access_block", "DELETE", "publicAccessBlock", 204),
        Step("public_access_block", "GET", "publicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration"),
        Step(
            "ownership_controls",
            "PUT",
            "ownershipControls",
            200,
            body=_xml("OwnershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"),
        ),
        Step("ownership_controls", "GET", "ownershipControls", 200),
        Step("ownership_controls", "DELETE", "ownershipControls", 204),
        Step("ownership_controls", "GET", "ownershipControls", 404, "OwnershipControlsNotFoundError"),
        Step("acl", "PUT", "acl", 200, header=("x-amz-acl", "private")),
        Step("acl", "GET", "acl", 200),
        Step(
            "server_side_encryption_configuration",
            "PUT",
            "encryption",
            200,
            body=_xml(
                "ServerSideEncryptionConfiguration", f"<Rule>{_AES}{_BLOCKED}<BucketKeyEnabled>true</BucketKeyEnabled></Rule>"
            ),
        ),
        Step("server_side_encryption_configuration", "GET", "encryption", 200),
        Step("server_side_encryption_configuration", "DELETE", "encryption", 204),
        Step("server_side_encryption_configuration", "GET", "encryption", 200),
        Step("versioning", "PUT", "versioning", 200, body=_xml("VersioningConfiguration", "<Status>Enabled</Status>")),
        Step("versioning", "GET", "versioning", 200),
        Step("versioning", "PUT", "versioning", 200, body=_xml("VersioningConfiguration", "<Status>Suspended</Status>")),
        Step("policy", "PUT", "policy", 204, body=policy_for(bucket)),
        Step("policy", "GET", "policy", 200),
        Step("policy", "GET", "policyStatus", 200),
        Step("policy", "DELETE", "policy", 204),
        Step("policy", "GET", "policy", 404, "NoSuchBucketPolicy"),
        Step(
            "tags",
            "PUT",
            "tagging",
            204,
            body=_xml("Tagging", "<TagSet><Tag><Key>team</Key><Value>shelf</Value></Tag></TagSet>"),
        ),
        Step("tags", "GET", "tagging", 200),
        Step("tags", "DELETE", "tagging", 204),
        Step("tags", "GET", "tagging", 404, "NoSuchTagSet"),
        Step(
            "lifecycle_configuration",
            "PUT",
            "lifecycle",
            200,
            body=_xml("LifecycleConfiguration", _LIFECYCLE),
            header=("x-amz-transition-default-minimum-object-size", "all_storage_classes_128K"),
        ),
        Step("lifecycle_configuration", "GET", "lifecycle", 200),
        Step("lifecycle_configuration", "DELETE", "lifecycle", 204),
        Step("lifecycle_configuration", "GET", "lifecycle", 404, "NoSuchLifecycleConfiguration"),
        Step("cors_configuration", "PUT", "cors", 200, body=_xml("CORSConfiguration", _CORS)),
        Step("cors_configuration", "GET", "cors", 200),
        Step("cors_configuration", "DELETE", "cors", 204),
        Step("cors_configuration", "GET", "cors", 404, "NoSuchCORSConfiguration"),
        *NOT_CONFIGURED,
    )


_RULE = "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
_LOCK = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"

LOCK = (
    Step("versioning", "PUT", "versioning", 200, body=_xml("VersioningConfiguration", "<Status>Enabled</Status>")),
    Step("object_lock_configuration", "PUT", "object-lock", 200, body=_xml("ObjectLockConfiguration", _LOCK + _RULE)),
    Step("object_lock_configuration", "GET", "object-lock", 200),
    Step("object_lock_configuration", "PUT", "object-lock", 200, body=_xml("ObjectLockConfiguration", _LOCK)),
    Step("object_lock_configuration", "GET", "object-lock", 200),
)
"""What `aws_s3_bucket_object_lock_configuration` does: a lock is never taken off a bucket, so its bucket is another."""
