"""What is answered to requests that prove nobody: unsigned, or not signed by a key that there is. Anybody sends them without end.

These are refusals, and CORS preflights, which nobody signs and a bucket's rules allow: both alike, each for itself. Of one
bucket, or of what is an account's and in no bucket, the first EACH_MAX in a minute have an entry each. Then an entry
`refused.counting` (`preflight.counting`) says that further ones are counted, and at the end of the minute an entry
`refused.counted` (`preflight.counted`) says how many there were of each reason. Nothing is counted before the entry that says so
is durable: of a process that is killed in between, the log tells that it was counting, and for how long. What is signed by a key
that there is always has an entry of its own, and so has what any statement allows, and whom an identity provider of the account
vouches for.
"""

import asyncio
import logging
from collections import Counter
from typing import Final

from siegel.access.caller import CallerKind
from siegel.domain.entry import Entry
from siegel.domain.errors import StorageError
from siegel.domain.ports import Clock, Journal
from siegel.service.trail import Trail

EACH_MAX: Final = 60
WINDOW_MS: Final = 60_000
# Buckets and accounts that are counted at a time; beyond them each refusal has its entry.
PLACES_MAX: Final = 10_000
COUNTING: Final = "refused.counting"
COUNTED: Final = "refused.counted"
PREFLIGHTS_COUNTING: Final = "preflight.counting"
PREFLIGHTS_COUNTED: Final = "preflight.counted"
# What is counted of those that were not refused.
ALLOWED: Final = "allowed"
_REFUSED: Final = 400

_log = logging.getLogger(__name__)


# Account, bucket, and whether it is refusals that are counted.
_Place = tuple[str, int, bool]


class _Window:
    """One minute of refusals, or of preflights, of one bucket, or of what is an account's and in no bucket."""

    __slots__ = ("counted", "counting", "counts", "is_being_told", "is_told", "own", "place", "status", "trail")

    def __init__(self, trail: Trail, status: int) -> None:
        self.trail = trail
        self.status = status
        self.place = _place(trail, status)
        is_refused = status >= _REFUSED
        self.counting = COUNTING if is_refused else PREFLIGHTS_COUNTING
        self.counted = COUNTED if is_refused else PREFLIGHTS_COUNTED
        self.own = 0
        self.is_being_told = False
        self.is_told = False
        self.counts: Counter[str] = Counter()


class Unproven:
    """Writes refusals and preflights down, each or counted. For one event loop."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._windows: dict[_Place, _Window] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def append(self, trail: Trail, status: int, reason: str, *, of_keys: bool = False) -> None:
        """Return when the refusal is durable, or counted; `of_keys`: each key's owner is told of it. Raises StorageError.

        A preflight that is allowed has no `reason`. Counted ones leave `trail.has_entry` unset: no entry is theirs alone.
        """
        window = None if trail.permit or _is_proven(trail) else self._window(trail, status)
        if window is None:
            entries = trail.entries_of_keys(status, reason=reason) if of_keys else trail.refusal(status, reason)
            await self._journal.append(entries)
        elif window.is_told:
            window.counts[reason or ALLOWED] += 1
        else:
            window.own += 1
            entry = trail.own_refusal(status, reason)
            if window.own <= EACH_MAX or window.is_being_told:
                await self._journal.append(entry)
            else:
                await self._tell(window, trail, entry)

    async def close(self) -> None:
        """Write down what is counted; nothing is refused any more."""
        for place in list(self._windows):
            self._begin_to_end(place)
        await asyncio.gather(*self._closing)

    async def _tell(self, window: _Window, trail: Trail, entry: Entry) -> None:
        """Write a refusal down, and that further ones are counted. Raises StorageError: then the next one tries to say so."""
        told = _entry(window, window.counting, trail.at_ms, f"{WINDOW_MS // 1000} s", trail.request_id)
        window.is_being_told = True
        try:
            await self._journal.append((entry, told))
        finally:
            window.is_being_told = False
        window.is_told = True
        if self._windows.get(window.place) is not window:
            # The minute has ended meanwhile, and nobody else says how many there were.
            self._end_soon(window)

    def _window(self, trail: Trail, status: int) -> _Window | None:
        window = self._windows.get(_place(trail, status))
        return self._begin(_Window(trail, status)) if window is None and len(self._windows) < PLACES_MAX else window

    def _begin(self, window: _Window) -> _Window:
        self._windows[window.place] = window
        asyncio.get_running_loop().call_later(WINDOW_MS / 1000, self._begin_to_end, window.place, window)
        return window

    def _begin_to_end(self, place: _Place, window: _Window | None = None) -> None:
        found = self._windows.get(place)
        if found is None or (window is not None and found is not window):
            return
        del self._windows[place]
        if found.is_told or found.counts:
            self._end_soon(found)

    def _end_soon(self, window: _Window) -> None:
        task = asyncio.get_running_loop().create_task(self._end(window))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _end(self, window: _Window) -> None:
        told = ", ".join(f"{reason} {count}" for reason, count in sorted(window.counts.items())) or "none"
        try:
            await self._journal.append(_entry(window, window.counted, self._clock.now_ms(), told, ""))
        except StorageError as error:
            _log.error("requests that prove nobody could not be written down, %s: %s", told, error)
            self._keep(window)

    def _keep(self, window: _Window) -> None:
        """Keep counts that could not be written down for the next minute's entry; what is new then has entries of its own."""
        later = self._windows.get(window.place) or self._begin(_Window(window.trail, window.status))
        later.counts += window.counts


def _place(trail: Trail, status: int) -> _Place:
    return trail.account_id, trail.bucket_id, status >= _REFUSED


def _is_proven(trail: Trail) -> bool:
    """Whether somebody signed the request, or an identity provider of the account vouches for who sent it."""
    return trail.caller.kind is not CallerKind.ANONYMOUS or trail.caller.federated_provider is not None


def _entry(window: _Window, kind: str, at_ms: int, reason: str, request_id: str) -> Entry:
    trail = window.trail
    return Entry(
        at_ms,
        request_id,
        kind,
        trail.account_id,
        trail.caller.arn,
        trail.bucket,
        status=window.status,
        reason=reason,
        bucket_id=trail.bucket_id,
    )
