"""A flood of requests that prove nobody leaves few entries, and nothing unsaid; a kill loses no more than is said."""

import re

import pytest

from siegel.service.unproven import COUNTED, COUNTING, EACH_MAX
from tests.process.customers import Customer
from tests.process.running import wait_until

FLOOD = 300


@pytest.fixture
def customer(tmp_path):
    made = Customer(tmp_path)
    with made.serving():
        made.pin()
        assert made.raw.call("PUT", "box").status == 200
    return made


def flood(customer):
    """Ask unsigned, and signed by a key that there is not; return how many answers named an entry."""
    answers = [customer.raw.anonymous("GET", "box", f"key-{number}") for number in range(FLOOD)]
    assert {answer.status for answer in answers} == {403}
    return [answer.header("x-siegel-entry") for answer in answers if answer.has("x-siegel-entry")]


def refusals(customer, kind):
    return [entry for entry in customer.entries() if entry["kind"] == kind]


def test_of_a_flood_each_is_an_entry_or_counted(customer):
    with customer.serving() as service:
        named = flood(customer)
        assert len(named) == EACH_MAX + 1
        # What is signed has an entry of its own, flood or not, denied or not.
        signed = [customer.raw.call("GET", "box", f"key-{number}").header("x-siegel-entry") for number in range(5)]
        assert all(signed)
        assert service.stop() == 0
    with customer.serving():
        customer.sync_until(customer.access())
        own = {entry["request_id"] for entry in customer.entries() if entry["kind"] == "object.read"}
        assert own == {*named, *signed}
        (counting,), (counted,) = refusals(customer, COUNTING), refusals(customer, COUNTED)
        assert counting["request_id"] == named[-1]
        told = re.fullmatch(r"AccessDenied (\d+)", counted["reason"])
        assert len(named) + int(told[1]) == FLOOD


def test_a_kill_loses_no_more_than_is_said(customer):
    with customer.serving() as service:
        named = flood(customer)
        # Every process at once, as the power fails.
        workers = list(service.children())
        service.process.kill()
        wait_until(lambda: not any(pid in service.children() for pid in workers))
    with customer.serving():
        customer.sync_until(customer.access())
        own = {entry["request_id"] for entry in customer.entries() if entry["kind"] == "object.read"}
        assert own == set(named)
        (counting,) = refusals(customer, COUNTING)
        # The log says that it was counting, and for how long at most; how many there were is lost with the process.
        assert (counting["reason"], refusals(customer, COUNTED)) == ("60 s", [])
