"""Bodies: what a request's head promises, checked while the body passes through."""

import hashlib
import hmac
import zlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import (
    BadDigestError,
    EntityTooLargeError,
    IncompleteBodyError,
    InvalidArgumentError,
    InvalidDigestError,
    InvalidRequestError,
    MissingContentLengthError,
    S3Error,
    SignatureDoesNotMatchError,
    XAmzContentSHA256MismatchError,
)
from siegel.s3wire.body import BodyChecker, plan_body
from siegel.s3wire.checksums import Algorithm, encode_digest, new_hasher
from siegel.s3wire.claims import Claim
from siegel.s3wire.request import parse_request
from siegel.s3wire.sigv4 import VerifiedRequest

UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
KEY = bytes(range(32))
SEED = "ab" * 32
BODY = b"the quick brown fox " * 1000
FORMS = [UNSIGNED, SIGNED_CHUNKS, SIGNED_TRAILER, UNSIGNED_TRAILER]


def checksum(algorithm, data):
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return hasher.digest()


def text_of(algorithm, data):
    return encode_digest(checksum(algorithm, data))


def verified(payload=UNSIGNED, query=b"", **headers):
    fields = {name.replace("_", "-"): str(value) for name, value in headers.items() if value is not None}
    raw = [(b"Host", b"s3.example")] + [(name.encode(), value.encode()) for name, value in fields.items()]
    request = parse_request("PUT", "https", b"/bucket/key", query, raw, "192.0.2.1", ())
    claim = Claim(
        access_key_id="AKEXAMPLE",
        date="20260102",
        region="eu-central-1",
        service="s3",
        signed_headers=("host",),
        signature=SEED,
        timestamp="20260102T030405Z",
        at_ms=1_767_323_045_000,
        expires_s=None,
        source="header",
        payload_hash=payload,
    )
    return VerifiedRequest(request, claim, KEY)


def sign(previous, kind, *lines):
    text = "\n".join((kind, "20260102T030405Z", "20260102/eu-central-1/s3/aws4_request", previous, *lines))
    return hmac.new(KEY, text.encode(), "sha256").hexdigest()


def frame(payload, body, trailer=None, chunk_size=8192):
    """Return a body in chunks, as clients of each kind send it."""
    out, previous = b"", SEED
    for at in [*range(0, len(body), chunk_size), len(body)]:
        chunk = body[at : at + chunk_size]
        if payload == UNSIGNED_TRAILER:
            out += b"%x\r\n" % len(chunk)
        else:
            hashes = hashlib.sha256(b"").hexdigest(), hashlib.sha256(chunk).hexdigest()
            previous = sign(previous, "AWS4-HMAC-SHA256-PAYLOAD", *hashes)
            out += b"%x;chunk-signature=%s\r\n" % (len(chunk), previous.encode())
        out += chunk + b"\r\n" if chunk else b""
    if trailer:
        out += f"{trailer[0]}:{trailer[1]}\r\n".encode()
        if payload == SIGNED_TRAILER:
            digest = hashlib.sha256(f"{trailer[0]}:{trailer[1]}\n".encode()).hexdigest()
            out += b"x-amz-trailer-signature:%s\r\n" % sign(previous, "AWS4-HMAC-SHA256-TRAILER", digest).encode()
    return out + b"\r\n"


def take(request, sent, step=None, **options):
    checker = BodyChecker(plan_body(request, **options))
    received = b""
    for at in range(0, len(sent), step or len(sent) or 1):
        received += b"".join(bytes(piece) for piece in checker.feed(sent[at : at + step] if step else sent))
    return received, checker.finish()


def case(payload, algorithm, body=BODY):
    """Return a request that declares a checksum in the way that its form allows, and the bytes it sends."""
    if payload in (SIGNED_TRAILER, UNSIGNED_TRAILER):
        request = verified(payload, x_amz_decoded_content_length=len(body), x_amz_trailer=algorithm.header)
        return request, frame(payload, body, (algorithm.header, text_of(algorithm, body)))
    value = {algorithm.header: text_of(algorithm, body)}
    if payload == SIGNED_CHUNKS:
        return verified(payload, x_amz_decoded_content_length=len(body), **value), frame(payload, body)
    return verified(payload, content_length=len(body), **value), body


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("payload", FORMS)
def test_trap_09_12_13_every_form_with_every_checksum(payload, algorithm):
    request, sent = case(payload, algorithm)
    for step in (None, 1000):
        received, facts = take(request, sent, step)
        assert received == BODY
        assert (facts.size_bytes, facts.md5) == (len(BODY), hashlib.md5(BODY).digest())
        assert (facts.checksum_algorithm, facts.checksum) == (algorithm, checksum(algorithm, BODY))
        assert facts.is_declared


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("payload", FORMS)
def test_trap_13_t11_another_body_than_declared_is_refused(payload, algorithm):
    request, sent = case(payload, algorithm)
    changed = bytes([BODY[0] ^ 1]) + BODY[1:]
    if payload == UNSIGNED:
        sent, error = changed, BadDigestError
    elif payload == UNSIGNED_TRAILER:
        sent, error = sent.replace(BODY[:8192], changed[:8192], 1), BadDigestError
    else:
        sent, error = sent.replace(BODY[:8192], changed[:8192], 1), SignatureDoesNotMatchError
    with pytest.raises(error):
        take(request, sent)


@given(body=st.binary(max_size=300), payload=st.sampled_from(FORMS), step=st.integers(1, 50))
def test_any_body_in_pieces_of_any_size(body, payload, step):
    request, sent = case(payload, Algorithm.CRC32, body)
    received, facts = take(request, sent, step)
    assert received == body
    assert facts.checksum == zlib.crc32(body).to_bytes(4, "big")


def test_trap_08_the_signed_hash_of_the_payload_is_checked():
    request = verified(hashlib.sha256(BODY).hexdigest(), content_length=len(BODY))
    assert take(request, BODY)[0] == BODY
    with pytest.raises(XAmzContentSHA256MismatchError) as refusal:
        take(request, BODY[:-1] + b"!")
    assert refusal.value.fields["ClientComputedContentSHA256"] == hashlib.sha256(BODY).hexdigest()


def test_trap_13_without_a_checksum_crc64nvme_is_computed_and_kept():
    plan = plan_body(verified(content_length=len(BODY)))
    assert not plan.has_integrity
    facts = take(verified(content_length=len(BODY)), BODY)[1]
    assert (facts.checksum_algorithm, facts.checksum) == (Algorithm.CRC64NVME, checksum(Algorithm.CRC64NVME, BODY))
    assert not facts.is_declared


def test_parts_keep_the_checksum_of_their_upload_whatever_else_they_declare():
    value = {"x-amz-checksum-sha1": text_of(Algorithm.SHA1, BODY)}
    facts = take(verified(content_length=len(BODY), **value), BODY, keep=Algorithm.CRC32)[1]
    assert (facts.checksum_algorithm, facts.checksum) == (Algorithm.CRC32, checksum(Algorithm.CRC32, BODY))
    assert not facts.is_declared
    with pytest.raises(BadDigestError):
        take(verified(content_length=len(BODY), **value), BODY[::-1], keep=Algorithm.CRC32)


def test_trap_13_content_md5_is_checked():
    right = b64encode(hashlib.md5(BODY).digest()).decode()
    assert plan_body(verified(content_length=len(BODY), content_md5=right)).has_integrity
    assert take(verified(content_length=len(BODY), content_md5=right), BODY, md5=False)[1].md5 == hashlib.md5(BODY).digest()
    with pytest.raises(BadDigestError) as refusal:
        take(verified(content_length=len(BODY), content_md5=right), BODY[::-1])
    assert refusal.value.fields["ExpectedDigest"] == right


def test_without_need_of_an_etag_no_md5_is_computed():
    assert take(verified(content_length=len(BODY)), BODY, md5=False)[1].md5 == b""


@pytest.mark.parametrize("text", ["", "AAAA", "not base64", "rL0Y20zC+Fzt72VPzMSk2A=", "x" * 24])
def test_trap_13_malformed_content_md5(text):
    with pytest.raises(InvalidDigestError):
        plan_body(verified(content_length=1, content_md5=text))


@pytest.mark.parametrize("payload", [SIGNED_CHUNKS, SIGNED_TRAILER, UNSIGNED_TRAILER])
def test_trap_10_t12_chunks_without_decoded_length(payload):
    with pytest.raises(MissingContentLengthError):
        plan_body(verified(payload, content_length=100))
    with pytest.raises(MissingContentLengthError):
        plan_body(verified(payload, transfer_encoding="chunked"))


@pytest.mark.parametrize("payload", [UNSIGNED, "0" * 64])
def test_trap_16_t12_ghsa_v2ch_c8v8_fgr7_http_chunks_without_any_length(payload):
    with pytest.raises(MissingContentLengthError):
        plan_body(verified(payload, transfer_encoding="chunked"))


def test_trap_10_chunks_may_travel_in_http_chunks():
    request = verified(UNSIGNED_TRAILER, transfer_encoding="chunked", x_amz_decoded_content_length=len(BODY))
    assert take(request, frame(UNSIGNED_TRAILER, BODY))[0] == BODY


def test_trap_12_chunks_without_any_announced_trailer_are_fine():
    request = verified(UNSIGNED_TRAILER, x_amz_decoded_content_length=len(BODY))
    facts = take(request, frame(UNSIGNED_TRAILER, BODY))[1]
    assert (facts.checksum_algorithm, facts.is_declared) == (Algorithm.CRC64NVME, False)


def test_trap_12_an_announced_trailer_must_come():
    request = verified(UNSIGNED_TRAILER, x_amz_decoded_content_length=len(BODY), x_amz_trailer="x-amz-checksum-crc32")
    assert plan_body(request).has_integrity
    with pytest.raises(S3Error) as refusal:
        take(request, frame(UNSIGNED_TRAILER, BODY))
    assert refusal.value.code in {"MalformedTrailerError", "IncompleteBody"}


@pytest.mark.parametrize(
    ("value", "error"), [("AAAA", InvalidRequestError), ("", InvalidRequestError), ("AAAAAA==", BadDigestError)]
)
def test_trap_12_t11_wrong_trailers(value, error):
    request = verified(UNSIGNED_TRAILER, x_amz_decoded_content_length=len(BODY), x_amz_trailer="X-Amz-Checksum-Crc32")
    with pytest.raises(error):
        take(request, frame(UNSIGNED_TRAILER, BODY, ("x-amz-checksum-crc32", value)))


@pytest.mark.parametrize(
    ("payload", "headers"),
    [
        (UNSIGNED_TRAILER, {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-checksum-crc32": "AAAAAA=="}),
        (UNSIGNED_TRAILER, {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-checksum-sha1": encode_digest(bytes(20))}),
        (UNSIGNED_TRAILER, {"x-amz-trailer": "x-amz-checksum-crc32,x-amz-checksum-sha1"}),
        (UNSIGNED_TRAILER, {"x-amz-trailer": "x-amz-meta-a"}),
        (UNSIGNED_TRAILER, {"x-amz-trailer": ""}),
        (SIGNED_CHUNKS, {"x-amz-trailer": "x-amz-checksum-crc32"}),
        (UNSIGNED, {"x-amz-trailer": "x-amz-checksum-crc32"}),
        (UNSIGNED, {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}),
        (UNSIGNED, {"x-amz-checksum-crc32": "AAAA"}),
        (UNSIGNED, {"x-amz-checksum-crc32": ""}),
        (UNSIGNED, {"x-amz-checksum-crc16": "AAA="}),
        (UNSIGNED, {"x-amz-sdk-checksum-algorithm": "CRC32"}),
        (UNSIGNED, {"x-amz-sdk-checksum-algorithm": "CRC32C", "x-amz-checksum-crc32": "AAAAAA=="}),
        (UNSIGNED, {"x-amz-sdk-checksum-algorithm": "CRC16", "x-amz-checksum-crc32": "AAAAAA=="}),
        (SIGNED_TRAILER, {"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-trailer": "x-amz-checksum-sha256"}),
        (UNSIGNED, {"x-amz-decoded-content-length": "11"}),
    ],
)
def test_trap_12_13_heads_that_contradict_themselves(payload, headers):
    decoded = {} if payload == UNSIGNED else {"x-amz-decoded-content-length": "10"}
    with pytest.raises(InvalidRequestError):
        plan_body(verified(payload, content_length=10, **decoded, **headers))


def test_trap_12_the_algorithm_named_by_sdks_agrees():
    headers = {"x-amz-sdk-checksum-algorithm": "crc32", "x-amz-checksum-crc32": text_of(Algorithm.CRC32, BODY)}
    assert take(verified(content_length=len(BODY), **headers), BODY)[1].is_declared
    headers = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-mode": "ENABLED", "x-amz-checksum-type": "COMPOSITE"}
    assert plan_body(verified(content_length=0, **headers)).declared is None


@pytest.mark.parametrize("text", ["-1", "1e3", "", "²", "9" * 20, "0x10"])
def test_trap_10_sizes_that_are_none(text):
    with pytest.raises(InvalidArgumentError):
        plan_body(verified(SIGNED_CHUNKS, x_amz_decoded_content_length=text))


def test_bodies_beyond_the_limit_are_refused_before_they_are_read():
    assert plan_body(verified(content_length=5 * 1024**3)).size_bytes == 5 * 1024**3
    with pytest.raises(EntityTooLargeError):
        plan_body(verified(content_length=5 * 1024**3 + 1))
    with pytest.raises(EntityTooLargeError) as refusal:
        plan_body(verified(UNSIGNED_TRAILER, x_amz_decoded_content_length=11), size_max=10)
    assert refusal.value.fields == {"ProposedSize": "11", "MaxSizeAllowed": "10"}


@pytest.mark.parametrize("size", [0, 1, len(BODY) - 1, len(BODY) + 1])
def test_trap_16_t64_a_body_of_another_size_is_incomplete(size):
    with pytest.raises(IncompleteBodyError):
        take(verified(content_length=len(BODY)), (BODY + b"!")[:size])


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1])
@pytest.mark.parametrize("payload", [SIGNED_CHUNKS, UNSIGNED_TRAILER])
def test_trap_10_t11_chunks_of_another_sum_are_incomplete(payload, size):
    with pytest.raises(IncompleteBodyError):
        take(verified(payload, x_amz_decoded_content_length=size), frame(payload, BODY))


@pytest.mark.parametrize("payload", [UNSIGNED, hashlib.sha256(b"").hexdigest()])
@pytest.mark.parametrize("length", [None, 0])
def test_trap_16_empty_bodies(payload, length):
    received, facts = take(verified(payload, content_length=length, x_amz_decoded_content_length=length), b"")
    assert (received, facts.size_bytes, facts.md5.hex()) == (b"", 0, "d41d8cd98f00b204e9800998ecf8427e")


def presigned(**values):
    query = "&".join(f"{name.replace('_', '-')}={value}" for name, value in values.items())
    return f"X-Amz-Signature=x&{query}".encode()


def test_trap_07_a_checksum_in_a_presigned_url_is_checked():
    right = text_of(Algorithm.CRC32, BODY).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    query = presigned(x_amz_checksum_crc32=right, x_amz_sdk_checksum_algorithm="CRC32")
    assert take(verified(query=query, content_length=len(BODY)), BODY)[1].is_declared
    with pytest.raises(BadDigestError):
        take(verified(query=query, content_length=len(BODY)), BODY[::-1])


def test_trap_07_the_checksum_of_nothing_in_a_presigned_url_is_set_aside():
    query = presigned(x_amz_checksum_crc32="AAAAAA%3D%3D", x_amz_sdk_checksum_algorithm="CRC32")
    facts = take(verified(query=query, content_length=len(BODY)), BODY)[1]
    assert (facts.checksum_algorithm, facts.checksum) == (Algorithm.CRC32, checksum(Algorithm.CRC32, BODY))
    assert not facts.is_declared
    assert take(verified(query=query, content_length=0), b"")[1].is_declared
    with pytest.raises(BadDigestError):  # in a header it is meant
        take(verified(content_length=len(BODY), x_amz_checksum_crc32="AAAAAA=="), BODY)


def test_trap_07_a_presigned_url_may_name_the_algorithm_alone():
    query = presigned(x_amz_sdk_checksum_algorithm="SHA256")
    facts = take(verified(query=query, content_length=len(BODY)), BODY)[1]
    assert (facts.checksum_algorithm, facts.checksum) == (Algorithm.SHA256, hashlib.sha256(BODY).digest())
    query = presigned(x_amz_meta_a="b")
    value = {"x-amz-checksum-crc32": text_of(Algorithm.CRC32, BODY)}
    assert take(verified(query=query, content_length=len(BODY), **value), BODY)[1].is_declared
    assert not take(verified(query=query, content_length=len(BODY)), BODY)[1].is_declared


def test_a_large_piece_is_given_back_as_it_came():
    checker = BodyChecker(plan_body(verified(content_length=len(BODY))))
    assert checker.feed(BODY)[0] is BODY
