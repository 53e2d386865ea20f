"""Commands whose output cannot be written: they say so, and what came of what they did."""

import json
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.command_line import SIEGEL
from tests.process.running import initialise, siegel

FULL = "standard output cannot be written: No space left on device"


def unheard(*words):
    """Run a command that prints to a full disk."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        return subprocess.run([SIEGEL, *map(str, words)], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)


def names(data):
    return [account["name"] for account in json.loads(siegel("account", "list", "--data", data, "--json").stdout)["accounts"]]


def test_what_cannot_be_printed_is_told(tmp_path):
    initialise(tmp_path / "data")
    ended = unheard("account", "list", "--data", tmp_path / "data")
    assert (ended.returncode, ended.stderr) == (1, f"siegel: {FULL}\n")


def test_help_that_cannot_be_printed_is_no_traceback():
    ended = unheard("--help")
    assert ended.returncode == 1
    assert ended.stderr.startswith("siegel: ")
    assert len(ended.stderr.splitlines()) == 1


def test_what_went_wrong_first_is_told(tmp_path):
    ended = unheard("account", "list", "--data", tmp_path)
    assert ended.returncode == 253
    assert "holds no Siegel deployment" in ended.stderr


def test_a_deployment_whose_secrets_were_never_shown_is_told_of(tmp_path):
    ended = unheard("init", tmp_path / "data")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"siegel: {FULL}; {tmp_path}/data is initialised, and nobody has the secrets")
    assert "\ntry: remove it" in ended.stderr


def test_a_deployment_whose_secrets_are_in_files_is_fit_for_use(tmp_path):
    files = ("--credentials", tmp_path / "key", "--operator-credentials", tmp_path / "operator")
    ended = unheard("init", tmp_path / "data", *files)
    assert (ended.returncode, "try:" in ended.stderr) == (1, False)
    assert f"the access keys are in {tmp_path}/key and {tmp_path}/operator" in ended.stderr


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_an_account_whose_secret_was_never_shown_is_told_of(tmp_path, words):
    initialise(tmp_path / "data")
    ended = unheard("account", "create", "films", "--data", tmp_path / "data", *words)
    assert ended.returncode == 1
    assert "called films, is made, and nobody has its secret: it stays empty\n" in ended.stderr
    assert f"try: siegel account create ANOTHER-NAME --data {tmp_path}/data\n" in ended.stderr
    kept = unheard("account", "create", "songs", "--data", tmp_path / "data", "--credentials", tmp_path / "key", *words)
    assert kept.returncode == 1
    assert f"called songs, is made, and its access key is in {tmp_path}/key\n" in kept.stderr


def test_the_secret_is_lost_with_its_reader(tmp_path):
    initialise(tmp_path / "data")
    reading, writing = os.pipe()
    os.close(reading)
    line = [SIEGEL, "account", "create", "films", "--data", str(tmp_path / "data")]
    ended = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writing)
    assert ended.returncode == 1
    assert "nobody reads standard output; account" in ended.stderr
    assert "nobody has its secret" in ended.stderr


def test_without_an_output_nothing_is_begun(tmp_path):
    initialise(tmp_path / "data")
    line = f'exec {SIEGEL} account create films --data "$1" <&- >&-'
    ended = subprocess.run(
        ["/bin/sh", "-c", line, "sh", tmp_path / "data"], stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr == "siegel: standard output is closed\ntry: > /dev/null, where nobody wants to read it\n"
    assert "films" not in names(tmp_path / "data")


def test_without_anything_to_write_errors_to_the_status_tells(tmp_path):
    for closed in ("2>&-", "<&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"):
        line = f'exec {SIEGEL} account list --data "$1" {closed}'
        ended = subprocess.run(["/bin/sh", "-c", line, "sh", tmp_path], capture_output=True, check=False, timeout=60)
        assert (ended.returncode, ended.stdout, ended.stderr) == (1 if ">&- 2" in closed else 253, b"", b""), closed


@pytest.mark.parametrize("encoding", ["ascii", "ascii:strict", "latin-1"])
def test_a_name_that_the_output_does_not_know_is_escaped(tmp_path, encoding):
    line = [SIEGEL, "keys", "new", str(tmp_path / "Ünï→")]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run(line, env=environment, capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert rb"\u2192" in ended.stdout


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_box_whose_secrets_were_never_shown_is_told_how_to_get_others(tmp_path, words):
    ended = unheard("keybox", "init", tmp_path / "box", *words)
    assert ended.returncode == 1
    assert f"the box is made in {tmp_path}/box, and nobody has its secrets\n" in ended.stderr
    assert f"try: siegel keybox credential rotate {tmp_path}/box" in ended.stderr
    again = unheard("keybox", "credential", "rotate", tmp_path / "box", *words)
    assert again.returncode == 1
    assert " is made, and nobody has its secrets\n" in again.stderr
    assert siegel("keybox", "credential", "rotate", tmp_path / "box").returncode == 253, "there are two now"


def test_a_server_whose_ready_line_nobody_can_read_serves(tmp_path):
    assert siegel("keybox", "init", tmp_path / "box").returncode == 0
    line = [SIEGEL, "keybox", "serve", str(tmp_path / "box"), "--listen", "127.0.0.1:0"]
    with (
        Path("/dev/full").open("w", encoding="utf-8") as full,
        subprocess.Popen(line, stdout=full, stderr=subprocess.PIPE, text=True) as server,
    ):
        while not listens(server.pid):
            assert server.poll() is None
            time.sleep(0.01)
        # The line is tried once the loop turns.
        time.sleep(0.2)
        server.terminate()
        _, errors = server.communicate(timeout=60)
    assert (server.returncode, "Traceback" in errors) == (0, False)


def listens(pid):
    """Whether a process has a socket that listens."""
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"}
    held = []
    for name in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            held.append(str(name.readlink()))
    return any(f"socket:[{inode}]" in held for inode in inodes)
