import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import InvalidURIError
from siegel.s3wire import uri


@given(st.text())
def test_what_is_encoded_decodes_to_itself(text):
    assert uri.decode(uri.encode(text).encode()) == text
    assert uri.decode_form(uri.encode(text).encode()) == text
    assert uri.decode(uri.encode_path(text).encode()) == text


def test_only_unreserved_characters_stay_as_they_are():
    assert uri.encode("aZ09-._~/ +%&=é") == "aZ09-._~%2F%20%2B%25%26%3D%C3%A9"
    assert uri.encode_path("a/b c") == "a/b%20c"


def test_an_escape_is_decoded_once_and_in_either_case():
    assert uri.decode(b"%252F%2f%2F%41") == "%2F//A"
    assert uri.decode(b"a%2Fb") == "a/b"


def test_a_plus_is_a_space_in_a_query_only():
    assert uri.decode(b"a+b") == "a+b"
    assert uri.decode_form(b"a+b%2Bc") == "a b+c"


@pytest.mark.parametrize("raw", [b"%", b"%4", b"%4g", b"%%2F", b"a%2", b"%u0041", b"% 41", b"%+1"])
def test_a_broken_escape_is_refused(raw):
    with pytest.raises(InvalidURIError, match="percent sign"):
        uri.decode(raw)


@pytest.mark.parametrize("raw", [b"\xff", b"%FF", b"%C3", b"%ED%A0%80", b"%C0%AF", b"%F8%88%80%80%80"])
def test_what_is_not_utf8_is_refused(raw):
    with pytest.raises(InvalidURIError, match="UTF-8"):
        uri.decode(raw)
