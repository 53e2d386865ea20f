"""Receipts: proof files for single entries, made from the mirror, checked with a policy alone."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from siegel.customer.audit.book import Book
from siegel.customer.audit.openings import read_entries
from siegel.customer.audit.sources import Source, SourceError
from siegel.customer.audit.walk import read_tile
from siegel.domain.errors import SiegelError
from siegel.domain.ledgers import LedgerFormError, UnsignedError
from siegel.ledger.entry_heads import read_entry_head
from siegel.ledger.handover import follow
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.policies import Judgement, Policy
from siegel.ledger.proof_files import ProofFile, parse_proof_file
from siegel.ledger.proofs import inclusion_tiles, prove_inclusion
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, Tile, tile_at

REQUEST_ID: Final = re.compile(r"[0-9A-F]{16}", re.ASCII)
_INDEX: Final = re.compile(r"#(0|[1-9][0-9]{0,17})", re.ASCII)


class NoSuchEntryError(SiegelError):
    """No entry of the mirror is meant by that."""


class Receipt(Struct, frozen=True):
    """A receipt that holds: which entry it proves, and what the policy says of the head that it is proven in."""

    index: int
    entry: bytes
    judgement: Judgement


def make_receipts(book: Book, wanted: str) -> dict[int, bytes]:
    """Return proof files for the entries of a request (`x-siegel-entry`, 16 hex digits), or for `#N`, by their indices.

    The entry itself is in the file, as `extra`. Raises NoSuchEntryError; LedgerFormError or SourceError where the mirror lacks
    something.
    """
    with book.reading():
        data, size = book.mirrored()
        found = dict(_find(book, wanted, size))
        if not found:
            raise NoSuchEntryError(
                f"no entry of the ledger in {book.folder} is {wanted}\ntry: siegel audit sync {book.folder}, if it is new"
            )
        return {index: prove(book.mirror, index, size, entry, data).encode() for index, entry in found.items()}


def prove(source: Source, index: int, size: int, entry: bytes, head: bytes) -> ProofFile:
    """Return the proof of an entry under a head of `size` entries. Raises SourceError where a tile cannot be had."""
    tiles = {tile: _tile(source, tile) for tile in inclusion_tiles(index, size)}
    return ProofFile(index, prove_inclusion(index, size, tiles), head, entry)


def check_receipt(data: bytes, policy: Policy, hand_overs: Sequence[bytes] = ()) -> Receipt:
    """Check a receipt offline; `hand_overs` are proof files that lead from the policy's keys to later ones.

    Raises LedgerFormError, ProofError, UnsignedError.
    """
    file = parse_proof_file(data)
    if not file.extra:
        raise LedgerFormError("the proof file does not hold the entry that it proves")
    *earlier, newest = follow(policy, hand_overs)
    for each in earlier:
        with suppress(UnsignedError):
            return Receipt(file.index, file.extra, file.check(leaf_hash(file.extra), each))
    return Receipt(file.index, file.extra, file.check(leaf_hash(file.extra), newest))


def _find(book: Book, wanted: str, size: int) -> Iterator[tuple[int, bytes]]:
    numbered = _INDEX.fullmatch(wanted)
    if numbered:
        index = int(numbered[1])
        if index < size:
            yield index, read_entries(book.mirror, tile_at(ENTRIES, index // TILE_WIDTH, size))[index % TILE_WIDTH]
        return
    if not REQUEST_ID.fullmatch(wanted):
        raise NoSuchEntryError(f"{wanted!r} is neither a request id of 16 hex digits nor #N")
    for place in range(-(-size // TILE_WIDTH)):
        for offset, entry in enumerate(read_entries(book.mirror, tile_at(ENTRIES, place, size))):
            if _request_of(entry) == wanted:
                yield place * TILE_WIDTH + offset, entry


def _request_of(entry: bytes) -> str:
    """Return the request that an entry is about; empty where it is about none, or is no entry, which other checks say."""
    try:
        head = read_entry_head(entry)
    except LedgerFormError:
        return ""
    return head.request_id if head else ""


def _tile(source: Source, tile: Tile) -> bytes:
    found = read_tile(source, tile)
    if found is None:
        raise SourceError(f"the ledger that is here lacks {tile.path}")
    return found
