"""Bodies of requests to what the customer runs: whole, in time, and no larger than somebody has said."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from siegel.domain.errors import SiegelError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BodyError(SiegelError):
    """The body is too large, too slow, or ended before its end. Some of it may not have been read: close the connection."""


async def read_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive, *, bytes_max: int, s_max: float) -> bytes:
    """Return the body of a request. Raises BodyError."""
    for name, value in headers:
        if name == b"content-length" and (not value.isdigit() or int(value[:20]) > bytes_max):
            raise BodyError(f"The body has at most {bytes_max} bytes.")
    try:
        async with asyncio.timeout(s_max):
            return await _gather(receive, bytes_max)
    except TimeoutError:
        raise BodyError("The body did not come in time.") from None


async def _gather(receive: Receive, bytes_max: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyError("The body ended before its end.")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > bytes_max:
            raise BodyError(f"The body has at most {bytes_max} bytes.")
        if not message.get("more_body"):
            return b"".join(pieces)
