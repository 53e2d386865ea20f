"""HTTP/1.1 itself: lengths, chunks, heads, and what must never be taken for a second request."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from . import signer
from .raw import Answer, CutError, RawClient, Wire, with_length
from .shelf import Shelf, refused, seeded


def final(wire: Wire) -> Answer | None:
    """The answer, or None if the server ended the connection without one."""
    try:
        return wire.read()
    except CutError:
        return None


def refused_by(raw: RawClient, data: bytes) -> None:
    """Assert that bytes are refused: 400 or so, or a bare end, and the connection is over."""
    with raw.connect() as wire:
        with contextlib.suppress(OSError):
            wire.send(data)
        answer = final(wire)
        assert answer is None or 400 <= answer.status < 500 or answer.status in {501, 505}, answer


def put_head(raw: RawClient, bucket: str, lines: list[str], *, key: str = "k", payload_hash: str = signer.UNSIGNED) -> bytes:
    """A rightly signed PUT whose remaining lines are the test's own."""
    signed, _ = signer.sign_header(raw.ask("PUT", bucket, key), raw.keys, payload_hash)
    return signed.head()[:-2] + "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


def hidden_delete(bucket: Shelf) -> bytes:
    """A second, rightly signed request that must not be carried out when it hides in a body."""
    return bucket.raw.sign(bucket.raw.ask("DELETE", bucket.name, "victim")).wire()


AMBIGUOUS = {
    "length and chunked": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "chunked and length": ["Transfer-Encoding: chunked", "Content-Length: 5"],
    "two lengths": ["Content-Length: 5", "Content-Length: 6"],
    "list of lengths": ["Content-Length: 5, 6"],
    "signed length": ["Content-Length: +5"],
    "negative length": ["Content-Length: -5"],
    "hexadecimal length": ["Content-Length: 0x5"],
    "underscored length": ["Content-Length: 1_0"],
    "text length": ["Content-Length: five"],
    "huge length": ["Content-Length: 99999999999999999999999999"],
    "chunked twice": ["Transfer-Encoding: chunked, chunked"],
    "chunked not last": ["Transfer-Encoding: chunked, identity"],
    "gzip chunked": ["Transfer-Encoding: gzip, chunked"],
    "identity": ["Transfer-Encoding: identity"],
    "odd token": ["Transfer-Encoding: xchunked"],
    "quoted": ['Transfer-Encoding: "chunked"'],
    "space before colon": ["Transfer-Encoding : chunked"],
    "length with space before colon": ["Content-Length : 5"],
    "folded": ["Transfer-Encoding:", " chunked"],
    "vertical tab": ["Transfer-Encoding: \x0bchunked"],
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_t57_gunicorn_cve_2024_1135_lengths_that_can_be_read_in_two_ways(bucket: Shelf, case):
    bucket.put("victim", b"1")
    head = put_head(bucket.raw, bucket.name, AMBIGUOUS[case])
    with bucket.unchanged():
        refused_by(bucket.raw, head + b"0\r\n\r\n" + hidden_delete(bucket))


@pytest.mark.parametrize("length", ["0", "5", "10000"])
@pytest.mark.parametrize("length_first", [True, False])
def test_t57_a_length_beside_chunks_is_ignored_and_ends_the_connection(bucket: Shelf, length, length_first):
    """The HTTP server drops the length. Whoever went by it in front of us has nothing of the rest carried out."""
    bucket.put("victim", b"1")
    raw = bucket.raw
    ask = raw.put_frames(bucket.name, "k", b"hello", signer.UNSIGNED_FRAMES_TRAILER, transfer_chunked=True)
    chunked, headers = ("Transfer-Encoding", "chunked"), ask.without_header("Transfer-Encoding").headers
    both = (("Content-Length", length), chunked) if length_first else (chunked, ("Content-Length", length))
    with raw.connect() as wire:
        with contextlib.suppress(OSError):
            wire.send(replace(ask, headers=(*headers, *both)).wire() + hidden_delete(bucket))
        answer = wire.read(method="PUT")
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert final(wire) is None
    assert (bucket.get("k"), bucket.get("victim")) == (b"hello", b"1")


BAD_CHUNKS = {
    "0x prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "overflow": b"ffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
    "no digits": b"\r\nhello\r\n0\r\n\r\n",
    "letters": b"xyz\r\nhello\r\n0\r\n\r\n",
    "too long data": b"5\r\nhello!!\r\n0\r\n\r\n",
    "no line end after data": b"5\r\nhelloXX0\r\n\r\n",
    "bare line feed in extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_t57_h11_cve_2025_43859_chunks_that_are_none(bucket: Shelf, case):
    bucket.put("victim", b"1")
    lines = ["Transfer-Encoding: chunked", "x-amz-decoded-content-length: 5"]
    signed, _ = signer.sign_header(
        bucket.raw.ask("PUT", bucket.name, "k", headers=[("x-amz-decoded-content-length", "5")]), bucket.raw.keys, signer.UNSIGNED
    )
    head = signed.with_header("Transfer-Encoding", "chunked").head()
    assert lines[0].encode() in head
    with bucket.unchanged():
        refused_by(bucket.raw, head + BAD_CHUNKS[case] + hidden_delete(bucket))


HEADS = {
    "folded header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n 2\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: x\r\n: 1\r\n\r\n",
    "nul in value": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
    "carriage return in value": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n",
    "space in name": b"GET / HTTP/1.1\r\nHost: x\r\nX A: 1\r\n\r\n",
    "no version": b"GET /\r\nHost: x\r\n\r\n",
    "version 0.9": b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
    "version 2": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "odd version": b"GET / HTTP/1.x\r\nHost: x\r\n\r\n",
    "space in target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "odd method": b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "nothing but bytes": bytes(range(256)) * 4 + b"\r\n\r\n",
    "leading space": b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
    "absolute target elsewhere": b"GET http://elsewhere.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("case", HEADS)
def test_t57_http_garden_heads_that_are_none(raw: RawClient, case):
    refused_by(raw, HEADS[case])
    assert raw.call("GET").status == 200


def test_t57_an_underscored_length_is_no_length(bucket: Shelf):
    bucket.put("victim", b"1")
    head = put_head(bucket.raw, bucket.name, ["Content_Length: 500", "Content-Length: 0"])
    with bucket.raw.connect() as wire:
        wire.send(head + bucket.raw.sign(bucket.raw.ask("GET", bucket.name, "victim")).wire())
        assert wire.read().status in {200, 400}
        second = final(wire)
        assert second is None or second.body == b"1"


def test_t57_aiohttp_ghsa_mfx4_upgrades_are_not_followed(bucket: Shelf):
    raw = bucket.raw
    for value in ("websocket", "h2c", "TLS/1.0", "foo"):
        headers = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", value), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
        headers += [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]
        answer = raw.send(raw.sign(raw.ask("GET", bucket.name, headers=headers)))
        assert answer.status in {200, 400}, (value, answer)


def test_t66_http2_cve_2023_44487_the_preface_is_refused(raw: RawClient):
    with raw.connect() as wire:
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        with contextlib.suppress(CutError):
            assert wire.read().status in {400, 405, 505}
        assert wire.is_closed()
    assert raw.call("GET").status == 200


@pytest.mark.parametrize("name", ["cache-control", "content-disposition", "content-language", "expires", "content-encoding"])
@pytest.mark.parametrize("mark", ["\r\nX-Injected: 1", "\nX-Injected: 1", "\rX-Injected: 1", "\x00"])
def test_t58_ceph_cve_2020_10753_stored_headers_cannot_split_an_answer(bucket: Shelf, name, mark):
    ask = bucket.raw.sign(bucket.raw.ask("PUT", bucket.name, "k", headers=[(name, f"a{mark}")], body=b"1"))
    with bucket.raw.connect() as wire:
        wire.send(ask.wire())
        final(wire)
    answer = bucket.call("GET", "k")
    assert not answer.has("x-injected")
    refused(answer, 404, "NoSuchKey")


def test_t58_ceph_cve_2021_3524_metadata_and_redirects_cannot_either(bucket: Shelf):
    for name in ("x-amz-meta-a", "x-amz-website-redirect-location"):
        ask = bucket.raw.sign(bucket.raw.ask("PUT", bucket.name, "k", headers=[(name, "/x\r\nX-Injected: 1")], body=b"1"))
        bucket.raw.send(ask)
        assert not bucket.call("GET", "k").has("x-injected")


def test_t58_the_request_id_and_host_of_a_client_are_not_mirrored(raw: RawClient):
    headers = [("x-amz-request-id", "mine"), ("x-amz-id-2", "mine"), ("Origin", "https://evil.example")]
    answer = raw.call("GET", headers=headers)
    assert "mine" not in answer.header("x-amz-request-id") + answer.header("x-amz-id-2")
    assert not answer.has("access-control-allow-origin")


ROUTES = [
    ("GET", ""),
    ("GET", "/{b}"),
    ("PUT", "/{b}/k"),
    ("GET", "/{b}/k"),
    ("POST", "/{b}?delete"),
    ("DELETE", "/{b}/k"),
    ("HEAD", "/{b}/k"),
]


@pytest.mark.parametrize(("method", "target"), ROUTES)
def test_t65_ceph_cve_2018_7262_odd_headers_on_every_route(bucket: Shelf, method, target):
    bucket.put("k", b"1")
    path = target.format(b=bucket.name) or "/"
    start = f"{method} {path} HTTP/1.1\r\nHost: {bucket.raw.host}\r\nContent-Length: 0\r\n".encode()
    floods = [
        b"".join(b"X-%d: v\r\n" % number for number in range(1000)),
        b"X-Big: " + b"a" * 70_000 + b"\r\n",
        b"".join(b"X-%d: %s\r\n" % (number, b"b" * 1000) for number in range(80)),
        b"Authorization: " + b"A" * 66_000 + b"\r\n",
        b"Range:\r\nIf-Match:\r\nContent-MD5:\r\nx-amz-date:\r\nAuthorization:\r\n",
        b"x-amz-meta-: 1\r\nx-amz-: 2\r\nx-amz-copy-source:\r\n",
    ]
    with bucket.unchanged():
        for flood in floods:
            with bucket.raw.connect() as wire:
                with contextlib.suppress(OSError):
                    wire.send(start + flood + b"\r\n")
                try:
                    answer = wire.read(method=method)
                except (CutError, OSError):
                    continue
                assert 400 <= answer.status < 500, (flood[:60], answer)


def test_t65_a_head_of_64_kib_is_the_limit(bucket: Shelf):
    raw = bucket.raw
    assert raw.call("GET", bucket.name, headers=[("X-Fits", "a" * 30_000)]).status == 200
    answer = raw.send(raw.sign(raw.ask("GET", bucket.name, headers=[("X-Not", "a" * 70_000)])))
    assert answer.status in {400, 431}


def test_t65_a_url_beyond_the_limit_is_refused(bucket: Shelf):
    raw = bucket.raw
    for length in (17_000, 60_000):
        answer = raw.send(raw.sign(raw.ask("GET", bucket.name, query="prefix=" + "a" * length)))
        assert answer.status in {400, 414, 431}


def test_t64_silence_after_the_100_leaves_nothing(bucket: Shelf):
    """Class: a client that asks, is told to go on, and goes."""
    ask = bucket.raw.sign(bucket.raw.ask("PUT", bucket.name, "k", headers=[("Expect", "100-continue")], body=seeded(100_000)))
    for sent in (0, 50_000):
        with bucket.unchanged(), bucket.raw.connect() as wire:
            wire.send(ask.head())
            assert wire.read(interim=True).status == 100
            wire.send(ask.body[:sent])
    refused(bucket.call("GET", "k"), 404, "NoSuchKey")


def test_t64_a_refused_large_upload_is_answered_before_it_ends(bucket: Shelf):
    """The answer comes while the client is still sending, and the connection is not used for anything else."""
    thief = bucket.raw.as_caller(signer.Keys(bucket.raw.keys.access_key_id, "wrong"))
    ask = thief.sign(thief.ask("PUT", bucket.name, "k", body=b""), signer.UNSIGNED).set_header("Content-Length", str(10**9))
    with bucket.unchanged(), thief.connect() as wire:
        wire.send(ask.head() + bytes(300_000))
        refused(wire.read(), 403, "SignatureDoesNotMatch")
        with contextlib.suppress(OSError):
            for _ in range(100):
                wire.send(bytes(100_000))
        assert wire.is_closed(10)


def test_t64_a_small_refused_body_keeps_the_connection_usable(bucket: Shelf):
    raw = bucket.raw
    missing = raw.sign(raw.ask("PUT", "no-such-bucket-here", "k", body=seeded(10_000)))
    good = raw.sign(raw.ask("PUT", bucket.name, "k", body=b"hello"))
    with raw.connect() as wire:
        wire.send(missing.wire())
        refused(wire.read(), 404, "NoSuchBucket")
        try:
            wire.send(good.wire())
            assert wire.read().status == 200
        except (CutError, OSError):
            assert raw.send(good).status == 200  # closed instead: a client simply connects again


def test_t61_starlette_cve_2025_54121_a_giant_form_is_refused_unread(bucket: Shelf):
    ask = bucket.raw.ask("POST", bucket.name, headers=[("Content-Type", "multipart/form-data; boundary=b")])
    ask = ask.set_header("Content-Length", str(1 << 30))
    with bucket.unchanged(), bucket.raw.connect() as wire:
        with contextlib.suppress(OSError):
            wire.send(ask.head() + b"preamble " * 30_000)
        answer = final(wire)
        assert answer is None or answer.status in {400, 403, 405, 411, 501}


def test_a_body_on_a_get_is_not_taken_for_a_request(bucket: Shelf):
    bucket.put("victim", b"1")
    smuggled = hidden_delete(bucket)
    ask = bucket.raw.ask("GET", bucket.name, "victim", body=smuggled)
    with bucket.unchanged():
        answer = bucket.raw.send(with_length(bucket.raw.sign(ask)))
        assert answer.status in {200, 400}
        chunked = replace(
            bucket.raw.sign(replace(ask, body=b"")).with_header("Transfer-Encoding", "chunked"), body=signer.http_chunks(smuggled)
        )
        assert bucket.raw.send(chunked).status in {200, 400}
