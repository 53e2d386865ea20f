"""A store that does with an object whatever it likes: nothing of it is believed, and each attack has its own error.

Rows 2, 3, 4 and 11 of the trust page's tests: format attacks, commitment, ranges, and a malicious server against sealing clients.
"""

import io
import os
import struct
from collections.abc import Callable

import pytest
from tests.unit.customer.sealing.objects import (
    CHUNK,
    ENEMY,
    FRIEND,
    KEY,
    PLACE,
    SEALED,
    content,
    joined,
    plain,
    seal,
    stream,
    unseal,
)

from siegel.customer.sealing.header import PREAMBLE_BYTES, build_header, open_header, outline
from siegel.customer.sealing.opening import StreamSource, open_sealed
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import STANZA_BYTES, unwrapper, wrap
from siegel.customer.sealing.refusals import (
    BodyChangedError,
    ForkedError,
    HeaderChangedError,
    MovedError,
    NotForThisKeyError,
    NotSealedError,
    RolledBackError,
    SealedObjectError,
    UnknownSealerError,
    UnsignedError,
    WrongLengthError,
)
from siegel.customer.sealing.seen import Seen, Sighting
from siegel.envelope.segment import SegmentSealer

DATA = plain(4 * CHUNK + 100)
TWIN = bytes(reversed(DATA))
BODY = outline(seal(DATA)).body_at
FIRST = BODY + 88


def chunk(sealed: bytes, number: int) -> bytes:
    return sealed[FIRST + number * SEALED : FIRST + (number + 1) * SEALED]


def with_chunks(sealed: bytes, order: list[bytes]) -> bytes:
    return sealed[:FIRST] + b"".join(order)


def flip(sealed: bytes, at: int) -> bytes:
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


CHUNK_ATTACKS: dict[str, tuple[Callable[[bytes, bytes], bytes], type[SealedObjectError]]] = {
    "swap two chunks": (
        lambda one, _: with_chunks(one, [chunk(one, k) for k in (1, 0, 2, 3, 4)]),
        BodyChangedError,
    ),
    "repeat a chunk over another": (
        lambda one, _: with_chunks(one, [chunk(one, k) for k in (0, 0, 2, 3, 4)]),
        BodyChangedError,
    ),
    "a chunk of another object": (
        lambda one, two: with_chunks(one, [chunk(one, 0), chunk(two, 1), *(chunk(one, k) for k in (2, 3, 4))]),
        BodyChangedError,
    ),
    "the whole body of another object": (lambda one, two: one[:FIRST] + two[FIRST:], BodyChangedError),
    "flip a bit of a chunk": (lambda one, _: flip(one, FIRST + 5), BodyChangedError),
    "flip a bit of a tag": (lambda one, _: flip(one, len(one) - 1), BodyChangedError),
    "drop a chunk": (lambda one, _: with_chunks(one, [chunk(one, k) for k in (0, 1, 3, 4)]), WrongLengthError),
    "insert a chunk": (lambda one, _: with_chunks(one, [chunk(one, k) for k in (0, 1, 1, 2, 3, 4)]), WrongLengthError),
    "swap parts": (lambda one, _: one[:FIRST] + one[FIRST + 2 * SEALED :] + one[FIRST : FIRST + 2 * SEALED], BodyChangedError),
    "append": (lambda one, _: one + b"\0", WrongLengthError),
    "the header of another object": (lambda one, two: two[:BODY] + one[BODY:], HeaderChangedError),
    "the body, its header too, of another object": (lambda one, two: one[:BODY] + two[BODY:], HeaderChangedError),
}


@pytest.mark.parametrize("attack", CHUNK_ATTACKS)
def test_row_2_chunks_and_parts_cannot_be_moved(attack):
    change, error = CHUNK_ATTACKS[attack]
    broken = change(seal(DATA), seal(TWIN))
    with pytest.raises(error) as caught:
        content(unseal(broken))
    assert caught.type is error


def test_row_2_a_cut_at_every_edge_is_an_error():
    sealed = seal(DATA)
    edges = {0, 1, PREAMBLE_BYTES, BODY - 1, BODY, FIRST - 1, FIRST, *(FIRST + k * SEALED for k in range(5)), len(sealed) - 1}
    for at in sorted(edges):
        with pytest.raises((NotSealedError, HeaderChangedError, WrongLengthError)):
            unseal(sealed[:at])


def test_row_2_no_byte_of_the_header_can_be_changed():
    sealed = seal(b"x", to=(FRIEND.recipient,))
    friend_at = PREAMBLE_BYTES + STANZA_BYTES
    body_at = outline(sealed).body_at
    for at in [*range(PREAMBLE_BYTES + 16), *range(friend_at, friend_at + 30), *range(PREAMBLE_BYTES, body_at + 88, 37)]:
        with pytest.raises(SealedObjectError):
            unseal(flip(sealed, at))


def test_row_2_what_was_stored_for_another_place_does_not_pass():
    sealed = seal(DATA)
    for place in (
        ObjectPlace(PLACE.bucket, "2026/other.mp4", PLACE.account_id),
        ObjectPlace("other", PLACE.object_key, PLACE.account_id),
        ObjectPlace(PLACE.bucket, PLACE.object_key, "444455556666"),
        ObjectPlace(PLACE.bucket, PLACE.object_key),
    ):
        with pytest.raises(MovedError):
            unseal(sealed, place)


def test_row_2_two_objects_cannot_be_swapped():
    other = ObjectPlace(PLACE.bucket, "other", PLACE.account_id)
    one, two = seal(DATA, PLACE), seal(TWIN, other)
    for sealed, place in ((one, other), (two, PLACE)):
        with pytest.raises(MovedError, match="was sealed as"):
            unseal(sealed, place)


def test_row_2_an_older_object_is_told_from_a_newer_one(tmp_path):
    seen = Seen(tmp_path / "seen.db")
    old, new = (seal(DATA, now_ms=lambda at=at: at) for at in (1000, 2000))
    assert content(unseal(new, seen=seen)) == DATA
    assert content(unseal(new, seen=seen)) == DATA
    with pytest.raises(RolledBackError):
        unseal(old, seen=seen)
    seen.forget(PLACE)
    assert content(unseal(old, seen=seen)) == DATA


def test_row_2_the_sealer_is_shown_no_older_object_either(tmp_path):
    seen = Seen(tmp_path / "seen.db")
    first, second = (stream(DATA, last=seen.last(PLACE), now_ms=lambda: 1000) for _ in range(2))
    seen.check_and_note(PLACE, first.sighting)
    third = stream(DATA, last=seen.last(PLACE), now_ms=lambda: 500)
    assert (third.manifest.sequence, third.manifest.previous) == (1001, first.digest.hex())
    seen.check_and_note(PLACE, third.sighting)
    for stale in (first, second):
        with pytest.raises(RolledBackError):
            unseal(joined(stale), seen=seen)


def test_row_2_two_objects_of_one_number_are_a_fork(tmp_path):
    seen = Seen(tmp_path / "seen.db")
    one, two = (seal(data, now_ms=lambda: 1000) for data in (DATA, TWIN))
    unseal(one, seen=seen)
    with pytest.raises(ForkedError):
        unseal(two, seen=seen)


def test_row_3_a_segment_of_another_key_below_an_honest_manifest():
    """Even a recipient, who can make a manifest that opens, cannot put another body below the signed header."""
    sealed = seal(DATA, to=(ENEMY.recipient,))
    opened = open_header(sealed, unwrapper(ENEMY, None, PLACE), [KEY.sealer])
    other = SegmentSealer(bytes(32), PLACE.context(opened.object_id), opened.object_id, 0, bytes(24))
    stanzas = [sealed[at : at + STANZA_BYTES] for at in range(32, 32 + 2 * STANZA_BYTES, STANZA_BYTES)]
    header, _ = build_header(
        opened.manifest, opened.data_key, opened.object_id, stanzas, other.header, nonce=bytes(12), sealer=ENEMY
    )
    body = other.header + bytes(other.seal(DATA)) + other.finish()
    with pytest.raises(HeaderChangedError, match="signature does not fit"):
        unseal(header + body)
    # If the enemy is trusted as a sealer, the body's own commitment still refuses it.
    own = opened.manifest.__class__(**{**_fields(opened.manifest), "sealer": ENEMY.sealer.hex()})
    header, _ = build_header(own, opened.data_key, opened.object_id, stanzas, other.header, nonce=bytes(12), sealer=ENEMY)
    with pytest.raises(HeaderChangedError, match="does not belong"):
        unseal(header + body, trusted=[ENEMY.sealer])


def _fields(manifest) -> dict:
    return {name: getattr(manifest, name) for name in manifest.__struct_fields__}


class Counting(StreamSource):
    """Counts the bytes that are read after the header."""

    read_bytes = 0

    def read_into(self, offset: int, room: memoryview) -> int:
        self.read_bytes += len(room)
        return super().read_into(offset, room)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_row_4_a_range_is_the_slice_and_reads_little_more(size):
    data = plain(size)
    source = Counting(io.BytesIO(seal(data)))
    file = open_sealed(source, PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    edges = sorted({edge for edge in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, size - 1, size) if 0 <= edge <= size})
    for start in edges:
        for stop in (edge for edge in edges if edge >= start):
            before = source.read_bytes
            assert content(file, start, stop) == data[start:stop]
            assert source.read_bytes - before <= stop - start + 2 * SEALED


def test_row_4_a_range_of_a_broken_object_gives_nothing_wrong():
    broken = flip(seal(DATA), FIRST + 2 * SEALED)
    file = unseal(broken)
    assert content(file, 0, 2 * CHUNK) == DATA[: 2 * CHUNK]
    file.seek(2 * CHUNK + 3)
    with pytest.raises(BodyChangedError):
        file.read(1)
    assert content(file, 3 * CHUNK) == DATA[3 * CHUNK :]


def test_row_11_a_key_of_the_stores_own_opens_nothing():
    """Key replacement: the store seals for the customer, with keys that it made."""
    forged = seal(DATA, sealer=ENEMY, to=(KEY.recipient,))
    with pytest.raises(UnknownSealerError):
        unseal(forged)


def test_row_11_an_unsigned_object_is_not_the_customers():
    forged = seal(DATA, sealer=None, to=(KEY.recipient,))
    with pytest.raises(UnsignedError):
        unseal(forged)
    assert content(unseal(forged, allow_unsigned=True)) == DATA


def test_row_11_a_signature_cannot_be_taken_away():
    sealed = bytearray(seal(DATA))
    sealed[9] = 0
    del sealed[BODY - 64 : BODY]
    with pytest.raises(HeaderChangedError):
        unseal(bytes(sealed), allow_unsigned=True)


def test_row_11_a_recipient_who_strips_the_signature_is_seen():
    sealed = seal(DATA, to=(ENEMY.recipient,))
    opened = open_header(sealed, unwrapper(ENEMY, None, PLACE), [KEY.sealer])
    header, _ = build_header(
        opened.manifest,
        opened.data_key,
        opened.object_id,
        [wrap(opened.data_key, KEY.recipient, opened.object_id)],
        opened.segment_header,
        nonce=bytes(12),
        sealer=None,
    )
    with pytest.raises(HeaderChangedError, match="taken away"):
        unseal(header + sealed[opened.body_at :], allow_unsigned=True)


def test_row_11_recipients_cannot_be_added_dropped_or_exchanged():
    sealed = seal(DATA, to=(FRIEND.recipient,))
    object_id = sealed[16:32]
    mine, friends = (sealed[at : at + STANZA_BYTES] for at in (32, 32 + STANZA_BYTES))
    rest = sealed[32 + 2 * STANZA_BYTES :]
    enemys = wrap(os.urandom(32), ENEMY.recipient, object_id)
    replaced_mine = wrap(os.urandom(32), KEY.recipient, object_id)

    def built(*stanzas: bytes) -> bytes:
        return sealed[:10] + struct.pack(">H", len(stanzas)) + sealed[12:32] + b"".join(stanzas) + rest

    assert built(mine, friends) == sealed
    for stanzas in ((mine,), (friends, mine), (mine, friends, enemys), (mine, enemys), (replaced_mine, friends)):
        with pytest.raises(HeaderChangedError):
            unseal(built(*stanzas))
    with pytest.raises(NotForThisKeyError):
        unseal(built(friends, enemys))


def test_row_11_what_is_no_sealed_object_is_no_object():
    for planted in (b"", b"hello", bytes(5000), b"SIEGELS\x01" + bytes(100), b"SIEGELC\x02" + bytes(100)):
        with pytest.raises(NotSealedError):
            unseal(planted)


def test_a_memory_remembers_the_newest_alone(tmp_path):
    seen = Seen(tmp_path / "seen.db")
    assert seen.last(PLACE) is None
    seen.check_and_note(PLACE, Sighting(5, b"five"))
    assert seen.last(PLACE) == Sighting(5, b"five")
    assert seen.last(ObjectPlace(PLACE.bucket, PLACE.object_key)) is None
