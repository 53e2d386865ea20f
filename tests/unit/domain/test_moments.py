"""Times are written in one way, by whoever prints them."""

import re
from pathlib import Path

import pytest

import siegel
from siegel.domain.moments import encode_time, encode_time_ms


@pytest.mark.parametrize(("at_s", "text"), [(0, "1970-01-01T00:00:00Z"), (1_772_366_400.999, "2026-03-01T12:00:00Z")])
def test_a_time_is_written_to_the_second(at_s, text):
    assert encode_time(at_s) == text


def test_milliseconds_are_never_rounded_into_the_next_second():
    assert encode_time_ms(1_772_366_400_007) == "2026-03-01T12:00:00.007Z"
    assert encode_time_ms(1_772_366_400_999) == "2026-03-01T12:00:00.999Z"


def test_nobody_else_writes_times_for_people():
    """Names of files and dates of signed requests are without dashes."""
    written = re.compile(r"\.isoformat\(|strftime\(.*%Y-|gmtime.*%Y-|:%Y-")
    found = {path.name for path in Path(siegel.__file__).parent.rglob("*.py") if written.search(path.read_text())}
    # Dates of S3, with milliseconds, are made from a remembered day.
    assert found == {"moments.py", "dates.py"}
