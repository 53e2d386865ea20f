"""DuckDB: files through wildcards, Parquet and CSV, partitions, large tables."""

from pathlib import Path

import duckdb
from duckdb_extensions import import_extension
from story import BUCKET, FILES, NAMES, TREE, content, digest, same, tell

PLACE = f"s3://{BUCKET}"
ROWS = 3_000_000

import_extension("httpfs")
connection = duckdb.connect(config={"autoinstall_known_extensions": False})
connection.execute(Path("connect.sql").read_text())


def ask(statement, *values):
    return connection.execute(statement, values or None).fetchall()


def every_file_is_read():
    rows = ask(f"SELECT filename, sha256(content), size FROM read_blob('{PLACE}/tree/**') ORDER BY filename")
    found = {name.removeprefix(f"{PLACE}/tree/"): (told, size_bytes) for name, told, size_bytes in rows}
    same(found, {name: (digest(content(name)), (TREE / name).stat().st_size) for name in NAMES})


def wildcards_find_what_they_name():
    found = [name for (name,) in ask(f"SELECT file FROM glob('{PLACE}/tree/large/f*.bin')")]
    assert sorted(found) == [f"{PLACE}/tree/large/five-and-a-bit.bin", f"{PLACE}/tree/large/forty-one.bin"], found


def a_table_holds_the_files():
    ask(f"COPY (SELECT * FROM read_blob('{TREE}/**')) TO '{PLACE}/tables/documents.parquet' (FORMAT parquet)")
    rows = ask(f"SELECT count(*), sum(size), count(DISTINCT sha256(content)) FROM '{PLACE}/tables/documents.parquet'")
    sizes = [path.stat().st_size for path in FILES]
    assert rows == [(len(FILES), sum(sizes), len({digest(path.read_bytes()) for path in FILES}))], rows


def a_large_table_goes_in_parts():
    ask(f"COPY (SELECT range AS number, hash(range) AS hashed FROM range({ROWS})) TO '{PLACE}/tables/large.parquet'")
    assert ask(f"SELECT sum(number) FROM '{PLACE}/tables/large.parquet'") == [(ROWS * (ROWS - 1) // 2,)]
    assert ask(f"SELECT hashed = hash(number) FROM '{PLACE}/tables/large.parquet' WHERE number = {ROWS - 1}") == [(True,)]


def partitions_are_written_and_found():
    ask(
        f"COPY (SELECT range AS number, range % 3 AS rest FROM range(3000)) TO '{PLACE}/tables/parts' "
        "(FORMAT parquet, PARTITION_BY (rest))"
    )
    told = ask(f"SELECT count(*) FROM read_parquet('{PLACE}/tables/parts/**/*.parquet', hive_partitioning = true) WHERE rest = 1")
    assert told == [(1000,)]


def text_is_written_and_read():
    ask(f"COPY (SELECT 'a, \"b\"' AS text, 1 AS number) TO '{PLACE}/tables/a b+c.csv' (HEADER)")
    assert ask(f"SELECT * FROM '{PLACE}/tables/a b+c.csv'") == [('a, "b"', 1)]


def what_is_absent_is_told():
    told = ""
    try:
        ask(f"SELECT * FROM '{PLACE}/absent.parquet'")
    except duckdb.Error as error:
        told = str(error)
    assert "404" in told or "No files found" in told, told


tell(
    every_file_is_read,
    wildcards_find_what_they_name,
    a_table_holds_the_files,
    a_large_table_goes_in_parts,
    partitions_are_written_and_found,
    text_is_written_and_read,
    what_is_absent_is_told,
)
