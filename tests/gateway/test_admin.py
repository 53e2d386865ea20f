"""The admin port: operators and nobody else, and nothing of any customer's."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from siegel.web.admin import ADMIN_ROUTES

from .service import Service
from .shelf import Shelf, fails, new_name, sdk
from .signer import REGION, Keys

Answer = tuple[int, dict[str, object]]


def ask(service: Service, keys: Keys | None, *what: Any, **how: Any) -> Answer:
    """Send a request as `send` does; return status and body of the answer."""
    status, body, _ = send(service, keys, *what, **how)
    return status, body


def send(
    service: Service,
    keys: Keys | None,
    method: str = "GET",
    path: str = "/-/accounts",
    body: bytes = b"",
    *,
    sent: bytes | None = None,
    region: str = REGION,
    name: str = "siegel",
) -> tuple[int, dict[str, object], Message]:
    """Send a request signed by `keys`; `sent` replaces the signed body on the way."""
    request = AWSRequest(method, service.admin_url + path, data=body)
    if keys is not None:
        SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key), name, region).add_auth(request)
    data = body if sent is None else sent
    try:
        with urlopen(Request(service.admin_url + path, data or None, dict(request.headers.items()), method=method)) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), error.headers


def test_an_operator_lists_accounts_and_makes_one_that_works_at_once(service: Service) -> None:
    name = new_name()
    status, made = ask(service, service.operator, "POST", body=json.dumps({"name": name}).encode())
    assert status == 201
    assert made["name"] == name
    s3 = sdk(service, Keys(str(made["access_key_id"]), str(made["secret_access_key"])))
    assert s3.list_buckets()["Buckets"] == []
    status, listed = ask(service, service.operator)
    assert status == 200
    accounts = listed["accounts"]
    assert isinstance(accounts, list)
    assert {"account_id", "name", "created_at"} == set(accounts[0])
    assert [account["name"] for account in accounts if account["account_id"] == made["account_id"]] == [name]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_t92_customers_and_strangers_open_nothing_on_the_admin_port(service: Service, method: str) -> None:
    body = b'{"name": "evil"}' if method == "POST" else b""
    for keys, code in (
        (None, "AccessDenied"),
        (service.owner, "InvalidAccessKeyId"),
        (service.stranger, "InvalidAccessKeyId"),
        (Keys("SGOAAAAAAAAAAAAAAAAA", "x" * 40), "InvalidAccessKeyId"),
        (Keys(service.operator.access_key_id, "x" * 40), "SignatureDoesNotMatch"),
    ):
        status, fault = ask(service, keys, method, body=body)
        assert (status, fault["code"]) == (403, code)
    names = ask(service, service.operator)[1]["accounts"]
    assert isinstance(names, list)
    assert "evil" not in [account["name"] for account in names]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"sent": b'{"name": "other"}'}, 403),
        ({"name": "s3"}, 400),
        ({"region": "us-west-2"}, 400),
        ({"body": b""}, 400),
        ({"body": b"[]"}, 400),
        ({"body": b'{"name": "x", "more": 1}'}, 400),
        ({"body": b'{"name": "../x"}'}, 400),
        ({"body": b'{"x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"}, 400),
        ({"body": b'{"name": "' + b"x" * 70_000 + b'"}'}, 400),
    ],
)
def test_what_was_not_signed_like_this_or_makes_no_sense_is_refused(service: Service, changes: dict, status: int) -> None:
    before = ask(service, service.operator)
    assert ask(service, service.operator, "POST", **{"body": b'{"name": "new"}', **changes})[0] == status
    assert ask(service, service.operator) == before


def test_a_name_that_is_taken_is_refused(service: Service) -> None:
    status, fault = ask(service, service.operator, "POST", body=b'{"name": "stranger"}')
    assert status == 400
    assert "exists already" in str(fault["message"])


def test_an_operators_key_opens_nothing_on_the_s3_port(bucket: Shelf, service: Service) -> None:
    bucket.put("k", b"x")
    operator = sdk(service, service.operator)
    for attempt in (
        operator.list_buckets,
        lambda: operator.get_object(Bucket=bucket.name, Key="k"),
        lambda: operator.put_object(Bucket=bucket.name, Key="k", Body=b"evil"),
    ):
        with fails(403, "InvalidAccessKeyId"):
            attempt()
    assert bucket.get("k") == b"x"


@pytest.mark.parametrize("row", ADMIN_ROUTES, ids=lambda row: row.operation)
def test_t86_cve_2026_5807_nothing_of_the_operators_is_on_the_port_of_data(service: Service, bucket: Shelf, row: Any) -> None:
    """Vault CVE-2026-5807, CVE-2020-16250: what operators do is not reachable where customers are, whoever signs for it."""
    raw = service.raw()
    body = b'{"name": "evil"}' if row.method == "POST" else b""
    path = row.path.lstrip("/")
    before = bucket.state()
    for keys in (service.owner, service.operator, service.stranger):
        client = raw.as_caller(keys)
        for target in (path, f"{bucket.name}/../{path}", path.replace("/", "%2F", 1)):
            answer = client.send(
                client.sign(client.ask(row.method, target.split("/", 1)[0], target.partition("/")[2] or None, body=body))
            )
            assert answer.status in {400, 403, 404, 405}, (target, answer.status, answer.body[:200])
            assert b"evil" not in answer.body.replace(path.encode(), b"")
    assert bucket.state() == before
