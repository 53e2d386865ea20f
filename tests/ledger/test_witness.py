"""A witness from init to its end, as a process: over the network, killed, restarted."""

import signal
import sys

import pytest

from siegel.ledger.keys import parse_verifier
from siegel.ledger.signed_checkpoints import add_signatures, open_checkpoint
from tests.gateway.certificates import make_certificates
from tests.ledger.witnessing import Serving, WitnessPlace, siegel
from tests.unit.ledger.log import ORIGIN, Log, log_keys


def log_of(size, last=None):
    entries = [b"entry %d" % number for number in range(size)]
    return Log(entries if last is None else [*entries[:-1], last])


@pytest.fixture
def place(tmp_path):
    return WitnessPlace(tmp_path / "witness", logs=log_keys())


def signed(place, log, lines):
    opened = open_checkpoint(add_signatures(log.checkpoint(), lines), [parse_verifier(vkey) for vkey in place.vkeys])
    assert opened.checkpoint == log.head
    return len(opened.signed)


def test_a_log_is_witnessed_as_it_grows(place):
    with Serving(place) as serving:
        assert serving.add(log_of(3), 0)[0] == 200
        status, kind, lines = serving.add(log_of(300), 3)
        assert (status, kind, signed(place, log_of(300), lines)) == (200, "text/plain; charset=utf-8", 2)
        assert serving.add(log_of(400), 3) == (409, "text/x.tlog.size", b"300\n")
        assert serving.add(log_of(300, b"forged"), 300)[0] == 422
        assert serving.stop() == 0
    assert "has signed two trees of size 300" in serving.errors.read_text()
    assert place.shown() == [{"log": ORIGIN, "size": 300, "root": log_of(300).frontier.root.hex()}]


def test_logs_that_are_written_down_later_count_at_once(tmp_path):
    place = WitnessPlace(tmp_path / "witness")
    with Serving(place) as serving:
        assert serving.add(log_of(3), 0)[0] == 404
        place.watch(log_keys())
        assert serving.add(log_of(3), 0)[0] == 200


def test_tls(place, tmp_path):
    authority, certificate, key = make_certificates(tmp_path)
    with Serving(place, "--tls-cert", certificate, "--tls-key", key) as serving:
        assert serving.url.scheme == "https"
        assert serving.add(log_of(3), 0, authority=authority)[0] == 200


# The witness as it is, but for a death at one moment of adding a checkpoint.
DYING = """
import os, signal
from siegel.customer.witness import folder
replace = folder.replace_whole
def store(path, data):
    if {before}:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(path, data)
    os.kill(os.getpid(), signal.SIGKILL)
folder.replace_whole = store
from siegel.app.cli import main
main()
"""


@pytest.mark.parametrize(("before", "known"), [(True, 3), (False, 7)])
def test_killed_between_check_and_store_or_between_store_and_answer(place, before, known):
    with Serving(place) as serving:
        assert serving.add(log_of(3), 0)[0] == 200
    with Serving(place, program=(sys.executable, "-c", DYING.format(before=before))) as serving:
        with pytest.raises(OSError):
            serving.add(log_of(7), 3)
        assert serving.process.wait(20) == -signal.SIGKILL
    assert place.shown()[0]["size"] == known
    with Serving(place) as serving:
        fork = log_of(7, b"another history")
        status, _, body = serving.add(fork, 3)
        if known == 7:
            # It was stored, so it was signed as far as anybody can know: a fork finds no witness any more.
            assert (status, body) == (409, b"7\n")
            assert serving.add(fork, 7)[0] == 422
            assert serving.add(log_of(7), 7)[0] == 200
        else:
            # Nothing was stored, so nothing was signed: no two trees of size 7 have this witness.
            assert status == 200
            assert serving.add(log_of(7), 7)[0] == 422


def test_the_memory_outlives_a_kill_under_load(place):
    size = 0
    for _ in range(3):
        with Serving(place) as serving:
            for _ in range(5):
                assert serving.add(log_of(size + 9), size)[0] == 200
                size += 9
            serving.stop(signal.SIGKILL)
        assert place.shown()[0]["size"] == size
    with Serving(place) as serving:
        assert serving.add(log_of(9), 0) == (409, "text/x.tlog.size", f"{size}\n".encode())


def test_one_witness_runs_on_a_directory(place):
    with Serving(place):
        second = siegel("witness", "serve", place.folder, "--listen", "127.0.0.1:0")
        assert (second.returncode, "another witness" in second.stderr) == (253, True)


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "{folder}", "--listen", "nowhere"),
        ("serve", "{folder}", "--tls-cert", "x"),
        ("serve", "{folder}/nowhere"),
        ("show", "{folder}/nowhere"),
        ("init", "{folder}", "--name", "w"),
        ("init", "{folder}2", "--name", "a b"),
    ],
)
def test_commands_refuse_with_a_sentence(place, words):
    ended = siegel("witness", *(word.format(folder=place.folder) for word in words))
    assert ended.returncode == 253, ended.stderr
    assert ended.stderr.startswith("siegel: ")
    assert "Traceback" not in ended.stderr


def test_init_prints_lines_for_a_policy_and_show_the_keys(tmp_path):
    ended = siegel("witness", "init", tmp_path / "w", "--name", "w.example")
    assert "  witness w.example w.example+" in ended.stdout
    shown = siegel("witness", "show", tmp_path / "w").stdout
    assert shown.count("w.example+") == 2
