"""Lists: objects, versions and uploads, in byte order of their keys, rolled up at a delimiter."""

from collections.abc import Callable

from siegel.domain.objects import Bucket, ObjectVersion, Upload
from siegel.domain.pages import ListedObject, ListedUpload, ListedVersion, ObjectPage, UploadPage, VersionPage
from siegel.domain.ports import MetaStore, Objects, Uploads
from siegel.envelope.context import Place
from siegel.s3wire.listquery import ObjectQuery, UploadQuery, VersionQuery
from siegel.s3wire.names import decode_version_id
from siegel.service.directory import Directory
from siegel.service.heads import ListHead, open_list_head, shown_head
from siegel.service.opened import version_text
from siegel.service.rolling import Position, Roll, behind

_NO_HEAD = ListHead("", "", "")


class Lister:
    """The use cases ListObjects (both versions), ListObjectVersions and ListMultipartUploads."""

    def __init__(self, store: MetaStore, directory: Directory) -> None:
        self._objects = store.reader.objects
        self._uploads = store.reader.uploads
        self._directory = directory

    def objects(self, bucket: Bucket, query: ObjectQuery) -> ObjectPage:
        """Return a page of current objects; objects and common prefixes count alike towards its size."""
        limit = query.max_keys
        if limit == 0:
            return ObjectPage(objects=[], common_prefixes=[], is_truncated=False)
        found: list[ListedObject] = []
        prefixes: list[str] = []
        last = ""
        head_of = self._head_opener(bucket)
        roll = Roll(query.prefix, query.delimiter)
        for version, common in roll.walk(_CurrentRows(self._objects, bucket), roll.begin(query.after), limit + 1):
            if len(found) + len(prefixes) == limit:
                return ObjectPage(objects=found, common_prefixes=prefixes, is_truncated=True, next_after=last)
            if version is None:
                prefixes.append(common)
                last = common
                continue
            head = head_of(version)
            last = version.object_key
            found.append(
                ListedObject(
                    last,
                    version.size_bytes,
                    version.modified_at_ms,
                    head.etag,
                    head.checksum_algorithm,
                    head.checksum_type,
                )
            )
        return ObjectPage(objects=found, common_prefixes=prefixes, is_truncated=False)

    def _head_opener(self, bucket: Bucket) -> Callable[[ObjectVersion], ListHead]:
        """Return a function that opens what a list may show."""
        keys = self._directory.keys_of(bucket)
        account_id = bucket.account_id

        def opened(version: ObjectVersion) -> ListHead:
            if version.is_marker:
                return _NO_HEAD
            if version.etag:
                return shown_head(keys, account_id, version)
            place = Place(account_id, version.bucket_id, version.object_key, version.version_id)
            return open_list_head(keys.metadata, place, version)

        return opened

    def versions(self, bucket: Bucket, query: VersionQuery) -> VersionPage:
        """Return a page of versions and delete markers."""
        limit, key_marker = query.max_keys, query.key_marker
        if limit == 0:
            return VersionPage(versions=[], common_prefixes=[], is_truncated=False)
        found: list[ListedVersion] = []
        prefixes: list[str] = []
        last = ("", "")
        head_of = self._head_opener(bucket)
        roll = Roll(query.prefix, query.delimiter)
        position = roll.begin(key_marker)
        sequence = self._sequence_of(bucket, key_marker, query.version_id_marker)
        if query.version_id_marker and key_marker >= query.prefix:
            position = Position(key_marker, sequence)
        previous_key = key_marker if sequence is not None else None
        for version, common in roll.walk(_VersionRows(self._objects, bucket), position, limit + 1):
            if len(found) + len(prefixes) == limit:
                return VersionPage(
                    versions=found,
                    common_prefixes=prefixes,
                    is_truncated=True,
                    next_key=last[0],
                    next_version_id=last[1],
                )
            if version is None:
                prefixes.append(common)
                last = (common, "")
                continue
            found.append(_listed_version(version, head_of(version), is_latest=version.object_key != previous_key))
            previous_key = version.object_key
            last = (previous_key, found[-1].version_id)
        return VersionPage(versions=found, common_prefixes=prefixes, is_truncated=False)

    def _sequence_of(self, bucket: Bucket, object_key: str, version_marker: str) -> int | None:
        """Return the place of a marker version; None if none is named, or it went since its page was listed.

        Where it went, nobody knows any more what was behind it: the key begins anew, for what is listed twice harms less than
        what is never listed to whoever empties a bucket page by page.
        """
        if not version_marker:
            return None
        version = self._objects.find_version(bucket.bucket_id, object_key, decode_version_id(version_marker))
        return None if version is None else version.sequence

    def uploads(self, bucket: Bucket, query: UploadQuery) -> UploadPage:
        """Return a page of uploads in progress."""
        limit = query.max_uploads
        if limit == 0:
            return UploadPage(uploads=[], common_prefixes=[], is_truncated=False)
        found: list[ListedUpload] = []
        prefixes: list[str] = []
        last = ("", "")
        roll = Roll(query.prefix, query.delimiter)
        position = roll.begin(query.key_marker)
        if query.upload_id_marker and query.key_marker >= query.prefix:
            position = Position(query.key_marker, query.upload_id_marker)
        for upload, common in roll.walk(_UploadRows(self._uploads, bucket), position, limit + 1):
            if len(found) + len(prefixes) == limit:
                return UploadPage(
                    uploads=found,
                    common_prefixes=prefixes,
                    is_truncated=True,
                    next_key=last[0],
                    next_upload_id=last[1],
                )
            if upload is None:
                prefixes.append(common)
                last = (common, "")
                continue
            found.append(
                ListedUpload(
                    object_key=upload.object_key,
                    upload_id=upload.upload_id,
                    initiated_at_ms=upload.initiated_at_ms,
                    checksum_algorithm=upload.checksum_algorithm,
                    checksum_type=upload.checksum_type,
                )
            )
            last = (upload.object_key, upload.upload_id)
        return UploadPage(uploads=found, common_prefixes=prefixes, is_truncated=False)


def _listed_version(version: ObjectVersion, head: ListHead, *, is_latest: bool) -> ListedVersion:
    return ListedVersion(
        version.object_key,
        version_text(version),
        is_latest,
        version.is_marker,
        version.size_bytes,
        version.modified_at_ms,
        head.etag,
        head.checksum_algorithm,
        head.checksum_type,
    )


class _CurrentRows:
    def __init__(self, objects: Objects, bucket: Bucket) -> None:
        self._objects = objects
        self._bucket_id = bucket.bucket_id

    def fetch(self, position: Position, stop: str | None, limit: int) -> list[ObjectVersion]:
        return self._objects.scan_current(self._bucket_id, position.object_key, stop, limit)

    def next_key(self, position: Position, stop: str | None) -> str | None:
        return self._objects.next_key(self._bucket_id, position.object_key, stop)

    def position_behind(self, row: ObjectVersion) -> Position:
        return Position(behind(row.object_key))


class _VersionRows:
    def __init__(self, objects: Objects, bucket: Bucket) -> None:
        self._objects = objects
        self._bucket_id = bucket.bucket_id

    def fetch(self, position: Position, stop: str | None, limit: int) -> list[ObjectVersion]:
        mark = position.row_mark
        sequence = mark if isinstance(mark, int) else None
        return self._objects.scan_versions(self._bucket_id, position.object_key, sequence, stop, limit)

    def next_key(self, position: Position, stop: str | None) -> str | None:
        rows = self.fetch(position, stop, 1)
        return rows[0].object_key if rows else None

    def position_behind(self, row: ObjectVersion) -> Position:
        return Position(row.object_key, row.sequence)


class _UploadRows:
    def __init__(self, uploads: Uploads, bucket: Bucket) -> None:
        self._uploads = uploads
        self._bucket_id = bucket.bucket_id

    def fetch(self, position: Position, stop: str | None, limit: int) -> list[Upload]:
        mark = position.row_mark
        upload_id = mark if isinstance(mark, str) else None
        return self._uploads.scan(self._bucket_id, position.object_key, upload_id, stop, limit)

    def next_key(self, position: Position, stop: str | None) -> str | None:
        rows = self.fetch(position, stop, 1)
        return rows[0].object_key if rows else None

    def position_behind(self, row: Upload) -> Position:
        return Position(row.object_key, row.upload_id)
