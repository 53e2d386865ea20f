"""`siegel verify sealed` that is ended in the middle: what it wrote is removed by itself, or by the next one."""

import json
import signal
import subprocess
import time

import pytest

from siegel.app.config import load_config, resolve
from siegel.app.wiring import open_deployment
from tests.command_line import HEARING
from tests.process.running import initialise, siegel

NOTES = "verify-guest-*"


def ended_by(number, data):
    """Send a signal to a verification in the middle; return its exit status, what it said, and its guest's account."""
    line = [*HEARING, "verify", "sealed", "--data", str(data)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while len([path for path in (data / "blobs").rglob("*") if path.is_file()]) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        [note] = data.glob(NOTES)
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    return process.returncode, out + errors, note.name.rpartition("-")[2]


def buckets_of(data, account_id):
    deployment = open_deployment(resolve(load_config(data, {}), data))
    try:
        return deployment.store.reader.buckets.list_of(account_id, "", "", 10)
    finally:
        deployment.close()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_one_that_is_told_to_end_removes_what_it_wrote(tmp_path, number, status):
    data = tmp_path / "data"
    initialise(data)
    ended, said, account_id = ended_by(number, data)
    assert (ended, said) == (status, "")
    assert (list(data.glob(NOTES)), buckets_of(data, account_id)) == ([], [])


def test_what_a_killed_one_wrote_the_next_one_removes(tmp_path):
    data = tmp_path / "data"
    initialise(data)
    _, _, account_id = ended_by(signal.SIGKILL, data)
    assert len(buckets_of(data, account_id)) == 1
    verified = siegel("verify", "sealed", "--data", data, "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["left"] == []
    assert (list(data.glob(NOTES)), buckets_of(data, account_id)) == ([], [])
