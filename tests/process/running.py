"""A service as its operator has it: commands, processes, signals."""

import http.client
import json
import re
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

SIEGEL = str(Path(sys.executable).with_name("siegel"))
READY = re.compile(r"ready s3=(https?://127\.0\.0\.1:\d+) admin=(http://127\.0\.0\.1:\d+)\n")
START_S_MAX = 60


def siegel(*words, **options):
    return subprocess.run([SIEGEL, *map(str, words)], capture_output=True, text=True, check=False, timeout=120, **options)


def initialise(directory, *words, **options):
    made = siegel("init", directory, "--json", *words, **options)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def ask(url, path):
    with closing(http.client.HTTPConnection(url.hostname, url.port, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


class Service:
    def __init__(self, directory, *words, env=None):
        self.log = directory.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [SIEGEL, "serve", str(directory), "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", *map(str, words)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=env,
            )
        line = self.process.stdout.readline()
        found = READY.fullmatch(line)
        if not found:
            self.stop()
        assert found, f"{line!r}\n{self.log.read_text()}"
        self.s3, self.admin = (urlsplit(url) for url in found.groups())

    @property
    def pid(self):
        return self.process.pid

    def children(self):
        """Ids and names of the service's processes, zombies left out."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                name, _, status = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            state, parent = status.split()[:2]
            # A child that is just being made still has the name of its parent.
            if int(parent) == self.pid and state != "Z" and name.startswith(("worker-", "steward")):
                found[int(entry.name)] = name
        return found

    def workers(self):
        """Ids of the processes that serve S3."""
        return [pid for pid, name in self.children().items() if name.startswith("worker-")]

    def ask_admin(self, path):
        return ask(self.admin, path)

    def ask_s3(self):
        return ask(self.s3, "/")[0]

    def stop(self, number=15):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(60)
        finally:
            self.process.kill()
            self.process.stdout.close()
        return status


@contextmanager
def serving(directory, *words, env=None):
    service = Service(directory, *words, env=env)
    try:
        yield service
    finally:
        service.stop()


def wait_until(condition, timeout_s=30):
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
