"""Who may come in: signatures by header, what they cover, and everything that must not be let through."""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from . import signer
from .raw import CutError, RawClient, with_length
from .shelf import Shelf, fails, md5_b64, refused
from .signer import Ask, Keys

TRICKY_KEYS = [
    "plain",
    "a//b",
    "//",
    "a/./b",
    "a/../b",
    "../a",
    "..",
    ".",
    "a%2Fb",
    "a%252Fb",
    "%2e%2e/b",
    "a+b",
    "a b",
    "a  b ",
    "ü/日本/🌳",
    "~-._",
    "a;b",
    "a=b&c",
    "a?b#c",
    "!*'()",
    "$@,:",
    "back\\slash",
    'quote"<>&',
    "trailing/",
    "/leading",
    "%",
    "%zz",
]


def ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


@pytest.mark.parametrize("key", TRICKY_KEYS)
def test_trap_01_the_path_is_taken_as_it_was_sent_and_decoded_once(bucket: Shelf, key):
    body = key.encode() * 3
    assert bucket.call("PUT", key, body=body).status == 200
    assert bucket.call("GET", key).body == body
    assert bucket.keys() == [key]


def test_trap_01_all_tricky_keys_live_side_by_side(bucket: Shelf):
    for key in TRICKY_KEYS:
        assert bucket.call("PUT", key, body=b"body of " + key.encode()).status == 200
    assert bucket.keys() == sorted(TRICKY_KEYS, key=str.encode)
    for key in TRICKY_KEYS:
        assert bucket.call("GET", key).body == b"body of " + key.encode()


def test_trap_01_an_encoded_slash_is_part_of_the_key_and_never_ends_the_bucket_name(bucket: Shelf):
    ask = replace(bucket.raw.ask("PUT", bucket.name, "x", body=b"1"), path=f"/{bucket.name}/in%2Fside")
    assert bucket.raw.send(bucket.raw.sign(ask)).status == 200
    assert bucket.keys() == ["in/side"]
    with bucket.unchanged():
        glued = replace(ask, path=f"/{bucket.name}%2Fglued")
        assert 400 <= bucket.raw.send(bucket.raw.sign(glued)).status < 500


@pytest.mark.parametrize(
    "query",
    [
        "prefix=a%20b&list-type=2",
        "list-type=2&prefix=a%20b",
        "list-type=2&prefix=a%20b&delimiter=",
        "list-type=2&prefix=a%20b&delimiter",
        "list-type=2&prefix=%61%20b",
    ],
)
def test_trap_02_the_query_is_sorted_encoded_once_and_kept_whole(bucket: Shelf, query):
    bucket.put("a b;c")
    bucket.put("a+b")
    answer = bucket.call("GET", query=query)
    assert answer.status == 200, answer.body
    assert [node.text for node in answer.xml.findall("Contents/Key")] == ["a b;c"]


def test_trap_02_a_raw_semicolon_is_legal_in_a_query(bucket: Shelf):
    bucket.put("a b;c")
    answer = bucket.call("GET", query="list-type=2&prefix=a%20b;c")
    assert [node.text for node in answer.xml.findall("Contents/Key")] == ["a b;c"]


def test_trap_02_an_encoded_plus_stays_a_plus(bucket: Shelf):
    bucket.put("a+b")
    bucket.put("a b")
    answer = bucket.call("GET", query="list-type=2&prefix=a%2Bb")
    assert [node.text for node in answer.xml.findall("Contents/Key")] == ["a+b"]


def test_trap_03_host_is_what_the_client_sent_with_its_port(bucket: Shelf, raw: RawClient):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"1").set_header("Host", "localhost"))
    with bucket.unchanged():
        refused(raw.send(ask.set_header("Host", raw.host)), 403, "SignatureDoesNotMatch")
    named = raw.ask("PUT", bucket.name, "k", body=b"1").set_header("Host", f"localhost:{raw.address[1]}")
    assert raw.send(raw.sign(named)).status == 200


def test_trap_03_forwarded_headers_do_not_stand_in_for_host(bucket: Shelf, raw: RawClient):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"1").set_header("Host", "public.example"))
    ask = ask.set_header("Host", raw.host).with_header("X-Forwarded-Host", "public.example")
    with bucket.unchanged():
        refused(raw.send(ask), 403, "SignatureDoesNotMatch")


def test_trap_04_signed_header_values_are_trimmed_and_their_spaces_collapsed(bucket: Shelf):
    headers = [("x-amz-meta-spaces", "   a   b    c  "), ("Accept-Encoding", "gzip,  deflate")]
    assert bucket.call("PUT", "k", headers=headers, body=b"1").status == 200


def test_trap_04_a_proxy_may_change_what_was_not_signed(bucket: Shelf, raw: RawClient):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"1"))
    assert raw.send(ask.with_header("Accept-Encoding", "br").with_header("Via", "1.1 proxy")).status == 200


@pytest.mark.parametrize("name", ["x-amz-meta-a", "x-amz-storage-class", "x-amz-unheard-of", "X-AMZ-Tagging"])
def test_trap_05_every_amz_header_must_be_signed(bucket: Shelf, raw: RawClient, name):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"1"))
    with bucket.unchanged():
        refused(raw.send(ask.with_header(name, "STANDARD")), 403, "AccessDenied", "SignatureDoesNotMatch")


def test_trap_05_host_must_be_signed(bucket: Shelf, raw: RawClient):
    ask = raw.ask("PUT", bucket.name, "k", body=b"1")
    body_hash = hashlib.sha256(b"1").hexdigest()
    signed, _ = signer.sign_header(ask, raw.keys, body_hash, signed=["x-amz-content-sha256", "x-amz-date"])
    with bucket.unchanged():
        refused(
            raw.send(with_length(signed)), (400, 403), "AccessDenied", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"
        )


def test_trap_05_content_type_need_not_be_signed_and_expect_may_be(bucket: Shelf, raw: RawClient):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"1")).with_header("Content-Type", "text/plain")
    assert raw.send(ask).status == 200
    assert bucket.head("k")["ContentType"] == "text/plain"
    expect = raw.ask("PUT", bucket.name, "k", headers=[("Expect", "100-continue")], body=b"1")
    names = [*signer.headers_to_sign(expect), "expect", "x-amz-content-sha256", "x-amz-date"]
    signed, _ = signer.sign_header(expect, raw.keys, hashlib.sha256(b"1").hexdigest(), signed=sorted(names))
    assert raw.send(with_length(signed)).status == 200


@pytest.mark.parametrize("minutes", [16, -16, 60 * 24])
def test_trap_06_a_clock_too_far_off_is_told_so(bucket: Shelf, raw: RawClient, minutes):
    ask = raw.ask("PUT", bucket.name, "k", body=b"1")
    signed, _ = signer.sign_header(ask, raw.keys, hashlib.sha256(b"1").hexdigest(), at=ago(minutes))
    with bucket.unchanged():
        refused(raw.send(with_length(signed)), 403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("minutes", [14, -14])
def test_trap_06_a_clock_a_little_off_is_fine(bucket: Shelf, raw: RawClient, minutes):
    signed, _ = signer.sign_header(raw.ask("GET", bucket.name), raw.keys, signer.EMPTY_SHA256, at=ago(minutes))
    assert raw.send(signed).status == 200


def test_trap_06_a_request_without_a_date_is_refused(bucket: Shelf, raw: RawClient):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"1")).without_header("x-amz-date")
    with bucket.unchanged():
        refused(raw.send(ask), 403, "AccessDenied")


@pytest.mark.parametrize("scope", ["s3", "iam", "sts", "kms"])
def test_trap_06_a_date_after_the_end_of_the_calendar_is_refused_to_whoever_sends_it(bucket: Shelf, raw: RawClient, scope):
    ask = raw.sign(raw.ask("GET", bucket.name)).without_header("x-amz-date").set_header("Date", "Fri, 31 Dec 9999 23:59:60 GMT")
    asked = ask.set_header("Authorization", ask.header("Authorization").replace("/s3/", f"/{scope}/"))
    answer = raw.send(asked)
    assert answer.status in {400, 403}, answer.body


def test_trap_06_a_wrong_region_is_told_the_right_one(bucket: Shelf, raw: RawClient):
    signed, _ = signer.sign_header(raw.ask("GET", bucket.name), raw.keys, signer.EMPTY_SHA256, region="ap-east-1")
    answer = refused(raw.send(signed), 400, "AuthorizationHeaderMalformed")
    assert answer.xml.findtext("Region") == signer.REGION


def test_trap_06_the_default_region_of_clients_is_an_alias(bucket: Shelf, raw: RawClient):
    ask = raw.ask("PUT", bucket.name, "k", body=b"1")
    signed, _ = signer.sign_header(ask, raw.keys, hashlib.sha256(b"1").hexdigest(), region="us-east-1")
    assert raw.send(with_length(signed)).status == 200


@pytest.mark.parametrize("service_name", ["ec2", "s3express", ""])
def test_trap_06_another_service_in_the_scope_is_refused(bucket: Shelf, raw: RawClient, service_name):
    signed, _ = signer.sign_header(raw.ask("GET", bucket.name), raw.keys, signer.EMPTY_SHA256, service=service_name)
    refused(raw.send(signed), 400, "AuthorizationHeaderMalformed")


def test_trap_08_the_hash_of_the_body_is_checked(bucket: Shelf, raw: RawClient):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"good"))
    with bucket.unchanged():
        refused(raw.send(replace(ask, body=b"evil")), 400, "XAmzContentSHA256Mismatch")


def test_trap_08_unknown_keys_and_wrong_secrets_have_their_own_codes(bucket: Shelf, raw: RawClient):
    nobody = raw.as_caller(Keys("SGLNOBODYNOBODYNOBOD", raw.keys.secret_access_key))
    wrong = raw.as_caller(Keys(raw.keys.access_key_id, "not-the-secret"))
    with bucket.unchanged():
        refused(nobody.call("PUT", bucket.name, "k", body=b"1"), 403, "InvalidAccessKeyId")
        answer = refused(wrong.call("PUT", bucket.name, "k", body=b"1"), 403, "SignatureDoesNotMatch")
    assert raw.keys.secret_access_key.encode() not in answer.body
    assert answer.xml.findtext("StringToSign", "").startswith("AWS4-HMAC-SHA256")


def test_trap_08_a_hash_that_is_none_is_refused(bucket: Shelf, raw: RawClient):
    for value in ("nonsense", "E3B0", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-NONE"):
        signed, _ = signer.sign_header(raw.ask("PUT", bucket.name, "k", body=b"1"), raw.keys, value)
        with bucket.unchanged():
            answer = raw.send(with_length(signed))
            assert answer.status in {400, 403, 501}, (value, answer)


def test_t01_minio_cve_2025_31489_unsigned_trailer_with_a_wrong_secret(bucket: Shelf, raw: RawClient):
    thief = raw.as_caller(Keys(raw.keys.access_key_id, "wrong-secret"))
    ask = thief.put_frames(bucket.name, "k", b"x" * 100, signer.UNSIGNED_FRAMES_TRAILER, trailers=[crc32_zero()])
    with bucket.unchanged():
        refused(raw.send(ask), 403, "SignatureDoesNotMatch")


def crc32_zero() -> tuple[str, str]:
    return ("x-amz-checksum-crc32", "AAAAAA==")


@pytest.mark.parametrize("with_signature", [False, True])
def test_t02_minio_cve_2026_41145_credential_in_the_query_without_a_signature(bucket: Shelf, raw: RawClient, with_signature):
    ask = raw.put_frames(bucket.name, "k", b"x" * 100, signer.UNSIGNED_FRAMES_TRAILER, trailers=[crc32_zero()])
    scope = f"{ask.header('x-amz-date')[:8]}/{signer.REGION}/s3/aws4_request"
    pairs = [("X-Amz-Credential", f"{raw.keys.access_key_id}/{scope}")]
    pairs += [("X-Amz-Signature", "0" * 64)] if with_signature else []
    ask = replace(ask.without_header("Authorization"), query=signer.encode_query(pairs))
    with bucket.unchanged():
        refused(raw.send(ask), (400, 403), "AccessDenied", "AuthorizationQueryParametersError", "SignatureDoesNotMatch")


def test_t03_minio_cve_2026_40344_archives_are_never_extracted(bucket: Shelf, raw: RawClient):
    headers = [("x-amz-meta-snowball-auto-extract", "true"), ("x-minio-extract", "true")]
    body = b"member.txt" + bytes(502) + bytes(1024)
    raw.send(raw.put_frames(bucket.name, "a.tar", body, signer.UNSIGNED_FRAMES_TRAILER, headers=headers))
    assert set(bucket.keys()) <= {"a.tar"}


@pytest.mark.parametrize("signature", ["", "fake"])
@pytest.mark.parametrize("target", ["service", "bucket", "object"])
def test_t04_seaweedfs_7912_form_posts_do_not_come_in(bucket: Shelf, raw: RawClient, target, signature):
    fields = {"key": "k", "success_action_status": "201"}
    if signature:
        fields |= {
            "x-amz-credential": f"{raw.keys.access_key_id}/20260101/{signer.REGION}/s3/aws4_request",
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "policy": "e30=",
            "x-amz-signature": "0" * 64,
        }
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    parts.append('--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhello\r\n--b--\r\n')
    form = "".join(parts).encode()
    key = "k" if target == "object" else None
    name = "" if target == "service" else bucket.name
    ask = raw.ask("POST", name, key, headers=[("Content-Type", "multipart/form-data; boundary=b")], body=form)
    with bucket.unchanged():
        assert raw.send(with_length(ask)).status in {400, 403, 405, 501}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-acl", "public-read"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-meta-owner", "me"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-website-redirect-location", "https://elsewhere.example"),
    ],
)
def test_t05_seaweedfs_9121_unsigned_amz_headers_beside_a_presigned_put(bucket: Shelf, raw: RawClient, name, value):
    ask = raw.presign(raw.ask("PUT", bucket.name, "k", body=b"1"))
    with bucket.unchanged():
        refused(raw.send(with_length(ask.with_header(name, value))), 403, "AccessDenied")


def test_t06_swift_cve_2026_97149_a_presigned_put_does_not_copy(bucket: Shelf, raw: RawClient):
    bucket.put("secret", b"the secret")
    ask = raw.presign(raw.ask("PUT", bucket.name, "stolen", body=b""))
    ask = ask.with_header("x-amz-copy-source", f"/{bucket.name}/secret")
    with bucket.unchanged():
        refused(raw.send(with_length(ask)), 403, "AccessDenied")


@pytest.mark.parametrize(
    "name",
    [
        "X-Siegel-Account",
        "X-Siegel-Principal",
        "x_siegel_account",
        "X-Identity-Status",
        "X-Account-Id",
        "x_amz_date",
        "X-Forwarded-User",
        "X-Remote-User",
        "X-Original-URL",
        "X-HTTP-Method-Override",
    ],
)
def test_t07_rustfs_ghsa_6r96_identity_comes_from_the_signature_alone(bucket: Shelf, raw: RawClient, name):
    bucket.put("k", b"1")
    for value in (raw.keys.account_id, raw.keys.access_key_id, "root", "DELETE"):
        with bucket.unchanged():
            anonymous = raw.ask("GET", bucket.name, "k", headers=[(name, value)])
            refused(raw.send(anonymous), (400, 403), "AccessDenied", "BadRequest", "InvalidRequest")
            other = raw.as_caller(bucket.service.stranger)
            answer = other.call("GET", bucket.name, "k", headers=[(name, value)])
            refused(answer, (400, 403), "AccessDenied", "BadRequest", "InvalidRequest")


@pytest.mark.parametrize("minutes", [16, -16])
def test_t08_lakefs_9599_a_header_signature_ages(bucket: Shelf, raw: RawClient, minutes):
    signed, _ = signer.sign_header(raw.ask("DELETE", bucket.name), raw.keys, signer.EMPTY_SHA256, at=ago(minutes))
    with bucket.unchanged():
        refused(raw.send(signed), 403, "RequestTimeTooSkewed")


MUTANTS = 10_000


def test_t13_every_changed_byte_ends_the_signature(bucket: Shelf, raw: RawClient):
    """Class; one byte of method, path, query, signed header or body changed: never accepted. Unchanged: always."""
    choose = random.Random(13)
    headers = [("x-amz-meta-colour", "bluegreen"), ("Content-Type", "text/plain")]
    ask = raw.ask("PUT", bucket.name, "mutant/key", query="x-id=PutObject", headers=headers, body=b"some body bytes")
    signed = raw.sign(ask)
    assert raw.send(signed).status == 200
    before = bucket.state()
    letters = "ghijklmnopqrstuvwxyz"
    wire = raw.connect()
    for round_number in range(MUTANTS):
        mutant = mutate(signed, choose, letters)
        with suppress(OSError):
            wire.send(mutant.wire())
        try:
            status = wire.read(method=mutant.method).status
        except (CutError, OSError):
            status = 400  # a bare end of the connection is a refusal too
            wire.close()
            wire = raw.connect()
        assert 400 <= status < 500 or status == 501, (round_number, status, mutant)
        if status not in {403, 404}:
            wire.close()
            wire = raw.connect()
    wire.close()
    assert bucket.state() == before
    assert raw.send(raw.sign(ask)).status == 200


def mutate(ask: Ask, choose: random.Random, letters: str) -> Ask:
    """Change one character of one signed place into a letter that is neither there now nor a hexadecimal digit."""

    def change(text: str, start: int = 0) -> str:
        place = choose.randrange(start, len(text))
        letter = choose.choice([letter for letter in letters if letter != text[place].lower()])
        return text[:place] + letter + text[place + 1 :]

    where = choose.choice(["method", "path", "query", "header", "body", "authorization"])
    if where == "method":
        return replace(ask, method=choose.choice(["GET", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "put"]))
    if where == "path":
        return replace(ask, path=change(ask.path, 1))
    if where == "query":
        return replace(ask, query=change(ask.query))
    if where == "body":
        return replace(ask, body=change(ask.body.decode()).encode())
    name = "Authorization" if where == "authorization" else choose.choice(["x-amz-meta-colour", "x-amz-date", "Content-Type"])
    if where == "header" and choose.random() < 0.3:
        name = "x-amz-content-sha256"
    return ask.set_header(name, change(ask.header(name)))


@pytest.mark.parametrize("key", ["%252e", "%252f", "a%252fb", "+", "~", "//", "a//", "%25", "%2B%20+ "])
def test_t14_cloudpods_25490_keys_are_decoded_exactly_once(bucket: Shelf, key):
    assert bucket.call("PUT", key, body=b"raw").status == 200
    assert bucket.keys() == [key]
    bucket.put(key, b"sdk")
    assert bucket.call("GET", key).body == b"sdk"
    assert bucket.keys() == [key]


@pytest.mark.parametrize(
    "name", ["Authorization", "Host", "x-amz-date", "Content-Length", "x-amz-content-sha256", "x-amz-decoded-content-length"]
)
def test_t15_single_headers_sent_twice_are_refused(bucket: Shelf, raw: RawClient, name):
    """Class: two places to read one thing from."""
    headers = [("x-amz-decoded-content-length", "1")] if "decoded" in name else []
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", headers=headers, body=b"1"))
    with bucket.unchanged():
        # Two equal lengths are one length (RFC 9110, section 8.6); of all others not even that is taken.
        same = [] if name == "Content-Length" else [ask.header(name)]
        for value in (*same, ask.header(name)[:-1] + "2"):
            answer = raw.send(ask.with_header(name, value))
            assert answer.status in {400, 403}, answer


def test_t15_header_and_query_credentials_together_are_refused(bucket: Shelf, raw: RawClient):
    ask = raw.sign(raw.presign(raw.ask("PUT", bucket.name, "k", body=b"1")))
    with bucket.unchanged():
        refused(raw.send(ask), 400, "InvalidArgument", "InvalidRequest", "AuthorizationHeaderMalformed", "BadRequest")


def test_t16_host_unlike_the_signed_one_and_two_buckets_at_once(bucket: Shelf, second_bucket: Shelf, raw: RawClient):
    """Class: two names of one host."""
    port = raw.address[1]
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"1"))
    with bucket.unchanged(), second_bucket.unchanged():
        for name in ("Host", "X-Forwarded-Host", "Forwarded"):
            value = f"{second_bucket.name}.s3.localhost:{port}"
            moved = ask.set_header(name, value)
            answer = raw.send(moved)
            if name == "Host":
                refused(answer, 403, "SignatureDoesNotMatch")
            else:
                assert answer.status == 200
                bucket.s3.delete_object(Bucket=bucket.name, Key="k")


def test_t16_a_bucket_in_the_host_makes_the_whole_path_the_key(bucket: Shelf, second_bucket: Shelf, raw: RawClient):
    host = f"{bucket.name}.s3.localhost:{raw.address[1]}"
    ask = raw.ask("PUT", second_bucket.name, "k", body=b"1").set_header("Host", host)
    with second_bucket.unchanged():
        assert raw.send(raw.sign(ask)).status == 200
    assert bucket.keys() == [f"{second_bucket.name}/k"]


def test_t17_garage_737_a_nearly_right_signature_is_told_nothing_more(bucket: Shelf, raw: RawClient):
    ask = raw.sign(raw.ask("GET", bucket.name))
    value = ask.header("Authorization")
    answers = []
    for cut in (1, 32, 63):
        wrong = value[:-cut] + "".join("1" if digit == "0" else "0" for digit in value[-cut:])
        answer = refused(raw.send(ask.set_header("Authorization", wrong)), 403, "SignatureDoesNotMatch")
        answers.append((answer.status, answer.xml.findtext("Message"), answer.xml.findtext("StringToSign")))
    assert len(set(answers)) == 1


@pytest.mark.parametrize(
    "key_id",
    ["*", "SGL*", "' OR '1'='1", "../../etc/passwd", "(uid=*)", "%", "a" * 5000, "SGL;DROP TABLE", "sgl\\x00", "ключ", "${x}"],
)
def test_t18_versitygw_9ac52cd5_odd_access_key_ids(bucket: Shelf, raw: RawClient, key_id):
    """An id is looked up as text and nothing else."""
    thief = raw.as_caller(Keys(key_id.encode().decode("latin-1"), raw.keys.secret_access_key))
    with bucket.unchanged():
        answer = thief.call("PUT", bucket.name, "k", body=b"1")
        refused(answer, (400, 403), "InvalidAccessKeyId", "AuthorizationHeaderMalformed")


def test_t19_versitygw_5560e5eb_signature_version_2_is_never_accepted(bucket: Shelf, raw: RawClient):
    """The old signature is refused with the way out."""
    header = raw.ask("GET", bucket.name, headers=[("Authorization", f"AWS {raw.keys.access_key_id}:c2lnbmF0dXJl")])
    pairs = [("AWSAccessKeyId", raw.keys.access_key_id), ("Signature", "c2ln"), ("Expires", "4102444800")]
    query = raw.ask("GET", bucket.name, "k", query=signer.encode_query(pairs))
    for ask in (header, query):
        answer = raw.send(ask)
        assert answer.status in {400, 403}
        assert b"AWS4-HMAC-SHA256" in answer.body
        assert b"s3v4" in answer.body


@pytest.mark.parametrize(
    "value",
    [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA512 Credential=a/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Signature=0,Signature=0",
        "Bearer abc",
        "Basic YTpi",
        "Negotiate",
    ],
)
def test_trap_06_a_broken_authorization_header_is_a_clear_error(bucket: Shelf, raw: RawClient, value):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"1")).set_header("Authorization", value)
    with bucket.unchanged():
        refused(
            raw.send(ask),
            (400, 403),
            "AuthorizationHeaderMalformed", "AccessDenied", "InvalidArgument", "InvalidRequest", "InvalidAccessKeyId",
        )  # fmt: skip


def test_trap_06_the_sdk_finds_its_way_from_a_wrong_region(bucket: Shelf):
    """Errors name the region that the SDK then signs for, those without a body in a header."""
    bucket.put("k", b"1")
    at = {"Bucket": bucket.name, "Key": "k"}
    for ask in (
        lambda client: client.head_bucket(Bucket=bucket.name),
        lambda client: client.head_object(**at),
        lambda client: client.get_object(**at)["Body"].close(),
        lambda client: client.put_object(**at, Body=b"2"),
        lambda client: client.list_objects_v2(Bucket=bucket.name),
        lambda client: client.delete_object(**at),
    ):
        keys = bucket.service.owner
        client = boto3.client(
            "s3",
            endpoint_url=bucket.service.url,
            region_name="ap-east-1",
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
        )
        ask(client)
        client.close()


def test_t11_a_wrong_content_md5_is_refused(bucket: Shelf):
    """Class: a promise about the body that the body does not keep."""
    with bucket.unchanged(), fails(400, "BadDigest"):
        bucket.put("k", b"1", ContentMD5=md5_b64(b"2"))
