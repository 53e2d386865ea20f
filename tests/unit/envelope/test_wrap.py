"""Data keys open for their own place, under the account's key, and for SSE-C under the customer's key too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import SealBrokenError, WrongCustomerKeyError
from siegel.envelope.context import Place, Purpose, encode_context
from siegel.envelope.record import RecordKey
from siegel.envelope.wrap import unwrap_data_key, unwrap_for_customer, wrap_data_key, wrap_for_customer

PLACE = Place("123456789012", 7, "photo.jpg", b"v" * 16)
OTHER_PLACES = [
    Place("210987654321", 7, "photo.jpg", b"v" * 16),
    Place("123456789012", 8, "photo.jpg", b"v" * 16),
    Place("123456789012", 7, "photo.jpeg", b"v" * 16),
    Place("123456789012", 7, "photo.jpg", b"w" * 16),
]
WRAPPING = RecordKey(b"w" * 32)
DATA_KEY = bytes(range(32))
CUSTOMER_KEY = b"c" * 32
NONCE = b"n" * 12
SALT = b"s" * 32

keys = st.binary(min_size=32, max_size=32)


def wrap(customer_key: bytes = CUSTOMER_KEY) -> bytes:
    return wrap_for_customer(WRAPPING, customer_key, DATA_KEY, PLACE, salt=SALT, nonce=NONCE)


@given(keys)
def test_a_wrapped_data_key_opens_again(data_key):
    assert unwrap_data_key(WRAPPING, wrap_data_key(WRAPPING, data_key, PLACE, NONCE), PLACE) == data_key


@pytest.mark.parametrize("place", OTHER_PLACES)
def test_a_data_key_belongs_to_one_version_of_one_object(place):
    with pytest.raises(SealBrokenError):
        unwrap_data_key(WRAPPING, wrap_data_key(WRAPPING, DATA_KEY, PLACE, NONCE), place)


def test_a_record_for_another_purpose_is_no_wrapped_key():
    head = WRAPPING.seal(DATA_KEY, encode_context(Purpose.HEAD, PLACE), NONCE)
    with pytest.raises(SealBrokenError):
        unwrap_data_key(WRAPPING, head, PLACE)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_data_key_of_another_size_is_neither_wrapped_nor_unwrapped(size):
    with pytest.raises(SealBrokenError, match="wrong size"):
        wrap_data_key(WRAPPING, b"d" * size, PLACE, NONCE)


class ForgetfulKey(RecordKey):
    """A key on a machine whose memory lies: it opens everything to zeros."""

    def open(self, sealed, context):
        return b"\0" * 32


def test_a_wrap_that_does_not_open_to_the_same_key_is_never_handed_out():
    with pytest.raises(SealBrokenError, match="fresh wrap"):
        wrap_data_key(ForgetfulKey(b"w" * 32), DATA_KEY, PLACE, NONCE)


@given(keys, keys, st.binary(min_size=32, max_size=32))
def test_both_keys_together_open_a_customer_wrap(customer_key, data_key, salt):
    wrapped = wrap_for_customer(WRAPPING, customer_key, data_key, PLACE, salt=salt, nonce=NONCE)
    assert unwrap_for_customer(WRAPPING, customer_key, wrapped, PLACE) == data_key


def test_a_wrong_customer_key_is_told_as_such():
    with pytest.raises(WrongCustomerKeyError):
        unwrap_for_customer(WRAPPING, b"C" + CUSTOMER_KEY[1:], wrap(), PLACE)


def test_damage_is_never_mistaken_for_a_wrong_key():
    wrapped = wrap()
    for bit in range(len(wrapped) * 8):
        broken = bytearray(wrapped)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBrokenError) as caught:
            unwrap_for_customer(WRAPPING, CUSTOMER_KEY, bytes(broken), PLACE)
        assert caught.type is SealBrokenError


@pytest.mark.parametrize("place", OTHER_PLACES)
def test_a_customer_wrap_belongs_to_one_version_of_one_object(place):
    with pytest.raises(SealBrokenError) as caught:
        unwrap_for_customer(WRAPPING, CUSTOMER_KEY, wrap(), place)
    assert caught.type is SealBrokenError


def test_the_customers_key_alone_does_not_open_it():
    with pytest.raises(SealBrokenError):
        unwrap_for_customer(RecordKey(b"x" * 32), CUSTOMER_KEY, wrap(), PLACE)


def test_the_accounts_key_alone_does_not_open_it():
    with pytest.raises(SealBrokenError):
        unwrap_data_key(WRAPPING, wrap(), PLACE)
    layer = WRAPPING.open(wrap(), encode_context(Purpose.CUSTOMER_KEY, PLACE))
    assert DATA_KEY not in layer
    assert CUSTOMER_KEY not in layer


def test_the_same_keys_leave_no_common_trace():
    context = encode_context(Purpose.CUSTOMER_KEY, PLACE)
    one = WRAPPING.open(wrap(), context)
    two = WRAPPING.open(wrap_for_customer(WRAPPING, CUSTOMER_KEY, DATA_KEY, PLACE, salt=b"t" * 32, nonce=NONCE), context)
    assert one[33:65] != two[33:65]
    assert one[65:] != two[65:]


@pytest.mark.parametrize("change", [lambda layer: b"\xc2" + layer[1:], lambda layer: layer[:-1], lambda layer: b""])
def test_a_layer_of_another_version_or_size_is_refused(change):
    context = encode_context(Purpose.CUSTOMER_KEY, PLACE)
    layer = change(WRAPPING.open(wrap(), context))
    with pytest.raises(SealBrokenError, match="unknown version"):
        unwrap_for_customer(WRAPPING, CUSTOMER_KEY, WRAPPING.seal(layer, context, NONCE), PLACE)


def test_a_layer_that_was_made_for_another_place_is_refused_although_its_record_is_whole():
    here, there = (encode_context(Purpose.CUSTOMER_KEY, place) for place in (PLACE, OTHER_PLACES[0]))
    moved = WRAPPING.seal(WRAPPING.open(wrap(), here), there, NONCE)
    with pytest.raises(SealBrokenError, match="layer does not open"):
        unwrap_for_customer(WRAPPING, CUSTOMER_KEY, moved, OTHER_PLACES[0])


@pytest.mark.parametrize(("customer", "data", "salt"), [(31, 32, 32), (32, 31, 32), (32, 32, 31)])
def test_keys_and_salt_have_32_bytes(customer, data, salt):
    with pytest.raises(ValueError, match="32 bytes"):
        wrap_for_customer(WRAPPING, b"c" * customer, b"d" * data, PLACE, salt=b"s" * salt, nonce=NONCE)
