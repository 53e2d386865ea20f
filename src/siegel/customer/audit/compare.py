"""Comparing: whether the head that somebody else was shown is of the same history as this mirror."""

from msgspec.structs import replace

from siegel.customer.audit.book import Book
from siegel.customer.audit.findings import Name, Report
from siegel.customer.audit.sources import SourceError
from siegel.customer.audit.walk import CHECKPOINT, OF_ENTRIES, Trust, judge_head, origin_of, read_tile
from siegel.domain.ledgers import LedgerError
from siegel.ledger.proofs import prefix_root, prefix_tiles


def compare(book: Book, other: bytes, now_s: int) -> Report:
    """Return what is to be said of a head of the same ledger, however old. Raises SourceError, LedgerFormError.

    A head of more entries than the mirror has cannot be compared with anything: a SourceError, too.
    """
    with book.reading():
        return _compare(book, other, now_s)


def _compare(book: Book, other: bytes, now_s: int) -> Report:
    trust = book.trust(book.mirror)
    report = Report(checked_at_s=now_s)
    report.leave(Name.FRESHNESS, *OF_ENTRIES)
    judgement = judge_head(other, _trust_of(other, trust), report)
    mine = judge_head(book.mirror.get(CHECKPOINT), trust, Report(checked_at_s=now_s))
    # Others' heads may be old: that is no fault.
    report.findings = [finding for finding in report.findings if finding.check is not Name.FRESHNESS]
    if mine is None:
        raise SourceError(f"{book.folder} has no ledger to compare it with\ntry: siegel audit sync {book.folder}")
    if judgement is None:
        if origin_of(other) not in {"", mine.checkpoint.origin}:
            raise SourceError(f"{book.folder} has the ledger {mine.checkpoint.origin}, and this is a head of {origin_of(other)}")
        report.leave(Name.QUORUM, Name.CONSISTENCY)
        return report
    theirs, own = judgement.checkpoint, mine.checkpoint
    if theirs.origin != own.origin:
        raise SourceError(f"{book.folder} has the ledger {own.origin}, and this is a head of {theirs.origin}")
    if theirs.size > own.size:
        raise SourceError(
            f"{book.folder} has {own.size} entries of {own.origin}, too few to compare\ntry: siegel audit sync {book.folder}"
        )
    tiles = {tile: read_tile(book.mirror, tile) or b"" for tile in prefix_tiles(theirs.size, own.size)}
    root = prefix_root(theirs.size, own.size, tiles)
    if root != theirs.root:
        message = f"two different histories of {theirs.size} entries were shown, one here and one to somebody else"
        report.add(Name.CONSISTENCY, message, here=root.hex(), there=theirs.root.hex())
    return report


def _trust_of(head: bytes, trust: Trust) -> Trust:
    """Return whom to believe of a head that may be older than a hand-over of the log's keys."""
    for policy in (trust.policy, *reversed(trust.earlier)):
        try:
            policy.judge(head)
        except LedgerError:
            continue
        return replace(trust, policy=policy)
    return trust
