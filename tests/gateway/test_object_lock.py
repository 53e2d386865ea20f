"""Object Lock: what is locked cannot be removed by anybody, by any way, until its time is up."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .raw import RawClient
from .service import Service
from .shelf import MIB, Shelf, fails, md5_b64, new_name, refused

Default = dict[str, Any]


def later(**span: float) -> datetime:
    return (datetime.now(UTC) + timedelta(**span)).replace(microsecond=0)


@pytest.fixture
def locked(service: Service, s3: Any) -> Shelf:
    """A bucket whose versions can be locked, without a default."""
    shelf = Shelf(new_name(), s3, service.raw(), service)
    s3.create_bucket(
        Bucket=shelf.name,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        ObjectLockEnabledForBucket=True,
    )
    return shelf


def put_locked(bucket: Shelf, key: str, mode: str = "COMPLIANCE", body: bytes = b"1", **options: Any) -> str:
    lock = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": options.pop("until", None) or later(days=1)}
    return str(bucket.put(key, body, **lock, **options)["VersionId"])


def retention(bucket: Shelf, key: str, **options: Any) -> tuple[str, datetime]:
    found = bucket.s3.get_object_retention(Bucket=bucket.name, Key=key, **options)["Retention"]
    return found["Mode"], found["RetainUntilDate"]


def set_retention(bucket: Shelf, key: str, mode: str, until: datetime, **options: Any) -> None:
    wanted = {"Mode": mode, "RetainUntilDate": until}
    bucket.s3.put_object_retention(Bucket=bucket.name, Key=key, Retention=wanted, **options)


def set_hold(bucket: Shelf, key: str, status: str, **options: Any) -> None:
    bucket.s3.put_object_legal_hold(Bucket=bucket.name, Key=key, LegalHold={"Status": status}, **options)


def remove(bucket: Shelf, key: str, version: str, **options: Any) -> Any:
    return bucket.s3.delete_object(Bucket=bucket.name, Key=key, VersionId=version, **options)


def default(mode: str, **period: int) -> Default:
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, **period}}}


def set_default(bucket: Shelf, configuration: Default) -> None:
    bucket.s3.put_object_lock_configuration(Bucket=bucket.name, ObjectLockConfiguration=configuration)


def get_default(bucket: Shelf) -> Default:
    found = bucket.s3.get_object_lock_configuration(Bucket=bucket.name)["ObjectLockConfiguration"]
    assert isinstance(found, dict)
    return found


# The bucket.


def test_trap_40_a_bucket_made_for_locks_keeps_versions_for_good(locked: Shelf):
    assert get_default(locked) == {"ObjectLockEnabled": "Enabled"}
    assert locked.s3.get_bucket_versioning(Bucket=locked.name)["Status"] == "Enabled"
    with fails(409, "InvalidBucketState"):
        locked.version("Suspended")
    locked.version("Enabled")
    assert locked.s3.get_bucket_versioning(Bucket=locked.name)["Status"] == "Enabled"


def test_trap_40_locks_need_versions(bucket: Shelf):
    with fails(404, "ObjectLockConfigurationNotFoundError"):
        get_default(bucket)
    with fails(409, "InvalidBucketState"):
        set_default(bucket, default("GOVERNANCE", Days=1))
    bucket.version("Suspended")
    with fails(409, "InvalidBucketState"):
        set_default(bucket, {"ObjectLockEnabled": "Enabled"})
    bucket.version("Enabled")
    set_default(bucket, {"ObjectLockEnabled": "Enabled"})
    with fails(409, "InvalidBucketState"):
        bucket.version("Suspended")


def test_the_default_locks_every_new_version(locked: Shelf):
    before = locked.put("before", b"1")["VersionId"]
    set_default(locked, default("COMPLIANCE", Days=2))
    assert get_default(locked) == default("COMPLIANCE", Days=2)
    version = locked.put("k", b"1")["VersionId"]
    mode, until = retention(locked, "k")
    assert mode == "COMPLIANCE"
    assert timedelta(0) <= until - datetime.now(UTC) - timedelta(days=2) + timedelta(minutes=1) <= timedelta(minutes=2)
    with fails(403, "AccessDenied"):
        remove(locked, "k", version)
    remove(locked, "before", before)
    own = later(days=30)
    put_locked(locked, "own", "GOVERNANCE", until=own)
    assert retention(locked, "own") == ("GOVERNANCE", own)
    set_default(locked, default("GOVERNANCE", Years=1))
    assert retention(locked, "k") == (mode, until)
    set_default(locked, {"ObjectLockEnabled": "Enabled"})
    locked.put("free", b"1")
    with fails(404, "NoSuchObjectLockConfiguration"):
        retention(locked, "free")


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({"ObjectLockEnabled": "Disabled"}, "MalformedXML"),
        (default("abc", Days=1), "MalformedXML"),
        (default("GOVERNANCE"), "MalformedXML"),
        (default("GOVERNANCE", Days=1, Years=1), "MalformedXML"),
        (default("GOVERNANCE", Days=0), "InvalidRetentionPeriod"),
        (default("GOVERNANCE", Days=-1), "InvalidRetentionPeriod"),
        (default("COMPLIANCE", Years=101), "InvalidRetentionPeriod"),
    ],
)
def test_trap_40_defaults_that_cannot_be(locked: Shelf, configuration, code):
    with fails(400, code):
        set_default(locked, configuration)
    assert get_default(locked) == {"ObjectLockEnabled": "Enabled"}


def test_object_lock_is_not_switched_on_by_half_a_word(raw: RawClient):
    name = new_name()
    refused(raw.call("PUT", name, headers=[("x-amz-bucket-object-lock-enabled", "maybe")]), 400, "InvalidArgument")
    assert raw.call("HEAD", name).status == 404


# Writing.


def test_trap_40_a_locked_put_needs_a_digest(locked: Shelf):
    lock = [
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-retain-until-date", later(days=1).isoformat().replace("+00:00", "Z")),
    ]
    hold = [("x-amz-object-lock-legal-hold", "ON")]
    for headers in (lock, hold):
        refused(locked.call("PUT", "k", headers=headers, body=b"1"), 400, "InvalidRequest")
    assert locked.versions() == []
    assert locked.call("PUT", "k", headers=[*lock, ("Content-MD5", md5_b64(b"1"))], body=b"1").status == 200
    set_default(locked, default("GOVERNANCE", Days=1))
    refused(locked.call("PUT", "k", body=b"1"), 400, "InvalidRequest")
    assert locked.call("PUT", "k", headers=[("Content-MD5", md5_b64(b"1"))], body=b"1").status == 200


@pytest.mark.parametrize(
    "options",
    [
        {"ObjectLockMode": "GOVERNANCE"},
        {"ObjectLockRetainUntilDate": "2099-01-01T00:00:00Z"},
        {"ObjectLockMode": "abc", "ObjectLockRetainUntilDate": "2099-01-01T00:00:00Z"},
        {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": "2020-01-01T00:00:00Z"},
        {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": "9999-01-01T00:00:00Z"},
        {"ObjectLockLegalHoldStatus": "abc"},
    ],
)
def test_trap_40_locks_that_cannot_be(locked: Shelf, options):
    with locked.unchanged():
        with fails(400, "InvalidArgument"):
            locked.put("k", b"1", **options)
        with fails(400, "InvalidArgument"):
            locked.start("k", **options)


def test_a_bucket_that_locks_nothing_takes_no_lock(versioned: Shelf):
    version = versioned.put("k", b"1")["VersionId"]
    with versioned.unchanged():
        with fails(400, "InvalidRequest"):
            put_locked(versioned, "k")
        with fails(400, "InvalidRequest"):
            versioned.put("k", b"1", ObjectLockLegalHoldStatus="ON")
        with fails(400, "InvalidRequest"):
            set_retention(versioned, "k", "GOVERNANCE", later(days=1))
        with fails(400, "InvalidRequest"):
            set_hold(versioned, "k", "ON")
        with fails(400, "InvalidRequest"):
            retention(versioned, "k", VersionId=version)
        with fails(400, "InvalidRequest"):
            versioned.s3.get_object_legal_hold(Bucket=versioned.name, Key="k")


def test_a_lock_is_shown_with_its_version(locked: Shelf):
    until = later(days=3)
    put_locked(locked, "k", "GOVERNANCE", until=until, ObjectLockLegalHoldStatus="ON")
    for found in (locked.head("k"), locked.s3.get_object(Bucket=locked.name, Key="k")):
        assert (found["ObjectLockMode"], found["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", until)
        assert found["ObjectLockLegalHoldStatus"] == "ON"
    locked.put("free", b"1")
    assert not any(name.startswith("ObjectLock") for name in locked.head("free"))
    assert retention(locked, "k") == ("GOVERNANCE", until)
    with fails(404, "NoSuchObjectLockConfiguration"):
        retention(locked, "free")
    with fails(404, "NoSuchObjectLockConfiguration"):
        locked.s3.get_object_legal_hold(Bucket=locked.name, Key="free")


def test_copies_and_uploads_can_be_locked_and_inherit_nothing(locked: Shelf):
    until = later(days=3)
    put_locked(locked, "k", until=until)
    source = {"Bucket": locked.name, "Key": "k"}
    free = locked.s3.copy_object(Bucket=locked.name, Key="free", CopySource=source)["VersionId"]
    remove(locked, "free", free)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until, "ObjectLockLegalHoldStatus": "ON"}
    locked.s3.copy_object(Bucket=locked.name, Key="copy", CopySource=source, **lock)
    upload_id = locked.start("parts", **lock)
    refused(locked.call("PUT", "parts", query=f"uploadId={upload_id}&partNumber=1", body=b"1"), 400, "InvalidRequest")
    parts = [locked.part("parts", upload_id, 1, bytes(5 * MIB)), locked.part("parts", upload_id, 2, b"end")]
    locked.complete("parts", upload_id, parts)
    for key in ("copy", "parts"):
        found = locked.head(key)
        assert (found["ObjectLockMode"], found["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", until)
        with fails(403, "AccessDenied"):
            remove(locked, key, found["VersionId"])
    set_default(locked, default("GOVERNANCE", Days=1))
    upload_id = locked.start("by default")
    locked.complete("by default", upload_id, [locked.part("by default", upload_id, 1, b"end")])
    assert retention(locked, "by default")[0] == "GOVERNANCE"


def test_a_lock_does_not_go_with_other_operations(locked: Shelf):
    upload_id = locked.start("k")
    hold = [("x-amz-object-lock-legal-hold", "ON")]
    refused(locked.call("PUT", "k", query=f"uploadId={upload_id}&partNumber=1", headers=hold, body=b"1"), 400, "InvalidRequest")


# Removing.


@pytest.mark.parametrize("bypass", [False, True])
def test_trap_40_nobody_removes_what_compliance_retains(locked: Shelf, bypass):
    version = put_locked(locked, "k")
    options = {"BypassGovernanceRetention": True} if bypass else {}
    with locked.unchanged():
        with fails(403, "AccessDenied"):
            remove(locked, "k", version, **options)
        done = locked.s3.delete_objects(Bucket=locked.name, Delete={"Objects": [{"Key": "k", "VersionId": version}]}, **options)
        assert [(row["Key"], row["VersionId"], row["Code"]) for row in done["Errors"]] == [("k", version, "AccessDenied")]
        with fails(403, "AccessDenied"):
            set_retention(locked, "k", "COMPLIANCE", later(hours=1), **options)
        with fails(403, "AccessDenied"):
            set_retention(locked, "k", "GOVERNANCE", later(days=9), **options)
        with fails(403, "AccessDenied"):
            locked.s3.put_object_retention(Bucket=locked.name, Key="k", Retention={}, **options)
    longer = later(days=9)
    set_retention(locked, "k", "COMPLIANCE", longer)
    assert retention(locked, "k") == ("COMPLIANCE", longer)


def test_trap_40_governance_is_bypassed_with_the_header_alone_to_be_seen(locked: Shelf):
    version = put_locked(locked, "k", "GOVERNANCE")
    with locked.unchanged():
        with fails(403, "AccessDenied"):
            remove(locked, "k", version)
        with fails(403, "AccessDenied"):
            set_retention(locked, "k", "GOVERNANCE", later(hours=1))
        with fails(403, "AccessDenied"):
            set_retention(locked, "k", "COMPLIANCE", later(days=9))
    soon = later(hours=1)
    set_retention(locked, "k", "GOVERNANCE", soon, BypassGovernanceRetention=True)
    assert retention(locked, "k") == ("GOVERNANCE", soon)
    remove(locked, "k", version, BypassGovernanceRetention=True)
    assert locked.versions() == []
    version = put_locked(locked, "k", "GOVERNANCE")
    done = locked.s3.delete_objects(
        Bucket=locked.name, Delete={"Objects": [{"Key": "k", "VersionId": version}]}, BypassGovernanceRetention=True
    )
    assert [row["VersionId"] for row in done["Deleted"]] == [version]
    put_locked(locked, "k", "GOVERNANCE")
    locked.s3.put_object_retention(Bucket=locked.name, Key="k", Retention={}, BypassGovernanceRetention=True)
    with fails(404, "NoSuchObjectLockConfiguration"):
        retention(locked, "k")


def test_t102_minio_cve_2023_25812_the_bypass_header_in_any_spelling_needs_the_right(locked: Shelf, service: Service):
    """Class: a header that a deny does not recognise in another case."""
    version = put_locked(locked, "k", "GOVERNANCE")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:BypassGovernanceRetention",
                "Resource": f"arn:aws:s3:::{locked.name}/*",
            }
        ],
    }
    locked.s3.put_bucket_policy(Bucket=locked.name, Policy=json.dumps(policy))
    query = f"versionId={version}"
    with locked.unchanged():
        for name in (
            "x-amz-bypass-governance-retention",
            "X-Amz-Bypass-Governance-Retention",
            "X-AMZ-BYPASS-GOVERNANCE-RETENTION",
        ):
            for value in ("true", "True", "TRUE"):
                refused(locked.call("DELETE", "k", query=query, headers=[(name, value)]), 403, "AccessDenied")
        for name in ("x_amz_bypass_governance_retention", "x-amz-bypass-governance-retention-"):
            answer = locked.call("DELETE", "k", query=query, headers=[(name, "true")])
            assert answer.status in {400, 403, 501}
    free = locked.put("free", b"1")["VersionId"]
    remove(locked, "free", free, BypassGovernanceRetention=True)


def test_a_legal_hold_is_its_own_lock(locked: Shelf):
    version = put_locked(locked, "k", "GOVERNANCE", ObjectLockLegalHoldStatus="ON")
    set_retention(locked, "k", "GOVERNANCE", later(hours=1), BypassGovernanceRetention=True)
    with locked.unchanged(), fails(403, "AccessDenied"):
        remove(locked, "k", version, BypassGovernanceRetention=True)
    set_hold(locked, "k", "OFF", VersionId=version)
    found = locked.s3.get_object_legal_hold(Bucket=locked.name, Key="k")
    assert found["LegalHold"]["Status"] == "OFF"
    with fails(403, "AccessDenied"):
        remove(locked, "k", version)
    remove(locked, "k", version, BypassGovernanceRetention=True)
    with fails(400, "MalformedXML"):
        locked.put("k", b"1")
        set_hold(locked, "k", "abc")


def test_trap_40_a_delete_without_a_version_puts_a_marker_on_top(locked: Shelf):
    version = put_locked(locked, "k")
    marker = locked.s3.delete_object(Bucket=locked.name, Key="k")
    assert marker["DeleteMarker"]
    assert locked.get("k", VersionId=version) == b"1"
    with fails(405, "MethodNotAllowed"):
        set_retention(locked, "k", "GOVERNANCE", later(days=1), VersionId=marker["VersionId"])
    remove(locked, "k", marker["VersionId"])
    assert locked.get("k") == b"1"


def test_trap_40_writes_add_versions_and_take_none_away(locked: Shelf):
    version = put_locked(locked, "k", body=b"locked")
    for number in range(3):
        locked.put("k", str(number).encode())
    locked.s3.copy_object(
        Bucket=locked.name, Key="k", CopySource={"Bucket": locked.name, "Key": "k"}, MetadataDirective="REPLACE"
    )
    locked.s3.delete_object(Bucket=locked.name, Key="k")
    assert locked.get("k", VersionId=version) == b"locked"
    assert len(locked.versions()) == 6
    with fails(409, "BucketNotEmpty"):
        locked.s3.delete_bucket(Bucket=locked.name)


def test_a_null_version_can_be_locked_after_versions_began(bucket: Shelf):
    bucket.put("k", b"null")
    bucket.version()
    set_default(bucket, {"ObjectLockEnabled": "Enabled"})
    set_retention(bucket, "k", "COMPLIANCE", later(days=1))
    with fails(403, "AccessDenied"):
        remove(bucket, "k", "null")
    bucket.put("k", b"new")
    assert bucket.get("k", VersionId="null") == b"null"


def test_a_retention_that_is_over_locks_nothing(locked: Shelf):
    until = later(seconds=3)
    version = put_locked(locked, "k", until=until)
    with fails(403, "AccessDenied"):
        remove(locked, "k", version)
    time.sleep(max((until - datetime.now(UTC)).total_seconds(), 0) + 1)
    assert retention(locked, "k") == ("COMPLIANCE", until)
    set_retention(locked, "k", "GOVERNANCE", later(days=1))
    remove(locked, "k", version, BypassGovernanceRetention=True)
    assert locked.versions() == []


@pytest.mark.parametrize(
    ("query", "xml"),
    [
        ("retention", b"<Retention><Mode>GOVERNANCE</Mode></Retention>"),
        ("retention", b"<Retention><Mode>abc</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>"),
        ("retention", b"<!DOCTYPE a><Retention/>"),
        ("legal-hold", b"<LegalHold/>"),
        ("legal-hold", b"<LegalHold><Status>on</Status></LegalHold>"),
    ],
)
def test_t69_odd_locks_are_refused(locked: Shelf, query, xml):
    """Class: XML that is not what the operation takes."""
    locked.put("k", b"1")
    refused(locked.call("PUT", "k", query=query, body=xml), 400, "InvalidRequest")
    answer = locked.call("PUT", "k", query=query, headers=[("Content-MD5", md5_b64(xml))], body=xml)
    refused(answer, 400, "MalformedXML")
    assert not any(name.startswith("ObjectLock") for name in locked.head("k"))


def test_t102_rustfs_ghsa_j548_a_stranger_changes_no_lock(locked: Shelf, stranger_s3: Any):
    version = put_locked(locked, "k", "GOVERNANCE")
    other = Shelf(locked.name, stranger_s3, locked.raw, locked.service)
    with locked.unchanged():
        for attempt in (
            lambda: set_retention(other, "k", "GOVERNANCE", later(days=9)),
            lambda: set_hold(other, "k", "ON"),
            lambda: retention(other, "k"),
            lambda: set_default(other, default("COMPLIANCE", Days=9)),
            lambda: get_default(other),
            lambda: remove(other, "k", version, BypassGovernanceRetention=True),
        ):
            with fails(403, "AccessDenied"):
                attempt()


def test_t101_codefinger_with_a_lock_everything_is_recovered(locked: Shelf):
    """Codefinger: a stolen key re-encrypts a bucket with a key of its own, and has the rest deleted."""
    set_default(locked, default("COMPLIANCE", Days=30))
    wanted = {f"file {number}": str(number).encode() * 100 for number in range(20)}
    versions = {key: locked.put(key, body)["VersionId"] for key, body in wanted.items()}
    attacker = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"\1" * 32}
    for key in wanted:
        source = {"Bucket": locked.name, "Key": key}
        locked.s3.copy_object(Bucket=locked.name, Key=key, CopySource=source, **attacker)
        with fails(403, "AccessDenied"):
            remove(locked, key, versions[key], BypassGovernanceRetention=True)
        locked.s3.delete_object(Bucket=locked.name, Key=key)
    set_default(locked, default("GOVERNANCE", Days=1))
    for key in wanted:
        with fails(403, "AccessDenied"):
            set_retention(locked, key, "COMPLIANCE", later(hours=1), VersionId=versions[key])
    assert {key: locked.get(key, VersionId=version) for key, version in versions.items()} == wanted
