"""obstore keeps a tree of files in the store."""

from bench import Bench

CLIENT = "obstore"


def test_obstore_tells_its_story(bench: Bench) -> None:
    bench.make_bucket()
    print(bench.tell("obstore_story.py"))
    assert bench.stored_digests("tree/") == bench.tree.digests
