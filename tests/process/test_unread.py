"""Commands whose reader goes away, as `head` does: they end without a word, whether little is left to say or much."""

import os
import subprocess

import pytest

from tests.command_line import SIEGEL
from tests.process.running import initialise


@pytest.mark.parametrize("words", ["--version", "serve --help", "account list --json --data {data}"])
def test_a_reader_who_has_gone_is_met_without_a_word(words, tmp_path):
    data = tmp_path / "data"
    if "{data}" in words:
        initialise(data)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [SIEGEL, *words.format(data=data).split()], stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")
