"""(h) The root key is rotated again and again under a service that serves, and each rotation dies at another step.

After each death, and after the rotation that goes on from there, the service reads on; so does a service that starts anew with
the newest root key alone. Then the database is given another key again and again, and each time that dies at another step, a
service that starts reads on, and one that starts after the next try as well.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.service import Deployment

from siegel.domain.faultpoints import VARIABLE
from tests.fault.load import PLAIN
from tests.fault.model import Violation
from tests.fault.s3 import S3

SIEGEL = str(Path(sys.executable).with_name("siegel"))
POINTS = ("chest.before_rename", "chest.after_rename", "meta.before_commit", "meta.after_commit")
REKEYING = (
    *("rekey.copying:1", "rekey.after_copy", "chest.before_rename", "chest.after_rename"),
    *("meta.before_commit", "meta.after_commit", "rekey.before_removal"),
)
KILLED = -9
TURNS_MAX = 20


class Story:
    """A deployment with an object in it, whose root key has a number."""

    def __init__(self, folder: Path) -> None:
        self.deployment = Deployment.create(folder / "rotation")
        self.directory = self.deployment.directory
        self.body = os.urandom(100_000)
        self.violations: list[Violation] = []
        self.number = 0
        self.kills = 0

    def rotate(self, target: Path, step: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, VARIABLE: step} if step else dict(os.environ)
        words = [SIEGEL, "root", "rotate", str(self.directory), "--to-file", str(target)]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def check(self, s3: S3, when: str) -> None:
        answer = s3.call("GET", f"/{PLAIN}/letter")
        if answer.status != 200 or answer.body != self.body:
            self.violations.append(Violation("unreadable", when, f"{answer.status} {answer.body[:200]!r}"))

    def kill_at(self, s3: S3, step: str) -> bool:
        """Rotate once with a death at `step`; return whether it came to that."""
        self.number += 1
        target = self.directory / f"root-{self.number}.key"
        died = self.rotate(target, step).returncode == KILLED
        self.check(s3, f"after a death at {step}")
        if died:
            self.kills += 1
            again = self.rotate(target)
            # A death behind the last rename has ended the rotation.
            if again.returncode != 0 and "opens this deployment already" not in again.stderr:
                self.violations.append(Violation("unreadable", f"a rotation that died at {step} does not go on", again.stderr))
        for older in self.directory.glob("*.key"):
            if older != target:
                older.unlink()
        self.check(s3, f"after the rotation that died at {step}")
        return died

    def read_anew(self, when: str) -> None:
        """Start a service, read, and stop it."""
        server = self.deployment.start(1)
        try:
            s3 = S3(server, self.deployment.signer(server))
            self.check(s3, when)
            s3.close()
        finally:
            server.stop()

    def rekey(self, step: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, VARIABLE: step} if step else dict(os.environ)
        words = [SIEGEL, "root", "rekey-database", str(self.directory)]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def rekey_with_death(self, step: str) -> None:
        self.kills += self.rekey(step).returncode == KILLED
        self.read_anew(f"after a death at {step}")
        again = self.rekey()
        left = list(self.directory.glob("siegel*.db*"))
        if again.returncode != 0 or len(left) != 1:
            self.violations.append(Violation("unreadable", f"what died at {step} is not ended: {left}", again.stderr))
        self.read_anew(f"after another key of the database, which died at {step}")


def run(folder: Path) -> tuple[list[str], list[Violation]]:
    """Rotate with a death at every step there is; return notes and violations."""
    story = Story(folder)
    server = story.deployment.start(2)
    try:
        s3 = S3(server, story.deployment.signer(server))
        s3.make_bucket(PLAIN)
        s3.must("PUT", f"/{PLAIN}/letter", story.body)
        for point in POINTS:
            turn = 1
            while turn < TURNS_MAX and story.kill_at(s3, f"{point}:{turn}"):
                turn += 1
        s3.close()
    finally:
        server.stop()
    story.read_anew("with the newest root key alone")
    for step in REKEYING:
        story.rekey_with_death(step)
    shutil.rmtree(story.directory)
    notes = f"{story.number} rotations and {len(REKEYING)} times another key for the database, {story.kills} of them killed"
    return [notes], story.violations
