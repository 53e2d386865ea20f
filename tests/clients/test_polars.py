"""Polars keeps data frames in the store."""

from bench import Bench

CLIENT = "polars"


def test_polars_tells_its_story(bench: Bench) -> None:
    bench.make_bucket()
    print(bench.tell("polars_story.py"))
    assert "documents.parquet" in bench.stored_keys()
