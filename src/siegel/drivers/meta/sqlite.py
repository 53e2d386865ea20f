"""Metadata and journal in one encrypted SQLite database: the embedded default.

A directory holds `siegel.db` (with its `-wal` and `-shm`), `commit.lock`, `generation`, `changes`, and the entry files of the
processes that serve; a database that was copied to have another key has a number in its name. Any number of processes may have
it open. Reads run on a connection of their own and see what is committed; a commit is seen only once its log is synced.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar, cast

import apsw
from msgspec import msgpack

from siegel.domain.entry import Entries, Entry
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.logs import Batch
from siegel.domain.ports import Clock, Reader, Writer
from siegel.drivers.custody.rootfile import sync_folder
from siegel.drivers.meta.entry_files import EntryFiles, Marks
from siegel.drivers.meta.generation import Generation
from siegel.drivers.meta.group_commit import GroupCommit
from siegel.drivers.meta.object_changes import SharedObjectChanges
from siegel.drivers.meta.own_entry_file import OwnEntryFile
from siegel.drivers.meta.process_lock import ProcessLock
from siegel.drivers.meta.sqlite_connection import connect, require_sqlite, storage_error
from siegel.drivers.meta.sqlite_engine import SqliteEngine, read_marks
from siegel.drivers.meta.sqlite_schema import STEPS, migrate, require_known_schema, schema_version
from siegel.drivers.meta.sqlite_session import SqliteSession
from siegel.drivers.meta.sqlite_snapshot import HeldStatements
from siegel.drivers.meta.sqlite_statements import Statements

T = TypeVar("T")

DATABASE_NAME: Final = "siegel.db"
LOCK_NAME: Final = "commit.lock"
GENERATION_NAME: Final = "generation"
CHANGES_NAME: Final = "changes"

# More brings little: most changes empty the reading cache, and the kernel holds the pages anyway.
READ_CACHE_KIB: Final = 16 * 1024
WRITE_CACHE_KIB: Final = 16 * 1024


def create_store(directory: Path, key: bytes, clock: Clock) -> "SqliteStore":
    """Make a new, empty store in an existing directory and open it; `key` is the raw database key of 32 bytes.

    Raises ConfigurationError if there is a database already, StorageError if it cannot be made.
    """
    path = directory / DATABASE_NAME
    _, copies = other_databases(directory, 0)
    if copies:
        raise ConfigurationError(f"{copies[-1]} exists already: this directory is initialised")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_folder(directory)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} exists already: this directory is initialised") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be made: {error}") from error
    return open_store(directory, key, clock)


def database_path(directory: Path, number: int) -> Path:
    """Return where the database of a number is: 0 for the first one, one more for each copy that has another key."""
    name = Path(DATABASE_NAME)
    return directory / (f"{name.stem}-{number}{name.suffix}" if number else name)


def other_databases(directory: Path, number: int) -> tuple[list[Path], list[Path]]:
    """Return the databases of a directory that are older than the one of a number, and those that are newer."""
    stem, suffix = Path(DATABASE_NAME).stem, Path(DATABASE_NAME).suffix
    tails = (path.name.removeprefix(f"{stem}-").removesuffix(suffix) for path in directory.glob(f"{stem}-*{suffix}"))
    numbers = [0, *sorted(int(tail) for tail in tails if tail.isdecimal())]
    found = [(one, database_path(directory, one)) for one in numbers]
    there = [(one, path) for one, path in found if path.exists()]
    return [path for one, path in there if one < number], [path for one, path in there if one > number]


def open_store(directory: Path, key: bytes, clock: Clock, number: int = 0) -> "SqliteStore":
    """Open the store in `directory` with its raw database key of 32 bytes; an older schema is brought up to date.

    `number`: which of the databases there, see `database_path`.

    Raises ConfigurationError (missing database, wrong key, newer schema, SQLite too old), StorageError.
    """
    require_sqlite(apsw.sqlite_lib_version(), getattr(apsw, "mc_version", None))
    path = database_path(directory, number)
    if not path.exists() and (others := [one.name for found in other_databases(directory, number) for one in found]):
        raise ConfigurationError(
            f"the database {path} is missing, and {others[-1]} is there: the key chest is not the one that belongs to it\n"
            f"try: restore the file keychest from the same copy of {directory} as {others[-1]}"
        )
    connection = connect(path, key, cache_kib=READ_CACHE_KIB)
    try:
        lock = ProcessLock(directory / LOCK_NAME)
        _bring_up_to_date(connection, lock)
        generation = Generation(directory / GENERATION_NAME)
        changes = SharedObjectChanges(directory / CHANGES_NAME)
        files = EntryFiles(directory, key, clock)
        files.look(read_marks(Statements(connection)))
        engine = SqliteEngine(lambda: connect(path, key, cache_kib=WRITE_CACHE_KIB), clock, generation, changes, files)
    except BaseException:
        connection.close()
        raise
    statements = HeldStatements(connection, changes)
    session = SqliteSession(statements, clock, generation, changes)
    return SqliteStore(connection, statements, session, engine, lock, generation, changes, files)


def collect_entries(directory: Path, key: bytes, clock: Clock, number: int = 0) -> None:
    """Bring what waits in the entry files of a directory into the journal. Raises what `open_store` raises."""
    store = open_store(directory, key, clock, number)
    try:
        asyncio.run(store.collect())
    finally:
        store.close()


def _bring_up_to_date(connection: apsw.Connection, lock: ProcessLock) -> None:
    try:
        version = schema_version(connection)
        require_known_schema(version, len(STEPS))
        if version < len(STEPS):
            lock.acquire()
            try:
                migrate(connection, STEPS)
            finally:
                lock.release()
    except apsw.Error as error:
        raise storage_error(error) from error


class SqliteStore:
    """The `MetaStore` and `Journal` ports; made by `create_store` and `open_store`.

    `reader` and all methods belong to the thread of the event loop.
    """

    reader: Reader
    # Asked several times in every request, so it is the counter's own method: a wrapper would cost as much as the question.
    generation: Callable[[], int]

    def __init__(  # noqa: PLR0917 - the parts of one store, in the order in which they are closed
        self,
        connection: apsw.Connection,
        statements: HeldStatements,
        session: SqliteSession,
        engine: SqliteEngine,
        lock: ProcessLock,
        generation: Generation,
        changes: SharedObjectChanges,
        files: EntryFiles,
    ) -> None:
        """Read by `session` with its `statements` on `connection`, write by `engine`; all parts are closed with the store."""
        self._connection = connection
        self._engine = engine
        self._lock = lock
        self._generation = generation
        self.generation = generation.value
        self.object_changes = changes
        self._statements = statements
        self._decoder = msgpack.Decoder(list[Entry])
        self.reader = session
        self.group_commit = GroupCommit(engine, lock)
        self._files = files
        self._own = OwnEntryFile(files, self._marks)
        self._is_closed = False

    async def write(self, change: Callable[[Writer], T], entry: Callable[[T], Entries] | Entries | None) -> T:
        """Run `change` in a transaction and return its result once it is durable, together with its journal entries."""
        return cast("T", await self.group_commit.submit(change, entry))

    async def append(self, entry: Entries) -> None:
        """Return when the entry is durable, or all of them are. Raises StorageError."""
        await (self._own.group_commit() or self.group_commit).submit(None, entry)

    async def collect(self) -> None:
        """Have `entries` and `oldest` show what waits in entry files. Raises StorageError."""
        if self._files.has_waiting():
            await self.group_commit.submit(None, ())

    def _marks(self) -> Marks:
        return read_marks(self._statements)

    def entries(self, after: int, limit: int) -> list[tuple[int, list[Entry]]]:
        """Return up to `limit` batches (number, entries) behind batch `after`, in order."""
        rows = self._statements.fresh_rows(
            "SELECT batch, entries FROM journal WHERE batch > ? ORDER BY batch LIMIT ?", (after, limit)
        )
        return [(batch, self._decoder.decode(entries)) for batch, entries in rows]

    def oldest(self, batches_max: int, entries_max: int) -> list[Batch]:
        """Return the oldest batches, up to `batches_max`, and none behind the one with which they have `entries_max` entries."""
        rows = self._statements.fresh_rows(
            "SELECT batch, recorded_at_ms, entries FROM journal ORDER BY batch LIMIT ?", (batches_max,)
        )
        found: list[Batch] = []
        for number, recorded_at_ms, entries in rows:
            if entries_max <= 0:
                break
            found.append(Batch(number, recorded_at_ms, self._decoder.decode(entries)))
            entries_max -= len(found[-1].entries)
        return found

    def last_batch(self) -> int:
        """Return the number of the last batch that there was, wherever its entries are now; 0 before the first."""
        rows = self._statements.fresh_rows("SELECT seq FROM sqlite_sequence WHERE name = 'journal'")
        return rows[0][0] if rows else 0

    def close(self) -> None:
        """Finish what was begun and release everything. Harmless when repeated."""
        if self._is_closed:
            return
        self._is_closed = True
        self._own.close()
        self.group_commit.close()
        self._engine.close()
        self._files.close()
        self._statements.release()
        self._connection.close()
        self._generation.close()
        self.object_changes.close()
        self._lock.close()
