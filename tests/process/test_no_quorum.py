"""A day without a quorum: a public warning, on every worker, across restarts, until the witnesses have signed again."""

import asyncio
import socket
from contextlib import closing

import pytest
from msgspec.structs import replace

from siegel.app.config import load_config, resolve
from siegel.app.wiring import open_deployment
from siegel.domain.records import DEPLOYMENT_SCOPE, encode_document
from siegel.service.ledgers.policies import LedgerPolicy, find_policy
from siegel.service.ledgers.warnings import QUORUM_MISSED_MS
from tests.customer_server import CustomerServer
from tests.ledger.witnessing import READY, SIEGEL, WitnessPlace
from tests.process.customers import IN_TIME_S, POLICY, Customer
from tests.process.running import wait_until

ASKED = 24
MARGIN_MS = 3600 * 1000


@pytest.fixture
def customer(tmp_path):
    return Customer(tmp_path)


def free_port():
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def put_before(customer, ago_ms):
    """Let the account's policy be as old as that; no head has had its quorum since."""
    account_id = customer.keys.account_id
    deployment = open_deployment(resolve(load_config(customer.data, {}), customer.data))

    def change(tx):
        policy = find_policy(tx, account_id)
        older = encode_document(replace(policy, put_at_ms=policy.put_at_ms - ago_ms))
        tx.records.put(DEPLOYMENT_SCOPE, LedgerPolicy.kind, account_id, older)

    try:
        asyncio.run(deployment.store.write(change, None))
    finally:
        deployment.close()


def warnings(customer):
    """What is told by whichever workers answer so many connections."""
    return {customer.raw.anonymous("GET", ".ledger", "warnings").body.decode() for _ in range(ASKED)}


def kinds(customer):
    customer.sync()
    return [
        entry["kind"] for entry in customer.entries() if entry.get("kind") in {"ledger.unwitnessed", "ledger.witnessed_again"}
    ]


def test_the_warning_is_on_every_worker_outlives_a_restart_and_ends_with_the_quorum(customer, tmp_path):
    place, port = WitnessPlace(tmp_path / "witness"), free_port()
    with customer.serving(workers=2):
        customer.pin()
        (place.folder / "logs").write_text("".join(f"log {vkey}\n" for vkey in customer.file("vkeys").split()))
        policy = POLICY.format(vkey=place.vkeys[0], url=f"http://127.0.0.1:{port}")
        assert customer.raw.call("PUT", ".ledger", f"{customer.keys.account_id}/policy", body=policy.encode()).status == 204
        put_before(customer, QUORUM_MISSED_MS - MARGIN_MS)
        # Not a whole day yet.
        customer.sync_until(customer.access())
        assert warnings(customer) == {""}
        put_before(customer, MARGIN_MS)
        wait_until(lambda: warnings(customer) != {""}, IN_TIME_S)
        (warned,) = warnings(customer)
        assert warned == customer.file("warning")
        assert warned.startswith(f"{customer.file('checkpoint').split(chr(10))[0]} ")
    with customer.serving(workers=2):
        assert warnings(customer) == {warned}
        assert customer.sync()["warning"] == warned.split()[1]
        words = (SIEGEL, "witness", "serve", place.folder, "--listen", f"127.0.0.1:{port}")
        with CustomerServer(words, READY, tmp_path / "witness.err"):
            customer.access()
            wait_until(lambda: warnings(customer) == {""}, IN_TIME_S)
        assert customer.file("warning") == ""
        wait_until(lambda: len(kinds(customer)) > 1, IN_TIME_S)
        assert kinds(customer) == ["ledger.unwitnessed", "ledger.witnessed_again"]
