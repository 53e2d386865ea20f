"""delta-rs keeps tables in the store, and two writers at once lose nothing."""

from bench import Bench

CLIENT = "deltalake"


def test_deltalake_tells_its_story(bench: Bench) -> None:
    bench.make_bucket()
    print(bench.tell("deltalake_story.py"))
    assert any(key.startswith("documents/_delta_log/") for key in bench.stored_keys())
