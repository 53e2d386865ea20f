"""(h) SIGKILL of the whole service while entries go from the journal to a signed head: at each point of that, and at any time.

After each kill the service starts again, and its ledger is read as an auditor reads it: whatever was answered has its entry, and
once; the entries hash to the head, both signatures hold; and every head that was ever seen is still a head of the same tree.
"""

import itertools
import json
import random
import threading
import time
from base64 import b64encode
from collections import Counter
from pathlib import Path

from bench.client import ConnectionLostError
from bench.service import BenchError, Deployment, Running

from siegel.domain.faultpoints import FAULT_POINTS, VARIABLE
from siegel.ledger.bundles import entries_of
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.keys import parse_verifier
from siegel.ledger.leaves import decode_leaf
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, Tile
from tests.fault.load import PLAIN
from tests.fault.model import Violation
from tests.fault.s3 import S3

POINTS = tuple(name for name in FAULT_POINTS if name.startswith("ledger."))
CLIENTS = 4
LOAD_S = 1.5
RANDOM_S = (0.3, 1.5)
# Promised is a second; the machine is busy with other things too.
INTEGRATED_S = 10.0


class Asker(threading.Thread):
    """Puts and gets one key until it is told to stop; `answered` are the entries that answers named."""

    def __init__(self, s3: S3, name: str) -> None:
        super().__init__(name=name)
        self.s3 = s3
        self.answered: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            try:
                for method in ("PUT", "GET"):
                    answer = self.s3.call(method, f"/{PLAIN}/{self.name}", b"content" if method == "PUT" else b"")
                    self.answered.append(answer.headers["x-siegel-entry"])
            except ConnectionLostError:
                return


class Audit:
    """What an auditor has seen of one log so far, and holds against it."""

    def __init__(self, deployment: Deployment) -> None:
        told = json.loads(deployment.directory.with_name(deployment.directory.name + ".access.json").read_text(encoding="utf-8"))
        self.prefix = f"/.ledger/{told['account']['account_id']}"
        self.vkeys = b""
        self.heads: dict[int, bytes] = {}
        self.answered: list[str] = []
        self.entries: list[bytes] = []
        self.violations: list[Violation] = []

    def await_all(self, s3: S3) -> None:
        """Read the log until it has every entry that was answered; then hold everything against it."""
        give_up = time.monotonic() + INTEGRATED_S
        while missing := set(self.answered) - set(self._read(s3)):
            if time.monotonic() > give_up:
                self._blame("missing", f"{len(missing)} of {len(self.answered)} answers have no entry, such as {min(missing)}")
                break
            time.sleep(0.1)
        twice = [name for name, count in Counter(self._requests()).items() if name and count > 1]
        if twice:
            self._blame("twice", f"{len(twice)} requests have more than one entry, such as {twice[0]}")
        for size, root in self.heads.items():
            if grow(Frontier(), self.entries[:size]).frontier.root != root:
                self._blame("forked", f"the head of {size} entries that was seen before is none of this tree")

    def _read(self, s3: S3) -> list[str]:
        """Read what is new; return all request ids."""
        answer = s3.call("GET", f"{self.prefix}/checkpoint")
        if answer.status != 200:
            return []
        vkeys = s3.must("GET", f"{self.prefix}/vkeys").body
        if vkeys != (self.vkeys or vkeys):
            self._blame("keys", "the log has other keys than before")
        self.vkeys = vkeys
        opened = open_checkpoint(answer.body, [parse_verifier(line) for line in vkeys.decode().splitlines()])
        size, root = opened.checkpoint.size, opened.checkpoint.root
        if len(opened.signed) != 2:
            self._blame("unsigned", "a head lacks a signature")
        if self.heads.setdefault(size, root) != root:
            self._blame("forked", f"two heads of {size} entries: {b64encode(root)!r} and another")
        if size < max(self.heads):
            self._blame("shrunk", f"a head of {size} entries behind one of {max(self.heads)}")
        first = len(self.entries) // TILE_WIDTH
        self.entries = self.entries[: first * TILE_WIDTH]
        for index in range(first, -(-size // TILE_WIDTH)):
            tile = Tile(ENTRIES, index, min(size - index * TILE_WIDTH, TILE_WIDTH))
            self.entries += entries_of(s3.must("GET", f"{self.prefix}/{tile.path}").body)
        return self._requests()

    def _requests(self) -> list[str]:
        return [decode_leaf(entry).request_id for entry in self.entries]

    def _blame(self, kind: str, what: str) -> None:
        self.violations.append(Violation(kind, "ledger", what))


def run(folder: Path, kills: int, seed: int) -> tuple[list[str], list[Violation]]:
    """Kill the service `kills` times, three in four at a point of the ledger; return notes and violations."""
    deployment = Deployment.create(folder / "ledger")
    audit = Audit(deployment)
    choice = random.Random(seed)
    hits: Counter[str] = Counter()
    points = itertools.cycle((*POINTS, None))
    for _ in range(kills):
        point = next(points)
        setting = {VARIABLE: f"{point}:{choice.randint(1, 3)}"} if point else {}
        try:
            server = deployment.start(2, environment=setting)
        except BenchError:
            # What the last kill has left in the journal led to the point before anybody could ask for anything.
            hits[f"{point} at the start"] += 1
        else:
            try:
                answered, has_hit = _load_and_kill(deployment, server, point, choice)
            finally:
                server.kill()
            audit.answered += answered
            hits[point or "at any time"] += has_hit
        server = deployment.start(2)
        s3 = S3(server, deployment.signer(server))
        try:
            audit.await_all(s3)
        finally:
            s3.close()
            server.stop()
    missed = [name for name in POINTS if not hits[name]] if kills > len(POINTS) else []
    audit.violations += [Violation("not reached", "ledger", f"the fault point {name}") for name in missed]
    reached = ", ".join(f"{name} {count}" for name, count in hits.items())
    return [
        f"{kills} kills ({reached}), {len(audit.answered):,} answers, {len(audit.entries):,} entries, {len(audit.heads)} heads"
    ], audit.violations


def _load_and_kill(deployment: Deployment, server: Running, point: str | None, choice: random.Random) -> tuple[list[str], bool]:
    """Ask until a process has died at the point, or until a random moment; kill everything; return the answers' entries."""
    signer = deployment.signer(server)
    first = S3(server, signer)
    first.make_bucket(PLAIN)
    first.close()
    before = set(server.pids())
    askers = [Asker(S3(server, signer), f"asker-{number}") for number in range(CLIENTS)]
    for asker in askers:
        asker.start()
    until = time.monotonic() + (LOAD_S * 4 if point else choice.uniform(*RANDOM_S))
    while time.monotonic() < until and not before - set(server.pids()):
        time.sleep(0.005)
    has_hit = not point or bool(before - set(server.pids()))
    server.kill()
    for asker in askers:
        asker.over.set()
        asker.join()
        asker.s3.close()
    return [entry for asker in askers for entry in asker.answered], has_hit
