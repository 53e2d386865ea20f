"""What ledgers cost: adding entries to a tree, proving one of ten million, and verifying a million of them.

All of it is computed in one thread, so processor time is what is measured.
"""

import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.report import Row
from bench.stage import Plan
from siegel.customer.audit.dates import Promise
from siegel.customer.audit.sources import FolderSource
from siegel.customer.audit.walk import CHECKPOINT, Trust, audit
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.hashing import HASH_BYTES, subtree_root
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.policies import LogLine, Policy
from siegel.ledger.proofs import check_inclusion, inclusion_tiles, prove_inclusion
from siegel.ledger.signed_checkpoints import sign_checkpoint
from siegel.ledger.tiles import TILE_BYTES, Tile, new_tiles

ENTRIES = 1_000_000
BATCH = 5_000
ENTRY_BYTES = 170
LEAVES = 10_000_000
PROOFS = 200
APPENDS_PER_S_MIN = 20_000
PROOF_MS_MAX = 5.0
VERIFY_S_MAX = 30.0

_LOG = SignerKey("bench.example/ledger", Algorithm.ED25519, b"l" * 32)
_NOW_S = 1_800_000_000


def auditing(plan: Plan) -> list[Row]:
    """Return the rows of a ledger's tree and of the auditor's walk."""
    folder = Path(tempfile.mkdtemp(dir=plan.folder))
    try:
        rate = _append(folder)
        cost_s = _verify(folder)
    finally:
        shutil.rmtree(folder)
    proof_ms = _prove()
    return [
        Row(
            "Ledger, entries added to a tree",
            f"{rate:,.0f}/CPU s",
            "",
            "",
            f">= {APPENDS_PER_S_MIN:,}/s",
            rate >= APPENDS_PER_S_MIN,
        ),
        Row(
            "Ledger, proof of one of 10,000,000",
            f"{proof_ms:.2f} ms",
            "",
            "",
            f"<= {PROOF_MS_MAX:.0f} ms",
            proof_ms <= PROOF_MS_MAX,
        ),
        Row("Audit of 1,000,000 entries", f"{cost_s:.1f} CPU s", "", "", f"<= {VERIFY_S_MAX:.0f} s", cost_s <= VERIFY_S_MAX),
    ]


def _entry(number: int) -> bytes:
    return (b"\x01" + (_NOW_S * 1000 + number // 20).to_bytes(8) + number.to_bytes(8)).ljust(ENTRY_BYTES, b".")


def _append(folder: Path) -> float:
    """Write a ledger of ENTRIES into `folder`; return how many a second of processor time adds to its tree."""
    frontier, cost_s = Frontier(), 0.0
    wanted = frozenset(new_tiles(0, ENTRIES))
    for first in range(0, ENTRIES, BATCH):
        entries = [_entry(number) for number in range(first, first + BATCH)]
        began = time.thread_time()
        growth = grow(frontier, entries)
        cost_s += time.thread_time() - began
        frontier = growth.frontier
        for tile, content in growth.files:
            if tile in wanted:
                path = folder / tile.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    head = Checkpoint(_LOG.name, ENTRIES, frontier.root)
    (folder / CHECKPOINT).write_bytes(sign_checkpoint(head, [_LOG], _NOW_S))
    return ENTRIES / cost_s


def _verify(folder: Path) -> float:
    """Return the processor time that an audit of the whole ledger costs, from the first entry on."""
    policy = Policy((LogLine(_LOG.verifier),), (), {}, "none")
    began = time.thread_time()
    report = audit(FolderSource(folder), Trust(policy, Promise()), None, _NOW_S)
    cost_s = time.thread_time() - began
    found = {str(finding.check) for finding in report.findings}
    # The bench's log has no key that tells the time.
    if report.size != ENTRIES or found != {"freshness"}:
        raise RuntimeError(f"the audit of an honest ledger found {found}")
    return cost_s


def _prove() -> float:
    """Return the median of the time that one proof takes, in milliseconds; each is checked."""
    levels = [os.urandom(LEAVES * HASH_BYTES)]
    while len(levels[-1]) >= TILE_BYTES:
        below = levels[-1]
        whole = len(below) // TILE_BYTES * TILE_BYTES
        levels.append(b"".join(subtree_root(below[at : at + TILE_BYTES]) for at in range(0, whole, TILE_BYTES)))
    root = Frontier(LEAVES, tuple(level[len(level) // TILE_BYTES * TILE_BYTES :] for level in levels)).root
    costs: list[float] = []
    for _ in range(PROOFS):
        index = random.randrange(LEAVES)
        began = time.thread_time()
        tiles = {tile: _tile(levels, tile) for tile in inclusion_tiles(index, LEAVES)}
        proof = prove_inclusion(index, LEAVES, tiles)
        costs.append((time.thread_time() - began) * 1000)
        hashed = levels[0][index * HASH_BYTES : (index + 1) * HASH_BYTES]
        check_inclusion(hashed, index, LEAVES, root, proof)
    return median(costs)


def _tile(levels: list[bytes], tile: Tile) -> bytes:
    start = tile.index * TILE_BYTES
    return levels[tile.level][start : start + tile.width * HASH_BYTES]
