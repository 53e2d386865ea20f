"""The floor N: a bare ASGI application on the same HTTP server and workers that answers the same bytes.

No authentication, no database, no sealing. Keys tell what is asked: `/bench/4k/...` 4 KiB, `/bench/0k/...` nothing,
`/bench/64m/...` 64 MiB in pieces of 256 KiB; a PUT reads its body and answers 200. Run as `python -m bench.floor WORKERS`.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY = bytes(range(256)) * 16
LARGE_BYTES = 64 * 1024 * 1024
# 64 MiB of their own, as an object has them: one piece sent over and over would come out of the processor's cache.
PIECES = [BODY * 63 + number.to_bytes(len(BODY), "big") for number in range(LARGE_BYTES // (64 * len(BODY)))]

COMMON = [
    (b"x-amz-request-id", b"0123456789ABCDEF"),
    (b"x-amz-id-2", b"0123456789abcdef0123456789abcdef"),
    (b"etag", b'"0123456789abcdef0123456789abcdef"'),
    (b"last-modified", b"Mon, 01 Jan 2024 00:00:00 GMT"),
    (b"content-type", b"binary/octet-stream"),
    (b"accept-ranges", b"bytes"),
    (b"x-amz-server-side-encryption", b"AES256"),
]


def _start(length: int) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": [*COMMON, (b"content-length", str(length).encode())]}


async def _read(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one request with constant bytes."""
    if scope["method"] == "PUT":
        await _read(receive)
        await send(_start(0))
        await send({"type": "http.response.body", "body": b""})
    elif "/64m/" in scope["path"]:
        await send(_start(LARGE_BYTES))
        for piece in PIECES:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    elif "/0k/" in scope["path"]:
        await send(_start(0))
        await send({"type": "http.response.body", "body": b""})
    else:
        await send(_start(len(BODY)))
        await send({"type": "http.response.body", "body": BODY})


async def _serve(port: int) -> None:
    server = Server(
        application,
        "127.0.0.1",
        port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=30_000),
        websockets=False,
        backlog=1024,
        backpressure=4096,
        log_enabled=False,
        runtime_threads=1,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: os._exit(0))
    await server.serve()


def main() -> None:
    """Start the workers, say where they listen, and end with them on SIGTERM."""
    if len(sys.argv) == 3:
        uvloop.run(_serve(int(sys.argv[2])))
        return
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        workers = [subprocess.Popen([sys.executable, "-m", "bench.floor", "worker", str(port)]) for _ in range(int(sys.argv[1]))]
        signal.signal(signal.SIGTERM, lambda *_: _end(workers))
        _await_listeners(port, workers)
        print(f"floor=http://127.0.0.1:{port}", flush=True)
        for worker in workers:
            worker.wait()


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.terminate()


def _await_listeners(port: int, workers: list[subprocess.Popen[bytes]]) -> None:
    """Wait until every worker listens on the port, as the kernel's table tells."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    while Path("/proc/net/tcp").read_text(encoding="ascii").count(wanted) < len(workers):
        if any(worker.poll() is not None for worker in workers):
            sys.exit("a worker of the floor ended early")
        time.sleep(0.02)


if __name__ == "__main__":
    main()
