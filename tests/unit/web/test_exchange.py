"""The way out of an answer's body."""

import asyncio
import os
from collections.abc import AsyncIterator

from siegel.web.exchange import Exchange, Message, RequestIds


async def nothing() -> Message:
    raise AssertionError("no body was announced")


async def send_at_once(_message: Message) -> None:
    """As the server does while its queue has room: nobody waits for anything."""


def test_the_server_may_write_a_piece_before_the_next_is_opened(monkeypatch):
    """Copies that queue up have left the processor's cache when they are written: that cost a third of a large download."""
    steps: list[str] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            steps.append(f"send {message['body'].decode()}")

    async def pieces() -> AsyncIterator[bytes]:
        for name in (b"2", b"3"):
            steps.append(f"open {name.decode()}")
            yield name

    monkeypatch.setattr(os, "sched_yield", lambda: steps.append("turn of the server"))
    exchange = Exchange({"method": "GET"}, nothing, send, RequestIds())
    asyncio.run(exchange.stream(200, [], b"1", pieces()))
    assert steps == ["send 1", "open 2", "send 2", "turn of the server", "open 3", "send 3", "turn of the server", "send "]


def test_other_requests_have_their_turn_between_the_pieces():
    """The server takes pieces without a pause while it keeps up: then one download had the event loop to itself to its end."""
    turns = 0

    async def another_request() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"a piece"

    async def download() -> None:
        other = asyncio.create_task(another_request())
        exchange = Exchange({"method": "GET"}, nothing, send_at_once, RequestIds())
        await exchange.stream(200, [], b"a piece", pieces())
        other.cancel()

    asyncio.run(download())
    assert turns >= 100
