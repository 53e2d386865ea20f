"""Tags of keys."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.kms_errors import KmsLimitExceededError, KmsTagError
from siegel.domain.limits import KMS_TAGS_MAX
from siegel.domain.time_limits import TIME_LIMIT_RULE, TIME_LIMIT_TAG, is_time_limit
from siegel.domain.wrapping_keys import Pairs
from siegel.kmswire.answers import Answer, page_view
from siegel.kmswire.asks import PagedOfKey, Tag, TagResource, UntagResource
from siegel.service.kms.scene import Change, Scene, take_page

_RESERVED: Final = "aws:"


def merge_tags(old: Pairs, new: Iterable[Tag]) -> Pairs:
    """Return tags with others put over them.

    Raises KmsTagError for a key twice, a reserved one, a time limit that is none, KmsLimitExceededError beyond KMS_TAGS_MAX.
    """
    merged = dict(old)
    seen: set[str] = set()
    for tag in new:
        if tag.tag_key in seen:
            raise KmsTagError("Duplicate tag keys")
        if tag.tag_key.lower().startswith(_RESERVED):
            raise KmsTagError("Tag keys that begin with aws: are reserved.")
        if tag.tag_key == TIME_LIMIT_TAG and not is_time_limit(tag.tag_value):
            raise KmsTagError(TIME_LIMIT_RULE)
        seen.add(tag.tag_key)
        merged[tag.tag_key] = tag.tag_value
    if len(merged) > KMS_TAGS_MAX:
        raise KmsLimitExceededError(f"A key has at most {KMS_TAGS_MAX} tags.")
    return tuple(sorted(merged.items()))


def tag_resource(change: Change, ask: TagResource) -> None:
    """Give tags to a key, in place of those with the same keys."""
    view = change.key(ask.key_id)
    change.book_of(view.account_id).put_key(replace(view.key, tags=merge_tags(view.key.tags, ask.tags)))


def untag_resource(change: Change, ask: UntagResource) -> None:
    """Take tags from a key."""
    view = change.key(ask.key_id)
    kept = tuple(tag for tag in view.key.tags if tag[0] not in ask.tag_keys)
    change.book_of(view.account_id).put_key(replace(view.key, tags=kept))


def list_resource_tags(scene: Scene, ask: PagedOfKey) -> Answer:
    """List the tags of a key."""
    view = scene.key(ask.key_id)
    tags = ((key, {"TagKey": key, "TagValue": value}) for key, value in view.key.tags)
    return page_view("Tags", *take_page(tags, ask))


READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {"ListResourceTags": list_resource_tags}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
