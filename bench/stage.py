"""What every workload is measured on: the plan, and the service beside its floor."""

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.client import Client
from bench.load import BUCKET, Load, Table, abba, play
from bench.service import BenchError, Running
from bench.signing import Signer

MIB = 1024 * 1024


@dataclass
class Plan:
    """What to measure with: folder for data, sizes, lengths."""

    folder: Path
    workers: int = 2
    rounds: int = 3
    seconds: float = 5.0
    objects: int = 10_000
    urls: int = 20_000
    puts: int = 60_000
    million: int = 1_000_000
    large_repeats: int = 4
    memory_bytes: int = 5 * 1024 * MIB
    run: str = field(default_factory=lambda: f"{time.time_ns():x}")

    def file(self, name: str) -> Path:
        """Return the path of a table of requests."""
        return self.folder / name

    def say(self, text: str) -> None:
        """Print progress."""
        print(f"  {text}", flush=True)


@dataclass
class Stage:
    """The service and the floor, both running, and the signer for the service."""

    plan: Plan
    ours: Running
    floor: Running
    signer: Signer

    def versus(self, table: Table, *, connections: int = 32) -> tuple[list[Load], list[Load]]:
        """Play a table to the floor and to the service, in turn."""
        seconds = self.plan.seconds
        for server in (self.floor, self.ours):
            play(server, table, connections=connections, seconds=1)
        return abba(
            self.plan.rounds,
            partial(play, self.floor, table, connections=connections, seconds=seconds),
            partial(play, self.ours, table, connections=connections, seconds=seconds),
        )


def check_get(stage: Stage, key: str, expected: bytes) -> None:
    """Raise BenchError unless `key` answers exactly the expected bytes."""
    client = Client(stage.ours.connect())
    answer = client.call(stage.signer.head("GET", f"/{BUCKET}/{key}"))
    client.close()
    if answer.status != 200 or answer.body != expected:
        raise BenchError(f"GET {key} answered {answer.status} and {len(answer.body)} bytes, not what was stored")
