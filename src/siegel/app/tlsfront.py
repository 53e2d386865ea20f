"""TLS in front of a server of this process that is to know who is there: the server library does not tell it.

Connections are accepted here, under a certificate of the clients' authority, and go on to the server by the loopback. The
server lets in no other connection than these, and knows each by its address and port: where it comes from, and the names in its
certificate.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from siegel.app.http import Application, Receive, Scope, Send
from siegel.app.settings import Address
from siegel.app.sockets import BACKLOG_CONNECTIONS, listen

HANDSHAKE_S_MAX: Final = 10.0
# What is on its way when the server has ended gets so long.
FAREWELL_S_MAX: Final = 5.0
_PIECE_BYTES: Final = 64 * 1024
_LOOPBACK: Final = "127.0.0.1"
INNER: Final = Address(_LOOPBACK, 0)
_REFUSED: Final = (
    b'{"errorName":"AccessDeniedException",'
    b'"errorMessage":"The certificate of this client has none of the names that this server lets in."}'
)
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(_REFUSED)),
    (b"connection", b"close"),
]


class _Peer(Struct, frozen=True):
    """Who is at the other end of a connection. `is_known`: its certificate has one of the names."""

    address: tuple[str, int]
    is_known: bool


class TlsFront:
    """Ends TLS, and tells the application behind it who is there."""

    def __init__(self, context: ssl.SSLContext, names: Sequence[str]) -> None:
        """Let in whom `context` knows and whose certificate has one of `names`."""
        self._context = context
        self._names = frozenset(map(str.lower, names))
        self._peers: dict[int, _Peer] = {}
        self._port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def begin(self, address: Address, inner_port: int) -> None:
        """Listen on `address`, for the server at a port of the loopback. Raises OSError."""
        self._port = inner_port
        self._server = await asyncio.start_server(
            self._serve,
            sock=listen(address),
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_S_MAX,
            backlog=BACKLOG_CONNECTIONS,
        )

    async def end(self) -> None:
        """Let what is on its way arrive, once the server has ended."""
        if self._server is not None:
            self._server.close()
        if self._open:
            await asyncio.wait(self._open, timeout=FAREWELL_S_MAX)

    def guarding(self, application: Application) -> Application:
        """Return the application for whom this lets in; it sees where they come from, others are refused."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            client = scope.get("client")
            # The library tells the port as text. All of 127/8 is the loopback, and each address there has ports of its own.
            peer = self._peers.get(int(client[1])) if client and client[0] == _LOOPBACK else None
            if peer is None or not peer.is_known:
                await send({"type": "http.response.start", "status": 403, "headers": _HEADERS})
                await send({"type": "http.response.body", "body": _REFUSED})
                return
            await application({**scope, "client": peer.address, "scheme": "https"}, receive, send)

        return guarded

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        inner = None
        port = 0
        try:
            back, inner = await asyncio.open_connection(_LOOPBACK, self._port)
            port = inner.get_extra_info("sockname")[1]
            names = names_of(writer.get_extra_info("peercert") or {})
            host, origin = writer.get_extra_info("peername")[:2]
            self._peers[port] = _Peer((host, origin), not self._names.isdisjoint(names))
            await _join((reader, inner), (back, writer))
        except OSError:
            # Whoever is there learns it by the end of the connection.
            return
        finally:
            self._peers.pop(port, None)
            for end in (inner, writer):
                if end is not None:
                    end.close()


def client_context(certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """Return what shows a certificate, and lets in clients with one of an authority. The files were checked before."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.set_alpn_protocols(["http/1.1"])
    return context


def names_of(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of a certificate's subject in lower case: its DNS names and URIs; its common name where it has none.

    Source: RFC 6125, section 6.4.4 (the common name counts where there is no other name alone).
    """
    alternatives: Iterable[tuple[str, str]] = certificate.get("subjectAltName", ())
    names = [name for kind, name in alternatives if kind in {"DNS", "URI"}]
    if not names:
        names = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    return frozenset(map(str.lower, names))


async def _join(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Carry bytes both ways until one end closes."""
    pumps = [asyncio.ensure_future(_pump(*way)) for way in ways]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
