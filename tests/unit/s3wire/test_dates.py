"""Dates in every form that clients send, and in the two that we send."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.s3wire.dates import format_http_date, format_iso, parse_date

MOMENT_MS = 784_111_777_000  # the example of RFC 9110


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "sun, 6 nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "1994-11-06T08:49:37Z",
        "1994-11-06T08:49:37.123456Z",
        "1994-11-06T08:49:37.000+00:00",
    ],
)
def test_trap_23_every_form_of_a_date(text):
    assert parse_date(text) == MOMENT_MS


def test_two_digit_years_belong_to_the_years_around_the_epoch():
    assert format_http_date(parse_date("Friday, 02-Jan-26 00:00:00 GMT")) == "Fri, 02 Jan 2026 00:00:00 GMT"
    assert format_http_date(parse_date("Friday, 02-Jan-70 00:00:00 GMT")) == "Fri, 02 Jan 1970 00:00:00 GMT"


def test_a_leap_second_is_the_start_of_the_next_minute():
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_date("Sun, 01 Jan 2017 00:00:00 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "Fri, 31 Dec 9999 23:59:60 GMT",
        "1994-13-06T08:49:37Z",
        "1994-11-06T08:49:37",
        "٣994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
    ],
)
def test_what_is_no_date(text):
    assert parse_date(text) is None


def test_what_comes_after_the_last_year_of_four_digits_is_shown_as_its_end():
    last_ms = parse_date("9999-12-31T23:59:59Z")
    for at_ms in (last_ms, last_ms + 1000, last_ms + 2_147_483_647 * 86_400_000):
        assert format_http_date(at_ms) == "Fri, 31 Dec 9999 23:59:59 GMT"
        assert format_iso(at_ms) == "9999-12-31T23:59:59.000Z"


@given(second=st.integers(0, 253_402_300_799))
def test_trap_43_both_forms_agree_to_the_second_and_come_back(second):
    for at_ms in (second * 1000, second * 1000 + 999):
        assert format_http_date(at_ms) == formatdate(second, usegmt=True)
        assert parse_date(format_http_date(at_ms)) == second * 1000
        assert parse_date(format_iso(at_ms)) == second * 1000
        assert format_iso(at_ms).endswith(".000Z")
