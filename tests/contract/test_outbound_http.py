"""The HTTP driver keeps the port's promises; and who is on the other side is proven."""

import asyncio
import ssl

import pytest
from tests.contract.outbound_servers import plain, raw, serving
from tests.contract.outbound_suite import HERE, OutboundContract, call, resolver
from tests.gateway.certificates import make_certificates

from siegel.domain.addresses import parse_allowed
from siegel.domain.outbound import OutboundError, Trust
from siegel.drivers import outbound as driver
from siegel.drivers.outbound import HttpOutbound


class TestHttpOutbound(OutboundContract):
    def make_outbound(self, allowed, names=None):
        return HttpOutbound(allowed) if names is None else HttpOutbound(allowed, resolver(names))


@pytest.fixture
def certificates(tmp_path):
    return make_certificates(tmp_path)


def talk_tls(certificates, *, host="127.0.0.1", trust=None, demand=False):
    """Ask a TLS server that shows the certificate of the tests; `demand`: it wants to see one too."""
    ca, certificate, key = certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if demand:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ca)

    async def talk():
        outbound = HttpOutbound(
            HERE, resolver({"127.0.0.1": ["127.0.0.1"], "localhost": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
        )
        async with serving(plain(b"x"), tls=context) as served:
            try:
                url = f"https://{host}:{served.port}/"
                return (await outbound.fetch(call(url, trust=trust or Trust(ca_pem=ca.read_text())))).body
            finally:
                outbound.close()

    return asyncio.run(talk())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_pinned_authority_proves_the_name(certificates, host):
    assert talk_tls(certificates, host=host) == b"x"


def test_a_connection_of_tls_serves_again(certificates):
    ca, certificate, key = certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def talk():
        outbound = HttpOutbound(HERE)
        async with serving(plain(b"x"), tls=context) as served:
            for _ in range(3):
                await outbound.fetch(call(f"https://127.0.0.1:{served.port}/", trust=Trust(ca_pem=ca.read_text())))
            outbound.close()
            return len(served.requests), served.connections

    assert asyncio.run(talk()) == (3, 1)


def test_an_unknown_authority_proves_nothing(certificates):
    with pytest.raises(OutboundError, match="certificate"):
        talk_tls(certificates, trust=Trust())


def test_another_name_is_not_proven(certificates):
    with pytest.raises(OutboundError, match="certificate"):
        talk_tls(certificates, host="other.example")


def test_a_client_certificate_is_shown(certificates, tmp_path):
    ca, certificate, key = certificates
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    assert talk_tls(certificates, trust=Trust(ca_pem=ca.read_text(), certificate_file=str(both)), demand=True) == b"x"
    with pytest.raises(OutboundError):
        talk_tls(certificates, demand=True)


@pytest.mark.parametrize("trust", [Trust(ca_pem="no certificate"), Trust(certificate_file="/nowhere.pem")])
def test_certificates_that_cannot_be_read_are_an_error(certificates, trust):
    with pytest.raises(OutboundError, match="cannot be used"):
        talk_tls(certificates, trust=trust)


def test_the_systems_resolver_is_asked():
    async def talk():
        addresses = await driver.resolve_by_system("localhost", 80)
        with pytest.raises(OutboundError):
            await HttpOutbound(HERE).fetch(call("https://name.invalid/"))
        return {str(address) for address in addresses}

    assert asyncio.run(talk()) & {"127.0.0.1", "::1"}


def test_only_so_many_connections_are_kept(monkeypatch):
    monkeypatch.setattr(driver, "IDLE_PER_HOST_MAX", 2)
    monkeypatch.setattr(driver, "IDLE_MAX", 3)
    monkeypatch.setattr(driver, "IDLE_S_MAX", 0.0)

    async def talk():
        outbound = HttpOutbound(parse_allowed(["127.0.0.1/32"]))
        async with serving(plain(b"x")) as one, serving(plain(b"x")) as two:
            for served in (one, two, one):
                await asyncio.gather(*(outbound.fetch(call(f"http://127.0.0.1:{served.port}/")) for _ in range(6)))
                assert all(len(idle) <= 2 for idle in outbound._idle.values())
                assert sum(len(idle) for idle in outbound._idle.values()) <= 3
            outbound.close()
            return len(outbound._idle)

    assert asyncio.run(talk()) == 0


def test_interim_answers_are_passed_over():
    answer = raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    async def talk():
        outbound = HttpOutbound(HERE)
        async with serving(answer) as served:
            body = (await outbound.fetch(call(f"http://127.0.0.1:{served.port}/"))).body
            outbound.close()
            return body

    assert asyncio.run(talk()) == b"x"
