"""Handlers of access control lists, which are switched off: the owner has full control, and no list changes that."""

from typing import Final

from siegel.domain.errors import MissingSecurityHeaderError
from siegel.s3wire.aclxml import check_acl, render_acl
from siegel.s3wire.refusals import refuse_unsupported
from siegel.service.opened import version_text
from siegel.web.call import Call, UseCases
from siegel.web.configurations import answer_xml, read_body
from siegel.web.exchange import XML, Exchange
from siegel.web.objects import version_headers


async def get_bucket_acl(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetBucketAcl."""
    await answer_xml(cases, call, exchange, render_acl(call.bucket.account_id))


async def _check_wanted(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """Accept what changes nothing: a canned list in a header, or a list in the body, that says what holds already."""
    refuse_unsupported(call.request.headers)
    body = await read_body(cases, call, exchange)
    if body:
        check_acl(body, call.bucket.account_id)
    elif "x-amz-acl" not in call.request.headers:
        raise MissingSecurityHeaderError(fields={"MissingHeaderName": "x-amz-acl"})


async def put_bucket_acl(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutBucketAcl."""
    await _check_wanted(cases, call, exchange)
    await cases.journal.append(call.trail.entry(200))
    await exchange.answer(200)


async def get_object_acl(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetObjectAcl."""
    version = cases.getter.find(call.bucket, call.request.object_key, call.request.query.get("versionId"), with_body=False)
    text = version_text(version)
    await cases.journal.append(call.trail.entry(200, version_id=text))
    headers = [XML, *version_headers(call.bucket, text)]
    await exchange.answer(200, headers, render_acl(call.bucket.account_id))


async def put_object_acl(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutObjectAcl."""
    version = cases.getter.find(call.bucket, call.request.object_key, call.request.query.get("versionId"), with_body=False)
    await _check_wanted(cases, call, exchange)
    text = version_text(version)
    await cases.journal.append(call.trail.entry(200, version_id=text))
    await exchange.answer(200, version_headers(call.bucket, text))


HANDLERS: Final = {
    "GetBucketAcl": get_bucket_acl,
    "PutBucketAcl": put_bucket_acl,
    "GetObjectAcl": get_object_acl,
    "PutObjectAcl": put_object_acl,
}
