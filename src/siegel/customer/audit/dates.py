"""Whether entries came in time and in order, each once.

A ledger promises to take up an entry within a second. So an entry that was recorded well before a head that lacks it was held
back, or made up later; and one that stands behind much later ones was moved, or dated back.
"""

from hashlib import sha256
from typing import Final

from msgspec import Struct

from siegel.customer.audit.findings import Name, Report, time_text
from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.entry_heads import read_entry_head

# A hundred years. Who looks at an old mirror may want no bound at all, which is what that comes to.
MAX_AGE_S_MAX: Final = 3_155_760_000
DELAY_S_MAX: Final = MAX_AGE_S_MAX


class Promise(Struct, frozen=True):
    """What the ledger promises, and what clocks are forgiven: a head at least so often, an entry taken up that soon."""

    max_age_s: int = 3600
    delay_s: int = 10


class Dates:
    """Looks at entries one by one, from the first on."""

    def __init__(self, report: Report, promise: Promise, verified_at_s: int | None) -> None:
        """Add findings to `report`, whose head is known. `verified_at_s`: when the head was signed that was verified before."""
        self._report = report
        self._delay_ms = promise.delay_s * 1000
        self._latest_ms: int | None = None if report.head_at_s is None else report.head_at_s * 1000 + self._delay_ms
        self._earliest_ms = None if verified_at_s is None else verified_at_s * 1000 - self._delay_ms
        self._newest_ms = 0
        self._newest_at = 0
        self._near: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}
        self._turn_ms = 0

    def look(self, index: int, entry: bytes) -> None:
        """Look at the entry at `index`."""
        try:
            head = read_entry_head(entry)
        except LedgerFormError as error:
            self._report.add(Name.DATES, f"entry {index}: {error}", entry=index)
            return
        if head is None:
            return
        at_ms = head.recorded_at_ms
        if self._report.first_entry_at_ms is None:
            self._report.first_entry_at_ms = at_ms
        self._order(index, at_ms)
        self._once(index, at_ms, entry)
        if self._latest_ms is not None and at_ms > self._latest_ms:
            self._report.add(
                Name.DATES,
                f"entry {index} is dated {time_text(at_ms / 1000)}, after the head that has it was signed",
                entry=index,
            )
        if self._earliest_ms is not None and index >= self._report.verified_before and at_ms < self._earliest_ms:
            self._report.add(
                Name.DATES,
                f"entry {index} is dated {time_text(at_ms / 1000)}, but the head that was signed later lacks it: "
                "it was held back, or made up afterwards",
                entry=index,
            )

    def _order(self, index: int, at_ms: int) -> None:
        if at_ms < self._newest_ms - self._delay_ms:
            self._report.add(
                Name.DATES,
                f"entry {index} is dated {time_text(at_ms / 1000)} and stands behind entry {self._newest_at}, which is dated "
                f"{time_text(self._newest_ms / 1000)}: it was moved or dated back, or the ledger's clock was set",
                entry=index,
                behind=self._newest_at,
            )
        elif at_ms > self._newest_ms:
            self._newest_ms, self._newest_at = at_ms, index
            self._report.last_entry_at_ms = at_ms

    def _once(self, index: int, at_ms: int, entry: bytes) -> None:
        """Find entries that are the same, byte for byte. They have one date, so only near ones need be remembered."""
        if at_ms > self._turn_ms + self._delay_ms:
            self._older, self._near, self._turn_ms = self._near, {}, at_ms
        hashed = sha256(entry).digest()
        first = self._near.get(hashed, self._older.get(hashed))
        if first is not None:
            self._report.add(Name.DATES, f"entry {index} is entry {first} again", entry=index, first=first)
        self._near[hashed] = index
