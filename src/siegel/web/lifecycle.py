"""Handlers of lifecycles, and what answers about objects and uploads tell of them."""

from typing import Final

from siegel.domain.errors import NoSuchLifecycleConfigurationError
from siegel.domain.lifecycle import Lifecycle
from siegel.domain.objects import ObjectVersion, Upload
from siegel.domain.records import Kind
from siegel.s3wire.lifecyclexml import (
    MINIMUM_SIZE_HEADER,
    MINIMUM_SIZES_DEFAULT,
    abort_headers,
    expiration_header,
    parse_lifecycle,
    render_lifecycle,
)
from siegel.s3wire.refusals import refuse_unsupported
from siegel.service.expiry import abort_of, expiry_of
from siegel.service.heads import open_tags, place_of
from siegel.web.call import Call, UseCases
from siegel.web.configurations import read_body
from siegel.web.exchange import XML, Exchange, HeaderList


def _lifecycle(cases: UseCases, call: Call) -> Lifecycle | None:
    return cases.directory.document(call.bucket, Kind.LIFECYCLE, Lifecycle)


def expiration_headers(cases: UseCases, call: Call, version: ObjectVersion) -> HeaderList:
    """Return what a current object's answer says of its end: nothing, where no rule is about it."""
    lifecycle = _lifecycle(cases, call)
    if lifecycle is None:
        return []
    place = place_of(call.bucket.account_id, version)

    def tags() -> dict[str, str]:
        return dict(open_tags(cases.directory.keys_of(call.bucket).metadata, place, version.sealed_tags))

    expiry = expiry_of(lifecycle, version, tags, cases.calendar)
    return [] if expiry is None else [expiration_header(expiry.at_ms, expiry.rule.rule_id)]


def upload_headers(cases: UseCases, call: Call, upload: Upload) -> HeaderList:
    """Return what an upload's answer says of its end."""
    lifecycle = _lifecycle(cases, call)
    if lifecycle is None:
        return []
    expiry = abort_of(lifecycle, upload.object_key, upload.initiated_at_ms, cases.calendar)
    return [] if expiry is None else abort_headers(expiry.at_ms, expiry.rule.rule_id)


def _minimum_size(lifecycle: Lifecycle) -> tuple[bytes, bytes]:
    return MINIMUM_SIZE_HEADER.encode(), (lifecycle.minimum_size or MINIMUM_SIZES_DEFAULT).encode()


async def get_bucket_lifecycle(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetBucketLifecycleConfiguration."""
    lifecycle = _lifecycle(cases, call)
    if lifecycle is None:
        raise NoSuchLifecycleConfigurationError(fields={"BucketName": call.bucket.name})
    await cases.journal.append(call.trail.entry(200))
    await exchange.answer(200, [XML, _minimum_size(lifecycle)], render_lifecycle(lifecycle))


async def put_bucket_lifecycle(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutBucketLifecycleConfiguration."""
    headers = call.request.headers
    refuse_unsupported(headers)
    lifecycle = parse_lifecycle(await read_body(cases, call, exchange), headers.get(MINIMUM_SIZE_HEADER))
    target = cases.putter.target(call.bucket)
    await cases.configurations.put(target, Kind.LIFECYCLE, lifecycle, call.trail.entry(200))
    cases.alarms.lifecycle_put(call.bucket, call.trail, lifecycle)
    await exchange.answer(200, [_minimum_size(lifecycle)])


async def delete_bucket_lifecycle(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """DeleteBucketLifecycle."""
    await cases.configurations.delete(cases.putter.target(call.bucket), Kind.LIFECYCLE, call.trail.entry(204))
    await exchange.answer(204)


HANDLERS: Final = {
    "GetBucketLifecycleConfiguration": get_bucket_lifecycle,
    "PutBucketLifecycleConfiguration": put_bucket_lifecycle,
    "DeleteBucketLifecycle": delete_bucket_lifecycle,
}
