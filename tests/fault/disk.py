"""(c) Errors of the disk: fsync, fdatasync and pwrite64 fail by strace, write by a limit on the size of files.

Requests fail with 503, nothing acknowledged is lost, and service is whole again when the errors end, without a restart.
"""

import contextlib
import random
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench.service import BenchError, Deployment, Running

from tests.fault.load import PLAIN, VERSIONED, Tally, Writer, run_writers, stop_writers
from tests.fault.model import Model, Violation, compare, settle
from tests.fault.observe import observe
from tests.fault.s3 import S3

LOAD_S = 2.0
QUIET_S = 1.0
FILE_LIMIT_BYTES = 50_000


@contextmanager
def failing(server: Running, calls: str, error: str, when: str) -> Iterator[None]:
    """Let every call named fail with `error` in all processes of the server, as often as `when` says (strace's words)."""
    pids = [word for pid in server.pids() for word in ("-p", str(pid))]
    command = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        *pids,
        "-e",
        f"trace={calls}",
        "-e",
        f"inject={calls}:error={error}:when={when}",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
        time.sleep(0.5)
        if tracer.poll() is not None:
            raise BenchError(f"strace cannot attach: {tracer.stderr.read().decode() if tracer.stderr else ''}")
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait()


@contextmanager
def small_files(server: Running) -> Iterator[None]:
    """Let every write beyond a small size fail (EFBIG), in blobs and in the database."""
    old = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in server.pids()}
    try:
        for pid, (_, hard) in old.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, hard))
        yield
    finally:
        for pid, limits in old.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


class BrokenDisk:
    """One deployment whose disk fails now and then."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.deployment = Deployment.create(folder / "broken")
        self.choice = random.Random(seed)
        self.model = Model()
        self.notes: list[str] = []
        self.violations: list[Violation] = []

    def setting_up(self, server: Running) -> None:
        s3 = S3(server, self.deployment.signer(server))
        s3.make_bucket(PLAIN)
        s3.make_bucket(VERSIONED, versioned=True)
        s3.close()

    def load(self, server: Running, seconds: float) -> Tally:
        signer = self.deployment.signer(server)
        writers = [
            Writer(f"writer-{number}", S3(server, signer), self.model, random.Random(self.choice.getrandbits(64)), stay=True)
            for number in range(4)
        ]
        run_writers(writers)
        time.sleep(seconds)
        tally, violations = stop_writers(writers)
        self.violations += violations
        return tally

    def phase(self, server: Running, what: str, fault: AbstractContextManager[None]) -> Running:
        """Load with the fault, load without it, check; then kill, start and check again. Return the new server."""
        self.load(server, QUIET_S / 2)
        workers = set(server.pids())
        with fault:
            during = self.load(server, LOAD_S)
        died = len(workers - set(server.pids()))
        after = self.load(server, QUIET_S)
        self.notes.append(
            f"{what}: {during.acknowledged} acknowledged and {during.refused} refused while it failed, {died} processes died, "
            f"{after.acknowledged} acknowledged and {after.refused} refused afterwards"
        )
        if not during.refused and not during.unanswered:
            self.violations.append(Violation("no-fault", what, "no request failed: the fault did not reach the service"))
        if after.refused or not after.acknowledged:
            self.violations.append(Violation("no-recovery", what, f"{after.refused} requests refused after the errors had ended"))
        for status in {*during.statuses, *after.statuses} - {503}:
            self.violations.append(Violation("refused", what, f"answered {status}, must be 503"))
        self.check(server)
        server.kill()
        server = self.deployment.start(2)
        self.check(server)
        return server

    def check(self, server: Running) -> None:
        s3 = S3(server, self.deployment.signer(server))
        seen = observe(s3, self.model)
        s3.close()
        self.violations += compare(self.model, seen)
        settle(self.model, seen)


def run(folder: Path, seed: int) -> tuple[list[str], list[Violation]]:
    """Let the disk fail in each way; return notes and violations."""
    disk = BrokenDisk(folder, seed)
    server = disk.deployment.start(2)
    try:
        disk.setting_up(server)
        for calls, error, when in (
            ("fsync,fdatasync", "EIO", "3+4"),
            ("fsync,fdatasync", "EIO", "1+1"),
            ("pwrite64", "EIO", "5+9"),
            ("pwrite64", "ENOSPC", "4+7"),
        ):
            server = disk.phase(server, f"{calls} {error} {when}", failing(server, calls, error, when))
        server = disk.phase(server, "write EFBIG", small_files(server))
    finally:
        server.kill()
    return disk.notes, disk.violations
