"""The blob store in memory keeps the port's promises."""

import time

from tests.contract.blob_suite import BlobStoreContract

from siegel.drivers.blob.memory import MemoryBlobStore


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class TestMemoryBlobStore(BlobStoreContract):
    def make_store(self, tmp_path):
        return MemoryBlobStore(SystemClock())
