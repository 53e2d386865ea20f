import io

import pytest
from tests.unit.customer.sealing.objects import CHUNK, ENEMY, FRIEND, KEY, PLACE, content, joined, plain, seal, stream, unseal

from siegel.customer.sealing.keyfile import KeyFile
from siegel.customer.sealing.manifest import SIZE_BYTES_MAX
from siegel.customer.sealing.refusals import HeaderChangedError, SealingError
from siegel.customer.sealing.seal import seal_stream
from siegel.customer.sealing.seen import Sighting


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 16 * CHUNK, 17 * CHUNK + 5])
def test_what_was_sealed_opens(size):
    sealed = stream(plain(size), name="clip.mp4", now_ms=lambda: 77)
    data = joined(sealed)
    assert len(data) == sealed.sealed_size_bytes
    file = unseal(data)
    assert content(file) == plain(size)
    assert (file.manifest.name, file.manifest.sealed_at_ms, file.size_bytes) == ("clip.mp4", 77, size)
    assert file.digest == sealed.digest


def test_every_recipient_opens_and_nobody_else():
    sealed = seal(b"data", to=(FRIEND.recipient, FRIEND.recipient))
    assert content(unseal(sealed, key=FRIEND)) == b"data"
    assert content(unseal(sealed)) == b"data"
    with pytest.raises(Exception, match="for others than this key"):
        unseal(sealed, key=ENEMY)


def test_names_neither_show_nor_tell_their_length():
    sizes = {len(seal(b"", name="n" * length)) for length in (1, 2, 3)}
    assert len(sizes) == 1
    assert b"clip" not in seal(b"", name="clip.mp4")


def test_every_object_has_keys_of_its_own():
    one, two = seal(plain(100)), seal(plain(100))
    assert one[-116:] != two[-116:]
    assert one[16:40] != two[16:40]


def test_fifty_recipients_and_more_take_one_read_more():
    crowd = [KeyFile(bytes([9, number]) * 80).recipient for number in range(63)]
    assert content(unseal(seal(b"data", to=tuple(crowd)))) == b"data"
    with pytest.raises(SealingError, match="1 to 64"):
        seal(b"data", to=(*crowd, FRIEND.recipient))
    sealed = seal(b"data", to=tuple(crowd))
    with pytest.raises(HeaderChangedError, match="ends within its header"):
        unseal(sealed[:70_000])


def test_somebody_must_be_able_to_open():
    with pytest.raises(SealingError, match="1 to 64"):
        seal(b"", sealer=None)


@pytest.mark.parametrize(("said", "words"), [(11, "ended before"), (9, "longer than")])
def test_a_source_of_another_size_is_an_error(said, words):
    sealed = seal_stream(io.BytesIO(bytes(10)), said, PLACE, sealer=KEY, recipients=[])
    with pytest.raises(SealingError, match=words):
        joined(sealed)


@pytest.mark.parametrize("size", [-1, SIZE_BYTES_MAX + 1])
def test_sizes_beyond_the_format_are_refused(size):
    with pytest.raises(SealingError, match="size"):
        seal_stream(io.BytesIO(), size, PLACE, sealer=KEY, recipients=[])


@pytest.mark.parametrize(("name", "words"), [("a\nb", "cannot be shown"), ("n" * 16_384, "too long")])
def test_names_that_cannot_be_sealed_are_refused(name, words):
    with pytest.raises(SealingError, match=words):
        stream(b"", name=name)


def test_a_new_object_counts_as_newer_whatever_the_clock_says():
    last = Sighting(5000, bytes(32))
    assert stream(b"", last=last, now_ms=lambda: 10).manifest.sequence == 5001
    assert stream(b"", last=last, now_ms=lambda: 9000).manifest.sequence == 9000
    assert stream(b"", now_ms=lambda: 9000).manifest.previous is None
    assert stream(b"", last=last).manifest.previous == bytes(32).hex()
    with pytest.raises(SealingError, match="highest number"):
        stream(b"", last=Sighting((1 << 63) - 1, bytes(32)))


def test_a_source_that_gives_little_at_a_time_is_read_to_its_end():
    class Slow(io.BytesIO):
        def readinto(self, room) -> int:
            return super().readinto(memoryview(room)[:1000])

    data = plain(3 * CHUNK)
    assert content(unseal(joined(seal_stream(Slow(data), len(data), PLACE, sealer=KEY, recipients=[])))) == data
