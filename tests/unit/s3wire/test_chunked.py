from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import (
    AccessDeniedError,
    IncompleteBodyError,
    InvalidChunkSizeError,
    InvalidRequestError,
    MalformedTrailerError,
    S3Error,
    SignatureDoesNotMatchError,
)
from siegel.domain.limits import FRAME_HEAD_BYTES_MAX, TRAILER_BYTES_MAX
from siegel.s3wire.chunked import ChunkChain, FrameDecoder, FrameMode
from siegel.s3wire.sigv4 import admit_anonymous

from .framing import SEED, TRAILER_SEED, Signer, chain, signed_body, signed_trailer_body, unsigned_body
from .signing import check, plain, signed

CRC = "x-amz-checksum-crc32c"
BIG = b"a" * 65536
SMALL = b"a" * 1024
FIRST = b"b" * 8192
TEXT = FIRST + SMALL
PUBLISHED = [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
]
PUBLISHED_TRAILER = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"


def plain_decoder(length, *names):
    return FrameDecoder(FrameMode.UNSIGNED_TRAILER, length, None, names)


def signed_decoder(length):
    return FrameDecoder(FrameMode.SIGNED, length, chain())


def trailer_decoder(length):
    return FrameDecoder(FrameMode.SIGNED_TRAILER, length, chain(TRAILER_SEED), [CRC])


def whole(decoder, body):
    payload = b"".join(decoder.feed(body))
    return payload, decoder.finish()


def in_steps(decoder, body, step):
    payload = b"".join(piece for at in range(0, len(body), step) for piece in decoder.feed(body[at : at + step]))
    return payload, decoder.finish()


FORMS = {
    "signed": (lambda: signed_decoder(len(TEXT)), signed_body(FIRST, SMALL), {}),
    "signed with trailer": (
        lambda: trailer_decoder(len(TEXT)),
        signed_trailer_body(FIRST, SMALL, name=CRC, value="sOO8/Q=="),
        {CRC: "sOO8/Q=="},
    ),
    "unsigned with trailer": (
        lambda: plain_decoder(len(TEXT), CRC),
        unsigned_body(FIRST, SMALL, trailers=f"{CRC}:sOO8/Q==\r\n".encode()),
        {CRC: "sOO8/Q=="},
    ),
    "unsigned without trailer": (lambda: plain_decoder(len(TEXT)), unsigned_body(FIRST, SMALL), {}),
}
each_form = pytest.mark.parametrize(("decoder", "body", "trailers"), FORMS.values(), ids=FORMS)


@each_form
def test_trap_09_a_body_is_read_in_pieces_of_any_size(decoder, body, trailers):
    assert whole(decoder(), body) == (TEXT, trailers)
    assert whole(decoder(), memoryview(body)) == (TEXT, trailers)
    for step in (1, 2, 3, 7, 1000, len(body) - 1):
        assert in_steps(decoder(), body, step) == (TEXT, trailers)


@each_form
def test_trap_10_t64_a_body_cut_anywhere_is_incomplete(decoder, body, trailers):
    ends = [*range(200), *range(8_200, 8_400), *range(len(body) - 300, len(body))]
    for end in ends:
        receiver = decoder()
        received = b"".join(receiver.feed(body[:end]))
        assert TEXT.startswith(received)
        # Only the empty line at the very end may be missing, and only behind trailers.
        if trailers and body[:end].endswith(b"\n") and body[end:] == b"\r\n":
            continue
        with pytest.raises((IncompleteBodyError, MalformedTrailerError)):
            receiver.finish()


@each_form
def test_t10_nothing_may_follow_the_end(decoder, body, trailers):
    for tail in (b"x", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"1\r\na\r\n", f"{CRC}:x\r\n".encode()):
        for step in (1, 10_000):
            with pytest.raises((InvalidRequestError, MalformedTrailerError, IncompleteBodyError)):
                in_steps(decoder(), body + tail, step)


def test_trap_09_the_published_signatures_hold():
    heads = [f"{size:x};chunk-signature={signature}\r\n" for size, signature in zip((65536, 1024, 0), PUBLISHED, strict=True)]
    body = heads[0].encode() + BIG + b"\r\n" + heads[1].encode() + SMALL + b"\r\n" + heads[2].encode() + b"\r\n"
    assert body == signed_body(BIG, SMALL)
    assert whole(signed_decoder(66560), body) == (BIG + SMALL, {})
    assert (
        f"x-amz-trailer-signature:{PUBLISHED_TRAILER}\r\n" in signed_trailer_body(BIG, SMALL, name=CRC, value="sOO8/Q==").decode()
    )


def test_payload_is_given_out_without_being_copied():
    body = unsigned_body(BIG)
    (piece,) = plain_decoder(len(BIG)).feed(body)
    assert isinstance(piece, memoryview)
    assert piece.obj is body


def test_trap_16_an_empty_body():
    assert whole(plain_decoder(0), unsigned_body()) == (b"", {})
    assert whole(signed_decoder(0), signed_body()) == (b"", {})
    assert plain_decoder(0).feed(b"") == []


def test_a_chunk_may_be_as_large_as_the_body():
    body = bytes(20 * 1024 * 1024)
    assert whole(plain_decoder(len(body)), unsigned_body(body))[0] == body


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\r\n", "\r\n\r\n"])
def test_trailers_are_read_with_the_line_ends_that_clients_write(ending):
    body = signed_trailer_body(BIG, name=CRC, value="sOO8/Q==", ending=ending)
    assert whole(trailer_decoder(len(BIG)), body)[1] == {CRC: "sOO8/Q=="}
    for last in (b"", b"\r\n"):
        trailers = f"{CRC}: sOO8/Q== {ending}".encode() + last
        assert whole(plain_decoder(len(BIG), CRC), unsigned_body(BIG, trailers=trailers))[1] == {CRC: "sOO8/Q=="}


def test_the_names_of_trailers_are_in_either_case():
    body = unsigned_body(BIG, trailers=b"X-Amz-Checksum-CRC32C:sOO8/Q==\r\n")
    assert whole(plain_decoder(len(BIG), CRC), body)[1] == {CRC: "sOO8/Q=="}


@pytest.mark.parametrize(
    "trailers",
    [
        b"",
        b"x-amz-checksum-crc32:AAAAAA==\r\n",
        b"x-amz-checksum-crc32c:1\r\nx-amz-checksum-crc32c:1\r\n",
        b"x-amz-checksum-crc32c:1\r\nx-amz-meta-a:1\r\n",
        b"x-amz-checksum-crc32c\r\n",
        b" x-amz-checksum-crc32c:1\r\n",
        b"x-amz-checksum-crc32c :1\r\n",
        b"x-amz-checksum-crc32c:1\r\nx-amz-trailer-signature:" + b"0" * 64 + b"\r\n",
        b"x-amz-checksum-crc32c:" + b"1" * TRAILER_BYTES_MAX + b"\r\n",
    ],
)
def test_trap_12_the_trailers_are_exactly_those_that_were_announced(trailers):
    with pytest.raises(MalformedTrailerError):
        whole(plain_decoder(len(BIG), CRC), unsigned_body(BIG, trailers=trailers))


def test_trap_09_trailers_must_be_signed_where_they_are_announced_as_signed():
    signer = Signer(TRAILER_SEED)
    frames = signer.chunk(BIG) + signer.chunk(b"")
    with pytest.raises(MalformedTrailerError):
        whole(trailer_decoder(len(BIG)), frames + f"{CRC}:sOO8/Q==\r\n\r\n".encode())


def test_t11_a_changed_trailer_or_trailer_signature_is_refused():
    body = signed_trailer_body(BIG, name=CRC, value="sOO8/Q==")
    for wrong in (body.replace(b"sOO8", b"sOO9"), body[:-6] + b"zz\r\n\r\n", body[:-6] + "é".encode() + b"\r\n\r\n"):
        with pytest.raises(SignatureDoesNotMatchError):
            whole(trailer_decoder(len(BIG)), wrong)


def test_t10_versitygw_44967116_every_chunk_signature_counts():
    body = signed_body(BIG, BIG, SMALL)
    starts = [at for at in range(len(body)) if body.startswith(b"chunk-signature=", at)]
    assert len(starts) == 4
    for at in starts:
        digit = at + len(b"chunk-signature=")
        wrong = body[:digit] + (b"0" if body[digit : digit + 1] != b"0" else b"1") + body[digit + 1 :]
        with pytest.raises(SignatureDoesNotMatchError):
            whole(signed_decoder(len(BIG + BIG + SMALL)), wrong)


def test_t10_chunks_cannot_be_reordered_repeated_dropped_or_changed():
    signer = Signer()
    first, second, third, end = (signer.chunk(text * 8192) for text in (b"a", b"b", b"c", b""))
    size = 3 * 8192
    assert whole(signed_decoder(size), first + second + third + end + b"\r\n")[1] == {}
    for frames in (second + first + third, first + first + second, first + third + third, first + second + second):
        with pytest.raises(SignatureDoesNotMatchError):
            whole(signed_decoder(size), frames + end + b"\r\n")
    with pytest.raises(SignatureDoesNotMatchError):
        whole(signed_decoder(size), (first + second + third + end + b"\r\n").replace(b"bb", b"bx", 1))
    with pytest.raises(IncompleteBodyError):
        whole(signed_decoder(size), first + second + end + b"\r\n")


def test_t10_the_chain_begins_with_the_requests_own_signature():
    with pytest.raises(SignatureDoesNotMatchError):
        whole(FrameDecoder(FrameMode.SIGNED, len(BIG), chain("0" * 64)), signed_body(BIG))
    verified = check(signed("PUT", "/b/k", {"X-Amz-Content-SHA256": FrameMode.SIGNED.value}, expires=60).parse())
    empty = ChunkChain.of(verified)
    with pytest.raises(SignatureDoesNotMatchError):
        empty.check_chunk("0" * 64, SEED)


def test_t11_trap_10_the_sizes_add_up_to_the_announced_length():
    for length in (len(BIG) - 1, len(BIG) + 1, 0):
        with pytest.raises(IncompleteBodyError):
            whole(plain_decoder(length), unsigned_body(BIG))
        with pytest.raises(IncompleteBodyError):
            whole(signed_decoder(length), signed_body(BIG))


def test_trap_12_only_the_last_chunk_may_be_small():
    assert whole(plain_decoder(8192 + 1), unsigned_body(b"a" * 8192, b"b"))[0] == b"a" * 8192 + b"b"
    with pytest.raises(InvalidChunkSizeError) as refusal:
        whole(plain_decoder(8191 + 1), unsigned_body(b"a" * 8191, b"b"))
    assert refusal.value.fields == {"Chunk": "2", "BadChunkSize": "8191"}
    with pytest.raises(InvalidChunkSizeError):
        whole(signed_decoder(2), signed_body(b"a", b"b"))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"0x5",
        b"+5",
        b"-5",
        b" 5",
        b"5 ",
        b"5_0",
        b"g",
        b"5;",
        b"5;ext=1",
        b"5\n",
        b"\xd9\xa5",
        b"0" * 17,
        b"f" * 17,
        b"5;chunk-signature=" + b"0" * 64,
    ],
)
def test_t57_h11_cve_2025_43859_a_chunk_size_is_plain_hexadecimal(head):
    for step in (1, 1000):
        with pytest.raises(InvalidRequestError):
            in_steps(plain_decoder(5), head + b"\r\nhello\r\n0\r\n\r\n", step)


@pytest.mark.parametrize(
    "head",
    [
        b"5",
        b"5;chunk-signature=",
        b"5;chunk-signature=" + b"0" * 63,
        b"5;chunk-signature=" + b"0" * 65,
        b"5;chunk-signature=" + b"A" * 64,
        b"5; chunk-signature=" + b"0" * 64,
        b"5;Chunk-Signature=" + b"0" * 64,
        b"5;chunk-signature=" + b"0" * 64 + b";x=1",
    ],
)
def test_t10_a_signed_chunk_has_exactly_one_signature(head):
    with pytest.raises(InvalidRequestError):
        whole(signed_decoder(5), head + b"\r\nhello\r\n")


@pytest.mark.parametrize("end", [b"\n\n", b"xx", b"\rx", b"\n\r", b"x\r\n"])
def test_t57_a_payload_ends_in_a_line_end(end):
    for step in (1, 1000):
        with pytest.raises(InvalidRequestError):
            in_steps(plain_decoder(10), b"5\r\nhello" + end + b"5\r\nhello\r\n0\r\n\r\n", step)


def test_t57_a_chunks_head_is_short():
    for step in (1, 100, FRAME_HEAD_BYTES_MAX, 10_000):
        with pytest.raises(InvalidRequestError):
            in_steps(plain_decoder(5), b"5;" + b"x" * FRAME_HEAD_BYTES_MAX + b"\r\n", step)


def test_t57_a_size_beyond_the_announced_length_is_refused_before_any_payload():
    with pytest.raises(IncompleteBodyError):
        plain_decoder(5).feed(b"ffffffffffffffff\r\n" + b"x" * 100)


@pytest.mark.parametrize(
    ("mode", "links"),
    [(FrameMode.SIGNED, None), (FrameMode.SIGNED_TRAILER, None), (FrameMode.UNSIGNED_TRAILER, chain())],
)
def test_a_chain_goes_with_signed_chunks_only(mode, links):
    with pytest.raises(TypeError):
        FrameDecoder(mode, 0, links)


@given(st.lists(st.integers(8192, 9000), max_size=3), st.binary(min_size=1, max_size=50), st.data())
def test_any_body_cut_at_any_places_is_the_same_body(sizes, last, data):
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    payload = b"".join([*chunks, last])
    body = signed_trailer_body(*chunks, last, name=CRC, value="sOO8/Q==")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    decoder = trailer_decoder(len(payload))
    edges = [0, *cuts, len(body)]
    received = b"".join(piece for a, b in pairwise(edges) for piece in decoder.feed(body[a:b]))
    assert (received, decoder.finish()) == (payload, {CRC: "sOO8/Q=="})


@given(st.binary(max_size=300), st.integers(1, 50))
def test_t100_whatever_arrives_is_read_or_refused_by_name(body, step):
    for decoder in (plain_decoder(5, CRC), signed_decoder(5), trailer_decoder(5)):
        for sent in (body, b"5\r\nhello\r\n0\r\n" + body, b"5\r\nhello" + body):
            try:
                in_steps(decoder, sent, step)
            except S3Error:
                break


def test_nobody_signs_the_chunks_of_an_unsigned_request():
    with pytest.raises(AccessDeniedError):
        ChunkChain.of(admit_anonymous(plain("PUT", "/b/k").parse()))
