"""Commands that are run by somebody else than the owner of the directory: a clear sentence, and no traceback."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.process.running import SIEGEL, initialise

NOBODY = 54321

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture(scope="module")
def data():
    # A place that everybody may come to, which those of the tests are not.
    with TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        initialise(place / "data")
        yield place / "data"


def by_nobody(*words):
    """Run a command as a user who has neither a name nor a home."""
    line = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", SIEGEL, *map(str, words)]
    environment = {name: value for name, value in os.environ.items() if name not in {"HOME", "XDG_STATE_HOME"}}
    return subprocess.run(line, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=60)


@needs_root
@pytest.mark.parametrize("may_list", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        "serve {}",
        "account list --data {}",
        "account create films --data {}",
        "verify sealed --data {}",
        "clock confirm --data {}",
        "root rotate {}",
        "root rekey-database {}",
        "init {}",
        "keys new {}/key",
    ],
)
def test_a_directory_of_somebody_else_is_told(data, words, may_list):
    data.chmod(0o755 if may_list else 0o700)
    ended = by_nobody(*words.format(data).split())
    assert ended.returncode in {1, 253}
    assert ended.stderr.startswith("siegel: ")
    assert "initialised already" in ended.stderr if may_list and "init" in words else "Permission denied" in ended.stderr


@needs_root
def test_the_doctor_looks_at_what_it_can(data):
    data.chmod(0o755)
    ended = by_nobody("doctor", data)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert f"{data} cannot be written: Permission denied" in ended.stdout


@needs_root
def test_who_has_no_home_says_where_the_note_of_a_run_is():
    ended = by_nobody("keys", "rewrap", "films", "--key", "arn:aws:kms:eu-central-1:1:key/1")
    assert (ended.returncode, ended.stderr.splitlines()[1:]) == (1, ["try: --state FILE"])


def test_names_that_are_too_long_are_told(tmp_path):
    name, data = "x" * 300, tmp_path / "data"
    initialise(data)
    for words in (
        ["keys", "new", name],
        ["root", "rotate", data, "--to-file", name],
        ["consent", "revoke", name, "1", "--reason", "none"],
        ["keybox", "serve", name],
        ["keybox", "policy", name],
        ["witness", "serve", name],
    ):
        ended = subprocess.run([SIEGEL, *map(str, words)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode in {1, 253}, words
        assert ended.stderr.startswith("siegel: "), words
        assert "File name too long" in ended.stderr, words
