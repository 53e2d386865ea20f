"""A reconciliation from files to outcome: what is read, how far each book goes, and what is remembered for the next one.

`DIR/reconcile.json` remembers up to when each book was compared, and where the log of each key server ended: a log that was cut
since does not pass for a whole one. Where a key server serves several accounts of one service, their ledgers are read as one.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from siegel.customer.audit.balance import Balance, Kind, moment_text
from siegel.customer.audit.book import Book
from siegel.customer.audit.findings import Name, Report
from siegel.customer.audit.keylog import KeyLog, log_path, read_key_log
from siegel.customer.audit.ledgerbook import LedgerBook, Shelf, Span, read_ledger_book
from siegel.customer.audit.places import Places, earliest, moved, names_of
from siegel.customer.audit.reconcile import Books, Terms, reconcile
from siegel.customer.audit.statefile import read_state, write_state
from siegel.customer.audit.walk import CHECKPOINT, Progress, judge_head
from siegel.customer.receipts import ClientReceipt, read_receipts
from siegel.domain.errors import ConfigurationError

STATE_NAME: Final = "reconcile.json"
_STATE_BYTES_MAX: Final = 1024 * 1024

Starting = Callable[[str, int], Progress]


def _silently(_what: str, _count: int) -> Progress:
    return lambda _done: None


class NothingNewError(ConfigurationError):
    """The ledger that is here does not reach into the interval."""


class Memory(Struct):
    """What is remembered. `places`: up to when each book was compared; `heads`: hashes of the last lines of logs, by their paths.

    Version 1 had one place for whatever was compared: since it does not say which books that were, it counts for nothing.
    """

    version: int = 2
    places: dict[str, int] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)


class Wanted(Struct, frozen=True, kw_only=True):
    """What is to be compared. `from_ms` None: where each book was compared last; `to_ms` None: as far as the books go.

    `places` are those of whoever keeps his own, None where the memory's count.
    """

    logs: Sequence[Path]
    receipts: Sequence[Path] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    places: Places | None = None
    terms: Terms = Terms(from_ms=0, to_ms=0)


def balance_books(books: Sequence[Book], wanted: Wanted, now_ms: int, starting: Starting = _silently) -> Balance:
    """Compare the mirrors in `books` with the logs and receipts of `wanted`, and remember how far that went.

    Raises NothingNewError; ConfigurationError: nothing to compare, files that cannot be read, ledgers that do not belong
    together. Else SourceError, LedgerFormError, StorageError.
    """
    if not wanted.logs and not wanted.receipts:
        raise ConfigurationError("there is nothing to compare the ledger with\ntry: --keybox DIR")
    with ExitStack() as stack:
        for book in books:
            stack.enter_context(book.reading())
        return _balance_books(books, wanted, now_ms, starting)


def _balance_books(books: Sequence[Book], wanted: Wanted, now_ms: int, starting: Starting) -> Balance:
    memories = [_memory_of(book) for book in books]
    reports = [_head_of(book) for book in books]
    origins = [report.origin for report in reports]
    _check_together(origins)
    paths = [log_path(place) for place in wanted.logs]
    of_logs, of_receipts = names_of("log", paths), names_of("receipts", wanted.receipts)
    # That somebody's receipts are all here is a book of its own: it says what must not be in the ledger.
    others = [*of_receipts, *(f"all receipts of {arn}" for arn in wanted.terms.receipts_of)]
    files = [_read_receipts(path) for path in wanted.receipts]
    first_ms = {
        name: min(one.at_ms for _, one in file.found) for name, file in zip(of_receipts, files, strict=True) if file.found
    }
    known = [memory.places for memory in memories] if wanted.places is None else [wanted.places]
    heads_s = [report.head_at_s or 0 for report in reports]
    until_ms = min(at_s - book.settings.delay_s for at_s, book in zip(heads_s, books, strict=True)) * 1000
    terms = _terms(wanted, earliest([*of_logs, *others], first_ms, *known), until_ms)
    balance = Balance(ledger=", ".join(origins), from_ms=terms.from_ms, to_ms=terms.to_ms, checked_at_s=now_ms // 1000)
    balance.head_at_s, balance.size = min(heads_s), sum(report.size for report in reports)
    heads = {path: head for memory in reversed(memories) for path, head in memory.heads.items()}
    logs = _read_logs(paths, terms, heads, balance, starting)
    ends_ms = [now_ms if place.is_dir() else (log.last_ms or 0) for place, log in zip(wanted.logs, logs, strict=True)]
    ledger = _read_ledgers(books, reports, logs, terms, starting)
    for file in files:
        if file.bad:
            balance.say(f"{file.bad} lines of {file.path}, which are no receipts")
    receipts = [one for file in files for one in file.found]
    if not terms.from_ms:
        # From the beginning: that nothing is there before it is no gap.
        begun = [at_ms for at_ms in (ledger.first_ms, *(log.first_ms for log in logs)) if at_ms is not None]
        balance.from_ms = min(begun, default=0)
    accounts = frozenset(origin.rpartition("/")[2] for origin in origins)
    reconcile(Books(ledger, logs, ends_ms, receipts, accounts), terms, until_ms, balance)
    if wanted.from_ms is None:
        compared = dict(zip(of_logs, zip(logs, ends_ms, strict=True), strict=True))
        balance.places = _places_after(balance.until_ms, compared, others)
    for book, memory in zip(books, memories, strict=True):
        places = moved(memory.places, balance.places) if wanted.places is None else memory.places
        write_state(book.folder / STATE_NAME, Memory(places=places, heads=heads))
    return balance


def _read_ledgers(
    books: Sequence[Book], reports: Sequence[Report], logs: Sequence[KeyLog], terms: Terms, starting: Starting
) -> LedgerBook:
    """Return the ledgers as one, as far as they are about the keys of the logs, or of the interval."""
    keys = frozenset[str]().union(*(log.key_ids for log in logs))
    span = Span(terms.ledger_since_ms, terms.to_ms + terms.clock_ms)
    shelves = [
        Shelf(book.mirror, report.size, report.origin if len(books) > 1 else "")
        for book, report in zip(books, reports, strict=True)
    ]
    return read_ledger_book(shelves, keys, span, starting("entries", sum(report.size for report in reports)))


def _places_after(until_ms: int, logs: dict[str, tuple[KeyLog, int]], others: Sequence[str]) -> dict[str, int]:
    """Return up to when each book was compared: the logs, each with its end, and the others."""
    # Of a log that does not hold, nobody knows what was in it; what came behind the end of a copy was not there.
    places = {name: min(until_ms, end_ms) for name, (log, end_ms) in logs.items() if log.finding.holds}
    return dict.fromkeys(others, until_ms) | places


def _terms(wanted: Wanted, place_ms: int, until_ms: int) -> Terms:
    """Return the terms with their interval. Raises NothingNewError where that is empty."""
    from_ms = place_ms if wanted.from_ms is None else wanted.from_ms
    to_ms = until_ms if wanted.to_ms is None else wanted.to_ms
    if min(to_ms, until_ms) <= from_ms:
        asked = f", and you ask for what was before {moment_text(to_ms)}" if to_ms < until_ms else ""
        raise NothingNewError(
            f"there is nothing to compare from {moment_text(from_ms)} on: "
            f"the ledger that is here goes no further than {moment_text(until_ms)}{asked}\ntry: siegel audit sync"
        )
    return replace(wanted.terms, from_ms=from_ms, to_ms=to_ms)


def _memory_of(book: Book) -> Memory:
    return read_state(book.folder / STATE_NAME, Memory, _STATE_BYTES_MAX, "remove it, and say --from")


def _check_together(origins: Sequence[str]) -> None:
    if len(set(origins)) < len(origins):
        raise ConfigurationError(f"a ledger is named twice: {', '.join(origins)}")
    if len({origin.rpartition("/")[0] for origin in origins}) > 1:
        raise ConfigurationError(
            f"these are ledgers of several services, each of which is compared by itself: {', '.join(origins)}"
        )


def _head_of(book: Book) -> Report:
    """Return what is to be said of the mirror's head. Raises ConfigurationError unless it can be compared with."""
    report = Report(checked_at_s=int(time.time()))
    if judge_head(book.mirror.get(CHECKPOINT), book.trust(book.mirror), report) is None or not report.holds(Name.QUORUM):
        (problem, *_) = report.findings
        raise ConfigurationError(f"the ledger in {book.folder} cannot be compared: {problem.message}\ntry: siegel audit sync DIR")
    if report.head_at_s is None:
        raise ConfigurationError(f"nobody says when the head of the ledger in {book.folder} was signed")
    return report


def _read_logs(paths: Sequence[Path], terms: Terms, heads: dict[str, str], balance: Balance, starting: Starting) -> list[KeyLog]:
    logs = []
    for path in paths:
        progress = starting("bytes of the log", _size_of(path))
        logs.append(read_key_log(path, terms.log_since_ms, heads.get(str(path.absolute())), progress))
    ends = {log.finding.head.hash for log in logs}
    for log in logs:
        name, finding = str(log.path.absolute()), log.finding
        expected = heads.get(name)
        if finding.broken_at is not None:
            balance.add(Kind.ALTERED, f"the key server's log is broken: {finding.problem}", log=name, line=finding.broken_at)
        elif not finding.expected_found and expected not in ends:
            message = "the key server's log was cut or exchanged: a line that was its last one before is not in it"
            balance.add(Kind.ALTERED, message, log=name, hash=expected or "", lines=finding.head.seq)
        else:
            # Whole; or begun anew, and the one before is here too.
            heads[name] = finding.head.hash
    return logs


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


class _ReceiptFile(Struct):
    """A file of receipts: those that it has, each with its place, and how many lines are none."""

    path: Path
    found: list[tuple[str, ClientReceipt]] = field(default_factory=list)
    bad: int = 0


def _read_receipts(path: Path) -> _ReceiptFile:
    file = _ReceiptFile(path)
    for number, receipt in read_receipts(path):
        if receipt is None:
            file.bad += 1
        else:
            file.found.append((f"{path}:{number}", receipt))
    return file
