"""A context names one place and one purpose, and no two of them look alike."""

from hypothesis import given
from hypothesis import strategies as st

from siegel.envelope.context import Place, Purpose, encode_context

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
places = st.builds(Place, names, st.integers(0, 2**64 - 1), names, st.binary(max_size=18))


def test_the_encoding_is_the_one_on_the_format_page():
    place = Place("123456789012", 7, "ü", b"v" * 16)
    assert encode_context(Purpose.HEAD, place, b"detail") == (
        b"SIEGEL-CTX\x01\x04"
        + (7).to_bytes(8, "big")
        + b"\x00\x0c\x00\x02\x00\x10"
        + b"123456789012\xc3\xbc"
        + b"v" * 16
        + b"detail"
    )


def test_letters_that_move_between_fields_make_another_context():
    seen = {
        encode_context(Purpose.TAGS, Place("ab", 1, "cd", b"ef"), b"gh"),
        encode_context(Purpose.TAGS, Place("abc", 1, "d", b"ef"), b"gh"),
        encode_context(Purpose.TAGS, Place("ab", 1, "cde", b"f"), b"gh"),
        encode_context(Purpose.TAGS, Place("ab", 1, "cd", b"efg"), b"h"),
        encode_context(Purpose.TAGS, Place("ab", 1, "cd", b"efgh")),
        encode_context(Purpose.HEAD, Place("ab", 1, "cd", b"ef"), b"gh"),
        encode_context(Purpose.TAGS, Place("ab", 2, "cd", b"ef"), b"gh"),
    }
    assert len(seen) == 7


contexts = st.tuples(st.sampled_from(Purpose), places, st.binary(max_size=5))


@given(contexts, contexts)
def test_different_contexts_never_share_their_bytes(one, other):
    assert (encode_context(*one) == encode_context(*other)) is (one == other)


def test_the_stored_numbers_stay_what_they_are():
    assert {purpose.name: purpose.value for purpose in Purpose}.items() >= {
        "SEGMENT": 1,
        "DATA_KEY": 2,
        "CUSTOMER_KEY": 3,
        "HEAD": 4,
        "TAGS": 5,
        "LAYOUT": 6,
        "UPLOAD_HEAD": 7,
        "PART_HEAD": 8,
    }.items()
