"""Buckets and what they list."""

from typing import Final

from siegel.s3wire.routes.row import Route, on_bucket, on_service

_PAGE: Final = ("delimiter", "encoding-type", "prefix")

BUCKET_ROUTES: Final[tuple[Route, ...]] = (
    on_service(
        "ListBuckets",
        "GET",
        "service.list",
        "s3:ListAllMyBuckets",
        parameters=("bucket-region", "continuation-token", "max-buckets", "prefix"),
    ),
    on_bucket("CreateBucket", "PUT", "bucket.create", "s3:CreateBucket"),
    on_bucket("HeadBucket", "HEAD", "bucket.head", "s3:ListBucket"),
    on_bucket("DeleteBucket", "DELETE", "bucket.delete", "s3:DeleteBucket"),
    on_bucket("GetBucketLocation", "GET", "bucket.location.read", "s3:GetBucketLocation", query=("location",)),
    on_bucket("GetBucketVersioning", "GET", "bucket.versioning.read", "s3:GetBucketVersioning", query=("versioning",)),
    on_bucket("PutBucketVersioning", "PUT", "bucket.versioning.write", "s3:PutBucketVersioning", query=("versioning",)),
    on_bucket("ListObjects", "GET", "bucket.list", "s3:ListBucket", parameters=(*_PAGE, "marker", "max-keys")),
    on_bucket(
        "ListObjectsV2",
        "GET",
        "bucket.list",
        "s3:ListBucket",
        query=("list-type=2",),
        parameters=(*_PAGE, "continuation-token", "fetch-owner", "max-keys", "start-after"),
    ),
    on_bucket(
        "ListObjectVersions",
        "GET",
        "bucket.list_versions",
        "s3:ListBucketVersions",
        query=("versions",),
        parameters=(*_PAGE, "key-marker", "max-keys", "version-id-marker"),
    ),
    on_bucket(
        "ListMultipartUploads",
        "GET",
        "bucket.list_uploads",
        "s3:ListBucketMultipartUploads",
        query=("uploads",),
        parameters=(*_PAGE, "key-marker", "max-uploads", "upload-id-marker"),
    ),
    on_bucket(
        "DeleteObjects",
        "POST",
        "object.delete_many",
        "s3:DeleteObject",
        resource="object",
        query=("delete",),
        version_action="s3:DeleteObjectVersion",
        needs_integrity=True,
    ),
)
