"""Processes of the service are forked: what they share with the one they come from, and what they must not."""

import http.client
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.process.running import SIEGEL, initialise, wait_until

PREPARE = """
import os, signal, socket, sys, time
from siegel.app.forking import SIGNALS, fork

def status_of(work):
    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])
"""
# Everything that draws at random in a process of the service: Python, the system, OpenSSL, SQLite and its cipher.
DRAW = """
import random, secrets, tempfile, uuid
from pathlib import Path
import siegel.app.supervisor
import apsw
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from siegel.drivers.meta.sqlite import create_store
from siegel.drivers.system import SystemClock, SystemRandomness
from siegel.web.exchange import RequestIds

def draw():
    ids = RequestIds()
    numbers = [random.getrandbits(64), ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value]
    words = [secrets.token_hex(), str(uuid.uuid4()), x25519.X25519PrivateKey.generate().private_bytes_raw().hex()]
    return [*numbers, *words, SystemRandomness().bytes(16).hex(), ids.host_id, ids.next()]

def show():
    directory = Path(tempfile.mkdtemp())
    create_store(directory, bytes(32), SystemClock()).close()
    page = (directory / "siegel.db").read_bytes()[4096:8192]
    print(*draw(), apsw.randomness(16).hex(), page[:16].hex(), page[-64:].hex(), flush=True)
"""


def played(script, **options):
    """Run a script in a process of its own: pytest has threads, and a process that has threads must not fork."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREPARE + script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    ("work", "status"),
    [
        ("lambda: None", 0),
        ("sys.exit", 0),
        ("lambda: sys.exit(253)", 253),
        ("lambda: sys.exit('words')", 1),
        ("lambda: 1 / 0", 1),
        ("lambda: os.kill(os.getpid(), signal.SIGTERM)", -15),
        ("lambda: os.kill(os.getpid(), signal.SIGINT)", 0),
        ("lambda: sys.exit(signal.set_wakeup_fd(-1) != -1)", 0),
    ],
)
def test_a_forked_process_ends_as_a_program_would(work, status):
    done = played(
        f"ours = socket.socket()\nours.setblocking(False)\nsignal.set_wakeup_fd(ours.fileno())\nprint(status_of({work}))"
    )
    assert done.stdout == f"{status}\n"
    assert ("ZeroDivisionError" in done.stderr) == ("1 / 0" in work)


def test_what_stands_behind_the_fork_is_done_once_even_where_nobody_reads_errors():
    script = """
os.close(2)
try:
    status_of(lambda: 1 / 0)
finally:
    print("behind", flush=True)
"""
    assert played(script).stdout == "behind\n"


def test_a_signal_to_a_forked_process_is_not_heard_by_the_other():
    script = """
mine, heard = socket.socketpair()
for end in (mine, heard):
    end.setblocking(False)
signal.set_wakeup_fd(heard.fileno())
for number in SIGNALS:
    signal.signal(number, lambda *_: None)
for _ in range(50):
    pid = fork(lambda: time.sleep(60))
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
print({signal.Signals(number).name for number in mine.recv(4096)})
"""
    assert played(script).stdout == "{'SIGCHLD'}\n"


def test_no_two_forked_processes_draw_the_same(tmp_path):
    # Generators that were in use before the fork must begin anew. SQLite's does not: nobody forks who has used it.
    script = DRAW + "draw()\nfor _ in range(3): status_of(show)"
    drawn = [line.split() for line in played(script, env={**os.environ, "TMPDIR": str(tmp_path)}).stdout.splitlines()]
    assert len(drawn) == 3
    assert [len(set(values)) for values in zip(*drawn, strict=True)] == [3] * len(drawn[0])


def test_workers_never_give_the_same_request_id(service):
    seen = set()
    hosts = set()
    for _ in range(200):
        with closing(http.client.HTTPConnection(service.s3.hostname, service.s3.port, timeout=10)) as connection:
            for _ in range(2):
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                seen.add(answer.headers["x-amz-request-id"])
                hosts.add(answer.headers["x-amz-id-2"])
    assert (len(seen), len(hosts)) == (400, 2)


def opened(pid):
    """Return what the descriptors of a process refer to."""
    return [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]


def test_what_forks_has_one_thread_and_nothing_that_must_not_be_there_twice(service, deployment):
    assert len(list(Path(f"/proc/{service.pid}/task").iterdir())) == 1
    ours = opened(service.pid)
    assert [name for name in ours if name.startswith(f"{deployment}/")] == [str(deployment / "instance.lock")]
    # The reserved ports, and both ends of what signals wake.
    assert sum(name.startswith("socket:") for name in ours) == 4


def test_a_process_of_the_service_holds_the_lock_and_nothing_else_of_its_supervisor(service, deployment):
    ours = opened(service.pid)
    for pid in service.children():
        theirs = opened(pid)
        assert str(deployment / "instance.lock") in theirs
        assert not {name for name in ours if name.startswith("socket:")} & set(theirs)
        # The lower end of its own pipe.
        assert len({name for name in ours if name.startswith("pipe:")} & set(theirs)) == 1


def dirty_kib(pid, kind):
    return int(re.search(rf"{kind}_Dirty: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text())[1])


def test_what_is_imported_is_in_memory_once(service):
    for pid in (service.pid, *service.workers()):
        assert dirty_kib(pid, "Shared") > dirty_kib(pid, "Private")


def test_whoever_forks_has_never_opened_the_database(tmp_path):
    initialise(tmp_path / "data")
    script = f"""
from pathlib import Path
import apsw
import siegel.app.supervisor
from siegel.app.commands.serve import serve

most = apsw.memory_high_water()
siegel.app.supervisor.supervise = lambda *_: most != apsw.memory_high_water()
serve(Path({str(tmp_path / "data")!r}), s3="127.0.0.1:0", admin="127.0.0.1:0")
"""
    played(script)


def test_it_does_not_matter_whether_its_starter_reads_and_what_it_does_with_the_ends_of_processes(tmp_path):
    initialise(tmp_path / "data")
    log = tmp_path / "log"
    words = ["serve", str(tmp_path / "data"), "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"]
    with log.open("wb") as stream:
        ignoring = ["env", "--ignore-signal=CHLD", SIEGEL, *words]
        process = subprocess.Popen(ignoring, stdout=subprocess.PIPE, stderr=stream)
    process.stdout.close()
    try:
        wait_until(lambda: "steward is ready" in log.read_text() and "worker-1 is ready" in log.read_text(), 60)
        worker = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        os.kill(int(worker), signal.SIGKILL)
        wait_until(lambda: log.read_text().count("worker-1 is ready") == 2)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
