"""Who was there: the principals of a ledger's entries, how often, when first and last, and from where.

A consent is for the provider's own people who say so. Whoever comes under another name, as the account's root or by a policy of a
bucket that lets another account in, is seen here: the customer knows best who has no business there.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from siegel.customer.audit.openings import Line

# Of one principal; and of all, beyond whom nobody is told from the others.
SOURCES_MAX: Final = 8
VISITORS_MAX: Final = 10_000
HIDDEN: Final = ""
"""In place of a principal that no opening tells."""
OTHERS: Final = "..."
"""In place of all principals beyond VISITORS_MAX."""

_REFUSED: Final = 400


class Visitor(Struct):
    """A principal: how often it was let in and refused, between which times (ms since 1970, UTC), its first addresses."""

    principal: str
    times: int = 0
    refused: int = 0
    first_ms: int = 0
    last_ms: int = 0
    sources: list[str] = field(default_factory=list)


def count_visitors(lines: Iterable[Line]) -> list[Visitor]:
    """Return who was there, by name. Entries whose names are not shown, or are others than they were made with, are HIDDEN's."""
    found: dict[str, Visitor] = {}
    for line in lines:
        if line.leaf is None:
            continue
        opening = None if line.problem else line.opening
        principal = HIDDEN if opening is None else opening.principal
        if principal not in found and len(found) >= VISITORS_MAX:
            principal = OTHERS
        at_ms = line.leaf.recorded_at_ms
        visitor = found.setdefault(principal, Visitor(principal, first_ms=at_ms))
        if line.leaf.facts.status < _REFUSED:
            visitor.times += 1
        else:
            visitor.refused += 1
        visitor.first_ms, visitor.last_ms = min(visitor.first_ms, at_ms), max(visitor.last_ms, at_ms)
        if opening and opening.source and opening.source not in visitor.sources and len(visitor.sources) < SOURCES_MAX:
            visitor.sources.append(opening.source)
    return sorted(found.values(), key=lambda visitor: visitor.principal)
