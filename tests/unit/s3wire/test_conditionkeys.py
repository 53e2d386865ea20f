import pytest

from siegel.s3wire.claims import parse_claim
from siegel.s3wire.conditionkeys import RequestKeys, tag_keys
from siegel.s3wire.route import ROUTES
from siegel.s3wire.routes.browsers import FORM_ROUTE

from .signing import EMPTY_SHA256, NOW_MS, plain, signed

UNTIL = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "Tue, 03 Mar 2026 11:00:00 GMT"}
TAGS = {"Project": "x", "cost": "1", "Cost": "2"}


def keys_of(
    sent, operation="PutObject", *, scheme="http", others=None, tags=None, now_ms=NOW_MS, owner="111122223333", action=""
):
    request = sent.parse()
    if scheme != "http":
        request = type(request)(**{name: getattr(request, name) for name in request.__struct_fields__} | {"scheme": scheme})
    read = (lambda: TAGS) if tags is None else tags
    return RequestKeys(
        request,
        parse_claim(request),
        now_ms=now_ms,
        region="eu-central-1",
        owner=owner,
        existing_tags=read,
        others=others or {},
        operation=operation,
        action=action,
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("aws:sourceip", ("192.0.2.7",)),
        ("aws:securetransport", ("false",)),
        ("s3:tlsversion", None),
        ("aws:currenttime", ("2026-03-01T12:00:00.000Z",)),
        ("aws:epochtime", (str(NOW_MS // 1000),)),
        ("aws:requestedregion", ("eu-central-1",)),
        ("aws:resourceaccount", ("111122223333",)),
        ("s3:resourceaccount", ("111122223333",)),
        ("aws:useragent", ("tool/1",)),
        ("aws:referer", None),
        ("s3:prefix", ("a/",)),
        ("s3:delimiter", ("",)),
        ("s3:max-keys", None),
        ("s3:x-amz-acl", ("private",)),
        ("s3:x-amz-server-side-encryption", ("AES256",)),
        ("s3:x-amz-content-sha256", (EMPTY_SHA256,)),
        ("s3:if-none-match", ("*",)),
        ("s3:if-match", None),
        ("s3:x-amz-copy-source", None),
        ("s3:locationconstraint", None),
        ("s3:dataaccesspointarn", None),
        ("s3:object-lock-mode", ("COMPLIANCE",)),
        ("s3:object-lock-retain-until-date", ("2026-03-03T11:00:00.000Z",)),
        ("s3:object-lock-remaining-retention-days", ("2",)),
        ("s3:object-lock-legal-hold", ("OFF",)),
        ("s3:authtype", ("REST-HEADER",)),
        ("s3:signatureversion", ("AWS4-HMAC-SHA256",)),
        ("s3:signatureage", ("0",)),
        ("s3:requestobjecttag/a", ("1",)),
        ("s3:requestobjecttag/c", None),
        ("aws:requesttag/b", ("2",)),
        ("s3:requestobjecttagkeys", ("A", "b")),
        ("aws:tagkeys", ("A", "b")),
        ("s3:existingobjecttag/project", ("x",)),
        ("s3:existingobjecttag/other", None),
        ("s3:existingobjecttag/cost", ("1", "2")),
        ("s3:existingobjecttag", None),
        ("s3:nonsense", None),
        ("foo/bar", None),
    ],
)
def test_what_a_request_says(name, values):
    headers = {
        "user-agent": "tool/1",
        "x-amz-acl": "private",
        "x-amz-server-side-encryption": "AES256",
        "if-none-match": "*",
        "x-amz-object-lock-legal-hold": "OFF",
        **UNTIL,
        "x-amz-tagging": "A=1&b=2",
    }
    assert keys_of(signed("PUT", "/b/k?prefix=a/&delimiter=", headers)).get(name) == values


def test_nobody_signed_an_anonymous_request():
    keys = keys_of(plain("GET", "/b/k"), owner="")
    for name in ("s3:authtype", "s3:signatureversion", "s3:signatureage", "aws:resourceaccount", "s3:requestobjecttagkeys"):
        assert keys.get(name) is None


def test_a_presigned_url_says_so_and_tells_its_age():
    keys = keys_of(signed("GET", "/b/k", expires=600), now_ms=NOW_MS + 5000)
    assert keys.get("s3:authtype") == ("REST-QUERY-STRING",)
    assert keys.get("s3:signatureage") == ("5000",)
    assert keys.get("s3:x-amz-content-sha256") == ("UNSIGNED-PAYLOAD",)


def test_what_nobody_signed_about_a_body_is_what_is_sent():
    assert keys_of(plain("PUT", "/b/k")).get("s3:x-amz-content-sha256") is None
    sent = plain("PUT", "/b/k", {"x-amz-content-sha256": EMPTY_SHA256})
    assert keys_of(sent).get("s3:x-amz-content-sha256") == (EMPTY_SHA256,)


def test_a_signature_from_a_fast_clock_is_new():
    assert keys_of(signed("GET", "/b/k"), now_ms=NOW_MS - 9000).get("s3:signatureage") == ("0",)


def test_tls_is_seen():
    over_tls = keys_of(signed("GET", "/b/k"), scheme="https")
    assert (over_tls.get("aws:securetransport"), over_tls.get("s3:tlsversion")) == (("true",), ("1.2",))


def test_values_of_the_body_go_before_those_of_headers():
    keys = keys_of(signed("PUT", "/b/k", {"x-amz-tagging": "a=1"}), others={"s3:requestobjecttag/a": ("2",)})
    assert keys.get("s3:requestobjecttag/a") == ("2",)


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("s3:if-match", {"if-match": '"e"'}),
        ("s3:if-none-match", {"if-none-match": "*"}),
        ("s3:requestobjecttag/a", {"x-amz-tagging": "a=1", "x-amz-tagging-directive": "REPLACE"}),
        ("aws:tagkeys", {"x-amz-tagging": "a=1", "x-amz-tagging-directive": "REPLACE"}),
        ("s3:object-lock-mode", UNTIL),
        ("s3:object-lock-legal-hold", {"x-amz-object-lock-legal-hold": "ON"}),
    ],
)
def test_a_header_speaks_only_where_its_operation_goes_by_it(name, headers):
    creates = {"PutObject", "CopyObject", "PostObject"}
    expected = {
        "s3:if-match": creates | {"CompleteMultipartUpload", "DeleteObject"},
        "s3:if-none-match": creates | {"CompleteMultipartUpload"},
    }.get(name, creates | {"CreateMultipartUpload"})
    sent = signed("PUT", "/b/k", headers)
    operations = {"", *(route.operation for route in (*ROUTES, FORM_ROUTE))}
    assert {operation for operation in operations if keys_of(sent, operation).get(name) is not None} == expected


@pytest.mark.parametrize("directive", [{}, {"x-amz-tagging-directive": "COPY"}, {"x-amz-tagging-directive": "x"}])
def test_a_copy_that_takes_the_tags_of_its_source_gives_none_of_its_header(directive):
    keys = keys_of(signed("PUT", "/b/k", {"x-amz-tagging": "a=1", **directive}), "CopyObject")
    assert keys.get("s3:requestobjecttag/a") is None
    assert keys.get("s3:requestobjecttagkeys") is None


@pytest.mark.parametrize(
    "headers",
    [
        UNTIL | {"x-amz-object-lock-mode": "FOREVER"},
        UNTIL | {"x-amz-object-lock-retain-until-date": "soon"},
        {"x-amz-object-lock-mode": "COMPLIANCE"},
        {"x-amz-object-lock-legal-hold": "on"},
    ],
)
def test_a_lock_that_does_not_parse_is_absent(headers):
    keys = keys_of(signed("PUT", "/b/k", headers))
    assert keys.get("s3:object-lock-mode") is None
    assert keys.get("s3:object-lock-legal-hold") is None


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("PutObject", ("true",)),
        ("CopyObject", ("true",)),
        ("PostObject", ("true",)),
        ("CompleteMultipartUpload", ("true",)),
        ("CreateMultipartUpload", ("false",)),
        ("UploadPart", ("false",)),
        ("UploadPartCopy", ("false",)),
        ("PutObjectTagging", None),
    ],
)
def test_which_writes_make_an_object(operation, values):
    sent = signed("PUT", "/b/k")
    assert keys_of(sent, operation, action="s3:PutObject").get("s3:objectcreationoperation") == values
    assert keys_of(sent, operation, action="s3:GetObject").get("s3:objectcreationoperation") is None


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("buc/k", ("buc/k",)),
        ("/buc/k%C3%A4se%2F1", ("buc/käse/1",)),
        ("buc/k?versionId=null", ("buc/k",)),
        ("buc", None),
    ],
)
def test_the_source_of_a_copy_is_told_as_it_is_found(header, values):
    assert keys_of(signed("PUT", "/b/k", {"x-amz-copy-source": header}), "CopyObject").get("s3:x-amz-copy-source") == values


def test_tags_of_bodies_are_told_as_those_of_headers_are():
    keys = tag_keys({"A": "1", "b": "2", "a": "3"})
    assert keys["s3:requestobjecttag/a"] == keys["aws:requesttag/a"] == ("1", "3")
    assert keys["s3:requestobjecttagkeys"] == keys["aws:tagkeys"] == ("A", "b", "a")
    assert tag_keys({}) == {}


def test_tags_that_do_not_parse_are_absent():
    keys = keys_of(signed("PUT", "/b/k", {"x-amz-tagging": "a=1&a=2"}))
    assert keys.get("s3:requestobjecttag/a") is None
    assert keys.get("s3:requestobjecttagkeys") is None


def test_the_tags_of_an_object_are_read_only_when_a_policy_asks():
    def forbidden():
        raise AssertionError("read without need")

    keys = keys_of(signed("GET", "/b/k"), tags=forbidden)
    assert keys.get("s3:prefix") is None
    with pytest.raises(AssertionError):
        keys.get("s3:existingobjecttag/a")


def test_versions_are_named_by_the_query():
    assert keys_of(signed("GET", "/b/k?versionId=v")).get("s3:versionid") == ("v",)
