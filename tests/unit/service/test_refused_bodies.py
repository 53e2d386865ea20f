"""A body that is refused its place is removed; one whose transaction failed otherwise may turn out to be committed, and stays."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from siegel.domain.errors import NoSuchUploadError, PreconditionFailedError, StorageError
from siegel.service import multipart
from siegel.service.multipart import Multipart
from siegel.service.put import Putter

ANYTHING: Any = SimpleNamespace(
    bucket=None, keys=None, object_key="k", asker=None, protection=None, conditions=None, place=None, data_key=b"", data_id=b"",
    salt=b"", unwrapped=SimpleNamespace(data_key=b""), part_key=None, upload=SimpleNamespace(mode=None, upload_id=b"u"),
)  # fmt: skip
FACTS = SimpleNamespace(size_bytes=1, checksum=b"", md5=bytes(16))


class Parts:
    """All parts that a put needs, none of which does anything; what is discarded is counted, and each transaction fails."""

    reader: Any = SimpleNamespace(uploads=None)

    def __init__(self, error):
        self._error = error
        self.discarded = 0

    async def seal(self, *_, **_named):
        return SimpleNamespace(inline=None, facts=FACTS)

    async def discard(self, *_):
        self.discarded += 1

    async def write(self, *_):
        raise self._error

    async def draft(self, *_):
        return ANYTHING

    def fresh_segment(self):
        return b"", b""

    def nonce(self):
        return bytes(12)

    def bytes(self, count):
        return bytes(count)

    def now_ms(self):
        return 0


@pytest.fixture(autouse=True)
def _nothing_sealed(monkeypatch):
    monkeypatch.setattr(Putter, "check_early", lambda *_: None)
    monkeypatch.setattr(Putter, "_assemble", lambda *_: ANYTHING)
    monkeypatch.setattr(multipart, "seal_part_head", lambda *_: b"")
    monkeypatch.setattr(multipart, "_place", lambda *_: None)


def put(parts: Any):
    return Putter(parts, parts, parts, parts, parts, parts, parts).put(ANYTHING, ANYTHING, ANYTHING, ANYTHING)


def put_part(parts: Any):
    return Multipart(parts, parts, parts, parts, parts, parts).put_part(ANYTHING, ANYTHING, 1, ANYTHING, ANYTHING)


@pytest.mark.parametrize("store", [put, put_part])
@pytest.mark.parametrize(
    ("error", "discarded"),
    [(PreconditionFailedError(), 1), (NoSuchUploadError(), 1), (StorageError("a sync failed"), 0), (asyncio.CancelledError(), 0)],
)
def test_only_a_body_that_was_refused_is_removed(store, error, discarded):
    parts = Parts(error)
    with pytest.raises(type(error)):
        asyncio.run(store(parts))
    assert parts.discarded == discarded
