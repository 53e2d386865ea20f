"""A key server as recipient: what it is told, what it alone opens, and a store and a server that cheat.

Rows 2, 3, 4 and 11 of the trust page's tests, for objects that a key server opens.
"""

import struct

import pytest
from tests.unit.customer.sealing.boxes import FakeBox, LyingBox, RepeatingBox
from tests.unit.customer.sealing.objects import CHUNK, ENEMY, FRIEND, KEY, PLACE, SEALED, content, plain, seal, stream, unseal

from siegel.customer.sealing.header import PREAMBLE_BYTES, build_header, open_header, outline
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import (
    BLOB_BYTES_MAX,
    BOXES_MAX,
    STANZA_BYTES,
    BoxKey,
    box_context,
    unwrapper,
    wrap,
    wrap_for_box,
)
from siegel.customer.sealing.refusals import (
    HeaderChangedError,
    KeyServerLiedError,
    KeyServerRefusedError,
    NotForThisKeyError,
    RolledBackError,
    SealedObjectError,
    UnknownSealerError,
    UnsignedError,
)
from siegel.customer.sealing.seen import Seen

DATA = plain(4 * CHUNK + 100)
OTHER = ObjectPlace(PLACE.bucket, "other", PLACE.account_id)
STANZA = PREAMBLE_BYTES


@pytest.fixture
def box():
    return FakeBox()


def seal_for(box, data=DATA, place=PLACE, **more):
    """Seal so that the box alone can open."""
    return seal(data, place, box=box, sealer_opens=False, **more)


def unseal_by(box, sealed, place=PLACE, key=None, **more):
    return unseal(sealed, place, key=key, box=box, **more)


def flip(sealed, at):
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


def test_a_box_opens_what_was_sealed_for_it_and_is_told_what_it_is(box):
    sealed = stream(DATA, box=box, sealer_opens=False, now_ms=lambda: 1234)
    whole = b"".join(bytes(piece) for piece in sealed)
    file = unseal_by(box, whole)
    assert content(file) == DATA
    told = {
        "account": PLACE.account_id,
        "bucket": PLACE.bucket,
        "key": PLACE.object_key,
        "version": whole[16:32].hex(),
        "number": "1234",
        "format": "siegel client v1",
    }
    assert box.asked == [("fresh", told), ("unwrap", told)]
    file.seek(3)
    for _ in range(10):
        file.read(1000)
    assert len(box.asked) == 2, "ranges ask no more"


def test_the_key_file_signs_and_opens_nothing_where_it_only_signs(box):
    sealed = seal_for(box)
    assert outline(sealed).recipients == 1
    with pytest.raises(NotForThisKeyError, match="others than this key"):
        unseal(sealed)
    with pytest.raises(NotForThisKeyError, match="no key file and no key server"):
        unseal(sealed, key=None)


def test_a_key_file_opens_without_the_box_where_both_can(box):
    sealed = seal(DATA, box=box, to=(FRIEND.recipient,))
    box.asked.clear()
    for key in (KEY, FRIEND):
        assert content(unseal(sealed, key=key, box=box)) == DATA
    assert box.asked == []
    assert content(unseal(sealed, key=ENEMY, box=box)) == DATA
    with pytest.raises(NotForThisKeyError, match="this key and this key server"):
        unseal(seal(DATA), key=ENEMY, box=box)


def test_a_reader_of_key_files_alone_skips_boxes(box):
    """Programs from before there were boxes read the same stanzas: by their own id."""
    assert content(unseal(seal(DATA, box=box), box=None)) == DATA


def test_row_2_another_place_opens_nothing_at_the_box(box):
    sealed = seal_for(box)
    for place in (OTHER, ObjectPlace("other", PLACE.object_key, PLACE.account_id), ObjectPlace(PLACE.bucket, PLACE.object_key)):
        with pytest.raises(HeaderChangedError, match="does not unwrap"):
            unseal_by(box, sealed, place)
        assert box.asked[-1][1]["key"] == place.object_key, "the log of the box shows what was asked for"


def test_row_2_no_byte_of_a_stanza_can_be_changed(box):
    sealed = seal_for(box, b"x")
    used = 66 + int.from_bytes(sealed[STANZA + 16 : STANZA + 18], "big")
    for at in [*range(STANZA, STANZA + used), *range(STANZA + used, STANZA + STANZA_BYTES, 97)]:
        with pytest.raises(SealedObjectError):
            unseal_by(box, flip(sealed, at))


@pytest.mark.parametrize("size", [0, BLOB_BYTES_MAX + 1, 0xFFFF])
def test_row_2_impossible_blobs_do_not_reach_the_box(box, size):
    sealed = seal_for(box)
    box.asked.clear()
    changed = sealed[: STANZA + 16] + struct.pack(">H", size) + sealed[STANZA + 18 :]
    with pytest.raises(HeaderChangedError, match="no possible size"):
        unseal_by(box, changed)
    assert box.asked == []


def test_row_2_stanzas_of_another_object_are_refused(box):
    one, two = seal_for(box), seal_for(box)
    swapped = one[:STANZA] + two[STANZA : STANZA + STANZA_BYTES] + one[STANZA + STANZA_BYTES :]
    with pytest.raises(NotForThisKeyError):
        unseal_by(box, swapped)
    named = one[:STANZA] + one[STANZA : STANZA + 8] + two[STANZA + 8 : STANZA + STANZA_BYTES] + one[STANZA + STANZA_BYTES :]
    with pytest.raises(HeaderChangedError):
        unseal_by(box, named)


def test_row_2_an_older_object_is_told_from_a_newer_one(box, tmp_path):
    seen = Seen(tmp_path / "seen.db")
    old, new = (seal_for(box, now_ms=lambda at=at: at) for at in (1000, 2000))
    assert content(unseal_by(box, new, seen=seen)) == DATA
    with pytest.raises(RolledBackError):
        unseal_by(box, old, seen=seen)


def test_row_3_the_number_that_the_box_was_told_is_the_objects(box):
    sealed = seal(DATA, to=(ENEMY.recipient,))
    opened = open_header(sealed, unwrapper(ENEMY, None, PLACE), [KEY.sealer])
    number = opened.manifest.sequence + 1
    made = box.fresh_key(box_context(PLACE, opened.object_id, number))
    stanza = wrap_for_box(opened.data_key, made, opened.object_id, number)
    header, _ = build_header(
        opened.manifest, opened.data_key, opened.object_id, [stanza], opened.segment_header, nonce=bytes(12), sealer=KEY
    )
    with pytest.raises(HeaderChangedError, match="number"):
        unseal_by(box, header + sealed[opened.body_at :])


def test_row_3_a_server_that_answers_another_key_opens_nothing():
    sealed = seal_for(FakeBox())
    with pytest.raises(HeaderChangedError, match="another key"):
        unseal_by(LyingBox(), sealed)


def test_row_3_a_server_that_repeats_its_keys_repeats_no_cipher():
    box = RepeatingBox()
    one, two = seal_for(box), seal_for(box)
    wrapped = [sealed[STANZA + 18 : STANZA + 66] for sealed in (one, two)]
    assert wrapped[0] != wrapped[1]
    assert content(unseal_by(box, one)) == content(unseal_by(box, two)) == DATA
    carried = two[: STANZA + 18] + wrapped[0] + two[STANZA + 66 :]
    with pytest.raises(HeaderChangedError):
        unseal_by(box, carried)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_row_4_a_range_is_the_slice(box, size):
    data = plain(size)
    file = unseal_by(box, seal_for(box, data))
    edges = sorted({edge for edge in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, size - 1, size) if 0 <= edge <= size})
    for start in edges:
        for stop in (edge for edge in edges if edge >= start):
            assert content(file, start, stop) == data[start:stop]


def test_row_4_a_changed_chunk_gives_nothing(box):
    sealed = seal_for(box)
    at = outline(sealed).body_at + 88 + SEALED + 5
    file = unseal_by(box, flip(sealed, at))
    assert content(file, 0, CHUNK) == DATA[:CHUNK]
    with pytest.raises(SealedObjectError):
        content(file, CHUNK, 2 * CHUNK)


def test_row_11_whoever_may_ask_the_box_cannot_pass_for_the_customer(box):
    """A thief of the box's credential can make objects that the box opens, but no signature of the customer."""
    for forged, error in (
        (seal_for(box, sealer=ENEMY), UnknownSealerError),
        (seal(DATA, box=box, sealer=None), UnsignedError),
    ):
        with pytest.raises(error):
            unseal_by(box, forged)


def test_row_11_a_box_cannot_be_added_dropped_or_exchanged(box):
    sealed = seal(DATA, box=box)
    object_id, count_at = sealed[16:32], 10
    mine, boxes = (sealed[at : at + STANZA_BYTES] for at in (STANZA, STANZA + STANZA_BYTES))
    rest = sealed[STANZA + 2 * STANZA_BYTES :]
    evil = FakeBox(b"e" * 32)
    sequence = int.from_bytes(boxes[8:16], "big")
    evils = wrap_for_box(bytes(32), evil.fresh_key(box_context(PLACE, object_id, sequence)), object_id, sequence)

    def built(*stanzas):
        return sealed[:count_at] + struct.pack(">H", len(stanzas)) + sealed[12:32] + b"".join(stanzas) + rest

    assert built(mine, boxes) == sealed
    planted = wrap(bytes(32), ENEMY.recipient, object_id)
    for stanzas in ((boxes,), (boxes, mine), (mine, boxes, planted), (mine, boxes, evils), (mine, evils), (evils, boxes)):
        for asked in (box, evil):
            with pytest.raises(SealedObjectError):
                unseal_by(asked, built(*stanzas))


def test_the_box_is_asked_for_each_stanza_at_most_once(box):
    sealed = seal_for(box)
    stanza, rest = sealed[STANZA : STANZA + STANZA_BYTES], sealed[STANZA + STANZA_BYTES :]
    evils = flip(stanza, 70)

    def built(count):
        return sealed[:10] + struct.pack(">H", count) + sealed[12:32] + evils * count + rest

    box.asked.clear()
    with pytest.raises(HeaderChangedError):
        unseal_by(box, built(BOXES_MAX))
    assert len(box.asked) == BOXES_MAX
    box.asked.clear()
    with pytest.raises(HeaderChangedError, match="more than"):
        unseal_by(box, built(BOXES_MAX + 1))
    assert box.asked == []


@pytest.mark.parametrize("about_key", [True, False])
def test_a_refusal_is_the_boxs_own_word(box, about_key, monkeypatch):
    sealed = seal_for(box)

    def refuse(_blob, _context):
        raise KeyServerRefusedError("no", is_about_key=about_key)

    monkeypatch.setattr(box, "unwrap", refuse)
    with pytest.raises(KeyServerRefusedError, match="no"):
        unseal_by(box, sealed)


@pytest.mark.parametrize(("plaintext", "blob"), [(31, 100), (33, 100), (0, 100), (32, 0), (32, BLOB_BYTES_MAX + 1)])
def test_what_no_stanza_holds_is_not_sealed_with(plaintext, blob):
    with pytest.raises(KeyServerLiedError):
        wrap_for_box(bytes(32), BoxKey(bytes(plaintext), bytes(blob)), bytes(16), 1)


def test_the_largest_blob_fits_and_secrets_do_not_show():
    made = BoxKey(bytes(32), bytes(BLOB_BYTES_MAX))
    assert len(wrap_for_box(bytes(32), made, bytes(16), 1)) == STANZA_BYTES
    assert repr(made) == f"BoxKey({BLOB_BYTES_MAX} bytes of blob)"
