"""restic keeps a backup in the store, checks it, and gives the files back."""

import json
import shutil

from bench import Bench
from file_tree import digests_below

CLIENT = "restic"


def test_a_backup_is_made_and_restored(bench: Bench) -> None:
    bench.do("make_repository")
    bench.do("backup", folder=bench.tree.root)
    bench.do("restore", folder=bench.home / "back")
    assert digests_below(bench.home / "back" / bench.tree.root.relative_to("/")) == bench.tree.digests


def test_a_second_backup_adds_only_what_changed(bench: Bench) -> None:
    before = _stored_bytes(bench)
    work = bench.home / "work"
    shutil.copytree(bench.tree.root, work)
    (work / "new.txt").write_text("one file more")
    told = bench.do("backup", folder=work)
    assert "snapshot" in told
    assert len(json.loads(bench.do("list"))) == 2
    assert _stored_bytes(bench) - before < 1_000_000


def test_every_byte_of_the_repository_is_checked(bench: Bench) -> None:
    assert "no errors were found" in bench.do("check")


def test_old_backups_are_forgotten_and_the_last_one_still_opens(bench: Bench) -> None:
    bench.run("restic", "forget", "--prune", "--keep-last", "1", "--group-by", "host", "-o", f"s3.bucket-lookup={_lookup(bench)}")
    assert len(json.loads(bench.do("list"))) == 1
    bench.do("forget")
    bench.do("check")
    name = bench.home / "work" / "new.txt"
    told = bench.run("restic", "-o", f"s3.bucket-lookup={_lookup(bench)}", "dump", "latest", name)
    assert told == "one file more"


def _lookup(bench: Bench) -> str:
    return bench.settings.values[bench.route.style]["lookup"]


def _stored_bytes(bench: Bench) -> int:
    pages = bench.judge.get_paginator("list_objects_v2").paginate(Bucket=bench.bucket)
    return sum(entry["Size"] for page in pages for entry in page["Contents"])
