"""(b) No space left: a small file system of its own is filled by blobs, by the database, and by the journal.

Every answer is right or 503, whatever was refused has no effect, and service returns by itself when there is space again.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.service import BenchError, Deployment, Running

from tests.fault.load import PLAIN, VERSIONED
from tests.fault.model import Content, Model, PlainKey, Violation, compare
from tests.fault.observe import observe
from tests.fault.s3 import S3, RefusedError

SIZE = "24m"
BALLAST_BYTES = 2 * 1024 * 1024
BLOB_BYTES = 512 * 1024
RECOVERY_S = 10.0
ATTEMPTS = 3000
UNAVAILABLE = 503


class NoSpace:
    """One deployment on a small file system, and what it must hold."""

    def __init__(self, deployment: Deployment, mount: Path) -> None:
        self.deployment, self.mount = deployment, mount
        self.model = Model()
        self.violations: list[Violation] = []
        self.notes: list[str] = []
        self.s3: S3
        self._number = 0

    def attach(self, server: Running) -> None:
        self.s3 = S3(server, self.deployment.signer(server))

    def put(self, size: int) -> int:
        """Store a fresh object; return the status. A refusal must be 503 and leave nothing."""
        self._number += 1
        key = self.model.plain.setdefault(f"full/{self._number}", PlainKey(f"full/{self._number}"))
        body = os.urandom(size)
        content = Content.of(body)
        key.begin(content)
        answer = self.s3.call("PUT", f"/{PLAIN}/{key.name}", body)
        if answer.status == 200:
            key.acknowledge(content)
        else:
            key.refuse(content)
            self._expect_unavailable("PUT", answer.status)
        return answer.status

    def delete(self, key: PlainKey) -> int:
        key.begin(None)
        answer = self.s3.call("DELETE", f"/{PLAIN}/{key.name}")
        if answer.status == 204:
            key.acknowledge(None)
        else:
            key.refuse(None)
            self._expect_unavailable("DELETE", answer.status)
        return answer.status

    def get(self, key: PlainKey) -> int:
        """Read an object; return the status. It is right, or 503."""
        answer = self.s3.call("GET", f"/{PLAIN}/{key.name}")
        if answer.status == 200:
            self.violations += key.check(Content.of(answer.body))
        else:
            self._expect_unavailable("GET", answer.status)
        return answer.status

    def until_refused(self, what: str, attempt: Callable[[], int]) -> None:
        """Repeat until an answer is 503."""
        for number in range(ATTEMPTS):
            if attempt() >= 300:
                self.notes.append(f"{what}: 503 after {number}")
                return
        self.notes.append(f"{what}: never refused in {ATTEMPTS} attempts")

    def living(self) -> list[PlainKey]:
        return [key for key in self.model.plain.values() if key.settled]

    def check(self) -> None:
        try:
            self.violations += compare(self.model, observe(self.s3, self.model))
        except RefusedError as error:
            self.violations.append(Violation("unreadable", "check", str(error)))

    def expect_recovery(self, what: str) -> None:
        """Within a few seconds everything is readable, and writes work, without a restart."""
        began = time.monotonic()
        while time.monotonic() - began < RECOVERY_S:
            if self.put(100) == 200 and self.put(BLOB_BYTES) == 200 and self.get(self.living()[0]) == 200:
                self.notes.append(f"{what}: service is back after {time.monotonic() - began:.1f} s")
                return
            time.sleep(0.2)
        self.violations.append(Violation("no-recovery", what, f"still refused {RECOVERY_S:.0f} s after space was freed"))

    def _expect_unavailable(self, what: str, status: int) -> None:
        if status != UNAVAILABLE:
            self.violations.append(Violation("refused", what, f"answered {status} without space, must be 503"))


@contextmanager
def small_file_system(mount: Path) -> Iterator[Path]:
    """Mount an empty file system in memory at `mount` for the length of a `with` block."""
    mount.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(mount)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise BenchError(f"the test without space needs the right to mount a tmpfs: {made.stderr.strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def run(folder: Path) -> tuple[list[str], list[Violation]]:
    """Fill the file system in three ways; return notes and violations."""
    with small_file_system(folder / "small") as mount:
        deployment = Deployment.create(mount / "data")
        stage = NoSpace(deployment, mount)
        settings = {"SIEGEL_GRACE_S": "1", "SIEGEL_STEWARD_INTERVAL_S": "0.5"}
        server = deployment.start(2, environment=settings)
        try:
            stage.attach(server)
            stage.s3.make_bucket(PLAIN)
            stage.s3.make_bucket(VERSIONED, versioned=True)
            _fill_and_free(stage)
            _delete_and_go_on(stage)
            stage.check()
            server.kill()
            server = deployment.start(2, environment=settings)
            stage.attach(server)
            stage.check()
            stage.notes.append(f"{len(stage.living())} objects read back after a kill")
        finally:
            server.kill()
    return stage.notes, stage.violations


def _fill_and_free(stage: NoSpace) -> None:
    """Blobs until full, rows until full, reads until their entries do not fit; then the ballast goes."""
    ballast = stage.mount / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    for _ in range(10):
        stage.put(1000)
    stage.until_refused("blobs", lambda: stage.put(BLOB_BYTES))
    stage.until_refused("inline bodies", lambda: stage.put(30_000))
    keys = stage.living()
    turn = iter(range(ATTEMPTS + 1))
    stage.until_refused("reads, whose entries do not fit", lambda: stage.get(keys[next(turn) % len(keys)]))
    outcomes = [stage.get(key) for key in keys[:50]]
    stage.notes.append(f"of {len(outcomes)} reads without space {outcomes.count(200)} were served and journaled, the others 503")
    ballast.unlink()
    stage.expect_recovery("after the ballast went")
    stage.check()


def _delete_and_go_on(stage: NoSpace) -> None:
    """Full again; then deletes make room, once the steward has removed the blobs."""
    stage.until_refused("blobs, again", lambda: stage.put(BLOB_BYTES))
    blobs = [key for key in stage.living() if key.settled and key.settled.size == BLOB_BYTES]
    outcomes = [stage.delete(key) for key in blobs[: len(blobs) // 2]]
    stage.notes.append(f"of {len(outcomes)} deletes without space for blobs {outcomes.count(204)} were done")
    stage.expect_recovery("after deletes")
