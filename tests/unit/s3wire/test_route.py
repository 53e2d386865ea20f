import re
from pathlib import Path

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import InvalidArgumentError, MethodNotAllowedError, S3Error, UnsupportedFeatureError
from siegel.s3wire.request import SIGNING_QUERY_NAMES
from siegel.s3wire.route import ROUTES, find_route
from siegel.s3wire.routes.absent import ABSENT_ANSWERS
from siegel.s3wire.routes.row import State
from siegel.s3wire.statuspage import render_status_page

from .signing import plain

TAGS_PATH = "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abucket"
COPY = {"x-amz-copy-source": "/b/k"}
SESSION = botocore.session.get_session()
S3, S3_CONTROL = SESSION.get_service_model("s3"), SESSION.get_service_model("s3control")
TAGS_OPERATIONS = {"ListTagsForResource", "TagResource", "UntagResource"}
# S3 takes these bodies without a digest, whatever the model has SDKs send.
WITHOUT_INTEGRITY = {"PutBucketAcl", "PutObjectAcl", "PutBucketPolicy", "PutBucketVersioning"}


def operation(method, target, headers=None):
    return find_route(plain(method, target, headers).parse()).operation


@pytest.mark.parametrize(
    ("method", "target", "headers", "expected"),
    [
        ("GET", "/", None, "ListBuckets"),
        ("GET", "/?prefix=a&max-buckets=5", None, "ListBuckets"),
        ("PUT", "/b", None, "CreateBucket"),
        ("HEAD", "/b", None, "HeadBucket"),
        ("DELETE", "/b/", None, "DeleteBucket"),
        ("GET", "/b?location", None, "GetBucketLocation"),
        ("GET", "/b?versioning=", None, "GetBucketVersioning"),
        ("PUT", "/b?versioning", None, "PutBucketVersioning"),
        ("GET", "/b", None, "ListObjects"),
        ("GET", "/b?marker=x&prefix=&delimiter=%2F&max-keys=3&encoding-type=url", None, "ListObjects"),
        ("GET", "/b?list-type=2&start-after=x&fetch-owner=true&continuation-token=t", None, "ListObjectsV2"),
        ("GET", "/b?versions&key-marker=k&version-id-marker=v", None, "ListObjectVersions"),
        ("GET", "/b?uploads&upload-id-marker=u&max-uploads=2", None, "ListMultipartUploads"),
        ("POST", "/b?delete", None, "DeleteObjects"),
        ("PUT", "/b/k", None, "PutObject"),
        ("PUT", "/b/k", COPY, "CopyObject"),
        ("GET", "/b/k?versionId=v&partNumber=1&response-content-type=x", None, "GetObject"),
        ("HEAD", "/b/k", None, "HeadObject"),
        ("GET", "/b/k?attributes&versionId=v", None, "GetObjectAttributes"),
        ("DELETE", "/b/k?versionId=null", None, "DeleteObject"),
        ("POST", "/b/k?uploads", None, "CreateMultipartUpload"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", None, "UploadPart"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", COPY, "UploadPartCopy"),
        ("POST", "/b/k?uploadId=u", None, "CompleteMultipartUpload"),
        ("DELETE", "/b/k?uploadId=u", None, "AbortMultipartUpload"),
        ("GET", "/b/k?uploadId=u&max-parts=1&part-number-marker=0", None, "ListParts"),
        ("GET", "/b?website", None, "GetBucketWebsite"),
        ("GET", "/b?analytics", None, "ListBucketAnalyticsConfigurations"),
        ("GET", "/b?analytics&id=1", None, "GetBucketAnalyticsConfiguration"),
        ("DELETE", "/b?ownershipControls", None, "DeleteBucketOwnershipControls"),
        ("PUT", "/b?acl", None, "PutBucketAcl"),
        ("GET", "/b/k?acl&versionId=v", None, "GetObjectAcl"),
        ("PUT", "/b?lifecycle", None, "PutBucketLifecycleConfiguration"),
        ("POST", "/b/k?select&select-type=2", None, "SelectObjectContent"),
        ("GET", "/b/k?annotation", None, "ListObjectAnnotations"),
        ("GET", "/b/k?annotation&annotationName=a", None, "GetObjectAnnotation"),
        ("GET", "/?max-directory-buckets=1", None, "ListDirectoryBuckets"),
        ("POST", "/WriteGetObjectResponse", {"x-amz-request-route": "r"}, "WriteGetObjectResponse"),
        ("GET", TAGS_PATH, {"x-amz-account-id": "123456789012"}, "ListTagsForResource"),
        ("POST", TAGS_PATH, {"x-amz-account-id": "123456789012"}, "TagResource"),
        ("DELETE", f"{TAGS_PATH}?tagKeys=a&tagKeys=b", {"x-amz-account-id": "123456789012"}, "UntagResource"),
        ("GET", TAGS_PATH, None, "GetObject"),
    ],
)
def test_each_request_means_one_operation(method, target, headers, expected):
    assert operation(method, target, headers) == expected


def test_every_operation_of_amazons_model_stands_in_the_table():
    rows = [route for route in ROUTES if route.level != "control"]
    named = {route.operation for route in rows} | {route.former for route in rows if route.former}
    assert named == set(S3.operation_names)
    assert len(named) == 116
    assert {route.operation for route in ROUTES if route.level == "control"} == TAGS_OPERATIONS


@pytest.mark.parametrize(
    ("route", "operation"),
    [(route, name) for route in ROUTES for name in (route.operation, route.former) if name],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_table_agrees_with_amazons_model(route, operation):
    model = (S3_CONTROL if route.level == "control" else S3).operation_model(operation)
    assert route.method == model.http["method"]
    if operation != route.former:
        needed = model.http_checksum.get("requestChecksumRequired", False)
        assert route.needs_integrity == (needed and operation not in WITHOUT_INTEGRITY)
    members = model.input_shape.members if model.input_shape else {}
    names = {member.serialization["name"] for member in members.values() if member.serialization.get("location") == "querystring"}
    fixed = {marker.partition("=")[0] for marker in model.http["requestUri"].partition("?")[2].split("&") if marker}
    understood = {marker.partition("=")[0] for marker in route.query} | set(route.parameters)
    assert understood == names | fixed


def test_every_operation_stands_once_and_every_row_is_complete():
    names = [name for route in ROUTES for name in (route.operation, route.former) if name]
    assert len(names) == len(set(names)) == 119
    for route in ROUTES:
        assert re.fullmatch(r"(s3|s3express|s3-object-lambda):[A-Z]\w+", route.action)
        assert route.level in {"service", "bucket", "object", "control"}
        assert route.resource in {"service", "bucket", "object"}
        assert re.fullmatch(r"[a-z_]+\.[a-z_.]+", route.kind)
        assert bool(route.version_action) == ("versionId" in route.parameters or route.operation == "DeleteObjects")
        assert bool(route.reason) == (route.state is State.REFUSED)
        assert not route.reason or (route.reason.endswith(".") and "|" not in route.reason)


def test_no_two_rows_mean_the_same_requests():
    marks = [(route.method, route.level, route.query, route.header, route.action) for route in ROUTES if route.level != "control"]
    assert len(marks) == len(set(marks))


def test_what_is_not_configured_has_an_answer_each():
    assert ABSENT_ANSWERS.keys() == {route.operation for route in ROUTES if route.state is State.ABSENT}


@pytest.mark.parametrize(
    "target",
    [
        *("/b?foo", "/b?policies", "/b?list-typ=2", "/b?Versions", "/b?versions&foo", "/b?acl&foo", "/b?foo&publicAccessBlock"),
        *("/b/k?foo=1", "/b/k?versions", "/b/k?prefix=a", "/b/k?publicAccessBlock", "/b/k?ACL", "/b/k?retention&foo"),
        *("/?foo", "/?location", "/?Action=ListUsers", "/?acl"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"])
def test_trap_29_t71_an_unknown_sub_resource_is_never_a_listing_or_a_plain_put(method, target):
    with pytest.raises(UnsupportedFeatureError) as refusal:
        operation(method, target)
    assert refusal.value.fields["ArgumentName"] in target


@pytest.mark.parametrize("path", ["/b", "/b/k"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD"])
@pytest.mark.parametrize("name", sorted({name.partition("=")[0] for route in ROUTES for name in route.query}))
def test_trap_29_no_sub_resource_falls_through_to_what_has_none(method, path, name):
    plain_ones = {"ListObjects", "CreateBucket", "DeleteBucket", "HeadBucket"} | {
        f"{verb}Object" for verb in ("Get", "Put", "Head", "Delete")
    }
    try:
        found = find_route(plain(method, f"{path}?{name}").parse())
    except S3Error:
        return
    assert found.operation not in plain_ones or name in found.parameters


def test_trap_46_the_name_that_sdks_add_is_ignored():
    assert operation("GET", "/b/k?x-id=GetObject") == "GetObject"
    assert operation("PUT", "/b?x-id=anything") == "CreateBucket"


def test_signing_parameters_select_nothing():
    query = "&".join(f"{name}=1" for name in SIGNING_QUERY_NAMES)
    assert operation("PUT", f"/b/k?{query}") == "PutObject"
    assert operation("GET", f"/?{query}") == "ListBuckets"


def test_trap_07_a_presigned_copy_is_a_copy():
    assert operation("PUT", "/b/k?X-Amz-Signature=0&x-amz-copy-source=%2Fb%2Fk&X-Amz-Meta-A=1") == "CopyObject"


def test_headers_in_the_query_of_an_unsigned_request_are_refused():
    with pytest.raises(UnsupportedFeatureError):
        operation("PUT", "/b/k?x-amz-acl=public-read")


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("PATCH", "/b/k", "DELETE, GET, HEAD, POST, PUT"),
        ("OPTIONS", "/b", "DELETE, GET, HEAD, POST, PUT"),
        ("POST", "/", "GET"),
        ("POST", "/b", "DELETE, GET, HEAD, POST, PUT"),
        ("POST", "/b/k", "DELETE, GET, HEAD, POST, PUT"),
        ("PUT", "/b?location", "GET"),
        ("DELETE", "/b?versioning", "GET, PUT"),
        ("DELETE", "/b/k?uploads", "POST"),
        ("PUT", "/b/k?attributes", "GET"),
        ("HEAD", "/b/k?uploadId=u", "DELETE, GET, POST, PUT"),
        ("GET", "/b?delete", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(method, target, allowed):
    with pytest.raises(MethodNotAllowedError) as refusal:
        operation(method, target)
    assert refusal.value.headers == {"Allow": allowed}
    assert refusal.value.fields["Method"] == method


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", "/b/k?versionId=v"),
        ("PUT", "/b/k?partNumber=1"),
        ("PUT", "/b/k?uploadId=u"),
        ("GET", "/b?list-type=3"),
        ("GET", "/b?list-type="),
        ("GET", "/b?continuation-token=t"),
        ("GET", "/b?versions&uploads"),
        ("GET", "/b/k?uploadId=u&versionId=v"),
        ("GET", "/b/k?attributes&partNumber=1"),
        ("DELETE", "/b/k?uploadId=u&versionId=v"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(method, target):
    with pytest.raises(InvalidArgumentError) as refusal:
        operation(method, target)
    assert refusal.value.fields["ArgumentName"] in target


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v20180820/tags/arn",
        "/v20180820/tags/arn:aws:s3:eu-central-1:123456789012:accesspoint/a",
        "/v20180820/tags/%zz",
        "/v20180820/jobs",
    ],
)
def test_what_s3_control_knows_beyond_the_tags_of_buckets_is_not_allowed(path):
    request = plain("GET", path, host="123456789012.s3.example.org").parse(("s3.example.org",))
    with pytest.raises(MethodNotAllowedError):
        find_route(request)


@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]),
    st.sampled_from(["/", "/b", "/b/k"]),
    st.lists(
        st.sampled_from(sorted({"foo", *(name for route in ROUTES for name in (*route.query, *route.parameters))})), unique=True
    ),
)
def test_what_is_found_understands_every_parameter(method, path, names):
    try:
        route = find_route(plain(method, f"{path}?{'&'.join(names)}").parse())
    except S3Error:
        return
    assert route.method == method
    assert {name.partition("=")[0] for name in names} <= {name.partition("=")[0] for name in (*route.query, *route.parameters)}


def test_the_status_page_shows_the_table():
    page = render_status_page()
    assert "| GetObject | `GET /{bucket}/{key}` | works | " in page
    assert "| GetBucketWebsite | `GET /{bucket}?website` | not configured | " in page
    assert "| PutBucketLifecycleConfiguration (formerly PutBucketLifecycle) | " in page
    assert "`PUT /{bucket}/{key}?uploadId&partNumber` with `x-amz-copy-source`" in page
    assert page == (Path(__file__).parents[3] / "docs/reference/s3-status.md").read_text()
