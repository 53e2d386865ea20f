"""What is said about objects and how long they are kept: tags, locks, lifecycle."""

from typing import Final

from siegel.s3wire.routes.row import Route, on_bucket, on_object

_VERSION: Final = ("versionId",)

RETENTION_ROUTES: Final[tuple[Route, ...]] = (
    on_object(
        "GetObjectTagging",
        "GET",
        "object.tagging.read",
        "s3:GetObjectTagging",
        query=("tagging",),
        parameters=_VERSION,
        version_action="s3:GetObjectVersionTagging",
    ),
    on_object(
        "PutObjectTagging",
        "PUT",
        "object.tagging.write",
        "s3:PutObjectTagging",
        query=("tagging",),
        parameters=_VERSION,
        version_action="s3:PutObjectVersionTagging",
        needs_integrity=True,
    ),
    on_object(
        "DeleteObjectTagging",
        "DELETE",
        "object.tagging.delete",
        "s3:DeleteObjectTagging",
        query=("tagging",),
        parameters=_VERSION,
        version_action="s3:DeleteObjectVersionTagging",
    ),
    on_bucket(
        "GetObjectLockConfiguration",
        "GET",
        "bucket.object_lock.read",
        "s3:GetBucketObjectLockConfiguration",
        query=("object-lock",),
    ),
    on_bucket(
        "PutObjectLockConfiguration",
        "PUT",
        "bucket.object_lock.write",
        "s3:PutBucketObjectLockConfiguration",
        query=("object-lock",),
        needs_integrity=True,
    ),
    on_object(
        "GetObjectRetention",
        "GET",
        "object.retention.read",
        "s3:GetObjectRetention",
        version_action="s3:GetObjectRetention",
        query=("retention",),
        parameters=_VERSION,
    ),
    on_object(
        "PutObjectRetention",
        "PUT",
        "object.retention.write",
        "s3:PutObjectRetention",
        version_action="s3:PutObjectRetention",
        query=("retention",),
        parameters=_VERSION,
        needs_integrity=True,
    ),
    on_object(
        "GetObjectLegalHold",
        "GET",
        "object.legal_hold.read",
        "s3:GetObjectLegalHold",
        version_action="s3:GetObjectLegalHold",
        query=("legal-hold",),
        parameters=_VERSION,
    ),
    on_object(
        "PutObjectLegalHold",
        "PUT",
        "object.legal_hold.write",
        "s3:PutObjectLegalHold",
        version_action="s3:PutObjectLegalHold",
        query=("legal-hold",),
        parameters=_VERSION,
        needs_integrity=True,
    ),
)
