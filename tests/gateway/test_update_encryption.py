"""Another key for an object that is there (UpdateObjectEncryption), with the official SDK."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import SIEGEL, siegel

from .people import allow, make_person
from .service import Service
from .shelf import MIB, Shelf, fails, make_shelf, md5_hex, sdk, seeded
from .test_kms_keys import key_policy, make_key, to
from .test_sse_kms import arn_of, id_of, journal, key

__all__ = ["key"]


def update(bucket: Shelf, name: str, key: str, **options: Any) -> Any:
    wanted = {"SSEKMS": {"KMSKeyArn": key, **options.pop("extra", {})}}
    return bucket.s3.update_object_encryption(Bucket=bucket.name, Key=name, ObjectEncryption=wanted, **options)


def facts(bucket: Shelf, name: str, **options: Any) -> tuple[Any, ...]:
    """All that another key leaves as it is."""
    head = bucket.head(name, ChecksumMode="ENABLED", **options)
    told = (head[each] for each in ("ETag", "LastModified", "ContentLength", "ContentType", "Metadata", "ChecksumType"))
    attributes = bucket.s3.get_object_attributes(Bucket=bucket.name, Key=name, ObjectAttributes=["Checksum", "ObjectParts"])
    listed = next(entry for entry in bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"] if entry["Key"] == name)
    return (*told, attributes["Checksum"], attributes.get("ObjectParts"), listed["ETag"], bucket.get(name))


@pytest.mark.parametrize("size", [0, 10, 300_000])
def test_an_object_gets_another_key_and_keeps_all_else(service: Service, bucket: Shelf, kms: Any, key: str, size: int) -> None:
    other = arn_of(kms, make_key(kms))
    bucket.put("k", seeded(size), ContentType="x/y", Metadata={"a": "b"})
    before = facts(bucket, "k")
    assert before[0].strip('"') == md5_hex(seeded(size))
    done = update(bucket, "k", key)
    assert [(entry.kind, entry.status) for entry in journal(service, id_of(done))] == [
        ("object.encryption.write", 200), ("kms.generate_data_key", 200)
    ]  # fmt: skip
    assert facts(bucket, "k") == before
    head = bucket.head("k")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    done = update(bucket, "k", other, extra={"BucketKeyEnabled": True})
    assert [(entry.kind, entry.object_key) for entry in journal(service, id_of(done))][1:] == [
        ("kms.decrypt", key), ("kms.generate_data_key", other)
    ]  # fmt: skip
    assert facts(bucket, "k") == before
    assert (bucket.head("k")["SSEKMSKeyId"], bucket.head("k")["BucketKeyEnabled"]) == (other, True)
    kms.disable_key(KeyId=other)
    with fails(400, "KMS.DisabledException"):
        bucket.get("k")
    with bucket.unchanged(), fails(400, "KMS.DisabledException"):
        update(bucket, "k", key)


def test_an_object_of_parts_gets_another_key(bucket: Shelf, key: str) -> None:
    upload_id = bucket.start("k", ChecksumAlgorithm="SHA256")
    bodies = (seeded(5 * MIB, 1), seeded(1000, 2))
    parts = [bucket.part("k", upload_id, number, body, ChecksumAlgorithm="SHA256") for number, body in enumerate(bodies, 1)]
    bucket.complete("k", upload_id, parts)
    before = facts(bucket, "k")
    for _ in range(2):
        update(bucket, "k", key)
        assert facts(bucket, "k") == before
    assert before[-1] == b"".join(bodies)


def test_a_version_gets_another_key(versioned: Shelf, key: str) -> None:
    first = versioned.put("k", b"1")["VersionId"]
    versioned.put("k", b"2")
    update(versioned, "k", key, VersionId=first)
    assert versioned.head("k", VersionId=first)["SSEKMSKeyId"] == key
    assert versioned.head("k")["ServerSideEncryption"] == "AES256"
    assert (versioned.get("k", VersionId=first), versioned.get("k")) == (b"1", b"2")
    with fails(404, "NoSuchKey"):
        update(versioned, "none", key)


def test_conditions_and_deletes_see_the_etag_of_an_object_with_another_key(bucket: Shelf, key: str) -> None:
    etag = bucket.put("k", b"1")["ETag"]
    update(bucket, "k", key)
    with fails(412, "PreconditionFailed"):
        bucket.put("k", b"2", IfMatch='"0"')
    bucket.put("k", b"2", IfMatch=etag)
    assert bucket.get("k") == b"2"


def test_keys_and_objects_that_another_key_does_not_go_with(
    service: Service, bucket: Shelf, kms: Any, iam: Any, key: str
) -> None:
    bucket.put("k", b"1")
    bucket.put("twice", b"1", ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key)
    with fails(400, "InvalidRequest"):
        update(bucket, "twice", key)
    foreign = sdk(service, service.stranger, name="kms")
    theirs = arn_of(foreign, make_key(foreign, Policy=key_policy(to("*", "kms:*"))))
    foreign.close()
    with fails(403, "AccessDenied"):
        update(bucket, "k", theirs)
    for name, code in (
        (key.rpartition("/")[2], "InvalidRequest"),
        (key.rpartition("/")[0] + "/00000000-0000-4000-8000-000000000000", "KMS.NotFoundException"),
    ):
        with fails(400, code):
            update(bucket, "k", name)
    with fails(400, "InvalidRequest"):
        bucket.s3.update_object_encryption(Bucket=bucket.name, Key="k", ObjectEncryption={})
    person = make_person(service, iam, allow("s3:*"))
    client = person.s3
    with fails(403, "AccessDenied"):
        client.update_object_encryption(Bucket=bucket.name, Key="k", ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}})
    client.close()
    assert bucket.head("k")["ServerSideEncryption"] == "AES256"


def test_a_locked_version_keeps_its_key(service: Service, s3: Any, key: str) -> None:
    shelf = make_shelf(service, s3, ObjectLockEnabledForBucket=True)
    shelf.put("k", b"1", ObjectLockLegalHoldStatus="ON")
    with fails(403, "AccessDenied"):
        update(shelf, "k", key)
    shelf.s3.put_object_legal_hold(Bucket=shelf.name, Key="k", LegalHold={"Status": "OFF"})
    update(shelf, "k", key)
    assert shelf.head("k")["SSEKMSKeyId"] == key


def rewrapping(bucket: Shelf, state: Path, *words: str) -> tuple[list[str | Path], dict[str, str]]:
    """The words of the command, and the environment of who runs it."""
    keys = bucket.service.owner
    env = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    store = ("--endpoint-url", bucket.service.url, "--state", state)
    return ["keys", "rewrap", bucket.name, *store, "--json", *words], env


def rewrap(bucket: Shelf, state: Path, *words: str, code: int = 0) -> Any:
    command, env = rewrapping(bucket, state, *words)
    done = siegel(*command, env=env)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def test_a_whole_bucket_gets_another_key_by_the_command(versioned: Shelf, key: str, tmp_path: Path) -> None:
    for number in range(105):
        versioned.put(f"k{number:03}", b"%d" % number)
    versioned.put("k000", b"newer")
    versioned.put("twice", b"1", ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key)
    state = tmp_path / "state" / "rewrap.json"
    done = rewrap(versioned, state, "--key", key, code=1)
    assert done["rewrapped"] == 106
    assert [left.split(" ")[0] for left in done["left"]] == ["twice"]
    assert "InvalidRequest" in done["left"][0]
    for name, version_id, _, _ in versioned.versions():
        assert versioned.head(name, VersionId=version_id)["SSEKMSKeyId"] == key
    assert versioned.get("k000") == b"newer"
    assert json.loads(state.read_text()) == {}
    # A run that was cut off goes on behind the last version that it noted.
    noted = versioned.head("k102")["VersionId"]
    state.write_text(json.dumps({f"{versioned.name}/k {key}": ["k102", noted]}))
    assert rewrap(versioned, state, "--key", key, "--prefix", "k")["rewrapped"] == 2
    assert "nothing could be sealed anew" in rewrap(versioned, state, "--key", key.replace("key/", "key/0"), code=1)
    state.write_text("no note")
    assert "cannot be read" in rewrap(versioned, state, "--key", key, code=1)


def test_a_run_that_is_killed_leaves_every_object_readable_and_goes_on_where_it_was(
    bucket: Shelf, kms: Any, key: str, tmp_path: Path
) -> None:
    old, state = arn_of(kms, make_key(kms)), tmp_path / "rewrap.json"
    names = [f"k{number:03}" for number in range(320)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: bucket.put(name, name.encode(), ServerSideEncryption="aws:kms", SSEKMSKeyId=old), names))
    command, env = rewrapping(bucket, state, "--key", key, "--requests", "1")
    with subprocess.Popen([SIEGEL, *command], env=env) as process:
        while not state.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda name: bucket.head(name)["SSEKMSKeyId"], names))
    noted = names.index(json.loads(state.read_text())[f"{bucket.name}/ {key}"][0]) + 1
    sealed = keys.count(key)
    assert 100 <= noted <= sealed < len(names)
    assert keys == [key] * sealed + [old] * (len(names) - sealed)
    assert rewrap(bucket, state, "--key", key)["rewrapped"] == len(names) - noted
    kms.disable_key(KeyId=old)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(bucket.get, names)) == [name.encode() for name in names]
