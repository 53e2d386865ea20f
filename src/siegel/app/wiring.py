"""The one place that names drivers: it puts a deployment together from the parts that its directory and settings ask for.

DIR/siegel.toml   the configuration
DIR/root.key      the root key, unless the settings name another place
DIR/keychest      the keys that hang on it, sealed, once it or the database's key was changed, or if it is in a token (with
                  keychest.lock)
DIR/siegel.db     metadata and journal, encrypted (with its -wal and -shm, commit.lock, generation and changes); siegel-N.db after
                  its Nth copy under another key
DIR/database.lock shared by all who have the database open
DIR/heads         sizes and roots of the logs' last signed heads
DIR/blobs/        sealed bodies
DIR/instance.lock held by the running service
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from siegel.app.settings import Settings, TokenKey
from siegel.domain.addresses import parse_allowed
from siegel.domain.errors import ConfigurationError, SealBrokenError
from siegel.domain.ports import BlobStore, Clock, HeadMarks, Journal, KeyCustodian, MetaStore, Outbound, Randomness
from siegel.drivers.blob.files import FileBlobStore
from siegel.drivers.custody.finder import RootFinder
from siegel.drivers.custody.keeper import ChestCustodian
from siegel.drivers.custody.rootfile import create_root_key
from siegel.drivers.custody.roots import FilePlace, Place, TokenPlace
from siegel.drivers.custody.rotation import ChestRotation, create_chest
from siegel.drivers.custody.token import TokenRoot
from siegel.drivers.meta.head_marks import FileHeadMarks
from siegel.drivers.meta.process_lock import UseLock
from siegel.drivers.meta.sqlite import SqliteStore, create_store, open_store, other_databases
from siegel.drivers.meta.sqlite_release import sqlite_release
from siegel.drivers.outbound import HttpOutbound
from siegel.drivers.rekeying import DatabaseRekeying as PagesRekeying
from siegel.drivers.system import SystemClock, SystemRandomness, SystemUptime
from siegel.service.accounts import Accounts
from siegel.service.keys import KeyRing
from siegel.service.lockclock import LockTime

BLOB_FOLDER: Final = "blobs"
HEADS_NAME: Final = "heads"


class Store(MetaStore, Journal, Protocol):
    """Metadata and journal kept by one driver: what changes and what is said about it become durable together."""


class Custodian(KeyCustodian, Protocol):
    """The custodian of a deployment whose root key may be rotated meanwhile."""

    def root_places(self) -> tuple[str, ...]:
        """Say where the root key rests; where it is rotated, the place of the new one as well. Raises StorageError."""
        ...

    def database_number(self) -> int:
        """Return which file the metadata database is."""
        ...

    def retired_at_ms(self) -> int:
        """Return when the oldest of the keys that only open was retired; 0 if there is none. Raises StorageError."""
        ...


class RootRotation(Protocol):
    """The steps of a rotation of the root key; all want it `held`, and raise ConfigurationError."""

    def held(self) -> AbstractContextManager[None]:
        """Keep others from it."""
        ...

    def begin(self) -> tuple[str, str]:
        """Let both root keys open the deployment, and a new key of the custodian seal; return the places of both, in words."""
        ...

    def finish(self, at_ms: int) -> None:
        """Take away what the old root key opens; the custodian's older keys count as retired."""
        ...

    def forget(self, before_ms: int) -> None:
        """Drop the custodian's keys that were retired before a time."""
        ...


class DatabaseRekeying(Protocol):
    """The steps of giving the database another key; all want it `held`, and raise ConfigurationError, StorageError."""

    def held(self) -> AbstractContextManager[None]:
        """Keep everybody from the database."""
        ...

    def is_begun(self) -> bool:
        """Return whether the database has its new key already, and what was the database is still there."""
        ...

    def change(self, progress: Callable[[int, int], None]) -> None:
        """Copy the database under a fresh key, and let the copy be it; `progress` is told how many pages of how many."""
        ...

    def remove(self) -> None:
        """Remove what was the database."""
        ...


class _Use(Protocol):
    def close(self) -> None: ...


@dataclass(frozen=True)
class Deployment:
    """The parts of one deployment, behind their ports."""

    store: Store
    blobs: BlobStore
    custodian: Custodian
    outbound: Outbound
    clock: Clock
    randomness: Randomness
    lock_time: LockTime
    head_marks: HeadMarks
    use: _Use | None

    @property
    def accounts(self) -> Accounts:
        """The use cases of accounts and access keys."""
        return Accounts(self.store, KeyRing(self.custodian, self.randomness), self.clock, self.randomness)

    def close(self) -> None:
        """Finish what was begun and release everything. Harmless when repeated."""
        self.store.close()
        if self.use is not None:
            self.use.close()


def open_deployment(settings: Settings, *, is_held: bool = False) -> Deployment:
    """Open an initialised deployment; `is_held`: the caller keeps everybody else from its database.

    Raises ConfigurationError (root key missing, unsafe, malformed or wrong; database missing, from a newer release, or just now
    given another key; SQLite too old), StorageError.
    """
    directory, clock = Path(settings.directory), SystemClock()
    use = None if is_held else UseLock(directory)
    try:
        custodian = ChestCustodian(directory, _finder(settings))
        store = open_store(directory, custodian.database_key(), clock, custodian.database_number())
        return _assemble(store, custodian, clock, settings, use)
    except BaseException:
        if use is not None:
            use.close()
        raise


def check_account_keys(deployment: Deployment, settings: Settings, *, of_all: bool) -> None:
    """See that the key chest is of the same day as the database: one of another day may well open it, and then no keys in it.

    Raises ConfigurationError.
    """
    try:
        deployment.accounts.check_keys(of_all=of_all)
    except SealBrokenError as error:
        raise ConfigurationError(
            f"the database opens, and the keys of an account in it do not: {error}\n"
            f"try: put back database and key chest from one and the same copy of {settings.directory}"
        ) from None


def create_deployment(settings: Settings) -> Deployment:
    """Make the root key (unless there is one), the database and the blob folder of a new deployment, and open it.

    Raises ConfigurationError, StorageError.
    """
    directory, clock = Path(settings.directory), SystemClock()
    place = _place(settings, settings.root_token_key or Path(settings.root_key_file))
    if isinstance(place, TokenPlace):
        create_chest(directory, TokenRoot(place, is_made=True))
    elif not _exists(directory / place.path):
        create_root_key(directory / place.path)
    custodian = ChestCustodian(directory, _finder(settings))
    store = create_store(directory, custodian.database_key(), clock)
    return _assemble(store, custodian, clock, settings, UseLock(directory))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise ConfigurationError(f"the root key {path} cannot be looked for: {error.strerror}") from None


def root_rotation(settings: Settings, target: Path | TokenKey | None = None) -> RootRotation:
    """Return the steps of a rotation of the root key to `target`, or of the one that is under way."""
    place = None if target is None else _place(settings, target)
    return ChestRotation(Path(settings.directory), _finder(settings), place)


def database_rekeying(settings: Settings) -> DatabaseRekeying:
    """Return the steps of giving the database another key."""
    directory = Path(settings.directory)
    return PagesRekeying(directory, ChestRotation(directory, _finder(settings), None))


def left_databases(settings: Settings, deployment: Deployment) -> tuple[list[Path], list[Path]]:
    """Return the files that were the database until it had another key, and those that are newer: none should be there."""
    return other_databases(Path(settings.directory), deployment.custodian.database_number())


def database_release() -> str:
    """Return one phrase that names the database library and its release."""
    return sqlite_release()


def _finder(settings: Settings) -> RootFinder:
    settled = _place(settings, settings.root_token_key or Path(settings.root_key_file))
    return RootFinder(Path(settings.directory), settled, settings.pkcs11_pin_file)


def _place(settings: Settings, where: Path | TokenKey) -> Place:
    """Return a place as the key chest notes it: what lies in the data directory moves with it."""
    if isinstance(where, TokenKey):
        return TokenPlace(module=where.module, token=where.token, key=where.key, pin_file=where.pin_file)
    directory = Path(settings.directory)
    return FilePlace(str(where.relative_to(directory) if where.is_relative_to(directory) else where.absolute()))


def _assemble(
    store: SqliteStore, custodian: ChestCustodian, clock: SystemClock, settings: Settings, use: _Use | None
) -> Deployment:
    return Deployment(
        store=store,
        blobs=FileBlobStore(Path(settings.directory) / BLOB_FOLDER),
        custodian=custodian,
        outbound=HttpOutbound(parse_allowed(settings.outbound_allow)),
        clock=clock,
        randomness=SystemRandomness(),
        lock_time=LockTime(store, clock, SystemUptime()),
        head_marks=FileHeadMarks(Path(settings.directory) / HEADS_NAME),
        use=use,
    )
