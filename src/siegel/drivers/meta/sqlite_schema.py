"""The tables, and the steps from one schema version to the next.

`object` holds the current live objects only, one thin row per key, so that a list costs what it returns; every other version
and every delete marker is in `past`. Bodies rest apart: inside the index rows they would make each seek and each list dearer.
Object keys are stored as UTF-8 BLOBs, whose order is the order of S3.
"""

from typing import Final

import apsw

from siegel.domain.errors import ConfigurationError

_VERSION_COLUMNS: Final = """
    version_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    is_null INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_at_ms INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    storage INTEGER NOT NULL,
    part_count INTEGER NOT NULL,
    data_id BLOB NOT NULL,
    body_id INTEGER NOT NULL,
    etag TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed_head BLOB NOT NULL,
    sealed_tags BLOB NOT NULL,
"""

_FIRST: Final = f"""
CREATE TABLE account (
    account_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at_ms INTEGER NOT NULL,
    sealed_keys BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    access_key_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    account_id TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    sealed_secret BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE bucket (
    bucket_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    versioning TEXT NOT NULL,
    sse_c_allowed INTEGER
) STRICT;
CREATE INDEX bucket_by_account ON bucket (account_id, name);

CREATE TABLE object (
    bucket_id INTEGER NOT NULL,
    object_key BLOB NOT NULL,
    {_VERSION_COLUMNS}
    PRIMARY KEY (bucket_id, object_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE past (
    bucket_id INTEGER NOT NULL,
    object_key BLOB NOT NULL,
    is_marker INTEGER NOT NULL,
    {_VERSION_COLUMNS}
    PRIMARY KEY (bucket_id, object_key, sequence DESC)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX past_by_version ON past (bucket_id, object_key, version_id);
CREATE INDEX past_null ON past (bucket_id, object_key) WHERE is_null = 1;

CREATE TABLE body (
    body_id INTEGER PRIMARY KEY AUTOINCREMENT,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE upload (
    upload_id TEXT NOT NULL PRIMARY KEY,
    bucket_id INTEGER NOT NULL,
    object_key BLOB NOT NULL,
    version_id BLOB NOT NULL,
    initiated_at_ms INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed_head BLOB NOT NULL,
    sealed_tags BLOB NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum_type TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_by_key ON upload (bucket_id, object_key, upload_id);
CREATE INDEX upload_by_age ON upload (initiated_at_ms);

CREATE TABLE part (
    upload_id TEXT NOT NULL,
    part_number INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_at_ms INTEGER NOT NULL,
    data_id BLOB NOT NULL,
    sealed_head BLOB NOT NULL,
    PRIMARY KEY (upload_id, part_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE completed_upload (
    upload_id TEXT NOT NULL PRIMARY KEY,
    bucket_id INTEGER NOT NULL,
    object_key BLOB NOT NULL,
    version_id BLOB NOT NULL,
    completed_at_ms INTEGER NOT NULL,
    request_digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX completed_upload_by_age ON completed_upload (completed_at_ms);

CREATE TABLE blob (
    blob_id BLOB NOT NULL PRIMARY KEY,
    released_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_released ON blob (released_at_ms) WHERE released_at_ms IS NOT NULL;

CREATE TABLE journal (
    batch INTEGER PRIMARY KEY AUTOINCREMENT,
    entries BLOB NOT NULL
) STRICT;
"""

# Buckets that are older than the public access block have it switched on, as every new bucket has it.
_SECOND: Final = """
CREATE TABLE record (
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (scope, kind, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE credential ADD COLUMN user_name TEXT NOT NULL DEFAULT '';
ALTER TABLE credential ADD COLUMN is_active INTEGER NOT NULL DEFAULT 1;
CREATE INDEX credential_by_owner ON credential (account_id, user_name, created_at_ms);

ALTER TABLE object ADD COLUMN lock INTEGER NOT NULL DEFAULT 0;
ALTER TABLE object ADD COLUMN retain_until_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE past ADD COLUMN lock INTEGER NOT NULL DEFAULT 0;
ALTER TABLE past ADD COLUMN retain_until_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE upload ADD COLUMN lock INTEGER NOT NULL DEFAULT 0;
ALTER TABLE upload ADD COLUMN retain_until_ms INTEGER NOT NULL DEFAULT 0;

INSERT INTO record (scope, kind, name, document)
    SELECT 'bucket/' || bucket_id, 'public-access-block', '', x'9501c3c3c3c3' FROM bucket;
INSERT INTO record (scope, kind, name, document)
    SELECT 'bucket/' || bucket_id, 'ownership-controls', '', x'9201b34275636b65744f776e6572456e666f72636564' FROM bucket;
"""

# A run is found by its log and first entry; it is large, so that its row rests apart from the index.
_THIRD: Final = """
ALTER TABLE journal ADD COLUMN recorded_at_ms INTEGER NOT NULL DEFAULT 0;

CREATE TABLE ledger (
    log_id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    sealed_secrets BLOB NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    head_size INTEGER NOT NULL,
    signed_at_ms INTEGER NOT NULL,
    checkpoint BLOB NOT NULL
) STRICT;
CREATE INDEX ledger_unsigned ON ledger (signed_at_ms) WHERE head_size < size;
CREATE INDEX ledger_by_age ON ledger (signed_at_ms);

CREATE TABLE ledger_run (
    run_id INTEGER PRIMARY KEY,
    log_id INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    entries BLOB NOT NULL,
    sealed_openings BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX ledger_run_by_first ON ledger_run (log_id, first);

CREATE TABLE ledger_tile (
    log_id INTEGER NOT NULL,
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (log_id, level, number)
) STRICT, WITHOUT ROWID;
"""

_FOURTH: Final = """
ALTER TABLE ledger ADD COLUMN witnessed_size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN witnessed_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN witnessed BLOB NOT NULL DEFAULT x'';
"""

# How far each entry file was collected (`entry_files.py`).
_FIFTH: Final = """
CREATE TABLE entry_file (
    slot INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT;
"""

# Step number n brings a database of schema version n to version n + 1. Steps are only ever added at the end.
STEPS: Final[tuple[str, ...]] = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH)


def schema_version(connection: apsw.Connection) -> int:
    """Return the database's schema version; 0 where it is empty."""
    return int(connection.pragma("user_version"))


def require_known_schema(version: int, newest: int) -> None:
    """Raise ConfigurationError if the database was written by a newer release."""
    if version > newest:
        raise ConfigurationError(
            f"the database has schema version {version}, this release knows {newest}: start the newer release that wrote it"
        )


def migrate(connection: apsw.Connection, steps: tuple[str, ...]) -> None:
    """Bring the database to the newest schema in one transaction. The caller holds the process lock.

    Raises ConfigurationError if the database is newer than this release; apsw errors are the caller's to name.
    """
    with connection:
        version = schema_version(connection)
        require_known_schema(version, len(steps))
        for step in steps[version:]:
            connection.execute(step)
        connection.pragma("user_version", len(steps))
