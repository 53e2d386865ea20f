"""Verify: the whole mirror again, from the first entry on, whatever was verified before. Needs no network."""

from collections.abc import Callable

from msgspec.structs import replace

from siegel.customer.audit.book import Book
from siegel.customer.audit.findings import Name, Report
from siegel.customer.audit.overseeing import oversee
from siegel.customer.audit.sources import SourceError
from siegel.customer.audit.walk import Progress, audit
from siegel.ledger.frontier import Frontier

Starting = Callable[[int], Progress]


def _silently(_entries: int) -> Progress:
    return lambda _done: None


def verify(book: Book, now_s: int, starting: Starting = _silently) -> Report:
    """Return what is to be said of the mirror; `starting` is told how many entries there are, and then of each.

    Raises SourceError, StorageError, ConfigurationError (nothing is there yet).
    """
    with book.reading():
        trust = book.trust(book.mirror)
        before = book.before(trust)
        if before is None:
            # Where nothing was ever fetched, nothing is wrong either: say so.
            book.mirrored()
        lost = book.lost()
        if lost:
            raise SourceError(
                f"the mirror in {book.folder} has lost {len(lost)} of its files, such as {lost[0]}, so it cannot be verified\n"
                f"try: siegel audit sync {book.folder}"
            )
        whole = replace(before, frontier=Frontier()) if before else None
        found = audit(book.mirror, trust, whole, now_s, starting(before.checkpoint.size if before else 0))
        if found.holds(Name.ENTRIES) and Name.ENTRIES not in found.unchecked and found.size:
            oversee(book, book.mirror, trust, 0, found)
        else:
            found.leave(Name.OPENINGS, Name.CONSENT)
        return found
