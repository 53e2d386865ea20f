"""delta-rs: a table of the files, two concurrent writers, older versions, deletes, compaction."""

import subprocess
import sys
import textwrap

import pyarrow as pa
from connect import options
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from story import BUCKET, NAMES, TREE, content, digest, tell

DOCUMENTS = f"s3://{BUCKET}/documents"
COUNTED = f"s3://{BUCKET}/counted"
WRITERS = 2
COMMITS = 8

WRITER = textwrap.dedent(
    """
    import sys
    import pyarrow as pa
    from connect import options
    from deltalake import write_deltalake

    place, writer, commits = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    for turn in range(commits):
        rows = pa.table({"writer": [writer], "turn": [turn]})
        write_deltalake(place, rows, mode="append", storage_options=options)
    """
)


def table_of(names):
    return pa.table(
        {"name": names, "digest": [digest(content(name)) for name in names], "content": [content(name) for name in names]}
    )


def rows_of(place, version=None):
    """Read a whole table with delta-rs's own query engine."""
    table = DeltaTable(place, storage_options=options, version=version)
    return pa.table(QueryBuilder().register("found", table).execute("SELECT * FROM found")).to_pylist()


def a_table_holds_the_files():
    half = len(NAMES) // 2
    small = [name for name in NAMES if (TREE / name).stat().st_size < 6 << 20]
    write_deltalake(DOCUMENTS, table_of(small[:half]), storage_options=options)
    write_deltalake(DOCUMENTS, table_of(small[half:]), mode="append", storage_options=options)
    rows = rows_of(DOCUMENTS)
    assert sorted(row["name"] for row in rows) == sorted(small)
    for row in rows:
        assert digest(row["content"]) == row["digest"] == digest(content(row["name"]))


def an_older_version_is_read():
    assert len(rows_of(DOCUMENTS, version=0)) == len(NAMES) // 2


def two_writers_at_once_lose_no_commit():
    write_deltalake(COUNTED, pa.table({"writer": [0], "turn": [0]}), storage_options=options)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, BUCKET, str(TREE), COUNTED, str(number), str(COMMITS)])
        for number in range(1, WRITERS + 1)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * WRITERS
    table = DeltaTable(COUNTED, storage_options=options)
    assert table.version() == WRITERS * COMMITS
    rows = {(row["writer"], row["turn"]) for row in rows_of(COUNTED)}
    assert rows == {(0, 0)} | {(number, turn) for number in range(1, WRITERS + 1) for turn in range(COMMITS)}


def a_table_is_created_only_once():
    told = ""
    try:
        write_deltalake(COUNTED, pa.table({"writer": [0], "turn": [0]}), mode="error", storage_options=options)
    except Exception as error:  # the class differs between versions, the words do not
        told = str(error)
    assert "already exists" in told.lower(), told


def rows_are_deleted_and_files_compacted():
    table = DeltaTable(COUNTED, storage_options=options)
    table.delete("turn = 0")
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    left = DeltaTable(COUNTED, storage_options=options)
    assert len(rows_of(COUNTED)) == WRITERS * (COMMITS - 1)
    assert len(left.file_uris()) == 1
    table.create_checkpoint()
    assert len(rows_of(COUNTED)) == WRITERS * (COMMITS - 1)


tell(
    a_table_holds_the_files,
    an_older_version_is_read,
    two_writers_at_once_lose_no_commit,
    a_table_is_created_only_once,
    rows_are_deleted_and_files_compacted,
)
