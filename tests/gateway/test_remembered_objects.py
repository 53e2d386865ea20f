"""What workers remember of objects shows in no answer: each change, and each refusal, holds at every worker at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .people import allow, make_person
from .service import Service
from .shelf import Shelf, fails
from .test_kms_keys import make_key
from .test_sse_c import KEY, OTHER
from .test_sse_c import under as with_key
from .test_sse_kms import arn_of, under

# So many connections reach each of two workers, but for one time in some thirty thousand.
CONNECTIONS = 16


def everywhere(shelf: Shelf, name: str, method: str = "GET", **options: Any) -> set[tuple[int, bytes]]:
    """Read an object over new connections; return the different answers."""
    answers = [shelf.call(method, name, **options) for _ in range(CONNECTIONS)]
    return {(answer.status, answer.body if answer.status == 200 else b"") for answer in answers}


@pytest.mark.parametrize("name", ["plain", "under a key"])
def test_every_change_holds_at_every_worker(bucket: Shelf, kms: Any, name: str) -> None:
    options = under(arn_of(kms, make_key(kms))) if name == "under a key" else {}
    for number in range(8):
        bucket.put(name, b"%d" % number, **options)
        assert everywhere(bucket, name) == {(200, b"%d" % number)}
    bucket.s3.put_object_tagging(Bucket=bucket.name, Key=name, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert {bucket.call("HEAD", name).header("x-amz-tagging-count") for _ in range(CONNECTIONS)} == {"1"}
    bucket.s3.delete_object(Bucket=bucket.name, Key=name)
    assert everywhere(bucket, name) == {(404, b"")}


def test_versions_come_and_go_at_every_worker(bucket: Shelf) -> None:
    bucket.version()
    old = bucket.put("k", b"old")["VersionId"]
    new = bucket.put("k", b"new")["VersionId"]
    assert everywhere(bucket, "k") == {(200, b"new")}
    marker = bucket.s3.delete_object(Bucket=bucket.name, Key="k")["VersionId"]
    assert everywhere(bucket, "k") == {(404, b"")}
    bucket.s3.delete_object(Bucket=bucket.name, Key="k", VersionId=marker)
    assert everywhere(bucket, "k") == {(200, b"new")}
    bucket.s3.delete_object(Bucket=bucket.name, Key="k", VersionId=new)
    assert everywhere(bucket, "k") == {(200, b"old")}
    assert bucket.s3.get_object(Bucket=bucket.name, Key="k", VersionId=old)["Body"].read() == b"old"


def test_a_customers_key_is_asked_for_and_refused_however_often_an_object_was_read(bucket: Shelf) -> None:
    bucket.put("plain", b"1")
    assert bucket.call("PUT", "sealed", body=b"2", headers=with_key(KEY)).status == 200
    assert everywhere(bucket, "plain") == {(200, b"1")}
    assert everywhere(bucket, "sealed", headers=with_key(KEY)) == {(200, b"2")}
    assert everywhere(bucket, "plain", headers=with_key(KEY)) == {(400, b"")}
    assert everywhere(bucket, "sealed") == {(400, b"")}
    assert everywhere(bucket, "sealed", headers=with_key(OTHER)) == {(403, b"")}


def test_a_key_decides_on_each_use_however_often_an_object_was_read(service: Service, bucket: Shelf, kms: Any, iam: Any) -> None:
    key = arn_of(kms, make_key(kms))
    bucket.put("k", b"1", **under(key))
    assert everywhere(bucket, "k") == {(200, b"1")}
    reader = make_person(service, iam, allow("s3:*"))

    caller = bucket.raw.as_caller(reader.keys)

    def theirs() -> Iterator[int]:
        for _ in range(CONNECTIONS):
            yield caller.call("GET", bucket.name, "k").status

    assert set(theirs()) == {403}
    grant = kms.create_grant(KeyId=key, GranteePrincipal=reader.arn, Operations=["Decrypt"])["GrantId"]
    assert set(theirs()) == {200}
    kms.revoke_grant(KeyId=key, GrantId=grant)
    assert set(theirs()) == {403}
    kms.disable_key(KeyId=key)
    assert everywhere(bucket, "k") == everywhere(bucket, "k", "HEAD") == {(400, b"")}
    with fails(400, "KMS.DisabledException"):
        bucket.get("k")
    kms.enable_key(KeyId=key)
    assert everywhere(bucket, "k") == {(200, b"1")}
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert everywhere(bucket, "k") == {(400, b"")}
