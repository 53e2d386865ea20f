"""The keys of identity providers: how often they are asked for, and what is believed."""

import asyncio
import json

import pytest
from tests.unit.envelope.test_jws import P256, RSA, jwk, token

from siegel.domain.outbound import OutboundAnswer, OutboundError
from siegel.domain.webtokens import UnknownKeyError
from siegel.envelope.jws import read_token
from siegel.service import webkeys
from siegel.service.webkeys import AGAIN_MS, KEPT_MS, RETRY_MS, WebKeys

ISSUER = "https://idp.example/a"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
KEYS = "https://keys.example/all"
FIRST, SECOND = read_token(token(RSA, "RS256", kid="first")), read_token(token(P256, "ES256", kid="second"))


class Clock:
    def __init__(self):
        self.at_ms = 1_700_000_000_000

    def now_ms(self):
        return self.at_ms


class Provider:
    """An Outbound that reaches one provider."""

    def __init__(self):
        self.asked = []
        self.keys = [jwk(RSA, kid="first")]
        self.issuer = ISSUER
        self.status = 200
        self.is_down = False

    def check(self, url):
        """Every URL will do."""

    async def fetch(self, call):
        self.asked.append(call.url)
        await asyncio.sleep(0)
        if self.is_down:
            raise OutboundError("down")
        documents = {KEYS: {"keys": self.keys}, DISCOVERY: {"issuer": self.issuer, "jwks_uri": KEYS}}
        return OutboundAnswer(self.status, (), json.dumps(documents[call.url]).encode())


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def keys(provider, clock):
    return WebKeys(provider, clock)


def key_for(keys, read, issuer=ISSUER):
    return asyncio.run(keys.key_for(issuer, read))


def test_a_provider_is_asked_once_in_a_while(keys, provider, clock):
    for _ in range(3):
        assert key_for(keys, FIRST).proves(FIRST)
    assert provider.asked == [DISCOVERY, KEYS]
    clock.at_ms += KEPT_MS - 1
    key_for(keys, FIRST)
    assert len(provider.asked) == 2
    clock.at_ms += 1
    key_for(keys, FIRST)
    assert len(provider.asked) == 4


def test_a_key_that_went_is_not_believed_any_longer(keys, provider, clock):
    key_for(keys, FIRST)
    provider.keys = [jwk(P256, kid="second")]
    clock.at_ms += KEPT_MS
    with pytest.raises(UnknownKeyError):
        key_for(keys, FIRST)
    assert key_for(keys, SECOND).proves(SECOND)


def test_a_new_key_is_asked_for_once_in_a_minute(keys, provider, clock):
    with pytest.raises(UnknownKeyError):
        key_for(keys, SECOND)
    provider.keys.append(jwk(P256, kid="second"))
    clock.at_ms += AGAIN_MS - 1
    with pytest.raises(UnknownKeyError):
        key_for(keys, SECOND)
    assert len(provider.asked) == 2
    clock.at_ms += 1
    assert key_for(keys, SECOND).proves(SECOND)
    assert len(provider.asked) == 4
    nowhere = read_token(token(RSA, "RS256", kid="nowhere"))
    for _ in range(5):
        with pytest.raises(UnknownKeyError):
            key_for(keys, nowhere)
    assert len(provider.asked) == 4


def test_who_does_not_answer_is_left_alone_for_a_moment(keys, provider, clock):
    provider.is_down = True
    for _ in range(5):
        with pytest.raises(OutboundError):
            key_for(keys, FIRST)
    assert len(provider.asked) == 1
    provider.is_down = False
    clock.at_ms += RETRY_MS
    assert key_for(keys, FIRST).proves(FIRST)


def test_keys_that_cannot_be_fetched_anew_are_not_believed(keys, provider, clock):
    key_for(keys, FIRST)
    provider.is_down = True
    clock.at_ms += KEPT_MS
    with pytest.raises(OutboundError):
        key_for(keys, FIRST)


def test_many_at_once_ask_once_and_who_leaves_ends_it_for_nobody(keys, provider):
    async def crowd():
        leaving = asyncio.create_task(keys.key_for(ISSUER, FIRST))
        await asyncio.sleep(0)
        staying = [asyncio.create_task(keys.key_for(ISSUER, FIRST)) for _ in range(20)]
        await asyncio.sleep(0)
        leaving.cancel()
        return await asyncio.gather(*staying)

    assert len(asyncio.run(crowd())) == 20
    assert provider.asked == [DISCOVERY, KEYS]


@pytest.mark.parametrize(
    "change",
    [{"issuer": "https://evil.example"}, {"issuer": ISSUER + "/"}, {"issuer": None}, {"status": 201}, {"keys": "none"}],
)
def test_what_is_no_answer_of_this_provider_is_refused(keys, provider, change):
    for name, value in change.items():
        setattr(provider, name, value)
    with pytest.raises(OutboundError):
        key_for(keys, FIRST)


def test_only_so_many_issuers_are_remembered(keys, provider, monkeypatch):
    monkeypatch.setattr(webkeys, "ISSUERS_MAX", 2)
    key_for(keys, FIRST)
    for other in ("https://b.example", "https://c.example"):
        with pytest.raises(KeyError):
            key_for(keys, FIRST, other)
    assert list(keys._kept) == ["https://b.example", "https://c.example"]
