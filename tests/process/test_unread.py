"""Commands whose reader goes away, as `head` does: they end without a word, whether little is left to say or much."""

import os
import subprocess

import pytest

from tests.command_line import SIEGEL
from tests.process.running import initialise


@pytest.mark.parametrize("words", [("--version",), ("serve", "--help"), ("account", "list", "--json")])
def test_a_reader_who_has_gone_is_met_without_a_word(words, tmp_path):
    initialise(tmp_path / "data")
    where = ("--data", str(tmp_path / "data")) if words[0] == "account" else ()
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run([SIEGEL, *words, *where], stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")
