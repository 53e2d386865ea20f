"""How a connection to the encrypted database is opened, and how its errors are named.

The whole database, its write-ahead log included, is encrypted page by page with AEGIS-256 (SQLite3 Multiple Ciphers,
<https://utelle.github.io/SQLite3MultipleCiphers/docs/ciphers/cipher_aegis/>): each page has its own nonce and a tag of
32 bytes, so a page that was changed on disk does not open. The key is raw: no password derivation delays the start.
"""

import errno
from pathlib import Path
from typing import Final

import apsw

from siegel.domain.errors import ConfigurationError, StorageError, StorageFullError

KEY_BYTES: Final = 32
PAGE_BYTES: Final = 4096
BUSY_TIMEOUT_MS: Final = 10_000

# Older releases can corrupt a database when two connections reset the write-ahead log at once (fixed in 3.51.3).
SQLITE_OLDEST: Final = (3, 51, 3)


def require_sqlite(version: str, cipher: str | None) -> None:
    """Raise ConfigurationError unless SQLite is new enough and brings the cipher (`cipher`: its version, or None)."""
    numbers = tuple(int(number) for number in version.split("."))
    if numbers < SQLITE_OLDEST:
        oldest = ".".join(map(str, SQLITE_OLDEST))
        raise ConfigurationError(f"SQLite {version} is too old: {oldest} or newer is needed; upgrade apsw-sqlite3mc")
    if cipher is None:
        raise ConfigurationError("this SQLite cannot encrypt: install apsw-sqlite3mc in place of apsw")


def connect(path: Path, key: bytes, *, cache_kib: int) -> apsw.Connection:
    """Open an existing database file with its raw `key` of 32 bytes; an empty file becomes a new encrypted database.

    Raises ConfigurationError if the file is missing or the key does not open it, StorageError if it cannot be read.
    """
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"the database key has {len(key)} bytes, {KEY_BYTES} are needed")
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        _prepare(connection, key, cache_kib)
    except apsw.CantOpenError as error:
        raise ConfigurationError(f"the database {path} cannot be opened: is the directory initialised?") from error
    except apsw.NotADBError as error:
        raise ConfigurationError(f"wrong root key for {path}, or its first page is damaged") from error
    except apsw.Error as error:
        raise storage_error(error) from error
    return connection


def _prepare(connection: apsw.Connection, key: bytes, cache_kib: int) -> None:
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    # Plans do not depend on the values bound; without this each execution of a join is planned anew (10 us).
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    use_key(connection, key)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("foreign_keys", 0)
    connection.pragma("trusted_schema", 0)
    connection.pragma("secure_delete", "fast")
    connection.pragma("cache_size", -cache_kib)
    # Checkpoints are made by the commit thread alone.
    connection.wal_autocheckpoint(0)


def use_key(connection: apsw.Connection, key: bytes) -> None:
    """Let a fresh connection read and write pages under a raw key."""
    connection.pragma("cipher", "aegis")
    connection.pragma("page_size", PAGE_BYTES)
    connection.pragma("key", f"raw:{key.hex()}")


def storage_error(error: apsw.Error, system_errno: int = 0) -> StorageError:
    """Return the domain's name for a database error; `system_errno` is the operating system's cause, where known."""
    if isinstance(error, apsw.FullError) or system_errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFullError("no space is left for the database")
    return StorageError(f"the database failed: {error}")
