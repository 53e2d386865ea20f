"""TLS in front of a server of this process that is to know who is there: the server library does not tell it.

Connections are accepted here, under a certificate of the clients' authority, and go on to the server by the loopback. The
server lets in no other connection than these, and knows each by its address and port: where it comes from, and the names in its
certificate.
"""

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from siegel.app.http import Application, Receive, Scope, Send
from siegel.app.settings import Address
from siegel.app.sockets import listen
from siegel.domain.limits import TLS_HANDSHAKES_MAX

HANDSHAKE_S_MAX: Final = 10.0
# After a failure to accept, such as for too many open files.
_PAUSE_S: Final = 0.1
# What is on its way when the server has ended gets so long.
FAREWELL_S_MAX: Final = 5.0
_PIECE_BYTES: Final = 64 * 1024
# RFC 3986, section 3: scheme and authority, and what comes behind them.
_URI: Final = re.compile(r"([a-z][a-z0-9+.-]*:(?://[^/?#]*)?)(.*)", re.IGNORECASE | re.ASCII | re.DOTALL)
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

_log = logging.getLogger(__name__)


class _Peer(Struct, frozen=True):
    """Who is at the other end of a connection. `is_known`: its certificate has one of the names."""

    address: tuple[str, int]
    is_known: bool


class TlsFront:
    """Ends TLS, and tells the application behind it who is there."""

    def __init__(self, context: ssl.SSLContext, names: Sequence[str]) -> None:
        """Let in whom `context` knows and whose certificate has one of `names`."""
        self._context = context
        self._names = frozenset(map(_folded, names))
        self._peers: dict[int, _Peer] = {}
        self._port = 0
        self._accepting: asyncio.Task[None] | None = None
        # Handshakes under way, the longest one first.
        self._greeted: dict[asyncio.Task[None], None] = {}
        self._open: set[asyncio.Task[None]] = set()

    async def begin(self, address: Address, inner_port: int) -> None:
        """Listen on `address`, for the server at a port of the loopback. Raises OSError."""
        self._port = inner_port
        self._accepting = asyncio.create_task(self._accept(listen(address)))

    async def end(self) -> None:
        """Let what is on its way arrive, once the server has ended."""
        for task in (self._accepting, *self._greeted):
            if task is not None:
                task.cancel()
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

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    connection, address = await loop.sock_accept(listener)
                except OSError as error:
                    _log.warning("no connection is accepted at the moment: %s", error)
                    await asyncio.sleep(_PAUSE_S)
                    continue
                if len(self._greeted) >= TLS_HANDSHAKES_MAX:
                    # Whoever means it is through within milliseconds, and takes nobody's place for long.
                    longest = next(iter(self._greeted))
                    del self._greeted[longest]
                    longest.cancel()
                task = asyncio.create_task(self._greet(connection, address[:2]))
                self._greeted[task] = None
                self._open.add(task)
                task.add_done_callback(self._forget)
                # What waits to be accepted comes without a pause, and those who were before it want to begin.
                await asyncio.sleep(0)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._greeted.pop(task, None)
        self._open.discard(task)

    async def _greet(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Shake hands, and serve whoever can. `address` is told by the kernel with the connection: it may be gone by now."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S_MAX
            )
        except OSError:
            connection.close()
            return
        task = asyncio.current_task()
        if task is not None:
            self._greeted.pop(task, None)
        await self._serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop), address)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: tuple[str, int]) -> None:
        inner = None
        port = 0
        try:
            back, inner = await asyncio.open_connection(_LOOPBACK, self._port)
            port = inner.get_extra_info("sockname")[1]
            names = names_of(writer.get_extra_info("peercert") or {})
            self._peers[port] = _Peer(address, not self._names.isdisjoint(names))
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
    """Return the names of a certificate's subject: its DNS names and URIs; its common name where it has none.

    They are in lower case, of URIs all but scheme and authority as it stands. Sources: RFC 6125, section 6.4.4 (the common name
    counts where there is no other name alone); RFC 3986, section 6.2.2.1; SPIFFE-ID, section 2 (a path is case-sensitive).
    """
    alternatives: Iterable[tuple[str, str]] = certificate.get("subjectAltName", ())
    names = [name for kind, name in alternatives if kind in {"DNS", "URI"}]
    if not names:
        names = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    return frozenset(map(_folded, names))


def _folded(name: str) -> str:
    """Return a name so that those that mean the same are equal."""
    uri = _URI.fullmatch(name)
    return uri[1].lower() + uri[2] if uri else name.lower()


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
