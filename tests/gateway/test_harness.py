"""The tests' own signer, held against Amazon's published examples and against the official SDK's signer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import signer
from .signer import Ask, Frame, Keys

EXAMPLE = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
DAY = datetime(2013, 5, 24, tzinfo=UTC)
MINE = Keys("SGLEXAMPLEEXAMPLE001", "a-secret-of-forty-characters-for-testing")


def test_the_published_example_of_signed_chunks_comes_out_the_same():
    ask = Ask(
        "PUT",
        "/examplebucket/chunkObject.txt",
        headers=(
            ("Host", "s3.amazonaws.com"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("Content-Encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("Content-Length", "66824"),
        ),
    )
    names = ["content-encoding", "content-length", "host", "x-amz-content-sha256", "x-amz-date"]
    names += ["x-amz-decoded-content-length", "x-amz-storage-class"]
    _, seal = signer.sign_header(ask, EXAMPLE, signer.SIGNED_FRAMES, at=DAY, region="us-east-1", signed=names)
    assert seal.seed == "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    framed = signer.frame_body(b"a" * 66560, signer.SIGNED_FRAMES, seal, size=65536)
    assert [frame.signature for frame in framed.frames] == [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]
    assert len(framed.wire()) == 66824


def test_the_published_example_of_a_signed_trailer_comes_out_the_same():
    seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    scope = "20130524/us-east-1/s3/aws4_request"
    key = signer.signing_key(EXAMPLE.secret_access_key, "20130524", "us-east-1")
    seal = signer.Seal(key, "20130524T000000Z", scope, seed)
    trailers = [("x-amz-checksum-crc32c", "sOO8/Q==")]
    framed = signer.frame_body(b"a" * 66560, signer.SIGNED_FRAMES_TRAILER, seal, size=65536, trailers=trailers)
    assert [frame.signature for frame in framed.frames] == [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]
    assert framed.trailer_signature == "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"


@pytest.mark.parametrize("key", ["plain", "a b/ü~*'()!", "a//b/./c/../d", "%2F+%25", "a;b=c&d?e#f"])
@pytest.mark.parametrize("query", ["", "versionId=null", "prefix=a%20b&list-type=2&delimiter=", "uploads"])
def test_header_signatures_agree_with_the_sdk(key, query):
    at = datetime.now(UTC)
    ask = Ask("GET", "/bucket/" + signer.encode_key(key), query, (("Host", "localhost:9000"), ("x-amz-meta-a", " b   c ")))
    _, seal = signer.sign_header(ask, MINE, signer.UNSIGNED, at=at)
    theirs = AWSRequest("GET", f"http://localhost:9000{ask.path}" + (f"?{query}" if query else ""))
    theirs.headers["x-amz-meta-a"] = " b   c "
    theirs.context["payload_signing_enabled"] = False
    theirs.headers["X-Amz-Date"] = signer.stamp_of(at)
    auth = S3SigV4Auth(Credentials(MINE.access_key_id, MINE.secret_access_key), "s3", signer.REGION)
    theirs.context["timestamp"] = signer.stamp_of(at)
    theirs.headers["X-Amz-Content-SHA256"] = signer.UNSIGNED
    text = auth.string_to_sign(theirs, auth.canonical_request(theirs))
    assert auth.signature(text, theirs) == seal.seed


def test_presigned_urls_agree_with_the_sdk(monkeypatch):
    theirs = AWSRequest("GET", "http://localhost:9000/bucket/a%20b?response-content-type=text%2Fplain")
    S3SigV4QueryAuth(Credentials(MINE.access_key_id, MINE.secret_access_key), "s3", signer.REGION, expires=60).add_auth(theirs)
    stamp = theirs.context["timestamp"]
    at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ask = Ask("GET", "/bucket/a%20b", "response-content-type=text%2Fplain", (("Host", "localhost:9000"),))
    mine = signer.sign_query(ask, MINE, expires="60", at=at)
    assert sorted(mine.query.split("&")) == sorted(theirs.url.partition("?")[2].split("&"))


def test_frames_can_lie_about_their_size():
    assert Frame(b"abc", size_text="ff").wire() == b"ff\r\nabc\r\n"
    assert Frame(b"").wire() == b"0\r\n"
