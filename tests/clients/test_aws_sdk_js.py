"""The AWS SDK for JavaScript keeps a tree of files in the store."""

from bench import Bench

CLIENT = "aws-sdk-js"


def test_the_javascript_sdk_tells_its_story(bench: Bench) -> None:
    print(bench.tell("aws_sdk_js_story.mjs"))
    assert bench.stored_digests("tree/") == bench.tree.digests
