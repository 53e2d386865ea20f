"""What large bodies under way may hold in memory, alone and together."""

from contextlib import ExitStack

import pytest

from siegel.envelope.ranges import CHUNK_BYTES
from siegel.service.slabs import CHUNKS_MAX, CHUNKS_MIN, SHARED_CHUNKS, Slabs

MIB = 1024 * 1024


def test_few_bodies_are_opened_a_mebibyte_at_a_time() -> None:
    slabs = Slabs()
    with ExitStack() as bodies:
        assert {bodies.enter_context(slabs.share()) for _ in range(SHARED_CHUNKS // CHUNKS_MAX)} == {CHUNKS_MAX}
    assert CHUNKS_MAX * CHUNK_BYTES == MIB


def test_a_thousand_slow_downloads_hold_little_more_than_a_hundred() -> None:
    slabs = Slabs()
    with ExitStack() as bodies:
        chunks = [bodies.enter_context(slabs.share()) for _ in range(1_000)]
        assert chunks == sorted(chunks, reverse=True)
        assert chunks[-1] == CHUNKS_MIN
        assert sum(chunks) * CHUNK_BYTES < 160 * MIB


def test_a_body_that_ends_gives_back_its_share_also_where_it_fails() -> None:
    slabs = Slabs()
    with ExitStack() as bodies:
        for _ in range(SHARED_CHUNKS):
            bodies.enter_context(slabs.share())
    with pytest.raises(ConnectionResetError), slabs.share():
        raise ConnectionResetError
    with slabs.share() as chunks:
        assert chunks == CHUNKS_MAX
