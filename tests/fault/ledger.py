"""(h) SIGKILL of the whole service while entries go from the journal to a signed head: at each point of that, and at any time.

After each kill the service starts again, and `siegel audit`, which believes nothing that it can compute and remembers what it
verified before the kill, reads the ledger: it must hold, and have every entry that an answer named, once. Now and then the log's
keys are changed meanwhile, and the auditor must follow from those that it began with.
"""

import itertools
import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.client import ConnectionLostError
from bench.service import BenchError, Deployment, Running, siegel

from siegel.customer.audit.openings import read_lines
from siegel.customer.audit.sources import FolderSource
from siegel.domain.faultpoints import FAULT_POINTS, VARIABLE
from tests.fault.load import PLAIN
from tests.fault.model import Violation
from tests.fault.s3 import S3

POINTS = tuple(name for name in FAULT_POINTS if name.startswith("ledger."))
OF_KEYS = ("ledger.before_hand_over", "ledger.after_hand_over")
CLIENTS = 4
LOAD_S = 1.5
RANDOM_S = (0.3, 1.5)
# Promised is a second; the machine is busy with other things too, and what waited for a start is late.
INTEGRATED_S = 60.0
DELAY_S = "3600"
# Each audit looks at a ledger from its first entry on: what one takes grows with the kills before it.
KILLS_PER_LEDGER = 50


class Asker(threading.Thread):
    """Puts and gets one key until it is told to stop; `answered` are the entries that answers named."""

    def __init__(self, s3: S3, name: str) -> None:
        super().__init__(name=name)
        self.s3 = s3
        self.answered: list[str] = []
        self.unnamed = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            try:
                for method in ("PUT", "GET"):
                    answer = self.s3.call(method, f"/{PLAIN}/{self.name}", b"content" if method == "PUT" else b"")
                    if "x-siegel-entry" in answer.headers:
                        self.answered.append(answer.headers["x-siegel-entry"])
                    else:
                        self.unnamed += 1
            except ConnectionLostError:
                return


class Auditor:
    """The customer's auditor, by its commands, and what the answers have told it to look for."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        told = json.loads(deployment.directory.with_name(deployment.directory.name + ".access.json").read_text(encoding="utf-8"))
        self.account_id = told["account"]["account_id"]
        self.folder = deployment.directory.with_name(deployment.directory.name + ".audits")
        self.answered: list[str] = []
        self.found: Counter[str] = Counter()
        self.size = self.hand_overs = self.audits = 0
        self.violations: list[Violation] = []

    def begin(self, server: Running, s3: S3) -> None:
        """Pin the keys of now."""
        give_up = time.monotonic() + INTEGRATED_S
        while s3.call("GET", f"/.ledger/{self.account_id}/checkpoint").status != 200:
            if time.monotonic() > give_up:
                raise BenchError("the ledger shows no head")
            time.sleep(0.1)
        vkeys = s3.must("GET", f"/.ledger/{self.account_id}/vkeys").body.decode().split()
        policy = self.folder.with_suffix(".policy")
        policy.write_text("".join(f"log {vkey}\n" for vkey in vkeys) + "quorum none\n", encoding="utf-8")
        begun = self._run("init", str(self.folder), "--from", self._place(server), "--policy", str(policy), "--delay-s", DELAY_S)
        if begun.returncode:
            raise BenchError(f"siegel audit init failed: {begun.stderr.strip()}")

    def check(self, server: Running, when: str) -> None:
        """Sync until everything that was answered is there; then verify the whole mirror from the first entry on."""
        give_up = time.monotonic() + INTEGRATED_S
        while True:
            self._tell("sync", self._told("sync", str(self.folder), "--from", self._place(server), "--json"), when)
            self._read()
            missing = [name for name in self.answered if name not in self.found]
            if not missing or time.monotonic() > give_up:
                break
            time.sleep(0.2)
        if missing:
            self._blame("missing", f"{len(missing)} of {len(self.answered)} answers have no entry, such as {missing[0]}, {when}")
        twice = [name for name, count in self.found.items() if name and count > 1]
        if twice:
            self._blame("twice", f"{len(twice)} requests have more than one entry, such as {twice[0]}, {when}")
        self._tell("verify", self._told("verify", str(self.folder), "--json"), when)

    def _tell(self, command: str, report: dict[str, Any], when: str) -> None:
        self.audits += 1
        if not report.get("holds"):
            self._blame("audit", f"`siegel audit {command}` says so {when}: {report.get('findings')}")
        self.size, self.hand_overs = report.get("size", 0), report.get("hand_overs", 0)

    def _read(self) -> None:
        lines = read_lines(FolderSource(self.folder / "ledger"), 0, self.size)
        self.found = Counter(line.leaf.request_id for line in lines if line.leaf is not None)

    def _told(self, *words: str) -> dict[str, Any]:
        ended = self._run(*words)
        try:
            told: dict[str, Any] = json.loads(ended.stdout)
        except ValueError:
            raise BenchError(f"siegel audit {words[0]} ended with {ended.returncode}: {ended.stderr.strip()}") from None
        return told

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        keys = {
            "AWS_ACCESS_KEY_ID": self.deployment.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.deployment.secret_access_key,
        }
        command = [siegel(), "audit", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | keys)

    def _place(self, server: Running) -> str:
        return f"http://{server.authority}/.ledger/{self.account_id}"

    def _blame(self, kind: str, what: str) -> None:
        self.violations.append(Violation(kind, "ledger", what))


def run(folder: Path, kills: int, seed: int) -> tuple[list[str], list[Violation]]:
    """Kill the service `kills` times, most of them at a point of the ledger; return notes and violations."""
    choice = random.Random(seed)
    auditors: list[Auditor] = []
    hits: Counter[str] = Counter()
    points = itertools.cycle((*POINTS, None))
    unnamed = 0
    for number in range(kills):
        if number % KILLS_PER_LEDGER == 0:
            auditors.append(_begin(folder / f"ledger-{len(auditors)}"))
        auditor = auditors[-1]
        deployment = auditor.deployment
        point = next(points)
        if point in OF_KEYS:
            _rotate_keys(deployment, auditor)
        times = 1 if point in OF_KEYS else choice.randint(1, 3)
        when = f"after kill {number} ({point or 'at any time'}, {times})"
        killed = deployment.killed()
        try:
            server = deployment.start(2, environment={VARIABLE: f"{point}:{times}"} if point else {})
        except BenchError:
            # What the last kill has left in the journal led to the point before anybody could ask for anything.
            hits[f"{point} at the start"] += 1
        else:
            try:
                askers, has_hit = _load_and_kill(deployment, server, point, choice, killed)
            finally:
                server.kill()
            auditor.answered = [entry for asker in askers for entry in asker.answered]
            unnamed += sum(asker.unnamed for asker in askers)
            hits[point or "at any time"] += has_hit
        _audit(deployment, auditor, when)
        if number % 20 == 19:
            print(f"  {number + 1} of {kills} kills, {sum(len(one.violations) for one in auditors)} violations", flush=True)
    reached = {name: hits[name] + hits[f"{name} at the start"] for name in POINTS}
    missed = [name for name, count in reached.items() if not count] if kills > len(POINTS) else []
    violations = [violation for one in auditors for violation in one.violations]
    violations += [Violation("not reached", "ledger", f"the fault point {name}") for name in missed]
    if unnamed:
        violations.append(Violation("unnamed", "ledger", f"{unnamed} answers name no entry"))
    told = ", ".join(f"{name} {count}" for name, count in hits.items())
    return [
        f"{kills} kills ({told})",
        (
            f"{sum(one.audits for one in auditors)} audits of {len(auditors)} ledgers, {sum(one.size for one in auditors):,} "
            f"entries, {sum(one.hand_overs for one in auditors)} hand-overs of keys"
        ),
    ], violations


def _begin(folder: Path) -> Auditor:
    """Make a deployment, and whoever audits its first account."""
    deployment = Deployment.create(folder)
    auditor = Auditor(deployment)
    server = deployment.start(2)
    s3 = S3(server, deployment.signer(server))
    try:
        s3.make_bucket(PLAIN)
        auditor.begin(server, s3)
    finally:
        s3.close()
        server.stop()
    return auditor


def _audit(deployment: Deployment, auditor: Auditor, when: str) -> None:
    server = deployment.start(2)
    try:
        auditor.check(server, when)
    finally:
        server.stop()


def _rotate_keys(deployment: Deployment, auditor: Auditor) -> None:
    words = ["ledger", "rotate-keys", "--account", auditor.account_id, "--data", str(deployment.directory)]
    give_up = time.monotonic() + INTEGRATED_S
    while True:
        done = subprocess.run([siegel(), *words], capture_output=True, text=True, check=False)
        if not done.returncode:
            return
        if "are being changed already" not in done.stderr or time.monotonic() > give_up:
            raise BenchError(f"siegel ledger rotate-keys failed: {done.stderr.strip()}")
        if "are handed over" not in done.stderr:
            # The kill before came in the midst of a change, which goes on, and comes to both points.
            return
        # It came to both already, and only the former keys are not forgotten yet: the service does that when it runs.
        server = deployment.start(2)
        time.sleep(1)
        server.stop()


def _load_and_kill(
    deployment: Deployment, server: Running, point: str | None, choice: random.Random, killed: int
) -> tuple[list[Asker], bool]:
    """Ask until a process has died at the point, or until a random moment; kill everything; return who asked.

    `killed` is what the deployment counted before this start: the steward may die at its point before anybody asks.
    """
    signer = deployment.signer(server)
    askers = [Asker(S3(server, signer), f"asker-{number}") for number in range(CLIENTS)]
    for asker in askers:
        asker.start()
    until = time.monotonic() + (LOAD_S * 4 if point else choice.uniform(*RANDOM_S))
    while time.monotonic() < until and deployment.killed() == killed:
        time.sleep(0.005)
    has_hit = not point or deployment.killed() > killed
    server.kill()
    for asker in askers:
        asker.over.set()
        asker.join()
        asker.s3.close()
    return askers, has_hit
