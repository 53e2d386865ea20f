"""The metadata store in memory keeps the port's promises."""

from tests.contract.meta_suite import MetaStoreContract

from siegel.drivers.meta.memory import MemoryStore


class TestMemoryStore(MetaStoreContract):
    def make_store(self, tmp_path, clock):
        return MemoryStore(clock)
