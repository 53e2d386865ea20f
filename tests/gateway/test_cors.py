"""CORS: the rules of a bucket, preflights, and the headers of every answer."""

from __future__ import annotations

import pytest

from .raw import Answer
from .shelf import Shelf, fails, md5_b64, refused
from .signer import Ask, Keys

SITE = "https://www.example.org"
RULES = [
    {
        "ID": "uploads",
        "AllowedOrigins": [SITE, "http://*.example.net"],
        "AllowedMethods": ["PUT", "POST"],
        "AllowedHeaders": ["Content-*", "x-amz-meta-colour"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 3000,
    },
    {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "HEAD"]},
]
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


@pytest.fixture
def open_bucket(bucket: Shelf) -> Shelf:
    """A bucket with rules."""
    bucket.s3.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": RULES})
    return bucket


def preflight(bucket: Shelf, key: str | None = None, *, query: str = "", **headers: str) -> Answer:
    sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return bucket.raw.send(bucket.raw.ask("OPTIONS", bucket.name, key, query=query, headers=sent))


def allowed(answer: Answer) -> dict[str, str]:
    return {name.removeprefix("access-control-"): value for name, value in answer.headers if name.startswith("access-control-")}


def test_rules_are_put_read_and_deleted(bucket: Shelf):
    with fails(404, "NoSuchCORSConfiguration"):
        bucket.s3.get_bucket_cors(Bucket=bucket.name)
    bucket.s3.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": RULES})
    for _ in range(6):  # on every worker
        assert bucket.s3.get_bucket_cors(Bucket=bucket.name)["CORSRules"] == RULES
    bucket.s3.delete_bucket_cors(Bucket=bucket.name)
    for _ in range(6):
        with fails(404, "NoSuchCORSConfiguration"):
            bucket.s3.get_bucket_cors(Bucket=bucket.name)
    bucket.s3.delete_bucket_cors(Bucket=bucket.name)


def test_a_preflight_of_an_upload(open_bucket: Shelf):
    wanted = "content-type, X-Amz-Meta-Colour"
    headers = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": wanted}
    for key, query in ((None, ""), ("a/key", ""), ("a/key", "X-Amz-Signature=x&uploads&whatever")):
        answer = preflight(open_bucket, key, query=query, Origin=SITE, **headers)
        assert (answer.status, answer.body) == (200, b"")
        assert allowed(answer) == {
            "allow-origin": SITE,
            "allow-credentials": "true",
            "allow-methods": "PUT, POST",
            "allow-headers": "content-type, x-amz-meta-colour",
            "expose-headers": "ETag, x-amz-version-id",
            "max-age": "3000",
        }
        assert answer.header("vary") == VARY
        assert answer.has("x-amz-request-id")


def test_a_preflight_of_anyone(open_bucket: Shelf):
    answer = preflight(open_bucket, "key", Origin="http://anyone.example", Access_Control_Request_Method="GET")
    assert answer.status == 200
    assert allowed(answer) == {"allow-origin": "*", "allow-methods": "GET, HEAD"}


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://www.example.com", "PUT", ""),
        ("http://www.example.org", "PUT", ""),
        ("https://www.example.org.evil.example", "PUT", ""),
        ("https://WWW.example.org", "PUT", ""),
        ("http://.example.net.evil", "PUT", ""),
        ("null", "PUT", ""),
        (SITE, "DELETE", ""),
        (SITE, "PUT", "x-amz-acl"),
        (SITE, "PUT", "content-type, x-amz-acl"),
        ("http://anyone.example", "GET", "range"),
    ],
)
def test_t76_rustfs_cve_2026_46685_a_preflight_that_no_rule_allows(open_bucket: Shelf, origin: str, method: str, headers: str):
    more = {"Access_Control_Request_Headers": headers} if headers else {}
    answer = preflight(open_bucket, "key", Origin=origin, Access_Control_Request_Method=method, **more)
    refused(answer, 403, "AccessForbidden")
    assert (answer.xml.findtext("Message") or "").startswith("CORSResponse: This CORS request is not allowed.")
    assert (answer.xml.findtext("Method"), answer.xml.findtext("ResourceType")) == (method, "OBJECT")
    assert allowed(answer) == {}


def test_a_preflight_where_nothing_is_allowed(bucket: Shelf):
    asked = {"Origin": SITE, "Access_Control_Request_Method": "GET"}
    answer = preflight(bucket, **asked)
    refused(answer, 403, "AccessForbidden")
    assert answer.xml.findtext("Message") == "CORSResponse: CORS is not enabled for this bucket."
    assert answer.xml.findtext("ResourceType") == "BUCKET"
    # What does not exist looks the same: nobody has shown a right to know.
    nowhere = Shelf("no-such-bucket-there", bucket.s3, bucket.raw, bucket.service)
    other = preflight(nowhere, **asked)
    assert (other.status, other.code, other.xml.findtext("Message")) == (403, answer.code, answer.xml.findtext("Message"))


def test_a_preflight_that_asks_nothing(open_bucket: Shelf):
    answer = preflight(open_bucket, "key", Access_Control_Request_Method="GET")
    refused(answer, 400, "BadRequest")
    assert answer.xml.findtext("Message") == "Insufficient information. Origin request header needed."
    for method in ("", "PATCH", "get", "OPTIONS"):
        refused(preflight(open_bucket, "key", Origin=SITE, Access_Control_Request_Method=method), 400, "BadRequest")
    refused(preflight(open_bucket, "key", Origin=SITE), 400, "BadRequest")


def test_the_headers_of_an_answer(open_bucket: Shelf):
    put = open_bucket.call("PUT", "key", headers=[("Origin", "http://a.b.example.net")], body=b"x")
    assert put.status == 200
    assert allowed(put) == {
        "allow-origin": "http://a.b.example.net",
        "allow-credentials": "true",
        "allow-methods": "PUT, POST",
        "expose-headers": "ETag, x-amz-version-id",
        "max-age": "3000",
    }
    for method in ("GET", "HEAD"):
        got = open_bucket.call(method, "key", headers=[("Origin", SITE)])
        assert (got.status, got.header("vary")) == (200, VARY)
        assert allowed(got) == {"allow-origin": "*", "allow-methods": "GET, HEAD"}
    assert allowed(open_bucket.call("GET", "key")) == {}
    assert not open_bucket.call("GET", "key").has("vary")


def test_trap_46_errors_have_the_headers_too(open_bucket: Shelf, service):
    origin = [("Origin", SITE)]
    seen = {}
    seen["missing"] = open_bucket.call("GET", "missing", headers=origin)
    seen["anonymous"] = open_bucket.raw.send(open_bucket.raw.ask("GET", open_bucket.name, "key", headers=origin))
    guessed = open_bucket.raw.as_caller(Keys(service.owner.access_key_id, "x" * 40))
    seen["signature"] = guessed.call("GET", open_bucket.name, "key", headers=origin)
    seen["refused"] = open_bucket.call("GET", query="website2", headers=origin)
    assert {name: answer.status for name, answer in seen.items()} == {
        "missing": 404,
        "anonymous": 403,
        "signature": 403,
        "refused": 501,
    }
    for answer in seen.values():
        assert allowed(answer)["allow-origin"] == "*"
    form = Ask(
        "POST",
        f"/{open_bucket.name}",
        "",
        (("Host", open_bucket.raw.host), ("Content-Type", "multipart/form-data; boundary=x"), ("Content-Length", "3"), *origin),
        b"abc",
    )
    answer = open_bucket.raw.send(form)
    refused(answer, 400, "MalformedPOSTRequest")
    assert allowed(answer)["allow-origin"] == SITE


def test_t76_rustfs_ghsa_x5xv_a_foreign_origin_is_never_reflected(open_bucket: Shelf, second_bucket: Shelf):
    evil = [("Origin", "https://evil.example"), ("Cookie", "a=b")]
    put = open_bucket.call("PUT", "key", headers=evil, body=b"x")
    assert (put.status, allowed(put), put.header("vary")) == (200, {}, VARY)
    got = open_bucket.call("GET", "key", headers=evil)
    assert allowed(got) == {"allow-origin": "*", "allow-methods": "GET, HEAD"}
    none = second_bucket.call("GET", headers=evil)
    assert (allowed(none), none.has("vary")) == ({}, False)
    service_level = open_bucket.raw.call("GET", headers=evil)
    assert (service_level.status, allowed(service_level)) == (200, {})


def test_new_rules_bind_at_once_on_every_worker(open_bucket: Shelf):
    for number in range(8):
        origin = f"https://site-{number}.example"
        rules = [{"AllowedOrigins": [origin], "AllowedMethods": ["GET"]}]
        open_bucket.s3.put_bucket_cors(Bucket=open_bucket.name, CORSConfiguration={"CORSRules": rules})
        for _ in range(3):
            assert preflight(open_bucket, Origin=origin, Access_Control_Request_Method="GET").status == 200
    open_bucket.s3.delete_bucket_cors(Bucket=open_bucket.name)
    for _ in range(6):
        assert preflight(open_bucket, Origin=origin, Access_Control_Request_Method="GET").status == 403


def put_rules(bucket: Shelf, inside: str) -> Answer:
    body = f"<CORSConfiguration>{inside}</CORSConfiguration>".encode()
    return bucket.call("PUT", query="cors", headers=[("Content-MD5", md5_b64(body))], body=body)


ORIGIN = "<AllowedOrigin>*</AllowedOrigin>"
METHOD = "<AllowedMethod>GET</AllowedMethod>"


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("", "MalformedXML"),
        ("<CORSRule></CORSRule>", "MalformedXML"),
        (f"<CORSRule>{ORIGIN}</CORSRule>", "MalformedXML"),
        (f"<CORSRule>{METHOD}</CORSRule>", "MalformedXML"),
        (f"<CORSRule>{ORIGIN}{METHOD}<Other/></CORSRule>", "MalformedXML"),
        (f"<CORSRule>{ORIGIN}{METHOD}<ID>a</ID><ID>b</ID></CORSRule>", "MalformedXML"),
        (f"<CORSRule>{ORIGIN}{METHOD}<MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule>", "MalformedXML"),
        (f"<CORSRule>{ORIGIN}{METHOD}<MaxAgeSeconds>soon</MaxAgeSeconds></CORSRule>", "MalformedXML"),
        (f"<CORSRule>{ORIGIN}{METHOD}<ID>{'x' * 256}</ID></CORSRule>", "InvalidRequest"),
        (f"<CORSRule>{ORIGIN}<AllowedMethod>PATCH</AllowedMethod></CORSRule>", "InvalidRequest"),
        (f"<CORSRule>{METHOD}<AllowedOrigin>http://*.a.*</AllowedOrigin></CORSRule>", "InvalidRequest"),
        (f"<CORSRule>{METHOD}<AllowedOrigin></AllowedOrigin></CORSRule>", "InvalidRequest"),
        (f"<CORSRule>{ORIGIN}{METHOD}<AllowedHeader>*x*</AllowedHeader></CORSRule>", "InvalidRequest"),
        (f"<CORSRule>{ORIGIN}{METHOD}<ExposeHeader>x-*</ExposeHeader></CORSRule>", "InvalidRequest"),
        (f"<CORSRule>{ORIGIN}{METHOD}</CORSRule>" * 101, "InvalidRequest"),
        (f"<CORSRule>{ORIGIN}{METHOD}</CORSRule>" + " " * 65_536, "MaxMessageLengthExceeded"),
    ],
)
def test_rules_that_are_none(bucket: Shelf, inside: str, code: str):
    refused(put_rules(bucket, inside), 400, code)
    with fails(404, "NoSuchCORSConfiguration"):
        bucket.s3.get_bucket_cors(Bucket=bucket.name)


def test_a_hundred_rules(bucket: Shelf):
    assert put_rules(bucket, f"<CORSRule>{ORIGIN}{METHOD}</CORSRule>" * 100).status == 200


@pytest.mark.parametrize("name", ["ExposeHeader", "AllowedHeader", "AllowedOrigin"])
@pytest.mark.parametrize("end", ["&#13;&#10;x-injected: 1", "&#10;x", "&#13;x", ", x", "\u2028x", "\u010dx"])
def test_t58_ceph_cve_2020_10753_no_rule_ends_a_header(bucket: Shelf, name: str, end: str):
    rule = f"<CORSRule>{ORIGIN}{METHOD}<{name}>ETag{end}</{name}></CORSRule>"
    refused(put_rules(bucket, rule), 400, "InvalidRequest")


def test_trap_45_rules_are_the_owners_affair(bucket: Shelf, stranger_s3):
    for call in (stranger_s3.get_bucket_cors, stranger_s3.delete_bucket_cors):
        with fails(403, "AccessDenied"):
            call(Bucket=bucket.name)
