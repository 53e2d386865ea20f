"""Servers under measurement: a Siegel deployment and the floor, their processes, their memory and their processor time."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.signing import Signer

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A measurement could not be made; the message says why."""


@dataclass
class Running:
    """A started server: where it listens, and the process at its root."""

    host: str
    port: int
    process: subprocess.Popen[str]

    @property
    def authority(self) -> str:
        """Host and port as they stand in a Host header."""
        return f"{self.host}:{self.port}"

    def pids(self) -> list[int]:
        """Return the ids of the root process and everything below it."""
        return tree_of(self.process.pid)

    def connect(self, timeout_s: float = 60.0) -> socket.socket:
        """Open a connection without delay of small writes."""
        connection = socket.create_connection((self.host, self.port), timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def cpu_s(self) -> float:
        """Return the processor seconds, user and system, that the living processes of the tree have used."""
        return sum(_cpu_ticks(pid) for pid in self.pids()) / TICKS_PER_S

    def pss_bytes(self) -> tuple[int, int]:
        """Return the tree's proportional memory: (all of it, the part that is not backed by files)."""
        total = anonymous = 0
        for pid in self.pids():
            values = _rollup(pid)
            total += values.get("Pss", 0)
            anonymous += values.get("Pss_Anon", 0)
        return total, anonymous

    def stop(self) -> None:
        """End the server: SIGTERM, then SIGKILL to what is left of the tree."""
        pids = self.pids()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                kill_all(pids)
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def kill(self) -> None:
        """End the whole tree at once with SIGKILL, the root first so that nothing is started again."""
        kill_all([self.process.pid, *self.pids()])
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def tree_of(root: int) -> list[int]:
    """Return `root` and all its living descendants."""
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        try:
            children = [
                int(word)
                for task in Path(f"/proc/{pid}/task").iterdir()
                for word in (task / "children").read_text(encoding="ascii").split()
            ]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.append(pid)
        queue += children
    return found


def kill_all(pids: list[int]) -> None:
    """Send SIGKILL to each process that still lives."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _cpu_ticks(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    words = text.rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def _rollup(pid: int) -> dict[str, int]:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return {}
    values = {}
    for line in text.splitlines()[1:]:
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0]) * 1024
    return values


@dataclass
class Deployment:
    """A Siegel data directory with its first account's access key, made by `siegel init`."""

    directory: Path
    access_key_id: str
    secret_access_key: str
    region: str

    @classmethod
    def create(cls, directory: Path) -> "Deployment":
        """Return the deployment in `directory`, initialised now or by an earlier run of this tool."""
        keys = directory.with_name(directory.name + ".access.json")
        if not keys.exists():
            directory.parent.mkdir(parents=True, exist_ok=True)
            answer = subprocess.run([siegel(), "init", str(directory), "--json"], capture_output=True, text=True, check=False)
            if answer.returncode:
                raise BenchError(f"siegel init failed: {answer.stderr.strip()}")
            keys.write_text(answer.stdout, encoding="utf-8")
            keys.chmod(0o600)
        told = json.loads(keys.read_text(encoding="utf-8"))
        account = told["account"]
        return cls(directory, account["access_key_id"], account["secret_access_key"], told["region"])

    @property
    def log(self) -> Path:
        """The file of the service's messages."""
        return self.directory.with_name(self.directory.name + ".log")

    def killed(self) -> int:
        """Return how many processes of the service SIGKILL has ended while their supervisor lived, in all its starts."""
        return self.log.read_bytes().count(b"was ended by signal 9") if self.log.exists() else 0

    def start(
        self,
        workers: int = 2,
        *,
        environment: Mapping[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
    ) -> Running:
        """Serve the directory on a free port and return once it says that it is ready. `wrapper` goes before the command.

        What the service has to say about itself is appended to a file beside the directory, whose name ends in `.log`.
        """
        command = [*wrapper, siegel(), "serve", str(self.directory), "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        command += ["--workers", str(workers)]
        with self.log.open("ab") as log:
            return _start(command, "s3=http://", environment, log)

    def signer(self, running: Running) -> Signer:
        """Return a signer with the first account's key for a running server."""
        return Signer(self.access_key_id, self.secret_access_key, running.authority, self.region)


def siegel() -> str:
    """Return the path of the `siegel` command beside the running interpreter."""
    path = Path(sys.executable).with_name("siegel")
    if not path.exists():
        raise BenchError(f"no siegel command beside {sys.executable}: install the project into this environment first")
    return str(path)


def start_floor(workers: int) -> Running:
    """Start the bare application on the same server with as many workers."""
    return _start([sys.executable, "-m", "bench.floor", str(workers)], "floor=http://", None, None)


def run_server(command: list[str], label: str) -> Running:
    """Start a server that prints `label` and its address once it listens."""
    return _start(command, label, None, None)


def _start(command: list[str], label: str, environment: Mapping[str, str] | None, stderr: IO[bytes] | None) -> Running:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, env={**os.environ, **(environment or {})}
    )
    deadline = time.monotonic() + START_TIMEOUT_S
    if process.stdout is None:
        raise BenchError("no pipe from the server")
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            break
        if label in line:
            host, _, port = line.split(label)[1].split()[0].rpartition(":")
            return Running(host, int(port), process)
    process.kill()
    raise BenchError(f"{' '.join(command)} did not get ready (exit code {process.wait()}){_last_words(stderr)}")


def _last_words(stderr: IO[bytes] | None) -> str:
    if stderr is None:
        return ""
    return "\n" + "\n".join(Path(stderr.name).read_text(encoding="utf-8", errors="replace").splitlines()[-10:])


@contextmanager
def serving(running: Running) -> Iterator[Running]:
    """Stop the server at the end of the block."""
    try:
        yield running
    finally:
        running.stop()
