"""Who and what the entries are about: the openings beside them, checked against the commitments in the entries.

A ledger may have none, and single ones may have been erased: that is no finding, but it is counted, since whoever erases can hide
by it who was there. One that says another person or another object than its entry was made with is a finding.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from siegel.customer.audit.findings import Name, Report
from siegel.customer.audit.sources import Source
from siegel.customer.audit.walk import read_bundle
from siegel.domain.ledgers import LedgerError, LedgerFormError
from siegel.ledger.bundles import encode_bundle, entries_of
from siegel.ledger.entry_heads import read_entry_head
from siegel.ledger.leaves import Leaf, Opening, check_opening, decode_leaf, decode_opening
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, Tile, tile_at

OPENINGS_NAME: Final = "openings"


class Line(Struct, frozen=True):
    """An entry, read. `leaf` is None for a hand-over of keys, `opening` where there is none. `problem`: why not to believe it."""

    index: int
    leaf: Leaf | None
    opening: Opening | None = None
    problem: str = ""


def openings_path(tile: Tile) -> str:
    """Return where the openings of a bundle of entries lie."""
    return tile.path.replace("tile/entries", OPENINGS_NAME, 1)


def read_entries(source: Source, tile: Tile) -> list[bytes]:
    """Return the entries of a bundle. Raises SourceError; LedgerFormError, which names the file and what to do."""
    try:
        return read_bundle(source, tile)
    except LedgerFormError as error:
        raise LedgerFormError(f"the entries in {tile.path} cannot be read: {error}\ntry: siegel audit verify DIR") from None


def read_lines(source: Source, first: int, size: int) -> Iterator[Line]:
    """Yield the entries of a ledger of `size` from index `first` on. Raises LedgerFormError for no bundle, SourceError."""
    for place in range(first // TILE_WIDTH, -(-size // TILE_WIDTH)):
        tile = tile_at(ENTRIES, place, size)
        entries = read_entries(source, tile)
        openings, problem = _openings(source, tile)
        for offset, entry in enumerate(entries):
            index = place * TILE_WIDTH + offset
            if index >= first:
                yield _line(index, entry, openings[offset] if openings else b"", problem)


def check_openings(source: Source, first: int, report: Report, look: Callable[[Line], None] = lambda _line: None) -> None:
    """Add to `report` what does not fit, from the entry at `first` on; `look` is shown every entry. Raises SourceError."""
    for line in read_lines(source, first, report.size):
        look(line)
        if line.problem:
            report.add(Name.OPENINGS, f"entry {line.index}: {line.problem}", entry=line.index)
        elif line.leaf is not None and line.opening is None:
            report.unnamed += 1


def fill_openings(entries: list[bytes], known: bytes, found: bytes | None) -> bytes | None:
    """Return the openings `found` of a bundle, with those in them that were `known` before: what fits its entry is not forgotten.

    `entries` are all of the bundle, `known` are the openings of the first of them. What cannot be read stays as it is.
    """
    try:
        before = entries_of(known)
        now = entries_of(found) if found is not None else [b""] * len(entries)
    except LedgerFormError:
        return found
    if len(now) != len(entries):
        return found
    kept = [
        old if _line(index, entry, old, "").opening else new
        for index, (entry, old, new) in enumerate(zip(entries, before, now, strict=False))
    ]
    return encode_bundle([*kept, *now[len(kept) :]])


def _openings(source: Source, tile: Tile) -> tuple[list[bytes], str]:
    found = source.get(openings_path(tile))
    if found is None:
        return [], ""
    try:
        openings = entries_of(found)
    except LedgerFormError as error:
        return [], f"its openings cannot be read: {error}"
    if len(openings) != tile.width:
        return [], f"there are {len(openings)} openings for {tile.width} entries"
    return openings, ""


def _line(index: int, entry: bytes, stored: bytes, problem: str) -> Line:
    try:
        if read_entry_head(entry) is None:
            return Line(index, None)
        leaf = decode_leaf(entry)
    except LedgerFormError as error:
        return Line(index, None, problem=str(error))
    try:
        opening = decode_opening(stored)
        if opening is not None:
            check_opening(leaf, opening)
    except LedgerError as error:
        return Line(index, leaf, problem=str(error))
    return Line(index, leaf, opening, problem)
