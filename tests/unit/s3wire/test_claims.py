from datetime import UTC, datetime

import pytest

from siegel.domain.errors import (
    AccessDeniedError,
    AuthorizationHeaderMalformedError,
    AuthorizationQueryParametersError,
    InvalidAccessKeyIdError,
    InvalidArgumentError,
    InvalidRequestError,
    InvalidTokenError,
    S3Error,
    UnsupportedFeatureError,
)
from siegel.s3wire.claims import parse_claim, signing_service

from .signing import EMPTY_SHA256, KEY_ID, NOW_MS, plain, signed

TIMESTAMP = "20260301T120000Z"


def claim_of(sent):
    return parse_claim(sent.parse())


def authorized(authorization, **headers):
    base = {"x-amz-date": TIMESTAMP, "x-amz-content-sha256": EMPTY_SHA256, "authorization": authorization}
    return plain("GET", "/b/k", base | headers)


def header(credential=f"{KEY_ID}/20260301/eu-central-1/s3/aws4_request", signed_headers="host;x-amz-date", signature="0" * 64):
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed_headers}, Signature={signature}"


def test_a_claim_in_the_header():
    claim = claim_of(signed("GET", "/b/k"))
    assert (claim.access_key_id, claim.date, claim.region, claim.service) == (KEY_ID, "20260301", "eu-central-1", "s3")
    assert claim.signed_headers == ("host", "x-amz-content-sha256", "x-amz-date")
    assert len(claim.signature) == 64
    assert (claim.timestamp, claim.at_ms, claim.expires_s) == (TIMESTAMP, NOW_MS, None)
    assert (claim.source, claim.payload_hash) == ("header", EMPTY_SHA256)
    assert claim.scope == "20260301/eu-central-1/s3/aws4_request"


def test_a_region_of_any_length_is_not_kept():
    """Signing keys are remembered by their scope, and anybody can write a scope."""
    assert claim_of(authorized(header(f"{KEY_ID}/20260301/{'r' * 64}/s3/aws4_request"))).region == "r" * 64
    with pytest.raises(AuthorizationHeaderMalformedError):
        claim_of(authorized(header(f"{KEY_ID}/20260301/{'r' * 65}/s3/aws4_request")))


def test_a_claim_in_the_query():
    claim = claim_of(signed("GET", "/b/k", expires=60))
    assert (claim.access_key_id, claim.date, claim.region) == (KEY_ID, "20260301", "eu-central-1")
    assert (claim.at_ms, claim.expires_s) == (NOW_MS, 60)
    assert (claim.source, claim.payload_hash) == ("query", "UNSIGNED-PAYLOAD")
    assert claim.signed_headers == ("host",)


def test_a_request_without_any_credential_is_anonymous():
    assert claim_of(plain("GET", "/b/k?versionId=v", {"x-amz-date": TIMESTAMP})) is None


def test_the_parts_of_the_header_come_in_any_order_and_spacing():
    claim = claim_of(
        authorized(f"AWS4-HMAC-SHA256  Signature=ab,Credential={KEY_ID}/20260301/r/s3/aws4_request ,SignedHeaders=host")
    )
    assert (claim.signature, claim.region, claim.signed_headers) == ("ab", "r", ("host",))


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential",
        header() + ",",
        header() + ", Signature=1",
        header() + ", Extra=1",
        header(signature=""),
        header(signed_headers=""),
        header(credential=""),
        header(credential=KEY_ID),
        header(credential=f"{KEY_ID}/eu-central-1/s3/aws4_request"),
        header(credential=f"{KEY_ID}/20260301/eu-central-1/s3/aws3_request"),
        header(credential=f"{KEY_ID}/20260301/eu-central-1/iam/aws4_request"),
        header(credential=f"{KEY_ID}/20260302/eu-central-1/s3/aws4_request"),
    ],
)
def test_a_malformed_header_is_refused(authorization):
    with pytest.raises(AuthorizationHeaderMalformedError):
        claim_of(authorized(authorization))


@pytest.mark.parametrize(
    "sent", [authorized(f"AWS {KEY_ID}:c2ln"), plain("GET", f"/b?AWSAccessKeyId={KEY_ID}&Expires=1&Signature=s")]
)
def test_t19_versitygw_5560e5eb_signature_version_2_is_refused_with_the_way_out(sent):
    with pytest.raises(InvalidRequestError, match=r"use AWS4-HMAC-SHA256; .* signature_version = s3v4"):
        claim_of(sent)


@pytest.mark.parametrize("authorization", ["", "Bearer token", "Basic dTpw", "AWS4-ECDSA-P256-SHA256 x", "aws4-hmac-sha256 x"])
def test_other_schemes_are_refused_without_repeating_them(authorization):
    with pytest.raises(InvalidArgumentError) as refusal:
        claim_of(authorized(authorization))
    assert refusal.value.fields == {"ArgumentName": "Authorization"}


def test_t15_credentials_in_header_and_query_exclude_each_other():
    with pytest.raises(InvalidArgumentError, match="both"):
        claim_of(signed("GET", "/b/k", expires=60).with_header("authorization", header()))


@pytest.mark.parametrize("name", ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"])
def test_t02_cve_2026_41145_a_presigned_url_lacks_nothing(name):
    sent = signed("PUT", "/b/k", expires=60)
    pairs = [pair for pair in sent.query.split(b"&") if not pair.startswith(f"X-Amz-{name}=".encode())]
    with pytest.raises(AuthorizationQueryParametersError, match=f"X-Amz-{name}"):
        claim_of(sent.but(query=b"&".join(pairs)))
    with pytest.raises(AuthorizationQueryParametersError):
        claim_of(plain("PUT", f"/b/k?X-Amz-{name}=1"))


@pytest.mark.parametrize("expires", ["-1", "604801", "9" * 5000, "", "+5", "5.0", "0x5", "abc", "%D9%A5", "%C2%B2"])
def test_trap_07_t09_rustfs_5368_a_lifetime_is_at_most_a_week(expires):
    sent = signed("GET", "/b/k", expires=60)
    with pytest.raises(AuthorizationQueryParametersError, match="X-Amz-Expires"):
        claim_of(sent.but(query=sent.query.replace(b"X-Amz-Expires=60", f"X-Amz-Expires={expires}".encode())))


@pytest.mark.parametrize("expires", [1, 604_800])
def test_trap_07_the_shortest_and_the_longest_lifetime(expires):
    assert claim_of(signed("GET", "/b/k", expires=expires)).expires_s == expires


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"AWS4-HMAC-SHA256", b"AWS4-HMAC-SHA1"),
        (b"20260301T120000Z", b"20260301T1200Z"),
        (b"20260301T120000Z", b"20260302T120000Z"),
        (b"%2Fs3%2F", b"%2Fsts%2F"),
        (b"%2Fs3%2F", b"%2F"),
    ],
)
def test_a_malformed_presigned_url_is_refused(old, new):
    sent = signed("GET", "/b/k", expires=60)
    with pytest.raises(AuthorizationQueryParametersError):
        claim_of(sent.but(query=sent.query.replace(old, new)))


@pytest.mark.parametrize("key_id", ["*)(uid=*", "' OR 1=1 --", "../../etc/passwd", "a/b", "k\xe9y", "x" * 129, "a b", ""])
def test_t18_versitygw_9ac52cd5_an_access_key_id_is_a_plain_word(key_id):
    with pytest.raises(InvalidAccessKeyIdError):
        claim_of(authorized(header(credential=f"{key_id}/20260301/eu-central-1/s3/aws4_request")))


def test_session_tokens_come_from_where_the_signature_does():
    assert claim_of(signed("GET", "/b/k", token="t")).session_token == "t"
    assert claim_of(signed("GET", "/b/k", token="t", expires=60)).session_token == "t"
    assert claim_of(signed("GET", "/b/k")).session_token == ""
    with pytest.raises(InvalidTokenError):
        claim_of(signed("GET", "/b/k", {"x-amz-security-token": "t"}, expires=60))


@pytest.mark.parametrize(
    ("sent", "service"),
    [
        (authorized(header()), "s3"),
        (authorized(header(credential=f"{KEY_ID}/20260301/r/iam/aws4_request")), "iam"),
        (authorized(header(credential=f"{KEY_ID}/20260301/r/iam/aws4_reques")), ""),
        (authorized(header(credential="aws4_request")), ""),
        (authorized("Bearer x"), ""),
        (signed("GET", "/b/k", expires=60), "s3"),
    ],
)
def test_a_request_tells_the_service_it_is_signed_for(sent, service):
    assert signing_service(sent.parse()) == service


def test_other_services_sign_the_hash_of_their_body_without_saying_it():
    sent = authorized(header(credential=f"{KEY_ID}/20260301/r/sts/aws4_request")).parse()
    assert parse_claim(sent, "sts").payload_hash == ""
    with pytest.raises(AuthorizationHeaderMalformedError):
        parse_claim(sent)
    with pytest.raises(AuthorizationHeaderMalformedError):
        parse_claim(authorized(header()).parse(), "sts")


@pytest.mark.parametrize(
    "word",
    [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        EMPTY_SHA256,
    ],
)
def test_trap_08_the_words_about_the_body(word):
    assert claim_of(authorized(header(), **{"x-amz-content-sha256": word})).payload_hash == word
    assert claim_of(signed("PUT", f"/b/k?X-Amz-Content-Sha256={word}", expires=60)).payload_hash == word


@pytest.mark.parametrize(
    ("word", "refusal"),
    [
        ("", InvalidArgumentError),
        ("unsigned-payload", InvalidArgumentError),
        (EMPTY_SHA256.upper(), InvalidArgumentError),
        (EMPTY_SHA256[:-1], InvalidArgumentError),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", UnsupportedFeatureError),
    ],
)
def test_trap_08_any_other_word_about_the_body_is_refused(word, refusal):
    with pytest.raises(refusal, match="x-amz-content-sha256"):
        claim_of(authorized(header(), **{"x-amz-content-sha256": word}))


def test_trap_08_a_signed_header_says_something_about_the_body():
    with pytest.raises(InvalidRequestError, match="x-amz-content-sha256"):
        claim_of(authorized(header()).without_header("x-amz-content-sha256"))


def test_trap_43_the_date_may_stand_in_either_header():
    dates = [TIMESTAMP, "Sun, 01 Mar 2026 12:00:00 GMT", "Sunday, 01-Mar-26 12:00:00 GMT", "Sun Mar  1 12:00:00 2026"]
    for date in dates:
        claim = claim_of(authorized(header(), date=date).without_header("x-amz-date"))
        assert (claim.timestamp, claim.at_ms) == (TIMESTAMP, NOW_MS)


def test_x_amz_date_beats_date():
    assert claim_of(authorized(header(), date="Sun, 01 Mar 2026 11:00:00 GMT")).at_ms == NOW_MS


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "20260301T120000",
        "20260301 120000Z",
        "20260301T120000z",
        "20261301T120000Z",
        "20260230T120000Z",
        "20260301T250000Z",
        "20260301T12:00:0Z",
        "2026-03-01T12:00Z",
        "2026030\xb2T120000Z",
        "+0260301T120000Z",
        "00000301T120000Z",
    ],
)
def test_trap_06_without_a_valid_date_access_is_denied(date):
    with pytest.raises(AccessDeniedError, match="x-amz-date"):
        claim_of(authorized(header(), **{"x-amz-date": date}))
    with pytest.raises(AccessDeniedError, match="x-amz-date"):
        claim_of(authorized(header(), date=date).without_header("x-amz-date"))


def test_an_unreadable_x_amz_date_does_not_fall_back_to_date():
    with pytest.raises(AccessDeniedError):
        claim_of(authorized(header(), **{"x-amz-date": "x", "date": "Sun, 01 Mar 2026 12:00:00 GMT"}))


def test_a_date_after_the_end_of_the_calendar_is_none():
    with pytest.raises(AccessDeniedError, match="x-amz-date"):
        claim_of(authorized(header(), date="Fri, 31 Dec 9999 23:59:60 GMT").without_header("x-amz-date"))


def test_dates_at_the_edge_of_the_calendar_stay_refusals():
    for date in ("99991231T235959Z", "00010101T000000Z", "19691231T235959Z"):
        day = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        try:
            claim = claim_of(authorized(header(credential=f"{KEY_ID}/{date[:8]}/r/s3/aws4_request"), **{"x-amz-date": date}))
        except S3Error as refusal:
            code = refusal.code
            assert code == "AccessDenied"
        else:
            assert claim.at_ms == int(day.timestamp()) * 1000
