"""Handlers of multipart uploads."""

from typing import Final

from msgspec.structs import replace

from siegel.domain.entry import Entries
from siegel.domain.errors import AccessDeniedError, InvalidRequestError, NoSuchUploadError
from siegel.domain.limits import COPY_BYTES_MAX, PART_BYTES_MAX, XML_BYTES_MAX
from siegel.domain.objects import SealingMode, Upload
from siegel.s3wire.body import plan_body
from siegel.s3wire.checksums import (
    BY_HEADER,
    HEADER_PREFIX,
    Algorithm,
    choose_type,
    encode_digest,
    parse_algorithm,
    parse_object_checksum,
)
from siegel.s3wire.conditions import parse_write_conditions
from siegel.s3wire.listquery import parse_part_number, parse_part_query
from siegel.s3wire.ranges import named_range, parse_copy_range
from siegel.s3wire.refusals import refuse_unsupported
from siegel.s3wire.sigv4 import VerifiedRequest
from siegel.s3wire.xml_read import parse_complete_upload
from siegel.s3wire.xml_write import render_complete, render_copy_part, render_initiate, render_parts
from siegel.service.copy import OpenedBody
from siegel.service.manifests import manifest_of
from siegel.service.multipart import ChecksumChoice, CompleteRequest
from siegel.service.opened import Opened, version_text
from siegel.service.put import Stored
from siegel.service.versions import Target
from siegel.web.body import RequestBody
from siegel.web.call import Call, UseCases, customer_key
from siegel.web.encryption import asked_by, check_same_seal, encryption_headers, wanted_sealing
from siegel.web.exchange import XML, Exchange, HeaderList
from siegel.web.lifecycle import expiration_headers, upload_headers
from siegel.web.locks import require_digest
from siegel.web.objects import note_source, open_source, put_request, version_headers

_CHECKSUM_ALGORITHM: Final = "x-amz-checksum-algorithm"
_CHECKSUM_TYPE: Final = "x-amz-checksum-type"


def _checksum_choice(call: Call) -> ChecksumChoice:
    headers = call.request.headers
    name = headers.get(_CHECKSUM_ALGORITHM)
    type_name = headers.get(_CHECKSUM_TYPE)
    if name is None:
        if type_name is not None:
            raise InvalidRequestError("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
        algorithm = Algorithm.CRC64NVME
    else:
        algorithm = parse_algorithm(name, _CHECKSUM_ALGORITHM)
    return ChecksumChoice(algorithm=algorithm, type=choose_type(algorithm, type_name), declared=name is not None)


async def create_multipart_upload(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """CreateMultipartUpload. Raises AccessDeniedError for whoever did not sign: nobody could tell whose upload it is."""
    if call.verified.claim is None:
        raise AccessDeniedError("Anonymous users cannot initiate multipart uploads.  Please authenticate.")
    sealing = await wanted_sealing(cases, call)
    wanted = put_request(call, sealing)
    choice = _checksum_choice(call)
    target = cases.putter.target(call.bucket)
    upload = await cases.multipart.create(target, wanted, choice, lambda: call.trail.entries(200))
    headers: HeaderList = [XML, *sealing.headers()]
    if choice.declared:
        headers.append((_CHECKSUM_ALGORITHM.encode(), choice.algorithm.encode()))
        headers.append((_CHECKSUM_TYPE.encode(), choice.type.encode()))
    headers += upload_headers(cases, call, upload)
    await exchange.answer(200, headers, render_initiate(call.bucket.name, upload.object_key, upload.upload_id))


def _find(cases: UseCases, call: Call) -> Upload:
    return cases.multipart.find(call.bucket, call.request.object_key, call.request.query["uploadId"])


async def upload_part(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """UploadPart."""
    request = call.request
    part_number = parse_part_number(request.query["partNumber"])
    refuse_unsupported(request.headers)
    upload = _find(cases, call)
    key = customer_key(cases, call)
    target = cases.putter.target(call.bucket)
    opened = await cases.multipart.open(target, upload, asked_by(call, key), for_part=True)
    check_same_seal(call, encryption_headers(key, opened.protection))
    choice = opened.checksum
    plan = plan_body(call.verified, md5=upload.mode is SealingMode.SSE_S3, keep=choice.algorithm)
    if choice.declared and plan.declared not in {None, choice.algorithm}:
        raise InvalidRequestError(
            f"Checksum Type mismatch occurred, expected checksum Type: {choice.algorithm.lower()}, "
            f"actual checksum Type: {str(plan.declared).lower()}"
        )
    require_digest(plan, target, is_locked=bool(upload.lock))
    body = RequestBody(exchange, plan, cases.reaper, PART_BYTES_MAX)
    _, head = await cases.multipart.put_part(target, opened, part_number, body, call.trail.entries(200))
    headers: HeaderList = [(b"etag", b'"%s"' % head.etag.encode()), *encryption_headers(key, opened.protection)]
    headers.append((choice.algorithm.header.encode(), encode_digest(head.checksum).encode()))
    await exchange.answer(200, headers)


async def upload_part_copy(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """UploadPartCopy."""
    request = call.request
    part_number = parse_part_number(request.query["partNumber"])
    upload = _find(cases, call)
    key = customer_key(cases, call)
    asked_range = request.headers.get("x-amz-copy-source-range")
    source = await open_source(cases, call, named_range(asked_range))
    size = source.opened.version.size_bytes
    byte_range = parse_copy_range(asked_range, size)
    start, stop = (0, size) if byte_range is None else (byte_range.start, byte_range.stop)
    if stop - start > COPY_BYTES_MAX:
        raise InvalidRequestError(
            f"The specified copy source is larger than the maximum allowable size for a copy source: {COPY_BYTES_MAX}"
        )
    target = cases.putter.target(call.bucket)
    await note_source(cases, call, source)
    opened = await cases.multipart.open(target, upload, asked_by(call, key), for_part=True)
    check_same_seal(call, encryption_headers(key, opened.protection))
    choice = opened.checksum
    body = OpenedBody(cases.getter, source.opened, start, stop, choice.algorithm)
    part, head = await cases.multipart.put_part(target, opened, part_number, body, call.trail.entries(200))
    headers: HeaderList = [XML, *encryption_headers(key, opened.protection)]
    headers += _source_version(source.opened)
    checksum = encode_digest(head.checksum) if choice.declared else ""
    xml = render_copy_part(head.etag, part.modified_at_ms, choice.algorithm, checksum)
    await exchange.answer(200, headers, xml)


def _source_version(opened: Opened) -> HeaderList:
    headers = version_headers(opened.bucket, opened.version_text)
    return [(b"x-amz-copy-source-version-id", value) for _, value in headers]


async def complete_multipart_upload(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """CompleteMultipartUpload; a repeated one gives the same answer."""
    request = call.request
    upload_id = request.query["uploadId"]
    refuse_unsupported(request.headers)
    conditions = parse_write_conditions(request.headers)
    body = RequestBody(exchange, plan_body(_without_object_checksum(call.verified), md5=False), cases.reaper, XML_BYTES_MAX)
    wanted = CompleteRequest(
        parts=parse_complete_upload(await body.read_all(XML_BYTES_MAX)),
        conditions=conditions,
        checksum=_object_checksum(call),
        checksum_type=request.headers.get(_CHECKSUM_TYPE, "").upper(),
        size_bytes=_object_size(call),
    )
    key = customer_key(cases, call)
    target = cases.putter.target(call.bucket)
    stored = await _complete(cases, call, target, upload_id, wanted)
    head = stored.head
    xml = render_complete(
        location=f"{request.scheme}://{request.headers.get('host', '')}{request.raw_path.decode('latin-1')}",
        bucket=call.bucket.name,
        object_key=request.object_key,
        etag=head.etag,
        checksum_algorithm=head.checksum_algorithm,
        checksum=head.checksum,
        checksum_type=head.checksum_type,
    )
    headers = [XML, *encryption_headers(key, stored.protection)]
    headers += version_headers(target.bucket, version_text(stored.version))
    headers += expiration_headers(cases, call, stored.version)
    await exchange.answer(200, headers, xml)


async def _complete(cases: UseCases, call: Call, target: Target, upload_id: str, wanted: CompleteRequest) -> Stored:
    object_key = call.request.object_key

    def entry(stored: Stored) -> Entries:
        return call.trail.entries(200, version_id=version_text(stored.version), manifest=manifest_of(stored))

    try:
        upload = cases.multipart.find(call.bucket, object_key, upload_id)
        opened = await cases.multipart.open(target, upload, asked_by(call))
        return await cases.multipart.complete(target, opened, wanted, entry)
    except NoSuchUploadError:
        # Another request may have finished the same upload, before or just now.
        stored = await cases.multipart.completed(target, object_key, upload_id, wanted, asked_by(call))
    await cases.journal.append(entry(stored))
    return stored


def _without_object_checksum(verified: VerifiedRequest) -> VerifiedRequest:
    """Return the request without its checksum headers: they speak of the object, not of the XML that is the body."""
    request = verified.request
    headers = {name: value for name, value in request.headers.items() if not name.startswith(HEADER_PREFIX)}
    return replace(verified, request=replace(request, headers=headers))


def _object_checksum(call: Call) -> tuple[Algorithm, str] | None:
    """Return algorithm and text of the checksum that the request expects of the whole object, if it says one."""
    found = [(name, algorithm) for name, algorithm in BY_HEADER.items() if name in call.request.headers]
    if len(found) > 1:
        raise InvalidRequestError("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    for name, algorithm in found:
        text = call.request.headers[name]
        parse_object_checksum(algorithm, text)
        return algorithm, text
    return None


def _object_size(call: Call) -> int | None:
    text = call.request.headers.get("x-amz-mp-object-size")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):  # noqa: PLR2004  (digits of 2**63)
        raise InvalidRequestError("The value of the x-amz-mp-object-size header is invalid.")
    return int(text)


async def abort_multipart_upload(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """AbortMultipartUpload."""
    await cases.multipart.abort(_find(cases, call), call.trail.entry(204))
    await exchange.answer(204)


async def list_parts(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListParts."""
    query = parse_part_query(call.request.query)
    upload = _find(cases, call)
    target = cases.putter.target(call.bucket)
    opened = await cases.multipart.open(target, upload, asked_by(call))
    page = cases.multipart.parts(target, opened, query.part_number_marker, query.max_parts)
    await cases.journal.append(call.trail.entries(200))
    xml = render_parts(call.bucket, upload, page, query)
    await exchange.answer(200, [XML, *upload_headers(cases, call, upload)], xml)


HANDLERS: Final = {
    "CreateMultipartUpload": create_multipart_upload,
    "UploadPart": upload_part,
    "UploadPartCopy": upload_part_copy,
    "CompleteMultipartUpload": complete_multipart_upload,
    "AbortMultipartUpload": abort_multipart_upload,
    "ListParts": list_parts,
}
