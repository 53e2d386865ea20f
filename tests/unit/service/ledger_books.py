"""A store with its journal, its accounts' logs, and stewards over them."""

import asyncio

from siegel.domain.entry import Entry
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemRandomness
from siegel.ledger.bundles import entries_of
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.handover import FIRST_LINE
from siegel.ledger.keys import parse_verifier
from siegel.ledger.leaves import check_opening, decode_leaf, decode_opening
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, Tile
from siegel.service.ledgers.integrator import Integrator
from siegel.service.ledgers.reader import LedgerReader

START_MS = 1_800_000_000_000
ACCOUNT = "111122223333"
OTHER = "999900001111"


class ManualClock:
    def __init__(self):
        self.ms = START_MS

    def now_ms(self):
        return self.ms


class Marks(dict):
    """The heads that were signed, outside of the store."""

    def last(self, log_id):
        return self.get(log_id)

    def put(self, log_id, size, root):
        self[log_id] = size, root


class Books:
    """A store with its journal, and stewards over it."""

    def __init__(self):
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.custodian = LocalCustodian(bytes(32))
        self.marks = Marks()
        self.steward = self.new_steward()
        self.reader = LedgerReader(self.store, self.custodian)
        self.asked = 0

    def new_steward(self, store=None):
        return Integrator(
            store or self.store,
            self.custodian,
            clock=self.clock,
            randomness=SystemRandomness(),
            marks=self.marks,
            host="siegel.test",
        )

    def note(self, count=1, account_id=ACCOUNT, **fields):
        for _ in range(count):
            self.asked += 1
            known = {"kind": "object.read", "principal": "ann", "bucket": "box", "object_key": f"key {self.asked}"}
            made = Entry(at_ms=self.clock.ms, request_id=f"{self.asked:016X}", account_id=account_id, **{**known, **fields})
            asyncio.run(self.store.append(made))

    def round(self, steward=None):
        return asyncio.run((steward or self.steward).run_once())

    def stands(self, account_id=ACCOUNT):
        """Let a new steward try a round; return why the account's log stands still."""
        return self.round(self.new_steward()).standing[account_id]

    def log(self, account_id=ACCOUNT):
        return self.store.reader.ledgers.find(account_id)

    def file(self, path, account_id=ACCOUNT):
        found = self.reader.read(account_id, path)
        return None if found is None else found.content

    def checkpoint(self, account_id=ACCOUNT):
        vkeys = [parse_verifier(line) for line in self.file("vkeys", account_id).decode().splitlines()]
        opened = open_checkpoint(self.file("checkpoint", account_id), vkeys)
        assert len(opened.signed) == 2
        return opened

    def stored(self, account_id=ACCOUNT):
        """All entries under the head and their openings, as they are; fails unless they hash to its root."""
        checkpoint = self.checkpoint(account_id).checkpoint
        entries, openings = [], []
        for first in range(0, checkpoint.size, TILE_WIDTH):
            tile = Tile(ENTRIES, first // TILE_WIDTH, min(checkpoint.size - first, TILE_WIDTH))
            entries += entries_of(self.file(tile.path, account_id))
            openings += entries_of(self.file(tile.path.replace("tile/entries", "openings"), account_id))
        growth = grow(Frontier(), entries)
        assert growth.frontier.root == checkpoint.root
        for tile, content in growth.files:
            assert self.file(tile.path, account_id) == content, tile.path
        return entries, openings

    def leaves(self, account_id=ACCOUNT):
        """All entries under the head, with their openings; fails unless they hash to its root, and are no hand-overs."""
        entries, openings = self.stored(account_id)
        return self._read(entries, openings)

    def leaves_beside_hand_overs(self, account_id=ACCOUNT):
        """The same, the hand-overs of keys left out."""
        entries, openings = self.stored(account_id)
        pairs = [pair for pair in zip(entries, openings, strict=True) if not pair[0].startswith(FIRST_LINE)]
        return self._read(*zip(*pairs, strict=True))

    def hand_overs(self, account_id=ACCOUNT):
        """How many entries there are, and how many of them are hand-overs."""
        entries, _ = self.stored(account_id)
        return len(entries), sum(entry.startswith(FIRST_LINE) for entry in entries)

    @staticmethod
    def _read(entries, openings):
        leaves = [decode_leaf(entry) for entry in entries]
        for leaf, opening in zip(leaves, openings, strict=True):
            if opening:
                check_opening(leaf, decode_opening(opening))
        return leaves, [decode_opening(opening) for opening in openings]

    def requests(self, account_id=ACCOUNT):
        return [int(leaf.request_id, 16) for leaf in self.leaves(account_id)[0]]
