"""S3 Control, on the S3 port: tags of buckets by their ARNs."""

from functools import partial
from typing import Final

from siegel.s3wire.control import TAG_KEYS
from siegel.s3wire.routes.row import Route

_on_control = partial(Route, level="control", resource="bucket")

CONTROL_ROUTES: Final[tuple[Route, ...]] = (
    _on_control("ListTagsForResource", "GET", "bucket.tags.read", "s3:ListTagsForResource"),
    _on_control("TagResource", "POST", "bucket.tags.add", "s3:TagResource"),
    _on_control("UntagResource", "DELETE", "bucket.tags.take", "s3:UntagResource", parameters=(TAG_KEYS,)),
)
