import pytest

from siegel.s3wire.claims import parse_claim
from siegel.s3wire.conditionkeys import RequestKeys

from .signing import EMPTY_SHA256, NOW_MS, plain, signed

TAGS = {"Project": "x", "cost": "1", "Cost": "2"}


def keys_of(sent, *, scheme="http", others=None, tags=None, now_ms=NOW_MS, owner="111122223333"):
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
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("aws:sourceip", ("192.0.2.7",)),
        ("aws:securetransport", ("false",)),
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
        ("s3:object-lock-mode", ("COMPLIANCE",)),
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
        "x-amz-object-lock-mode": "COMPLIANCE",
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


def test_a_signature_from_a_fast_clock_is_new():
    assert keys_of(signed("GET", "/b/k"), now_ms=NOW_MS - 9000).get("s3:signatureage") == ("0",)


def test_tls_is_seen():
    assert keys_of(signed("GET", "/b/k"), scheme="https").get("aws:securetransport") == ("true",)


def test_values_of_the_body_go_before_those_of_headers():
    keys = keys_of(signed("PUT", "/b/k", {"x-amz-tagging": "a=1"}), others={"s3:requestobjecttag/a": ("2",)})
    assert keys.get("s3:requestobjecttag/a") == ("2",)


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
