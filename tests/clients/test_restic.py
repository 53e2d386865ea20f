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


def test_a_second_account_keeps_its_backup_in_a_shared_bucket(bench: Bench) -> None:
    guest = bench.store.new_account(f"guest-{bench.route.scheme.value}-{bench.route.style.value}")
    theirs = {
        "AWS_ACCESS_KEY_ID": guest["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": guest["secret_access_key"],
        "RESTIC_REPOSITORY": bench.environment["RESTIC_REPOSITORY"].removesuffix("/backup") + "/shared",
    }
    lookup = ("-o", f"s3.bucket-lookup={_lookup(bench)}")
    bench.run("restic", *lookup, "init", status=1, **theirs)
    bench.judge.put_bucket_policy(Bucket=bench.bucket, Policy=json.dumps(_shared_with(guest["account_id"], bench.bucket)))
    bench.run("restic", *lookup, "init", **theirs)
    bench.run("restic", *lookup, "backup", bench.tree.root, **theirs)
    assert "no errors were found" in bench.run("restic", *lookup, "check", "--read-data", **theirs)
    back = bench.home / "shared-back"
    bench.run("restic", *lookup, "restore", "latest", "--target", back, **theirs)
    assert digests_below(back / bench.tree.root.relative_to("/")) == bench.tree.digests
    own = {**theirs, "RESTIC_REPOSITORY": bench.environment["RESTIC_REPOSITORY"]}
    bench.run("restic", *lookup, "snapshots", status=1, **own)
    bench.judge.delete_bucket_policy(Bucket=bench.bucket)
    bench.run("restic", *lookup, "snapshots", status=1, **theirs)


def _shared_with(account_id: str, bucket: str) -> dict[str, object]:
    """A policy that gives another account the folder `shared/`, and nothing beside it; HeadBucket names no prefix."""
    guest = {"AWS": f"arn:aws:iam::{account_id}:root"}
    arn = f"arn:aws:s3:::{bucket}"
    within = {"StringLikeIfExists": {"s3:prefix": ["shared", "shared/*"]}}
    statements = [
        {"Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": f"{arn}/shared/*"},
        {"Action": "s3:ListBucket", "Resource": arn, "Condition": within},
        {"Action": ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], "Resource": arn},
    ]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": guest, **one} for one in statements]}


def _lookup(bench: Bench) -> str:
    return bench.settings.values[bench.route.style]["lookup"]


def _stored_bytes(bench: Bench) -> int:
    pages = bench.judge.get_paginator("list_objects_v2").paginate(Bucket=bench.bucket)
    return sum(entry["Size"] for page in pages for entry in page["Contents"])
