"""A key server from its first day to its last: commands beside it, accidents, and what the log says of them."""

import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.keybox.box import SIEGEL, Box, Serving, done, keybox
from tests.keybox.caller import AAD, PLAINTEXT, decrypt_body, encrypt_body, told

HEALTH = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "r"}}


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path / "box")


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_keys_change_beside_the_server(box):
    key_id = box.create_key("main")
    with Serving(box) as serving:
        xks = box.caller(serving.url)
        sealed = xks.key(key_id, "encrypt", encrypt_body(aad=AAD)).json
        body = decrypt_body(sealed, AAD)
        box.command("disable", "main")
        assert xks.key(key_id, "decrypt", body).error == "InvalidStateException"
        assert xks.key(key_id, "encrypt", encrypt_body()).error == "InvalidStateException"
        assert xks.key(key_id, "metadata", {"requestMetadata": told("DescribeKey")}).json["keyStatus"] == "DISABLED"
        box.command("enable", key_id)
        assert xks.key(key_id, "decrypt", body).json == {"plaintext": PLAINTEXT}
        fresh = box.create_key("fresh")
        assert xks.key(fresh, "encrypt", encrypt_body()).status == 200
        box.command("destroy", "main", "--yes")
        answer = xks.key(key_id, "decrypt", body)
        assert (answer.status, answer.error) == (404, "KeyNotFoundException")
        assert "destroyed" in answer.json["errorMessage"]
        assert xks.post("health", HEALTH).status == 200
        assert serving.stop() == 0
    assert "whole" in done("log", box.folder, "--verify")
    told_of = [(line["operation"], line["result"]) for line in box.log() if line.get("key_id") == key_id]
    assert ("box.disable", "ok") in told_of
    assert told_of[-3:] == [("box.destroy", "begun"), ("box.destroy", "ok"), ("xks.decrypt", "KeyNotFoundException")]


def test_a_destroyed_key_is_in_no_file_and_has_a_certificate(box, tmp_path):
    key_id = box.create_key("main")
    before = (box.folder / "box.sealed").read_bytes()
    assert keybox("destroy", box.folder, "main").returncode == 253
    box.command("destroy", "main", "--yes")
    for path, data in files_of(box.folder).items():
        assert before[60:92] not in data, path
    listed = json.loads(box.command("list", "--json"))
    assert [(key["key_id"], key["state"]) for key in listed["keys"]] == [(key_id, "destroyed")]
    certificate = box.folder / "certificates" / f"{key_id}.json"
    assert box.command("certificate", key_id) == certificate.read_text()
    statement = json.loads(done("verify-certificate", certificate, "--public-key", box.public_key))
    assert (statement["key_id"], statement["name"]) == (key_id, "main")
    other = Box(tmp_path / "other")
    assert keybox("verify-certificate", certificate, "--public-key", other.public_key).returncode == 1
    certificate.write_text(certificate.read_text().replace("main", "mine"))
    changed = keybox("verify-certificate", certificate, "--public-key", box.public_key)
    assert changed.returncode == 1
    assert "Traceback" not in changed.stderr
    assert keybox("enable", box.folder, key_id).returncode == 253
    assert keybox("destroy", box.folder, key_id, "--yes").returncode == 253


def test_credentials_are_rotated_without_a_gap(box):
    key_id = box.create_key("main")
    with Serving(box) as serving:
        old = box.caller(serving.url)
        made = json.loads(box.command("credential rotate", "--json"))
        new = old.but(access_key_id=made["access_key_id"], secret=made["secret_access_key"])
        assert [caller.key(key_id, "encrypt", encrypt_body()).status for caller in (old, new)] == [200, 200]
        third = keybox("credential", "rotate", box.folder)
        assert third.returncode == 253
        assert f"credential retire DIR {old.access_key_id}" in third.stderr
        box.command("credential retire", old.access_key_id)
        assert old.key(key_id, "encrypt", encrypt_body()).error == "AuthenticationFailedException"
        assert new.key(key_id, "encrypt", encrypt_body()).status == 200
    assert keybox("credential", "retire", box.folder, new.access_key_id).returncode == 253
    held = json.loads(box.command("credential list", "--json"))["credentials"]
    assert [(one["face"], one["access_key_id"]) for one in held if one["face"] == "xks"] == [("xks", new.access_key_id)]
    assert new.secret not in box.command("credential list")


def test_the_policy_counts_from_the_next_call_on(box):
    key_id = box.create_key("main")
    with Serving(box) as serving:
        xks = box.caller(serving.url)
        asked = encrypt_body(aad=AAD)
        assert xks.key(key_id, "encrypt", asked).status == 200
        box.write_policy('buckets = ["other-*"]\n')
        answer = xks.key(key_id, "encrypt", asked)
        assert (answer.status, answer.error) == (403, "AccessDeniedException")
        assert box.last("xks.encrypt")["detail"] == answer.json["errorMessage"]
        box.write_policy('buckets = ["evi*"]\nrequire_reason = ["xks.encrypt"]\n')
        assert xks.key(key_id, "encrypt", asked).error == "AccessDeniedException"
        why = encrypt_body(aad=AAD, requestMetadata=told("Encrypt", person="Erika", reason="case 4711"))
        assert xks.key(key_id, "encrypt", why).status == 200
        box.write_policy('[keys.main]\nprincipals = ["arn:aws:iam::*:user/Bob"]\n')
        assert xks.key(key_id, "encrypt", asked).error == "AccessDeniedException"
        box.write_policy("rate_per_minute = 2\n")
        assert [xks.key(key_id, "encrypt", asked).status for _ in range(3)] == [200, 200, 429]
        assert box.last("xks.encrypt")["result"] == "ThrottlingException"
        for wrong in ("no policy\n", "", " \n", "# all"):
            box.write_policy(wrong)
            assert xks.key(key_id, "encrypt", asked).error == "AccessDeniedException"
        assert xks.post("health", HEALTH).status == 200
        assert keybox("policy", box.folder).returncode == 253
        box.write_policy("# all\n")
        assert xks.key(key_id, "encrypt", asked).status == 200
        assert box.command("policy") == "the policy is in order\n"
        box.write_policy("[keys.nobody]\n")
        assert "nobody" in keybox("policy", box.folder).stderr


def test_a_passphrase_opens_the_box_and_another_does_not(tmp_path):
    right, wrong, short = (tmp_path / name for name in ("right", "wrong", "short"))
    for path, text in ((right, "correct horse battery\n"), (wrong, "correct horse batterie\n"), (short, "short\n")):
        path.touch(mode=0o600)
        path.write_text(text)
    assert keybox("init", tmp_path / "none", "--passphrase-file", short).returncode == 253
    box = Box(tmp_path / "box", opening=("--passphrase-file", right))
    key_id = box.create_key("main")
    assert not (box.folder / "box.key").exists()
    for words in (("--passphrase-file", wrong), (), ("--key-file", wrong), ("--key-file", right, "--passphrase-file", right)):
        ended = keybox("list", box.folder, *words)
        assert ended.returncode == 253, ended.stdout
        assert "Traceback" not in ended.stderr
    right.chmod(0o644)
    assert "chmod 600" in keybox("list", box.folder, *box.opening).stderr
    right.chmod(0o600)
    with Serving(box) as serving:
        assert box.caller(serving.url).key(key_id, "encrypt", encrypt_body()).status == 200


def test_a_key_file_may_lie_elsewhere_and_is_never_overwritten(tmp_path):
    key_file = tmp_path / "elsewhere.key"
    box = Box(tmp_path / "box", opening=("--key-file", key_file))
    kept = key_file.read_bytes()
    assert oct(key_file.stat().st_mode)[-3:] == "600"
    second = Box(tmp_path / "second", opening=("--key-file", key_file))
    assert key_file.read_bytes() == kept
    second.create_key("x")
    assert keybox("list", box.folder).returncode == 253
    assert keybox("init", box.folder, *box.opening).returncode == 253
    assert oct((box.folder / "box.sealed").stat().st_mode)[-3:] == "600"
    assert oct((box.folder / "log.jsonl").stat().st_mode)[-3:] == "600"


def test_a_log_that_was_tampered_with_names_its_first_broken_line(box):
    for name in ("one", "two", "three"):
        box.create_key(name)
    log = box.folder / "log.jsonl"
    whole = log.read_bytes()
    found = json.loads(done("log", box.folder, "--verify", "--json"))
    assert (found["whole"], found["lines"], found["is_from_the_beginning"]) == (True, 7, True)
    lines = whole.splitlines(keepends=True)
    for changed, place in (
        (b"".join([*lines[:2], lines[2].replace(b'"ok"', b'"OK"'), *lines[3:]]), 4),
        (b"".join(lines[:3] + lines[4:]), 4),
        (b"".join([lines[1], lines[0], *lines[2:]]), 1),
        (b"".join([*lines[:4], b"nothing\n", *lines[4:]]), 5),
        (whole[:-5], 7),
    ):
        log.write_bytes(changed)
        ended = keybox("log", box.folder, "--verify")
        assert ended.returncode == 1
        assert f"BROKEN at line {place}:" in ended.stdout
    log.write_bytes(b"".join(lines[:4]))
    assert keybox("log", box.folder, "--verify").returncode == 0
    shortened = keybox("log", box.folder, "--verify", "--head", found["head"])
    assert (shortened.returncode, shortened.stdout[:9]) == (1, "SHORTENED")
    log.write_bytes(b"")
    emptied = keybox("log", box.folder, "--verify")
    assert (emptied.returncode, emptied.stdout[:6]) == (1, "EMPTY:")
    # An emptied log that goes on looks like one that its owner has begun anew: it says so.
    box.create_key("again")
    assert "it does not begin with the making of the box" in done("log", box.folder, "--verify")
    assert json.loads(done("log", box.folder, "--verify", "--json"))["is_from_the_beginning"] is False
    log.write_bytes(whole)
    box.create_key("four")
    assert keybox("log", box.folder, "--verify", "--head", found["head"]).returncode == 0
    assert "four" not in done("log", box.folder)
    assert len(done("log", box.folder, "--json").splitlines()) == 9


# The server as it is, but for a death between the line and its answer.
DYING = """
import os, signal
from siegel.customer.keybox import logfile
write = logfile.LogFile.append
def append(self, entries):
    head = write(self, entries)
    if any(b"xks.decrypt" in entry for entry in entries):
        os.kill(os.getpid(), signal.SIGKILL)
    return head
logfile.LogFile.append = append
from siegel.app.cli import main
main()
"""


def test_killed_between_line_and_answer_the_line_is_there(box):
    key_id = box.create_key("main")
    with Serving(box, program=(sys.executable, "-c", DYING)) as serving:
        xks = box.caller(serving.url)
        sealed = xks.key(key_id, "encrypt", encrypt_body(aad=AAD)).json
        with pytest.raises(OSError):
            xks.key(key_id, "decrypt", decrypt_body(sealed, AAD))
        assert serving.process.wait(20) == -signal.SIGKILL
    line = box.log()[-1]
    assert (line["operation"], line["result"], line["key_id"]) == ("xks.decrypt", "ok", key_id)
    with Serving(box) as serving:
        assert box.caller(serving.url).key(key_id, "decrypt", decrypt_body(sealed, AAD)).json == {"plaintext": PLAINTEXT}
    assert "whole" in done("log", box.folder, "--verify")


def test_a_line_that_a_crash_left_unfinished_goes(box):
    log = box.folder / "log.jsonl"
    with log.open("ab") as stream:
        stream.write(b'{"v":1,"seq":2,"prev":"')
    box.create_key("main")
    assert "whole" in done("log", box.folder, "--verify")


def test_a_log_that_is_taken_away_stops_everything(box):
    key_id = box.create_key("main")
    with Serving(box) as serving:
        xks = box.caller(serving.url)
        (box.folder / "log.jsonl").rename(box.folder / "log.away")
        for _ in range(2):
            answer = xks.key(key_id, "encrypt", encrypt_body())
            assert (answer.status, answer.error) == (500, "InternalException")
            assert b"ciphertext" not in answer.body
        serving.stop()


def test_a_box_that_is_damaged_lets_nothing_through(box):
    key_id = box.create_key("main")
    with Serving(box) as serving:
        xks = box.caller(serving.url)
        sealed = box.folder / "box.sealed"
        kept = sealed.read_bytes()
        sealed.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        assert xks.key(key_id, "encrypt", encrypt_body()).error == "InternalException"
        sealed.write_bytes(kept)
        assert xks.key(key_id, "encrypt", encrypt_body()).status == 200


def test_one_server_on_a_box_and_one_box_on_a_port(box, tmp_path):
    other = Box(tmp_path / "other")
    with Serving(box) as serving:
        second = keybox("serve", box.folder, "--listen", "127.0.0.1:0")
        assert (second.returncode, "another key server" in second.stderr) == (253, True)
        taken = keybox("serve", other.folder, "--listen", f"127.0.0.1:{serving.url.port}")
        assert (taken.returncode, "cannot be used" in taken.stderr) == (253, True)


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "{box}", "--listen", "nowhere"),
        ("serve", "{box}", "--tls-cert", "x"),
        ("serve", "{box}", "--client-ca", "x"),
        ("serve", "{box}", "--tls-cert", "x", "--tls-key", "y"),
        ("create-key", "{box}", "no/name"),
        ("list", "{box}/nowhere"),
        ("log", "{box}/nowhere"),
        ("certificate", "{box}", "nothing"),
        ("verify-certificate", "{box}/nowhere", "--public-key", "x"),
        ("init", "{box}"),
        ("init", "{box}2", "--uri-prefix", "no-slash"),
        ("credential", "retire", "{box}", "NOBODY"),
    ],
)
def test_commands_refuse_with_a_sentence(stage, words):
    ended = keybox(*(word.format(box=stage.box.folder) for word in words))
    assert ended.returncode == 253, ended.stderr
    assert ended.stderr.startswith("siegel: ")
    assert "Traceback" not in ended.stderr


def test_commands_that_only_read_load_no_server(box):
    program = (
        "import sys; from siegel.app.cli import app; app(sys.argv[1:], result_action='return_value'); print(sorted(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "keybox", "list", str(box.folder)], capture_output=True, text=True, check=True, timeout=60
    )
    for name in ("granian", "uvloop", "apsw", "lxml", "starlette", "siegel.app.wiring", "siegel.service.put"):
        assert f"'{name}'" not in ended.stdout, name
    assert Path(SIEGEL).exists()


def test_the_end_comes_in_order_whoever_is_slow(box):
    with Serving(box) as serving:
        assert box.caller(serving.url).post("health", HEALTH).status == 200
        place = (serving.url.hostname, serving.url.port)
        with socket.create_connection(place, 20) as idle, socket.create_connection(place, 20) as slow:
            idle.sendall(b"GET /-/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(64).startswith(b"HTTP/1.1 200")
            slow.sendall(b"POST /kms/xks/v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert serving.stop() == 0
    assert [line["operation"] for line in box.log()] == ["box.init", "box.start", "xks.health", "box.stop"]


def test_told_twice_it_ends_at_once(box):
    with Serving(box) as serving, socket.create_connection((serving.url.hostname, serving.url.port), 20) as slow:
        slow.sendall(b"POST /kms/xks/v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert box.caller(serving.url).post("health", HEALTH).status == 200
        serving.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            serving.process.wait(1)
        assert serving.stop() == 1


def test_calls_and_commands_share_one_chain(box):
    key_id = box.create_key("main")
    with Serving(box) as serving, ThreadPoolExecutor(8) as callers:
        xks = box.caller(serving.url)
        calls = [callers.submit(xks.key, key_id, "encrypt", encrypt_body(aad=AAD)) for _ in range(200)]
        for name in ("one", "two", "three"):
            box.create_key(name)
        assert [call.result().status for call in calls] == [200] * 200
    assert "whole" in done("log", box.folder, "--verify")
    told_of = [line["operation"] for line in box.log()]
    assert (told_of.count("xks.encrypt"), told_of.count("box.create-key")) == (200, 8)
