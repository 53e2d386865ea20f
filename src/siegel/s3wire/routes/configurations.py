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
)
