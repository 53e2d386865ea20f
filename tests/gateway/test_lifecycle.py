"""Lifecycles: put and read as S3 has them, told in headers, and applied by the steward, here with days of one second."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from .service import Service, running
from .shelf import Shelf, fails, make_shelf, md5_b64, new_name, refused, sdk

DAY_S = 1.0
PATIENCE_S = 60.0
QUICK = {"SIEGEL_LIFECYCLE_DAY_S": str(DAY_S), "SIEGEL_STEWARD_INTERVAL_S": "0.2", "SIEGEL_GRACE_S": "1"}
Rule = dict[str, Any]


@pytest.fixture(scope="module")
def quick_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with short days and a busy steward."""
    with running(tmp_path_factory.mktemp("quick") / "data", "--workers", "2", env=QUICK) as started:
        yield started


@pytest.fixture(scope="module")
def quick_s3(quick_service: Service) -> Iterator[Any]:
    client = sdk(quick_service)
    yield client
    client.close()


@pytest.fixture
def quick(quick_service: Service, quick_s3: Any) -> Shelf:
    return make_shelf(quick_service, quick_s3)


def rule(rule_id: str = "r", narrow: Any = None, status: str = "Enabled", **actions: Any) -> Rule:
    return {"ID": rule_id, "Filter": narrow or {"Prefix": ""}, "Status": status, **actions}


DAYS: Rule = {"Expiration": {"Days": 1}}


def put_rules(bucket: Shelf, *rules: Rule, **options: Any) -> Any:
    wanted = {"Rules": list(rules)}
    return bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration=wanted, **options)


def get_rules(bucket: Shelf) -> list[Rule]:
    rules = bucket.s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert isinstance(rules, list)
    return rules


def wait_until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.1)


# What is configured.


def test_rules_are_put_read_replaced_and_deleted(bucket: Shelf):
    with fails(404, "NoSuchLifecycleConfiguration"):
        get_rules(bucket)
    everything = {
        "And": {"Prefix": "a/", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 9}
    }
    noncurrent = {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2}
    rules = [
        rule("days", everything, Expiration={"Days": 30}),
        rule("date", {"Tag": {"Key": "k", "Value": ""}}, Expiration={"Date": datetime(2030, 1, 1, tzinfo=UTC)}),
        rule("markers", Expiration={"ExpiredObjectDeleteMarker": True}, NoncurrentVersionExpiration=noncurrent),
        rule("uploads", {"Prefix": "up/"}, "Disabled", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}),
    ]
    done = put_rules(bucket, *rules)
    assert done["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    for _ in range(6):  # on every worker
        assert get_rules(bucket) == rules
    put_rules(bucket, rule("only", **DAYS), TransitionDefaultMinimumObjectSize="varies_by_storage_class")
    found = bucket.s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)
    assert found["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"
    assert [item["ID"] for item in found["Rules"]] == ["only"]
    bucket.s3.delete_bucket_lifecycle(Bucket=bucket.name)
    bucket.s3.delete_bucket_lifecycle(Bucket=bucket.name)
    with fails(404, "NoSuchLifecycleConfiguration"):
        get_rules(bucket)


def test_the_older_form_is_told_as_it_was_put(bucket: Shelf):
    old = {"ID": "old", "Prefix": "logs/", "Status": "Enabled", "Expiration": {"Days": 1}}
    put_rules(bucket, old)
    assert get_rules(bucket) == [old]


def test_a_rule_without_an_id_gets_one(bucket: Shelf):
    put_rules(bucket, {"Status": "Enabled", "Filter": {}, **DAYS})
    assert get_rules(bucket)[0]["ID"]


@pytest.mark.parametrize(
    ("status", "code", "rules"),
    [
        (400, "MalformedXML", []),
        (400, "MalformedXML", [rule(status="On", **DAYS)]),
        (400, "MalformedXML", [{"ID": "r", "Status": "Enabled", **DAYS}]),
        (400, "MalformedXML", [rule(f"r{number}", **DAYS) for number in range(1001)]),
        (400, "MalformedXML", [rule(Expiration={"Days": 1, "Date": datetime(2030, 1, 1, tzinfo=UTC)})]),
        (400, "InvalidArgument", [rule(Expiration={"Days": 0})]),
        (400, "InvalidArgument", [rule(Expiration={"Date": datetime(2030, 1, 1, 1, tzinfo=UTC)})]),
        (400, "InvalidArgument", [rule(**DAYS), rule(**DAYS)]),
        (400, "InvalidArgument", [rule("i" * 256, **DAYS)]),
        (400, "InvalidRequest", [rule()]),
        (
            400,
            "InvalidRequest",
            [rule(narrow={"Tag": {"Key": "k", "Value": "v"}}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})],
        ),
        (400, "InvalidTag", [rule(narrow={"Tag": {"Key": "aws:k", "Value": "v"}}, **DAYS)]),
        (501, "NotImplemented", [rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}])]),
    ],
)
def test_rules_that_cannot_be_leave_the_old_ones(bucket: Shelf, status, code, rules):
    put_rules(bucket, rule("old", **DAYS))
    with fails(status, code):
        put_rules(bucket, *rules)
    assert [item["ID"] for item in get_rules(bucket)] == ["old"]


def test_trap_30_a_lifecycle_comes_with_its_digest(bucket: Shelf):
    inside = b"<Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>"
    xml = b"<LifecycleConfiguration><Rule>%s</Rule></LifecycleConfiguration>" % inside
    refused(bucket.call("PUT", query="lifecycle", body=xml), 400, "InvalidRequest")
    assert bucket.call("PUT", query="lifecycle", headers=[("Content-MD5", md5_b64(xml))], body=xml).status == 200


@pytest.mark.parametrize("prefix", ["../other/", "..%2f", "/", "\\..\\", "%2e%2e/", "\u00fc<&>\u2028", "k" * 1024])
def test_t51_rustfs_ghsa_f4vq_odd_prefixes_are_kept_to_the_letter(bucket: Shelf, prefix):
    put_rules(bucket, rule(narrow={"Prefix": prefix}, **DAYS))
    assert get_rules(bucket)[0]["Filter"] == {"Prefix": prefix}
    bucket.put("k", b"1")
    assert ("Expiration" in bucket.head("k")) == "k".startswith(prefix)


def test_t35_no_lifecycle_in_a_strangers_bucket(bucket: Shelf, stranger_s3: Any):
    other = Shelf(bucket.name, stranger_s3, bucket.raw, bucket.service)
    put_rules(bucket, rule("mine", **DAYS))
    for attempt in (
        lambda: put_rules(other, rule("theirs", **DAYS)),
        lambda: get_rules(other),
        lambda: other.s3.delete_bucket_lifecycle(Bucket=bucket.name),
        lambda: put_rules(bucket, rule("theirs", **DAYS), ExpectedBucketOwner="1" * 12),
    ):
        with fails(403, "AccessDenied"):
            attempt()
    assert [item["ID"] for item in get_rules(bucket)] == ["mine"]


# What answers tell.

EXPIRATION = re.compile(r'expiry-date="([^"]+)", rule-id="([^"]+)"')


def told(text: str) -> tuple[datetime, str]:
    found = EXPIRATION.fullmatch(text)
    assert found, text
    return parsedate_to_datetime(found[1]), found[2]


def test_an_expiry_is_told_on_put_copy_get_and_head(bucket: Shelf):
    put_rules(bucket, rule("ten days", Expiration={"Days": 10}), rule("tagged", {"Tag": {"Key": "k", "Value": "v"}}, **DAYS))
    made = datetime.now(UTC)
    put = bucket.put("k", b"1")["Expiration"]
    at, rule_id = told(put)
    assert rule_id == "ten%20days"
    assert (at.hour, at.minute, at.second) == (0, 0, 0)
    assert timedelta(days=10) <= at - made + timedelta(minutes=1) <= timedelta(days=11, minutes=1)
    assert bucket.head("k")["Expiration"] == put
    assert bucket.s3.get_object(Bucket=bucket.name, Key="k")["Expiration"] == put
    copied = bucket.s3.copy_object(Bucket=bucket.name, Key="c", CopySource={"Bucket": bucket.name, "Key": "k"})
    assert told(copied["Expiration"])[1] == "ten%20days"
    assert told(bucket.put("t", b"1", Tagging="k=v")["Expiration"])[1] == "tagged"
    upload_id = bucket.start("m", Tagging="k=v")
    done = bucket.complete("m", upload_id, [bucket.part("m", upload_id, 1, b"1")])
    assert told(done["Expiration"])[1] == "tagged"
    bucket.s3.delete_bucket_lifecycle(Bucket=bucket.name)
    assert "Expiration" not in bucket.head("k")


def test_an_abort_is_told_on_create_and_list_parts(bucket: Shelf):
    put_rules(bucket, rule("up", {"Prefix": "u"}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 2}))
    made = bucket.s3.create_multipart_upload(Bucket=bucket.name, Key="u1")
    listed = bucket.s3.list_parts(Bucket=bucket.name, Key="u1", UploadId=made["UploadId"])
    assert made["AbortRuleId"] == listed["AbortRuleId"] == "up"
    assert made["AbortDate"] == listed["AbortDate"]
    assert timedelta(days=2) <= made["AbortDate"] - datetime.now(UTC) + timedelta(minutes=1) <= timedelta(days=3, minutes=1)
    assert "AbortDate" not in bucket.s3.create_multipart_upload(Bucket=bucket.name, Key="other")


def test_what_ends_after_the_year_9999_is_told_as_its_end(bucket: Shelf):
    never = 2_147_483_647
    put_rules(
        bucket,
        rule(
            Expiration={"Days": never},
            NoncurrentVersionExpiration={"NoncurrentDays": never},
            AbortIncompleteMultipartUpload={"DaysAfterInitiation": never},
        ),
    )
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    put = bucket.put("k", b"1")["Expiration"]
    assert told(put) == (end, "r")
    assert bucket.head("k")["Expiration"] == bucket.s3.get_object(Bucket=bucket.name, Key="k")["Expiration"] == put
    assert bucket.s3.copy_object(Bucket=bucket.name, Key="c", CopySource={"Bucket": bucket.name, "Key": "k"})["Expiration"] == put
    made = bucket.s3.create_multipart_upload(Bucket=bucket.name, Key="m")
    assert made["AbortDate"] == end
    assert bucket.s3.list_parts(Bucket=bucket.name, Key="m", UploadId=made["UploadId"])["AbortDate"] == end
    assert bucket.complete("m", made["UploadId"], [bucket.part("m", made["UploadId"], 1, b"1")])["Expiration"] == put
    assert get_rules(bucket)[0]["Expiration"] == {"Days": never}


# What the steward does.


def test_current_objects_expire_and_others_stay(quick: Shelf):
    narrow = {"And": {"Prefix": "old/", "Tags": [{"Key": "keep", "Value": "no"}], "ObjectSizeGreaterThan": 0}}
    put_rules(quick, rule(narrow=narrow, **DAYS))
    quick.put("old/small", b"1", Tagging="keep=no")
    quick.put("old/large", bytes(100_000), Tagging="keep=no&more=1")
    stay = {"old/empty": "keep=no", "old/kept": "keep=yes", "old/plain": "", "new/a": "keep=no"}
    for key, tags in stay.items():
        quick.put(key, b"" if key == "old/empty" else b"1", Tagging=tags)
    wait_until(lambda: quick.keys() == sorted(stay), "expired objects are gone")
    time.sleep(2 * DAY_S)
    assert quick.keys() == sorted(stay)


def test_with_versions_an_expired_object_is_under_a_marker_until_it_is_removed_too(quick: Shelf):
    quick.version()
    version = quick.put("k", b"1")["VersionId"]
    put_rules(quick, rule(**DAYS))
    wait_until(lambda: quick.keys() == [], "the object expired")
    assert quick.get("k", VersionId=version) == b"1"
    assert [kind for _, _, _, kind in quick.versions()].count("marker") == 1
    put_rules(quick, rule(NoncurrentVersionExpiration={"NoncurrentDays": 1}, Expiration={"ExpiredObjectDeleteMarker": True}))
    wait_until(lambda: quick.versions() == [], "the version and then its marker are gone")


def test_the_newest_noncurrent_versions_stay(quick: Shelf):
    quick.version()
    bodies = [str(number).encode() for number in range(5)]
    versions = [quick.put("k", body)["VersionId"] for body in bodies]
    put_rules(quick, rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}))
    wait_until(lambda: len(quick.versions()) == 3, "two versions are gone")
    time.sleep(2 * DAY_S)
    assert {version for _, version, _, _ in quick.versions()} == set(versions[2:])
    assert quick.get("k") == b"4"


def test_uploads_are_aborted_and_the_others_can_be_completed(quick: Shelf):
    put_rules(quick, rule(narrow={"Prefix": "u/"}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}))
    gone, stays = quick.start("u/k"), quick.start("k")
    part = quick.part("k", stays, 1, b"1")

    def left() -> list[str]:
        return [upload["Key"] for upload in quick.s3.list_multipart_uploads(Bucket=quick.name).get("Uploads", [])]

    wait_until(lambda: left() == ["k"], "the upload is aborted")
    with fails(404, "NoSuchUpload"):
        quick.part("u/k", gone, 1, b"1")
    quick.complete("k", stays, [part])
    assert quick.get("k") == b"1"


def test_a_rule_that_is_off_does_nothing_and_a_date_that_is_past_does_at_once(quick: Shelf):
    put_rules(quick, rule("off", status="Disabled", **DAYS))
    quick.put("a", b"1")
    time.sleep(2 * DAY_S)
    assert quick.keys() == ["a"]
    put_rules(quick, rule("date", Expiration={"Date": datetime(2020, 1, 1, tzinfo=UTC)}))
    wait_until(lambda: quick.keys() == [], "the date is past")


def test_t102_minio_cve_2023_25812_no_lifecycle_removes_what_is_locked(quick_service: Service, quick_s3: Any):
    """Class: something that runs by itself and asks nobody."""
    locked = Shelf(new_name(), quick_s3, quick_service.raw(), quick_service)
    quick_s3.create_bucket(
        Bucket=locked.name,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        ObjectLockEnabledForBucket=True,
    )
    until = datetime.now(UTC) + timedelta(days=1)
    locks = {
        "governance": {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until},
        "compliance": {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until},
        "held": {"ObjectLockLegalHoldStatus": "ON"},
        "free": {},
    }
    for key, lock in locks.items():
        locked.put(key, key.encode(), **lock)
        locked.put(key, b"newer")
    put_rules(locked, rule(NoncurrentVersionExpiration={"NoncurrentDays": 1}, **DAYS))
    wait_until(lambda: all(key != "free" for key, _, _, kind in locked.versions()), "all that is free is gone")
    time.sleep(2 * DAY_S)
    left = [(key, version) for key, version, _, kind in locked.versions() if kind != "marker"]
    assert sorted({key for key, _ in left}) == ["compliance", "governance", "held"]
    assert sorted(locked.get(key, VersionId=version) for key, version in left) == [b"compliance", b"governance", b"held"]
    with fails(409, "BucketNotEmpty"):
        quick_s3.delete_bucket(Bucket=locked.name)
