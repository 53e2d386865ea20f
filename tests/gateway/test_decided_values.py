"""What a policy is told of a request is what the request does: no version, tag or copy goes by another name."""

from __future__ import annotations

from typing import Any

from .people import allow, deny, make_person
from .raw import RawClient
from .service import Service
from .shelf import Shelf, fails, md5_b64, new_name, refused
from .test_bucket_policies import account, put_policy, statement
from .test_object_lock import later, locked, put_locked
from .test_sts import document, make_role, make_taker, with_session

__all__ = ["locked"]


def tag_set(**tags: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_t27_a_copy_tells_the_policy_which_version_of_its_source_it_reads(
    versioned: Shelf, second_bucket: Shelf, service: Service, stranger_s3: Any
) -> None:
    """Class: a version that a condition shuts, read by way of a copy."""
    shut = versioned.put("k", b"secret")["VersionId"]
    free = versioned.put("k", b"free")["VersionId"]
    them, action = account(service), "s3:GetObjectVersion"
    put_policy(second_bucket, statement(second_bucket, them, "s3:PutObject"))
    only = {"StringEquals": {"s3:VersionId": free}}
    never = {"StringEquals": {"s3:VersionId": shut}}

    def copy(version: str) -> None:
        source = {"Bucket": versioned.name, "Key": "k", "VersionId": version}
        stranger_s3.copy_object(Bucket=second_bucket.name, Key="copy", CopySource=source)

    for statements in (
        [statement(versioned, them, action), statement(versioned, "*", action, effect="Deny", Condition=never)],
        [statement(versioned, them, action, Condition=only)],
    ):
        put_policy(versioned, *statements)
        copy(free)
        with second_bucket.unchanged(), fails(403, "AccessDenied"):
            copy(shut)


def test_each_of_many_deletes_tells_the_policy_its_version(versioned: Shelf) -> None:
    kept = versioned.put("k", b"1")["VersionId"]
    gone = versioned.put("k", b"2")["VersionId"]
    condition = {"StringEquals": {"s3:VersionId": kept}}
    put_policy(versioned, statement(versioned, "*", "s3:DeleteObjectVersion", effect="Deny", Condition=condition))
    names = [{"Key": "k", "VersionId": version} for version in (kept, gone)]
    done = versioned.s3.delete_objects(Bucket=versioned.name, Delete={"Objects": names})
    assert [entry["VersionId"] for entry in done["Deleted"]] == [gone]
    assert [(entry["VersionId"], entry["Code"]) for entry in done["Errors"]] == [(kept, "AccessDenied")]


def test_the_bypass_of_a_lock_is_decided_by_the_tags_of_the_version_it_is_about(
    locked: Shelf, service: Service, iam: Any
) -> None:
    version = put_locked(locked, "k", "GOVERNANCE")
    locked.put("k", b"2", Tagging="temporary=yes")
    condition = {"StringEquals": {"s3:ExistingObjectTag/temporary": "yes"}}
    person = make_person(
        service,
        iam,
        allow(["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention"]),
        allow("s3:BypassGovernanceRetention", Condition=condition),
    )
    name = {"Key": "k", "VersionId": version}
    with locked.unchanged(), fails(403, "AccessDenied"):
        person.s3.delete_object(Bucket=locked.name, **name, BypassGovernanceRetention=True)
    done = person.s3.delete_objects(Bucket=locked.name, Delete={"Objects": [name]}, BypassGovernanceRetention=True)
    assert [entry["Code"] for entry in done["Errors"]] == ["AccessDenied"]
    with locked.unchanged(), fails(403, "AccessDenied"):
        person.s3.put_object_retention(Bucket=locked.name, **name, Retention={}, BypassGovernanceRetention=True)
    locked.s3.put_object_tagging(Bucket=locked.name, **name, Tagging=tag_set(temporary="yes"))
    person.s3.delete_object(Bucket=locked.name, **name, BypassGovernanceRetention=True)


def test_a_policy_bounds_how_long_whoever_writes_may_lock(locked: Shelf, service: Service, iam: Any) -> None:
    """Else one key locks a bucket's storage for a century, and nobody can take that back."""
    long = {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}}
    bound = deny("s3:PutObjectRetention", Condition=long)
    person = make_person(service, iam, allow(["s3:PutObject", "s3:PutObjectRetention"]), bound)

    def lock(days: int) -> dict[str, Any]:
        return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": later(days=days)}

    at = {"Bucket": locked.name, "Key": "k"}
    writes = (
        lambda days: person.s3.put_object(**at, Body=b"1", **lock(days)),
        lambda days: person.s3.copy_object(**at, CopySource={"Bucket": locked.name, "Key": "source"}, **lock(days)),
        lambda days: person.s3.create_multipart_upload(**at, **lock(days)),
        lambda days: person.s3.put_object_retention(
            Bucket=locked.name, Key="source", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": later(days=days)}
        ),
    )
    locked.put("source", b"1")
    put_policy(locked, statement(locked, {"AWS": person.arn}, "s3:GetObject"))
    for write in writes:
        with locked.unchanged(), fails(403, "AccessDenied"):
            write(11)
        write(9)


def test_a_read_shows_of_a_lock_what_its_reader_may_ask_for(locked: Shelf, service: Service, iam: Any) -> None:
    put_locked(locked, "k", "GOVERNANCE", ObjectLockLegalHoldStatus="ON")
    shown = {
        "s3:GetObjectRetention": {"ObjectLockMode", "ObjectLockRetainUntilDate"},
        "s3:GetObjectLegalHold": {"ObjectLockLegalHoldStatus"},
    }
    for rights in ([], ["s3:GetObjectRetention"], ["s3:GetObjectLegalHold"], list(shown)):
        person = make_person(service, iam, allow(["s3:GetObject", *rights]))
        head = person.s3.head_object(Bucket=locked.name, Key="k")
        assert {name for name in head if name.startswith("ObjectLock")} == set().union(*(shown[right] for right in rights))


def test_tags_are_decided_by_what_the_body_says_and_no_header(bucket: Shelf, service: Service, iam: Any) -> None:
    bucket.put("k", b"x")
    only = {"StringEquals": {"s3:RequestObjectTag/team": "a"}}
    person = make_person(service, iam, allow("s3:PutObjectTagging", Condition=only))
    raw: RawClient = service.raw(person.keys)

    def tag(headers: list[tuple[str, str]], team: str) -> Any:
        xml = f"<Tagging><TagSet><Tag><Key>team</Key><Value>{team}</Value></Tag></TagSet></Tagging>".encode()
        digest = [("content-md5", md5_b64(xml))]
        return raw.call("PUT", bucket.name, "k", query="tagging", headers=[*digest, *headers], body=xml)

    with bucket.unchanged():
        refused(tag([("x-amz-tagging", "team=a")], "admin"), 403, "AccessDenied")
        refused(tag([], "admin"), 403, "AccessDenied")
    assert tag([], "a").status == 200
    never = {"StringEquals": {"s3:RequestObjectTag/team": "b"}}
    other = make_person(service, iam, allow("s3:PutObjectTagging"), deny("s3:PutObjectTagging", Condition=never))
    with fails(403, "AccessDenied"):
        other.s3.put_object_tagging(Bucket=bucket.name, Key="k", Tagging=tag_set(team="b"))
    other.s3.put_object_tagging(Bucket=bucket.name, Key="k", Tagging=tag_set(team="c"))


def test_a_copy_tells_the_policy_the_tags_that_it_takes_along(bucket: Shelf, service: Service, iam: Any) -> None:
    bucket.put("k", b"x", Tagging="team=admin")
    only = {"StringEquals": {"s3:RequestObjectTag/team": "a"}}
    person = make_person(
        service, iam, allow(["s3:GetObject", "s3:GetObjectTagging", "s3:PutObject"]), allow("s3:PutObjectTagging", Condition=only)
    )
    source = f"{bucket.name}/k"
    with bucket.unchanged(), fails(403, "AccessDenied"):
        person.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=source)
    with bucket.unchanged(), fails(403, "AccessDenied"):
        person.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=source, Tagging="team=a")
    bucket.put("k", b"x", Tagging="team=a")
    person.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=source)


def test_a_session_tag_takes_the_place_of_the_roles_tag_in_any_case(bucket: Shelf, service: Service, iam: Any) -> None:
    bucket.put("k", b"x")
    role, arn = make_role(iam, service)
    iam.tag_role(RoleName=role, Tags=[{"Key": "Team", "Value": "readers"}])
    condition = {"StringEquals": {"aws:PrincipalTag/team": "readers"}}
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(allow("s3:*", Condition=condition)))
    sts = make_taker(service, iam)
    with_session(service, sts.assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]).get_object(
        Bucket=bucket.name, Key="k"
    )
    tags = [{"Key": "team", "Value": "others"}]
    session = sts.assume_role(RoleArn=arn, RoleSessionName="bob", Tags=tags)["Credentials"]
    with fails(403, "AccessDenied"):
        with_session(service, session).get_object(Bucket=bucket.name, Key="k")


def tagged_xml(root: str, name: str, team: str) -> bytes:
    return f"<{root}><{name}><Tag><Key>team</Key><Value>{team}</Value></Tag></{name}></{root}>".encode()


def test_no_header_speaks_for_the_tags_of_a_bucket(bucket: Shelf, service: Service, iam: Any) -> None:
    only = {"StringEquals": {"aws:RequestTag/team": "a"}}
    actions = ["s3:CreateBucket", "s3:PutBucketTagging", "s3:TagResource"]
    person = make_person(service, iam, allow(actions, Condition=only))
    raw = service.raw(person.keys)
    said = ("x-amz-tagging", "team=a")

    def put(team: str) -> Any:
        xml = tagged_xml("Tagging", "TagSet", team)
        return raw.call("PUT", bucket.name, query="tagging", headers=[("content-md5", md5_b64(xml)), said], body=xml)

    def tag(team: str) -> Any:
        xml, path = tagged_xml("TagResourceRequest", "Tags", team), f"tags/arn:aws:s3:::{bucket.name}"
        headers = [("x-amz-account-id", service.owner.account_id), said]
        return raw.call("POST", "v20180820", path, headers=headers, body=xml)

    with bucket.unchanged():
        refused(put("b"), 403, "AccessDenied")
        assert tag("b").status == 403
    assert put("a").status == 204
    assert tag("a").status == 204
    name, other = new_name(), new_name()
    refused(raw.call("PUT", name, headers=[said]), 403, "AccessDenied")
    where = {"LocationConstraint": "eu-central-1", "Tags": [{"Key": "team", "Value": "a"}]}
    person.s3.create_bucket(Bucket=other, CreateBucketConfiguration=where)


def test_t22_no_header_speaks_for_the_tags_of_a_session(service: Service, iam: Any) -> None:
    """Class: a condition on what a session must be given, met by a header that gives nothing."""
    _, arn = make_role(iam, service, Condition={"StringEquals": {"aws:RequestTag/team": "a"}})
    sts = make_taker(service, iam)
    sts.meta.events.register(
        "before-sign.sts.AssumeRole", lambda request, **_: request.headers.add_header("x-amz-tagging", "team=a")
    )
    with fails(403, "AccessDenied"):
        sts.assume_role(RoleArn=arn, RoleSessionName="ann")
    tags = [{"Key": "team", "Value": "a"}]
    assert sts.assume_role(RoleArn=arn, RoleSessionName="ann", Tags=tags)["Credentials"]


def test_a_bucket_policy_is_the_affair_of_its_account_alone(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    text = put_policy(bucket, statement(bucket, account(service), "s3:*", on=""))
    with bucket.unchanged():
        with fails(405, "MethodNotAllowed"):
            stranger_s3.put_bucket_policy(Bucket=bucket.name, Policy=text)
        with fails(405, "MethodNotAllowed"):
            stranger_s3.get_bucket_policy(Bucket=bucket.name)
        with fails(405, "MethodNotAllowed"):
            stranger_s3.delete_bucket_policy(Bucket=bucket.name)
    assert bucket.s3.get_bucket_policy(Bucket=bucket.name)["Policy"] == text


def test_a_copy_tells_of_absence_only_to_those_who_may_list_the_source(
    versioned: Shelf, service: Service, stranger_s3: Any
) -> None:
    versioned.put("gone", b"x")
    versioned.s3.delete_object(Bucket=versioned.name, Key="gone")
    own = new_name()
    stranger_s3.create_bucket(Bucket=own, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    put_policy(versioned, statement(versioned, account(service), "s3:GetObject"))
    with fails(403, "AccessDenied"):
        stranger_s3.copy_object(Bucket=own, Key="copy", CopySource=f"{versioned.name}/gone")
    listing = statement(versioned, account(service), "s3:ListBucket", on="")
    put_policy(versioned, statement(versioned, account(service), "s3:GetObject"), listing)
    with fails(404, "NoSuchKey"):
        stranger_s3.copy_object(Bucket=own, Key="copy", CopySource=f"{versioned.name}/gone")


def test_how_many_tags_there_are_shows_only_to_those_who_may_read_them(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    version = bucket.put("k", b"x", Tagging="a=b").get("VersionId", "null")
    may_read = statement(bucket, account(service), ["s3:GetObject", "s3:GetObjectVersion"])
    put_policy(bucket, may_read)
    name = {"Bucket": bucket.name, "Key": "k"}
    assert "TagCount" not in stranger_s3.get_object(**name)
    may_read_tags = statement(bucket, account(service), "s3:GetObjectTagging")
    put_policy(bucket, may_read, may_read_tags)
    assert stranger_s3.get_object(**name)["TagCount"] == 1
    assert "TagCount" not in stranger_s3.get_object(**name, VersionId=version)
    assert bucket.s3.get_object(**name, VersionId=version)["TagCount"] == 1
