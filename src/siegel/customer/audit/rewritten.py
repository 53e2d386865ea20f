"""Which entry was rewritten: the first one at which what a ledger shows now parts from what was verified before.

Found from the top of both trees down, by a tile of each level: where the mirror has the tiles of the earlier tree, a few files of
the later one are enough, however far back the entry is. What comes of it are two proof files: the entry as it was under the
earlier head, and the one that stands in its place under the later head. Each holds by itself, and together they prove that the
ledger has two histories.
"""

from typing import Final

from msgspec import Struct

from siegel.customer.audit.findings import Name, Report
from siegel.customer.audit.receipts import prove
from siegel.customer.audit.sources import Source, SourceError
from siegel.customer.audit.walk import read_bundle, read_tile, told
from siegel.domain.ledgers import LedgerError, LedgerFormError
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.hashing import HASH_BYTES, leaf_hash
from siegel.ledger.policies import Policy
from siegel.ledger.tiles import ENTRIES, TILE_HEIGHT, TILE_WIDTH, tile_at

BEFORE_NAME: Final = "before.tlog-proof"
NOW_NAME: Final = "now.tlog-proof"


class Side(Struct, frozen=True):
    """A ledger at one time: its files, the head as it was signed, and whose signatures it is judged by."""

    source: Source
    note: bytes
    head: Checkpoint
    policy: Policy

    def hashes(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile. Raises LedgerFormError where it is not there as it must be, SourceError."""
        tile = tile_at(level, index, self.head.size)
        found = read_tile(self.source, tile)
        if found is None or len(found) != tile.width * HASH_BYTES:
            raise LedgerFormError(f"{tile.path} is missing, or has another width than its name says")
        return [found[at : at + HASH_BYTES] for at in range(0, len(found), HASH_BYTES)]

    def shown(self, index: int) -> tuple[str, bytes]:
        """Return what an entry says, and its proof file; that is empty where the files here prove nothing."""
        try:
            entry = read_bundle(self.source, tile_at(ENTRIES, index // TILE_WIDTH, self.head.size))[index % TILE_WIDTH]
        except (LedgerError, SourceError):
            return "it is not shown", b""
        try:
            file = prove(self.source, index, self.head.size, entry, self.note)
            file.check(leaf_hash(entry), self.policy)
        except (LedgerError, SourceError):
            return told(entry), b""
        return told(entry), file.encode()


class Rewritten(Struct, frozen=True):
    """An entry that is another one than before. `proofs` are files by their names, as many as could be made."""

    index: int
    file: str
    before: str
    now: str
    proofs: dict[str, bytes]

    def tell(self, report: Report) -> None:
        """Add it to the findings, unless it is among them."""
        message = f"entry {self.index} is another one than was verified before"
        if not any(finding.message == message for finding in report.findings):
            report.add(Name.CONSISTENCY, message, entry=self.index, file=self.file, before=self.before, now=self.now)


def find_rewritten(earlier: Side, later: Side) -> Rewritten | None:
    """Return the first entry in which two states of a ledger differ; None where the files do not show any."""
    try:
        index = _first_difference(earlier, later)
    except (LedgerError, SourceError):
        return None
    if index is None:
        return None
    (before, proof), (now, other) = earlier.shown(index), later.shown(index)
    proofs = {name: data for name, data in ((BEFORE_NAME, proof), (NOW_NAME, other)) if data}
    return Rewritten(index, tile_at(ENTRIES, index // TILE_WIDTH, later.head.size).path, before, now, proofs)


def _first_difference(earlier: Side, later: Side) -> int | None:
    """Return the first leaf whose hash differs. Raises LedgerFormError, SourceError."""
    size = min(earlier.head.size, later.head.size)
    if not size:
        return None
    level = (size.bit_length() - 1) // TILE_HEIGHT
    index = 0
    while True:
        # Of the parts that are whole in both trees, the hashes are the same where the leaves are.
        known, shown = earlier.hashes(level, index), later.hashes(level, index)
        common = min(len(known), len(shown))
        place = next((at for at in range(common) if known[at] != shown[at]), common)
        if level == 0:
            return index * TILE_WIDTH + place if place < common else None
        level, index = level - 1, index * TILE_WIDTH + place
        if index * TILE_WIDTH << TILE_HEIGHT * level >= size:
            return None
