"""The store under test, driven by its command line alone: init, serve, the ready line, SIGTERM."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

from certificates import DOMAIN, Certificates
from client_settings import Scheme, Style

READY_S = 30
STOP_S = 30
_READY = re.compile(r"ready s3=(?P<s3>\S+)")


@dataclass(frozen=True)
class Store:
    """A running store and the first account's credentials."""

    scheme: Scheme
    port: int
    region: str
    access_key_id: str
    secret_access_key: str
    ca_file: Path
    data: Path
    process_id: int

    def new_account(self, name: str) -> dict[str, str]:
        """Make another account beside the running service; return its id and access key."""
        words = [siegel_command(), "account", "create", name, "--data", self.data, "--json"]
        made = subprocess.run(words, capture_output=True, text=True, timeout=READY_S, check=False)
        assert made.returncode == 0, made.stderr
        account: dict[str, str] = json.loads(made.stdout)
        return account

    def endpoint(self, style: Style) -> str:
        """Return the address that a client is given: the loopback address, or the name that buckets stand before."""
        return f"{self.scheme.value}://{self.host(style)}"

    def host(self, style: Style) -> str:
        """Return host and port of the endpoint."""
        return f"{DOMAIN if style is Style.VIRTUAL else '127.0.0.1'}:{self.port}"


def siegel_command() -> str:
    """Return the program under test: `CLIENTS_SIEGEL`, or the one installed beside this interpreter."""
    beside = Path(sys.executable).with_name("siegel")
    command = os.environ.get("CLIENTS_SIEGEL") or (str(beside) if beside.exists() else shutil.which("siegel"))
    if not command:
        raise FileNotFoundError("no siegel command: run `make clients`, or set CLIENTS_SIEGEL")
    return command


@contextmanager
def running_store(scheme: Scheme, certificates: Certificates) -> Iterator[Store]:
    """Start a new store on a port of the system's choice, and end it with SIGTERM; it must then end well."""
    with tempfile.TemporaryDirectory(prefix="siegel-clients-") as folder:
        data = Path(folder) / "data"
        settled = {name: value for name, value in os.environ.items() if not name.startswith("SIEGEL_")}
        words = [siegel_command(), "init", data, "--json"]
        made = subprocess.run(words, env=settled, capture_output=True, text=True, timeout=READY_S, check=False)
        assert made.returncode == 0, made.stderr
        first = json.loads(made.stdout)
        words = ["serve", data, "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "2", "--domain", DOMAIN]
        if scheme is Scheme.TLS:
            words += ["--tls-cert", certificates.cert_file, "--tls-key", certificates.key_file]
        log = Path(folder) / "serve.log"
        with (
            log.open("wb") as errors,
            subprocess.Popen(
                [siegel_command(), *words], stdout=subprocess.PIPE, stderr=errors, env=settled, text=True
            ) as process,
        ):
            try:
                port = _port_when_ready(process, log)
                account = first["account"]
                yield Store(
                    scheme,
                    port,
                    first["region"],
                    account["access_key_id"],
                    account["secret_access_key"],
                    certificates.ca_file,
                    data,
                    process.pid,
                )
            finally:
                _stop(process)
        _keep_log(log, scheme)
        assert process.returncode == 0, f"the store ended with {process.returncode}"


def _port_when_ready(process: subprocess.Popen[str], log: Path) -> int:
    found: list[int] = []
    ready = Event()

    def read() -> None:
        for line in process.stdout or ():
            if match := _READY.search(line):
                found.append(urlsplit(match["s3"]).port or 0)
                ready.set()
        ready.set()

    Thread(target=read, daemon=True).start()
    ready.wait(READY_S)
    assert found, f"the store did not become ready:\n{log.read_text(errors='replace')}"
    return found[0]


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _keep_log(log: Path, scheme: Scheme) -> None:
    """Copy the store's own log to where a failed run can be looked into, if the caller wants it."""
    if keep := os.environ.get("CLIENTS_LOGS"):
        shutil.copyfile(log, Path(keep) / f"serve-{scheme.name.lower()}.log")
