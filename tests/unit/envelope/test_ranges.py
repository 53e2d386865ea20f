"""Ranges of plaintext find their chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.envelope.ranges import CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES, Span, chunk_span, sealed_size


@pytest.mark.parametrize(
    ("plain", "sealed"),
    [(0, 104), (1, 105), (16383, 16487), (16384, 16504), (16385, 16505), (32768, 88 + 2 * 16400 + 16)],
)
def test_a_segment_has_the_size_of_the_format_page(plain, sealed):
    assert sealed_size(plain) == sealed


@pytest.mark.parametrize(
    ("start", "stop", "size", "span"),
    [
        (0, 0, 0, Span(0, 1, 88, 16, 0, 0)),
        (0, 1, 1, Span(0, 1, 88, 17, 1, 0)),
        (5, 9, 100, Span(0, 1, 88, 116, 100, 5)),
        (16384, 16385, 40000, Span(1, 1, 88 + 16400, 16400, 16384, 0)),
        (16383, 16385, 40000, Span(0, 2, 88, 32800, 32768, 16383)),
        (0, 16384, 40000, Span(0, 1, 88, 16400, 16384, 0)),
        (7, 7, 40000, Span(0, 1, 88, 16400, 16384, 7)),
        # The end is authenticated even where the last chunk is empty.
        (0, 16384, 16384, Span(0, 2, 88, 16416, 16384, 0)),
        (16384, 16384, 16384, Span(1, 1, 16488, 16, 0, 0)),
    ],
)
def test_a_range_names_its_chunks(start, stop, size, span):
    assert chunk_span(start, stop, size) == span


@given(st.data())
def test_a_span_holds_its_range_and_less_than_two_chunks_more(data):
    size = data.draw(st.integers(0, 5 * CHUNK_BYTES))
    stop = data.draw(st.integers(0, size))
    start = data.draw(st.integers(0, stop))
    span = chunk_span(start, stop, size)
    first_byte = span.first_chunk * CHUNK_BYTES
    assert first_byte + span.skip_bytes == start
    assert span.skip_bytes + stop - start <= span.plain_length < stop - start + 2 * CHUNK_BYTES
    assert span.sealed_offset == HEADER_BYTES + span.first_chunk * SEALED_CHUNK_BYTES
    assert span.sealed_offset + span.sealed_length <= sealed_size(size)
    assert (span.sealed_offset + span.sealed_length == sealed_size(size)) is (
        span.first_chunk + span.chunk_count > size // CHUNK_BYTES
    )


@pytest.mark.parametrize(("start", "stop", "size"), [(-1, 0, 5), (3, 2, 5), (0, 6, 5)])
def test_a_range_outside_of_its_plaintext_is_a_mistake(start, stop, size):
    with pytest.raises(ValueError, match="outside"):
        chunk_span(start, stop, size)
