from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import (
    AuthorizationQueryParametersError,
    BadRequestError,
    InvalidArgumentError,
    InvalidBucketNameError,
    InvalidRequestError,
    InvalidURIError,
    KeyTooLongError,
    RequestHeaderSectionTooLargeError,
    S3Error,
    URITooLongError,
)
from siegel.domain.limits import HEADERS_BYTES_MAX, HEADERS_COUNT_MAX, URL_BYTES_MAX
from siegel.s3wire.request import parse_request
from siegel.s3wire.route import find_route
from siegel.s3wire.uri import encode, encode_path
from siegel.web.door import door_of

from .signing import HOST, plain

DOMAIN = "s3.example.org"


def place(target, host=HOST, domains=(DOMAIN,)):
    request = plain("GET", target, host=host).parse(domains)
    return request.bucket, request.object_key


def test_the_parts_of_a_request():
    request = plain("PUT", "/photos/2026/cat.jpg?versionId=3&x-id=PutObject", {"Content-Length": "5"}).parse()
    assert (request.method, request.scheme, request.peer) == ("PUT", "http", "192.0.2.7")
    assert (request.bucket, request.object_key) == ("photos", "2026/cat.jpg")
    assert request.query == {"versionId": "3", "x-id": "PutObject"}
    assert request.headers == {"host": HOST, "content-length": "5"}
    assert not request.virtual_host
    assert request.hoisted == ()


@pytest.mark.parametrize(
    ("target", "expected"),
    [("/", ("", "")), ("/b", ("b", "")), ("/b/", ("b", "")), ("/b/k", ("b", "k")), ("/b//", ("b", "/")), ("/b/k/", ("b", "k/"))],
)
def test_path_style(target, expected):
    assert place(target) == expected


@pytest.mark.parametrize("host", ["photos.s3.example.org", "photos.s3.example.org:9000", "PHOTOS.S3.Example.ORG"])
def test_virtual_host_style(host):
    assert place("/2026/cat.jpg", host) == ("photos", "2026/cat.jpg")
    assert place("/", host) == ("photos", "")
    assert plain("GET", "/", host=host).parse((DOMAIN,)).virtual_host


@pytest.mark.parametrize("host", [DOMAIN, f"{DOMAIN}:443", HOST, "[::1]:9000", "[::1]", "other.org", "xs3.example.org"])
def test_any_other_host_is_path_style(host):
    assert place("/b/k", host) == ("b", "k")


def test_a_bucket_in_the_host_may_hold_dots():
    assert place("/k", f"my.photos.{DOMAIN}") == ("my.photos", "k")


def test_the_first_domain_that_fits_counts():
    assert place("/k", f"b.{DOMAIN}", ("example.net", DOMAIN)) == ("b", "k")


def test_an_account_id_before_the_domain_is_no_bucket():
    assert place("/v20180820/tags/x", f"123456789012.{DOMAIN}") == ("", "")
    assert place("/v20180820/tags/arn:aws:s3:::b", f"123456789012.{DOMAIN}") == ("b", "")
    assert place("/k", f"12345678901.{DOMAIN}") == ("12345678901", "k")


def test_an_empty_bucket_name_is_refused():
    for target, host in (("//k", HOST), ("//", HOST), ("/k", f".{DOMAIN}")):
        with pytest.raises(InvalidBucketNameError):
            place(target, host)


def test_a_name_that_no_bucket_ever_had_is_refused():
    assert place(f"/{255 * 'b'}/k", HOST) == (255 * "b", "k")
    for target, host in ((f"/{256 * 'b'}/k", HOST), (f"/{256 * 'b'}", HOST), ("/k", f"{256 * 'b'}.{DOMAIN}")):
        with pytest.raises(InvalidBucketNameError):
            place(target, host)


def test_t16_a_bucket_in_the_host_makes_the_whole_path_a_key():
    assert place("/other/key", f"photos.{DOMAIN}") == ("photos", "other/key")


def test_t16_forwarded_headers_are_dead():
    forged = {"x-forwarded-host": f"victim.{DOMAIN}", "x-forwarded-for": "198.51.100.1", "forwarded": f"host=victim.{DOMAIN}"}
    request = plain("GET", "/b/k", forged).parse((DOMAIN,))
    assert (request.bucket, request.peer) == ("b", "192.0.2.7")


@pytest.mark.parametrize("path", [b"", b"b/k", b"*", b"http://h/b/k"])
def test_a_path_begins_with_a_slash(path):
    with pytest.raises(InvalidURIError):
        plain("GET", "/").but(path=path).parse()
    with pytest.raises(InvalidURIError):
        plain("GET", "/", host=f"b.{DOMAIN}").but(path=path).parse((DOMAIN,))


KEYS_AS_SENT = [
    ("a//b", "a//b"),
    ("/a", "/a"),
    ("./a", "./a"),
    ("../../etc/passwd", "../../etc/passwd"),
    ("a/../b", "a/../b"),
    ("%2e%2e/b", "../b"),
    ("a%2Fb", "a/b"),
    ("a%252Fb", "a%2Fb"),
    ("%252e%252e", "%2e%2e"),
    ("a+b", "a+b"),
    ("a%2Bb", "a+b"),
    ("a%20b", "a b"),
    ("a\\b", "a\\b"),
    ("~", "~"),
    ("%7E", "~"),
    ("a;b=c", "a;b=c"),
    ("%01%1F%7F", "\x01\x1f\x7f"),
    (".", "."),
    ("..", ".."),
]


@pytest.mark.parametrize(("sent", "meant"), KEYS_AS_SENT)
def test_trap_01_t14_t50_cve_2026_54917_a_key_is_decoded_exactly_once_and_never_normalised(sent, meant):
    assert place(f"/b/{sent}") == ("b", meant)
    assert place(f"/{sent}", f"b.{DOMAIN}") == ("b", meant)


def test_t50_an_escaped_slash_in_the_bucket_names_no_other_bucket():
    assert place("/b%2F..%2Fvictim/k") == ("b/../victim", "k")


def test_t14_cloudpods_25490_queries_are_decoded_exactly_once():
    query = plain("GET", "/b?prefix=%252e%252f&delimiter=%2F&marker=&start-after=a+b%2Bc&uploads&k=a=b;c").parse().query
    assert query == {
        "prefix": "%2e%2f",
        "delimiter": "/",
        "marker": "",
        "start-after": "a b+c",
        "uploads": "",
        "k": "a=b;c",
    }
    assert plain("GET", "/b?&&a=1&").parse().query == {"a": "1"}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=250))
def test_t53_every_key_round_trips(key):
    assert place(f"/b/{encode_path(key)}") == ("b", key)
    assert place(f"/b/{encode(key)}") == ("b", key)
    if "%" not in key:
        assert plain("GET", "/b").but(path=b"/b/" + key.encode()).parse().object_key == key


def test_t53_the_longest_key_has_1024_bytes():
    assert place(f"/b/{'k' * 1024}")[1] == "k" * 1024
    assert place(f"/b/{'%C3%A9' * 512}")[1] == "é" * 512
    for longer in ("k" * 1025, "%C3%A9" * 512 + "k"):
        with pytest.raises(KeyTooLongError) as refusal:
            place(f"/b/{longer}")
        assert refusal.value.fields == {"Size": "1025", "MaxSizeAllowed": "1024"}


def test_t53_nul_and_what_is_not_utf8_are_refused():
    for path in ("/b/%00", "/b/a%00b", "/b/%FF", "/b/%ED%A0%80", "/%FF/k", "/b/%zz"):
        with pytest.raises(InvalidURIError):
            place(path)
    with pytest.raises(InvalidURIError):
        plain("GET", "/b?prefix=%FF").parse()
    with pytest.raises(InvalidURIError):
        plain("GET", "/b").but(query=b"prefix=\xff").parse()
    assert plain("GET", "/b").but(query="prefix=é".encode()).parse().query == {"prefix": "é"}


def test_t53_equal_looking_keys_stay_different():
    assert place("/b/%C3%A9") != place("/b/e%CC%81")
    assert place("/b/A") != place("/b/a")


def test_header_names_are_lower_case_and_values_trimmed_but_otherwise_exact():
    request = plain("GET", "/", {"X-Amz-Meta-Note": " \ta  b\t", "x-amz-meta-latin": "\xe9"}).parse()
    assert request.headers["x-amz-meta-note"] == "a  b"
    assert request.headers["x-amz-meta-latin"] == "\xe9"


def test_repeated_headers_are_joined():
    sent = plain("GET", "/")
    headers = (*sent.headers, (b"x-amz-meta-a", b"1"), (b"X-Amz-Meta-A", b"2"), (b"accept", b"x"), (b"accept", b" y"))
    request = sent.but(headers=headers).parse()
    assert request.headers["x-amz-meta-a"] == "1,2"
    assert request.headers["accept"] == "x,y"


@pytest.mark.parametrize(
    "name",
    [
        "host",
        "authorization",
        "content-length",
        "date",
        "x-amz-date",
        "x-amz-content-sha256",
        "x-amz-copy-source",
        "x-amz-trailer",
        "x-amz-server-side-encryption-customer-key",
        "content-type",
        "content-md5",
        "range",
        "if-match",
        "if-none-match",
    ],
)
def test_t15_a_header_that_decides_may_appear_only_once(name):
    sent = plain("GET", "/", {name: "1"})
    with pytest.raises(BadRequestError, match=name):
        sent.but(headers=(*sent.headers, (name.encode(), b"1"))).parse()


def test_t15_length_and_transfer_encoding_exclude_each_other():
    with pytest.raises(BadRequestError, match="exclude"):
        plain("PUT", "/b/k", {"content-length": "1", "transfer-encoding": "chunked"}).parse()
    assert plain("PUT", "/b/k", {"transfer-encoding": "Chunked"}).parse().headers["transfer-encoding"] == "Chunked"


@pytest.mark.parametrize("value", ["", "+1", "-1", "0x1", "1_0", "1 0", "1,1", "\xb2"])
def test_t57_a_length_is_a_plain_number(value):
    with pytest.raises(BadRequestError, match="not a number"):
        plain("PUT", "/b/k", {"content-length": value}).parse()


@pytest.mark.parametrize("value", ["gzip", "chunked, chunked", "xchunked", "identity", ""])
def test_t57_the_only_transfer_encoding_is_chunked(value):
    with pytest.raises(BadRequestError, match="Transfer-Encoding"):
        plain("PUT", "/b/k", {"transfer-encoding": value}).parse()


@pytest.mark.parametrize("control", ["\0", "\r", "\n", "\x0b", "\x1b", "\x7f"])
def test_t73_control_characters_in_headers_are_refused(control):
    with pytest.raises(BadRequestError, match="control"):
        plain("PUT", "/b/k", {"x-amz-meta-a": f"x{control}y"}).parse()
    with pytest.raises(BadRequestError, match="control"):
        plain("PUT", "/b/k", {f"x-amz-meta-a{control}": "x"}).parse()


def test_t07_ghsa_6r96_underscore_forms_are_other_headers():
    request = plain("PUT", "/b/k", {"x_amz_acl": "public-read", "content_length": "7"}).parse()
    assert "x-amz-acl" not in request.headers
    assert "content-length" not in request.headers


def test_a_request_without_host_is_refused():
    with pytest.raises(BadRequestError, match="Host"):
        plain("GET", "/").but(headers=()).parse()
    with pytest.raises(BadRequestError, match="Host"):
        plain("GET", "/", host=" ").parse()


def test_t65_limits_of_the_head():
    with pytest.raises(URITooLongError):
        plain("GET", "/b?prefix=" + "x" * URL_BYTES_MAX).parse()
    with pytest.raises(URITooLongError):
        plain("GET", "/" + "x" * URL_BYTES_MAX).parse()
    with pytest.raises(RequestHeaderSectionTooLargeError):
        plain("GET", "/", {f"x-{n}": "1" for n in range(HEADERS_COUNT_MAX)}).parse()
    with pytest.raises(RequestHeaderSectionTooLargeError):
        plain("GET", "/", {"x": "1" * HEADERS_BYTES_MAX}).parse()


def test_a_query_parameter_may_appear_only_once():
    with pytest.raises(InvalidArgumentError, match="versionId") as refusal:
        plain("GET", "/b/k?versionId=1&versionId=2").parse()
    assert refusal.value.fields == {"ArgumentName": "versionId"}
    with pytest.raises(InvalidArgumentError):
        plain("GET", "/b/k?uploads&uploads=").parse()
    with pytest.raises(InvalidArgumentError):
        plain("GET", "/b/k?uploads&u%70loads").parse()


def test_t09_a_signing_parameter_may_appear_only_once():
    with pytest.raises(AuthorizationQueryParametersError, match="X-Amz-Expires"):
        plain("GET", "/b/k?X-Amz-Expires=1&X-Amz-Expires=1").parse()


def test_trap_07_headers_in_a_presigned_query_count_as_headers():
    request = plain("PUT", "/b/k?X-Amz-Signature=0&x-amz-checksum-crc32=AAAAAA%3D%3D&X-Amz-Meta-N=%C3%A9&x-id=PutObject").parse()
    assert request.hoisted == ("x-amz-checksum-crc32", "x-amz-meta-n")
    assert request.headers["x-amz-checksum-crc32"] == "AAAAAA=="
    assert request.headers["x-amz-meta-n"].encode("latin-1") == "é".encode()


def test_trap_07_a_query_without_signature_carries_no_headers():
    request = plain("PUT", "/b/k?x-amz-acl=public-read").parse()
    assert request.hoisted == ()
    assert "x-amz-acl" not in request.headers


def test_trap_07_a_header_given_in_both_places_must_agree():
    target = "/b/k?X-Amz-Signature=0&x-amz-acl=private"
    assert plain("PUT", target, {"x-amz-acl": "private"}).parse().hoisted == ("x-amz-acl",)
    with pytest.raises(InvalidRequestError, match="x-amz-acl"):
        plain("PUT", target, {"x-amz-acl": "public-read"}).parse()
    with pytest.raises(InvalidRequestError, match="x-amz-acl"):
        plain("PUT", target + "&X-Amz-Acl=private").parse()


def test_t58_a_header_in_the_query_holds_no_line_break():
    with pytest.raises(InvalidArgumentError, match="control"):
        plain("PUT", "/b/k?X-Amz-Signature=0&x-amz-meta-a=b%0D%0Ac").parse()


@given(
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=20)), max_size=5),
)
def test_t65_t100_whatever_arrives_is_read_or_refused_by_name(path, query, headers):
    with suppress(S3Error):
        parse_request("GET", "http", b"/" + path, query, [(b"host", b"h"), *headers], "192.0.2.7", ("h",))


def test_the_operation_that_an_sdk_names_may_be_repeated():
    assert plain("GET", "/b/k?x-id=A&x-id=B").parse().query == {"x-id": "B"}


@pytest.mark.parametrize(
    ("path", "bucket", "error"),
    [
        (b"/b/" + b"k" * 1025, "b", KeyTooLongError),
        (b"/b/%FF", "b", InvalidURIError),
        (b"/b/a%00b", "b", InvalidURIError),
        (b"/%FF/k", "", InvalidURIError),
        (b"//k", "", InvalidBucketNameError),
        (b"*", "", InvalidURIError),
        (b"/.ledger/nothing", "", InvalidURIError),
    ],
)
def test_a_flaw_of_the_path_can_wait_and_then_no_operation_is_meant(path, bucket, error):
    request = parse_request("PUT", "http", path, b"", [(b"host", HOST.encode())], "192.0.2.7", (), keeps_flaw=True)
    assert (request.bucket, request.object_key, request.own_level, type(request.flaw)) == (bucket, "", "", error)
    with pytest.raises(error):
        find_route(request)
    assert door_of(request) == ""
