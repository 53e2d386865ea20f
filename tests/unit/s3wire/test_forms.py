import hmac
import json
from base64 import b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from siegel.domain.browser_errors import InvalidPolicyDocumentError
from siegel.domain.errors import (
    AccessDeniedError,
    AuthorizationQueryParametersError,
    InvalidAccessKeyIdError,
    InvalidArgumentError,
    InvalidDigestError,
    InvalidRequestError,
    InvalidTagError,
    KeyTooLongError,
    MalformedXMLError,
    SignatureDoesNotMatchError,
)
from siegel.s3wire.body import DEFAULT_ALGORITHM, BodyChecker, plan_form_file
from siegel.s3wire.checksums import Algorithm
from siegel.s3wire.formdata import FormFields
from siegel.s3wire.forms import check_form_request, location_of, prove_form, redirect_to, render_post, understand_form
from siegel.s3wire.sigv4 import signing_key

from .signing import KEY_ID, NOW_MS, REGION, SECRET, plain

CONTENT_TYPE = {"content-type": "multipart/form-data; boundary=x", "user-agent": "a browser"}
DATE = "20260301T115900Z"
SCOPE = f"{KEY_ID}/20260301/{REGION}/s3/aws4_request"
KEY = signing_key(SECRET, "20260301", REGION, "s3")


def read(fields, file_name="n.txt"):
    reader = FormFields(b"x")
    for name, text in fields.items():
        reader.feed(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode())
    reader.feed(f'--x\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n\r\nrest'.encode())
    return reader


def post(target="/b", headers=None, host="127.0.0.1:9000", domains=()):
    return plain("POST", target, CONTENT_TYPE | (headers or {}), host).parse(domains)


def understand(file_name="n.txt", **fields):
    named = {name.replace("_", "-") if "action" not in name else name: text for name, text in fields.items()}
    return understand_form(post(), read({"key": "k"} | named, file_name))


def signed(*conditions, expiration="2026-03-01T13:00:00Z", key=KEY, **fields):
    own = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": SCOPE, "x-amz-date": DATE}
    own |= {name.replace("_", "-"): text for name, text in fields.items()}
    covered = [{"bucket": "b"}, {"key": "k"}, *({name: text} for name, text in own.items()), *conditions]
    policy = b64encode(json.dumps({"expiration": expiration, "conditions": covered}).encode()).decode()
    signature = hmac.digest(key, policy.encode(), "sha256").hex()
    return {"key": "k", **own, "policy": policy, "x-amz-signature": signature}


def prove(fields, now_ms=NOW_MS, region=REGION):
    form = understand_form(post(), read(fields))
    return prove_form(form, form.signed, KEY, now_ms=now_ms, region=region)


def test_fields_become_headers():
    form = understand(Content_Type="text/plain", acl="private", x_amz_meta_a=" ä ", submit="go", x_ignore_me="1", If_Match="*")
    assert form.request.headers == {
        "host": "127.0.0.1:9000",
        "user-agent": "a browser",
        "content-type": "text/plain",
        "x-amz-acl": "private",
        "x-amz-meta-a": "ä".encode().decode("latin-1"),
        "if-match": "*",
    }
    assert (form.request.object_key, form.request.bucket, form.rest, form.signed) == ("k", "b", b"rest", None)
    assert (form.status, form.redirect) == (204, "")


def test_tags_become_a_header_too():
    xml = "<Tagging><TagSet><Tag><Key>a b</Key><Value>ü=1</Value></Tag></TagSet></Tagging>"
    assert understand(tagging=xml).request.headers["x-amz-tagging"] == "a+b=%C3%BC%3D1"
    with pytest.raises(MalformedXMLError):
        understand(tagging="a=b")
    with pytest.raises(InvalidTagError):
        understand(tagging="<Tagging><TagSet><Tag><Key></Key><Value/></Tag></TagSet></Tagging>")


@pytest.mark.parametrize(
    "fields",
    [
        {"acl": "private", "x_amz_acl": "private"},
        {"tagging": "<Tagging><TagSet/></Tagging>", "x_amz_tagging": "a=b"},
        {"x_amz_copy_source": "/a/b"},
        {"x_amz_meta_a": "a\r\nb"},
        {"Content_Type": "a\0"},
        {"key": ""},
        {"key": "a\0b"},
    ],
)
def test_fields_that_a_form_cannot_have(fields):
    with pytest.raises(InvalidArgumentError):
        understand(**fields)


def test_a_form_has_a_key():
    with pytest.raises(InvalidArgumentError):
        understand_form(post(), read({}))
    assert understand(key="x" * 1024).request.object_key == "x" * 1024
    with pytest.raises(KeyTooLongError):
        understand(key="ä" * 513)


@pytest.mark.parametrize(
    ("file_name", "name"), [("a.txt", "a.txt"), ("b/a.txt", "a.txt"), ("c:\\\\b\\\\a.txt", "a.txt"), ("", "")]
)
def test_the_name_of_the_file_is_a_variable(file_name, name):
    form = understand(file_name, key="u/${filename}", x_amz_meta_name="${filename}!")
    assert form.request.object_key == f"u/{name}"
    assert form.request.headers["x-amz-meta-name"] == f"{name}!"


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("500", 204)])
def test_the_status(asked, status):
    assert understand(success_action_status=asked).status == status


def test_the_redirect():
    form = understand(key="a b", success_action_redirect="https://example.org/x?y=1#z")
    url = urlsplit(redirect_to(form, "e"))
    assert url._replace(query="").geturl() == "https://example.org/x#z"
    assert parse_qs(url.query) == {"y": ["1"], "bucket": ["b"], "key": ["a b"], "etag": ['"e"']}
    old = understand_form(post(), read({"key": "k", "redirect": "http://example.org"}))
    assert redirect_to(old, "e") == "http://example.org?bucket=b&key=k&etag=%22e%22"
    for url in ("javascript:alert(1)", "/path", "http:///", "http://a b", "http://[a", "http://ä"):
        with pytest.raises(InvalidArgumentError):
            understand(success_action_redirect=url)


def test_where_the_object_is():
    assert location_of(understand(key="a/ü").request) == "http://127.0.0.1:9000/b/a/%C3%BC"
    virtual = understand_form(post("/", host="b.s3.test", domains=("s3.test",)), read({"key": "k"}))
    assert location_of(virtual.request) == "http://b.s3.test/k"
    assert b"<PostResponse><Location>l</Location><Bucket>b</Bucket><Key>&lt;</Key><ETag>&quot;e&quot;" in render_post(
        "l", "b", "<", "e"
    )


def test_what_the_request_must_not_bring():
    check_form_request(post("/b?x-id=PostObject"))
    for request in (post(headers={"authorization": "x"}), post("/b?X-Amz-Date=x")):
        with pytest.raises(InvalidArgumentError):
            check_form_request(request)
    with pytest.raises(AccessDeniedError):
        check_form_request(post(headers={"x-amz-acl": "private"}))


def test_a_signed_form():
    verified = prove(signed())
    assert verified.claim.source == "form"
    assert verified.claim.access_key_id == KEY_ID
    assert verified.request.object_key == "k"
    assert verified.payload_hash == "UNSIGNED-PAYLOAD"
    assert prove(signed(x_amz_security_token="token")).claim.session_token == "token"


def test_a_form_that_was_signed_otherwise():
    with pytest.raises(SignatureDoesNotMatchError):
        prove(signed(key=b"other"))
    with pytest.raises(SignatureDoesNotMatchError):
        prove(signed() | {"x-amz-signature": "ü"})
    with pytest.raises(AuthorizationQueryParametersError) as caught:
        prove(signed(), region="eu-west-1")
    assert caught.value.fields == {"Region": "eu-west-1"}
    with pytest.raises(AccessDeniedError, match="Policy expired"):
        prove(signed(expiration="2026-03-01T11:00:00Z"))


def test_a_signature_has_its_time():
    week_ms = 7 * 24 * 3600 * 1000
    fields = signed(expiration="2033-01-01T00:00:00Z")
    prove(fields, NOW_MS - 60_000 + week_ms)
    with pytest.raises(AccessDeniedError, match="expired"):
        prove(fields, NOW_MS - 60_000 + week_ms + 1)
    prove(fields, NOW_MS - 60_000 - 900_000)
    with pytest.raises(AccessDeniedError, match="not valid yet"):
        prove(fields, NOW_MS - 60_000 - 900_001)


@pytest.mark.parametrize("name", ["policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"])
def test_a_form_is_signed_whole_or_not_at_all(name):
    for fields in ({k: v for k, v in signed().items() if k != name}, signed() | {name: ""}):
        with pytest.raises(InvalidArgumentError, match=name):
            understand_form(post(), read(fields))


@pytest.mark.parametrize(
    ("field", "text", "error"),
    [
        ("x-amz-algorithm", "AWS4-HMAC-SHA1", InvalidArgumentError),
        ("x-amz-date", "2026-03-01", InvalidArgumentError),
        ("x-amz-date", "20260302T000000Z", AuthorizationQueryParametersError),
        ("x-amz-credential", "x", AuthorizationQueryParametersError),
        ("x-amz-credential", f"{KEY_ID}/20260301/{REGION}/iam/aws4_request", AuthorizationQueryParametersError),
        ("x-amz-credential", f"ä/20260301/{REGION}/s3/aws4_request", InvalidAccessKeyIdError),
        ("policy", "x", InvalidPolicyDocumentError),
        ("AWSAccessKeyId", "x", InvalidRequestError),
        ("signature", "x", InvalidRequestError),
    ],
)
def test_claims_that_are_none(field, text, error):
    with pytest.raises(error):
        understand_form(post(), read(signed() | {field: text}))


def plan(*, md5=True, **fields):
    return plan_form_file(understand(**fields).request, 100, md5=md5)


def test_what_a_form_promises_about_its_file():
    assert (plan().kept, plan().md5, plan().is_exact) == (DEFAULT_ALGORITHM, True, False)
    assert plan(md5=False).md5 is False
    assert plan(md5=False, Content_MD5="1B2M2Y8AsgTpgAmY7PhCfg==").content_md5 is not None
    assert plan(x_amz_checksum_algorithm="sha1").kept is Algorithm.SHA1
    both = plan(x_amz_checksum_crc32="AAAAAA==", x_amz_checksum_algorithm="CRC32")
    assert (both.kept, both.declared, both.declared_digest) == (Algorithm.CRC32, Algorithm.CRC32, bytes(4))
    checker = BodyChecker(both)
    assert checker.finish().size_bytes == 0
    for fields in (
        {"x_amz_checksum_crc32": "AAAAAA==", "x_amz_checksum_algorithm": "SHA1"},
        {"x_amz_checksum_algorithm": "CRC31"},
        {"x_amz_checksum_crc32": "A"},
        {"x_amz_checksum_none": "A"},
    ):
        with pytest.raises(InvalidRequestError):
            plan(**fields)
    with pytest.raises(InvalidDigestError):
        plan(Content_MD5="x")
