"""The one table of what this service does: every S3 operation with the requests that mean it.

The access matrix, the status page of the documentation and the labels of metrics and ledger entries come from this table.
A query parameter is either one that its operation knows or a reason to refuse: nothing is silently ignored, and no unknown
sub-resource turns into a listing or a plain PUT.

Sources: Amazon S3 API Reference, "Actions"; Service Authorization Reference, "Actions defined by Amazon S3".
"""

from collections import defaultdict
from functools import partial
from typing import Final

from msgspec import Struct

from siegel.domain.errors import InvalidArgumentError, MethodNotAllowedError, S3Error, UnsupportedFeatureError
from siegel.s3wire.request import SIGNING_QUERY_NAMES, Request


class Route(Struct, frozen=True):
    """One operation, and how it is recognised.

    `query` are the parameters that select it, each a name or `name=value`; `header` is a header that must be there as well;
    `parameters` are further query parameters that it understands. `level` is what the URL names: "service", "bucket" or
    "object". `action` is the IAM action on `resource`, `version_action` the one asked for instead where the request names a
    version; `kind` is how the ledger calls it.
    """

    operation: str
    method: str
    kind: str
    action: str
    level: str
    resource: str
    query: tuple[str, ...] = ()
    header: str = ""
    parameters: tuple[str, ...] = ()
    version_action: str = ""


_OVERRIDES: Final = (
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
)
_COPY: Final = "x-amz-copy-source"
_PAGE: Final = ("delimiter", "encoding-type", "prefix")
_READ: Final = (*_OVERRIDES, "partNumber", "versionId")

_service = partial(Route, level="service", resource="service")
_bucket = partial(Route, level="bucket", resource="bucket")
_object = partial(Route, level="object", resource="object")

ROUTES: Final[tuple[Route, ...]] = (
    _service(
        "ListBuckets",
        "GET",
        "service.list",
        "s3:ListAllMyBuckets",
        parameters=("bucket-region", "continuation-token", "max-buckets", "prefix"),
    ),
    _bucket("CreateBucket", "PUT", "bucket.create", "s3:CreateBucket"),
    _bucket("HeadBucket", "HEAD", "bucket.head", "s3:ListBucket"),
    _bucket("DeleteBucket", "DELETE", "bucket.delete", "s3:DeleteBucket"),
    _bucket("GetBucketLocation", "GET", "bucket.location.read", "s3:GetBucketLocation", query=("location",)),
    _bucket("GetBucketVersioning", "GET", "bucket.versioning.read", "s3:GetBucketVersioning", query=("versioning",)),
    _bucket("PutBucketVersioning", "PUT", "bucket.versioning.write", "s3:PutBucketVersioning", query=("versioning",)),
    _bucket("ListObjects", "GET", "bucket.list", "s3:ListBucket", parameters=(*_PAGE, "marker", "max-keys")),
    _bucket(
        "ListObjectsV2",
        "GET",
        "bucket.list",
        "s3:ListBucket",
        query=("list-type=2",),
        parameters=(*_PAGE, "continuation-token", "fetch-owner", "max-keys", "start-after"),
    ),
    _bucket(
        "ListObjectVersions",
        "GET",
        "bucket.list_versions",
        "s3:ListBucketVersions",
        query=("versions",),
        parameters=(*_PAGE, "key-marker", "max-keys", "version-id-marker"),
    ),
    _bucket(
        "ListMultipartUploads",
        "GET",
        "bucket.list_uploads",
        "s3:ListBucketMultipartUploads",
        query=("uploads",),
        parameters=(*_PAGE, "key-marker", "max-uploads", "upload-id-marker"),
    ),
    _bucket(
        "DeleteObjects",
        "POST",
        "object.delete_many",
        "s3:DeleteObject",
        resource="object",
        query=("delete",),
        version_action="s3:DeleteObjectVersion",
    ),
    _object("PutObject", "PUT", "object.write", "s3:PutObject"),
    _object("CopyObject", "PUT", "object.copy", "s3:PutObject", header=_COPY),
    _object("GetObject", "GET", "object.read", "s3:GetObject", parameters=_READ, version_action="s3:GetObjectVersion"),
    _object("HeadObject", "HEAD", "object.head", "s3:GetObject", parameters=_READ, version_action="s3:GetObjectVersion"),
    _object(
        "GetObjectAttributes",
        "GET",
        "object.attributes",
        "s3:GetObjectAttributes",
        query=("attributes",),
        parameters=("versionId",),
        version_action="s3:GetObjectVersionAttributes",
    ),
    _object(
        "DeleteObject",
        "DELETE",
        "object.delete",
        "s3:DeleteObject",
        parameters=("versionId",),
        version_action="s3:DeleteObjectVersion",
    ),
    _object("CreateMultipartUpload", "POST", "upload.create", "s3:PutObject", query=("uploads",)),
    _object("UploadPart", "PUT", "upload.write_part", "s3:PutObject", query=("uploadId", "partNumber")),
    _object("UploadPartCopy", "PUT", "upload.copy_part", "s3:PutObject", query=("uploadId", "partNumber"), header=_COPY),
    _object("CompleteMultipartUpload", "POST", "upload.complete", "s3:PutObject", query=("uploadId",)),
    _object("AbortMultipartUpload", "DELETE", "upload.abort", "s3:AbortMultipartUpload", query=("uploadId",)),
    _object(
        "ListParts",
        "GET",
        "upload.list_parts",
        "s3:ListMultipartUploadParts",
        query=("uploadId",),
        parameters=("max-parts", "part-number-marker"),
    ),
)
"""Every operation that is built."""

_EVERYWHERE: Final = SIGNING_QUERY_NAMES | {"x-id"}


class _Candidate(Struct, frozen=True):
    """A route as the search wants it: its markers split, and every parameter that it understands in one set."""

    route: Route
    markers: tuple[tuple[str, str | None], ...]
    accepted: frozenset[str]

    def fits(self, request: Request) -> bool:
        if self.route.header and self.route.header not in request.headers:
            return False
        return all(name in request.query and value in {None, request.query[name]} for name, value in self.markers)


def _candidate(route: Route) -> _Candidate:
    pairs = [marker.partition("=") for marker in route.query]
    markers = tuple((name, value if equals else None) for name, equals, value in pairs)
    return _Candidate(route, markers, _EVERYWHERE | {name for name, _ in markers} | set(route.parameters))


def _by_place(routes: tuple[Route, ...]) -> dict[tuple[str, str], tuple[_Candidate, ...]]:
    places: dict[tuple[str, str], list[_Candidate]] = defaultdict(list)
    for route in sorted(routes, key=lambda route: len(route.query) + bool(route.header), reverse=True):
        places[route.method, route.level].append(_candidate(route))
    return {place: tuple(candidates) for place, candidates in places.items()}


_CANDIDATES: Final = _by_place(ROUTES)
_NAMES: Final[dict[str, frozenset[str]]] = {
    level: frozenset().union(*(c.accepted for (_, at), found in _CANDIDATES.items() if at == level for c in found)) - _EVERYWHERE
    for level in ("service", "bucket", "object")
}


def find_route(request: Request) -> Route:
    """Return the one operation that the request means.

    Raises UnsupportedFeatureError for a sub-resource or parameter that is not built, MethodNotAllowedError for a method that
    does not go with what the URL names, InvalidArgumentError for parameters that do not go together.
    """
    level = "object" if request.object_key else "bucket" if request.bucket else "service"
    if level == "object" and not request.bucket:
        # An account's host: S3 Control, whose clients fall back to the bucket's own operations on this answer.
        raise _not_allowed(request, "service")
    for candidate in _CANDIDATES.get((request.method, level), ()):
        if candidate.fits(request):
            if not request.query.keys() <= candidate.accepted:
                _check_leftovers(request, level, candidate)
            return candidate.route
    raise _refusal(request, level)


def _check_leftovers(request: Request, level: str, candidate: _Candidate) -> None:
    leftovers = [name for name in request.query if name not in candidate.accepted and name.lower() not in request.hoisted]
    for name in leftovers:
        if name not in _NAMES[level]:
            raise _unknown(name)
    for name in leftovers:
        methods = _methods(level, name)
        understood = any(name in other.accepted for other in _CANDIDATES[request.method, level])
        if methods and not understood:
            raise _not_allowed(request, level, methods)
        raise InvalidArgumentError(
            f"The query parameter {name} does not go with {candidate.route.operation} or with its value.",
            fields={"ArgumentName": name, "ArgumentValue": request.query[name]},
        )


def _refusal(request: Request, level: str) -> S3Error:
    for name in request.query:
        if name not in _NAMES[level] | _EVERYWHERE:
            return _unknown(name)
    return _not_allowed(request, level)


def _methods(level: str, name: str) -> list[str]:
    """Return the methods under which a parameter selects an operation."""
    return sorted(
        {
            method
            for (method, at), candidates in _CANDIDATES.items()
            for candidate in candidates
            if at == level and name in {marker for marker, _ in candidate.markers}
        }
    )


def _unknown(name: str) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        f"The query parameter {name} asks for something that is not implemented.", fields={"ArgumentName": name}
    )


def _not_allowed(request: Request, level: str, methods: list[str] | None = None) -> MethodNotAllowedError:
    allowed = methods or sorted({method for method, at in _CANDIDATES if at == level})
    return MethodNotAllowedError(
        fields={"Method": request.method, "ResourceType": level.upper()}, headers={"Allow": ", ".join(allowed)}
    )


def render_status_page() -> str:
    """Return the documentation's page of operations, as Markdown."""
    lines = [
        "# S3 operations",
        "",
        "What Siegel answers, generated from its routing table. Everything else that Amazon S3 knows is refused with",
        "`501 NotImplemented`: no unknown sub-resource is taken for a listing or a plain upload.",
        "",
        "| Operation | Request | Parameters | Permission | Ledger kind |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_status_row, ROUTES)]) + "\n"


def _status_row(route: Route) -> str:
    path = {"service": "/", "bucket": "/{bucket}", "object": "/{bucket}/{key}"}[route.level]
    request = f"`{route.method} {path}{'?' if route.query else ''}{'&'.join(route.query)}`"
    if route.header:
        request += f" with `{route.header}`"
    parameters = ", ".join(f"`{name}`" for name in route.parameters)
    permission = f"`{route.action}`" + (f", of a version `{route.version_action}`" if route.version_action else "")
    return f"| {route.operation} | {request} | {parameters} | {permission} | `{route.kind}` |"
