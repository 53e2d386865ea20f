"""What is looked at in every entry beside its hash: that its names are its own, and that nobody came who had no consent."""

from itertools import islice

from siegel.customer.audit.book import LEDGER_NAME, Book
from siegel.customer.audit.consents import Consents, Judging, consent_path
from siegel.customer.audit.findings import Asked, Report
from siegel.customer.audit.monitor import Monitor
from siegel.customer.audit.openings import OPENINGS_NAME, check_openings, read_lines
from siegel.customer.audit.sources import Source
from siegel.customer.audit.walk import Trust
from siegel.customer.consent.pins import read_pins
from siegel.customer.consent.revocations import read_revoked
from siegel.domain.ledgers import LedgerError
from siegel.ledger.bundles import entries_of

_MS = 1000


def oversee(book: Book, source: Source, trust: Trust, first: int, report: Report) -> bool:
    """Add to `report` what is to be said of the entries from `first` on. Raises SourceError, ConfigurationError.

    Return whether names are missing that the account has not erased, as far as the entries go.
    """
    pins, slack_s = read_pins(book.folder), trust.promise.delay_s
    consents = Consents(source, Judging(pins, trust.known, slack_s), report.size)
    monitor = Monitor(report, consents, pins, read_revoked(book.folder), slack_s, has_names=_has_names(book))
    start = _start(consents, source, first, report.size)
    for line in islice(read_lines(source, start, report.size), max(0, first - start)):
        monitor.look(line, silent=True)
    check_openings(source, first, report, monitor.look)

    def seen_since_s(consent_id: str) -> float | None:
        try:
            return (book.folder / LEDGER_NAME / consent_path(consent_id, "approval")).stat().st_mtime
        except OSError:
            return None

    hides = monitor.finish(seen_since_s, start)
    report.asked = [
        Asked(request.consent_id, request.person, request.reason, request.answer_by_s)
        for request in consents.unanswered(report.checked_at_s)
    ]
    return hides


def _has_names(book: Book) -> bool:
    """Tell whether the mirror has a name: whoever has shown some hides others, whoever has shown none may have none to show."""
    paths = (book.folder / LEDGER_NAME / OPENINGS_NAME).rglob("*")
    try:
        return any(any(entries_of(path.read_bytes())) for path in paths if path.is_file())
    except (OSError, LedgerError):
        # Something is there that cannot be read, which other checks say.
        return True


def _start(consents: Consents, source: Source, first: int, size: int) -> int:
    """Return the entry from which on it must be known how the consents stand that may still be used at `first`."""
    line = next(read_lines(source, first, size), None) if first else None
    if line is None or line.leaf is None:
        # A hand-over says no time.
        return 0
    return min((known.index or 0 for known in consents.open_at(line.leaf.recorded_at_ms / _MS)), default=first)
