"""rclone keeps a tree of files in the store."""

import hashlib

from bench import Bench
from file_tree import digests_below

CLIENT = "rclone"
LARGE = "large/twenty.bin"


def test_a_tree_goes_up_and_comes_back(bench: Bench) -> None:
    bench.do("make_bucket")
    bench.do("upload", folder=bench.tree.root)
    assert bench.stored_digests("tree/") == bench.tree.digests
    bench.do("download", folder=bench.home / "back")
    assert digests_below(bench.home / "back") == bench.tree.digests


def test_rclone_finds_both_sides_alike(bench: Bench) -> None:
    bench.do("check", folder=bench.tree.root)
    bench.do("check_by_download", folder=bench.tree.root)


def test_the_store_tells_the_md5_of_a_file(bench: Bench) -> None:
    told = bench.run("rclone", "md5sum", f"siegel:{bench.bucket}/tree/odd")
    for line in told.splitlines():
        digest, name = line.split(maxsplit=1)
        assert digest == hashlib.md5((bench.tree.root / "odd" / name).read_bytes()).hexdigest()


def test_a_second_sync_finds_nothing_to_do(bench: Bench) -> None:
    log = bench.home / "sync.log"
    bench.run("rclone", "sync", "-v", "--log-file", log, bench.tree.root, f"siegel:{bench.bucket}/tree")
    assert "nothing to transfer" in log.read_text()


def test_what_is_listed_is_what_is_there(bench: Bench) -> None:
    lines = [line.split(";", 1) for line in bench.do("list").splitlines()]
    assert {name: int(size_bytes) for size_bytes, name in lines} == {
        name: bench.tree.size_bytes(name) for name in bench.tree.digests
    }


def test_a_range_is_read(bench: Bench) -> None:
    name = next(name for name in sorted(bench.tree.digests) if bench.tree.size_bytes(name) > 4000 and _is_text(bench, name))
    text = (bench.tree.root / name).read_bytes()
    assert bench.do("read_range", offset=1000, count=2000, object=f"tree/{name}").encode() == text[1000:3000]


def _is_text(bench: Bench, name: str) -> bool:
    return (bench.tree.root / name).read_bytes().isascii() and b"\r" not in (bench.tree.root / name).read_bytes()


def test_objects_are_copied_moved_and_shared(bench: Bench) -> None:
    bench.do("copy", object="tree/odd/a.txt", target="copied/a b+c.txt")
    bench.do("move", object=f"tree/{LARGE}", target="copied/large")
    assert bench.stored_digests("copied/") == {
        "a b+c.txt": bench.tree.digests["odd/a.txt"],
        "large": bench.tree.digests[LARGE],
    }
    assert f"tree/{LARGE}" not in bench.stored_keys()
    url = bench.do("share", object="copied/a b+c.txt").strip()
    assert bench.fetch(url) == (200, (bench.tree.root / "odd/a.txt").read_bytes())


def test_everything_is_deleted(bench: Bench) -> None:
    bench.do("delete")
    assert bench.stored_keys() == []
