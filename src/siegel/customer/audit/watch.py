"""Watching a ledger: sync and verify again and again, and tell somebody of whatever is new, once.

What was told, and what is still to be told, is in `DIR/watch.json`, written before anything is sent. So a restart tells nothing
twice, and a notice that did not arrive is sent again with every round.

Two kinds of findings: some are about now and may pass (no answer, an old head, too few witnesses, a history that is not that of
before); when none of them stands any more, somebody is told that too. Others are about entries, which stay what they are; those
are told once for ever. The provider's own public warning is neither: whoever watches is told when it begins, changes and ends.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from siegel.customer.audit.accounts import NothingNewError, Wanted, balance_books
from siegel.customer.audit.balance import Mismatch
from siegel.customer.audit.book import Book, BusyError
from siegel.customer.audit.findings import Finding, Name, Report, asked_text
from siegel.customer.audit.notices import ASKED, FINDING, WARNED, WARNING_OVER, WELL, Channel, Notice, NoticeError
from siegel.customer.audit.places import moved
from siegel.customer.audit.sources import Source, SourceError
from siegel.customer.audit.statefile import read_state, write_state
from siegel.customer.audit.sync import sync
from siegel.customer.audit.verify import verify
from siegel.customer.audit.walk import CHECKPOINT
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.ledgers import LedgerError
from siegel.domain.moments import encode_time

STATE_NAME: Final = "watch.json"
LOCK_NAME: Final = "watch.lock"
PROVIDER: Final = "provider"
HERE: Final = "here"
MIRROR: Final = "mirror"
BOOKS: Final = "books"
# Notices that wait; beyond that, the oldest stay and a line of the output says what was left out.
WAITING_MAX: Final = 1000

# What stands by these names says that something could not be looked at, and nothing against the ledger.
_UNSEEN: Final = frozenset({PROVIDER, HERE, BOOKS})
_PASSING: Final = frozenset({Name.SIGNATURE, Name.QUORUM, Name.FRESHNESS, Name.ENTRIES, Name.TILES, Name.CONSISTENCY})
_VARYING: Final = re.compile(r"[0-9a-f]{64}|[0-9]+", re.ASCII)
_STATE_BYTES_MAX: Final = 64 * 1024 * 1024

Opening = Callable[[str], AbstractContextManager[Source]]


class Waiting(Struct, frozen=True):
    """A notice that did not arrive yet by a channel."""

    channel: str
    notice: Notice


class State(Struct):
    """What is known from round to round. `standing` are findings that may pass, `told` those that stay, by their names here.

    `compared`: up to when the ledger was compared with each book. Version 1 had one time for whatever the books were, which
    counts for nothing: what is then compared again is told no second time.

    `warned` is since when the provider warned in public that no quorum signs, as it was told last; empty where it did not.
    """

    version: int = 2
    ledger: str = ""
    verified_at_s: int = 0
    compared_at_s: int = 0
    compared: dict[str, int] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    warned: str = ""
    waiting: list[Waiting] = field(default_factory=list)


class Comparing(Struct, frozen=True):
    """The customer's own books, with which the ledger is compared so often."""

    wanted: Wanted
    every_s: int


class Round(Struct):
    """What one round found and did. `report` is that of the sync, None where nothing could be fetched.

    `unread`: why the customer's own books could not be compared. `against`: how many of the findings are against the ledger.
    """

    at_s: int
    report: Report | None = None
    problem: str = ""
    unread: str = ""
    against: int = 0
    notices: list[Notice] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    standing: int = 0
    waiting: int = 0

    @property
    def could_check(self) -> bool:
        """Whether ledger and books could be looked at, and everybody was told."""
        return self.report is not None and not self.problem and not self.unread and not self.waiting

    @property
    def holds(self) -> bool:
        """Whether nothing stands against the ledger now, and nothing new was found."""
        return not self.standing and all(notice.event != FINDING for notice in self.notices)


class _Seen(Struct, frozen=True):
    """A finding with the name by which it is known again."""

    name: str
    check: str
    message: str
    evidence: dict[str, str | int]
    passes: bool


class Watch:
    """Watches one ledger. Nobody else may watch in the same directory: see `LOCK_NAME`."""

    def __init__(
        self,
        folder: Path,
        opening: Opening,
        channels: Sequence[Channel],
        *,
        verify_every_s: int,
        comparing: Comparing | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Look at what `opening` gives for the source in the settings. The whole mirror is verified first, and then so often.

        Raises ConfigurationError.
        """
        self._folder = folder
        self._opening = opening
        self._channels = {channel.name: channel for channel in channels}
        self._verify_every_s = verify_every_s
        self._comparing = comparing
        self._now_s = now_s
        self._state = read_state(folder / STATE_NAME, State, _STATE_BYTES_MAX, "remove it; what stands is then told again")

    def round(self) -> Round:
        """Look once, tell what is new, and send again what did not arrive. Raises StorageError where nothing can be kept."""
        done = Round(int(self._now_s()))
        seen = self._look(done)
        self._compare(done, seen)
        self._keep()
        self._deliver(done)
        done.against += sum(name not in _UNSEEN for name in self._state.standing)
        done.standing, done.waiting = len(self._state.standing), len(self._state.waiting)
        return done

    def _look(self, done: Round) -> list[_Seen]:
        """Return what does not hold now. What cannot be looked at is a finding itself."""
        try:
            # The settings and the policy are read anew: a customer may have changed them.
            book = Book(self._folder)
            with self._opening(book.settings.source) as source:
                synced = sync(book, source, done.at_s)
            report = done.report = synced.report
            self._state.ledger = report.origin or self._state.ledger
            where: dict[str, str | int] = {"kept in": str(synced.evidence)} if synced.evidence else {}
            seen = [_seen(finding, where) for finding in report.findings]
            seen += [_Seen(f"{ASKED} {each.consent_id}", ASKED, asked_text(each), {}, passes=False) for each in report.asked]
            return seen + self._look_back(book, done, seen) + self._compare_books(book, done)
        except BusyError as error:
            done.problem = str(error)
            return []
        except SourceError as error:
            done.problem = str(error)
            return [_Seen(PROVIDER, PROVIDER, f"the ledger cannot be had: {error}", {}, passes=True)]
        except (StorageError, ConfigurationError) as error:
            done.problem = "; ".join(str(error).splitlines())
            return [_Seen(HERE, HERE, f"the ledger cannot be checked here: {done.problem}", {}, passes=True)]

    def _look_back(self, book: Book, done: Round, seen: list[_Seen]) -> list[_Seen]:
        """Verify the mirror, if that is due; else what stood against it still does."""
        state = self._state
        if done.at_s - state.verified_at_s < self._verify_every_s or book.mirror.get(CHECKPOINT) is None:
            return []
        mirrored = [_seen(finding, {"mirror": str(self._folder)}) for finding in verify(book, done.at_s).findings]
        known = {one.name for one in seen}
        # How old the head is, and who has seen it, the sync has said of a newer one.
        more = [one for one in mirrored if one.name not in known and one.check not in {Name.FRESHNESS, Name.QUORUM}]
        if not any(one.passes for one in more):
            state.verified_at_s = done.at_s
        return [_in_mirror(one) if one.passes else one for one in more]

    def _compare_books(self, book: Book, done: Round) -> list[_Seen]:
        """Compare the mirror with the customer's own books, if that is due. Differences are of entries: they do not pass."""
        state, comparing = self._state, self._comparing
        if comparing is None or done.at_s - state.compared_at_s < comparing.every_s:
            return []
        try:
            balance = balance_books([book], replace(comparing.wanted, places=state.compared), done.at_s * 1000)
        except NothingNewError:
            return []
        except (ConfigurationError, SourceError, LedgerError) as error:
            done.unread = "; ".join(str(error).splitlines())
            return [_Seen(BOOKS, BOOKS, f"the books cannot be compared here: {done.unread}", {}, passes=True)]
        state.compared_at_s, state.compared = done.at_s, moved(state.compared, balance.places)
        return [_differs(mismatch) for mismatch in balance.mismatches]

    def _compare(self, done: Round, seen: list[_Seen]) -> None:
        """Note what is new, and what is over. While nothing can be fetched, what stood before still stands."""
        state, at = self._state, encode_time(done.at_s)
        told = set(state.told)
        for one in seen:
            if one.name in state.standing or one.name in told:
                continue
            if one.passes:
                state.standing[one.name] = at
            else:
                state.told.append(one.name)
                told.add(one.name)
                done.against += one.check != ASKED
            self._tell(done, at, ASKED if one.check == ASKED else FINDING, one)
        if done.report is not None and done.report.warning != state.warned:
            warned = _warned(done.report.warning, state.warned)
            self._tell(done, at, warned.check, warned)
            state.warned = done.report.warning
        if done.report is None or done.problem:
            return
        there = {one.name for one in seen}
        # What could not be looked at this time stands as it stood.
        there |= {name for name in state.standing if _check_of(name) in done.report.unchecked}
        over = [name for name in state.standing if name not in there]
        if over and len(over) == len(state.standing):
            since = min(state.standing[name] for name in over)
            message = "Nothing stands against the ledger any more. What was found is in the notices and in the evidence."
            self._tell(done, at, WELL, _Seen("", "all", message, {"since": since, "was": "; ".join(sorted(over))}, passes=True))
        for name in over:
            del state.standing[name]

    def _tell(self, done: Round, at: str, event: str, seen: _Seen) -> None:
        state = self._state
        number = sha256(f"{at}\n{event}\n{seen.check}\n{seen.message}\n{state.ledger}".encode()).hexdigest()[:32]
        notice = Notice(
            notice_id=number,
            at=at,
            event=event,
            check=seen.check,
            ledger=state.ledger,
            message=seen.message,
            evidence=seen.evidence,
        )
        done.notices.append(notice)
        for channel in self._channels:
            if len(state.waiting) < WAITING_MAX:
                state.waiting.append(Waiting(channel, notice))
            else:
                done.undelivered.append(
                    f"{channel}: {WAITING_MAX} notices wait already, and this one is left out: {seen.message}"
                )

    def _deliver(self, done: Round) -> None:
        """Send what waits, oldest first. A channel that fails is left alone until the next round."""
        failed: set[str] = set()
        for waiting in list(self._state.waiting):
            channel = self._channels.get(waiting.channel)
            if channel is None or channel.name in failed:
                continue
            try:
                channel.send(waiting.notice)
            except NoticeError as error:
                failed.add(channel.name)
                done.undelivered.append(f"{channel.name}: {error}")
                continue
            self._state.waiting.remove(waiting)
            self._keep()

    def _keep(self) -> None:
        write_state(self._folder / STATE_NAME, self._state)


def _seen(finding: Finding, more: dict[str, str | int]) -> _Seen:
    """Give a finding its name: its words, where it may pass without what changes in them.

    That an entry came at a wrong time is said in other words by each who looks: it is known by the entry.
    """
    passes = finding.check in _PASSING
    entry = finding.evidence.get("entry")
    words = _VARYING.sub("#", finding.message) if passes else finding.message
    if finding.check is Name.DATES and entry is not None:
        words = f"entry {entry}"
    return _Seen(f"{finding.check}: {words}", str(finding.check), finding.message, finding.evidence | more, passes=passes)


def _differs(mismatch: Mismatch) -> _Seen:
    about = "; ".join(str(mismatch.evidence[name]) for name in ("request", "entry", "log", "line") if name in mismatch.evidence)
    name = f"{BOOKS}: {mismatch.kind} {_VARYING.sub('#', mismatch.message)} ({about})"
    return _Seen(name, BOOKS, f"{mismatch.kind}: {mismatch.message}", mismatch.evidence, passes=False)


def _warned(since: str, before: str) -> _Seen:
    """Say that the provider warns in public since then, or no more. It is his own word, and unsigned."""
    if since:
        message = f"the provider warns in public: no quorum of its witnesses has signed a head since {since}"
        return _Seen("", WARNED, message, {"since": since}, passes=True)
    message = f"the provider warns no more that no quorum of its witnesses signs, as it did since {before}"
    return _Seen("", WARNING_OVER, message, {"was since": before}, passes=True)


def _check_of(name: str) -> str:
    return name.removeprefix(f"{MIRROR} ").partition(":")[0]


def _in_mirror(seen: _Seen) -> _Seen:
    return replace(seen, name=f"{MIRROR} {seen.name}", message=f"in the mirror on this machine: {seen.message}")
