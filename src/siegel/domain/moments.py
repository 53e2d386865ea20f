"""Times as they are written for people and in documents: RFC 3339, UTC, the same everywhere."""

from datetime import UTC, datetime


def encode_time(at_s: float) -> str:
    """Return a time in seconds since 1970, for example `2026-03-01T12:00:00Z`. What is less than a second is left out."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode_time_ms(at_ms: int) -> str:
    """Return a time with its milliseconds, as in the logs that others are compared with: `2026-03-01T12:00:00.007Z`."""
    return f"{encode_time(at_ms // 1000)[:-1]}.{at_ms % 1000:03d}Z"
