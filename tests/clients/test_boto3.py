"""boto3 keeps a tree of files in the store, over plain HTTP and TLS, by path and by virtual host."""

from bench import Bench

CLIENT = "boto3"


def test_boto3_tells_its_story(bench: Bench) -> None:
    print(bench.tell("boto3_story.py"))
    assert bench.stored_digests("tree/") == bench.tree.digests
