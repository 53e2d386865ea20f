"""The service under test as a process: made, started, watched and ended through its command line alone."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.command_line import SIEGEL, siegel

from .raw import RawClient
from .signer import Keys

START_S = 30.0
STOP_S = 20.0
READY = re.compile(rb"^ready s3=(\S+) admin=(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Service:
    """A running deployment: where it listens, who may use it, where it keeps its data and its log."""

    url: str
    admin_url: str
    directory: Path
    log: Path
    pid: int
    owner: Keys
    stranger: Keys
    operator: Keys
    ca: Path | None = None

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.ca)) if self.ca else None

    def raw(self, keys: Keys | None = None) -> RawClient:
        return RawClient(self.address, self.host, keys or self.owner, self.tls)

    def with_own_account(self, name: str) -> Service:
        """The same service as the owner of a fresh account sees it, in whose log nothing is that other tests did."""
        made = command("account", "create", name, "--data", str(self.directory), "--json")
        return replace(self, owner=keys_of(made))

    def processes(self) -> list[int]:
        """The ids of the whole process tree."""
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                queue += [int(child) for child in children.read_text().split()]
        return found

    def open_files(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.processes())


def command(*args: str, env: dict[str, str] | None = None) -> dict[str, object]:
    """Run a command that prints one JSON object."""
    done = siegel(*args, env={**os.environ, **(env or {})})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def keys_of(fields: object) -> Keys:
    assert isinstance(fields, dict)
    return Keys(fields["access_key_id"], fields["secret_access_key"], fields.get("account_id", ""))


@dataclass(frozen=True)
class People:
    """The access keys of a deployment with two accounts."""

    owner: Keys
    stranger: Keys
    operator: Keys


def make_deployment(directory: Path) -> People:
    """Make a deployment with two accounts in `directory`."""
    made = command("init", str(directory), "--json")
    stranger = command("account", "create", "stranger", "--data", str(directory), "--json")
    return People(keys_of(made["account"]), keys_of(stranger), keys_of(made["operator"]))


@contextmanager
def running(directory: Path, *options: str, env: dict[str, str] | None = None, ca: Path | None = None) -> Iterator[Service]:
    """Make a deployment with two accounts in `directory`, serve it, and end it in peace."""
    with serving(directory, make_deployment(directory), *options, env=env, ca=ca) as service:
        yield service


@contextmanager
def serving(
    directory: Path, people: People, *options: str, env: dict[str, str] | None = None, ca: Path | None = None
) -> Iterator[Service]:
    """Serve the deployment in `directory`, and end it in peace."""
    log = directory.with_suffix(".log")
    out = directory.with_suffix(".out")
    line = [SIEGEL, "serve", str(directory), "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", *options]
    with log.open("wb") as errors, out.open("wb") as output:
        process = subprocess.Popen(line, stdout=output, stderr=errors, env={**os.environ, **(env or {})})
    try:
        url, admin_url = wait_ready(process, out, log)
        yield Service(url, admin_url, directory, log, process.pid, people.owner, people.stranger, people.operator, ca)
    finally:
        end(process)


def wait_ready(process: subprocess.Popen[bytes], out: Path, log: Path) -> tuple[str, str]:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        if found := READY.search(out.read_bytes()):
            return found[1].decode(), found[2].decode()
        assert process.poll() is None, f"the service ended early: {log.read_text()}"
        time.sleep(0.02)
    raise AssertionError(f"no ready line within {START_S} s: {out.read_text()} {log.read_text()}")


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def is_listening(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def arguments(*, tls: Sequence[str] = (), domain: str = "") -> list[str]:
    return ["--workers", "2", *tls, *(["--domain", domain] if domain else [])]
