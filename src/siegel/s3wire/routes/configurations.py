"""What configures a bucket."""

from typing import Final

from siegel.s3wire.routes.row import Route, on_bucket

CONFIGURATION_ROUTES: Final[tuple[Route, ...]] = (
    on_bucket(
        "GetPublicAccessBlock",
        "GET",
        "bucket.access_block.read",
        "s3:GetBucketPublicAccessBlock",
        query=("publicAccessBlock",),
    ),
    on_bucket(
        "PutPublicAccessBlock",
        "PUT",
        "bucket.access_block.write",
        "s3:PutBucketPublicAccessBlock",
        query=("publicAccessBlock",),
        needs_integrity=True,
    ),
    on_bucket(
        "DeletePublicAccessBlock",
        "DELETE",
        "bucket.access_block.delete",
        "s3:PutBucketPublicAccessBlock",
        query=("publicAccessBlock",),
    ),
    on_bucket("GetBucketPolicy", "GET", "bucket.policy.read", "s3:GetBucketPolicy", query=("policy",)),
    on_bucket("PutBucketPolicy", "PUT", "bucket.policy.write", "s3:PutBucketPolicy", query=("policy",)),
    on_bucket("DeleteBucketPolicy", "DELETE", "bucket.policy.delete", "s3:DeleteBucketPolicy", query=("policy",)),
    on_bucket("GetBucketPolicyStatus", "GET", "bucket.policy_status.read", "s3:GetBucketPolicyStatus", query=("policyStatus",)),
)
