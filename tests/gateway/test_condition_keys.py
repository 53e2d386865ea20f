"""Condition keys say what a request does: what its body asks for is told, and a header that it does not go by is not."""

from __future__ import annotations

from typing import Any

import pytest

from .form import signed_form
from .people import Person, allow, deny, document, make_person
from .raw import Answer, with_length
from .service import Service
from .shelf import Shelf, fails, md5_b64, new_name, quoted_md5, refused, sdk
from .test_bucket_policies import account, open_to_the_public, put_policy, statement
from .test_delete_objects import delete_xml
from .test_object_lock import later, locked, put_locked

__all__ = ["locked"]


def may(service: Service, person: Person, bucket: Shelf, *statements: dict[str, Any]) -> None:
    """Write a person's rights anew."""
    own = sdk(service, name="iam")
    own.put_user_policy(UserName=person.name, PolicyName="own", PolicyDocument=document(*statements))


def send(person: Person, bucket: Shelf, method: str, key: str | None, body: bytes, **more: Any) -> Answer:
    headers = [("content-md5", md5_b64(body)), *more.pop("headers", ())]
    return person.service.raw(person.keys).call(method, bucket.name, key, headers=headers, body=body, **more)


# Object Lock.


def hold(person: Person, bucket: Shelf, status: str) -> None:
    person.s3.put_object_legal_hold(Bucket=bucket.name, Key="k", LegalHold={"Status": status})


def test_a_policy_lets_holds_be_set_and_not_be_lifted(locked: Shelf, service: Service, iam: Any) -> None:
    locked.put("k", b"1")
    off, on = ({"StringEquals": {"s3:object-lock-legal-hold": status}} for status in ("OFF", "ON"))
    action = "s3:PutObjectLegalHold"
    for rights in ([allow(action), deny(action, Condition=off)], [allow(action, Condition=on)]):
        person = make_person(service, iam, *rights)
        hold(person, locked, "ON")
        with locked.unchanged(), fails(403, "AccessDenied"):
            hold(person, locked, "OFF")
        said = [("x-amz-object-lock-legal-hold", "ON")]
        xml = b"<LegalHold><Status>OFF</Status></LegalHold>"
        with locked.unchanged():
            assert send(person, locked, "PUT", "k", xml, query="legal-hold", headers=said).status >= 400


def test_every_action_of_a_write_sees_the_lock_that_it_wishes(locked: Shelf, service: Service, iam: Any) -> None:
    long = {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}}
    held = {"StringEquals": {"s3:object-lock-legal-hold": "ON"}}
    strict = {"StringEquals": {"s3:object-lock-mode": "COMPLIANCE"}}
    locks = ["s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectLegalHold"]
    person = make_person(
        service, iam, allow(locks), *(deny("s3:PutObject", Condition=condition) for condition in (long, held, strict))
    )

    def put(**lock: Any) -> None:
        person.s3.put_object(Bucket=locked.name, Key="k", Body=b"1", **lock)

    for lock in (
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later(days=11)},
        {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": later(days=1)},
        {"ObjectLockLegalHoldStatus": "ON"},
    ):
        with locked.unchanged(), fails(403, "AccessDenied"):
            put(**lock)
    put(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(days=9), ObjectLockLegalHoldStatus="OFF")


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%Y-%m-%dT%H:%M:%SZ"])
def test_a_date_is_told_in_one_form_however_it_was_sent(locked: Shelf, service: Service, iam: Any, form: str) -> None:
    """Else a date in the form of HTTP headers, which is taken, passes whatever a policy compares it with."""
    bound = {"DateGreaterThan": {"s3:object-lock-retain-until-date": later(days=10).strftime("%Y-%m-%dT%H:%M:%SZ")}}
    rights = ["s3:PutObject", "s3:PutObjectRetention"]
    person = make_person(service, iam, allow(rights), deny("s3:PutObject", Condition=bound))

    def put(days: int) -> Answer:
        until = later(days=days).strftime(form)
        lock = [("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", until)]
        return send(person, locked, "PUT", "k", b"1", headers=lock)

    with locked.unchanged():
        refused(put(11), 403, "AccessDenied")
    assert put(9).status == 200


def test_a_retention_is_decided_by_its_body_and_so_is_the_bypass(locked: Shelf, service: Service, iam: Any) -> None:
    version = put_locked(locked, "k", "GOVERNANCE", until=later(days=8))
    short = {"NumericLessThan": {"s3:object-lock-remaining-retention-days": "5"}}
    mode = {"StringEquals": {"s3:object-lock-mode": "GOVERNANCE"}}
    person = make_person(
        service,
        iam,
        allow("s3:PutObjectRetention", Condition=mode),
        allow("s3:BypassGovernanceRetention"),
        deny("s3:BypassGovernanceRetention", Condition=short),
    )

    def retain(days: int, mode: str = "GOVERNANCE") -> None:
        wanted = {"Mode": mode, "RetainUntilDate": later(days=days)}
        name = {"Bucket": locked.name, "Key": "k", "VersionId": version}
        person.s3.put_object_retention(**name, Retention=wanted, BypassGovernanceRetention=True)

    for wanted in ((3, "GOVERNANCE"), (9, "COMPLIANCE")):
        with locked.unchanged(), fails(403, "AccessDenied"):
            retain(*wanted)
    retain(6)


# Conditional requests.


def test_a_policy_enforces_conditional_deletes(bucket: Shelf, service: Service, iam: Any) -> None:
    """User Guide, "Enforce conditional deletes"."""
    conditional = {"Null": {"s3:if-match": "false"}}
    person = make_person(service, iam, allow("s3:DeleteObject", Condition=conditional), allow("s3:GetObject"))
    for key in ("a", "b"):
        bucket.put(key, b"1")
    idle = [("if-match", '"nonsense"')]
    answer = send(person, bucket, "POST", None, delete_xml(["a", "b"]), query="delete", headers=idle)
    assert [node.text for node in answer.xml.findall("Error/Code")] == ["AccessDenied"] * 2
    named = {"Objects": [{"Key": "a", "ETag": quoted_md5(b"1")}, {"Key": "b"}]}
    done = person.s3.delete_objects(Bucket=bucket.name, Delete=named)
    assert [row["Key"] for row in done["Deleted"]] == ["a"]
    assert [(row["Key"], row["Code"]) for row in done["Errors"]] == [("b", "AccessDenied")]
    assert bucket.keys() == ["b"]
    person.s3.delete_object(Bucket=bucket.name, Key="b", IfMatch=quoted_md5(b"1"))


def upload(client: Any, bucket: Shelf, **conditions: Any) -> None:
    at = {"Bucket": bucket.name, "Key": "large"}
    upload_id = client.create_multipart_upload(**at)["UploadId"]
    etag = client.upload_part(**at, UploadId=upload_id, PartNumber=1, Body=b"1")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    client.complete_multipart_upload(**at, UploadId=upload_id, MultipartUpload=parts, **conditions)


def test_a_policy_enforces_conditional_writes(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    """User Guide, "Enforce conditional writes on Amazon S3 buckets": uploads by parts are let begin."""
    none = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    bucket.put("source", b"1")
    put_policy(
        bucket,
        statement(bucket, account(service), ["s3:PutObject", "s3:GetObject"]),
        statement(bucket, "*", "s3:PutObject", effect="Deny", Condition=none),
    )
    source = f"{bucket.name}/source"
    form = signed_form(service.owner, bucket.name, "form")
    with bucket.unchanged():
        with fails(403, "AccessDenied"):
            stranger_s3.put_object(Bucket=bucket.name, Key="small", Body=b"1")
        with fails(403, "AccessDenied"):
            stranger_s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=source)
        refused(form.post(bucket.raw, bucket.name), 403, "AccessDenied")
    with fails(403, "AccessDenied"):
        upload(stranger_s3, bucket)
    assert bucket.keys() == ["source"]
    stranger_s3.put_object(Bucket=bucket.name, Key="small", Body=b"1", IfNoneMatch="*")
    upload(stranger_s3, bucket, IfNoneMatch="*")
    form = signed_form(service.owner, bucket.name, "form", if_none_match="*")
    assert form.post(bucket.raw, bucket.name).status == 204
    assert bucket.keys() == ["form", "large", "small", "source"]


def test_a_grant_may_let_uploads_begin_that_must_end_conditionally(bucket: Shelf, service: Service, iam: Any) -> None:
    person = make_person(
        service,
        iam,
        allow("s3:PutObject", Condition={"Null": {"s3:if-none-match": "false"}}),
        allow("s3:PutObject", Condition={"Bool": {"s3:ObjectCreationOperation": "false"}}),
    )
    with fails(403, "AccessDenied"):
        upload(person.s3, bucket)
    upload(person.s3, bucket, IfNoneMatch="*")
    assert bucket.keys() == ["large"]


def test_a_write_that_names_an_etag_needs_the_right_to_read(bucket: Shelf, service: Service, iam: Any) -> None:
    """Else whoever may only write learns what is there by trying ETags."""
    etag = bucket.put("k", b"secret")["ETag"]
    bucket.put("source", b"1")
    source = allow("s3:GetObject", f"arn:aws:s3:::{bucket.name}/source")
    person = make_person(service, iam, allow("s3:PutObject"), source)
    at = {"Bucket": bucket.name, "Key": "k"}
    for tried in (etag, '"0"'):
        with bucket.unchanged():
            with fails(403, "AccessDenied"):
                person.s3.put_object(**at, Body=b"2", IfMatch=tried)
            with fails(403, "AccessDenied"):
                person.s3.copy_object(**at, CopySource=f"{bucket.name}/source", IfMatch=tried)
            form = signed_form(person.keys, bucket.name, "k", if_match=tried)
            refused(form.post(bucket.raw, bucket.name), 403, "AccessDenied")
    bucket.put("large", b"1")
    with fails(403, "AccessDenied"):
        upload(person.s3, bucket, IfMatch=quoted_md5(b"1"))
    may(service, person, bucket, allow(["s3:PutObject", "s3:GetObject"]))
    person.s3.put_object(**at, Body=b"2", IfMatch=etag)
    upload(person.s3, bucket, IfMatch=quoted_md5(b"1"))


def test_many_deletes_tell_of_absence_only_to_those_who_may_list(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    rights = statement(bucket, account(service), ["s3:DeleteObject", "s3:GetObject"])
    named = {"Objects": [{"Key": "none", "ETag": quoted_md5(b"1")}]}
    for more, code in (
        ([], "AccessDenied"),
        ([statement(bucket, account(service), "s3:ListBucket", on="")], "NoSuchKey"),
    ):
        put_policy(bucket, rights, *more)
        done = stranger_s3.delete_objects(Bucket=bucket.name, Delete=named)
        assert [row["Code"] for row in done["Errors"]] == [code]


# Bodies, tags and copies.


def test_a_presigned_url_signs_nothing_of_its_body(bucket: Shelf) -> None:
    """User Guide, "Amazon S3 Signature Version 4 authentication-specific policy keys"."""
    unsigned = {"StringEquals": {"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"}}
    put_policy(bucket, statement(bucket, "*", "s3:PutObject", effect="Deny", Condition=unsigned))
    ask = bucket.raw.presign(bucket.raw.ask("PUT", bucket.name, "k", body=b"1"))
    with bucket.unchanged():
        refused(bucket.raw.send(with_length(ask)), 403, "AccessDenied")
        refused(signed_form(bucket.service.owner, bucket.name).post(bucket.raw, bucket.name), 403, "AccessDenied")
        refused(bucket.call("PUT", "k", body=b"1", payload_hash="UNSIGNED-PAYLOAD"), 403, "AccessDenied")
    assert bucket.call("PUT", "k", body=b"1").status == 200


def test_tags_that_a_copy_does_not_store_grant_nothing(bucket: Shelf, service: Service, iam: Any) -> None:
    only = {"StringEquals": {"s3:RequestObjectTag/class": "internal"}}
    person = make_person(
        service, iam, allow(["s3:GetObject", "s3:GetObjectTagging", "s3:PutObjectTagging"]), allow("s3:PutObject", Condition=only)
    )
    bucket.put("source", b"1")

    def copy(directive: str) -> None:
        source = f"{bucket.name}/source"
        person.s3.copy_object(
            Bucket=bucket.name, Key="copy", CopySource=source, Tagging="class=internal", TaggingDirective=directive
        )

    with bucket.unchanged(), fails(403, "AccessDenied"):
        copy("COPY")
    copy("REPLACE")
    found = bucket.s3.get_object_tagging(Bucket=bucket.name, Key="copy")["TagSet"]
    assert found == [{"Key": "class", "Value": "internal"}]


def test_what_is_overwritten_has_no_say_by_its_tags(bucket: Shelf, service: Service, iam: Any) -> None:
    """User Guide, "Categorizing your objects using tags": s3:ExistingObjectTag is not supported for PutObject."""
    bucket.put("k", b"1", Tagging="team=a")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/team": "a"}}
    person = make_person(service, iam, allow("s3:PutObject", Condition=tagged))
    with bucket.unchanged(), fails(403, "AccessDenied"):
        person.s3.put_object(Bucket=bucket.name, Key="k", Body=b"2")


@pytest.mark.parametrize("form", ["{}/open/a%20b", "/{}/open/a%20b", "/{}/%6Fpen/a%20b", "{}%2Fopen%2Fa b"])
def test_the_source_of_a_copy_is_told_decoded(bucket: Shelf, service: Service, iam: Any, form: str) -> None:
    bucket.put("open/a b", b"1")
    bucket.put("shut/a b", b"1")
    only = {"StringLike": {"s3:x-amz-copy-source": f"{bucket.name}/open/*"}}
    never = {"StringEquals": {"s3:x-amz-copy-source": f"{bucket.name}/open/a b"}}
    rights = allow("s3:GetObject"), allow("s3:PutObject", Condition=only)
    person = make_person(service, iam, *rights)

    def copy(source: str) -> Answer:
        return send(person, bucket, "PUT", "copy", b"", headers=[("x-amz-copy-source", source.format(bucket.name))])

    assert copy(form).status == 200
    with bucket.unchanged():
        refused(copy(form.replace("pen", "pun")), 403, "AccessDenied")
    may(service, person, bucket, *rights, deny("s3:PutObject", Condition=never))
    with bucket.unchanged():
        refused(copy(form), 403, "AccessDenied")


def test_a_policy_bounds_where_buckets_are_made(service: Service, iam: Any) -> None:
    only = {"StringEquals": {"s3:LocationConstraint": "eu-central-1"}}
    person = make_person(service, iam, allow("s3:CreateBucket", Condition=only))
    with fails(403, "AccessDenied"):
        person.s3.create_bucket(Bucket=new_name())
    person.s3.create_bucket(Bucket=new_name(), CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})


def test_a_policy_keeps_tags_on_a_bucket(bucket: Shelf, service: Service, iam: Any) -> None:
    kept = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}
    rights = allow(["s3:TagResource", "s3:UntagResource"])
    person = make_person(service, iam, rights, deny("s3:UntagResource", Condition=kept))
    tags = [{"Key": key, "Value": "a"} for key in ("team", "other")]
    bucket.s3.put_bucket_tagging(Bucket=bucket.name, Tagging={"TagSet": tags})

    def untag(*names: str) -> int:
        query = "&".join(f"tagKeys={name}" for name in names)
        headers = [("x-amz-account-id", service.owner.account_id), ("x-amz-tagging", "other=a")]
        path = f"tags/arn:aws:s3:::{bucket.name}"
        return service.raw(person.keys).call("DELETE", "v20180820", path, query=query, headers=headers).status

    assert untag("team") == untag("other", "team") == 403
    assert untag("other") == 204
    assert bucket.s3.get_bucket_tagging(Bucket=bucket.name)["TagSet"] == tags[:1]


# What is refused.


def test_a_key_that_no_request_has_is_refused_when_a_policy_is_put(bucket: Shelf) -> None:
    never = {"NumericLessThan": {"s3:RequestJobPriority": "2"}}
    policy = document(statement(bucket, "*", "s3:*", effect="Deny", Condition=never))
    answer = bucket.call("PUT", query="policy", body=policy.encode())
    refused(answer, 400, "MalformedPolicy")
    assert "does not exist here" in (answer.xml.findtext("Message") or "")


def test_nobody_begins_an_upload_without_a_signature(bucket: Shelf) -> None:
    open_to_the_public(bucket)
    put_policy(bucket, statement(bucket, "*", "s3:PutObject"))
    answer = bucket.raw.anonymous("POST", bucket.name, "k", query="uploads")
    refused(answer, 403, "AccessDenied")
    assert "Uploads" not in bucket.s3.list_multipart_uploads(Bucket=bucket.name)
    assert bucket.raw.anonymous("PUT", bucket.name, "k", body=b"1").status == 200
