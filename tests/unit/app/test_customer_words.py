"""The customer's and the operator's commands with words that cannot be meant: one clear line, whatever it is."""

import os

import pytest
from tests.command_line import siegel

from siegel.app.commands.moments import read_moment
from siegel.domain.errors import ConfigurationError

# Nobody listens at port 1.
NOBODY = "http://127.0.0.1:1"
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}


def told(*words, code, cwd=None, **env):
    done = siegel(*words, cwd=cwd, env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **env})
    assert done.returncode == code, (done.stdout, done.stderr)
    assert 1 <= len(done.stderr.splitlines()) <= 2, done.stderr
    return done.stderr


@pytest.mark.parametrize("host", ["h:99999", "h:x", "[::1", "a..b", "a" * 70, ""])
def test_a_url_that_cannot_be_asked_is_none(tmp_path, host):
    url = f"http://{host}/.ledger/1"
    assert "is no URL of a ledger" in told("audit", "keys", url, code=253)
    (tmp_path / "policy").write_text("quorum none\n")
    told("audit", "init", "audits", "--from", url, "--policy", "policy", code=253, cwd=tmp_path)
    assert not (tmp_path / "audits").exists()
    assert "is no URL" in told("support", "list", "--admin", f"http://{host}", code=253, **KEYS)


def test_a_server_that_is_not_there_is_told_of_in_words():
    assert "127.0.0.1:1 does not give vkeys: Connection refused\n" in told("audit", "keys", f"{NOBODY}/.ledger/1", code=1)
    assert "127.0.0.1:1 does not answer: Connection refused\n" in told("support", "list", "--admin", NOBODY, code=1, **KEYS)


@pytest.mark.parametrize("keys", [{"AWS_ACCESS_KEY_ID": "a\nb"}, {"AWS_ACCESS_KEY_ID": "ä"}, {"AWS_SESSION_TOKEN": "a\nb"}])
def test_an_access_key_that_is_none_is_told_of(keys):
    assert "has characters that none has" in told("audit", "keys", f"{NOBODY}/.ledger/1", code=253, **{**KEYS, **keys})


def test_a_region_that_is_none_is_told_of():
    assert "is no region" in told("audit", "keys", f"{NOBODY}/.ledger/1", code=253, **KEYS, AWS_REGION="a\nb")


def test_a_file_of_access_keys_that_is_none_is_named(tmp_path):
    path = tmp_path / "keys"
    path.write_bytes(b"\xff\xfe")
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(path)}
    assert f"{path} is no file of access keys" in told("audit", "keys", f"{NOBODY}/.ledger/1", code=253, **env)
    path.write_text("[default]\na=1\na=2\n")
    assert f"{path} cannot be read" in told("audit", "keys", f"{NOBODY}/.ledger/1", code=253, **env)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z"])
def test_a_time_that_cannot_be_written_down_is_refused(text):
    with pytest.raises(ConfigurationError, match="1970 to 9999"):
        read_moment(text)


@pytest.mark.parametrize("command", ["verify", "report"])
def test_a_mirror_of_which_nothing_was_fetched_yet_is_no_broken_ledger(tmp_path, command):
    (tmp_path / "policy").write_text("quorum none\n")
    assert siegel("audit", "init", "audits", "--from", ".", "--policy", "policy", cwd=tmp_path).returncode == 0
    assert "audits has no ledger yet\ntry: siegel audit sync audits" in told("audit", command, "audits", code=253, cwd=tmp_path)
