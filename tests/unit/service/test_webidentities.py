"""Who a token says it is about, and that in doubt it is about nobody. What others have tried is in the gateway's tests (T20)."""

import asyncio
import json

import pytest
from tests.unit.envelope.test_jws import RSA, b64, signature
from tests.unit.service.test_webkeys import ISSUER, Clock, Provider

from siegel.domain.identities import OidcProvider
from siegel.domain.query_errors import (
    ExpiredTokenExceptionError,
    IdpCommunicationError,
    IdpRejectedClaimError,
    InvalidIdentityTokenError,
)
from siegel.drivers.meta.memory import MemoryStore
from siegel.service.identities.entities import EntityWriter
from siegel.service.webidentities import WebIdentities
from siegel.service.webkeys import WebKeys

ACCOUNT = "111122223333"
NOW_S = 1_700_000_000
CLAIMS = {"iss": ISSUER, "sub": "ann", "aud": ["other", "app", "web"], "exp": NOW_S + 60}
TAGS = "https://aws.amazon.com/tags"
SOURCE = "https://aws.amazon.com/source_identity"


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def identities(provider):
    store, clock = MemoryStore(Clock()), Clock()
    made = OidcProvider(name="idp.example/a", url=ISSUER, client_ids=("app", "web"))
    asyncio.run(store.write(lambda tx: EntityWriter(tx, ACCOUNT).insert(made), None))
    return WebIdentities(store, WebKeys(provider, clock), clock)


def signed(claims):
    text = f"{b64(json.dumps({'alg': 'RS256', 'kid': 'first'}).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{text}.{b64(signature(RSA, 'RS256', text.encode()))}"


def prove(identities, account=ACCOUNT, **more):
    return asyncio.run(identities.prove(account, signed({**CLAIMS, **more})))


def test_a_token_tells_who_it_is_about(identities):
    found = prove(
        identities,
        amr=["mfa", "pwd"],
        iat=NOW_S + 299,
        nbf=NOW_S + 299.5,
        **{TAGS: {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}, SOURCE: "ann@example"},
    )
    assert found.provider_arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example/a"
    assert (found.issuer, found.subject, found.audience, found.name) == (ISSUER, "ann", "app", "idp.example/a:ann")
    assert found.keys == {
        "aws:federatedprovider": (found.provider_arn,),
        "idp.example/a:sub": ("ann",),
        "idp.example/a:aud": ("app", "web"),
        "idp.example/a:amr": ("mfa", "pwd"),
    }
    assert (found.tags, found.transitive_keys, found.source_identity) == ((("team", "red"),), ("team",), "ann@example")


def test_the_least_that_a_token_says(identities):
    found = prove(identities, aud="web")
    assert (found.audience, found.tags, found.transitive_keys, found.source_identity) == ("web", (), (), "")
    assert "idp.example/a:amr" not in found.keys


def test_another_account_does_not_believe_it(identities, provider):
    with pytest.raises(IdpRejectedClaimError):
        prove(identities, account="444455556666")
    assert provider.asked == []


@pytest.mark.parametrize(
    "more",
    [
        {"iss": "http://idp.example/a"},
        {"iss": "https://idp.example/A"},
        {"iss": "idp.example/a"},
        {"iss": [ISSUER]},
        {"sub": ""},
        {"sub": 5},
        {"sub": "a\nb"},
        {"sub": "a" * 256},
        {"aud": []},
        {"aud": "App"},
        {"aud": ["other"]},
        {"aud": {"app": 1}},
        {"aud": ["app"] * 21},
        {"exp": None},
        {"exp": "1900000000"},
        {"exp": True},
        {"nbf": NOW_S + 301},
        {"iat": NOW_S + 301},
        {"nbf": "now"},
        {"amr": "pwd"},
        {TAGS: {"principal_tags": {"team": "red"}}},
        {TAGS: {"principal_tags": {"team": ["red", "blue"]}}},
        {TAGS: {"principal_tags": {"team": ["red"], "Team": ["blue"]}}},
        {TAGS: {"principal_tags": {"aws:team": ["red"]}}},
        {TAGS: {"principal_tags": {str(number): ["x"] for number in range(51)}}},
        {TAGS: {"transitive_tag_keys": ["team"]}},
        {SOURCE: "a b"},
        {SOURCE: "a" * 65},
    ],
)
def test_claims_that_are_not_accepted(identities, more):
    with pytest.raises(IdpRejectedClaimError):
        prove(identities, **more)


def test_claims_that_are_nested_too_deep_are_not_accepted(identities):
    """A token proves nothing before its provider is known: its nesting ends in a refusal too, and not in a failure."""
    claims = json.dumps(CLAIMS)[:-1] + ', "x": ' + "[" * 5000 + "]" * 5000 + "}"
    head = b64(json.dumps({"alg": "RS256", "kid": "first"}).encode())
    with pytest.raises(IdpRejectedClaimError):
        asyncio.run(identities.prove(ACCOUNT, f"{head}.{b64(claims.encode())}.AAAA"))


@pytest.mark.parametrize("exp", [NOW_S, NOW_S - 0.5, 0, -1])
def test_a_token_ends_when_it_says(identities, exp):
    with pytest.raises(ExpiredTokenExceptionError):
        prove(identities, exp=exp)


def test_a_token_that_ended_says_so_only_if_it_was_good(identities):
    with pytest.raises(IdpRejectedClaimError):
        prove(identities, exp=0, aud="other")
    forged = signed({**CLAIMS, "exp": 0})[:-8] + "AAAAAAAA"
    with pytest.raises(IdpRejectedClaimError):
        asyncio.run(identities.prove(ACCOUNT, forged))


def test_what_is_no_token_and_who_cannot_be_asked(identities, provider):
    with pytest.raises(InvalidIdentityTokenError):
        asyncio.run(identities.prove(ACCOUNT, "no token"))
    provider.is_down = True
    with pytest.raises(IdpCommunicationError):
        prove(identities)
