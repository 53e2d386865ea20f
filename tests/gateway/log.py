"""An account's log as its auditor reads it over the S3 port: every entry, under a head whose signatures and root hold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from siegel.ledger.bundles import entries_of
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.keys import parse_verifier
from siegel.ledger.leaves import Leaf, Opening, check_opening, decode_leaf, decode_opening
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, Tile

from .raw import Answer, RawClient

# Promised is a second; machines that run tests are slower than that at times.
INTEGRATED_S = 15.0


@dataclass(frozen=True)
class Line:
    """An entry with its opening; None: it was erased."""

    leaf: Leaf
    opening: Opening | None


class Auditor:
    """Reads one account's log, and goes on from where it was: what is written later hangs on the lines that it knows.

    The names and persons of an entry are read once: of those that are erased later a new auditor learns nothing.
    """

    def __init__(self, raw: RawClient, account_id: str) -> None:
        self.raw, self.account_id = raw, account_id
        self._frontier = Frontier()
        self._known: list[Line] = []

    def fetch(self, path: str) -> Answer:
        return self.raw.call("GET", ".ledger", f"{self.account_id}/{path}")

    def vkeys(self) -> list[str]:
        """The log's public keys. A log is there once its account's first entry is in it."""
        give_up = time.monotonic() + INTEGRATED_S
        while (answer := self.fetch("vkeys")).status != 200:
            assert time.monotonic() < give_up, answer
            time.sleep(0.1)
        return answer.body.decode().splitlines()

    def lines(self) -> list[Line]:
        """Everything under the newest head. Fails unless all of it holds."""
        vkeys = [parse_verifier(line) for line in self.vkeys()]
        opened = open_checkpoint(self.fetch("checkpoint").body, vkeys)
        assert len(opened.signed) == len(vkeys) == 2
        checkpoint = opened.checkpoint
        known = self._frontier.size
        entries: list[bytes] = []
        openings: list[bytes] = []
        for first in range(known // TILE_WIDTH * TILE_WIDTH, checkpoint.size, TILE_WIDTH):
            tile = Tile(ENTRIES, first // TILE_WIDTH, min(checkpoint.size - first, TILE_WIDTH))
            fresh = slice(max(known - first, 0), None)
            entries += entries_of(self.fetch(tile.path).body)[fresh]
            openings += entries_of(self.fetch(tile.path.replace("tile/entries", "openings")).body)[fresh]
        frontier = grow(self._frontier, entries).frontier
        assert (frontier.size, frontier.root) == (checkpoint.size, checkpoint.root)
        found = [Line(decode_leaf(entry), decode_opening(opening)) for entry, opening in zip(entries, openings, strict=True)]
        for line in found:
            if line.opening is not None:
                check_opening(line.leaf, line.opening)
        self._frontier = frontier
        self._known += found
        return list(self._known)

    def await_entries(self, entry_ids: Sequence[str]) -> dict[str, list[Line]]:
        """The lines of these requests, once all of them are under a head."""
        give_up = time.monotonic() + INTEGRATED_S
        while True:
            found: dict[str, list[Line]] = {entry_id: [] for entry_id in entry_ids}
            if self.fetch("checkpoint").status == 200:
                for line in self.lines():
                    found.get(line.leaf.request_id, []).append(line)
            if all(found.values()):
                return found
            assert time.monotonic() < give_up, [entry_id for entry_id, lines in found.items() if not lines]
            time.sleep(0.1)
