"""A role taken on by a token, as the journal sees it: in the account that it is about, whatever comes of it."""

import asyncio
import json

import pytest
from tests.unit.service.test_webidentities import ACCOUNT, CLAIMS, ISSUER, NOW_S, SOURCE, signed
from tests.unit.service.test_webkeys import Clock, Provider

from siegel.access.caller import ANONYMOUS
from siegel.domain.errors import AccessDeniedError
from siegel.domain.identities import OidcProvider, Role
from siegel.domain.objects import Account
from siegel.domain.query_errors import IdpRejectedClaimError, ValidationError
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemRandomness
from siegel.iamwire.action import find_action, read_call
from siegel.iamwire.sts_actions import STS
from siegel.s3wire.request import parse_request
from siegel.service.identities.entities import EntityWriter
from siegel.service.session_tokens import SessionTokens
from siegel.service.sessions import Sessions
from siegel.service.trail import Trail
from siegel.service.webidentities import WebIdentities
from siegel.service.webkeys import WebKeys

PROVIDER_ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example/a"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/deploy"
TRUST = {
    "Effect": "Allow",
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Principal": {"Federated": PROVIDER_ARN},
    "Condition": {"StringEquals": {"idp.example/a:sub": "ann", "sts:RoleSessionName": "build"}},
}
ROLE = Role(name="deploy", unique_id="SGR" + "R" * 18, trust_text=json.dumps({"Version": "2012-10-17", "Statement": [TRUST]}))


def fill(tx):
    tx.identities.insert_account(Account(ACCOUNT, "own", 0, b""))
    for made in (OidcProvider(name="idp.example/a", url=ISSUER, client_ids=("app",)), ROLE):
        EntityWriter(tx, ACCOUNT).insert(made)


@pytest.fixture
def store():
    made = MemoryStore(Clock())
    asyncio.run(made.write(fill, None))
    return made


@pytest.fixture
def tokens():
    return SessionTokens(LocalCustodian(bytes(32)), SystemRandomness())


@pytest.fixture
def assume(store, tokens):
    clock = Clock()
    web_identities = WebIdentities(store, WebKeys(Provider(), clock), clock)
    sessions = Sessions(store, store, tokens, web_identities, clock=clock, region="eu-central-1")
    request = parse_request("POST", "http", b"/", b"", [(b"host", b"h")], "192.0.2.1", ())

    def answer(trail, **parameters):
        named = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": STS.version,
            "RoleArn": ROLE_ARN,
            "RoleSessionName": "build",
            "WebIdentityToken": signed(CLAIMS),
            **parameters,
        }
        spoken = read_call(find_action(STS, named), named)
        trail.kind = spoken.action.kind
        return asyncio.run(sessions.answer(spoken, request, trail))

    return answer


def new_trail():
    return Trail(NOW_S * 1000, "REQUEST", "192.0.2.1")


def test_what_was_given_to_whom_is_written_down_in_the_roles_account(store, tokens, assume):
    answer = assume(new_trail())
    credentials = answer["Credentials"]
    session = tokens.open(credentials["AccessKeyId"], credentials["SessionToken"])
    assert dict(session.keys) == {
        "aws:federatedprovider": (PROVIDER_ARN,),
        "idp.example/a:sub": ("ann",),
        "idp.example/a:aud": ("app",),
    }
    assert session.expires_at_ms - session.issued_at_ms == 3_600_000
    (entry,) = [entry for _, batch in store.entries(0, 10) for entry in batch]
    assert (entry.kind, entry.account_id, entry.object_key) == ("sts.assume_role_with_web_identity", ACCOUNT, f"{ROLE_ARN} build")
    assert (entry.principal, entry.status) == ("idp.example/a:ann", 200)
    assert signed(CLAIMS)[:20] not in repr(entry)


@pytest.mark.parametrize(
    ("parameters", "error", "principal"),
    [
        ({"WebIdentityToken": signed({**CLAIMS, "aud": "other"})}, IdpRejectedClaimError, ANONYMOUS.arn),
        ({"WebIdentityToken": signed({**CLAIMS, "sub": "bob"})}, AccessDeniedError, "idp.example/a:bob"),
        ({"WebIdentityToken": signed({**CLAIMS, SOURCE: "ann"})}, AccessDeniedError, "idp.example/a:ann"),
        ({"RoleSessionName": "other"}, AccessDeniedError, "idp.example/a:ann"),
        ({"RoleArn": ROLE_ARN + "x"}, AccessDeniedError, "idp.example/a:ann"),
        ({"DurationSeconds": "7200"}, ValidationError, "idp.example/a:ann"),
    ],
)
def test_t20_a_refusal_is_told_apart_in_the_journal_alone(store, assume, parameters, error, principal):
    trail = new_trail()
    with pytest.raises(error) as caught:
        assume(trail, **parameters)
    assert (trail.account_id, trail.caller.arn) == (ACCOUNT, principal)
    assert trail.object_key.startswith(ROLE_ARN)
    assert error is not AccessDeniedError or caught.value.text == "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    assert list(store.entries(0, 10)) == []


def test_an_account_that_does_not_exist_is_told_nothing(assume):
    trail = new_trail()
    with pytest.raises(IdpRejectedClaimError):
        assume(trail, RoleArn="arn:aws:iam::999999999999:role/deploy")
    assert trail.account_id == ""


def test_kinds_of_providers_that_do_not_exist_are_refused(assume):
    with pytest.raises(ValidationError, match="ProviderId"):
        assume(new_trail(), ProviderId="www.amazon.com")
