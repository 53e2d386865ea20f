"""What an operator and a customer should hear of at once: requests that a thief of access keys makes who wants a ransom.

He would seal what is there under a key of his own (SSE-C), and let the rest expire within days. Both leave a warning in the
service's log that begins with `alarm:`, at most one a minute for each bucket and cause.
Precedent: "Codefinger", Halcyon, January 2025.
"""

import logging
from typing import Final

from siegel.domain.lifecycle import Lifecycle
from siegel.domain.objects import Bucket
from siegel.service.trail import Trail

EVERY_MS: Final = 60_000
SHORT_DAYS_MAX: Final = 7
_REMEMBERED_MAX: Final = 1_000

_log = logging.getLogger(__name__)


class Alarms:
    """Raises alarms, and not the same one again and again."""

    def __init__(self) -> None:
        self._raised_at_ms: dict[tuple[int, str], int] = {}

    def customer_key_refused(self, bucket: Bucket, trail: Trail) -> None:
        """Tell that somebody tried to write under a key of his own (SSE-C) where that is blocked."""
        self._raise(bucket, trail, "a write under a customer's key (SSE-C) was refused, where such keys are blocked")

    def lifecycle_put(self, bucket: Bucket, trail: Trail, lifecycle: Lifecycle) -> None:
        """Tell that somebody has let objects, or what versioning keeps of them, expire within days."""
        for rule in lifecycle.rules:
            days = [days for days in (rule.expire_days, rule.noncurrent_days) if days]
            if rule.is_enabled and days and min(days) <= SHORT_DAYS_MAX:
                self._raise(bucket, trail, f"a lifecycle rule was put that removes objects after {min(days)} days")
                return

    def _raise(self, bucket: Bucket, trail: Trail, what: str) -> None:
        place = bucket.bucket_id, what
        raised_at_ms = self._raised_at_ms.get(place)
        if raised_at_ms is not None and 0 <= trail.at_ms - raised_at_ms < EVERY_MS:
            return
        if len(self._raised_at_ms) >= _REMEMBERED_MAX:
            self._raised_at_ms.clear()
        self._raised_at_ms[place] = trail.at_ms
        # Names of buckets and persons are the customer's: he finds them in his ledger, by the request.
        _log.warning("alarm: account %s, bucket %d: %s; request %s", bucket.account_id, bucket.bucket_id, what, trail.request_id)
