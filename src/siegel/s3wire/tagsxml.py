"""Tags of buckets and objects in XML, as S3 and S3 Control write them.

Sources: Amazon S3 API Reference, PutBucketTagging, PutObjectTagging, CreateBucket; S3 Control, TagResource, ListTagsForResource.
"""

from typing import Final

from siegel.domain.errors import InvalidTagError, MalformedXMLError
from siegel.domain.time_limits import TIME_LIMIT_RULE, TIME_LIMIT_TAG, is_time_limit
from siegel.s3wire.tags import OF_BUCKETS, OF_OBJECTS, TagRules, check_tags
from siegel.s3wire.xmltext import PROLOGUE, document, element
from siegel.s3wire.xmltree import CONTROL_NAMESPACE, Element, children, leaves, read_tree

_TAG: Final = frozenset({"Key", "Value"})


def read_tags(parent: Element, rules: TagRules) -> dict[str, str]:
    """Return the tags inside an element of Tag elements. Raises MalformedXMLError, InvalidTagError."""
    tags: dict[str, str] = {}
    for tag in children(parent, frozenset({"Tag"})):
        fields = leaves(tag, _TAG)
        if fields.keys() != _TAG:
            raise MalformedXMLError("A Tag has a Key and a Value.")
        if fields["Key"] in tags:
            raise InvalidTagError("Cannot provide multiple Tags with the same key", fields={"TagKey": fields["Key"]})
        tags[fields["Key"]] = fields["Value"]
    check_tags(tags, rules)
    if rules is OF_BUCKETS and not is_time_limit(tags.get(TIME_LIMIT_TAG, "0")):
        raise InvalidTagError(TIME_LIMIT_RULE, fields={"TagKey": TIME_LIMIT_TAG, "TagValue": tags[TIME_LIMIT_TAG]})
    return tags


def _only(parent: Element, name: str) -> Element:
    inside = list(children(parent, frozenset({name})))
    if len(inside) != 1:
        raise MalformedXMLError(f"There is one {name}.")
    return inside[0]


def parse_bucket_tags(body: bytes) -> dict[str, str]:
    """Return the tags of a PutBucketTagging. Raises MalformedXMLError, InvalidTagError."""
    return read_tags(_only(read_tree(body, "Tagging"), "TagSet"), OF_BUCKETS)


def parse_object_tags(body: bytes) -> dict[str, str]:
    """Return the tags of a PutObjectTagging. Raises MalformedXMLError, InvalidTagError."""
    return read_tags(_only(read_tree(body, "Tagging"), "TagSet"), OF_OBJECTS)


def parse_resource_tags(body: bytes) -> dict[str, str]:
    """Return the tags of a TagResource of S3 Control. Raises MalformedXMLError, InvalidTagError."""
    return read_tags(_only(read_tree(body, "TagResourceRequest"), "Tags"), OF_BUCKETS)


def _render(tags: dict[str, str]) -> str:
    return "".join([f"<Tag>{element('Key', key)}{element('Value', value)}</Tag>" for key, value in tags.items()])


def render_tag_set(tags: dict[str, str]) -> bytes:
    """Return the answer of GetBucketTagging and GetObjectTagging."""
    return document("Tagging", f"<TagSet>{_render(tags)}</TagSet>")


def render_resource_tags(tags: dict[str, str]) -> bytes:
    """Return the answer of ListTagsForResource of S3 Control."""
    root = "ListTagsForResourceResult"
    return f'{PROLOGUE}<{root} xmlns="{CONTROL_NAMESPACE}"><Tags>{_render(tags)}</Tags></{root}>'.encode()
