"""The one place that names drivers: it puts a deployment together from the parts that its directory and settings ask for.

DIR/siegel.toml   the configuration
DIR/root.key      the root key, unless the settings name another file
DIR/siegel.db     metadata and journal, encrypted (with its -wal and -shm, commit.lock and generation)
DIR/blobs/        sealed bodies
DIR/instance.lock held by the running service
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from siegel.app.settings import Settings
from siegel.domain.addresses import parse_allowed
from siegel.domain.ports import BlobStore, Clock, Journal, KeyCustodian, MetaStore, Outbound, Randomness
from siegel.drivers.blob.files import FileBlobStore
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.sqlite import SqliteStore, create_store, open_store
from siegel.drivers.meta.sqlite_release import sqlite_release
from siegel.drivers.outbound import HttpOutbound
from siegel.drivers.system import SystemClock, SystemRandomness, SystemUptime
from siegel.service.accounts import Accounts
from siegel.service.keys import KeyRing
from siegel.service.lockclock import LockTime

BLOB_FOLDER: Final = "blobs"


class Store(MetaStore, Journal, Protocol):
    """Metadata and journal kept by one driver: what changes and what is said about it become durable together."""


@dataclass(frozen=True)
class Deployment:
    """The parts of one deployment, behind their ports."""

    store: Store
    blobs: BlobStore
    custodian: KeyCustodian
    outbound: Outbound
    clock: Clock
    randomness: Randomness
    lock_time: LockTime

    @property
    def accounts(self) -> Accounts:
        """The use cases of accounts and access keys."""
        return Accounts(self.store, KeyRing(self.custodian, self.randomness), self.clock, self.randomness)

    def close(self) -> None:
        """Finish what was begun and release everything. Harmless when repeated."""
        self.store.close()


def open_deployment(settings: Settings) -> Deployment:
    """Open an initialised deployment.

    Raises ConfigurationError (root key missing, unsafe, malformed or wrong; database missing or from a newer release; SQLite too
    old), StorageError.
    """
    custodian = LocalCustodian.load(Path(settings.root_key_file))
    clock = SystemClock()
    return _assemble(open_store(Path(settings.directory), custodian.database_key(), clock), custodian, clock, settings)


def create_deployment(settings: Settings) -> Deployment:
    """Make the root key (unless its file exists), the database and the blob folder of a new deployment, and open it.

    Raises ConfigurationError, StorageError.
    """
    root_key_file = Path(settings.root_key_file)
    custodian = LocalCustodian.load(root_key_file) if root_key_file.exists() else LocalCustodian.create_file(root_key_file)
    clock = SystemClock()
    return _assemble(create_store(Path(settings.directory), custodian.database_key(), clock), custodian, clock, settings)


def database_release() -> str:
    """Return one phrase that names the database library and its release."""
    return sqlite_release()


def _assemble(store: SqliteStore, custodian: LocalCustodian, clock: SystemClock, settings: Settings) -> Deployment:
    return Deployment(
        store=store,
        blobs=FileBlobStore(Path(settings.directory) / BLOB_FOLDER),
        custodian=custodian,
        outbound=HttpOutbound(parse_allowed(settings.outbound_allow)),
        clock=clock,
        randomness=SystemRandomness(),
        lock_time=LockTime(store, clock, SystemUptime()),
    )
