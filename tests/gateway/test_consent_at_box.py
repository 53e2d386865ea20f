"""A consent, the store, and the customer's own key server: each checks for itself, and the box has the last word."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.ledger.witnessing import done

from .consenting import ACTIVE_S, Parties, parties
from .key_servers import Premises, connected, external_key, patient, premises
from .service import Service
from .test_consent_commands import Home, home_of


@pytest.fixture
def theirs(service: Service, tmp_path: Path) -> Iterator[Parties]:
    with parties(service, tmp_path / "witness") as found:
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Premises]:
    with premises(tmp_path / "premises") as found:
        yield found


@pytest.fixture
def home(theirs: Parties, tmp_path: Path) -> Home:
    (tmp_path / "keys").write_bytes(theirs.call("GET", "keys").body)
    made = home_of(theirs, tmp_path / "home", "--consent-keys", str(tmp_path / "keys"))
    made.keygen("alice")
    made.keys(1, "alice")
    return made


def refused(read: Any) -> str:
    """Return the code of the refusal."""
    with pytest.raises(ClientError) as caught:
        read()
    return str(caught.value.response["Error"]["Code"])


def test_the_box_lets_an_engineer_read_what_its_owner_signed_and_ends_it_alone(
    service: Service, theirs: Parties, place: Premises, home: Home
) -> None:
    kms = patient(service, "kms", theirs.keys)
    key = external_key(kms, connected(kms, place.options), place.new_key())["Arn"]
    for name in ("case/1", "case/2"):
        theirs.s3.put_object(Bucket=theirs.bucket, Key=name, Body=b"content", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    consent_id = theirs.request("case/1")
    home.consent("approve", "audits", consent_id, "--key", "alice.key", "--yes", "-o", "evidence")
    theirs.await_state(consent_id, "active")
    s3 = theirs.engineer(consent_id)

    def read(name: str = "case/1") -> bytes:
        return bytes(s3.get_object(Bucket=theirs.bucket, Key=name)["Body"].read())

    # The store lets the engineer in; the box knows nothing of it.
    assert refused(read).startswith("KMS.")
    told = place.box.last("xks.decrypt")
    assert told["principal"] == f"arn:aws:siegel:::support/{consent_id}/jane.doe"
    assert "lets nobody of the provider's pass" in told["detail"]

    place.box.write_policy('consents = "required"\n')
    home.run("keybox", "consent", "trust", place.box.folder, "--keys", "consent.keys", "--policy", "policy")
    assert refused(read).startswith("KMS.")
    assert "was given none" in place.box.last("xks.decrypt")["detail"]
    home.run("keybox", "consent", "add", place.box.folder, "evidence")
    assert read() == b"content"
    told = place.box.last("xks.decrypt")
    assert (told["result"], told["metadata"]["consentId"], told["metadata"]["consentAction"]) == ("ok", consent_id, "read")
    assert told["context"]["key"] == "case/1"

    # Every use is a call at the box: nothing that was opened before serves.
    count = sum(line["operation"] == "xks.decrypt" for line in place.box.log())
    assert (read(), read()) == (b"content", b"content")
    assert sum(line["operation"] == "xks.decrypt" for line in place.box.log()) == count + 2

    # The customer ends it at his box, whatever the store thinks; his own users are not concerned.
    home.run("keybox", "consent", "revoke", place.box.folder, consent_id)
    assert refused(read).startswith("KMS.")
    assert "it was revoked" in place.box.last("xks.decrypt")["detail"]
    assert theirs.shown(consent_id)["state"] == "active"
    assert theirs.s3.get_object(Bucket=theirs.bucket, Key="case/1")["Body"].read() == b"content"

    # The other book, the ledger, tells the same, and holds.
    give_up = time.monotonic() + ACTIVE_S
    while len(theirs.lines(consent_id, at_least=8)) < 8:
        assert time.monotonic() < give_up
    assert home.run("audit", "sync", "audits").stdout.startswith("HOLDS")


def test_the_box_and_the_audit_follow_the_log_to_its_new_keys_and_know_consents_of_before(
    service: Service, theirs: Parties, place: Premises, home: Home, tmp_path: Path
) -> None:
    kms = patient(service, "kms", theirs.keys)
    key = external_key(kms, connected(kms, place.options), place.new_key())["Arn"]
    for name in ("case/1", "case/2"):
        theirs.s3.put_object(Bucket=theirs.bucket, Key=name, Body=b"content", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    place.box.write_policy('consents = "required"\n')
    trusted = ("--keys", "consent.keys", "--policy", "policy")
    home.run("keybox", "consent", "trust", place.box.folder, *trusted, "--ledger", "audits/ledger")

    def approved(name: str, *words: object) -> str:
        consent_id = theirs.request(name)
        home.consent("approve", "audits", consent_id, "--key", "alice.key", "--yes", *words)
        theirs.await_state(consent_id, "active")
        return consent_id

    def read(consent_id: str, name: str) -> bytes:
        return bytes(theirs.engineer(consent_id).get_object(Bucket=theirs.bucket, Key=name)["Body"].read())

    before = approved("case/1", "--keybox", place.box.folder)
    assert read(before, "case/1") == b"content"
    home.run("audit", "sync", "audits")

    done("ledger", "rotate-keys", "--account", theirs.account_id, "--data", service.directory)
    await_true(lambda: theirs.auditor.fetch("handover/000").status == 200)
    (tmp_path / "handover").write_bytes(theirs.auditor.fetch("handover/000").body)
    done("witness", "follow", tmp_path / "witness" / "witness", tmp_path / "handover")
    await_true(lambda: theirs.s3.list_buckets() and theirs.auditor.fetch("checkpoint").body.count("\u2014".encode()) == 3)
    assert home.run("audit", "sync", "audits").stdout.startswith("HOLDS")

    # What was approved before counts, here and at the box; what is approved now leads the box to the new keys by itself.
    assert read(before, "case/1") == b"content"
    assert home.consent("evidence", "audits", before, "-o", "before.evidence")["consent_id"] == before
    after = approved("case/2", "-o", "after.evidence")
    assert refused(lambda: read(after, "case/2")).startswith("KMS.")
    home.run("keybox", "consent", "add", place.box.folder, "after.evidence")
    assert read(after, "case/2") == b"content"
    assert read(before, "case/1") == b"content"
    told = home.run("keybox", "log", place.box.folder).stdout
    assert [line.split()[3] for line in told.splitlines() if "box.consent-follow" in line] == ["begun", "ok"]
    follow = home.run("keybox", "consent", "follow", place.box.folder, "--json").stdout
    vkeys = theirs.auditor.vkeys()
    assert json.loads(follow) == {"followed": 0, "log_keys": ["+".join(vkey.split("+")[:2]) for vkey in vkeys]}
    for consent_id in (before, after):
        assert home.consent("evidence", "audits", consent_id, "--keybox", place.box.folder)["consent_id"] == consent_id

    # Somebody who begins to audit only now sees that all was as it should be: of each consent he has the evidence of its time.
    ledger = f"{service.url}/.ledger/{theirs.account_id}"
    home.run("audit", "init", "fresh", "--from", ledger, "--policy", "policy")
    shutil.copytree(home.folder / "audits" / "consent-keys", home.folder / "fresh" / "consent-keys")
    page = home.run("audit", "sync", "fresh").stdout
    assert page.startswith("HOLDS")
    assert f"consent {before}: " in page

    # Other people sign from now on; what was signed before stays signed.
    home.keygen("bob")
    home.keys(1, "bob")
    assert home.consent("evidence", "audits", before)["consent_id"] == before

    # The audit knows both consents: online, and offline from the first entry on.
    def knows_both(command: str) -> bool:
        page = home.run("audit", command, "audits").stdout
        assert page.startswith("HOLDS"), page
        return all(f"consent {each}: " in page for each in (before, after))

    # The entry of a use is in the tree a second later.
    await_true(lambda: knows_both("sync"))
    assert knows_both("verify")


def await_true(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + ACTIVE_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.2)
