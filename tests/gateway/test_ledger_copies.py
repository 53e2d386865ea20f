"""Who tries to read an object by copying it is seen by its owner, as one who asks for it by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .log import Auditor, Line
from .own_account import own_account
from .people import allow, make_person
from .service import Service
from .shelf import Shelf, new_name, sdk

service, s3 = own_account()

ABROAD = {"LocationConstraint": "eu-central-1"}


@pytest.fixture(scope="module")
def auditor(service: Service) -> Auditor:
    return Auditor(service.raw(), service.owner.account_id)


@pytest.fixture(scope="module")
def iam(service: Service) -> Any:
    return sdk(service, name="iam")


@pytest.fixture(scope="module")
def other(service: Service) -> Service:
    """Another account of the same deployment."""
    return service.with_own_account(new_name())


@pytest.fixture(scope="module")
def theirs(other: Service) -> Shelf:
    """A bucket of that account."""
    name, s3 = new_name(), sdk(other)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=ABROAD)
    return Shelf(name, s3, other.raw(), other)


def fail(code: str, ask: Any, **wanted: Any) -> str:
    """Ask for what is refused with this code; return the id that the answer gives its entry."""
    with pytest.raises(ClientError) as refused:
        ask(**wanted)
    assert refused.value.response["Error"]["Code"] == code
    return str(refused.value.response["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"])


def told(line: Line) -> tuple[str, int, str, str]:
    facts, opening = line.leaf.facts, line.opening
    assert opening is not None
    return facts.kind, facts.status, facts.reason, f"{opening.bucket}/{opening.object_key}"


def test_a_copy_that_may_not_read_its_source_is_seen_by_the_sources_owner(
    bucket: Shelf, auditor: Auditor, other: Service, theirs: Shelf
) -> None:
    bucket.put("secret", b"the secret")
    source = f"{bucket.name}/secret"
    upload = theirs.start("part")
    part = {"Bucket": theirs.name, "Key": "part", "UploadId": upload, "PartNumber": 1}
    copied = fail("AccessDenied", theirs.s3.copy_object, Bucket=theirs.name, Key="stolen", CopySource=source)
    of_version = fail(
        "AccessDenied", theirs.s3.upload_part_copy, **part, CopySource=f"{source}?versionId=null", CopySourceRange="bytes=0-3"
    )
    absent = fail("AccessDenied", theirs.s3.copy_object, Bucket=theirs.name, Key="stolen", CopySource=f"{bucket.name}/none")
    found = auditor.await_entries([copied, of_version, absent])
    assert [len(lines) for lines in found.values()] == [1, 1, 1]
    seen = [found[entry_id][0] for entry_id in (copied, of_version, absent)]
    assert [told(line) for line in seen] == [
        ("object.read", 403, "AccessDenied", source),
        ("object.read", 403, "AccessDenied", source),
        ("object.read", 403, "AccessDenied", f"{bucket.name}/none"),
    ]
    assert [(line.leaf.facts.version_id, line.leaf.facts.byte_range) for line in seen] == [("", ""), ("null", "0-3"), ("", "")]
    for line in seen:
        assert line.opening is not None
        assert (line.opening.principal, line.opening.permit) == (f"arn:aws:iam::{other.owner.account_id}:root", "")
        assert line.leaf.facts.bucket_id
    own = Auditor(other.raw(), other.owner.account_id).await_entries([copied, of_version])
    assert [told(line) for lines in own.values() for line in lines] == [
        ("object.copy", 403, "AccessDenied", f"{theirs.name}/stolen"),
        ("upload.copy_part", 403, "AccessDenied", f"{theirs.name}/part"),
    ]


def test_a_copy_whose_condition_on_the_source_fails_is_seen_by_the_sources_owner(
    versioned: Shelf, auditor: Auditor, other: Service, theirs: Shelf
) -> None:
    version_id = versioned.put("shared", b"shared")["VersionId"]
    statement = {
        "Sid": "Share",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{other.owner.account_id}:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{versioned.name}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    versioned.s3.put_bucket_policy(Bucket=versioned.name, Policy=policy)
    source = f"{versioned.name}/shared"
    into = {"Bucket": theirs.name, "Key": "copy", "CopySource": source}
    failed = fail("PreconditionFailed", theirs.s3.copy_object, **into, CopySourceIfMatch='"00"')
    (line,) = auditor.await_entries([failed])[failed]
    assert told(line) == ("object.read", 412, "PreconditionFailed", source)
    assert line.leaf.facts.version_id == version_id
    assert line.opening is not None
    assert line.opening.permit == "bucket policy, statement Share"
    # What is read is told once, also where the copy then fails.
    theirs.put("copy")
    read = fail("PreconditionFailed", theirs.s3.copy_object, **into, IfNoneMatch="*")
    (line,) = auditor.await_entries([read])[read]
    assert told(line) == ("object.read", 200, "copy source", source)


def test_what_a_user_tries_to_read_by_a_copy_is_in_the_accounts_log(
    bucket: Shelf, second_bucket: Shelf, service: Service, iam: Any, auditor: Auditor
) -> None:
    bucket.put("secret", b"the secret", Tagging="a=b")
    source, target = f"{bucket.name}/secret", f"{second_bucket.name}/copy"
    into = {"Bucket": second_bucket.name, "Key": "copy", "CopySource": source}
    writer = make_person(service, iam, allow("s3:Put*"))
    no_read = fail("AccessDenied", writer.s3.copy_object, **into)
    reader = make_person(service, iam, allow(["s3:Put*", "s3:GetObject"]))
    no_tags = fail("AccessDenied", reader.s3.copy_object, **into)
    found = auditor.await_entries([no_read, no_tags])
    for lines in found.values():
        assert sorted(told(line) for line in lines) == [
            ("object.copy", 403, "AccessDenied", target),
            ("object.read", 403, "AccessDenied", source),
        ]
