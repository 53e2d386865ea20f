"""(a) SIGKILL of the whole service under mixed load: at random times, and at each named fault point.

Every cycle starts the service, checks everything that the cycles before have written, loads it, and kills all of its processes.
"""

import itertools
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.service import BenchError, Deployment, Running

from siegel.domain.faultpoints import FAULT_POINTS, VARIABLE
from tests.fault.load import PLAIN, VERSIONED, Tally, Writer, run_writers, stop_writers
from tests.fault.model import Model, Violation, compare, settle
from tests.fault.observe import observe
from tests.fault.s3 import S3

WRITERS = 6
RANDOM_S = (0.02, 0.6)
POINT_TIMEOUT_S = 3.0
# Keys of so many cycles are kept in one directory, then a new one is begun, so that a cycle stays short.
CYCLES_PER_DIRECTORY = 60


@dataclass
class Report:
    """What a series of cycles did and found."""

    cycles: int = 0
    tally: Tally = field(default_factory=Tally)
    hits: dict[str, int] = field(default_factory=dict)
    at_the_start: int = 0
    violations: list[str] = field(default_factory=list)
    checked_objects: int = 0
    start_s: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        hits = ", ".join(f"{name} {count}" for name, count in self.hits.items())
        starts = sorted(self.start_s)
        return [
            (
                f"{self.cycles} kills, {self.tally.acknowledged:,} changes acknowledged, {self.tally.unanswered} unanswered, "
                f"{self.tally.refused} refused, {self.checked_objects:,} objects read back and compared"
            ),
            f"fault points reached: {hits}; {self.at_the_start} before the service was ready",
            f"start after a kill: median {starts[len(starts) // 2]:.2f} s, longest {starts[-1]:.2f} s",
        ]


# Reads reach these too, since each is journaled and answered: the check before the load runs on a service that is not armed.
POINTS_OF_READS = {"answer.before", "meta.before_commit", "meta.after_commit", "entries.before_sync", "entries.after_sync"}
# Those of the ledger, of consents, of the key chest and of the database's key have parts of their own (ledger.py, consents.py,
# rotation.py).
POINTS = tuple(name for name in FAULT_POINTS if not name.startswith(("ledger.", "consent.", "chest.", "rekey.")))


class Series:
    """Cycles on one data directory after another."""

    def __init__(self, folder: Path, seed: int, workers: int = 2) -> None:
        self.folder, self.workers = folder, workers
        self.choice = random.Random(seed)
        self.report = Report(hits=dict.fromkeys(POINTS, 0))
        self._model = Model()
        self._deployment: Deployment | None = None
        self._number = 0

    def _begin_directory(self) -> Deployment:
        self._number += 1
        self._model = Model()
        deployment = Deployment.create(self.folder / f"crash-{self._number}")
        server = deployment.start(self.workers)
        s3 = S3(server, deployment.signer(server))
        s3.make_bucket(PLAIN)
        s3.make_bucket(VERSIONED, versioned=True)
        s3.close()
        server.stop()
        return deployment

    def cycle(self, point: str | None) -> None:
        """Start, check what was written before, load, kill at `point` or, without one, at a random time."""
        if self._deployment is None or self.report.cycles % CYCLES_PER_DIRECTORY == 0:
            if self._deployment is not None:
                self.check()
            self._deployment = self._begin_directory()
        if point in POINTS_OF_READS:
            self.check()
        setting = {VARIABLE: f"{point}:{self.choice.randint(1, 12)}"} if point else {}
        killed = self._killed()
        try:
            server = self._start(setting)
        except BenchError:
            if not point:
                raise
            # What the kill before left in the journal led the steward to the point before anybody could ask for anything.
            self.report.at_the_start += 1
            self.report.cycles += 1
            return
        try:
            if point not in POINTS_OF_READS:
                self._check(server)
            writers = self._writers(server)
            run_writers(writers)
            if point:
                self._await_death(killed)
            else:
                time.sleep(self.choice.uniform(*RANDOM_S))
            if point and self._killed() > killed:
                self.report.hits[point] += 1
        finally:
            server.kill()
        tally, violations = stop_writers(writers)
        self.report.tally.add(tally)
        self.report.cycles += 1
        self._note(violations, point)

    def check(self) -> None:
        """Start once more and check what the last cycle left."""
        server = self._start({})
        try:
            self._check(server)
        finally:
            server.stop()

    def _start(self, setting: dict[str, str]) -> Running:
        if self._deployment is None:
            self._deployment = self._begin_directory()
        began = time.monotonic()
        server = self._deployment.start(self.workers, environment=setting)
        self.report.start_s.append(time.monotonic() - began)
        return server

    def _check(self, server: Running) -> None:
        if self._deployment is None:
            return
        s3 = S3(server, self._deployment.signer(server))
        seen = observe(s3, self._model)
        s3.close()
        self.report.checked_objects += len(seen.plain) + len(seen.versions)
        self._note(compare(self._model, seen), "check")
        settle(self._model, seen)

    def _writers(self, server: Running) -> list[Writer]:
        if self._deployment is None:
            return []
        signer = self._deployment.signer(server)
        seeds = [random.Random(self.choice.getrandbits(64)) for _ in range(WRITERS)]
        return [Writer(f"writer-{number}", S3(server, signer), self._model, seed) for number, seed in enumerate(seeds)]

    def _killed(self) -> int:
        return self._deployment.killed() if self._deployment else 0

    def _await_death(self, killed: int) -> None:
        deadline = time.monotonic() + POINT_TIMEOUT_S
        while time.monotonic() < deadline and self._killed() == killed:
            time.sleep(0.005)

    def _note(self, violations: list[Violation], when: str | None) -> None:
        for violation in violations:
            text = f"cycle {self.report.cycles} ({when or 'random time'}): {violation}"
            self.report.violations.append(text)
            print(f"  VIOLATION {text}", flush=True)


def run(folder: Path, cycles: int, seed: int) -> Report:
    """Run `cycles` kills, every other one at a fault point; return what was found."""
    series = Series(folder, seed)
    points = itertools.cycle(POINTS)
    for number in range(cycles):
        series.cycle(next(points) if number % 2 else None)
        if number % 20 == 19:
            print(f"  {number + 1} of {cycles} cycles", flush=True)
    series.check()
    if not series.report.tally.acknowledged:
        series.report.violations.append("nothing was acknowledged: nothing is proven")
    if cycles >= 4 * len(POINTS):
        missed = [name for name, count in series.report.hits.items() if not count]
        series.report.violations += [f"the fault point {name} was never reached" for name in missed]
    return series.report
