"""TLS, and clients that must show a certificate of their own."""

import asyncio
import json
import socket
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from cryptography.x509 import DNSName, UniformResourceIdentifier

from siegel.app.tlsfront import HANDSHAKE_S_MAX, TlsFront, client_context, names_of
from siegel.domain.limits import TLS_HANDSHAKES_MAX
from tests.gateway.certificates import make_certificates, make_clients
from tests.keybox.box import Box, Serving, keybox

HEALTH = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "r"}}


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """Two authorities, each with one certificate."""
    return [make_certificates(tmp_path_factory.mktemp(name)) for name in ("ours", "theirs")]


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    return Box(tmp_path_factory.mktemp("tls") / "box")


def trusting(authority, *shown):
    context = ssl.create_default_context(cafile=authority)
    if shown:
        context.load_cert_chain(*shown)
    return context


def test_tls(box, papers):
    authority, certificate, key = papers[0]
    with Serving(box, "--tls-cert", certificate, "--tls-key", key) as serving:
        assert serving.url.scheme == "https"
        xks = box.caller(serving.url)
        assert xks.but(tls=trusting(authority)).post("health", HEALTH).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            xks.but(tls=trusting(papers[1][0])).post("health", HEALTH)


def test_mutual_tls_lets_in_only_whom_the_authority_knows(box, papers):
    (authority, certificate, key), (_, their_certificate, their_key) = papers
    with Serving(box, "--tls-cert", certificate, "--tls-key", key, "--client-ca", authority) as serving:
        xks = box.caller(serving.url)
        assert xks.but(tls=trusting(authority, certificate, key)).post("health", HEALTH).status == 200
        for shown in ((), (their_certificate, their_key)):
            with pytest.raises(OSError):
                xks.but(tls=trusting(authority, *shown)).post("health", HEALTH)


def test_an_authority_that_is_none(box, papers, tmp_path):
    _, certificate, key = papers[0]
    (tmp_path / "none.pem").write_text("nothing")
    ended = keybox("serve", box.folder, "--tls-cert", certificate, "--tls-key", key, "--client-ca", tmp_path / "none.pem")
    assert ended.returncode == 253
    assert "authority" in ended.stderr


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """An authority that signs for others than the store as well."""
    return make_clients(
        tmp_path_factory.mktemp("clients"),
        store=("whatever", [DNSName("store.example.org"), DNSName("other.example.org")]),
        by_uri=("whatever", [UniformResourceIdentifier("SPIFFE://Example.org/Store")]),
        by_common_name=("store.example.org", []),
        by_other_path=("store.example.org", [UniformResourceIdentifier("spiffe://example.org/store")]),
        other=("store.example.org", [DNSName("printer.example.org")]),
        longer=("x", [DNSName("store.example.org.evil.example")]),
        wild=("x", [DNSName("*.example.org")]),
    )


@pytest.fixture(scope="module")
def pinned(box, papers, clients):
    """A box that looks at the names of its clients."""
    _, certificate, key = papers[0]
    names = ("--client-name", "STORE.example.org", "--client-name", "spiffe://example.org/Store")
    with Serving(box, "--tls-cert", certificate, "--tls-key", key, "--client-ca", clients[0], *names) as serving:
        yield serving


@pytest.mark.parametrize("client", ["store", "by_uri", "by_common_name"])
def test_who_has_one_of_the_names_is_let_in(box, papers, clients, pinned, client):
    xks = box.caller(pinned.url).but(tls=trusting(papers[0][0], *clients[1][client]))
    before = len(box.log())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: xks.post("health", HEALTH).status, range(24)))
    assert answers == [200] * 24
    # The log has where the call came from, not the way that it took inside.
    assert [line["source"] for line in box.log()[before:]] == ["127.0.0.1"] * 24


@pytest.mark.parametrize("client", ["other", "longer", "wild", "by_other_path"])
def test_who_has_another_name_of_the_same_authority_is_refused(box, papers, clients, pinned, client):
    before = len(box.log())
    answer = box.caller(pinned.url).but(tls=trusting(papers[0][0], *clients[1][client])).post("health", HEALTH)
    assert answer.status == 403
    assert json.loads(answer.body)["errorName"] == "AccessDeniedException"
    assert len(box.log()) == before


def test_who_has_no_certificate_or_one_of_another_authority_gets_no_answer(box, papers, pinned):
    for shown in ((), papers[1][1:]):
        with pytest.raises(OSError):
            box.caller(pinned.url).but(tls=trusting(papers[0][0], *shown)).post("health", HEALTH)


def test_nobody_comes_in_behind_the_door(box, papers, clients, pinned):
    """The server behind TLS listens on the loopback, for no other connection than those that came by the door."""
    inner = [port for port in listening_ports(pinned.process.pid) if port != pinned.url.port]
    assert len(inner) == 1
    with socket.create_connection(("127.0.0.1", inner[0]), timeout=10) as wire:
        wire.sendall(b"GET /-/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.recv(1000).startswith(b"HTTP/1.1 403 ")


def test_a_port_that_somebody_came_in_by_lets_in_nobody_from_another_address(box, papers, clients, pinned):
    """Any address of 127/8 may be bound on this machine, with a port that the door uses at the same time."""
    (inner,) = (port for port in listening_ports(pinned.process.pid) if port != pinned.url.port)
    context = trusting(papers[0][0], *clients[1]["store"])
    with (
        socket.create_connection((pinned.url.hostname, pinned.url.port), timeout=10) as wire,
        context.wrap_socket(wire, server_hostname="localhost") as door,
    ):
        door.sendall(b"GET /-/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not door.recv(1000).startswith(b"HTTP/1.1 403 ")
        (taken,) = connected_ports(inner)
        with socket.create_connection(("127.0.0.1", inner), timeout=10, source_address=("127.0.0.2", taken)) as stranger:
            stranger.sendall(b"GET /-/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stranger.recv(1000).startswith(b"HTTP/1.1 403 ")


def test_who_says_nothing_keeps_nobody_out(box, papers, clients, pinned):
    """So many connections begin no handshake that there is no room for more: the longest one is cut for each that comes."""
    xks = box.caller(pinned.url).but(tls=trusting(papers[0][0], *clients[1]["store"]))
    assert xks.post("health", HEALTH).status == 200
    with ExitStack() as stack:
        place = pinned.url.hostname, pinned.url.port
        silent = [
            stack.enter_context(socket.create_connection(place, timeout=HANDSHAKE_S_MAX)) for _ in range(TLS_HANDSHAKES_MAX + 20)
        ]
        assert xks.post("health", HEALTH).status == 200
        # Those that came first are gone, long before their time is over, and what came last still has its time.
        began = time.monotonic()
        assert silent[0].recv(1) == silent[19].recv(1) == b""
        assert time.monotonic() - began < HANDSHAKE_S_MAX / 2
        silent[-1].settimeout(0.2)
        with pytest.raises(TimeoutError):
            silent[-1].recv(1)


def test_who_is_gone_before_the_handshake_is_no_failure(papers, clients, caplog):
    """Its address cannot be asked for any more then."""
    _, certificate, key = papers[0]

    async def run():
        front = TlsFront(client_context(Path(certificate), Path(key), Path(clients[0])), ["x"])
        with socket.create_server(("127.0.0.1", 0)) as inner, socket.create_server(("127.0.0.1", 0)) as door:
            front._port = inner.getsockname()[1]
            visitor = socket.create_connection(door.getsockname())
            connection, address = door.accept()
            connection.setblocking(False)
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            visitor.close()
            await front._greet(connection, address)

    asyncio.run(run(), debug=False)
    assert not caplog.records


def test_it_ends_when_it_is_told_to(tmp_path, papers, clients):
    _, certificate, key = papers[0]
    with Serving(
        Box(tmp_path / "box"), "--tls-cert", certificate, "--tls-key", key, "--client-ca", clients[0], "--client-name", "x"
    ) as serving:
        context = trusting(papers[0][0], *clients[1]["store"])
        # Somebody is connected, and says nothing.
        with (
            socket.create_connection((serving.url.hostname, serving.url.port), timeout=10) as wire,
            context.wrap_socket(wire, server_hostname="localhost"),
        ):
            assert serving.stop() == 0


def test_a_name_needs_an_authority(box, papers):
    _, certificate, key = papers[0]
    ended = keybox("serve", box.folder, "--tls-cert", certificate, "--tls-key", key, "--client-name", "x")
    assert ended.returncode == 253
    assert "--client-ca" in ended.stderr


def test_a_common_name_counts_where_there_is_no_other_name_alone():
    subject = ((("organizationName", "Ours"),), (("commonName", "Store"),))
    assert names_of({"subject": subject}) == {"store"}
    assert names_of(
        {
            "subject": subject,
            "subjectAltName": (
                ("DNS", "A.example"),
                ("URI", "URN:b:C"),
                ("URI", "SPIFFE://A.Example/b/C?D"),
                ("IP Address", "1.2.3.4"),
            ),
        }
    ) == {
        "a.example",
        "urn:b:C",
        "spiffe://a.example/b/C?D",
    }
    assert names_of({"subject": subject, "subjectAltName": (("IP Address", "1.2.3.4"),)}) == {"store"}
    assert names_of({}) == frozenset()


def listening_ports(pid):
    """The ports of the loopback that a process listens on."""
    inodes = set()
    for name in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            inodes.add(str(name.readlink()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sorted({int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes})


def connected_ports(to):
    """The ports of the loopback with an open connection to another of them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    there = f"0100007F:{to:04X}"
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[2] == there and row[3] == "01"]
