"""PyArrow keeps files and datasets in the store."""

from bench import Bench

CLIENT = "pyarrow"


def test_pyarrow_tells_its_story(bench: Bench) -> None:
    print(bench.tell("pyarrow_story.py"))
    assert bench.stored_digests("tree/") == bench.tree.digests
