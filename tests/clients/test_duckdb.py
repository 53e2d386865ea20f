"""DuckDB reads a tree of files in the store and keeps tables there."""

from bench import Bench

CLIENT = "duckdb"


def test_duckdb_tells_its_story(bench: Bench) -> None:
    bench.make_bucket()
    for name in bench.tree.digests:
        bench.judge.upload_file(str(bench.tree.root / name), bench.bucket, f"tree/{name}")
    print(bench.tell("duckdb_story.py"))
    assert "tables/documents.parquet" in bench.stored_keys()
