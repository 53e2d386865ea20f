"""Small requests in great number: tables of signed requests, played by wrk."""

import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from bench.service import BenchError, Running
from bench.signing import Signer

SCRIPT = Path(__file__).with_name("requests.lua")
BUCKET = "bench"
SMALL_BYTES = 4096
BODIES = 256
DAY_S = 86_400

T = TypeVar("T")


@dataclass(frozen=True)
class Load:
    """What wrk saw: rates per second, latencies in milliseconds, processor microseconds of the server per request."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failures: int
    requests: int


@dataclass(frozen=True)
class Table:
    """A file of complete request heads, and of their bodies where they have one."""

    heads: Path
    bodies: Path | None = None
    body_bytes: int = 0


def play(server: Running, table: Table, *, connections: int = 32, seconds: float = 5.0, threads: int = 2) -> Load:
    """Play `table` against `server` and return what wrk saw. Raises BenchError if no request was answered."""
    command = ["wrk", f"-t{min(threads, connections)}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"]
    command += ["-s", str(SCRIPT), f"http://{server.authority}/", "--", str(table.heads), str(min(threads, connections))]
    command += [str(table.bodies or "-"), str(table.body_bytes)]
    before = server.cpu_s()
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    used = server.cpu_s() - before
    line = next((line for line in answer.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise BenchError(f"wrk failed: {answer.stderr or answer.stdout}")
    requests, micros, _, *errors, p50, p99 = (int(word) for word in line.split()[1:])
    if not requests:
        raise BenchError(f"no request was answered: {answer.stdout}")
    return Load(requests / micros * 1e6, p50 / 1000, p99 / 1000, used / requests * 1e6, sum(errors), requests)


def small_body(index: int) -> bytes:
    """Return the 4 KiB body of the object numbered `index`; there are 256 different ones."""
    return bytes((index % BODIES + step) % 256 for step in range(256)) * (SMALL_BYTES // 256)


def write_bodies(path: Path) -> Path:
    """Write all different 4 KiB bodies to `path`, in order."""
    path.write_bytes(b"".join(small_body(index) for index in range(BODIES)))
    return path


_BODY_SHA256 = [sha256(small_body(index)).hexdigest() for index in range(BODIES)]


def body_sha256(index: int) -> str:
    """Return the SHA-256 of `small_body(index)`, in hex."""
    return _BODY_SHA256[index % BODIES]


def _write(path: Path, heads: Iterable[bytes]) -> Path:
    with path.open("wb") as file:
        file.writelines(heads)
    return path


def presigned_table(path: Path, signer: Signer, method: str, keys: Iterable[str], queries: Sequence[str] = ("",)) -> Table:
    """Write a table of presigned requests, one per key and query (`name=value&...`, encoded); no two URLs are the same.

    An empty key asks for the bucket itself.
    """
    choices = [dict(pair.split("=", 1) for pair in query.split("&") if pair) for query in queries]
    requests = ((f"/{BUCKET}/{key}" if key else f"/{BUCKET}", choice) for key in keys for choice in choices)
    heads = (
        f"{method} {signer.presign(method, path, choice, DAY_S + number)} HTTP/1.1\r\nHost: {signer.host}\r\n\r\n".encode()
        for number, (path, choice) in enumerate(requests)
    )
    return Table(_write(path, heads))


def put_table(path: Path, bodies: Path, signer: Signer, keys: list[str]) -> Table:
    """Write a table of PUTs of 4 KiB, each signed in its header over the SHA-256 of its body."""
    heads = (
        signer.head("PUT", f"/{BUCKET}/{key}", payload_sha256=body_sha256(index), content_length=SMALL_BYTES)
        for index, key in enumerate(keys)
    )
    return Table(_write(path, heads), bodies, SMALL_BYTES)


def abba(rounds: int, floor: Callable[[], T], ours: Callable[[], T]) -> tuple[list[T], list[T]]:
    """Measure floor and ours in turn, the order reversed in every other round."""
    of_floor: list[T] = []
    of_ours: list[T] = []
    for number in range(rounds):
        if number % 2:
            of_ours.append(ours())
            of_floor.append(floor())
        else:
            of_floor.append(floor())
            of_ours.append(ours())
    return of_floor, of_ours
