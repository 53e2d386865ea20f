"""A record opens under its key and context, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import SealBrokenError
from siegel.envelope.record import RECORD_OVERHEAD_BYTES, RecordKey, open_record, seal_record

KEY = RecordKey(b"k" * 32)
NONCE = b"n" * 12


@given(st.binary(max_size=600), st.binary(max_size=60), st.binary(min_size=12, max_size=12))
def test_what_was_sealed_opens_again(plaintext, context, nonce):
    sealed = KEY.seal(plaintext, context, nonce)
    assert KEY.open(sealed, context) == plaintext
    assert len(sealed) == len(plaintext) + RECORD_OVERHEAD_BYTES


def test_every_flipped_bit_is_noticed():
    sealed = KEY.seal(b"ETag and headers", b"place", NONCE)
    for bit in range(len(sealed) * 8):
        broken = bytearray(sealed)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBrokenError):
            KEY.open(bytes(broken), b"place")


def test_every_cut_is_noticed_and_so_is_an_appendix():
    sealed = KEY.seal(b"ETag and headers", b"place", NONCE)
    for size in range(len(sealed)):
        with pytest.raises(SealBrokenError):
            KEY.open(sealed[:size], b"place")
    with pytest.raises(SealBrokenError):
        KEY.open(sealed + b"\0", b"place")


def test_the_one_record_of_a_key_is_sealed_and_opened_without_building_it():
    sealed = seal_record(b"k" * 32, b"x", b"place", NONCE)
    assert sealed == KEY.seal(b"x", b"place", NONCE)
    assert open_record(b"k" * 32, sealed, b"place") == b"x"
    for key, broken, context in (
        (b"k" * 32, sealed, b"other"), (b"j" * 32, sealed, b"place"), (b"k" * 32, sealed[:-1], b"place"),
        (b"k" * 32, b"\2" + sealed[1:], b"place"), (b"k" * 32, sealed[:20], b"place"),
    ):  # fmt: skip
        with pytest.raises(SealBrokenError):
            open_record(key, broken, context)


def test_another_place_does_not_open_it():
    with pytest.raises(SealBrokenError, match="another place"):
        KEY.open(KEY.seal(b"x", b"here", NONCE), b"there")


def test_another_key_does_not_open_it():
    with pytest.raises(SealBrokenError):
        RecordKey(b"j" * 32).open(KEY.seal(b"x", b"here", NONCE), b"here")


def test_a_later_version_is_refused_by_name():
    with pytest.raises(SealBrokenError, match="unknown version"):
        KEY.open(b"\x02" + KEY.seal(b"x", b"here", NONCE)[1:], b"here")


@pytest.mark.parametrize("size", [0, 16, 24, 31, 33])
def test_a_key_has_32_bytes(size):
    with pytest.raises(ValueError, match="32 bytes"):
        RecordKey(b"k" * size)
    with pytest.raises(ValueError, match="32 bytes"):
        seal_record(b"k" * size, b"x", b"here", NONCE)


@pytest.mark.parametrize("size", [0, 8, 11, 13])
def test_a_nonce_has_12_bytes(size):
    with pytest.raises(ValueError, match="12 bytes"):
        KEY.seal(b"x", b"here", b"n" * size)
    with pytest.raises(ValueError, match="nonce 12"):
        seal_record(b"k" * 32, b"x", b"here", b"n" * size)


def test_a_key_is_never_shown():
    assert "kkkk" not in repr(KEY)
