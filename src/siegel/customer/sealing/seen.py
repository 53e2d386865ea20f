"""What was seen before: the newest sealing of each place, in a small local file. It is what shows a rollback.

The file tells names of objects, so only its owner may read it. Losing it loses no data, only the memory: the next look at each
place is believed, as the first one was.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.refusals import ForkedError, RolledBackError
from siegel.domain.errors import StorageError

_APPLICATION_ID: Final = 0x53474C53
_VERSION: Final = 1
_WAIT_S: Final = 10.0
_TRY_STATE: Final = "try: set HOME or XDG_STATE_HOME, or name a file with --state"
_SCHEMA: Final = """
create table if not exists seen (
    account_id text not null, bucket text not null, object_key text not null, sequence integer not null, digest blob not null,
    primary key (account_id, bucket, object_key)
) without rowid
"""
_LAST: Final = "select sequence, digest from seen where (account_id, bucket, object_key) = (?, ?, ?)"
_NOTE: Final = "insert or replace into seen values (?, ?, ?, ?, ?)"


class Sighting(Struct, frozen=True):
    """One sealing of a place: its number and the digest of its header."""

    sequence: int
    digest: bytes


def check_newer(place: ObjectPlace, last: Sighting | None, found: Sighting) -> None:
    """Raise RolledBackError or ForkedError unless `found` may stand at a place where `last` was seen before."""
    if last is None or found.sequence > last.sequence:
        return
    if found.sequence < last.sequence:
        raise RolledBackError(
            f"{place.uri} is an older object than the one that was seen here before\n"
            f"try: siegel open --forget, if you restored the older one yourself"
        )
    if found.digest != last.digest:
        raise ForkedError(f"{place.uri} is another object than the one that was seen here with the same number")


class Seen:
    """The memory, in one SQLite file of mode 0600. Safe for several processes. Raises StorageError if it cannot be used."""

    def __init__(self, path: Path | None = None) -> None:
        """Take the path of the file, else it is the user's own: `siegel/seen.db` where his programs keep their state.

        The file and its folders are made when they are first needed; until then nobody asks where the user's home is.
        """
        self._given = path

    def last(self, place: ObjectPlace) -> Sighting | None:
        """Return the newest sealing that was seen at `place`."""
        with self._transaction() as connection:
            return _last(connection, place)

    def check_and_note(self, place: ObjectPlace, found: Sighting) -> None:
        """Compare `found` with what was seen before, and remember it, in one step. Raises RolledBackError, ForkedError."""
        with self._transaction() as connection:
            check_newer(place, _last(connection, place), found)
            connection.execute(_NOTE, (place.account_id, place.bucket, place.object_key, found.sequence, found.digest))

    def forget(self, place: ObjectPlace) -> None:
        """Forget what was seen at `place`: the next object there is believed."""
        with self._transaction() as connection:
            connection.execute(
                "delete from seen where (account_id, bucket, object_key) = (?, ?, ?)",
                (place.account_id, place.bucket, place.object_key),
            )

    @property
    def _path(self) -> Path:
        if self._given is not None:
            return self._given
        try:
            folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        except RuntimeError:
            raise StorageError(f"where what was seen is remembered is unknown: no home directory\n{_TRY_STATE}") from None
        return folder / "siegel" / "seen.db"

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        path = self._path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            problem = error.strerror if isinstance(error, OSError) else error
            raise StorageError(f"the memory of what was seen, {path}, cannot be used: {problem}") from None
        try:
            connection.execute("begin immediate")
            _check_format(connection, path)
            yield connection
            connection.execute("commit")
        except sqlite3.Error as error:
            raise StorageError(f"the memory of what was seen, {path}, cannot be used: {error}") from None
        finally:
            connection.close()


USERS_OWN: Final = Seen()
"""The memory that counts unless another is named, the commands' too."""


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    """Mark a new file as ours; refuse one that is not, or of another version."""
    application, version = (connection.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if (application, version) == (_APPLICATION_ID, _VERSION):
        return
    if application or version or connection.execute("select 1 from sqlite_master").fetchone():
        raise StorageError(f"{path} is not a memory of what was seen, or of an unknown version")
    connection.execute(_SCHEMA)
    connection.execute(f"pragma application_id = {_APPLICATION_ID}")
    connection.execute(f"pragma user_version = {_VERSION}")


def _last(connection: sqlite3.Connection, place: ObjectPlace) -> Sighting | None:
    row = connection.execute(_LAST, (place.account_id, place.bucket, place.object_key)).fetchone()
    return Sighting(*row) if row else None
