"""What the admin port refuses is an entry too: of the account that the request names, else of the deployment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from siegel.domain.logs import DEPLOYMENT_LOG
from siegel.ledger.bundles import entries_of
from siegel.ledger.leaves import decode_leaf, decode_opening
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, Tile
from siegel.service.ledgers.files import read_entries, read_openings
from siegel.service.ledgers.secrets import open_secrets

from .consenting import Parties, parties
from .log import INTEGRATED_S, Line
from .service import Service
from .signer import Keys
from .test_admin import ask, send
from .test_consent_forgeries import inside

REQUESTS = "/-/support/requests"


@pytest.fixture(scope="module")
def theirs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(service, tmp_path_factory.mktemp("refusals")) as found:
        yield found


def lines_of_the_deployment(service: Service) -> list[Line]:
    """The deployment's own log, as its provider can read it."""
    with inside(service) as deployment:
        ledgers = deployment.store.reader.ledgers
        log = ledgers.find(DEPLOYMENT_LOG)
        assert log is not None
        secrets = open_secrets(deployment.custodian, log.origin, log.sealed_secrets)
        entries = read_entries(ledgers, log.log_id, 0, log.size)
        openings: list[bytes] = []
        for first in range(0, log.size, TILE_WIDTH):
            tile = Tile(ENTRIES, first // TILE_WIDTH, min(log.size - first, TILE_WIDTH))
            openings += entries_of(read_openings(ledgers, log, secrets, tile))
    return [Line(decode_leaf(entry), decode_opening(opening)) for entry, opening in zip(entries, openings, strict=True)]


def await_line(service: Service, request_id: str) -> Line:
    give_up = time.monotonic() + INTEGRATED_S
    while True:
        for line in lines_of_the_deployment(service):
            if line.leaf.request_id == request_id:
                return line
        assert time.monotonic() < give_up
        time.sleep(0.2)


def shown(line: Line) -> tuple[str, str, int, str, str]:
    assert line.opening is not None
    assert line.opening.source == "127.0.0.1"
    facts = line.leaf.facts
    return line.opening.principal, facts.kind, facts.status, facts.reason, facts.consent_id


FORGED: list[tuple[str, Any]] = [
    ("unsigned", lambda _: None),
    ("no such key", lambda _: Keys("SGOAAAAAAAAAAAAAAAAA", "x" * 40)),
    ("a customer's", lambda theirs: theirs.keys),
    ("another secret", lambda theirs: Keys(theirs.operator.access_key_id, "x" * 40)),
]


@pytest.mark.parametrize("keys_of", [keys for _, keys in FORGED], ids=[name for name, _ in FORGED])
def test_who_proves_nothing_and_names_an_account_is_seen_by_it(theirs: Parties, keys_of: Any) -> None:
    consent_id = theirs.request("k")
    keys = keys_of(theirs)
    asked = [
        ask(theirs.service, keys, "GET", f"{REQUESTS}/{consent_id}"),
        ask(theirs.service, keys, "DELETE", f"{REQUESTS}/{consent_id}"),
        ask(theirs.service, keys, "POST", REQUESTS, b'{"account": "%s", "more": 1}' % theirs.account_id.encode()),
        ask(theirs.service, keys, "GET", f"/-/accounts/{theirs.account_id}/objects"),
        ask(theirs.service, keys, "GET", f"/-/sizes?after={theirs.account_id}"),
    ]
    assert {status for status, _ in asked} == {403}
    ids = [str(fault["request_id"]) for _, fault in asked]
    found = theirs.auditor.await_entries(ids)
    for (_, fault), request_id, named in zip(asked, ids, [consent_id, consent_id, "", "", ""], strict=True):
        (line,) = found[request_id]
        assert shown(line) == ("anonymous", "admin.refused", 403, fault["code"], named)


def test_what_an_operator_has_signed_and_is_refused_is_an_entry_of_the_account(theirs: Parties) -> None:
    consent_id = theirs.request("k")
    body = b'{"account": "%s", "more": 1}' % theirs.account_id.encode()
    cases = {
        ("POST", REQUESTS, body): (400, "consent.request", "InvalidRequest", ""),
        ("GET", f"/-/accounts/{theirs.account_id}/objects", b""): (405, "admin.refused", "MethodNotAllowed", ""),
        ("DELETE", f"{REQUESTS}/{consent_id}", b""): (405, "admin.refused", "MethodNotAllowed", consent_id),
        ("GET", f"{REQUESTS}/{consent_id}/", b""): (405, "admin.refused", "MethodNotAllowed", consent_id),
        ("POST", f"{REQUESTS}/{consent_id}/credentials", b""): (403, "consent.credentials", "AccessDenied", consent_id),
        ("POST", f"{REQUESTS}/{consent_id}/close", b"{}"): (400, "consent.close", "InvalidRequest", consent_id),
    }
    operator = f"operator/{theirs.operator.access_key_id}"
    asked = {what: ask(theirs.service, theirs.operator, *what) for what in cases}
    found = theirs.auditor.await_entries([str(fault["request_id"]) for _, fault in asked.values()])
    for what, (status, kind, code, named) in cases.items():
        assert (asked[what][0], asked[what][1]["code"]) == (status, code), what
        (line,) = found[str(asked[what][1]["request_id"])]
        assert shown(line) == (operator, kind, status, code, named)


def test_what_is_refused_and_names_no_account_is_an_entry_of_the_deployment(service: Service) -> None:
    operator = f"operator/{service.operator.access_key_id}"
    for (method, path, body), kind, status, code in (
        (("GET", "/-/nothing", b""), "admin.refused", 405, "MethodNotAllowed"),
        (("GET", f"{REQUESTS}/0123456789abcdef", b""), "consent.show", 404, "NoSuchConsent"),
        (("POST", "/-/accounts", b'{"name": "stranger"}'), "admin.accounts.create", 400, "InvalidRequest"),
    ):
        answered, fault = ask(service, service.operator, method, path, body)
        assert (answered, fault["code"]) == (status, code)
        assert shown(await_line(service, str(fault["request_id"]))) == (operator, kind, status, code, "")


def test_where_an_operator_came_from_is_in_every_entry(service: Service) -> None:
    assert ask(service, service.operator)[0] == 200
    give_up = time.monotonic() + INTEGRATED_S
    while not (lists := [line for line in lines_of_the_deployment(service) if line.leaf.facts.kind == "admin.accounts.list"]):
        assert time.monotonic() < give_up
        time.sleep(0.2)
    assert {line.opening.source for line in lists if line.opening} == {"127.0.0.1"}


def test_an_answer_names_its_entry_where_there_is_one(theirs: Parties) -> None:
    service, operator = theirs.service, theirs.operator
    consent_id = theirs.request("k")
    nobody = Keys("SGOAAAAAAAAAAAAAAAAA", "x" * 40)
    for keys, path, status, has_entry in (
        (operator, "/-/accounts", 200, True),
        (operator, "/-/sizes", 200, True),
        (operator, f"{REQUESTS}/{consent_id}", 200, True),
        (operator, "/-/nothing", 405, True),
        (None, f"{REQUESTS}/{consent_id}", 403, True),
        (None, REQUESTS, 403, False),
        (nobody, REQUESTS, 403, False),
    ):
        answered, _, headers = send(service, keys, "GET", path)
        assert (answered, headers["x-siegel-entry"]) == (status, headers["x-amz-request-id"] if has_entry else None)
