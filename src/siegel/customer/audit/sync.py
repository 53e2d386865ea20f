"""Sync: what is new in a ledger is fetched, verified against what was verified before, and only then kept."""

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.customer.audit.book import LEDGER_NAME, Book
from siegel.customer.audit.consents import fetch_consents
from siegel.customer.audit.findings import NEEDED, Name, Report
from siegel.customer.audit.openings import OPENINGS_NAME, fill_openings, openings_path
from siegel.customer.audit.overseeing import oversee
from siegel.customer.audit.rewritten import Rewritten, Side, find_rewritten
from siegel.customer.audit.sources import FILE_BYTES_MAX, FolderSource, Layers, Source, SourceError, hand_over_path
from siegel.customer.audit.walk import CHECKPOINT, WARNING, Before, Progress, Trust, audit, judge_head, read_bundle, stood_at
from siegel.domain.errors import StorageError
from siegel.domain.ledgers import LedgerError, LedgerFormError
from siegel.ledger.bundles import encode_bundle
from siegel.ledger.frontier import Frontier
from siegel.ledger.handover import HAND_OVERS_MAX
from siegel.ledger.policies import Judgement, Policy
from siegel.ledger.proof_files import PROOF_FILE_BYTES_MAX
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, new_tiles, tile_at

FETCHERS: Final = 8
# A head may claim any size; nobody's disk is filled by a claim.
NEW_ENTRIES_MAX: Final = 1_000_000_000

# So soon the entry by which an account has erased a name is in the tree, however long the auditor forgives other entries.
ERASED_IN_S_MAX: Final = 15

# What does not hold of these where the past is not what it was.
_OF_THE_PAST: Final = (Name.ENTRIES, Name.TILES, Name.CONSISTENCY)

Starting = Callable[[int], Progress]


def _silently(_files: int) -> Progress:
    return lambda _done: None


class Synced(Struct, frozen=True):
    """What came of a sync: the report, and where evidence was kept, None if there is nothing to be kept."""

    report: Report
    evidence: Path | None


class _Look(Struct):
    """What was fetched, and what is to be said of it.

    `first`: the entry from which on names and persons were looked at; `hides`: names are missing that the account has not erased.
    """

    first: int
    head: bytes | None
    source: Source
    trust: Trust
    before: Before | None
    judgement: Judgement | None
    report: Report
    hides: bool = False


def sync(
    book: Book, remote: Source, now_s: int, starting: Starting = _silently, wait: Callable[[float], None] = time.sleep
) -> Synced:
    """Fetch what is new, verify it, keep it; `starting` is told how many files there are, and then of each.

    What does not hold is not kept as the ledger; its head and the report are kept as evidence. Where names are missing, it waits
    for the entry by which the account may just have erased them, as long as that may take, and looks again. Raises SourceError,
    StorageError, ConfigurationError.
    """
    with book.changing():
        look = _look(book, remote, now_s, starting)
        synced = _keep(book, remote, look)
        if look.hides:
            delay_s = min(look.trust.promise.delay_s, ERASED_IN_S_MAX)
            wait(delay_s)
            synced = _look_again(book, remote, look, synced, now_s + delay_s)
        shutil.rmtree(book.incoming, ignore_errors=True)
        return synced


def _look_again(book: Book, remote: Source, look: _Look, synced: Synced, now_s: int) -> Synced:
    """Look once more at the entries of a look, now that its head and what was found are kept: nothing of that can be taken back.

    Whoever gives nothing any more has not explained anything.
    """
    try:
        again = _look(book, remote, now_s, _silently, look.first)
    except SourceError:
        return synced
    again.report.verified_before = look.report.verified_before
    told = _keep(book, remote, again)
    if again.report.holds(*NEEDED):
        # It was erased; or it is told of the later head now.
        book.drop_evidence(look.report, unless=told.evidence)
    return told


def _keep(book: Book, remote: Source, look: _Look) -> Synced:
    """Keep what holds as the ledger, and what does not as evidence."""
    head, trust, before, judgement, report = look.head, look.trust, look.before, look.judgement, look.report
    rewritten = None
    if before and head and judgement and not report.holds(*_OF_THE_PAST):
        rewritten = _find_rewritten(book, remote, before, Side(look.source, head, judgement.checkpoint, trust.policy), trust)
        if rewritten:
            rewritten.tell(report)
    evidence = None
    if not report.holds(*(name for name in Name if name is not Name.FRESHNESS)):
        evidence = book.keep_evidence(head, report, rewritten.proofs if rewritten else {})
        if not report.holds(*_OF_THE_PAST):
            book.keep_fetched(evidence)
    if head is not None and judgement and report.holds(*NEEDED) and _is_newer(judgement, before):
        book.keep(head, report.size, before)
        book.note_policy(report.checked_at_s)
    return Synced(report, evidence)


def _look(book: Book, remote: Source, now_s: int, starting: Starting, looked_from: int | None = None) -> _Look:
    """Fetch what is new, and look at it; at names and persons from an earlier entry on, if one is given."""
    shutil.rmtree(book.incoming, ignore_errors=True)
    head = remote.get(CHECKPOINT)
    _fetch_hand_overs(book, remote)
    _fetch_warning(book, remote)
    fetch_consents(remote, book.mirror, now_s, lambda path, data: _write(book.incoming / path, data))
    source = Layers(FolderSource(book.incoming), book.mirror)
    trust = book.trust(source)
    before = book.before(trust)
    is_mended = _fetch_lost(book, remote)
    judgement = judge_head(head, trust, Report(checked_at_s=now_s))
    first = before.frontier.size if before else 0
    if judgement:
        _fetch_new(book, remote, first, judgement.checkpoint.size, starting)
        _note_nameless(book, first, judgement.checkpoint.size)
        _keep_names(book, source, first, judgement.checkpoint.size)
    if before and is_mended:
        # What was lost is believed no more than what is new: the walk begins with the first entry.
        before, first = replace(before, frontier=Frontier()), 0
    first = first if looked_from is None else min(first, looked_from)
    look = _Look(first, head, source, trust, before, judgement, audit(_WithHead(head, source), trust, before, now_s))
    if look.report.holds(Name.ENTRIES) and Name.ENTRIES not in look.report.unchecked:
        look.hides = oversee(book, source, trust, first, look.report)
    else:
        look.report.leave(Name.OPENINGS, Name.CONSENT)
    return look


def _find_rewritten(book: Book, remote: Source, before: Before, later: Side, trust: Trust) -> Rewritten | None:
    """Return the entry of the mirror that is another one now. What is fetched for that is among the evidence."""
    last, source = book.last(), Layers(FolderSource(book.incoming), _Fetching(remote, book.incoming))
    policy = next((each.policy for each in trust.known if _has_signed(each.policy, last)), trust.policy)
    return find_rewritten(Side(book.mirror, last, before.checkpoint, policy), replace(later, source=source))


def _has_signed(policy: Policy, head: bytes) -> bool:
    try:
        policy.judge(head)
    except LedgerError:
        return False
    return True


def _is_newer(judgement: Judgement, before: Before | None) -> bool:
    """Tell whether a head takes the place of the one before: of two over the same entries, the one that stood longer does."""
    if before is None or judgement.checkpoint.size > before.checkpoint.size:
        return True
    return (stood_at(judgement) or 0) >= (before.signed_at_s or 0)


class _Fetching:
    """A source whose files are kept in a folder as they are fetched."""

    def __init__(self, remote: Source, folder: Path) -> None:
        self._remote = remote
        self._folder = folder

    def get(self, path: str) -> bytes | None:
        found = self._remote.get(path)
        if found is not None:
            _write(self._folder / path, found)
        return found


class _WithHead:
    """A source whose head is the one that was fetched."""

    def __init__(self, head: bytes | None, source: Source) -> None:
        self._head = head
        self._source = source

    def get(self, path: str) -> bytes | None:
        return self._head if path == CHECKPOINT else self._source.get(path)


def _fetch_hand_overs(book: Book, remote: Source) -> None:
    for number in range(HAND_OVERS_MAX):
        path = hand_over_path(number)
        if book.mirror.get(path) is None:
            data = remote.get(path)
            if data is None or len(data) > PROOF_FILE_BYTES_MAX:
                return
            _write(book.incoming / path, data)


def _fetch_lost(book: Book, remote: Source) -> bool:
    """Fetch again what the mirror has lost on this machine; tell whether there was anything. The head is fetched anyway."""
    lost = [path for path in book.lost() if path != CHECKPOINT]
    for path in lost:
        data = remote.get(path)
        if data is None and path.startswith(OPENINGS_NAME):
            data = _no_names(path)
        if data is not None:
            _write(book.incoming / path, data)
    return bool(lost)


def _fetch_warning(book: Book, remote: Source) -> None:
    warning = remote.get(WARNING) or b""
    # One that is over takes the place of the one before.
    if warning or book.mirror.get(WARNING):
        _write(book.incoming / WARNING, warning)


def _fetch_new(book: Book, remote: Source, old_size: int, size: int, starting: Starting) -> None:
    """Fetch files in parallel. What is missing stays missing: the audit says so. Raises SourceError."""
    if size - old_size > NEW_ENTRIES_MAX:
        raise SourceError(
            f"the ledger says that it has {size} entries, and {old_size} are here: that is more than is fetched at once"
        )
    tiles = new_tiles(old_size, size) if size > old_size else ()
    paths = [[tile.path, *([tile.whole.path] if tile.width < TILE_WIDTH else [])] for tile in tiles]
    paths += [[openings_path(tile)] for tile in tiles if tile.level == ENTRIES]
    done = starting(len(paths))

    def fetch(ways: list[str]) -> None:
        for path in ways:
            data = remote.get(path)
            if data is not None:
                _write(book.incoming / path, data)
                return

    fetchers = ThreadPoolExecutor(FETCHERS, "fetch")
    is_whole = True
    try:
        for _ in fetchers.map(fetch, paths):
            done(1)
    except Exception:
        raise
    except BaseException:
        # Whoever ends the process does not wait for a server that is silent.
        is_whole = False
        raise
    finally:
        fetchers.shutdown(wait=is_whole, cancel_futures=True)


def _note_nameless(book: Book, old_size: int, size: int) -> None:
    """Note for which new bundles a ledger that shows names shows none."""
    if size <= old_size or not any((folder / OPENINGS_NAME).is_dir() for folder in (book.folder / LEDGER_NAME, book.incoming)):
        return
    for path in (openings_path(tile) for tile in new_tiles(old_size, size) if tile.level == ENTRIES):
        if not (book.incoming / path).exists():
            _write(book.incoming / path, _no_names(path))


def _keep_names(book: Book, source: Source, old_size: int, size: int) -> None:
    """Take over the openings that the mirror has of the bundle that grew: of full ones nothing is fetched again, either."""
    if size <= old_size or old_size % TILE_WIDTH == 0:
        return
    place = old_size // TILE_WIDTH
    known = book.mirror.get(openings_path(tile_at(ENTRIES, place, old_size)))
    tile = tile_at(ENTRIES, place, size)
    if known is None:
        return
    try:
        entries = read_bundle(source, tile)
    except LedgerFormError:
        # The audit says so.
        return
    path = book.incoming / openings_path(tile)
    filled = fill_openings(entries, known, FolderSource(book.incoming).get(openings_path(tile)))
    if filled is not None:
        path.unlink(missing_ok=True)
        _write(path, filled)


def _no_names(path: str) -> bytes:
    """Return openings of a bundle that are all erased: as that is kept what a ledger does not show, and not looked for again."""
    folder, _, width = path.rpartition("/")
    return encode_bundle([b""] * (int(width) if folder.endswith(".p") else TILE_WIDTH))


def _write(path: Path, data: bytes) -> None:
    if len(data) > FILE_BYTES_MAX:
        raise SourceError(f"{path.name} is larger than any file of a ledger")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(data)
            os.fdatasync(stream.fileno())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None
