from pathlib import Path

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import InvalidArgumentError, MethodNotAllowedError, S3Error, UnsupportedFeatureError
from siegel.s3wire.request import SIGNING_QUERY_NAMES
from siegel.s3wire.route import ROUTES, find_route
from siegel.s3wire.statuspage import render_status_page

from .signing import plain

COPY = {"x-amz-copy-source": "/b/k"}
S3 = botocore.session.get_session().get_service_model("s3")


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
    ],
)
def test_each_request_means_one_operation(method, target, headers, expected):
    assert operation(method, target, headers) == expected


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_the_table_agrees_with_amazons_model(route):
    model = S3.operation_model(route.operation)
    assert route.method == model.http["method"]
    members = model.input_shape.members if model.input_shape else {}
    names = {member.serialization["name"] for member in members.values() if member.serialization.get("location") == "querystring"}
    fixed = {marker.partition("=")[0] for marker in model.http["requestUri"].partition("?")[2].split("&") if marker}
    understood = {marker.partition("=")[0] for marker in route.query} | set(route.parameters)
    assert understood == names | fixed


def test_every_operation_stands_once_and_every_row_is_complete():
    names = [route.operation for route in ROUTES]
    assert len(names) == len(set(names)) == 31
    for route in ROUTES:
        assert route.action.startswith("s3:")
        assert route.level in {"service", "bucket", "object"}
        assert route.resource in {"service", "bucket", "object"}
        assert "." in route.kind
        assert bool(route.version_action) == ("versionId" in route.parameters or route.operation == "DeleteObjects")


@pytest.mark.parametrize(
    "target",
    [
        *("/b?foo", "/b?acl", "/b?lifecycle", "/b?tagging", "/b?list-typ=2", "/b?Versions", "/b?versions&foo"),
        *("/b/k?acl", "/b/k?tagging", "/b/k?foo=1", "/b/k?retention", "/b/k?torrent", "/b/k?versions", "/b/k?prefix=a"),
        *("/?foo", "/?location", "/?Action=ListUsers"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"])
def test_trap_29_t71_an_unknown_sub_resource_is_never_a_listing_or_a_plain_put(method, target):
    with pytest.raises(UnsupportedFeatureError) as refusal:
        operation(method, target)
    assert refusal.value.fields["ArgumentName"] in target


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


def test_an_accounts_host_is_not_a_bucket():
    request = plain("GET", "/v20180820/tags/arn", host="123456789012.s3.example.org").parse(("s3.example.org",))
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
    assert "| GetObject | `GET /{bucket}/{key}` | " in page
    assert "`PUT /{bucket}/{key}?uploadId&partNumber` with `x-amz-copy-source`" in page
    assert page == (Path(__file__).parents[3] / "docs/reference/s3-status.md").read_text()
