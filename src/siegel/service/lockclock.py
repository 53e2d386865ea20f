"""The lock clock: the time by which retention ends and lifecycles act. It never runs ahead of what has really passed.

The time of day can be set, by mistake or on purpose, and a lock that believed it would open. So the lock clock follows the time
of day only as far as the machine has really run since it was last looked at; time without the machine is believed within an
allowance. Where it lags behind, locks last longer and nothing is lost. Why, and what follows: docs/decisions/0023-lock-clock.md.
"""

from typing import Final

from msgspec.structs import replace

from siegel.domain.entry import Entry
from siegel.domain.ports import Clock, MetaStore, Reader, Uptime, Writer
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind, decode_document, encode_document
from siegel.domain.retention import LockClock
from siegel.service.accounts import LOCAL_OPERATOR

DAY_MS: Final = 24 * 3600 * 1000
ALLOWANCE_MS_MAX: Final = 7 * DAY_MS
"""Time without the machine that is believed at most, before more of it has to be earned by running or confirmed."""

EARNED_SHARE: Final = 10
"""Running for so many hours earns an allowance of one."""

LAG_MS_WARN: Final = 3600 * 1000
"""A lag that the doctor speaks of."""


def advance(known: LockClock | None, now_ms: int, boot_id: str, boot_ms: int) -> LockClock:
    """Return what is known at a later moment; `known` is None where nothing is yet, and the time of day is all there is."""
    if known is None:
        return LockClock(upper_ms=now_ms, boot_id=boot_id, boot_ms=boot_ms, lock_ms=now_ms, allowance_ms=ALLOWANCE_MS_MAX)
    same_boot = known.boot_id == boot_id
    ran_ms = max(boot_ms - known.boot_ms, 0) if same_boot else boot_ms
    upper_ms = known.upper_ms + ran_ms
    allowance_ms = min(known.allowance_ms + ran_ms // EARNED_SHARE, ALLOWANCE_MS_MAX)
    if not same_boot:
        believed_ms = min(max(now_ms - upper_ms, 0), allowance_ms)
        upper_ms += believed_ms
        allowance_ms -= believed_ms
    lock_ms = max(known.lock_ms, min(now_ms, upper_ms))
    return LockClock(upper_ms=upper_ms, boot_id=boot_id, boot_ms=boot_ms, lock_ms=lock_ms, allowance_ms=allowance_ms)


def _stored(reader: Reader) -> LockClock | None:
    stored = reader.records.find(DEPLOYMENT_SCOPE, Kind.LOCK_CLOCK)
    return None if stored is None else decode_document(stored, LockClock)


def _store(tx: Writer, known: LockClock) -> None:
    tx.records.put(DEPLOYMENT_SCOPE, Kind.LOCK_CLOCK, "", encode_document(known))


class LockTime:
    """Tells the lock clock's time. Cheap: what is stored is read again only after a change, two clocks are looked at per call."""

    def __init__(self, store: MetaStore, clock: Clock, uptime: Uptime) -> None:
        self._store = store
        self._clock = clock
        self._uptime = uptime
        self._generation = -1
        self._known: LockClock | None = None

    def now_ms(self) -> int:
        """Return the time by which locks are judged. Raises StorageError if what is stored of it is damaged."""
        return self.look().lock_ms

    def moment(self) -> tuple[int, int]:
        """Return `now_ms`, and the time from which a new retention counts: no clock that was set back makes it end early."""
        lock_ms = self.now_ms()
        return lock_ms, max(self._clock.now_ms(), lock_ms)

    def lag_ms(self) -> int:
        """Return how far the lock clock is behind the time of day; negative where it is ahead of it."""
        return self._clock.now_ms() - self.now_ms()

    def look(self) -> LockClock:
        """Return all that is known at this moment."""
        generation = self._store.generation()
        if generation != self._generation or self._known is None:
            self._known = _stored(self._store.reader)
            self._generation = generation
        # The latest time that was ever told is kept: a clock that is set back does not make the lock clock forget it.
        self._known = self._advance(self._known)
        return self._known

    def _advance(self, known: LockClock | None) -> LockClock:
        return advance(known, self._clock.now_ms(), self._uptime.boot_id, self._uptime.ran_ms())

    async def keep(self) -> None:
        """Write down what is known, so that a machine that stops loses at most what passed since. Raises StorageError."""

        def change(tx: Writer) -> None:
            before = _stored(tx)
            known = self._advance(before)
            if before is None or before.boot_id != known.boot_id:
                # Within one boot every process reckons alike from any older note; after a new one they must read it.
                tx.invalidate()
            _store(tx, known)

        await self._store.write(change, None)

    async def confirm(self) -> int:
        """Take the time of day for true, as an operator who has checked it may; return the lag that this ends, in milliseconds.

        The journal says so. Locks open, or last longer, by that much.
        """

        def change(tx: Writer) -> int:
            now_ms = self._clock.now_ms()
            known = self._advance(_stored(tx))
            tx.invalidate()
            _store(tx, replace(known, upper_ms=now_ms, lock_ms=now_ms, allowance_ms=ALLOWANCE_MS_MAX))
            return now_ms - known.lock_ms

        def entry(lag_ms: int) -> Entry:
            return Entry(
                at_ms=self._clock.now_ms(),
                request_id="",
                kind="clock.confirm",
                account_id="",
                principal=LOCAL_OPERATOR,
                bucket="",
                reason=f"the lock clock was {lag_ms} ms behind the time of day",
            )

        return await self._store.write(change, entry)
