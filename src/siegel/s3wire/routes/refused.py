"""What is refused, each with its reason: `501 NotImplemented` says it to whoever has the permission to ask."""

from functools import partial
from typing import Final

from siegel.s3wire.routes.row import Route, State, on_bucket, on_object, on_service

_on_bucket = partial(on_bucket, state=State.REFUSED)
_on_object = partial(on_object, state=State.REFUSED)

_DIRECTORY: Final = "Directory buckets belong to one availability zone of Amazon's: there are general purpose buckets alone."
_TABLES: Final = "Tables of metadata are not kept: names and sizes stay in the sealed database, and lists show them."
_ANNOTATIONS: Final = "Objects carry user metadata and tags, not annotations."
_RESTORE: Final = "There is one storage class, and nothing in it has to be restored."
_SELECT: Final = "Objects are not searched on the server: that would open them to read what is not asked for."
_TORRENT: Final = "Objects leave over HTTP alone: a torrent would hand them to whoever asks."
_LAMBDA: Final = "There are no functions between objects and their readers."

_TABLES_READ: Final = "s3:GetBucketMetadataTableConfiguration"
_TABLES_WRITE: Final = "s3:CreateBucketMetadataTableConfiguration"
_TABLES_DELETE: Final = "s3:DeleteBucketMetadataTableConfiguration"


def _trio(noun: str, query: str, reason: str, *rows: tuple[str, str, str]) -> list[Route]:
    """Return routes of a bucket's sub-resource from (operation, method, action)."""
    verbs = {"GET": "read", "PUT": "write", "DELETE": "delete"}
    return [
        _on_bucket(
            operation,
            method,
            f"bucket.{noun}.{verbs[method]}",
            action,
            query=(query,),
            needs_integrity=method == "PUT",
            reason=reason,
        )
        for operation, method, action in rows
    ]


REFUSED_ROUTES: Final[tuple[Route, ...]] = (
    on_service(
        "ListDirectoryBuckets",
        "GET",
        "service.list_directory_buckets",
        "s3express:ListAllMyDirectoryBuckets",
        query=("max-directory-buckets",),
        parameters=("continuation-token",),
        state=State.REFUSED,
        reason=_DIRECTORY,
    ),
    _on_bucket("CreateSession", "GET", "bucket.session", "s3express:CreateSession", query=("session",), reason=_DIRECTORY),
    *_trio(
        "metadata_tables",
        "metadataConfiguration",
        _TABLES,
        ("GetBucketMetadataConfiguration", "GET", _TABLES_READ),
        ("DeleteBucketMetadataConfiguration", "DELETE", _TABLES_DELETE),
    ),
    *_trio(
        "metadata_table",
        "metadataTable",
        _TABLES,
        ("GetBucketMetadataTableConfiguration", "GET", _TABLES_READ),
        ("DeleteBucketMetadataTableConfiguration", "DELETE", _TABLES_DELETE),
    ),
    *(
        _on_bucket(operation, "POST", kind, _TABLES_WRITE, query=(query,), needs_integrity=True, reason=_TABLES)
        for operation, kind, query in (
            ("CreateBucketMetadataConfiguration", "bucket.metadata_tables.write", "metadataConfiguration"),
            ("CreateBucketMetadataTableConfiguration", "bucket.metadata_table.write", "metadataTable"),
        )
    ),
    *(
        _on_bucket(
            f"UpdateBucketMetadata{name}TableConfiguration",
            "PUT",
            f"bucket.metadata_tables.write_{name.lower()}",
            f"s3:UpdateBucketMetadata{name}TableConfiguration",
            query=(f"metadata{name}Table",),
            needs_integrity=True,
            reason=_TABLES,
        )
        for name in ("Annotation", "Inventory", "Journal")
    ),
    *(
        _on_object(
            f"{verb}ObjectAnnotation{plural}",
            method,
            f"object.annotation.{kind}",
            f"s3:{verb}ObjectAnnotation{plural}",
            query=("annotation",) if plural else ("annotation", "annotationName"),
            parameters=("versionId", *paging),
            version_action=f"s3:{verb}ObjectAnnotation{plural}",
            reason=_ANNOTATIONS,
        )
        for verb, plural, method, kind, paging in (
            ("Get", "", "GET", "read", ()),
            ("Put", "", "PUT", "write", ()),
            ("Delete", "", "DELETE", "delete", ()),
            ("List", "s", "GET", "list", ("max-annotation-results", "annotation-prefix", "continuation-token")),
        )
    ),
    _on_object("GetObjectTorrent", "GET", "object.torrent", "s3:GetObjectTorrent", query=("torrent",), reason=_TORRENT),
    _on_object(
        "RestoreObject",
        "POST",
        "object.restore",
        "s3:RestoreObject",
        query=("restore",),
        parameters=("versionId",),
        version_action="s3:RestoreObject",
        reason=_RESTORE,
    ),
    _on_object("SelectObjectContent", "POST", "object.select", "s3:GetObject", query=("select", "select-type=2"), reason=_SELECT),
    _on_object("RenameObject", "PUT", "object.rename", "s3express:CreateSession", query=("renameObject",), reason=_DIRECTORY),
    # Amazon's URL has this operation's name in the place of a bucket.
    _on_bucket(
        "WriteGetObjectResponse",
        "POST",
        "service.write_response",
        "s3-object-lambda:WriteGetObjectResponse",
        header="x-amz-request-route",
        reason=_LAMBDA,
    ),
)
"""Every operation that is refused whatever it asks for, except the writes of `absent.py`."""
