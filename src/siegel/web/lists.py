"""Handlers of lists of objects, versions and uploads."""

from typing import Final

from siegel.s3wire.listquery import parse_object_query, parse_upload_query, parse_version_query
from siegel.s3wire.names import encode_token
from siegel.s3wire.xml_write import render_objects_v1, render_objects_v2, render_uploads, render_versions
from siegel.web.call import Call, UseCases
from siegel.web.exchange import XML, Exchange


async def list_objects(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListObjects and ListObjectsV2."""
    bucket = call.bucket
    query = parse_object_query(call.request.query, bucket.name)
    page = cases.lister.objects(bucket, query)
    if query.is_v2:
        token = encode_token(bucket.name, page.next_after) if page.is_truncated else ""
        xml = render_objects_v2(bucket, query, page, token)
    else:
        xml = render_objects_v1(bucket, query, page)
    await cases.journal.append(call.trail.entry(200))
    await exchange.answer(200, [XML], xml)


async def list_object_versions(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListObjectVersions."""
    bucket = call.bucket
    query = parse_version_query(call.request.query)
    page = cases.lister.versions(bucket, query)
    await cases.journal.append(call.trail.entry(200))
    await exchange.answer(200, [XML], render_versions(bucket, query, page))


async def list_multipart_uploads(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListMultipartUploads."""
    bucket = call.bucket
    query = parse_upload_query(call.request.query)
    page = cases.lister.uploads(bucket, query)
    await cases.journal.append(call.trail.entry(200))
    await exchange.answer(200, [XML], render_uploads(bucket, query, page))


HANDLERS: Final = {
    "ListObjects": list_objects,
    "ListObjectsV2": list_objects,
    "ListObjectVersions": list_object_versions,
    "ListMultipartUploads": list_multipart_uploads,
}
