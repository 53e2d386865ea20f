"""Bodies in frames (aws-chunked), in all three forms, whole and broken."""

from __future__ import annotations

import contextlib
import gzip
import time
from dataclasses import replace

import pytest
from awscrt import checksums

from . import signer
from .raw import CutError, RawClient, with_length
from .shelf import MIB, Shelf, b64, quoted_md5, refused, seeded
from .signer import SIGNED_FRAMES, SIGNED_FRAMES_TRAILER, UNSIGNED_FRAMES_TRAILER, Frame, FramedBody

BODY = seeded(200_000)
MODES = [SIGNED_FRAMES, SIGNED_FRAMES_TRAILER, UNSIGNED_FRAMES_TRAILER]


def crc32(body: bytes) -> tuple[str, str]:
    return ("x-amz-checksum-crc32", b64(checksums.crc32(body).to_bytes(4)))


def trailers_for(mode: str, body: bytes = BODY) -> list[tuple[str, str]]:
    return [] if mode == SIGNED_FRAMES else [crc32(body)]


@pytest.mark.parametrize("transfer_chunked", [False, True])
@pytest.mark.parametrize("size", [8192, 65536, 1 << 20])
@pytest.mark.parametrize("mode", MODES)
def test_trap_09_framed_bodies_come_out_as_they_went_in(bucket: Shelf, mode, size, transfer_chunked):
    ask = bucket.raw.put_frames(
        bucket.name, "k", BODY, mode, size=size, trailers=trailers_for(mode), transfer_chunked=transfer_chunked
    )
    answer = bucket.raw.send(ask)
    assert answer.status == 200, answer.body
    assert answer.header("etag") == quoted_md5(BODY)
    assert bucket.get("k") == BODY


@pytest.mark.parametrize("mode", MODES)
def test_trap_09_a_frame_may_be_as_large_as_the_body(bucket: Shelf, mode):
    """The SDK for Rust frames a body of known length as one chunk, whatever its size."""
    body = seeded(20 * MIB)
    ask = bucket.raw.put_frames(bucket.name, "k", body, mode, size=len(body), trailers=trailers_for(mode, body))
    answer = bucket.raw.send(ask)
    assert answer.status == 200, answer.body
    assert bucket.get("k") == body


@pytest.mark.parametrize("mode", MODES)
def test_trap_16_an_empty_framed_body(bucket: Shelf, mode):
    answer = bucket.raw.send(bucket.raw.put_frames(bucket.name, "k", b"", mode, trailers=trailers_for(mode, b"")))
    assert answer.status == 200, answer.body
    assert answer.header("etag") == '"d41d8cd98f00b204e9800998ecf8427e"'
    assert bucket.get("k") == b""


def test_trap_09_the_unsigned_form_needs_no_trailer_at_all(bucket: Shelf):
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER)
    assert bucket.raw.send(ask).status == 200
    assert bucket.get("k") == BODY


def flip(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def bent_frame(place: int, **changes: object) -> object:
    def bend(framed: FramedBody) -> FramedBody:
        frames = list(framed.frames)
        frames[place] = replace(frames[place], **{n: v(frames[place]) if callable(v) else v for n, v in changes.items()})
        return replace(framed, frames=tuple(frames))

    return bend


BROKEN_CHAINS = {
    "first": bent_frame(0, signature=lambda f: flip(f.signature)),
    "middle": bent_frame(1, signature=lambda f: flip(f.signature)),
    "final": bent_frame(-1, signature=lambda f: flip(f.signature)),
    "missing": bent_frame(1, signature=""),
    "short": bent_frame(1, signature="abc"),
    "data": bent_frame(1, data=lambda f: bytes([f.data[0] ^ 1]) + f.data[1:]),
    "swapped": lambda b: replace(b, frames=(b.frames[1], b.frames[0], *b.frames[2:])),
    "repeated": lambda b: replace(b, frames=(b.frames[0], b.frames[0], *b.frames[1:])),
    "dropped": lambda b: replace(b, frames=(b.frames[0], *b.frames[2:])),
    "no end": lambda b: replace(b, frames=b.frames[:-1], trailers=(), trailer_signature="", end=b""),
    "after the end": lambda b: replace(b, end=b"\r\nmore bytes"),
    "a second body": lambda b: replace(b, end=b.end + b.wire()),
}


@pytest.mark.parametrize("case", BROKEN_CHAINS)
@pytest.mark.parametrize("mode", [SIGNED_FRAMES, SIGNED_FRAMES_TRAILER])
def test_t10_versitygw_44967116_seaweedfs_2180_a_broken_chain_of_signatures(bucket: Shelf, mode, case):
    bucket.put("k", b"old")
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, mode, trailers=trailers_for(mode), bend=BROKEN_CHAINS[case])
    with bucket.unchanged():
        answer = refused_or_cut(bucket.raw, ask)
        if answer == "cut":
            assert case == "no end"
    assert bucket.get("k") == b"old"


def refused_or_cut(raw: RawClient, ask: signer.Ask) -> str:
    """Return the code of a clear refusal; `cut` if the server ended the connection without a word."""
    try:
        answer = raw.send(ask)
    except CutError:
        return "cut"
    codes = ["SignatureDoesNotMatch", "IncompleteBody", "InvalidRequest", "InvalidChunkSizeError", "BadDigest"]
    codes += ["XAmzContentSHA256Mismatch", "MalformedTrailerError", "BadRequest", "InvalidArgument"]
    return refused(answer, (400, 403), *codes).code


@pytest.mark.parametrize("case", ["repeated", "dropped", "no end", "after the end", "a second body"])
def test_t10_a_broken_row_of_unsigned_frames(bucket: Shelf, case):
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, trailers=[crc32(BODY)], bend=BROKEN_CHAINS[case])
    with bucket.unchanged():
        refused_or_cut(bucket.raw, ask)


def test_trap_09_the_seed_signature_binds_the_chunks_to_their_request(bucket: Shelf):
    first = bucket.raw.put_frames(bucket.name, "one", BODY, SIGNED_FRAMES)
    second = bucket.raw.put_frames(bucket.name, "two", BODY, SIGNED_FRAMES)
    with bucket.unchanged():
        refused(bucket.raw.send(replace(second, body=first.body)), 403, "SignatureDoesNotMatch")


def test_trap_09_the_trailer_signature_is_checked(bucket: Shelf):
    for bend in (
        lambda b: replace(b, trailer_signature=flip(b.trailer_signature)),
        lambda b: replace(b, trailer_signature=""),
        lambda b: replace(b, trailers=(crc32(b"other"),)),
    ):
        ask = bucket.raw.put_frames(bucket.name, "k", BODY, SIGNED_FRAMES_TRAILER, trailers=[crc32(BODY)], bend=bend)
        with bucket.unchanged():
            assert refused_or_cut(bucket.raw, ask) in {"SignatureDoesNotMatch", "MalformedTrailerError", "IncompleteBody"}


def test_trap_10_the_decoded_length_must_be_there(bucket: Shelf):
    for mode in MODES:
        ask = bucket.raw.put_frames(bucket.name, "k", BODY, mode, trailers=trailers_for(mode), decoded_length="")
        with bucket.unchanged():
            refused(bucket.raw.send(ask), 411, "MissingContentLength")


@pytest.mark.parametrize("length", ["199999", "200001", "0", "-1", "text", "1e5", "18446744073709551616"])
@pytest.mark.parametrize("mode", MODES)
def test_t11_a_decoded_length_unlike_the_sum(bucket: Shelf, mode, length):
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, mode, trailers=trailers_for(mode), decoded_length=length)
    codes = "IncompleteBody", "InvalidArgument", "InvalidRequest", "MissingContentLength", "EntityTooLarge", "BadRequest"
    with bucket.unchanged():
        refused(bucket.raw.send(ask), (400, 411), *codes)


@pytest.mark.parametrize("length", ["199999", "200001"])
def test_trap_10_a_wrong_decoded_length_is_an_incomplete_body(bucket: Shelf, length):
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, SIGNED_FRAMES, decoded_length=length)
    with bucket.unchanged():
        refused(bucket.raw.send(ask), 400, "IncompleteBody")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("aws-chunked", ""),
        ("gzip,aws-chunked", "gzip"),
        ("aws-chunked,gzip", "gzip"),
        ("aws-chunked, gzip, br", "gzip, br"),
        ("AWS-Chunked", ""),
    ],
)
def test_trap_11_only_the_token_of_the_framing_is_removed(bucket: Shelf, sent, kept):
    headers = [("Content-Encoding", sent)]
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, headers=headers)
    assert bucket.raw.send(ask).status == 200
    got = bucket.call("HEAD", "k").header("content-encoding")
    assert got.replace(" ", "") == kept.replace(" ", "")


def test_trap_11_framing_need_not_be_named_in_content_encoding(bucket: Shelf):
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, SIGNED_FRAMES, headers=[("Content-Encoding", "gzip")])
    assert bucket.raw.send(ask).status == 200
    assert bucket.call("HEAD", "k").header("content-encoding") == "gzip"
    assert bucket.get("k") == BODY


@pytest.mark.parametrize("mode", [SIGNED_FRAMES_TRAILER, UNSIGNED_FRAMES_TRAILER])
def test_trap_12_an_announced_trailer_must_come(bucket: Shelf, mode):
    ask = bucket.raw.put_frames(
        bucket.name, "k", BODY, mode, trailers=[crc32(BODY)], bend=lambda b: replace(b, trailers=(), trailer_signature="")
    )
    with bucket.unchanged():
        refused(
            bucket.raw.send(ask), (400, 403), "IncompleteBody", "MalformedTrailerError", "InvalidRequest", "SignatureDoesNotMatch"
        )


def test_trap_12_a_trailer_and_a_header_are_one_too_many(bucket: Shelf):
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, trailers=[crc32(BODY)], headers=[crc32(BODY)])
    with bucket.unchanged():
        refused(bucket.raw.send(ask), 400, "InvalidRequest")


def test_trap_12_the_trailer_must_be_of_the_algorithm_named(bucket: Shelf):
    ask = bucket.raw.put_frames(
        bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, trailers=[crc32(BODY)],
        headers=[("x-amz-sdk-checksum-algorithm", "SHA256")],
    )  # fmt: skip
    with bucket.unchanged():
        refused(bucket.raw.send(ask), 400, "InvalidRequest")


def test_trap_12_another_trailer_than_announced_is_refused(bucket: Shelf):
    ask = bucket.raw.put_frames(
        bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, trailers=[crc32(BODY)],
        bend=lambda b: replace(b, trailers=(("x-amz-checksum-crc32c", "AAAAAA=="),)),
    )  # fmt: skip
    with bucket.unchanged():
        refused_or_cut(bucket.raw, ask)


@pytest.mark.parametrize("mode", MODES)
def test_trap_12_chunks_below_8_kib_are_refused_except_the_last(bucket: Shelf, mode):
    small = bucket.raw.put_frames(bucket.name, "k", BODY, mode, size=1000, trailers=trailers_for(mode))
    with bucket.unchanged():
        refused(bucket.raw.send(small), (400, 403), "InvalidChunkSizeError")
    last = bucket.raw.put_frames(bucket.name, "k", BODY[:8200], mode, size=8192, trailers=trailers_for(mode, BODY[:8200]))
    assert bucket.raw.send(last).status == 200


def test_trap_12_parts_take_trailers_too(bucket: Shelf):
    upload_id = bucket.start("k", ChecksumAlgorithm="CRC32")
    query = f"partNumber=1&uploadId={upload_id}"
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, query=query, trailers=[crc32(BODY)])
    answer = bucket.raw.send(ask)
    assert answer.status == 200, answer.body
    assert answer.header("x-amz-checksum-crc32") == crc32(BODY)[1]


@pytest.mark.parametrize("mode", [SIGNED_FRAMES_TRAILER, UNSIGNED_FRAMES_TRAILER])
def test_t11_a_wrong_trailing_checksum(bucket: Shelf, mode):
    bucket.put("k", b"old")
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, mode, trailers=[crc32(b"something else")])
    with bucket.unchanged():
        refused(bucket.raw.send(ask), 400, "BadDigest")
    assert bucket.get("k") == b"old"


@pytest.mark.parametrize("value", ["", "AAAA", "nonsense!", "AAAAAAAAAAA=", "AAAAAA=="])
def test_t11_a_trailing_checksum_that_is_none_or_wrong(bucket: Shelf, value):
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, trailers=[("x-amz-checksum-crc32", value)])
    with bucket.unchanged():
        assert refused_or_cut(bucket.raw, ask) in {
            "BadDigest",
            "InvalidRequest",
            "InvalidDigest",
            "MalformedTrailerError",
            "IncompleteBody",
        }


def test_t12_versitygw_ghsa_v2ch_a_stream_of_unknown_length(bucket: Shelf):
    for mode in MODES:
        ask = bucket.raw.put_frames(
            bucket.name, "k", BODY, mode, trailers=trailers_for(mode), decoded_length="", transfer_chunked=True
        )
        with bucket.unchanged():
            refused(bucket.raw.send(ask), 411, "MissingContentLength")
    assert bucket.call("GET").status == 200


def test_trap_16_an_unsigned_chunked_body_without_a_length_is_refused(bucket: Shelf):
    signed, _ = signer.sign_header(bucket.raw.ask("PUT", bucket.name, "k"), bucket.raw.keys, signer.UNSIGNED)
    ask = replace(signed.with_header("Transfer-Encoding", "chunked"), body=signer.http_chunks(b"hello"))
    with bucket.unchanged():
        refused(bucket.raw.send(ask), 411, "MissingContentLength")


def test_trap_10_a_stream_without_content_length_but_with_decoded_length_is_fine(bucket: Shelf):
    """What the SDKs send over TLS by default."""
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, trailers=[crc32(BODY)], transfer_chunked=True)
    assert not ask.header("content-length")
    assert bucket.raw.send(ask).status == 200


@pytest.mark.parametrize("size_text", ["0x10000", "1_0000", "+10000", "-1", " 10000", "10000 ", "", "zz", "1" * 40, "\t10000"])
@pytest.mark.parametrize("mode", [SIGNED_FRAMES, UNSIGNED_FRAMES_TRAILER])
def test_t57_frame_sizes_are_plain_hexadecimal(bucket: Shelf, mode, size_text):
    """h11 CVE-2025-43859 and its kind, one layer up: the sizes of aws-chunked."""
    bend = bent_frame(0, size_text=size_text or "\x00")
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, mode, trailers=trailers_for(mode), bend=bend)
    with bucket.unchanged():
        refused_or_cut(bucket.raw, ask)


def test_t57_bare_line_feeds_and_long_heads_in_frames_are_refused(bucket: Shelf):
    for bend in (
        lambda b: replace(b, frames=(Frame(b.frames[0].data, size_text="10000\n"), *b.frames[1:])),
        lambda b: replace(b, frames=(Frame(b.frames[0].data, size_text="10000;x=" + "y" * 5000), *b.frames[1:])),
        lambda b: replace(b, frames=(Frame(b"", size_text="10000"), *b.frames[1:])),
        lambda b: replace(b, trailers=(("x-amz-checksum-crc32", "A" * 9000),)),
        lambda b: replace(b, trailers=(crc32(BODY),) * 200),
    ):
        ask = bucket.raw.put_frames(bucket.name, "k", BODY, UNSIGNED_FRAMES_TRAILER, trailers=[crc32(BODY)], bend=bend)
        with bucket.unchanged():
            refused_or_cut(bucket.raw, ask)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cut", [0, 10, 1000, 70_000, 199_000])
def test_trap_16_a_truncated_upload_leaves_nothing(bucket: Shelf, mode, cut):
    bucket.put("k", b"old")
    ask = bucket.raw.put_frames(bucket.name, "k", BODY, mode, trailers=trailers_for(mode))
    with bucket.unchanged(), bucket.raw.connect() as wire:
        wire.send(ask.wire()[: len(ask.head()) + cut])
        wire.half_close()
        try:
            answer = wire.read()
        except CutError:
            pass
        else:
            refused(answer, (400, 408), "IncompleteBody", "RequestTimeout")
    assert bucket.get("k") == b"old"


def expecting(raw: RawClient, bucket: str, body: bytes) -> signer.Ask:
    return raw.sign(raw.ask("PUT", bucket, "k", headers=[("Expect", "100-continue")], body=body))


@pytest.mark.parametrize("spelling", ["100-continue", "100-Continue"])
def test_trap_15_expect_gets_its_100_and_then_the_answer(bucket: Shelf, spelling):
    ask = bucket.raw.sign(bucket.raw.ask("PUT", bucket.name, "k", headers=[("Expect", spelling)], body=BODY))
    with bucket.raw.connect() as wire:
        wire.send(ask.head())
        assert wire.read(interim=True).status == 100
        wire.send(ask.body)
        assert wire.read().status == 200
    assert bucket.get("k") == BODY


def test_trap_15_a_refusal_comes_instead_of_the_100(bucket: Shelf):
    raw = bucket.raw
    thief = raw.as_caller(signer.Keys(raw.keys.access_key_id, "wrong"))
    bucket.put("k", b"old")
    exists = raw.ask("PUT", bucket.name, "k", headers=[("Expect", "100-continue"), ("If-None-Match", "*")], body=BODY)
    cases = [
        (expecting(thief, bucket.name, BODY), 403, "SignatureDoesNotMatch"),
        (expecting(raw, "no-such-bucket-anywhere", BODY), 404, "NoSuchBucket"),
        (raw.sign(exists), 412, "PreconditionFailed"),
    ]
    with bucket.unchanged():
        for ask, status, code in cases:
            with raw.connect() as wire:
                wire.send(ask.head())
                refused(wire.read(interim=True), status, code)


def test_trap_15_the_sdk_does_not_stall_on_file_like_bodies(bucket: Shelf, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(seeded(MIB))
    taken = []
    for number in range(5):
        began = time.monotonic()
        with path.open("rb") as body:
            bucket.s3.put_object(Bucket=bucket.name, Key=f"k{number}", Body=body)
        taken.append(time.monotonic() - began)
    assert min(taken) < 1  # a client that waits in vain for its 100 loses a second each time


def test_t62_aiohttp_cve_2025_69223_a_compressed_bomb_is_stored_as_sent(bucket: Shelf):
    bomb = gzip.compress(bytes(30 * MIB))
    headers = [("Content-Encoding", "gzip")]
    assert bucket.call("PUT", "bomb", headers=headers, body=bomb).status == 200
    assert bucket.call("GET", "bomb").body == bomb
    framed = bucket.raw.put_frames(
        bucket.name, "framed", bomb, UNSIGNED_FRAMES_TRAILER, headers=[("Content-Encoding", "gzip,aws-chunked")]
    )
    assert bucket.raw.send(framed).status == 200
    assert bucket.call("GET", "framed").body == bomb


def test_trap_46_stored_bytes_are_never_compressed_on_the_way(bucket: Shelf):
    body = b"compressible " * 10_000
    bucket.put("k", body)
    answer = bucket.call("GET", "k", headers=[("Accept-Encoding", "gzip, br")])
    assert answer.body == body
    assert not answer.has("content-encoding")


def test_t64_a_body_longer_than_its_content_length_is_not_read_as_part_of_it(bucket: Shelf):
    ask = bucket.raw.sign(bucket.raw.ask("PUT", bucket.name, "k", body=b"12345"))
    with bucket.raw.connect() as wire:
        wire.send(ask.wire() + b"6789 garbage\r\n\r\n")
        assert wire.read().status == 200
        assert wire.read().status == 400
    assert bucket.get("k") == b"12345"


@pytest.mark.parametrize("kept", [0, 1, 99_999])
def test_t64_a_body_shorter_than_its_content_length_is_incomplete(bucket: Shelf, kept):
    ask = with_length(bucket.raw.sign(bucket.raw.ask("PUT", bucket.name, "k", body=BODY[:100_000])))
    with bucket.unchanged(), bucket.raw.connect() as wire:
        wire.send(ask.head() + ask.body[:kept])
        wire.half_close()
        with contextlib.suppress(CutError):
            refused(wire.read(), (400, 408), "IncompleteBody", "RequestTimeout")
