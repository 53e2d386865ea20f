"""Dates on the wire. Inside, a time is an integer of milliseconds since the Unix epoch, UTC.

Headers carry the RFC 1123 form and XML the ISO 8601 form; both show whole seconds, so that they agree with each other.
Both have four digits for the year: no date is read that could not be shown, and what ends after the year 9999, as an object that
expires in millions of days, is shown as its last second.

Sources: RFC 9110 section 5.6.7; RFC 3339.
"""

import re
from calendar import timegm
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS: Final = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_TWO_DIGIT_YEAR_PIVOT: Final = 70
_DAY_S: Final = 86_400
_LAST_S: Final = 253_402_300_799
"""9999-12-31T23:59:59Z."""

_CLOCK: Final = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        # RFC 1123, and RFC 850 with its dashes and two-digit years; the zone may also be numeric zeros.
        rf"[a-z]+, ?(?P<day>\d{{1,2}})[ -](?P<month>[a-z]{{3}})[ -](?P<year>\d{{4}}|\d{{2}}) {_CLOCK} (?:GMT|UTC|Z|[+-]0000)",
        # asctime
        rf"[a-z]+ (?P<month>[a-z]{{3}}) (?P<day> \d|\d{{2}}) {_CLOCK} (?P<year>\d{{4}})",
        # RFC 3339 in UTC
        rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})T{_CLOCK}(?:\.\d{{1,9}})?(?:Z|[+-]00:?00)",
    )
)


def _date(day: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)


@lru_cache(maxsize=4096)
def _http_day(day: int) -> str:
    date = _date(day)
    return f"{_DAYS[date.weekday()]}, {date.day:02} {_MONTHS[date.month - 1]} {date.year:04} "


@lru_cache(maxsize=4096)
def _iso_day(day: int) -> str:
    return _date(day).strftime("%Y-%m-%dT")


_TWO_DIGITS: Final = tuple(f"{number:02}:" for number in range(60))
_LAST_OF_HTTP: Final = tuple(f"{number:02} GMT" for number in range(60))
_LAST_OF_ISO: Final = tuple(f"{number:02}.000Z" for number in range(60))


def format_http_date(at_ms: int) -> str:
    """Return the form of headers, for example `Sun, 06 Nov 1994 08:49:37 GMT`."""
    day, second = divmod(min(at_ms // 1000, _LAST_S), _DAY_S)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return _http_day(day) + _TWO_DIGITS[hour] + _TWO_DIGITS[minute] + _LAST_OF_HTTP[second]


def format_iso(at_ms: int) -> str:
    """Return the form of XML, for example `1994-11-06T08:49:37.000Z`."""
    day, second = divmod(min(at_ms // 1000, _LAST_S), _DAY_S)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return _iso_day(day) + _TWO_DIGITS[hour] + _TWO_DIGITS[minute] + _LAST_OF_ISO[second]


def parse_date(text: str) -> int | None:
    """Return the time of a date in any form of RFC 9110, or of RFC 3339 in UTC; None if it is none. Fractions are dropped."""
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _moment_ms(match)
    return None


def _moment_ms(match: re.Match[str]) -> int | None:
    year_text, month_text = match["year"], match["month"]
    year = int(year_text)
    if len(year_text) == 2:  # noqa: PLR2004  (two digits)
        year += 2000 if year < _TWO_DIGIT_YEAR_PIVOT else 1900
    month = int(month_text) if month_text.isdecimal() else _MONTH_NUMBERS.get(month_text.lower(), 0)
    # A leap second counts as the first second of the next minute.
    second = int(match["second"])
    try:
        minute = datetime(year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), tzinfo=UTC)
    except ValueError:
        return None
    moment_s = timegm(minute.timetuple()) + second
    return moment_s * 1000 if second <= 60 and moment_s <= _LAST_S else None  # noqa: PLR2004  (seconds)
