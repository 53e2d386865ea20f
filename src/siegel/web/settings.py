"""Handlers of the configurations of buckets that are little more than a document: access block, ownership, CORS, encryption."""

from typing import Final

from msgspec.structs import replace

from siegel.domain.absences import NoSuchPublicAccessBlockConfigurationError, OwnershipControlsNotFoundError
from siegel.domain.browser_errors import NoSuchCORSConfigurationError
from siegel.domain.configuration import BucketEncryption, Cors, OwnershipControls, PublicAccessBlock
from siegel.domain.objects import Bucket
from siegel.domain.ports import Writer
from siegel.domain.records import Kind
from siegel.s3wire.accessblockxml import parse_public_access_block, render_public_access_block
from siegel.s3wire.corsxml import parse_cors, render_cors
from siegel.s3wire.encryptionxml import parse_encryption, render_encryption
from siegel.s3wire.ownershipxml import parse_ownership_controls, render_ownership_controls
from siegel.service.configurations import Check
from siegel.web.call import Call, UseCases, accepts_customer_keys
from siegel.web.configurations import Configuration, answer_xml, read_body
from siegel.web.exchange import Exchange

_PUBLIC_ACCESS_BLOCK: Final = Configuration(
    kind=Kind.PUBLIC_ACCESS_BLOCK,
    document_type=PublicAccessBlock,
    parse=parse_public_access_block,
    render=render_public_access_block,
    absent=NoSuchPublicAccessBlockConfigurationError,
)

_OWNERSHIP_CONTROLS: Final = Configuration(
    kind=Kind.OWNERSHIP_CONTROLS,
    document_type=OwnershipControls,
    parse=parse_ownership_controls,
    render=render_ownership_controls,
    absent=OwnershipControlsNotFoundError,
)

_CORS: Final = Configuration(
    kind=Kind.CORS, document_type=Cors, parse=parse_cors, render=render_cors, absent=NoSuchCORSConfigurationError
)


async def get_bucket_encryption(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetBucketEncryption: a bucket is never without encryption."""
    encryption = cases.directory.document(call.bucket, Kind.ENCRYPTION, BucketEncryption) or BucketEncryption()
    xml = render_encryption(encryption, sse_c_allowed=accepts_customer_keys(cases, call.bucket))
    await answer_xml(cases, call, exchange, xml)


def _set_customer_keys(*, allowed: bool | None) -> Check:
    """Return what stores whether the bucket accepts SSE-C, together with the rest of its encryption."""

    def change(tx: Writer, bucket: Bucket) -> None:
        tx.buckets.replace(replace(bucket, sse_c_allowed=allowed))

    return change


async def put_bucket_encryption(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutBucketEncryption."""
    rule = parse_encryption(await read_body(cases, call, exchange))
    target, entry = cases.putter.target(call.bucket), call.trail.entry(200)
    with_bucket = _set_customer_keys(allowed=rule.sse_c_allowed)
    await cases.configurations.put(target, Kind.ENCRYPTION, rule.encryption, entry, with_bucket)
    await exchange.answer(200)


async def delete_bucket_encryption(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """DeleteBucketEncryption: back to the default."""
    target = cases.putter.target(call.bucket)
    await cases.configurations.delete(target, Kind.ENCRYPTION, call.trail.entry(204), _set_customer_keys(allowed=None))
    await exchange.answer(204)


HANDLERS: Final = {
    **_PUBLIC_ACCESS_BLOCK.handlers("GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock"),
    **_OWNERSHIP_CONTROLS.handlers("GetBucketOwnershipControls", "PutBucketOwnershipControls", "DeleteBucketOwnershipControls"),
    **_CORS.handlers("GetBucketCors", "PutBucketCors", "DeleteBucketCors"),
    "GetBucketEncryption": get_bucket_encryption,
    "PutBucketEncryption": put_bucket_encryption,
    "DeleteBucketEncryption": delete_bucket_encryption,
}
