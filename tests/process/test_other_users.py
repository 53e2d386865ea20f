"""Commands that are run by somebody else than the owner of the directory: a clear sentence, and no traceback."""

import os
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.process.running import SIEGEL, initialise

NOBODY = 54321


@pytest.fixture(scope="module")
def data():
    # A place that everybody may come to, which those of the tests are not.
    with TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        initialise(place / "data")
        yield place / "data"


@contextmanager
def somebody_elses(data, *, may_list):
    """Have no right to a directory and what is in it: root runs commands as somebody else, others take it from themselves."""
    data.chmod(0o755 if may_list else 0o700)
    if os.geteuid() == 0:
        yield
        return
    files = [path for path in data.iterdir() if path.is_file() and not path.stat().st_mode & stat.S_IROTH]
    modes = {path: path.stat().st_mode for path in files}
    for path in files:
        path.chmod(0)
    data.chmod(0o500 if may_list else 0)
    try:
        yield
    finally:
        data.chmod(0o700)
        for path, mode in modes.items():
            path.chmod(mode)


def by_nobody(*words):
    """Run a command in another's place, if we can be somebody else."""
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    line = [*other, SIEGEL, *map(str, words)]
    return subprocess.run(line, cwd="/", capture_output=True, text=True, check=False, timeout=60)


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
    with somebody_elses(data, may_list=may_list):
        ended = by_nobody(*words.format(data).split())
    assert ended.returncode in {1, 253}
    assert ended.stderr.startswith("siegel: ")
    assert "initialised already" in ended.stderr if may_list and "init" in words else "Permission denied" in ended.stderr


def test_the_doctor_looks_at_what_it_can(data):
    with somebody_elses(data, may_list=True):
        ended = by_nobody("doctor", data)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert f"{data} cannot be written: Permission denied" in ended.stdout


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
