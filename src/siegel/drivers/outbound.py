"""Requests to servers that others name: HTTP/1.1 over asyncio, to an address that was checked and to no other.

A name is looked up once for each connection, all that it leads to is checked, and the connection is made to the checked address
itself, so a name that means something else a moment later (rebinding) changes nothing. TLS still proves the name. Proxies of the
environment, cookies, redirects and compressed bodies do not exist here.

Sources: RFC 9110, 9112; OWASP, "Server-Side Request Forgery Prevention Cheat Sheet".
"""

import asyncio
import select
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from socket import SOCK_STREAM
from typing import Final, TypeAlias, cast

import h11

from siegel.domain.addresses import Address, Allowed, Endpoint, check_addresses, check_url, parse_endpoint
from siegel.domain.limits import OUTBOUND_HEAD_BYTES_MAX
from siegel.domain.outbound import (
    OutboundAnswer,
    OutboundCall,
    OutboundError,
    OutboundTimeoutError,
    OutboundTlsError,
    Trust,
)
from siegel.drivers.plain_http import HEAD_END, read_plain, write_plain

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address]]]
_Line: TypeAlias = tuple[bool, str, int, Trust]

IDLE_S_MAX: Final = 30.0
IDLE_PER_HOST_MAX: Final = 32
IDLE_MAX: Final = 128
_CONTEXTS_MAX: Final = 64
_SERVED_HERE: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
_REDIRECTS: Final = range(300, 400)


async def resolve_by_system(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of a host, as the system's resolver knows them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return [ip_address(address[0]) for address in dict.fromkeys(entry[4] for entry in found)]


class _EndedError(OutboundError):
    """A kept connection has ended before the first byte of an answer."""


class _Protocol(asyncio.StreamReaderProtocol):
    """What fills a reader, and counts what has arrived, whether it was read or not."""

    arrived_bytes = 0

    def data_received(self, data: bytes) -> None:
        """See the base."""
        self.arrived_bytes += len(data)
        super().data_received(data)


class _Connection:
    """One connection to a checked address."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: _Protocol) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = protocol
        self._read_bytes = 0
        # Only there for an exchange that is not plain.
        self._http: h11.Connection | None = None
        self._is_fresh = True
        self.idle_since_s = 0.0

    async def exchange(self, endpoint: Endpoint, call: OutboundCall) -> OutboundAnswer:
        """Send a call and return its answer. Raises _EndedError, OutboundError, OSError."""
        headers = _headers(endpoint, call)
        head = write_plain(call.method, endpoint.target, headers)
        is_sent = True
        try:
            # In one piece: each write is a packet of its own, which costs both sides more than all else here.
            self._writer.write(b"".join(self._start(endpoint, call)) if head is None else head + call.body)
            await self._writer.drain()
        except ConnectionError:
            # The answer may be there all the same: a server need not read what it refuses.
            is_sent = False
        data = b""
        if head is not None:
            if is_sent:
                answer, data = await self._plain_answer(call.answer_bytes_max)
                if answer is not None:
                    return answer
            self._start(endpoint, call)
        http = cast("h11.Connection", self._http)
        if not is_sent:
            http.send_failed()
        if data:
            http.receive_data(data)
        return await self._any_answer(http, endpoint, call)

    def _start(self, endpoint: Endpoint, call: OutboundCall) -> list[bytes]:
        """Begin an exchange that is not plain; return what is to be sent. Raises h11.LocalProtocolError for what is no HTTP."""
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=OUTBOUND_HEAD_BYTES_MAX)
        request = h11.Request(method=call.method, target=endpoint.target, headers=_headers(endpoint, call))
        return [self._http.send(event) or b"" for event in (request, h11.Data(data=call.body), h11.EndOfMessage())]

    async def _plain_answer(self, body_bytes_max: int) -> tuple[OutboundAnswer | None, bytes]:
        """Return the answer, or None where it is not plain; and what has been read."""
        data = await self._read()
        while HEAD_END not in data:
            more = await self._read() if len(data) <= OUTBOUND_HEAD_BYTES_MAX else b""
            if not more:
                return None, data
            data += more
        head = read_plain(data)
        if head is None or head.status in _REDIRECTS or head.stop - head.start > body_bytes_max:
            return None, data
        while len(data) < head.stop:
            more = await self._read()
            if not more:
                return None, data
            data += more
        if len(data) > head.stop:
            return None, data
        return OutboundAnswer(head.status, head.headers, data[head.start :]), data

    async def _any_answer(self, http: h11.Connection, endpoint: Endpoint, call: OutboundCall) -> OutboundAnswer:
        head = await self._next_event(http)
        while isinstance(head, h11.InformationalResponse):
            head = await self._next_event(http)
        if not isinstance(head, h11.Response):
            raise OutboundError(f"{endpoint.host} ended the connection instead of answering")
        if head.status_code in _REDIRECTS:
            raise OutboundError(f"{endpoint.host} answers with a redirect, which is not followed")
        body = await self._body(http, endpoint, call.answer_bytes_max)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        return OutboundAnswer(head.status_code, headers, body)

    async def _body(self, http: h11.Connection, endpoint: Endpoint, bytes_max: int) -> bytes:
        body = bytearray()
        while isinstance(event := await self._next_event(http), h11.Data):
            body += event.data
            if len(body) > bytes_max:
                raise OutboundError(f"{endpoint.host} answers with more than {bytes_max} bytes")
        if not isinstance(event, h11.EndOfMessage):
            raise OutboundError(f"{endpoint.host} ended the connection in the middle of its answer")
        return bytes(body)

    async def _next_event(self, http: h11.Connection) -> object:
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(await self._read())
        return event

    async def _read(self) -> bytes:
        """Return the next bytes, none at the end. Raises _EndedError where a kept connection ends before the first of them."""
        try:
            data = await self._reader.read(OUTBOUND_HEAD_BYTES_MAX)
        except ConnectionError:
            if self._is_fresh:
                raise
            data = b""
        if not data and not self._is_fresh:
            # It ended while nobody looked; that says nothing about the server.
            raise _EndedError("a kept connection has ended")
        self._is_fresh = True
        self._read_bytes += len(data)
        return data

    def is_reusable(self, now_s: float) -> bool:
        """Tell whether the connection is still there for another call: nothing has come since the last answer, nor its end."""
        is_open = not self._reader.at_eof() and not self._writer.is_closing() and now_s - self.idle_since_s < IDLE_S_MAX
        return is_open and self._protocol.arrived_bytes == self._read_bytes and self._is_silent()

    def _is_silent(self) -> bool:
        """Tell whether nothing waits in the socket that the event loop has not seen yet.

        What comes later still, while the next call is on its way, cannot be told from its answer.
        """
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def rest(self, now_s: float) -> bool:
        """Get ready for another call; return whether there can be one."""
        http, self._http = self._http, None
        if http is not None:
            if http.trailing_data[0]:
                # More than was asked for: it would pass for the answer to the next call.
                return False
            try:
                http.start_next_cycle()
            except h11.LocalProtocolError:
                return False
        self._is_fresh, self.idle_since_s = False, now_s
        return True

    def close(self) -> None:
        """End the connection at once."""
        self._writer.transport.abort()


def _headers(endpoint: Endpoint, call: OutboundCall) -> list[tuple[str, str]]:
    headers = [("host", endpoint.authority), ("user-agent", "siegel"), ("accept-encoding", "identity")]
    if call.body or call.method != "GET":
        headers.append(("content-length", str(len(call.body))))
    headers += [pair for pair in call.headers if pair[0].lower() not in _SERVED_HERE]
    return headers


class HttpOutbound:
    """The Outbound port over the network. One per event loop."""

    def __init__(self, allowed: Allowed, resolve: Resolve = resolve_by_system) -> None:
        """Connect to public addresses, and to what is `allowed`."""
        self._allowed = allowed
        self._resolve = resolve
        self._idle: dict[_Line, list[_Connection]] = {}

    def check(self, url: str) -> None:
        """See the port."""
        check_url(url, self._allowed)

    async def fetch(self, call: OutboundCall) -> OutboundAnswer:
        """See the port."""
        endpoint = parse_endpoint(call.url)
        try:
            async with asyncio.timeout(call.timeout_s):
                return await self._fetch(endpoint, call)
        except TimeoutError:
            raise OutboundTimeoutError(f"{endpoint.host} does not answer in {call.timeout_s} s") from None
        except (OSError, UnicodeError, h11.ProtocolError) as error:
            raise OutboundError(f"{endpoint.host} cannot be asked: {error}") from error

    async def _fetch(self, endpoint: Endpoint, call: OutboundCall) -> OutboundAnswer:
        line = (endpoint.is_tls, endpoint.host, endpoint.port, call.trust)
        kept = self._take(line)
        if kept is not None:
            with suppress(_EndedError):
                return await self._use(kept, line, endpoint, call)
        return await self._use(await self._connect(endpoint, call.trust), line, endpoint, call)

    async def _use(self, connection: _Connection, line: _Line, endpoint: Endpoint, call: OutboundCall) -> OutboundAnswer:
        is_kept = False
        try:
            answer = await connection.exchange(endpoint, call)
            is_kept = self._keep(line, connection)
            return answer
        finally:
            if not is_kept:
                connection.close()

    async def _connect(self, endpoint: Endpoint, trust: Trust) -> _Connection:
        addresses = await self._resolve(endpoint.host, endpoint.port)
        check_addresses(endpoint, addresses, self._allowed)
        context = _context(trust) if endpoint.is_tls else None
        name = endpoint.host if endpoint.is_tls else None
        problem: OSError | None = None
        for address in addresses:
            try:
                return await _open(str(address), endpoint.port, context, name)
            except OSError as error:
                problem = problem or error
        kind = OutboundTlsError if isinstance(problem, ssl.SSLError) else OutboundError
        raise kind(f"{endpoint.host} cannot be connected to: {problem}") from problem

    def _take(self, line: _Line) -> _Connection | None:
        idle = self._idle.get(line, [])
        now_s = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.is_reusable(now_s):
                return connection
            connection.close()
        self._idle.pop(line, None)
        return None

    def _keep(self, line: _Line, connection: _Connection) -> bool:
        now_s = asyncio.get_running_loop().time()
        if sum(map(len, self._idle.values())) >= IDLE_MAX:
            self._forget_old(now_s)
        idle = self._idle.setdefault(line, [])
        is_room = len(idle) < IDLE_PER_HOST_MAX and sum(map(len, self._idle.values())) < IDLE_MAX
        if not is_room or not connection.rest(now_s):
            return False
        idle.append(connection)
        return True

    def _forget_old(self, now_s: float) -> None:
        for line, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.is_reusable(now_s)]
            for connection in idle:
                if connection not in kept:
                    connection.close()
            if kept:
                self._idle[line] = kept
            else:
                del self._idle[line]

    def close(self) -> None:
        """End all kept connections."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()


async def _open(address: str, port: int, context: ssl.SSLContext | None, name: str | None) -> _Connection:
    """Connect to an address. Raises OSError."""
    # As asyncio.open_connection does it, but for the protocol.
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = _Protocol(reader, loop=loop)
    transport, _ = await loop.create_connection(lambda: protocol, address, port, ssl=context, server_hostname=name)
    return _Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop), protocol)


@lru_cache(maxsize=_CONTEXTS_MAX)
def _context(trust: Trust) -> ssl.SSLContext:
    """Return how to speak TLS (1.2 or newer) with somebody. Raises OutboundError for certificates that cannot be read."""
    try:
        context = ssl.create_default_context(cadata=trust.ca_pem or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        if trust.certificate_file:
            context.load_cert_chain(trust.certificate_file)
    except (OSError, ValueError) as error:
        raise OutboundTlsError(f"the certificates for this server cannot be used: {error}") from error
    return context
