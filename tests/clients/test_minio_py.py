"""The MinIO SDK for Python keeps a tree of files in the store."""

from bench import Bench

CLIENT = "minio-py"


def test_minio_tells_its_story(bench: Bench) -> None:
    print(bench.tell("minio_story.py"))
    assert bench.stored_digests("tree/") == bench.tree.digests
