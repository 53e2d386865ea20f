"""s3cmd keeps a tree of files in the store."""

from bench import Bench
from file_tree import digest_of, digests_below

CLIENT = "s3cmd"
LARGE = "large/twenty.bin"


def test_a_tree_goes_up_and_comes_back(bench: Bench) -> None:
    bench.do("make_bucket")
    bench.do("upload", folder=bench.tree.root)
    assert bench.stored_digests("tree/") == bench.tree.digests
    (bench.home / "back").mkdir()
    bench.do("download", folder=bench.home / "back")
    assert digests_below(bench.home / "back") == bench.tree.digests


def test_a_second_sync_uploads_nothing(bench: Bench) -> None:
    assert "upload:" not in bench.do("upload", folder=bench.tree.root)


def test_what_is_listed_is_what_is_there(bench: Bench) -> None:
    lines = bench.do("list").splitlines()
    listed = {line.split(maxsplit=3)[3]: int(line.split()[2]) for line in lines}
    wanted = {f"s3://{bench.bucket}/tree/{name}": bench.tree.size_bytes(name) for name in bench.tree.digests}
    assert listed == wanted
    assert int(bench.run("s3cmd", "du", f"s3://{bench.bucket}/tree/").split()[0]) == sum(wanted.values())


def test_a_download_is_resumed_where_it_broke_off(bench: Bench) -> None:
    broken = bench.home / "broken"
    broken.write_bytes((bench.tree.root / LARGE).read_bytes()[:1234567])
    bench.do("resume", object=f"tree/{LARGE}", file=broken)
    assert digest_of(broken) == bench.tree.digests[LARGE]


def test_objects_are_copied_and_moved(bench: Bench) -> None:
    bench.do("copy", object="tree/odd/a.txt", target="copied/a b+c.txt")
    bench.do("move", object=f"tree/{LARGE}", target="copied/large")
    assert bench.stored_digests("copied/") == {
        "a b+c.txt": bench.tree.digests["odd/a.txt"],
        "large": bench.tree.digests[LARGE],
    }
    assert f"tree/{LARGE}" not in bench.stored_keys()


def test_what_is_absent_is_told_by_the_exit_code(bench: Bench) -> None:
    bench.run("s3cmd", "get", f"s3://{bench.bucket}/absent", "absent", status=64)


def test_everything_is_deleted(bench: Bench) -> None:
    bench.do("delete")
    assert bench.stored_keys() == []
