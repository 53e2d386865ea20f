import io

import msgspec
import pytest
from tests.unit.customer.sealing.objects import CHUNK, KEY, PLACE, content, plain, seal, stream, unseal

from siegel.customer.sealing.header import RECORD_OVERHEAD_BYTES, build_header, open_header, outline
from siegel.customer.sealing.manifest import decode_manifest, encode_manifest
from siegel.customer.sealing.opening import StreamSource, open_sealed, open_stream
from siegel.customer.sealing.recipients import unwrapper, wrap
from siegel.customer.sealing.refusals import HeaderChangedError, NotSealedError, WrongLengthError
from siegel.customer.sealing.sealedfile import AHEAD_BYTES


def test_a_sealed_file_reads_and_seeks_like_a_file():
    data = plain(5 * CHUNK + 10)
    file, like = unseal(seal(data)), io.BytesIO(data)
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
    for offset, whence, count in [
        (0, 0, 10),
        (-7, 1, 3),
        (40_000, 0, 50_000),
        (-5, 2, 100),
        (10**9, 0, 5),
        (3, 0, -1),
        (0, 2, 1),
    ]:
        assert file.seek(offset, whence) == like.seek(offset, whence)
        assert file.read(count) == like.read(count)
        assert file.tell() == like.tell()
    assert (file.seek(0, 2), file.read()) == (len(data), b"")
    buffered = io.BufferedReader(unseal(seal(data)), 1000)
    buffered.seek(20_000)
    assert buffered.read(5) == data[20_000:20_005]


@pytest.mark.parametrize(("offset", "whence"), [(-1, 0), (-1, 1), (0, 9)])
def test_positions_that_do_not_exist_are_refused(offset, whence):
    with pytest.raises(ValueError, match="no such position"):
        unseal(seal(b"x")).seek(offset, whence)


def test_a_long_stream_comes_in_steps_of_constant_size():
    data = plain(1000) * (AHEAD_BYTES // 1000 * 2 + 700)
    file = unseal(seal(data))
    assert content(file) == data
    assert content(file, 5, AHEAD_BYTES + 9) == data[5 : AHEAD_BYTES + 9]
    assert content(file, 5, 5) == b""
    assert max(len(piece) for piece in open_stream(file)) <= 16 * CHUNK


class Short(StreamSource):
    """Gives less than there is, from some offset on."""

    def __init__(self, data: bytes, fails_from: int) -> None:
        super().__init__(io.BytesIO(data))
        self.fails_from = fails_from

    def read_into(self, offset: int, room: memoryview) -> int:
        return super().read_into(offset, room[:3] if offset >= self.fails_from else room)


def test_a_source_that_gives_too_little_is_an_error():
    sealed = seal(plain(100_000))
    with pytest.raises(NotSealedError, match="gave less"):
        open_sealed(Short(sealed, 0), PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    file = open_sealed(Short(sealed, 1), PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    with pytest.raises(WrongLengthError, match="gave less"):
        content(file)


def remade(change) -> bytes:
    """A signed header whose sealer wrote a manifest of his own."""
    sealed = stream(b"")
    made = b"".join(bytes(piece) for piece in sealed)
    opened = open_header(made, unwrapper(KEY, None, PLACE), [KEY.sealer])
    manifest = change(opened.manifest)
    stanza = wrap(opened.data_key, KEY.recipient, opened.object_id)
    header, _ = build_header(
        manifest, opened.data_key, opened.object_id, [stanza], opened.segment_header, nonce=bytes(12), sealer=KEY
    )
    return header + made[opened.body_at :]


def test_a_sealer_who_does_not_keep_to_the_format_is_refused():
    assert content(unseal(remade(lambda manifest: manifest))) == b""
    with pytest.raises(HeaderChangedError, match="another size of chunks"):
        unseal(remade(lambda manifest: msgspec.structs.replace(manifest, chunk_bytes=1)))
    with pytest.raises(HeaderChangedError, match="as the format demands"):
        unseal(remade(lambda manifest: msgspec.structs.replace(manifest, size_bytes=-1)))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"more": 1}'])
def test_a_manifest_is_an_object_of_exactly_its_members(text):
    with pytest.raises(HeaderChangedError):
        decode_manifest(text)


def test_a_manifest_is_filled_up():
    manifest = stream(b"", name="n").manifest
    assert len(encode_manifest(manifest)) % 256 == 0
    assert decode_manifest(encode_manifest(manifest)) == manifest


@pytest.mark.parametrize(("at", "value"), [(7, 2), (8, 2), (9, 2), (10, 255), (12, 1)])
def test_headers_of_other_versions_and_impossible_sizes_are_refused(at, value):
    start = bytearray(seal(b"")[:32])
    start[at] = value
    with pytest.raises(NotSealedError):
        outline(bytes(start))


def test_a_header_needs_a_recipient_and_a_manifest():
    start = bytearray(seal(b"")[:32])
    for at, size, value in ((10, 2, 0), (12, 4, RECORD_OVERHEAD_BYTES)):
        broken = start[:at] + value.to_bytes(size, "big") + start[at + size :]
        with pytest.raises(NotSealedError, match="no possible size"):
            outline(bytes(broken))


def test_accounts_are_named_where_they_differ():
    with pytest.raises(Exception, match="for account 111122223333 instead of \\(none\\)"):
        unseal(seal(b""), PLACE.__class__(PLACE.bucket, PLACE.object_key))
