"""The steward removes what it can: a blob that cannot be removed is told of, and keeps nothing else from being removed."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.contract.meta_fixtures import ManualClock, a_version, write

from siegel.domain.errors import StorageError
from siegel.domain.objects import Storage
from siegel.drivers.blob.memory import MemoryBlobStore
from siegel.drivers.meta.memory import MemoryStore
from siegel.service import steward
from siegel.service.steward import Steward

IDS = [bytes([number]) * 16 for number in range(5)]


class StuckBlobs(MemoryBlobStore):
    """Some of the blobs cannot be removed."""

    stuck = frozenset(IDS[:2])

    def remove(self, blob_id):
        if blob_id in self.stuck:
            raise StorageError("a blob cannot be removed: EIO")
        return super().remove(blob_id)


@pytest.mark.parametrize("at_once", [500, 3])
def test_a_blob_that_cannot_be_removed_is_in_nobodys_way(monkeypatch, at_once):
    monkeypatch.setattr(steward, "BATCH_MAX", at_once)
    clock = ManualClock()
    store, blobs = MemoryStore(clock), StuckBlobs(clock)
    for number, blob_id in enumerate(IDS):
        with_id = a_version(f"k{number}", number, data_id=blob_id, storage=Storage.BLOB)
        version = write(store, lambda tx, with_id=with_id: tx.objects.insert(with_id, None))
        write(store, lambda tx, version=version, blob_id=blob_id: tx.objects.remove(version, [blob_id]))
        writer = blobs.create(blob_id)
        writer.write(b"sealed")
        writer.commit()
    clock.ms += 10_000
    work = Steward(store, blobs, clock, ThreadPoolExecutor(1), 1000)
    for _ in range(2):
        with pytest.raises(StorageError, match="EIO"):
            asyncio.run(work.run_once())
        assert [blob_id for blob_id, _size, _at in blobs.scan()] == IDS[:2]
    blobs.stuck = frozenset()
    assert asyncio.run(work.run_once()).released_blobs == 2
    assert list(blobs.scan()) == []
