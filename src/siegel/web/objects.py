"""Handlers of single objects: put, copy, get, head, attributes, delete."""

from contextlib import aclosing
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.entry import Entries, Entry, carrying
from siegel.domain.errors import (
    AccessDeniedError,
    InvalidArgumentError,
    InvalidPartNumberError,
    InvalidRequestError,
    MethodNotAllowedError,
    NoSuchKeyError,
    NoSuchVersionError,
)
from siegel.domain.limits import COPY_BYTES_MAX, PUT_BYTES_MAX
from siegel.domain.objects import Bucket, SealingMode, Versioning
from siegel.domain.pages import ListedPart, PartPage
from siegel.s3wire.body import plan_body
from siegel.s3wire.checksums import Algorithm, ChecksumType, parse_algorithm
from siegel.s3wire.conditionkeys import tag_keys
from siegel.s3wire.conditions import (
    COPY_SOURCE_PREFIX,
    parse_delete_conditions,
    parse_read_conditions,
    parse_write_conditions,
    range_applies,
)
from siegel.s3wire.dates import format_http_date
from siegel.s3wire.encryption import ENCRYPTION_HEADER, CustomerKey, refuse_in_read
from siegel.s3wire.listquery import PartQuery, parse_attribute_part_query, parse_part_number
from siegel.s3wire.locks import WRITE_HEADERS, parse_lock_headers
from siegel.s3wire.metadata import Directive, parse_directive, parse_kept_headers, parse_response_overrides
from siegel.s3wire.names import CopySource, parse_copy_source
from siegel.s3wire.ranges import ByteRange, parse_range
from siegel.s3wire.refusals import check_expected_owner, refuse_unsupported
from siegel.s3wire.tags import parse_tagging
from siegel.s3wire.xml_write import render_attributes, render_copy_object
from siegel.service.copy import OpenedBody
from siegel.service.heads import Head, open_part_checksums, open_tags, place_of
from siegel.service.kms.custody import Protection
from siegel.service.manifests import manifest_of
from siegel.service.opened import Opened, version_text
from siegel.service.put import PutRequest, Stored
from siegel.service.trail import Trail
from siegel.service.versions import Deleted
from siegel.web.body import RequestBody
from siegel.web.call import Call, UseCases, customer_key, is_permitted, may_list_of, permit
from siegel.web.consents import note_read, stream_watched
from siegel.web.decided import find_decided, require_decided_on, require_decided_on_removed
from siegel.web.encryption import Sealing, asked_by, encryption_headers, wanted_sealing
from siegel.web.exchange import XML, Exchange, HeaderList, encode_headers
from siegel.web.lifecycle import expiration_headers
from siegel.web.locks import require_digest, shown_lock, target_of

_CHECKSUM_NAMES: Final[dict[str, bytes]] = {algorithm.value: algorithm.header.encode() for algorithm in Algorithm}


def version_headers(bucket: Bucket, text: str) -> HeaderList:
    """Return the version id header; a bucket that never was versioned shows none."""
    return [] if bucket.versioning is Versioning.UNVERSIONED else [(b"x-amz-version-id", text.encode())]


def checksum_headers(head: Head) -> HeaderList:
    """Return the headers that show an object's checksum."""
    return [
        (_CHECKSUM_NAMES[head.checksum_algorithm], head.checksum.encode()),
        (b"x-amz-checksum-type", head.checksum_type.encode()),
    ]


def put_request(call: Call, sealing: Sealing) -> PutRequest:
    """Return what a PutObject or CreateMultipartUpload wants stored, apart from the body."""
    headers = call.request.headers
    refuse_unsupported(headers, understood=WRITE_HEADERS)
    return PutRequest(
        object_key=call.request.object_key,
        headers=parse_kept_headers(headers),
        tags=tuple(parse_tagging(headers.get("x-amz-tagging")).items()),
        asker=sealing.asker,
        conditions=parse_write_conditions(headers),
        lock=parse_lock_headers(headers),
        protection=sealing.protection,
    )


async def put_object(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutObject."""
    sealing = await wanted_sealing(cases, call)
    wanted = put_request(call, sealing)
    target = cases.putter.target(call.bucket)
    plan = plan_body(call.verified, md5=sealing.shows_md5)
    require_digest(plan, target, is_locked=bool(wanted.lock))
    body = RequestBody(exchange, plan, cases.reaper, PUT_BYTES_MAX)

    def entry(stored: Stored) -> Entries:
        return call.trail.entries(200, version_id=version_text(stored.version), manifest=manifest_of(stored))

    stored = await cases.putter.put(target, wanted, body, entry)
    await exchange.answer(
        200,
        [
            (b"etag", b'"%s"' % stored.head.etag.encode()),
            *checksum_headers(stored.head),
            *sealing.headers(),
            *version_headers(call.bucket, version_text(stored.version)),
            *expiration_headers(cases, call, stored.version),
        ],
    )


class Source(Struct, frozen=True):
    """The source of a copy, opened: the caller may read it and its conditions hold. `entry` tells its owner of that."""

    bucket: Bucket
    opened: Opened
    entry: Entry


async def open_source(cases: UseCases, call: Call, byte_range: str = "") -> Source:
    """Open the object that `x-amz-copy-source` names, once the caller is allowed to read it and its conditions hold.

    From the moment on that it is known whose it is, the trail has the entry of this read: what is refused from then on, its
    owner knows too.
    """
    headers, trail = call.request.headers, call.trail
    source = parse_copy_source(headers["x-amz-copy-source"])
    bucket = cases.directory.bucket(source.bucket)
    trail.tried = _source_entry(trail, bucket, source, byte_range)
    action = "s3:GetObject" if source.version_id is None else "s3:GetObjectVersion"
    permitted = permit(cases, call, action, bucket=bucket, object_key=source.object_key, version_id=source.version_id)
    trail.tried = replace(trail.tried, permit=permitted.because)
    check_expected_owner(headers, bucket.account_id, of_copy_source=True)
    try:
        version = cases.getter.find(bucket, source.object_key, source.version_id)
    except MethodNotAllowedError:
        message = "The source of a copy request may not specifically refer to a delete marker by version id."
        raise InvalidRequestError(message) from None
    except (NoSuchKeyError, NoSuchVersionError):
        if may_list_of(cases, call, bucket):
            raise
        raise AccessDeniedError from None
    require_decided_on([permitted], version)
    key = customer_key(cases, call, of_copy_source=True)
    opened = await cases.getter.open(bucket, version, asked_by(call, key))
    trail.tried = entry = replace(trail.tried, version_id=opened.version_text)
    parse_read_conditions(headers, COPY_SOURCE_PREFIX).check(opened.head.etag, version.modified_at_ms)
    return Source(bucket, opened, entry)


async def copy_object(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """CopyObject."""
    headers = call.request.headers
    sealing = await wanted_sealing(cases, call)
    wanted = put_request(call, sealing)
    source = await open_source(cases, call)
    opened = source.opened
    if opened.version.size_bytes > COPY_BYTES_MAX:
        raise InvalidRequestError(
            f"The specified copy source is larger than the maximum allowable size for a copy source: {COPY_BYTES_MAX}"
        )
    directive = parse_directive(headers, "x-amz-metadata-directive")
    _refuse_idle_copy(call, source, directive, sealing)
    tagging = parse_directive(headers, "x-amz-tagging-directive")
    if tagging is Directive.COPY and opened.version.sealed_tags:
        _permit_copied_tags(cases, call, source)
    wanted = _with_source_metadata(wanted, opened, directive, tagging)
    algorithm = headers.get("x-amz-checksum-algorithm")
    body = OpenedBody(
        cases.getter,
        opened,
        0,
        opened.version.size_bytes,
        Algorithm(opened.head.checksum_algorithm)
        if algorithm is None
        else parse_algorithm(algorithm, "x-amz-checksum-algorithm"),
    )
    await note_source(cases, call, source)

    def entry(stored: Stored) -> Entries:
        return call.trail.entries(200, version_id=version_text(stored.version), manifest=manifest_of(stored))

    stored = await cases.putter.put(cases.putter.target(call.bucket), wanted, body, entry, point="copy")
    answer = [XML, *sealing.headers(), *version_headers(call.bucket, version_text(stored.version))]
    answer += expiration_headers(cases, call, stored.version)
    if source.bucket.versioning is not Versioning.UNVERSIONED:
        answer.append((b"x-amz-copy-source-version-id", opened.version_text.encode()))
    head = stored.head
    xml = render_copy_object(head.etag, stored.version.modified_at_ms, head.checksum_algorithm, head.checksum, head.checksum_type)
    await exchange.answer(200, answer, xml)


async def note_source(cases: UseCases, call: Call, source: Source) -> None:
    """Write down the read that a copy is for its source, and the use of the source's key. Raises StorageError."""
    trail = call.trail
    await cases.journal.append(carrying(source.entry, trail.uses))
    trail.uses, trail.tried = (), None


def _source_entry(trail: Trail, bucket: Bucket, source: CopySource, byte_range: str) -> Entry:
    return Entry(
        trail.at_ms,
        trail.request_id,
        "object.read",
        bucket.account_id,
        trail.caller.arn,
        bucket.name,
        source.object_key,
        source.version_id or "",
        byte_range,
        200,
        "copy source",
        trail.source,
        bucket.bucket_id,
    )


def _refuse_idle_copy(call: Call, source: Source, directive: Directive, sealing: Sealing) -> None:
    """Refuse a copy of an object onto itself that would change nothing."""
    version = source.opened.version
    same = source.bucket.bucket_id == call.bucket.bucket_id and version.object_key == call.request.object_key
    asked_version = "?versionId=" in call.request.headers["x-amz-copy-source"]
    changes = (
        directive is Directive.REPLACE
        or asked_version
        or sealing.customer_key is not None
        or version.mode is SealingMode.SSE_C
        or _settings_of(sealing.protection) != _settings_of(source.opened.protection)
        or ENCRYPTION_HEADER in call.request.headers
        or "x-amz-website-redirect-location" in call.request.headers
        or "x-amz-storage-class" in call.request.headers
    )
    if same and not changes:
        raise InvalidRequestError(
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes."
        )


def _settings_of(protection: Protection | None) -> bytes:
    return b"" if protection is None else protection.encoded


def _permit_copied_tags(cases: UseCases, call: Call, source: Source) -> None:
    """Raise AccessDeniedError unless the caller may read the source's tags, and give them to the copy."""
    named = parse_copy_source(call.request.headers["x-amz-copy-source"]).version_id
    read = "s3:GetObjectTagging" if named is None else "s3:GetObjectVersionTagging"
    source_key = source.opened.version.object_key
    permitted = permit(cases, call, read, bucket=source.bucket, object_key=source_key, version_id=named)
    require_decided_on([permitted], source.opened.version)
    place = place_of(source.bucket.account_id, source.opened.version)
    tags = open_tags(source.opened.keys.metadata, place, source.opened.version.sealed_tags)
    permit(cases, call, "s3:PutObjectTagging", object_key=call.request.object_key, others=tag_keys(dict(tags)))


def _with_source_metadata(wanted: PutRequest, opened: Opened, directive: Directive, tagging: Directive) -> PutRequest:
    headers, tags = wanted.headers, wanted.tags
    if directive is Directive.COPY:
        # The redirect location belongs to the request, never to the source (API reference, CopyObject).
        redirect = b"x-amz-website-redirect-location"
        own = tuple(pair for pair in headers if pair[0] == redirect)
        headers = (*(pair for pair in opened.head.headers if pair[0] != redirect), *own)
    if tagging is Directive.COPY:
        place = place_of(opened.bucket.account_id, opened.version)
        tags = tuple(open_tags(opened.keys.metadata, place, opened.version.sealed_tags))
    return replace(wanted, headers=headers, tags=tags)


class _Selection(Struct, frozen=True):
    """What of an object is asked for: a range (None: all of it), and the part by whose number it was asked for (0: by none)."""

    byte_range: ByteRange | None
    part_number: int = 0

    @property
    def shown(self) -> ByteRange | None:
        """The range that the answer shows, by which it is a 206. An empty part has none: Content-Range cannot say "no byte"."""
        return self.byte_range if self.byte_range is not None and self.byte_range.length else None


_WHOLE: Final = _Selection(None)


def _select(call: Call, opened: Opened) -> _Selection:
    headers, size = call.request.headers, opened.version.size_bytes
    part_text = call.request.query.get("partNumber")
    asked = headers.get("range")
    if part_text is None:
        if asked is None:
            return _WHOLE
        if not range_applies(headers.get("if-range"), opened.head.etag, opened.version.modified_at_ms):
            asked = None
        return _Selection(parse_range(asked, size))
    if asked is not None:
        raise InvalidRequestError("Cannot specify both Range header and partNumber query parameter")
    number = parse_part_number(part_text)
    parts = opened.parts()
    if number > len(parts):
        raise InvalidPartNumberError(fields={"PartNumberRequested": part_text, "ActualPartCount": str(len(parts))})
    start = sum(part.size_bytes for part in parts[: number - 1])
    stop = start + parts[number - 1].size_bytes
    return _Selection(ByteRange(start, stop, size), number)


def _read_headers(cases: UseCases, call: Call, opened: Opened, selection: _Selection, key: CustomerKey | None) -> HeaderList:
    version, request = opened.version, call.request
    headers: HeaderList = [
        *opened.headers,
        *encryption_headers(key, opened.protection),
        *version_headers(call.bucket, opened.version_text),
    ]
    if version.part_count and selection.part_number:
        headers.append((b"x-amz-mp-parts-count", b"%d" % version.part_count))
    version_id = request.query.get("versionId")
    read_tags = "s3:GetObjectTagging" if version_id is None else "s3:GetObjectVersionTagging"
    if version.sealed_tags and is_permitted(cases, call, read_tags, version.object_key, version_id):
        tags = open_tags(opened.keys.metadata, opened.place, version.sealed_tags)
        headers.append((b"x-amz-tagging-count", b"%d" % len(tags)))
    if version.lock:
        headers += shown_lock(cases, call, version)
    if version_id is None:
        headers += expiration_headers(cases, call, version)
    length = version.size_bytes if selection.byte_range is None else selection.byte_range.length
    headers.append((b"content-length", b"%d" % length))
    if selection.shown is not None:
        headers.append((b"content-range", selection.shown.content_range.encode()))
    if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers += _checksum_of(opened, selection)
    if request.raw_query.find(b"response-") >= 0:
        overrides = parse_response_overrides(request.query, is_signed=call.verified.claim is not None)
        replaced = {name.lower().encode() for name in overrides}
        headers = [pair for pair in headers if pair[0] not in replaced] + encode_headers(overrides)
    return headers


def _checksum_of(opened: Opened, selection: _Selection) -> HeaderList:
    """Return the headers that show the checksum of what is sent: of all the object, or of one part. For less there is none."""
    head, byte_range = opened.head, selection.byte_range
    if selection.part_number and head.checksum_type == ChecksumType.COMPOSITE:
        of_parts = open_part_checksums(opened.unwrapped.head_key, opened.place, opened.version.body)
        return checksum_headers(replace(head, checksum=of_parts[selection.part_number - 1]))
    is_whole = byte_range is None or byte_range.length == opened.version.size_bytes
    return checksum_headers(head) if is_whole else []


async def get_object(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetObject, and HeadObject, which differs in sending no body."""
    request, bucket, getter = call.request, call.bucket, cases.getter
    query = request.query
    # A head needs of the body only where its parts lie, and that where one of them is asked for.
    with_body = request.method != "HEAD" or "partNumber" in query
    version = find_decided(cases, call, with_body=with_body)
    refuse_in_read(request.headers)
    key = customer_key(cases, call)
    opened = await getter.open(bucket, version, asked_by(call, key))
    parse_read_conditions(request.headers).check(opened.head.etag, version.modified_at_ms)
    selection = _select(call, opened)
    headers = _read_headers(cases, call, opened, selection, key)
    byte_range, shown = selection.byte_range, selection.shown
    status = 200 if shown is None else 206
    entry = call.trail.entries(
        status,
        version_id=opened.version_text,
        byte_range="" if shown is None else f"{shown.start}-{shown.stop - 1}",
    )
    if request.method == "HEAD":
        await note_read(cases, call, entry)
        await exchange.small(status, headers, b"")
        return
    start, stop = (0, version.size_bytes) if byte_range is None else (byte_range.start, byte_range.stop)
    if getter.is_inline(version):
        body = opened.inline_bytes()
        await note_read(cases, call, entry)
        await exchange.small(status, headers, body if stop - start == len(body) else body[start:stop])
        return
    async with aclosing(getter.stream(opened, start, stop)) as pieces:
        # The first piece is opened before the answer begins: damage at the front is still an error, not a cut connection.
        first = await anext(pieces, b"")
        await note_read(cases, call, entry)
        await opened.unwrapped.look()
        if call.caller.consent_id:
            await stream_watched(cases, call, exchange, status, headers, first=first, rest=pieces)
            return
        await exchange.stream(status, headers, first, pieces)


async def get_object_attributes(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetObjectAttributes."""
    request, bucket = call.request, call.bucket
    wanted = _attributes(request.headers.get("x-amz-object-attributes"))
    page = parse_attribute_part_query(request.headers)
    version = find_decided(cases, call)
    opened = await cases.getter.open(bucket, version, asked_by(call, customer_key(cases, call)))
    parse_read_conditions(request.headers).check(opened.head.etag, version.modified_at_ms)
    head = opened.head
    xml = render_attributes(
        wanted,
        etag=head.etag,
        size_bytes=version.size_bytes,
        checksum_algorithm=head.checksum_algorithm,
        checksum=head.checksum,
        checksum_type=head.checksum_type,
        parts=_attribute_parts(page, opened) if "ObjectParts" in wanted and version.part_count else None,
        part_query=page,
    )
    await note_read(cases, call, call.trail.entries(200, version_id=opened.version_text))
    headers = [XML, (b"last-modified", format_http_date(version.modified_at_ms).encode())]
    await exchange.answer(200, [*headers, *version_headers(bucket, opened.version_text)], xml)


_ATTRIBUTES: Final = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


def _attributes(text: str | None) -> frozenset[str]:
    wanted = frozenset(name.strip() for name in (text or "").split(",") if name.strip())
    if not wanted or not wanted <= set(_ATTRIBUTES):
        raise InvalidArgumentError(
            "Invalid attribute name specified.", fields={"ArgumentName": "x-amz-object-attributes", "ArgumentValue": text or ""}
        )
    return wanted


def _attribute_parts(page: PartQuery, opened: Opened) -> PartPage:
    """Return the page of parts that the request asks for; parts without declared checksums show their number and size only."""
    place = opened.place
    checksums = open_part_checksums(opened.unwrapped.head_key, place, opened.version.body)
    parts = [
        ListedPart(number, part.size_bytes, opened.version.modified_at_ms, "", checksums[number - 1] if checksums else "")
        for number, part in enumerate(opened.parts(), 1)
    ]
    chosen = parts[page.part_number_marker : page.part_number_marker + page.max_parts]
    return PartPage(
        parts=chosen if checksums else [],
        is_truncated=page.part_number_marker + len(chosen) < len(parts) and bool(checksums),
        next_part_number=chosen[-1].part_number if chosen else 0,
        part_count=len(parts),
    )


async def delete_object(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """DeleteObject."""
    request = call.request
    refuse_unsupported(request.headers)
    conditions = parse_delete_conditions(request.headers)
    version_id = request.query.get("versionId")

    def entry(done: Deleted) -> Entry:
        require_decided_on_removed(call.permits, done)
        return call.trail.entry(204, version_id="" if done.version is None else version_text(done.version))

    target = target_of(cases, call, request.object_key, version_id)
    done = await cases.deleter.delete(target, request.object_key, version_id, conditions, entry)
    headers: HeaderList = []
    if version_id is not None:
        headers.append((b"x-amz-version-id", version_id.encode()))
    elif done.made_marker and done.version is not None:
        headers.append((b"x-amz-version-id", version_text(done.version).encode()))
    if done.version is not None and done.version.is_marker:
        headers.append((b"x-amz-delete-marker", b"true"))
    await exchange.answer(204, headers)


HANDLERS: Final = {
    "PutObject": put_object,
    "CopyObject": copy_object,
    "GetObject": get_object,
    "HeadObject": get_object,
    "GetObjectAttributes": get_object_attributes,
    "DeleteObject": delete_object,
}
