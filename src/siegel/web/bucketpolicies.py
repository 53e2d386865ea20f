"""Handlers of bucket policies."""

from typing import Final

from siegel.domain.errors import MethodNotAllowedError
from siegel.domain.limits import BUCKET_POLICY_BYTES_MAX
from siegel.domain.records import Kind
from siegel.s3wire.body import plan_body
from siegel.s3wire.xml_write import render_policy_status
from siegel.web.body import RequestBody
from siegel.web.call import Call, UseCases
from siegel.web.configurations import answer_xml
from siegel.web.exchange import Exchange

_JSON: Final = (b"content-type", b"application/json")


def _require_own(call: Call) -> None:
    """Raise MethodNotAllowedError for other accounts, whatever they were granted: a bucket's policy is its account's affair."""
    if call.caller.account_id != call.bucket.account_id:
        raise MethodNotAllowedError(fields={"Method": call.request.method, "ResourceType": "BUCKETPOLICY"})


async def get_bucket_policy(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetBucketPolicy: the text, with its principals as they are called now."""
    _require_own(call)
    text = cases.bucket_policies.text(call.bucket)
    await cases.journal.append(call.trail.entry(200))
    await exchange.answer(200, [_JSON], text.encode())


async def put_bucket_policy(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutBucketPolicy."""
    _require_own(call)
    body = RequestBody(exchange, plan_body(call.verified, md5=False), cases.reaper, BUCKET_POLICY_BYTES_MAX)
    text = await body.read_all(BUCKET_POLICY_BYTES_MAX)
    await cases.bucket_policies.put(cases.putter.target(call.bucket), text, call.trail.entry(204))
    await exchange.answer(204)


async def delete_bucket_policy(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """DeleteBucketPolicy."""
    _require_own(call)
    await cases.configurations.delete(cases.putter.target(call.bucket), Kind.POLICY, call.trail.entry(204))
    await exchange.answer(204)


async def get_bucket_policy_status(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetBucketPolicyStatus."""
    is_public = cases.bucket_policies.is_public(call.bucket)
    await answer_xml(cases, call, exchange, render_policy_status(is_public=is_public))


HANDLERS: Final = {
    "GetBucketPolicy": get_bucket_policy,
    "PutBucketPolicy": put_bucket_policy,
    "DeleteBucketPolicy": delete_bucket_policy,
    "GetBucketPolicyStatus": get_bucket_policy_status,
}
