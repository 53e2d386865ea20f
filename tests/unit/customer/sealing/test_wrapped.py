"""Keys of named objects, wrapped for an engineer: they open those, and nothing else."""

import io

import msgspec
import pytest
from tests.unit.customer.sealing.boxes import FakeBox
from tests.unit.customer.sealing.objects import ENEMY, FRIEND, KEY, PLACE, content, joined, plain, seal, stream, unseal

from siegel.customer.sealing.keyfile import KeyFile
from siegel.customer.sealing.opening import StreamSource, open_sealed, read_header
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import unwrapper
from siegel.customer.sealing.refusals import (
    HeaderChangedError,
    MovedError,
    NotForThisKeyError,
    NotSealedError,
    SealedObjectError,
    SealingError,
    UnknownSealerError,
    UnsignedError,
)
from siegel.customer.sealing.seal import seal_stream
from siegel.customer.sealing.wrapped import FORMAT, WrappedKey, WrappedKeys, key_of, read_wrapped, wrap_keys
from siegel.customer.sealing.wrapped import PLACE as FILE_PLACE

OTHER = ObjectPlace("evidence", "2026/other.mp4", "111122223333")


def key_in(sealed: bytes, place: ObjectPlace = PLACE, key: KeyFile | None = KEY, box: FakeBox | None = None) -> WrappedKey:
    source = StreamSource(io.BytesIO(sealed))
    return key_of(place, read_header(source, place, unwrapper(key, box, place), [KEY.sealer]))


def lent(*sealed: bytes, to=FRIEND) -> bytes:
    return wrap_keys([key_in(one) for one in sealed], to.recipient, KEY, consent_id="7F3A", now_ms=lambda: 5)


def opened(sealed: bytes, wrapped: WrappedKeys, place: ObjectPlace = PLACE) -> bytes:
    source = StreamSource(io.BytesIO(sealed))
    return content(open_sealed(source, place, key=None, trusted=[KEY.sealer], wrapped=wrapped, seen=None))


def test_the_engineer_opens_the_named_object_and_nothing_else():
    data = plain(40_000)
    named, another = seal(data), seal(plain(10), OTHER)
    wrapped = read_wrapped(lent(named), FRIEND, [KEY.sealer])
    assert (wrapped.consent_id, wrapped.made_at_ms, [key.place for key in wrapped.keys]) == ("7F3A", 5, [PLACE])
    assert opened(named, wrapped) == data
    with pytest.raises(NotForThisKeyError, match="has none for this object"):
        opened(another, wrapped, OTHER)
    # The same object sealed anew has another key, and the engineer is no recipient of any.
    with pytest.raises(NotForThisKeyError, match="as it is now"):
        opened(seal(data), wrapped)
    with pytest.raises(NotForThisKeyError):
        unseal(named, key=FRIEND)
    assert "data_key" not in repr(wrapped)
    assert wrapped.keys[0].data_key not in repr(wrapped)


def test_an_object_that_was_moved_does_not_open_by_its_wrapped_key():
    named = seal(b"x")
    with pytest.raises(MovedError):
        opened(named, read_wrapped(lent(named), FRIEND, [KEY.sealer]), OTHER)


def test_nobody_but_the_engineer_opens_the_file_and_only_its_maker_is_believed():
    file = lent(seal(b"x"))
    for other in (ENEMY, KEY):
        with pytest.raises(NotForThisKeyError):
            read_wrapped(file, other, [KEY.sealer])
    with pytest.raises(UnknownSealerError):
        read_wrapped(file, FRIEND, [FRIEND.sealer])
    with pytest.raises(NotSealedError):
        read_wrapped(b"", FRIEND, [KEY.sealer])


def test_no_changed_byte_of_the_file_is_overlooked():
    file = lent(seal(b"x"))
    for at in range(0, len(file), 7):
        broken = file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]
        with pytest.raises(SealedObjectError):
            read_wrapped(broken, FRIEND, [KEY.sealer])


def test_a_key_of_another_sealing_with_the_same_object_id_is_refused():
    named = seal(b"x")
    key = msgspec.structs.replace(key_in(named), digest="0" * 64)
    wrapped = read_wrapped(wrap_keys([key], FRIEND.recipient, KEY), FRIEND, [KEY.sealer])
    with pytest.raises(HeaderChangedError, match="sealed otherwise"):
        opened(named, wrapped)


def test_a_sealed_object_in_a_store_is_no_file_of_wrapped_keys():
    with pytest.raises(MovedError):
        read_wrapped(seal(b"{}", to=(FRIEND.recipient,)), FRIEND, [KEY.sealer])


@pytest.mark.parametrize(
    "text", [b"", b"{}", b'{"format": "siegel wrapped keys v1", "consent_id": "", "made_at_ms": 1, "keys": []}']
)
def test_a_file_that_does_not_keep_to_its_format_is_refused(text):
    file = joined(stream(text, FILE_PLACE, to=(FRIEND.recipient,)))
    with pytest.raises(HeaderChangedError, match="as its format demands"):
        read_wrapped(file, FRIEND, [KEY.sealer])


def test_an_unsigned_file_is_refused():
    key = key_in(seal(b"x"))
    plain_text = msgspec.json.encode(WrappedKeys(FORMAT, "", 1, (key,)))
    file = joined(seal_stream(io.BytesIO(plain_text), len(plain_text), FILE_PLACE, sealer=None, recipients=[FRIEND.recipient]))
    with pytest.raises(UnsignedError):
        read_wrapped(file, FRIEND, [KEY.sealer])


def test_a_key_server_can_give_the_key_that_is_wrapped():
    box = FakeBox()
    named = seal(b"x" * 100, sealer_opens=False, box=box)
    key = key_in(named, key=None, box=box)
    wrapped = read_wrapped(wrap_keys([key], FRIEND.recipient, KEY), FRIEND, [KEY.sealer])
    assert opened(named, wrapped) == b"x" * 100
    assert [what for what, _ in box.asked] == ["fresh", "unwrap"]


def test_only_what_is_authentic_is_wrapped_and_never_nothing():
    with pytest.raises(MovedError):
        key_in(seal(b"x"), OTHER)
    with pytest.raises(UnsignedError):
        key_in(seal(b"x", sealer=None, to=(KEY.recipient,)))
    with pytest.raises(SealingError, match="1 to"):
        wrap_keys([], FRIEND.recipient, KEY)
