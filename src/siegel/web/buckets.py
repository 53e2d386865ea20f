"""Handlers of buckets, and of the deletion of many objects at once."""

import asyncio
from typing import Final

from siegel.domain.entry import Entry
from siegel.domain.errors import AccessDeniedError, InvalidArgumentError, NoSuchKeyError, NoSuchVersionError, S3Error
from siegel.s3wire.conditionkeys import Values, tag_keys
from siegel.s3wire.demands import actions_of_match
from siegel.s3wire.faults import status_of
from siegel.s3wire.listquery import BUCKETS_SCOPE, parse_bucket_query
from siegel.s3wire.locks import CREATION_HEADERS, asks_for_lock
from siegel.s3wire.names import encode_token, named_version
from siegel.s3wire.refusals import refuse_unsupported
from siegel.s3wire.xml_read import DeleteTarget, parse_create_bucket, parse_delete, parse_versioning
from siegel.s3wire.xml_write import (
    DeletedObject,
    DeleteFailure,
    render_buckets,
    render_delete,
    render_location,
    render_versioning,
)
from siegel.service.buckets import BucketWish
from siegel.service.opened import version_text
from siegel.service.versions import Deleted
from siegel.web.call import Call, UseCases, may_list, permit
from siegel.web.configurations import answer_xml, read_body
from siegel.web.decided import require_decided_on_removed
from siegel.web.exchange import XML, Exchange
from siegel.web.locks import target_of
from siegel.web.tags import tagging_of

# Deletes of one request that are decided together: the event loop serves others in between.
_DELETES_AT_ONCE: Final = 50


async def list_buckets(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListBuckets."""
    query = parse_bucket_query(call.request.query)
    account_id = call.caller.account_id
    found = []
    if query.region in {None, cases.rules.region}:
        found = cases.buckets.list_of(account_id, query.prefix, query.after, query.max_buckets + 1)
    page = found[: query.max_buckets]
    token = encode_token(BUCKETS_SCOPE, page[-1].name) if len(found) > len(page) else ""
    await cases.journal.append(call.trail.entry(200))
    name = cases.directory.account(account_id).name
    await exchange.answer(200, [XML], render_buckets(account_id, name, page, query, token))


async def create_bucket(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """CreateBucket."""
    headers = call.request.headers
    refuse_unsupported(headers, understood=CREATION_HEADERS)
    object_lock = asks_for_lock(headers)
    wanted = parse_create_bucket(await read_body(cases, call, exchange))
    name = call.request.bucket
    tagging = tagging_of(wanted.tags)
    others = tag_keys(wanted.tags)
    if wanted.location is not None:
        others["s3:locationconstraint"] = (wanted.location,)
    for action in (call.route.action, *(["s3:TagResource"] if tagging else [])):
        permitted = cases.gate.permit(call.verified, call.caller, action, None, operation=call.route.operation, others=others)
        call.trail.note(permitted)
    wish = BucketWish(wanted.location, tagging, object_lock)
    await cases.buckets.create(call.caller.account_id, name, wish, call.trail.entry(200))
    await exchange.answer(200, [(b"location", b"/" + name.encode())])


async def head_bucket(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """HeadBucket."""
    await cases.journal.append(call.trail.entry(200))
    region = (b"x-amz-bucket-region", call.bucket.region.encode())
    await exchange.answer(200, [region, (b"x-amz-access-point-alias", b"false")])


async def delete_bucket(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """DeleteBucket."""
    await cases.buckets.delete(cases.putter.target(call.bucket), call.trail.entry(204))
    await exchange.answer(204)


async def get_bucket_location(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetBucketLocation."""
    await answer_xml(cases, call, exchange, render_location(call.bucket.region))


async def get_bucket_versioning(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetBucketVersioning."""
    await answer_xml(cases, call, exchange, render_versioning(call.bucket.versioning))


async def put_bucket_versioning(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutBucketVersioning."""
    refuse_unsupported(call.request.headers)
    versioning = parse_versioning(await read_body(cases, call, exchange))
    target = cases.putter.target(call.bucket)
    await cases.buckets.set_versioning(target, versioning, call.trail.entry(200, reason=versioning))
    await exchange.answer(200)


async def delete_objects(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """DeleteObjects: each key is decided, and journaled, for itself."""
    refuse_unsupported(call.request.headers)
    wanted = parse_delete(await read_body(cases, call, exchange))
    done: list[DeletedObject | DeleteFailure] = []
    objects = wanted.targets
    for start in range(0, len(objects), _DELETES_AT_ONCE):
        some = objects[start : start + _DELETES_AT_ONCE]
        done += await asyncio.gather(*(_delete_one(cases, call, item) for item in some))
    shown = [item for item in done if isinstance(item, DeleteFailure) or not wanted.is_quiet]
    await exchange.answer(200, [XML], render_delete(shown))


async def _delete_one(cases: UseCases, call: Call, item: DeleteTarget) -> DeletedObject | DeleteFailure:
    def entry(done: Deleted) -> Entry:
        require_decided_on_removed(permits, done)
        version_id = "" if done.version is None else version_text(done.version)
        return call.trail.entry(204, object_key=item.object_key, version_id=version_id, permit=permits[0].because)

    has_version = item.version_id is not None
    action = "s3:DeleteObjectVersion" if has_version else "s3:DeleteObject"
    actions = (action, *actions_of_match(item.etag, has_version=has_version))
    # The conditions of an object stand beside its key: a header of the request speaks for none of them.
    others: dict[str, Values] = {} if item.etag is None else {"s3:if-match": (item.etag,)}
    try:
        permits = [
            permit(cases, call, each, object_key=item.object_key, version_id=item.version_id, others=others) for each in actions
        ]
        target = target_of(cases, call, item.object_key, item.version_id, others=others)
        done = await cases.deleter.delete(target, item.object_key, item.version_id, item.conditions, entry)
    except S3Error as refusal:
        error = _shown(cases, call, refusal)
        version_id = named_version(item.version_id)
        entry_of_refusal = call.trail.entry(
            status_of(error), object_key=item.object_key, version_id=version_id, reason=error.code, permit=""
        )
        await cases.journal.append(entry_of_refusal)
        return DeleteFailure(item.object_key, item.version_id or "", error.code, error.text)
    is_marker = done.version is not None and done.version.is_marker
    marker_id = version_text(done.version) if is_marker and done.version is not None else ""
    return DeletedObject(item.object_key, item.version_id or "", is_marker, marker_id)


def _shown(cases: UseCases, call: Call, refusal: S3Error) -> S3Error:
    """Return how the refusal of one delete is told: whoever may not list the bucket does not learn from it what is there."""
    if isinstance(refusal, InvalidArgumentError):
        # A version id that is none is refused here as one that there is not, unlike in DeleteObject.
        return NoSuchVersionError()
    if isinstance(refusal, (NoSuchKeyError, NoSuchVersionError)) and not may_list(cases, call):
        return AccessDeniedError()
    return refusal


HANDLERS: Final = {
    "ListBuckets": list_buckets,
    "CreateBucket": create_bucket,
    "HeadBucket": head_bucket,
    "DeleteBucket": delete_bucket,
    "GetBucketLocation": get_bucket_location,
    "GetBucketVersioning": get_bucket_versioning,
    "PutBucketVersioning": put_bucket_versioning,
    "DeleteObjects": delete_objects,
}
