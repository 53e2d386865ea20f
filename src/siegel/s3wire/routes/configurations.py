"""What configures a bucket, and the access control lists that nothing depends on."""

from typing import Final

from siegel.s3wire.routes.row import Route, on_bucket, on_object


def _configuration(name: str, query: str, noun: str, *, read: str, write: str) -> tuple[Route, ...]:
    """Return the rows of a configuration whose operations are Get, Put and Delete of `name`."""
    kind = f"bucket.{noun}"
    return (
        on_bucket(f"Get{name}", "GET", f"{kind}.read", read, query=(query,)),
        on_bucket(f"Put{name}", "PUT", f"{kind}.write", write, query=(query,), needs_integrity=True),
        on_bucket(f"Delete{name}", "DELETE", f"{kind}.delete", write, query=(query,)),
    )


CONFIGURATION_ROUTES: Final[tuple[Route, ...]] = (
    *_configuration(
        "PublicAccessBlock",
        "publicAccessBlock",
        "access_block",
        read="s3:GetBucketPublicAccessBlock",
        write="s3:PutBucketPublicAccessBlock",
    ),
    *_configuration(
        "BucketOwnershipControls",
        "ownershipControls",
        "ownership",
        read="s3:GetBucketOwnershipControls",
        write="s3:PutBucketOwnershipControls",
    ),
    *_configuration("BucketTagging", "tagging", "tagging", read="s3:GetBucketTagging", write="s3:PutBucketTagging"),
    *_configuration("BucketCors", "cors", "cors", read="s3:GetBucketCORS", write="s3:PutBucketCORS"),
    *_configuration(
        "BucketEncryption",
        "encryption",
        "encryption",
        read="s3:GetEncryptionConfiguration",
        write="s3:PutEncryptionConfiguration",
    ),
    on_bucket("GetBucketAcl", "GET", "bucket.acl.read", "s3:GetBucketAcl", query=("acl",)),
    on_bucket("PutBucketAcl", "PUT", "bucket.acl.write", "s3:PutBucketAcl", query=("acl",)),
    on_object(
        "GetObjectAcl",
        "GET",
        "object.acl.read",
        "s3:GetObjectAcl",
        query=("acl",),
        parameters=("versionId",),
        version_action="s3:GetObjectVersionAcl",
    ),
    on_object(
        "PutObjectAcl",
        "PUT",
        "object.acl.write",
        "s3:PutObjectAcl",
        query=("acl",),
        parameters=("versionId",),
        version_action="s3:PutObjectVersionAcl",
    ),
    on_bucket("GetBucketPolicy", "GET", "bucket.policy.read", "s3:GetBucketPolicy", query=("policy",)),
    on_bucket("PutBucketPolicy", "PUT", "bucket.policy.write", "s3:PutBucketPolicy", query=("policy",)),
    on_bucket("DeleteBucketPolicy", "DELETE", "bucket.policy.delete", "s3:DeleteBucketPolicy", query=("policy",)),
    on_bucket("GetBucketPolicyStatus", "GET", "bucket.policy_status.read", "s3:GetBucketPolicyStatus", query=("policyStatus",)),
)
