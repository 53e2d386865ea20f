"""Handlers of the tags of objects."""

from typing import Final

from msgspec.structs import replace

from siegel.domain.entry import Entry
from siegel.domain.objects import ObjectVersion
from siegel.s3wire.conditionkeys import tag_keys
from siegel.s3wire.demands import action_of
from siegel.s3wire.refusals import refuse_unsupported
from siegel.s3wire.tagsxml import parse_object_tags, render_tag_set
from siegel.service.opened import version_text
from siegel.web.call import Call, UseCases, permit
from siegel.web.configurations import read_body
from siegel.web.decided import find_decided, require_decided_on
from siegel.web.exchange import XML, Exchange, HeaderList
from siegel.web.objects import version_headers


async def get_object_tagging(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetObjectTagging; an object without tags has an empty set."""
    version = find_decided(cases, call, with_body=False)
    tags = cases.amender.tags(cases.putter.target(call.bucket), version)
    await cases.journal.append(call.trail.entry(200, version_id=version_text(version)))
    await exchange.answer(200, [XML, *_version(call, version)], render_tag_set(tags))


async def put_object_tagging(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutObjectTagging."""
    refuse_unsupported(call.request.headers)
    tags = parse_object_tags(await read_body(cases, call, exchange))
    version_id = call.request.query.get("versionId")
    action = action_of(call.route, has_version=version_id is not None)
    object_key = call.request.object_key
    permitted = permit(cases, call, action, object_key=object_key, version_id=version_id, others=tag_keys(tags))
    await _set(cases, replace(call, permits=(permitted,)), exchange, tuple(tags.items()), 200)


async def delete_object_tagging(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """DeleteObjectTagging."""
    await _set(cases, call, exchange, (), 204)


async def _set(cases: UseCases, call: Call, exchange: Exchange, tags: tuple[tuple[str, str], ...], status: int) -> None:
    def entry(version: ObjectVersion) -> Entry:
        require_decided_on(call.permits, version)
        return call.trail.entry(status, version_id=version_text(version))

    request = call.request
    target = cases.putter.target(call.bucket)
    version = await cases.amender.set_tags(target, request.object_key, request.query.get("versionId"), tags, entry)
    await exchange.answer(status, _version(call, version))


def _version(call: Call, version: ObjectVersion) -> HeaderList:
    return version_headers(call.bucket, version_text(version))


HANDLERS: Final = {
    "GetObjectTagging": get_object_tagging,
    "PutObjectTagging": put_object_tagging,
    "DeleteObjectTagging": delete_object_tagging,
}
