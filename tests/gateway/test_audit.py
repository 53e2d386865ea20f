"""The customer's auditor against the ledger that the service keeps: over the wire, with nothing but an access key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import siegel
from tests.ledger.witnessing import Serving

from .log import INTEGRATED_S, Auditor
from .own_account import own_account
from .service import Service
from .shelf import Shelf
from .signer import Keys
from .test_witnesses import policy_of, put_policy, witness_of

# Promised is a second; machines that run tests are slower than that at times.
PATIENT = ("--delay-s", "120")


class Desk:
    """An auditor's directory, and the key that it asks with."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder, self.service, self.keys = folder, service, service.owner
        vkeys = Auditor(service.raw(), service.owner.account_id).vkeys()
        self.policy = folder / "policy"
        self.policy.write_text("".join(f"log {vkey}\n" for vkey in vkeys) + "quorum none\n")
        self.audits = folder / "audits"
        place = f"{service.url}/.ledger/{service.owner.account_id}"
        ended = self.run("init", self.audits, "--from", place, "--policy", self.policy, *PATIENT)
        assert ended.returncode == 0, ended.stderr

    def run(self, *words: object, keys: Keys | None = None) -> subprocess.CompletedProcess[str]:
        asking = keys or self.keys
        credential = {"AWS_ACCESS_KEY_ID": asking.access_key_id, "AWS_SECRET_ACCESS_KEY": asking.secret_access_key}
        return siegel("audit", *words, env={**os.environ, **credential})

    def sync_until(self, entry_id: str) -> dict[str, Any]:
        """Sync until the mirror has an entry of that request; every sync on the way must hold."""
        give_up = time.monotonic() + 2 * INTEGRATED_S
        while True:
            ended = self.run("sync", self.audits, "--json")
            assert ended.returncode == 0, ended.stdout + ended.stderr
            if self.run("receipt", self.audits, entry_id, "-o", self.folder).returncode == 0:
                found: dict[str, Any] = json.loads(ended.stdout)
                return found
            assert time.monotonic() < give_up
            time.sleep(0.2)


# An auditor finds what others do to a log, as he should.
service, s3 = own_account()


@pytest.fixture
def desk(service: Service, bucket: Shelf, tmp_path: Path) -> Desk:
    first = bucket.put("first", b"1")["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    Auditor(service.raw(), service.owner.account_id).await_entries([first])
    return Desk(tmp_path, service)


def test_what_the_service_keeps_holds_before_an_auditor(desk: Desk, bucket: Shelf) -> None:
    entry_id = bucket.put("second", b"2")["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    found = desk.sync_until(entry_id)
    assert (found["holds"], found["findings"]) == (True, [])
    later = bucket.put("third", b"3")["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    more = desk.sync_until(later)
    assert more["size"] > found["size"]
    assert more["verified_before"] >= found["size"]
    assert desk.run("verify", desk.audits).stdout.startswith("HOLDS")
    shown = desk.run("show", desk.audits, "--request", entry_id, "--json")
    (line,) = map(json.loads, shown.stdout.splitlines())
    assert (line["kind"], line["bucket"], line["object_key"]) == ("object.write", bucket.name, "second")
    (receipt, *_) = sorted(desk.folder.glob("*.tlog-proof"))
    checked = desk.run("check", receipt, "--policy", desk.policy)
    assert (checked.returncode, checked.stdout[:5]) == (0, "HOLDS")


def test_an_auditor_believes_a_head_that_a_witness_has_seen(desk: Desk, service: Service, bucket: Shelf) -> None:
    auditor = Auditor(service.raw(), service.owner.account_id)
    place = witness_of(desk.folder, auditor, "w1")
    with Serving(place) as serving:
        text = policy_of(auditor, {place: serving.url.geturl()}, "1")
        away = text.replace(serving.url.geturl().encode(), b"http://127.0.0.1:1")
        (desk.audits / "policy").write_bytes(away)
        told = desk.run("put-policy", desk.audits, "--wait-s", "1")
        assert (told.returncode, "in 1 s no quorum has signed a head; who did: none" in told.stderr) == (1, True)
        (desk.audits / "policy").write_bytes(text)
        unseen = desk.run("sync", desk.audits)
        assert (unseen.returncode, unseen.stdout.split(":")[0]) == (3, "NOT WITNESSED")
        try:
            told = desk.run("put-policy", desk.audits)
            assert told.stdout.endswith("have signed it: w1\n"), told.stderr
            entry_id = bucket.put("seen", b"1")["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
            found = desk.sync_until(entry_id)
        finally:
            # The other tests' heads shall wait for no witness.
            assert put_policy(auditor, b"quorum none\n") == 204
    assert set(found["witnesses"]) == {"w1"}
    assert desk.run("compare", desk.audits, desk.audits / "ledger" / "checkpoint").returncode == 0


def test_whoever_watches_it_is_told_what_is_new(desk: Desk, service: Service, bucket: Shelf, tmp_path: Path) -> None:
    told = tmp_path / "told"
    command = f"{sys.executable} -c 'import sys, pathlib; pathlib.Path(sys.argv[1]).open(\"a\").write(sys.stdin.read())' {told}"
    words = ("watch", desk.audits, "--once", "--json", "--exec", command)
    assert json.loads(desk.run(*words).stdout)["holds"] is True
    # Somebody has taken away the auditor's right: no answer is no good news.
    for _ in range(2):
        ended = desk.run(*words, keys=service.stranger)
        assert (ended.returncode, json.loads(ended.stdout)["could_check"]) == (1, False)
    bucket.put("third", b"3")
    for _ in range(2):
        assert desk.run(*words).returncode == 0
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(event["event"], event["check"]) for event in events] == [("finding", "provider"), ("well", "all")]


def test_keys_for_a_policy_are_shown_and_the_policy_goes_to_the_account(desk: Desk, service: Service, tmp_path: Path) -> None:
    place = f"{service.url}/.ledger/{service.owner.account_id}"
    shown = desk.run("keys", place)
    assert shown.stdout + "quorum none\n" == desk.policy.read_text()
    assert desk.run("put-policy", desk.audits).stdout.endswith("have signed it: none\n")
    assert Auditor(service.raw(), service.owner.account_id).fetch("policy").body == desk.policy.read_bytes()
    ended = desk.run("put-policy", desk.audits, keys=service.stranger)
    assert (ended.returncode, "status 403, AccessDenied" in ended.stderr) == (1, True)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "vkeys").write_text("key\n")
    desk.run("init", tmp_path / "local", "--from", tmp_path, "--policy", desk.policy)
    for words, told in (
        (("keys", tmp_path), "shows no keys"),
        (("keys", tmp_path / "odd"), "shows keys that are none"),
        (("put-policy", tmp_path / "local"), "is a directory"),
    ):
        ended = desk.run(*words)
        assert (ended.returncode, told in ended.stderr) == (253, True)


def test_nobody_else_audits_it(desk: Desk, service: Service) -> None:
    ended = desk.run("sync", desk.audits, keys=service.stranger)
    assert ended.returncode == 1
    assert "status 403" in ended.stderr
