"""A log's keys change while the service runs, its witness signs on, and its auditor follows from the keys it began with."""

import asyncio
import json
import time

import pytest

from siegel.app.config import load_config, resolve
from siegel.app.wiring import open_deployment
from siegel.domain.faultpoints import VARIABLE
from siegel.service.ledgers.warnings import LedgerWarning, put_warning
from tests.command_line import siegel
from tests.ledger.witnessing import Serving, WitnessPlace, done
from tests.process.customers import IN_TIME_S, POLICY, Customer
from tests.process.running import wait_until


@pytest.fixture
def customer(tmp_path):
    return Customer(tmp_path)


def test_keys_go_over_under_a_witness_and_everybody_follows(customer, tmp_path):
    place = WitnessPlace(tmp_path / "witness")
    with Serving(place) as witness, customer.serving():
        old = customer.begin(place, witness)
        assert customer.sync_until(customer.access())["hand_overs"] == 0
        told = json.loads(done("ledger", "rotate-keys", "--account", customer.keys.account_id, "--data", customer.data, "--json"))
        assert told["old"] == old
        wait_until(lambda: customer.file("handover/000") is not None, IN_TIME_S)
        assert customer.file("vkeys").split() == told["new"]
        # The witness knows the old keys alone, and signs on; the auditor has pinned the old ones, and follows.
        assert customer.sync_until(customer.access())["hand_overs"] == 1
        again = siegel("ledger", "rotate-keys", "--account", customer.name, "--data", customer.data)
        assert (again.returncode, "are being changed already" in again.stderr) == (253, True)
        proof = tmp_path / "handover-000"
        proof.write_text(customer.file("handover/000"))
        assert told["new"][0] in done("witness", "follow", place.folder, proof)
        assert told["old"][0] not in (place.folder / "logs").read_text()
        customer.sync_until(customer.access())
        wait_until(lambda: customer.access() and customer.file("checkpoint").count("\u2014") == 3, IN_TIME_S)
        customer.sync_until(customer.access())
    page = siegel("audit", "verify", customer.audits)
    assert "HOLDS" in page.stdout
    assert "handed over 1 times" in page.stdout


def test_a_hand_over_whose_quorum_does_not_come_is_withdrawn(customer, tmp_path):
    place = WitnessPlace(tmp_path / "witness")
    account = ("--account", customer.keys.account_id, "--data", customer.data)
    with Serving(place) as witness, customer.serving():
        old = customer.begin(place, witness)
        customer.sync_until(customer.access())
        witness.stop()
        new = json.loads(done("ledger", "rotate-keys", *account, "--json"))["new"]
        # Old and new keys sign, and nobody else does.
        wait_until(lambda: customer.access() and customer.file("checkpoint").count("\u2014") == 4, IN_TIME_S)
        again = siegel("ledger", "rotate-keys", *account)
        assert (again.returncode, "--withdraw" in again.stderr) == (253, True)
        assert new[0] in done("ledger", "rotate-keys", *account, "--withdraw")
        gone = siegel("ledger", "rotate-keys", *account, "--withdraw")
        assert (gone.returncode, "nothing to withdraw" in gone.stderr) == (253, True)
        assert customer.file("vkeys").split() == old
    with Serving(place) as witness, customer.serving():
        policy = POLICY.format(vkey=place.vkeys[0], url=witness.url.geturl())
        assert customer.raw.call("PUT", ".ledger", f"{customer.keys.account_id}/policy", body=policy.encode()).status == 204
        assert customer.sync_until(customer.access())["hand_overs"] == 0
        (who,) = (entry["principal"] for entry in customer.entries() if entry.get("kind") == "ledger.keys.withdrawn")
        assert who == "operator/local"


@pytest.mark.parametrize(
    "point",
    [
        "ledger.before_append:3",
        "ledger.after_append:3",
        "ledger.after_head:3",
        "ledger.before_hand_over",
        "ledger.after_hand_over",
    ],
)
def test_a_kill_at_any_step_hands_over_once_and_leaves_a_ledger_that_holds(customer, point):
    with customer.serving():
        customer.pin()
        customer.sync_until(customer.access())
    with customer.serving(**{VARIABLE: point}) as service:
        done("ledger", "rotate-keys", "--account", customer.keys.account_id, "--data", customer.data)
        stewards = {pid for pid, name in service.children().items() if name.endswith("steward")}
        while set(service.children()) >= stewards:
            customer.access()
            time.sleep(0.05)
    with customer.serving():
        wait_until(lambda: customer.file("handover/000") is not None, IN_TIME_S)
        assert customer.sync_until(customer.access())["hand_overs"] == 1
        assert customer.file("handover/001") is None


def test_warnings_are_public_and_say_no_name(customer):
    with customer.serving():
        wait_until(lambda: customer.file("checkpoint") is not None, IN_TIME_S)
        answer = customer.raw.anonymous("GET", ".ledger", "warnings")
        assert (answer.status, answer.body, answer.has("x-siegel-entry")) == (200, b"", False)
        assert customer.raw.call("GET", ".ledger", "warnings").status == 200
        refused = customer.raw.anonymous("PUT", ".ledger", "warnings", body=b"x")
        assert (refused.status, refused.code) == (405, "MethodNotAllowed")
        assert customer.raw.anonymous("GET", ".ledger", "warnings/x").status == 403
        assert customer.raw.call("GET", ".ledger", "warnings/x").status == 400
        origin = customer.file("checkpoint").split("\n")[0]
        deployment = open_deployment(resolve(load_config(customer.data, {}), customer.data))
        warning = LedgerWarning(origin=origin, since_ms=1_800_000_000_000)
        try:
            asyncio.run(deployment.store.write(lambda tx: put_warning(tx, customer.keys.account_id, warning), None))
        finally:
            deployment.close()
        answer = customer.raw.anonymous("GET", ".ledger", "warnings")
        assert answer.body.decode() == f"{origin} 2027-01-15T08:00:00Z\n"
        assert customer.file("warning") == answer.body.decode()


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--account", "nobody"), 253, "there is no account nobody"),
        (("--account", "deployment"), 253, "has no log yet"),
    ],
)
def test_what_cannot_be_rotated(customer, words, code, why):
    ended = siegel("ledger", "rotate-keys", *words, "--data", customer.data)
    assert (ended.returncode, why in ended.stderr) == (code, True), ended.stderr
