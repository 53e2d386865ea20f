"""Objects and multipart uploads."""

from typing import Final

from siegel.s3wire.routes.row import COPY_HEADER, Route, on_object

_OVERRIDES: Final = (
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
)
_READ: Final = (*_OVERRIDES, "partNumber", "versionId")

OBJECT_ROUTES: Final[tuple[Route, ...]] = (
    on_object("PutObject", "PUT", "object.write", "s3:PutObject"),
    on_object("CopyObject", "PUT", "object.copy", "s3:PutObject", header=COPY_HEADER),
    on_object("GetObject", "GET", "object.read", "s3:GetObject", parameters=_READ, version_action="s3:GetObjectVersion"),
    on_object("HeadObject", "HEAD", "object.head", "s3:GetObject", parameters=_READ, version_action="s3:GetObjectVersion"),
    on_object(
        "GetObjectAttributes",
        "GET",
        "object.attributes",
        "s3:GetObjectAttributes",
        query=("attributes",),
        parameters=("versionId",),
        version_action="s3:GetObjectVersionAttributes",
    ),
    on_object(
        "DeleteObject",
        "DELETE",
        "object.delete",
        "s3:DeleteObject",
        parameters=("versionId",),
        version_action="s3:DeleteObjectVersion",
    ),
    on_object(
        "UpdateObjectEncryption",
        "PUT",
        "object.encryption.write",
        "s3:UpdateObjectEncryption",
        query=("encryption",),
        parameters=("versionId",),
        version_action="s3:UpdateObjectEncryption",
        needs_integrity=True,
    ),
    on_object("CreateMultipartUpload", "POST", "upload.create", "s3:PutObject", query=("uploads",)),
    on_object("UploadPart", "PUT", "upload.write_part", "s3:PutObject", query=("uploadId", "partNumber")),
    on_object("UploadPartCopy", "PUT", "upload.copy_part", "s3:PutObject", query=("uploadId", "partNumber"), header=COPY_HEADER),
    on_object("CompleteMultipartUpload", "POST", "upload.complete", "s3:PutObject", query=("uploadId",)),
    on_object("AbortMultipartUpload", "DELETE", "upload.abort", "s3:AbortMultipartUpload", query=("uploadId",)),
    on_object(
        "ListParts",
        "GET",
        "upload.list_parts",
        "s3:ListMultipartUploadParts",
        query=("uploadId",),
        parameters=("max-parts", "part-number-marker"),
    ),
)
