"""s3fs keeps a tree of files in the store."""

from bench import Bench

CLIENT = "s3fs"


def test_s3fs_tells_its_story(bench: Bench) -> None:
    print(bench.tell("s3fs_story.py"))
    assert bench.stored_digests("tree/") == bench.tree.digests
