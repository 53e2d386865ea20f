"""Comparing: whether the head that somebody else was shown is of the same history as this mirror."""

from siegel.customer.audit.book import Book
from siegel.customer.audit.findings import Name, Report
from siegel.customer.audit.walk import CHECKPOINT, judge_head, read_tile
from siegel.ledger.proofs import prefix_root, prefix_tiles


def compare(book: Book, other: bytes, now_s: int) -> Report:
    """Return what is to be said of a head of the same ledger, however old. Raises SourceError, LedgerFormError.

    A head of more entries than the mirror has is compared with nothing, and a finding says so.
    """
    trust = book.trust(book.mirror)
    report = Report(checked_at_s=now_s)
    judgement = judge_head(other, trust, report)
    mine = judge_head(book.mirror.get(CHECKPOINT), trust, Report(checked_at_s=now_s))
    # Others' heads may be old: that is no fault.
    report.findings = [finding for finding in report.findings if finding.check is not Name.FRESHNESS]
    if judgement is None or mine is None:
        if mine is None:
            report.add(Name.CONSISTENCY, f"{book.folder} has no ledger to compare it with")
        return report
    theirs, own = judgement.checkpoint, mine.checkpoint
    if theirs.origin != own.origin or theirs.size > own.size:
        report.add(Name.CONSISTENCY, f"{book.folder} has {own.size} entries of {own.origin}, too few to compare")
        return report
    tiles = {tile: read_tile(book.mirror, tile) or b"" for tile in prefix_tiles(theirs.size, own.size)}
    root = prefix_root(theirs.size, own.size, tiles)
    if root != theirs.root:
        message = f"two different histories of {theirs.size} entries were shown, one here and one to somebody else"
        report.add(Name.CONSISTENCY, message, here=root.hex(), there=theirs.root.hex())
    return report
