"""Large bodies over a few connections, one process each: sendfile on the way up, recv_into on the way down."""

import multiprocessing
import multiprocessing.synchronize
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import Client
from bench.load import BUCKET
from bench.service import BenchError, Running
from bench.signing import UNSIGNED, Signer

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

MIB = 1024 * 1024
BUFFER_BYTES = 1 * MIB


@dataclass(frozen=True)
class Pace:
    """A slow peer: it stops for `pause_s` after the first `burst_bytes`, then moves `rate` bytes per second."""

    burst_bytes: int = 8 * MIB
    pause_s: float = 5.0
    rate: float = 200e6


class SharedKeys:
    """Keys that several processes take one by one, so that no connection is left with a tail of work of its own."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Hand out `keys` in their order."""
        self._keys = keys
        self._taken = multiprocessing.get_context("fork").Value("q", 0)

    def __iter__(self) -> Iterator[str]:
        """Take keys until none is left."""
        while True:
            with self._taken.get_lock():
                index = self._taken.value
                self._taken.value = index + 1
            if index >= len(self._keys):
                return
            yield self._keys[index]


def together(jobs: Sequence[Callable[[], int]]) -> float:
    """Run each job in its own process, begin at the same moment, and return the bytes per second of all of them."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(jobs) + 1)
    running: list[tuple[ForkProcess, Connection]] = []
    for job in jobs:
        mine, theirs = context.Pipe()
        process = context.Process(target=_child, args=(job, barrier, theirs))
        process.start()
        running.append((process, mine))
    barrier.wait()
    began = time.perf_counter()
    answers: list[int | str] = [mine.recv() for _, mine in running]
    took = time.perf_counter() - began
    for process, _ in running:
        process.join()
    failed = [answer for answer in answers if isinstance(answer, str)]
    if failed:
        raise BenchError(f"a transfer failed: {failed[0]}")
    return sum(answer for answer in answers if isinstance(answer, int)) / took


def _child(job: Callable[[], int], barrier: multiprocessing.synchronize.Barrier, pipe: Connection) -> None:
    barrier.wait()
    try:
        pipe.send(job())
    except (OSError, BenchError) as error:
        pipe.send(repr(error))
    os._exit(0)


def upload(server: Running, signer: Signer, source: Path, keys: Iterable[str], pace: Pace | None = None) -> int:
    """PUT the bytes of `source` under each key, their hash left out of the signature; return the bytes sent."""
    size = source.stat().st_size
    total = 0
    client = Client(server.connect(300))
    with source.open("rb") as file:
        for key in keys:
            client.send(signer.head("PUT", f"/{BUCKET}/{key}", payload_sha256=UNSIGNED, content_length=size))
            _send_file(client.connection, file.fileno(), size, pace)
            answer = client.answer()
            if answer.status != 200:
                raise BenchError(f"PUT {key}: {answer.status} {answer.body[:300]!r}")
            total += size
    client.close()
    return total


def _send_file(connection: socket.socket, source: int, size: int, pace: Pace | None) -> None:
    offset, began = 0, time.perf_counter()
    connection.settimeout(None)
    while offset < size:
        offset += os.sendfile(connection.fileno(), source, offset, min(BUFFER_BYTES, size - offset))
        if pace:
            _keep(pace, offset, began)


def download(server: Running, signer: Signer, keys: Iterable[str], pace: Pace | None = None) -> int:
    """GET each key and drop the bytes; return their number."""
    client = Client(server.connect(300))
    buffer = memoryview(bytearray(BUFFER_BYTES))
    total = 0
    for key in keys:
        client.send(signer.head("GET", f"/{BUCKET}/{key}"))
        answer = client.head()
        if answer.status != 200:
            raise BenchError(f"GET {key}: {answer.status}")
        have, began = len(client.take_buffered()), time.perf_counter()
        while have < answer.length:
            room = min(BUFFER_BYTES, answer.length - have)
            count = client.connection.recv_into(buffer, room)
            if not count:
                raise BenchError(f"GET {key}: cut after {have} of {answer.length} bytes")
            have += count
            if pace:
                _keep(pace, have, began)
        total += have
    client.close()
    return total


def _keep(pace: Pace, moved: int, began: float) -> None:
    """Sleep as long as `pace` is ahead."""
    if moved >= pace.burst_bytes:
        due = pace.pause_s + (moved - pace.burst_bytes) / pace.rate
        ahead = due - (time.perf_counter() - began)
        if ahead > 0.001:
            time.sleep(ahead)
