"""Which permissions a request needs besides that of its own operation.

Source: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations", "Enforce conditional deletes", "How to prevent
object overwrites with conditional writes".
"""

from collections.abc import Mapping
from typing import Final

from siegel.s3wire.conditions import names_etag
from siegel.s3wire.routes.row import Route

CREATING: Final = frozenset({"PutObject", "CopyObject", "PostObject", "CompleteMultipartUpload"})
"""The writes that make an object there and then, under conditions if they state any."""
PREPARING: Final = frozenset({"CreateMultipartUpload", "UploadPart", "UploadPartCopy"})
"""The writes of an upload that is still to be completed."""

# What a request that writes an object may set beside it.
_OF_HEADERS: Final = {
    "x-amz-tagging": "s3:PutObjectTagging",
    "x-amz-acl": "s3:PutObjectAcl",
    "x-amz-object-lock-mode": "s3:PutObjectRetention",
    "x-amz-object-lock-retain-until-date": "s3:PutObjectRetention",
    "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
}
_OF_BUCKET_HEADERS: Final = {
    "x-amz-object-ownership": "s3:PutBucketOwnershipControls",
    "x-amz-bucket-object-lock-enabled": "s3:PutBucketObjectLockConfiguration",
}


def action_of(route: Route, *, has_version: bool) -> str:
    """Return the action that the operation needs, on a version that the request names or on the current one."""
    return route.version_action if has_version and route.version_action else route.action


def actions_of_match(if_match: str | None, *, has_version: bool) -> tuple[str, ...]:
    """Return what a write or a delete needs besides, by its If-Match, None where it has none.

    Whoever names an ETag learns from the answer whether the object has it.
    """
    return (_reading(has_version=has_version),) if if_match is not None and names_etag(if_match) else ()


def _reading(*, has_version: bool) -> str:
    return "s3:GetObjectVersion" if has_version else "s3:GetObject"


def further_actions(route: Route, headers: Mapping[str, str], *, has_version: bool) -> tuple[str, ...]:
    """Return the further actions that a request needs on the same resource."""
    if route.operation == "GetObjectAttributes":
        return (_reading(has_version=has_version),)
    if route.operation == "DeleteObject":
        return actions_of_match(headers.get("if-match"), has_version=has_version)
    if route.action == "s3:PutObject":
        asked = _OF_HEADERS
    elif route.operation == "CreateBucket":
        asked = _OF_BUCKET_HEADERS
    else:
        return ()
    reading = actions_of_match(headers.get("if-match"), has_version=False) if route.operation in CREATING else ()
    if asked.keys().isdisjoint(headers):
        return reading
    return (*dict.fromkeys(action for name, action in asked.items() if name in headers), *reading)
