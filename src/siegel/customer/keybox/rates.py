"""Rates: a bucket of tokens, which fills by itself and holds at most those of one minute."""

from typing import Final

_MINUTE_MS: Final = 60_000


class Rate:
    """At most `per_minute` calls a minute; after a pause as many at once."""

    __slots__ = ("_at_ms", "_per_minute", "_tokens")

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._tokens = float(per_minute)
        self._at_ms = 0

    def take(self, now_ms: int) -> bool:
        """Tell whether one more call is within the rate at `now_ms`, and count it if it is. A clock set back fills nothing."""
        elapsed_ms = max(now_ms - self._at_ms, 0) if self._at_ms else 0
        self._at_ms = now_ms
        self._tokens = min(self._tokens + elapsed_ms * self._per_minute / _MINUTE_MS, self._per_minute)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
