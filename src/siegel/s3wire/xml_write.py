"""Answers in XML. Everything that a client once sent is escaped; nothing else needs to be.

Lists are the hot path: whether any of a page's keys needs escaping at all is found by one search over all of them.

Source: Amazon S3 API Reference, the response syntax of each operation.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from siegel.domain.objects import Bucket, Upload, Versioning
from siegel.domain.pages import (
    ListedObject,
    ListedPart,
    ListedUpload,
    ListedVersion,
    ObjectPage,
    PartPage,
    UploadPage,
    VersionPage,
)
from siegel.s3wire.dates import format_iso
from siegel.s3wire.listquery import BucketQuery, ObjectQuery, PartQuery, UploadQuery, VersionQuery
from siegel.s3wire.metadata import STORAGE_CLASS
from siegel.s3wire.xmltext import SPECIAL, UNSAFE, document, element, encode_url, escape

_REGION_WITHOUT_NAME: Final = "us-east-1"
_STORAGE: Final = f"<StorageClass>{STORAGE_CLASS}</StorageClass>"

Write = Callable[[str], str]


class DeletedObject(Struct, frozen=True):
    """An object that DeleteObjects deleted. `version_id` is the one the client named, empty if none.

    `is_marker`: a delete marker was made or removed; `marker_version_id` is its id.
    """

    object_key: str
    version_id: str = ""
    is_marker: bool = False
    marker_version_id: str = ""


class DeleteFailure(Struct, frozen=True):
    """An object that DeleteObjects could not delete, and why."""

    object_key: str
    version_id: str
    code: str
    message: str


def _same(text: str) -> str:
    return text


def _writer(texts: Iterable[str], *, is_url_encoded: bool) -> Write:
    """Return what writes each of `texts`: nothing to do if none of them holds a character that cannot stand as it is."""
    changed: re.Pattern[str] = UNSAFE if is_url_encoded else SPECIAL
    if changed.search("".join(texts)) is None:
        return _same
    return encode_url if is_url_encoded else escape


def _optional(name: str, text: str, write: Write = escape) -> str:
    return f"<{name}>{write(text)}</{name}>" if text else ""


def _flag(*, is_set: bool) -> str:
    return "true" if is_set else "false"


def _truncated(*, is_truncated: bool) -> str:
    return f"<IsTruncated>{_flag(is_set=is_truncated)}</IsTruncated>"


def _etag(etag: str) -> str:
    return f"<ETag>&quot;{etag}&quot;</ETag>"


def _person(role: str, account_id: str) -> str:
    return f"<{role}><ID>{account_id}</ID><DisplayName>{account_id}</DisplayName></{role}>"


@lru_cache(maxsize=64)
def _checksum_kind(algorithm: str, checksum_type: str) -> str:
    return _optional("ChecksumAlgorithm", algorithm) + _optional("ChecksumType", checksum_type)


def _checksum(algorithm: str, checksum: str, checksum_type: str = "") -> str:
    """Return the elements of a checksum in its text form, nothing without one."""
    if not checksum:
        return ""
    return f"<Checksum{algorithm}>{checksum}</Checksum{algorithm}>" + _optional("ChecksumType", checksum_type)


def _prefixes(prefixes: Sequence[str], *, is_url_encoded: bool) -> str:
    write = _writer(prefixes, is_url_encoded=is_url_encoded)
    return "".join([f"<CommonPrefixes><Prefix>{write(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes])


def _encoding(*, is_url_encoded: bool) -> str:
    return "<EncodingType>url</EncodingType>" if is_url_encoded else ""


# Objects.


def render_objects_v1(bucket: Bucket, query: ObjectQuery, page: ObjectPage) -> bytes:
    """ListObjects. NextMarker is there only with a delimiter, as in S3: without one, the last key serves."""
    write = encode_url if query.is_url_encoded else escape
    return document(
        "ListBucketResult",
        f"<Name>{bucket.name}</Name><Prefix>{write(query.prefix)}</Prefix><Marker>{write(query.marker)}</Marker>",
        _optional("NextMarker", page.next_after if page.is_truncated and query.delimiter else "", write),
        *_object_page(query, page, _person("Owner", bucket.account_id)),
    )


def render_objects_v2(bucket: Bucket, query: ObjectQuery, page: ObjectPage, token: str) -> bytes:
    """ListObjectsV2. `token` continues behind the page; it is empty on the last one."""
    write = encode_url if query.is_url_encoded else escape
    return document(
        "ListBucketResult",
        f"<Name>{bucket.name}</Name><Prefix>{write(query.prefix)}</Prefix>",
        _optional("StartAfter", query.start_after, write),
        _optional("ContinuationToken", query.token or ""),
        _optional("NextContinuationToken", token),
        f"<KeyCount>{len(page.objects) + len(page.common_prefixes)}</KeyCount>",
        *_object_page(query, page, _person("Owner", bucket.account_id) if query.fetch_owner else ""),
    )


def _object_page(query: ObjectQuery, page: ObjectPage, owner: str) -> tuple[str, ...]:
    write = encode_url if query.is_url_encoded else escape
    return (
        f"<MaxKeys>{query.max_keys}</MaxKeys>",
        _optional("Delimiter", query.delimiter, write),
        _encoding(is_url_encoded=query.is_url_encoded),
        _truncated(is_truncated=page.is_truncated),
        _contents(page.objects, owner, is_url_encoded=query.is_url_encoded),
        _prefixes(page.common_prefixes, is_url_encoded=query.is_url_encoded),
    )


def _contents(objects: Sequence[ListedObject], owner: str, *, is_url_encoded: bool) -> str:
    keys = [item.object_key for item in objects]
    write = _writer(keys, is_url_encoded=is_url_encoded)
    if write is not _same:
        keys = [write(key) for key in keys]
    tail = f"</Size>{owner}{_STORAGE}</Contents>"
    return "".join(
        [
            f"<Contents><Key>{key}</Key><LastModified>{format_iso(item.modified_at_ms)}</LastModified>"
            f"<ETag>&quot;{item.etag}&quot;</ETag>{_checksum_kind(item.checksum_algorithm, item.checksum_type)}"
            f"<Size>{item.size_bytes}{tail}"
            for key, item in zip(keys, objects, strict=True)
        ]
    )


# Versions.


def render_versions(bucket: Bucket, query: VersionQuery, page: VersionPage) -> bytes:
    """ListObjectVersions: versions and delete markers in one order."""
    write = encode_url if query.is_url_encoded else escape
    owner = _person("Owner", bucket.account_id)
    write_key = _writer([item.object_key for item in page.versions], is_url_encoded=query.is_url_encoded)
    return document(
        "ListVersionsResult",
        f"<Name>{bucket.name}</Name><Prefix>{write(query.prefix)}</Prefix><KeyMarker>{write(query.key_marker)}</KeyMarker>",
        element("VersionIdMarker", query.version_id_marker),
        _optional("NextKeyMarker", page.next_key if page.is_truncated else "", write),
        _optional("NextVersionIdMarker", page.next_version_id if page.is_truncated else ""),
        f"<MaxKeys>{query.max_keys}</MaxKeys>",
        _optional("Delimiter", query.delimiter, write),
        _encoding(is_url_encoded=query.is_url_encoded),
        _truncated(is_truncated=page.is_truncated),
        "".join([_version(item, write_key, owner) for item in page.versions]),
        _prefixes(page.common_prefixes, is_url_encoded=query.is_url_encoded),
    )


def _version(item: ListedVersion, write: Write, owner: str) -> str:
    head = (
        f"<Key>{write(item.object_key)}</Key><VersionId>{item.version_id}</VersionId>"
        f"<IsLatest>{'true' if item.is_latest else 'false'}</IsLatest>"
        f"<LastModified>{format_iso(item.modified_at_ms)}</LastModified>"
    )
    if item.is_marker:
        return f"<DeleteMarker>{head}{owner}</DeleteMarker>"
    kind = _checksum_kind(item.checksum_algorithm, item.checksum_type)
    return f"<Version>{head}{_etag(item.etag)}{kind}<Size>{item.size_bytes}</Size>{owner}{_STORAGE}</Version>"


# Uploads and parts.


def render_uploads(bucket: Bucket, query: UploadQuery, page: UploadPage) -> bytes:
    """ListMultipartUploads."""
    write = encode_url if query.is_url_encoded else escape
    people = _person("Initiator", bucket.account_id) + _person("Owner", bucket.account_id)
    write_key = _writer([item.object_key for item in page.uploads], is_url_encoded=query.is_url_encoded)
    return document(
        "ListMultipartUploadsResult",
        f"<Bucket>{bucket.name}</Bucket><KeyMarker>{write(query.key_marker)}</KeyMarker>",
        element("UploadIdMarker", query.upload_id_marker),
        _optional("NextKeyMarker", page.next_key if page.is_truncated else "", write),
        _optional("NextUploadIdMarker", page.next_upload_id if page.is_truncated else ""),
        f"<Prefix>{write(query.prefix)}</Prefix>",
        _optional("Delimiter", query.delimiter, write),
        f"<MaxUploads>{query.max_uploads}</MaxUploads>",
        _encoding(is_url_encoded=query.is_url_encoded),
        _truncated(is_truncated=page.is_truncated),
        "".join([_upload(item, write_key, people) for item in page.uploads]),
        _prefixes(page.common_prefixes, is_url_encoded=query.is_url_encoded),
    )


def _upload(item: ListedUpload, write: Write, people: str) -> str:
    return (
        f"<Upload><Key>{write(item.object_key)}</Key><UploadId>{item.upload_id}</UploadId>{people}{_STORAGE}"
        f"<Initiated>{format_iso(item.initiated_at_ms)}</Initiated>"
        f"{_checksum_kind(item.checksum_algorithm, item.checksum_type)}</Upload>"
    )


def render_parts(bucket: Bucket, upload: Upload, page: PartPage, query: PartQuery) -> bytes:
    """ListParts. The checksum's kind is shown where the client chose one when it created the upload."""
    return document(
        "ListPartsResult",
        f"<Bucket>{bucket.name}</Bucket><Key>{escape(upload.object_key)}</Key><UploadId>{upload.upload_id}</UploadId>",
        _person("Initiator", bucket.account_id) + _person("Owner", bucket.account_id) + _STORAGE,
        _part_page(page, query),
        "".join([_part(item, upload.checksum_algorithm) for item in page.parts]),
        _checksum_kind(upload.checksum_algorithm, upload.checksum_type),
    )


def _part_page(page: PartPage, query: PartQuery) -> str:
    return (
        f"<PartNumberMarker>{query.part_number_marker}</PartNumberMarker>"
        f"<NextPartNumberMarker>{page.next_part_number}</NextPartNumberMarker>"
        f"<MaxParts>{query.max_parts}</MaxParts>{_truncated(is_truncated=page.is_truncated)}"
    )


def _part(item: ListedPart, algorithm: str) -> str:
    return (
        f"<Part><PartNumber>{item.part_number}</PartNumber><LastModified>{format_iso(item.modified_at_ms)}</LastModified>"
        f"{_etag(item.etag)}<Size>{item.size_bytes}</Size>{_checksum(algorithm, item.checksum)}</Part>"
    )


def render_initiate(bucket: str, object_key: str, upload_id: str) -> bytes:
    """CreateMultipartUpload."""
    return document(
        "InitiateMultipartUploadResult",
        f"<Bucket>{bucket}</Bucket><Key>{escape(object_key)}</Key><UploadId>{upload_id}</UploadId>",
    )


def render_complete(
    *, location: str, bucket: str, object_key: str, etag: str, checksum_algorithm: str, checksum: str, checksum_type: str
) -> bytes:
    """CompleteMultipartUpload. `location` is the object's URL; `checksum` the text form, empty for none."""
    return document(
        "CompleteMultipartUploadResult",
        f"{element('Location', location)}<Bucket>{bucket}</Bucket><Key>{escape(object_key)}</Key>{_etag(etag)}",
        _checksum(checksum_algorithm, checksum, checksum_type),
    )


# Copies, deletes, attributes.


def render_copy_object(etag: str, modified_at_ms: int, checksum_algorithm: str, checksum: str, checksum_type: str) -> bytes:
    """CopyObject. `checksum` is the text form, empty for none."""
    return document(
        "CopyObjectResult",
        f"<LastModified>{format_iso(modified_at_ms)}</LastModified>{_etag(etag)}",
        _checksum(checksum_algorithm, checksum, checksum_type),
    )


def render_copy_part(etag: str, modified_at_ms: int, checksum_algorithm: str, checksum: str) -> bytes:
    """UploadPartCopy. `checksum` is the text form, empty for none."""
    return document(
        "CopyPartResult",
        f"<LastModified>{format_iso(modified_at_ms)}</LastModified>{_etag(etag)}",
        _checksum(checksum_algorithm, checksum),
    )


def render_delete(results: Iterable[DeletedObject | DeleteFailure]) -> bytes:
    """DeleteObjects."""
    return document("DeleteResult", *map(_deleted, results))


def _deleted(item: DeletedObject | DeleteFailure) -> str:
    head = f"<Key>{escape(item.object_key)}</Key>{_optional('VersionId', item.version_id)}"
    if isinstance(item, DeleteFailure):
        return f"<Error>{head}{element('Code', item.code)}{element('Message', item.message)}</Error>"
    marker = "<DeleteMarker>true</DeleteMarker>" if item.is_marker else ""
    return f"<Deleted>{head}{marker}{_optional('DeleteMarkerVersionId', item.marker_version_id)}</Deleted>"


def render_attributes(
    wanted: frozenset[str],
    *,
    etag: str,
    size_bytes: int,
    checksum_algorithm: str,
    checksum: str,
    checksum_type: str,
    parts: PartPage | None,
    part_query: PartQuery | None = None,
) -> bytes:
    """GetObjectAttributes: of what there is, that which is `wanted`. `parts` is None for an object that has none.

    As in S3, the ETag has no quotes here, and a checksum of checksums no number of parts behind it. With `part_query` the page of
    parts says what was asked for.
    """
    checksum = checksum.partition("-")[0]
    shown = {
        "ETag": element("ETag", etag),
        "Checksum": f"<Checksum>{_checksum(checksum_algorithm, checksum, checksum_type)}</Checksum>" if checksum else "",
        "ObjectParts": _object_parts(parts, part_query, checksum_algorithm) if parts is not None else "",
        "StorageClass": _STORAGE,
        "ObjectSize": f"<ObjectSize>{size_bytes}</ObjectSize>",
    }
    return document("GetObjectAttributesResponse", *(text for name, text in shown.items() if name in wanted))


def _object_parts(page: PartPage, query: PartQuery | None, algorithm: str) -> str:
    asked = _part_page(page, query) if query is not None else _truncated(is_truncated=page.is_truncated)
    parts = [
        f"<Part><PartNumber>{item.part_number}</PartNumber><Size>{item.size_bytes}</Size>"
        f"{_checksum(algorithm, item.checksum)}</Part>"
        for item in page.parts
    ]
    return f"<ObjectParts>{asked}<PartsCount>{page.part_count}</PartsCount>{''.join(parts)}</ObjectParts>"


# Buckets.


def render_buckets(account_id: str, account_name: str, buckets: Iterable[Bucket], query: BucketQuery, token: str) -> bytes:
    """ListBuckets. `token` continues behind the page; it is empty on the last one."""
    found = [
        f"<Bucket><Name>{bucket.name}</Name><CreationDate>{format_iso(bucket.created_at_ms)}</CreationDate>"
        f"<BucketRegion>{bucket.region}</BucketRegion></Bucket>"
        for bucket in buckets
    ]
    return document(
        "ListAllMyBucketsResult",
        f"<Owner><ID>{account_id}</ID>{element('DisplayName', account_name)}</Owner><Buckets>{''.join(found)}</Buckets>",
        _optional("ContinuationToken", token),
        _optional("Prefix", query.prefix),
    )


def render_location(region: str) -> bytes:
    """GetBucketLocation; the region us-east-1 has no name here."""
    return document("LocationConstraint", "" if region == _REGION_WITHOUT_NAME else escape(region))


def render_policy_status(*, is_public: bool) -> bytes:
    """Return the answer of GetBucketPolicyStatus."""
    return document("PolicyStatus", f"<IsPublic>{_flag(is_set=is_public)}</IsPublic>")


def render_versioning(versioning: Versioning) -> bytes:
    """GetBucketVersioning, empty for a bucket that never had any."""
    return document("VersioningConfiguration", _optional("Status", versioning.value))
