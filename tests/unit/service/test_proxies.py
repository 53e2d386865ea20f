"""Calls to proxies: how they are signed, how many there are at once, and when nobody is asked."""

import asyncio
import json
from hashlib import sha256

import pytest
from msgspec.structs import replace

from siegel.domain.key_stores import KeyServerError, Lapse, OuterLayer, Proxy
from siegel.domain.limits import XKS_ANSWER_BYTES_MAX, XKS_CALL_S_MAX, XKS_CALLS_AT_ONCE_MAX, XKS_CALLS_WAITING_MAX
from siegel.domain.outbound import AddressRefusedError, OutboundAnswer, OutboundError, OutboundTimeoutError, OutboundTlsError
from siegel.kmswire.xks import SERVICE
from siegel.s3wire.request import parse_request
from siegel.s3wire.sigv4 import parse_claim, signing_key, verify
from siegel.service.kms import proxies
from siegel.service.kms.proxies import MISSES_MAX, Proxies, Wrapping

NOW_MS = 1_700_000_000_000
PROXY = Proxy("https://box.example:8443/one/kms/xks/v1", "A" * 20, "s" * 43, "PEM")
TOLD = {"kmsRequestId": "r", "kmsOperation": "Decrypt"}
LAYER = OuterLayer(b"x", bytes(12), bytes(16), b"")
PLAIN = OutboundAnswer(200, (), b'{"plaintext": "eA=="}')


class Clock:
    def now_ms(self):
        return NOW_MS


class Wire:
    """An Outbound that answers what it is told, or raises it, and keeps count."""

    def __init__(self, told=PLAIN, takes_s=0.0):
        self.told = told
        self.takes_s = takes_s
        self.calls = []
        self.running = self.running_max = 0

    def check(self, url):
        """Let every URL pass."""

    async def fetch(self, call):
        self.calls.append(call)
        self.running += 1
        self.running_max = max(self.running, self.running_max)
        try:
            await asyncio.sleep(self.takes_s)
            if isinstance(self.told, Exception):
                raise self.told
            return self.told
        finally:
            self.running -= 1


def wrapping(proxy=PROXY):
    return Wrapping(proxy, "key", b"{}", TOLD)


async def lapse_of(question):
    with pytest.raises(KeyServerError) as caught:
        await question
    return caught.value.lapse


def test_a_call_is_signed_over_host_time_and_body():
    wire = Wire()
    asyncio.run(Proxies(wire, Clock(), "eu-central-1").decrypt(wrapping(), LAYER))
    (call,) = wire.calls
    assert (call.url, call.method) == ("https://box.example:8443/one/kms/xks/v1/keys/key/decrypt", "POST")
    assert (call.timeout_s, call.answer_bytes_max, call.trust.ca_pem) == (XKS_CALL_S_MAX, XKS_ANSWER_BYTES_MAX, "PEM")
    assert json.loads(call.body)["requestMetadata"] == TOLD
    headers = [(b"host", b"box.example:8443"), *((name.encode(), value.encode()) for name, value in call.headers)]
    request = parse_request("POST", "https", b"/one/kms/xks/v1/keys/key/decrypt", b"", headers, "192.0.2.1", ())
    claim = parse_claim(request, SERVICE)
    assert claim.signed_headers == ("host", "x-amz-date")
    key = signing_key(PROXY.secret, claim.date, "eu-central-1", SERVICE)
    verify(request, claim_over(claim, call.body), key, now_ms=NOW_MS, region="eu-central-1")


def claim_over(claim, body):
    return replace(claim, payload_hash=sha256(body).hexdigest())


def test_what_was_encrypted_is_opened_again_before_it_counts():
    told = {"ciphertext": "eA==", "initializationVector": "A" * 16, "authenticationTag": "A" * 22 + "=="}
    told = OutboundAnswer(200, (), json.dumps(told).encode())

    class Forgetful(Wire):
        async def fetch(self, call):
            self.calls.append(call)
            return told if call.url.endswith("/encrypt") else self.told

    honest, lying = Forgetful(), Forgetful(OutboundAnswer(200, (), b'{"plaintext": "eQ=="}'))
    asyncio.run(Proxies(honest, Clock(), "r").encrypt(wrapping(), b"x"))
    assert [call.url.rpartition("/")[2] for call in honest.calls] == ["encrypt", "decrypt"]
    assert asyncio.run(lapse_of(Proxies(lying, Clock(), "r").encrypt(wrapping(), b"x"))) is Lapse.NONSENSE
    unable = Forgetful(OutboundAnswer(400, (), b'{"errorName": "InvalidCiphertextException"}'))
    assert asyncio.run(lapse_of(Proxies(unable, Clock(), "r").encrypt(wrapping(), b"x"))) is Lapse.NONSENSE
    gone = Forgetful(OutboundAnswer(400, (), b'{"errorName": "InvalidStateException"}'))
    assert asyncio.run(lapse_of(Proxies(gone, Clock(), "r").encrypt(wrapping(), b"x"))) is Lapse.STATE


@pytest.mark.parametrize(
    ("error", "lapse"),
    [
        (OutboundError("nobody"), Lapse.UNREACHABLE),
        (AddressRefusedError("inside"), Lapse.UNREACHABLE),
        (OutboundTlsError("who"), Lapse.TLS),
        (OutboundTimeoutError("late"), Lapse.TIMEOUT),
    ],
)
def test_no_answer_is_told_apart(error, lapse):
    assert asyncio.run(lapse_of(Proxies(Wire(error), Clock(), "r").decrypt(wrapping(), LAYER))) is lapse


def test_an_url_that_is_none_is_never_asked():
    wire = Wire()
    proxy = Proxy("https://user@box/kms/xks/v1", "A" * 20, "s" * 43, "")
    assert asyncio.run(lapse_of(Proxies(wire, Clock(), "r").decrypt(wrapping(proxy), LAYER))) is Lapse.UNREACHABLE
    assert wire.calls == []


def test_only_so_many_calls_are_under_way_and_only_so_many_wait():
    async def story():
        wire = Wire(takes_s=0.05)
        asked = Proxies(wire, Clock(), "r")
        many = XKS_CALLS_AT_ONCE_MAX + XKS_CALLS_WAITING_MAX + 7
        ended = await asyncio.gather(*(asked.decrypt(wrapping(), LAYER) for _ in range(many)), return_exceptions=True)
        refused = [error for error in ended if isinstance(error, KeyServerError)]
        assert wire.running_max == XKS_CALLS_AT_ONCE_MAX
        assert {error.lapse for error in refused} == {Lapse.BUSY}
        # Seven find no place to wait in; others have waited long enough before it is their turn.
        assert 7 <= len(refused) < many - XKS_CALLS_AT_ONCE_MAX
        assert await asked.decrypt(wrapping(), LAYER) == b"x"

    asyncio.run(story())


def test_a_proxy_that_is_missed_again_and_again_gets_a_pause_and_then_one_try(monkeypatch):
    monkeypatch.setattr(proxies, "PAUSE_S", 0.05)
    monkeypatch.setattr(proxies, "MISSING_S_MIN", 0.0)

    async def story():
        wire = Wire(OutboundTimeoutError("late"))
        asked = Proxies(wire, Clock(), "r")
        lapses = [await lapse_of(asked.decrypt(wrapping(), LAYER)) for _ in range(MISSES_MAX + 4)]
        assert lapses == [Lapse.TIMEOUT] * (MISSES_MAX + 1) + [Lapse.BUSY] * 3
        # Other proxies are not concerned.
        other = Proxy("https://other/kms/xks/v1", "A" * 20, "s" * 43, "")
        assert await lapse_of(asked.decrypt(wrapping(other), LAYER)) is Lapse.TIMEOUT
        await asyncio.sleep(0.06)
        assert await lapse_of(asked.decrypt(wrapping(), LAYER)) is Lapse.TIMEOUT
        assert await lapse_of(asked.decrypt(wrapping(), LAYER)) is Lapse.BUSY
        await asyncio.sleep(0.06)
        wire.told = PLAIN
        for _ in range(3):
            assert await asked.decrypt(wrapping(), LAYER) == b"x"

    asyncio.run(story())


def test_calls_that_miss_a_proxy_together_give_it_no_pause():
    async def story():
        wire = Wire(OutboundTimeoutError("late"))
        asked = Proxies(wire, Clock(), "r")
        await asyncio.gather(*(lapse_of(asked.decrypt(wrapping(), LAYER)) for _ in range(XKS_CALLS_AT_ONCE_MAX)))
        wire.told = PLAIN
        assert await asked.decrypt(wrapping(), LAYER) == b"x"

    asyncio.run(story())


def test_a_proxy_that_refuses_is_there():
    async def story():
        refusal = OutboundAnswer(400, (), b'{"errorName": "InvalidStateException"}')
        wire = Wire(refusal)
        asked = Proxies(wire, Clock(), "r")
        assert [await lapse_of(asked.decrypt(wrapping(), LAYER)) for _ in range(20)] == [Lapse.STATE] * 20
        assert len(wire.calls) == 20

    asyncio.run(story())


def test_what_is_remembered_of_proxies_is_bounded(monkeypatch):
    monkeypatch.setattr(proxies, "LINES_MAX", 2)

    async def story():
        asked = Proxies(Wire(), Clock(), "r")
        for number in range(5):
            await asked.decrypt(wrapping(Proxy(f"https://box{number}/kms/xks/v1", "A" * 20, f"{number}" * 43, "")), LAYER)
        assert (len(asked._lines), len(asked._signing_keys)) == (2, 1)

    asyncio.run(story())
