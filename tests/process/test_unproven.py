"""A flood of requests that prove nobody leaves few entries, and nothing unsaid; a kill loses no more than is said."""

import itertools
import re
from base64 import b64encode
from hashlib import md5
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from siegel.app.config import load_config, resolve
from siegel.app.wiring import open_deployment
from siegel.domain.logs import DEPLOYMENT_LOG
from siegel.ledger.leaves import decode_leaf
from siegel.service.ledgers.files import read_entries
from siegel.service.unproven import COUNTED, COUNTING, EACH_MAX, PREFLIGHTS_COUNTED, PREFLIGHTS_COUNTING
from tests.gateway.signer import REGION, Keys
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


RULES = (
    b'<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule>'
    b"<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
)


def test_a_flood_of_preflights_that_are_allowed_is_counted_too(customer):
    asked = [("Origin", "https://www.example.org"), ("Access-Control-Request-Method", "GET")]
    with customer.serving() as service:
        checked = [("Content-MD5", b64encode(md5(RULES).digest()).decode())]
        assert customer.raw.call("PUT", "box", query="cors=", body=RULES, headers=checked).status == 200
        questions = [customer.raw.ask("OPTIONS", "box", f"key-{number}", headers=asked) for number in range(FLOOD)]
        answers = [customer.raw.send(question) for question in questions]
        assert {answer.status for answer in answers} == {200}
        named = [answer.header("x-siegel-entry") for answer in answers if answer.has("x-siegel-entry")]
        assert len(named) == EACH_MAX + 1
        assert service.stop() == 0
    with customer.serving():
        customer.sync_until(customer.access())
        own = {entry["request_id"] for entry in customer.entries() if entry["kind"] == "bucket.preflight"}
        assert own == set(named)
        (counting,), (counted,) = refusals(customer, PREFLIGHTS_COUNTING), refusals(customer, PREFLIGHTS_COUNTED)
        assert counting["request_id"] == named[-1]
        assert counted["reason"] == f"allowed {FLOOD - len(named)}"


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


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TARGET = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.ListKeys"}
USERS = urlencode({"Action": "ListUsers", "Version": "2010-05-08"}).encode()
WHOAMI = urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"}).encode()
# What is sent to each door, what it is called in the log, and what the log calls the refusal of a wrong signature.
DOORS = {
    "s3": ("GET", b"", {}, "service.list", "SignatureDoesNotMatch"),
    "iam": ("POST", USERS, FORM, "iam.refused", "SignatureDoesNotMatch"),
    "sts": ("POST", WHOAMI, FORM, "sts.refused", "SignatureDoesNotMatch"),
    "kms": ("POST", b"{}", TARGET, "kms.refused", "InvalidSignatureException"),
}


def knock(customer, door, keys):
    """Ask at a door as whoever has these keys; return the entry that the answer names, if it does."""
    method, body, headers, *_ = DOORS[door]
    request = AWSRequest(method, customer.url + "/", data=body, headers=headers)
    auth = S3SigV4Auth if door == "s3" else SigV4Auth
    auth(Credentials(keys.access_key_id, keys.secret_access_key), door, REGION).add_auth(request)
    return entry_of(Request(customer.url + "/", body or None, dict(request.headers.items()), method=method))


def bring_a_token(customer):
    """Ask for a role with a token of a web identity that proves nothing; return the entry that the answer names, if it does."""
    asked = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": f"arn:aws:iam::{customer.keys.account_id}:role/none",
        "RoleSessionName": "me",
        "WebIdentityToken": "e30.e30.AAAA",
    }
    return entry_of(Request(customer.url + "/", urlencode(asked).encode(), FORM))


def entry_of(request):
    with pytest.raises(HTTPError) as caught:
        urlopen(request)
    with caught.value as error:
        assert 400 <= error.code < 500
        return error.headers["x-siegel-entry"]


def entries_of_the_deployment(customer):
    """What the deployment's own log says, which no customer reads."""
    deployment = open_deployment(resolve(load_config(customer.data, {}), customer.data))
    try:
        log = deployment.store.reader.ledgers.find(DEPLOYMENT_LOG)
        leaves = [decode_leaf(entry) for entry in read_entries(deployment.store.reader.ledgers, log.log_id, 0, log.size)]
    finally:
        deployment.close()
    return [leaf for leaf in leaves if leaf.facts.kind in {"admin.refused", COUNTING, COUNTED}]


def test_guesses_at_an_operators_key_are_in_the_deployments_log_and_counted_there(customer):
    def knock(service, key_id):
        request = AWSRequest("GET", service.admin.geturl() + "/-/accounts")
        SigV4Auth(Credentials(key_id, "x" * 40), "siegel", REGION).add_auth(request)
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(request.url, headers=dict(request.headers.items())))
        with caught.value as error:
            assert error.code == 403

    with customer.serving() as service:
        for _ in range(EACH_MAX + 9):
            knock(service, customer.operator)
        # A key that there is not is nobody's.
        knock(service, "SGO" + "A" * 17)
        assert service.stop() == 0
    with customer.serving():
        wait_until(lambda: len(entries_of_the_deployment(customer)) == EACH_MAX + 3)
    kinds = [leaf.facts.kind for leaf in entries_of_the_deployment(customer)]
    assert kinds == ["admin.refused"] * (EACH_MAX + 1) + [COUNTING, COUNTED]


def test_a_flood_in_an_accounts_name_is_seen_and_counted_at_every_door(customer):
    """Whoever uses a key's id without the key, or a token that nobody has signed: the account knows, and its log stays small."""
    thief = Keys(customer.keys.access_key_id, "x" * 40, "")
    with customer.serving() as service:
        answers = [
            entry
            for _ in range(FLOOD // 5)
            for entry in (*(knock(customer, door, thief) for door in DOORS), bring_a_token(customer))
        ]
        named = [entry for entry in answers if entry]
        assert len(named) == EACH_MAX + 1
        # A key that there is not is nobody's.
        assert not knock(customer, "iam", Keys("SGKAAAAAAAAAAAAAAAAA", "x" * 40, ""))
        assert service.stop() == 0
    with customer.serving():
        customer.sync_until(customer.access())
        found = {entry["request_id"]: entry for entry in customer.entries() if entry["kind"] != COUNTING}
        for entry, (*_, kind, reason) in zip(
            named, itertools.cycle([*DOORS.values(), ("sts.assume_role_with_web_identity", "InvalidIdentityToken")])
        ):
            assert (found[entry]["principal"], found[entry]["kind"], found[entry]["reason"]) == ("anonymous", kind, reason)
        (counting,), (counted,) = refusals(customer, COUNTING), refusals(customer, COUNTED)
        assert counting["request_id"] == named[-1]
        assert sum(map(int, re.findall(r"[0-9]+", counted["reason"]))) == FLOOD - len(named)
