"""One HTTP exchange with an ASGI application, inside the process."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from siegel.app.http import Application

HOST: Final = "localhost"
_PIECE_BYTES: Final = 256 * 1024


class Target(Struct, frozen=True):
    """What a request is about; path and query as they go over the wire."""

    method: str
    path: str
    query: str = ""


class Answer(Struct, frozen=True):
    """What an application answered."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(application: Application, target: Target, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
    """Send one request and return the answer."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": target.method,
        # TLS is what the real server would have ended: keys of customers are accepted on nothing less.
        "scheme": "https",
        "path": target.path,
        "raw_path": target.path.encode(),
        "query_string": target.query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 0),
        "server": (HOST, 443),
    }
    left = memoryview(body)
    status, told, pieces = 0, {}, []

    async def receive() -> dict[str, Any]:
        nonlocal left
        piece, left = left[:_PIECE_BYTES], left[_PIECE_BYTES:]
        return {"type": "http.request", "body": bytes(piece), "more_body": bool(left)}

    async def send(message: Any) -> None:
        nonlocal status, told
        if message["type"] == "http.response.start":
            status = message["status"]
            told = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            pieces.append(bytes(message.get("body", b"")))

    await application(scope, receive, send)
    return Answer(status, told, b"".join(pieces))
