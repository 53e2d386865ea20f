"""The metadata store in SQLite keeps the port's promises."""

from tests.contract.meta_suite import MetaStoreContract

from siegel.drivers.meta.sqlite import create_store


class TestSqliteStore(MetaStoreContract):
    def make_store(self, tmp_path, clock):
        return create_store(tmp_path, bytes(range(32)), clock)
