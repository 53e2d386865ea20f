"""Ranges of bytes, as S3 reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import InvalidArgumentError, InvalidRangeError, InvalidRequestError
from siegel.s3wire.ranges import ByteRange, named_range, parse_copy_range, parse_range
from tests.unit.s3wire.finite import finite


@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 10),
        ("bytes=3-", 3, 10),
        ("bytes=-4", 6, 10),
        ("bytes=-100", 0, 10),
        ("Bytes=2-3", 2, 4),
        ("bytes=00000000000000000000000000002-3", 2, 4),
        ("bytes=9-" + "9" * 60_000, 9, 10),
        ("bytes=-" + "9" * 60_000, 0, 10),
    ],
)
def test_trap_37_a_range_within_the_object(value, start, stop):
    found = parse_range(value, 10)
    assert found == ByteRange(start, stop, 10)
    assert found.length == stop - start
    assert found.content_range == f"bytes {start}-{stop - 1}/10"


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=" + "9" * 60_000 + "-"])
def test_trap_37_a_range_beyond_the_object(value):
    with pytest.raises(InvalidRangeError) as refusal:
        parse_range(value, 10)
    assert refusal.value.headers == {"Content-Range": "bytes */10"}
    assert refusal.value.fields["ActualObjectSize"] == "10"


@pytest.mark.parametrize("value", ["bytes=0-0", "bytes=0-", "bytes=-1"])
def test_trap_37_an_empty_object_has_no_range(value):
    with pytest.raises(InvalidRangeError):
        parse_range(value, 0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-3",
        "bytes=1",
        "bytes=+1-2",
        "bytes= 1-2",
        "lines=1-2",
        "bytes=²-3",
    ],
)
def test_trap_37_a_malformed_range_is_ignored(value):
    assert parse_range(value, 10) is None


@pytest.mark.parametrize("count", [2, 100, 100_000])
def test_t60_cve_2025_62727_many_ranges_are_ignored_at_once(count):
    value = "bytes=" + ",".join(f"{n}-{n}" for n in range(count))
    with finite():
        assert parse_range(value, 10**6) is None


@given(start=st.integers(0, 50), last=st.integers(0, 80), size=st.integers(1, 50))
def test_a_range_selects_what_a_slice_selects(start, last, size):
    data = bytes(range(size))
    try:
        found = parse_range(f"bytes={start}-{last}", size)
    except InvalidRangeError:
        assert start >= size
    else:
        assert (found is None) == (last < start)
        if found is not None:
            assert data[found.start : found.stop] == data[start : last + 1]


def test_a_copy_range_must_be_exact():
    assert parse_copy_range(None, 10) is None
    assert parse_copy_range("bytes=2-9", 10) == ByteRange(2, 10, 10)
    for value in ("0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=hello-", "bytes=0-2,3-5", "bytes=-2", "bytes=3-1"):
        with pytest.raises(InvalidArgumentError, match="bytes=first-last"):
            parse_copy_range(value, 10)


@pytest.mark.parametrize("value", ["bytes=0-10", "bytes=9-11", "bytes=0-" + "9" * 5000])
def test_a_copy_range_must_lie_within_its_source(value):
    with pytest.raises(InvalidArgumentError, match="source object of size: 10"):
        parse_copy_range(value, 10)


@pytest.mark.parametrize("value", ["bytes=10-11", "bytes=100-200"])
def test_a_copy_range_must_begin_within_its_source(value):
    with pytest.raises(InvalidRequestError, match="invalid for the source object size"):
        parse_copy_range(value, 10)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (None, ""),
        ("bytes=0-99", "0-99"),
        ("Bytes=007-8", "7-8"),
        ("bytes=100-", "100-"),
        ("bytes=-5", "-5"),
        ("bytes=5-" + "9" * 60_000, f"5-{1 << 63}"),
        ("bytes=9-3", ""),
        ("bytes=-", ""),
        ("bytes=0-1,3-4", ""),
        ("lines=0-1", ""),
    ],
)
def test_a_range_is_named_without_the_size_of_anything(value, named):
    assert named_range(value) == named
