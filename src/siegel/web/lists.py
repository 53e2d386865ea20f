"""Handlers of lists of objects, versions and uploads."""

from typing import Final

from siegel.s3wire.listquery import ObjectQuery, parse_object_query, parse_upload_query, parse_version_query
from siegel.s3wire.names import encode_token
from siegel.s3wire.xml_write import render_objects_v1, render_objects_v2, render_uploads, render_versions
from siegel.web.call import Call, UseCases
from siegel.web.consents import note_read
from siegel.web.exchange import XML, Exchange


async def list_objects(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListObjects and ListObjectsV2."""
    query = parse_object_query(call.request.query, call.bucket.name)
    await _write_down(cases, call)
    await exchange.answer(200, [XML], _render_objects(cases, call, query))


def _render_objects(cases: UseCases, call: Call, query: ObjectQuery) -> bytes:
    bucket = call.bucket
    page = cases.lister.objects(bucket, query)
    if not query.is_v2:
        return render_objects_v1(bucket, query, page)
    token = encode_token(bucket.name, page.next_after) if page.is_truncated else ""
    return render_objects_v2(bucket, query, page, token)


async def list_object_versions(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListObjectVersions."""
    query = parse_version_query(call.request.query)
    await _write_down(cases, call)
    await exchange.answer(200, [XML], render_versions(call.bucket, query, cases.lister.versions(call.bucket, query)))


async def list_multipart_uploads(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListMultipartUploads."""
    query = parse_upload_query(call.request.query)
    await _write_down(cases, call)
    await exchange.answer(200, [XML], render_uploads(call.bucket, query, cases.lister.uploads(call.bucket, query)))


async def _write_down(cases: UseCases, call: Call) -> None:
    """Write a list down before it is made: what is made then leaves at once, and no pages wait in memory for the disk.

    Where it then cannot be made, a second entry of the request says so.
    """
    await note_read(cases, call, call.trail.entry(200))


HANDLERS: Final = {
    "ListObjects": list_objects,
    "ListObjectsV2": list_objects,
    "ListObjectVersions": list_object_versions,
    "ListMultipartUploads": list_multipart_uploads,
}
