"""Handlers of the tags of buckets, by S3 and by S3 Control."""

from collections.abc import Callable, Mapping
from typing import Final

from siegel.domain.absences import NoSuchTagSetError
from siegel.domain.configuration import Tagging
from siegel.domain.records import Kind
from siegel.s3wire.conditionkeys import tag_keys
from siegel.s3wire.control import parse_tag_keys
from siegel.s3wire.tags import OF_BUCKETS, check_tags
from siegel.s3wire.tagsxml import parse_bucket_tags, parse_resource_tags, render_resource_tags, render_tag_set
from siegel.web.call import Call, UseCases, permit
from siegel.web.configurations import Configuration, answer_xml, read_body
from siegel.web.exchange import Exchange


def tagging_of(tags: dict[str, str]) -> Tagging | None:
    """Return what is stored of a bucket's tags: without tags, nothing."""
    return Tagging(tags=tuple(tags.items())) if tags else None


def _permit_tags(cases: UseCases, call: Call, tags: Mapping[str, str]) -> None:
    permit(cases, call, call.route.action, others=tag_keys(tags))


_TAGGING: Final = Configuration(
    kind=Kind.TAGGING,
    document_type=Tagging,
    parse=lambda body: tagging_of(parse_bucket_tags(body)),
    render=lambda tagging: render_tag_set(dict(tagging.tags)),
    absent=NoSuchTagSetError,
    permit=lambda cases, call, tagging: _permit_tags(cases, call, dict(tagging.tags) if tagging else {}),
    put_status=204,
)


async def list_tags_for_resource(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListTagsForResource: a bucket without tags has an empty list."""
    tagging = cases.directory.document(call.bucket, Kind.TAGGING, Tagging) or Tagging()
    await answer_xml(cases, call, exchange, render_resource_tags(dict(tagging.tags)))


async def tag_resource(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """TagResource: add tags, and replace those of the same keys."""
    added = parse_resource_tags(await read_body(cases, call, exchange))
    _permit_tags(cases, call, added)
    await _change(cases, call, exchange, lambda tags: tags | added)


async def untag_resource(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """UntagResource: take tags away; those that are not there are gone already."""
    gone = parse_tag_keys(call.request.raw_query)
    permit(cases, call, call.route.action, others={"aws:tagkeys": tuple(sorted(gone))})
    await _change(cases, call, exchange, lambda tags: {key: value for key, value in tags.items() if key not in gone})


async def _change(cases: UseCases, call: Call, exchange: Exchange, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    def amend(tagging: Tagging | None) -> Tagging | None:
        tags = change(dict(tagging.tags) if tagging else {})
        check_tags(tags, OF_BUCKETS)
        return tagging_of(tags)

    target = cases.putter.target(call.bucket)
    await cases.configurations.amend(target, Kind.TAGGING, Tagging, amend, call.trail.entry(204))
    await exchange.answer(204)


HANDLERS: Final = {
    **_TAGGING.handlers("GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"),
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
