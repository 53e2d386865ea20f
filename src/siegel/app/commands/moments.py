"""Times as commands take them."""

import re
import time
from datetime import UTC, datetime
from typing import Final

from siegel.domain.errors import ConfigurationError

_SPAN: Final = re.compile(r"\+([1-9][0-9]{0,5})([mh])", re.ASCII)
# The last second that can be written down, in UTC.
_LATEST_S: Final = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_UNITS_S: Final = {"m": 60, "h": 3600}


def read_moment(text: str) -> int:
    """Return a time in seconds since 1970: `+30m` and `+4h` from now, or a time with its zone. Raises ConfigurationError."""
    span = _SPAN.fullmatch(text)
    if span:
        return int(time.time()) + int(span[1]) * _UNITS_S[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no time\ntry: +30m, +4h, or 2027-01-15T12:00:00Z") from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"{text!r} lacks its time zone\ntry: {text}Z")
    at_s = int(moment.timestamp())
    if not 0 <= at_s <= _LATEST_S:
        raise ConfigurationError(f"{text!r} lies outside of the years 1970 to 9999")
    return at_s
