"""The bodies of doors beside S3: bounded in size, and in what each piece of them costs."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from siegel.web.door_steps import DoorParts, read_body
from siegel.web.exchange import Exchange


class Piece(bytes):
    """A piece of a body that knows how often it was measured."""

    measured = 0

    def __len__(self) -> int:
        self.measured += 1
        return super().__len__()


def read(pieces: list[Piece], bytes_max: int, *, announced: int | None = None) -> bytes | None:
    rest = list(pieces)
    exchange = SimpleNamespace(body_left=announced)

    async def receive(exchange: SimpleNamespace) -> Piece:
        piece = rest.pop(0)
        if not rest:
            exchange.body_left = 0
        return piece

    parts = SimpleNamespace(reaper=SimpleNamespace(receive=receive))
    return asyncio.run(read_body(cast("DoorParts", parts), cast("Exchange", exchange), bytes_max))


def test_t63_each_piece_of_a_body_is_measured_once():
    """MinIO CVE-2022-31028, the class: a body sent byte by byte, whose every byte costs as much as all before it."""
    pieces = [Piece(b"x") for _ in range(300)]
    assert read(pieces, 300) == b"x" * 300
    assert {piece.measured for piece in pieces} == {1}


@pytest.mark.parametrize(("announced", "count"), [(None, 11), (11, 1)])
def test_a_body_beyond_the_limit_is_not_kept(announced, count):
    pieces = [Piece(b"x") for _ in range(count + 1)]
    assert read(pieces, 10, announced=announced) is None
