"""s5cmd keeps a tree of files in the store."""

from bench import Bench
from file_tree import digests_below

CLIENT = "s5cmd"
LARGE = "large/twenty.bin"


def test_a_tree_goes_up_and_comes_back(bench: Bench) -> None:
    bench.do("make_bucket")
    bench.do("upload", folder=bench.tree.root)
    assert bench.stored_digests("tree/") == bench.tree.digests
    bench.do("download", folder=bench.home / "back")
    assert digests_below(bench.home / "back") == bench.tree.digests


def test_a_second_sync_finds_nothing_to_do(bench: Bench) -> None:
    assert bench.do("upload", folder=bench.tree.root) == ""
    assert bench.do("download", folder=bench.home / "back") == ""


def test_what_is_listed_is_what_is_there(bench: Bench) -> None:
    lines = [line.split(maxsplit=3) for line in bench.do("list").splitlines()]
    listed = {name: int(size_bytes) for _, _, size_bytes, name in lines}
    assert listed == {name: bench.tree.size_bytes(name) for name in bench.tree.digests}


def test_objects_are_copied_moved_and_read(bench: Bench) -> None:
    bench.do("copy", object="tree/odd/a.txt", target="copied/a b+c.txt")
    bench.do("move", object=f"tree/{LARGE}", target="copied/large")
    assert bench.stored_digests("copied/") == {
        "a b+c.txt": bench.tree.digests["odd/a.txt"],
        "large": bench.tree.digests[LARGE],
    }
    assert f"tree/{LARGE}" not in bench.stored_keys()
    assert bench.do("read", object="copied/a b+c.txt") == (bench.tree.root / "odd/a.txt").read_text()


def test_what_is_absent_is_told_by_the_exit_code(bench: Bench) -> None:
    bench.run("s5cmd", "cat", f"s3://{bench.bucket}/absent", status=1)


def test_everything_is_deleted(bench: Bench) -> None:
    bench.do("delete")
    assert bench.stored_keys() == []
