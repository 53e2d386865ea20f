import hmac
from unittest import mock

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from siegel.domain.errors import (
    AccessDeniedError,
    AuthorizationHeaderMalformedError,
    AuthorizationQueryParametersError,
    RequestTimeTooSkewedError,
    S3Error,
    SignatureDoesNotMatchError,
)
from siegel.s3wire import sigv4
from siegel.s3wire.uri import encode, encode_path

from .signing import KEY_ID, NOW_MS, SECRET, check, plain, signed

MINUTE_MS = 60_000

keys = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
queries = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10), values, max_size=4)
words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
metadata = st.dictionaries(st.from_regex(r"x-amz-meta-[a-z0-9_-]{1,10}", fullmatch=True), words, max_size=3)
methods = st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST"])


def target_of(key, query):
    text = "&".join(f"{encode(name)}={encode(value)}" for name, value in query.items())
    return f"/bucket/{encode_path(key)}" + (f"?{text}" if text else "")


def refused(sent):
    """Whether a request is refused by name, at whichever stop."""
    try:
        check(sent.parse())
    except S3Error:
        return True
    return False


@given(methods, keys, queries, metadata, st.sampled_from([None, 60]))
def test_what_botocore_signs_is_verified(method, key, query, headers, expires):
    assume(not any(name.lower().startswith("x-amz-") for name in query))
    sent = signed(method, target_of(key, query), headers, expires=expires)
    verified = check(sent.parse())
    assert verified.request.object_key == key
    assert query.items() <= verified.request.query.items()
    assert verified.claim.access_key_id == KEY_ID


def flipped(data, draw):
    """Change one byte to any other."""
    at = draw(st.integers(0, len(data) - 1))
    byte = draw(st.integers(0, 255).filter(lambda byte: byte != data[at]))
    return data[:at] + bytes([byte]) + data[at + 1 :]


@settings(max_examples=400)
@given(st.data(), keys, st.sampled_from([None, 60]), st.sampled_from(["method", "path", "query", "header"]))
def test_t13_one_changed_byte_is_always_refused(data, key, expires, part):
    query = {"versionId": "a/b+c", "response-content-type": "text/plain; charset=utf-8"}
    sent = signed("GET", target_of(key, query), {"x-amz-meta-note": "some  words", "range": "bytes=0-9"}, expires=expires)
    if part == "method":
        changed = sent.but(method=data.draw(st.sampled_from(["PUT", "HEAD", "GEU", "get", "GETT"])))
    elif part in {"path", "query"}:
        changed = sent.but(**{part: flipped(getattr(sent, part), data.draw)})
    else:
        name = data.draw(st.sampled_from(["host", "range", "x-amz-meta-note"]))
        value = flipped(sent.header(name), data.draw)
        assume(value.split() != sent.header(name).split())
        changed = sent.with_header(name, value)
    assert not refused(sent)
    assert refused(changed)


@pytest.mark.parametrize("expires", [None, 60])
def test_t13_every_signed_header_must_be_there(expires):
    sent = signed("PUT", "/b/k", {"x-amz-meta-a": "1", "content-type": "text/plain"}, expires=expires)
    for name in ("x-amz-meta-a", "content-type"):
        with pytest.raises(SignatureDoesNotMatchError, match=name):
            check(sent.without_header(name).parse())


KEYS = ["a%252eb", "a%252fb", "a%2Bb", "~", "a//b", "a/../b", "./a", "a%2Fb", "%20", "a%7Eb", "%C3%A9", "a%3Bb%3Dc"]


@pytest.mark.parametrize("key", KEYS)
def test_trap_01_t14_a_path_is_signed_as_it_is_sent(key):
    check(signed("GET", f"/b/{key}").parse())
    check(signed("GET", f"/b/{key}", expires=60).parse())


@pytest.mark.parametrize("key", ["a+b", "a=b", "a:b@c", "(a)!'*", "a,b", "a%7Eb", "a%41b"])
def test_trap_01_the_canonical_form_of_a_path_is_accepted_as_well(key):
    sent = signed("GET", f"/b/{key}")
    canonical = encode_path(sent.parse().object_key)
    assert canonical != key
    check(sent.parse())
    check(signed("GET", f"/b/{canonical}").but(path=f"/b/{key}".encode()).parse())


def test_t13_an_escape_in_lower_case_is_accepted_only_as_it_was_signed():
    check(signed("GET", "/b/a%2fb").parse())
    with pytest.raises(SignatureDoesNotMatchError):
        check(signed("GET", "/b/a%2Fb").but(path=b"/b/a%2fb").parse())
    with pytest.raises(SignatureDoesNotMatchError):
        check(signed("GET", "/b?prefix=a%2Fb").but(query=b"prefix=a%2fb").parse())


@pytest.mark.parametrize(
    ("signed_query", "sent_query"),
    [
        ("prefix=a%2Fb&delimiter=%2F", b"delimiter=/&prefix=a/b"),
        ("uploads=", b"uploads"),
        ("prefix=a%20b", b"prefix=a+b"),
        ("prefix=a%3Bb", b"prefix=a;b"),
        ("prefix=", b"&prefix=&"),
        ("a-b=1&a=2", b"a=2&a-b=1"),
    ],
)
def test_trap_02_a_query_is_canonical_whatever_the_order_and_spelling(signed_query, sent_query):
    check(signed("GET", f"/b?{signed_query}").but(query=sent_query).parse())


pieces = st.text(st.sampled_from("ab-.=&+%/~2F"), max_size=24)


@given(st.lists(pieces, min_size=1, max_size=4), st.permutations(["front", "sign", "back"]))
def test_trap_02_a_presigned_query_that_is_in_order_is_read_as_any_other(names, order):
    there = {"front": "&".join(names), "sign": "X-Amz-Signature=0", "back": "X-Amz-Date=1"}
    sent = "&".join(there[name] for name in order)
    try:
        request = plain("GET", f"/b?{sent}").parse()
    except S3Error:
        return
    pairs = sorted(pair.partition("=") for pair in sent.split("&") if pair)
    expected = "&".join(f"{name}={value}" for name, _, value in pairs if name != "X-Amz-Signature")
    assert sigv4._query_as_sent(request) == expected


def test_trap_02_path_and_query_may_differ_from_their_canonical_forms_at_once():
    sent = signed("GET", "/b/a%2Bb?prefix=a%2Fb")
    check(sent.but(path=b"/b/a+b", query=b"prefix=a/b").parse())
    check(sent.but(path=b"/b/a+b").parse())
    check(sent.but(query=b"prefix=a/b").parse())


def test_trap_03_t16_the_host_counts_as_it_was_sent_with_its_port():
    check(signed("GET", "/b/k", host="store.example.org").parse())
    check(signed("GET", "/b/k", host="store.example.org:8443").parse())
    for other in ("store.example.org", "store.example.org:443", "STORE.example.org:8443"):
        with pytest.raises(SignatureDoesNotMatchError):
            check(signed("GET", "/b/k", host="store.example.org:8443").with_header("host", other).parse())


def test_trap_04_only_what_is_signed_is_compared_and_spaces_collapse():
    sent = signed("PUT", "/b/k", {"x-amz-meta-note": "two  words"})
    check(sent.with_header("accept-encoding", "gzip").with_header("user-agent", "rewritten").parse())
    check(sent.with_header("x-amz-meta-note", "  two words ").parse())
    assert sent.parse().headers["x-amz-meta-note"] == "two  words"


@pytest.mark.parametrize("expires", [None, 60])
@pytest.mark.parametrize(
    "name",
    [
        "x-amz-acl",
        "x-amz-tagging",
        "x-amz-meta-a",
        "x-amz-server-side-encryption",
        "x-amz-object-lock-mode",
        "x-amz-copy-source",
        "x-amz-date2",
    ],
)
def test_trap_05_t05_t06_seaweedfs_9121_cve_2026_97149_headers_that_decide_must_be_signed(name, expires):
    with pytest.raises(AccessDeniedError, match="not signed") as refusal:
        check(signed("PUT", "/b/k", expires=expires).with_header(name, "x").parse())
    assert refusal.value.fields == {"HeadersNotSigned": name}


def test_trap_05_content_type_and_what_proxies_add_need_no_signature():
    sent = signed("PUT", "/b/k").with_header("content-type", "text/plain").with_header("x-amzn-trace-id", "1")
    check(sent.with_header("expect", "100-continue").parse())


def test_trap_05_the_host_must_be_signed():
    sent = signed("GET", "/b/k")
    authorization = sent.header("authorization").replace(b"host;", b"")
    with pytest.raises(AccessDeniedError) as refusal:
        check(sent.with_header("authorization", authorization).parse())
    assert refusal.value.fields == {"HeadersNotSigned": "host"}


def test_trap_06_t08_lakefs_9599_a_clock_may_be_wrong_by_a_quarter_of_an_hour():
    request = signed("GET", "/b/k").parse()
    for minutes in (-15, 0, 15):
        check(request, now_ms=NOW_MS + minutes * MINUTE_MS)
    for minutes in (-16, 16):
        with pytest.raises(RequestTimeTooSkewedError) as refusal:
            check(request, now_ms=NOW_MS + minutes * MINUTE_MS)
        assert refusal.value.fields["RequestTime"] == "20260301T120000Z"
        assert refusal.value.fields["ServerTime"] == f"2026-03-01T{'11:44' if minutes < 0 else '12:16'}:00.000Z"
        assert refusal.value.fields["MaxAllowedSkewMilliseconds"] == "900000"


def test_trap_06_d19_a_wrong_region_is_told_the_right_one():
    check(signed("GET", "/b/k", region="us-east-1").parse())
    with pytest.raises(AuthorizationHeaderMalformedError, match="expecting 'eu-central-1'") as refusal:
        check(signed("GET", "/b/k", region="eu-west-1").parse())
    assert refusal.value.fields == {"Region": "eu-central-1"}
    with pytest.raises(AuthorizationQueryParametersError) as refusal:
        check(signed("GET", "/b/k", region="eu-west-1", expires=60).parse())
    assert refusal.value.fields == {"Region": "eu-central-1"}


def test_trap_07_t08_a_presigned_url_lives_as_long_as_it_says():
    request = signed("GET", "/b/k", expires=60).parse()
    check(request, now_ms=NOW_MS + MINUTE_MS)
    with pytest.raises(AccessDeniedError, match="Request has expired") as refusal:
        check(request, now_ms=NOW_MS + MINUTE_MS + 1)
    assert refusal.value.fields["Expires"] == "2026-03-01T12:01:00.000Z"
    with pytest.raises(AccessDeniedError, match="not valid yet"):
        check(request, now_ms=NOW_MS - 16 * MINUTE_MS)


def test_t09_a_presigned_url_that_lives_no_second_is_never_valid():
    for skew_ms in (-1000, 0, 1000):
        with pytest.raises(AccessDeniedError, match="expired"):
            check(signed("GET", "/b/k", expires=0).parse(), now_ms=NOW_MS + skew_ms)


def test_trap_07_rustfs_7678_headers_hoisted_into_the_query_are_signed_with_it():
    target = "/b/k?x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
    sent = signed("PUT", target, expires=60)
    verified = check(sent.parse())
    assert verified.request.headers["x-amz-checksum-crc32"] == "AAAAAA=="
    check(sent.with_header("x-amz-checksum-crc32", "AAAAAA==").parse())
    with pytest.raises(SignatureDoesNotMatchError):
        check(sent.but(query=sent.query.replace(b"AAAAAA", b"AAAAAB")).parse())


def test_trap_08_t01_cve_2025_31489_a_wrong_secret_is_refused_for_every_form_of_body():
    for word in ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        check(signed("PUT", "/b/k", {"X-Amz-Content-SHA256": word}, expires=60).parse())
        sent = signed("PUT", "/b/k", {"X-Amz-Content-SHA256": word}, expires=60, secret="wrong")
        with pytest.raises(SignatureDoesNotMatchError):
            check(sent.parse())


def test_trap_08_t17_garage_737_signatures_are_compared_in_constant_time():
    with mock.patch.object(sigv4.hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
        check(signed("GET", "/b/k").parse())
    assert compare.call_count == 1


@pytest.mark.parametrize("signature", ["0" * 64, "0", "0" * 5000, "é", "A" * 64, "' OR 1"])
def test_trap_08_any_other_signature_is_refused(signature):
    sent = signed("GET", "/b/k")
    authorization = sent.header("authorization").rpartition(b"=")[0].decode() + "=" + signature
    with pytest.raises(SignatureDoesNotMatchError):
        check(sent.with_header("authorization", authorization).parse())


def test_a_refused_signature_shows_what_was_compared():
    sent = signed("GET", "/b/a+b?prefix=a/b", secret="wrong")
    with pytest.raises(SignatureDoesNotMatchError) as refusal:
        check(sent.parse())
    fields = refusal.value.fields
    assert fields["AWSAccessKeyId"] == KEY_ID
    assert fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n20260301T120000Z\n20260301/eu-central-1/s3/aws4_request\n")
    assert fields["CanonicalRequest"].startswith("GET\n/b/a%2Bb\nprefix=a%2Fb\nhost:127.0.0.1:9000\n")
    assert fields["SignatureProvided"] == sent.parse().headers["authorization"][-64:]


def test_trap_22_t99_a_refused_signature_shows_no_secret():
    name = "x-amz-server-side-encryption-customer-key"
    value = "c2VjcmV0IGtleSBvZiB0aGUgY3VzdG9tZXIhISEhISE="
    for sent in (
        signed("PUT", "/b/k", {name: value}, secret="wrong"),
        signed("PUT", f"/b/k?{name}={encode(value)}", expires=60, secret="wrong"),
    ):
        with pytest.raises(SignatureDoesNotMatchError) as refusal:
            check(sent.parse())
        text = str(refusal.value.fields) + str(refusal.value)
        assert value not in text
        assert encode(value) not in text
        assert SECRET not in text


def test_the_evidence_does_not_show_its_key():
    verified = check(signed("GET", "/b/k").parse())
    assert repr(verified) == f"VerifiedRequest(GET by {KEY_ID})"
    assert str(verified.signing_key) not in f"{verified} {verified!r}"
    assert verified.signing_key == sigv4.signing_key(SECRET, "20260301", "eu-central-1", "s3")


def test_a_request_signed_over_a_date_header_is_verified():
    sent = signed("GET", "/b/k", {"date": "any"})
    assert "x-amz-date" not in sent.parse().headers
    check(sent.parse())


def test_a_body_is_no_part_of_this_but_its_word_is():
    sent = signed("PUT", "/b/k", body=b"hello")
    with pytest.raises(SignatureDoesNotMatchError):
        check(sent.with_header("x-amz-content-sha256", "UNSIGNED-PAYLOAD").parse())


def test_an_anonymous_request_has_no_claim():
    assert sigv4.parse_claim(plain("GET", "/b/k").parse()) is None


def test_an_unsigned_request_goes_to_the_policies_as_nobodys():
    admitted = sigv4.admit_anonymous(plain("GET", "/b/k").parse())
    assert admitted.claim is None
    assert admitted.payload_hash == "UNSIGNED-PAYLOAD"
    assert "nobody" in repr(admitted)
