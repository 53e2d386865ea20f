"""What lists return: pages of objects, versions, uploads and parts, as values ready to be rendered.

Tokens and markers are plain strings here; the protocol room decides on how they look on the wire.
"""

from msgspec import Struct


class ListedObject(Struct, frozen=True):
    """A current object in a list."""

    object_key: str
    size_bytes: int
    modified_at_ms: int
    etag: str
    checksum_algorithm: str = ""
    checksum_type: str = ""


class ListedVersion(Struct, frozen=True):
    """A version or delete marker in a list. `version_id` is what the client sees: the id or `null`."""

    object_key: str
    version_id: str
    is_latest: bool
    is_marker: bool
    size_bytes: int
    modified_at_ms: int
    etag: str
    checksum_algorithm: str = ""
    checksum_type: str = ""


class ListedUpload(Struct, frozen=True):
    """An upload in progress in a list."""

    object_key: str
    upload_id: str
    initiated_at_ms: int
    checksum_algorithm: str = ""
    checksum_type: str = ""


class ListedPart(Struct, frozen=True):
    """A part of an upload in progress, or of a finished object."""

    part_number: int
    size_bytes: int
    modified_at_ms: int
    etag: str
    checksum: str = ""


class ObjectPage(Struct, frozen=True):
    """One page of ListObjects or ListObjectsV2. `next_after` continues behind it; it may end in a common prefix."""

    objects: list[ListedObject]
    common_prefixes: list[str]
    is_truncated: bool
    next_after: str = ""


class VersionPage(Struct, frozen=True):
    """One page of ListObjectVersions."""

    versions: list[ListedVersion]
    common_prefixes: list[str]
    is_truncated: bool
    next_key: str = ""
    next_version_id: str = ""


class UploadPage(Struct, frozen=True):
    """One page of ListMultipartUploads."""

    uploads: list[ListedUpload]
    common_prefixes: list[str]
    is_truncated: bool
    next_key: str = ""
    next_upload_id: str = ""


class PartPage(Struct, frozen=True):
    """One page of ListParts, or of the parts in GetObjectAttributes."""

    parts: list[ListedPart]
    is_truncated: bool
    next_part_number: int = 0
    part_count: int = 0
