"""One ASGI exchange: the answer's way out, and the identity it goes by."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from itertools import count
from typing import Any, Final

from siegel.domain.faultpoints import reach
from siegel.domain.limits import DRAIN_BYTES_MAX, DRAIN_S_MAX
from siegel.service.trail import Trail

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]

XML: Final = (b"content-type", b"application/xml")
_SERVER: Final = (b"server", b"Siegel")


def encode_headers(headers: Mapping[str, str]) -> HeaderList:
    """Return response headers as ASGI wants them."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


class RequestIds:
    """Makes request ids: 16 hexadecimal digits, unique within a process run and unlikely to meet those of another."""

    def __init__(self) -> None:
        self._numbers = count(int.from_bytes(os.urandom(8), "big") >> 1)
        # The second id names the process that answered, as Amazon's names the host.
        self.host_id: Final = os.urandom(18).hex()
        self.last_headers: Final[HeaderList] = [(b"x-amz-id-2", self.host_id.encode()), _SERVER]

    def next(self) -> str:
        """Return a fresh id."""
        return f"{next(self._numbers):016X}"


class Exchange:
    """Receives a body and sends one answer. `started` tells whether the answer's status is on its way."""

    __slots__ = (
        "_expects_continue",
        "_ids",
        "_is_head",
        "_receive",
        "_send",
        "body_left",
        "extra",
        "request_id",
        "started",
        "trail",
    )

    def __init__(self, scope: Message, receive: Receive, send: Send, ids: RequestIds) -> None:
        self._receive = receive
        self._send = send
        self._ids = ids
        self._is_head = scope["method"] == "HEAD"
        self.request_id = ids.next()
        self.started = False
        # What is written down of the request: the answer names its entry, if there is one.
        self.trail: Trail | None = None
        # Headers that whatever is answered will have.
        self.extra: HeaderList = []
        # Bytes of the body that nobody has asked for yet; None where their number is unknown.
        self.body_left: int | None = 0
        self._expects_continue = False

    @property
    def host_id(self) -> str:
        """The id of the answering process."""
        return self._ids.host_id

    def expect_body(self, content_length: int | None, *, expects_continue: bool) -> None:
        """Note that a body comes, of `content_length` bytes if known; with `expects_continue` it waits to be asked for."""
        self.body_left = content_length
        self._expects_continue = expects_continue

    async def receive(self) -> Message:
        """Return the next ASGI message; asking for it sends the `100 Continue` that the client may wait for."""
        self._expects_continue = False
        message = await self._receive()
        if not message.get("more_body"):
            self.body_left = 0
        elif self.body_left is not None:
            self.body_left = max(self.body_left - len(message["body"]), 0)
        return message

    async def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b"") -> None:
        """Send a whole answer. The body of an answer to HEAD is left out, its length is not."""
        sent = [*headers]
        if status not in {204, 304}:
            sent.append((b"content-length", b"%d" % len(body)))
        await self.small(status, sent, b"" if self._is_head else body)

    async def small(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send an answer whose headers are complete, with its body in one piece; that of an answer to HEAD is empty."""
        reach("answer.before")
        await self._start(status, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def stream(
        self, status: int, headers: HeaderList, first: bytes | bytearray, rest: AsyncIterator[bytes | bytearray]
    ) -> None:
        """Send a body piece by piece, as fast as the client takes it. `headers` give its length.

        The server has copied a piece when `send` returns, so the next one may come in the same buffer.
        """
        reach("answer.before")
        await self._start(status, headers)
        await self._send({"type": "http.response.body", "body": first, "more_body": True})
        async for piece in rest:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            # Let the server's thread write the copy from the processor's cache: left alone, it comes to it megabytes later.
            os.sched_yield()
            # `send` does not pause while the server keeps up: other requests must have their turn too.
            await asyncio.sleep(0)
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, status: int, headers: HeaderList) -> None:
        self.started = True
        headers += self.extra
        request_id = self.request_id.encode()
        headers.append((b"x-amz-request-id", request_id))
        if self.trail is not None and self.trail.has_entry:
            headers.append((b"x-siegel-entry", request_id))
        headers += self._ids.last_headers
        if self._expects_continue or (self.body_left != 0 and not await self._drain()):
            # Botocore takes a final answer in place of `100 Continue` for an interim one, and waits for the next: end it.
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _drain(self) -> bool:
        """Take in the rest of a small body, so that the connection can go on; return whether it can.

        A large one is left alone: the connection is closed instead.
        """
        if self.body_left is None or self.body_left > DRAIN_BYTES_MAX:
            return False
        try:
            async with asyncio.timeout(DRAIN_S_MAX):
                while self.body_left:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        return False
        except TimeoutError:
            return False
        return True
