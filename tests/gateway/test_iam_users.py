"""Users, groups and access keys through the SDK."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from .people import allow, deny, document, make_person, new_person
from .service import Service
from .shelf import Shelf, fails, sdk
from .signer import Keys

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
EVERYTHING = document(allow("*"))


def test_a_user_is_made_shown_listed_renamed_and_deleted(service: Service, iam: Any):
    name, path = new_person(), f"/{new_person('path')}/"
    made = iam.create_user(UserName=name, Path=path, Tags=[{"Key": "team", "Value": "a b"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{service.owner.account_id}:user{path}{name}"
    assert re.fullmatch(r"SGU[A-Z2-7]{18}", made["UserId"])
    assert iam.get_user(UserName=name)["User"] == made
    assert made["Tags"] == [{"Key": "team", "Value": "a b"}]
    (listed,) = iam.list_users(PathPrefix=path)["Users"]
    assert listed == {key: value for key, value in made.items() if key != "Tags"}
    renamed = new_person()
    iam.update_user(UserName=name, NewUserName=renamed, NewPath="/else/")
    assert iam.get_user(UserName=renamed)["User"]["UserId"] == made["UserId"]
    assert iam.list_users(PathPrefix=path)["Users"] == []
    iam.delete_user(UserName=renamed)
    for gone in (name, renamed):
        with fails(404, "NoSuchEntity"):
            iam.get_user(UserName=gone)


def test_names_that_differ_in_case_only_are_one_name(iam: Any):
    name = new_person()
    iam.create_user(UserName=name)
    for taken in (name, name.upper()):
        with fails(409, "EntityAlreadyExists"):
            iam.create_user(UserName=taken)
    with fails(404, "NoSuchEntity"):
        iam.get_user(UserName=name.upper())
    iam.delete_user(UserName=name)


@pytest.mark.parametrize("bad", ["", "a b", "a/b", "a" * 65, "a\n", "\u00e9", "a*"])
def test_a_name_that_cannot_be_one_is_refused(iam: Any, bad: str):
    with fails(400, "ValidationError"):
        iam.create_user(UserName=bad)


def test_lists_come_in_pages(iam: Any):
    path = f"/{new_person('page')}/"
    names = sorted(new_person() for _ in range(5))
    for name in names:
        iam.create_user(UserName=name, Path=path)
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2}))
    assert [[user["UserName"] for user in page["Users"]] for page in pages] == [names[:2], names[2:4], names[4:]]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    with fails(400, "ValidationError"):
        iam.list_users(PathPrefix=path, Marker="=nonsense")
    for count in (0, 1001):
        with fails(400, "ValidationError"):
            iam.list_users(MaxItems=count)
    for name in names:
        iam.delete_user(UserName=name)


def test_the_root_is_the_caller_where_no_user_is_named(service: Service, iam: Any):
    shown = iam.get_user()["User"]
    assert shown["Arn"] == f"arn:aws:iam::{service.owner.account_id}:root"
    assert shown["UserId"] == service.owner.account_id


def test_a_user_is_not_deleted_while_something_belongs_to_it(service: Service, iam: Any):
    person = make_person(service, iam, allow("s3:ListAllMyBuckets"))
    group, name = new_person("group"), person.name
    read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=read_only)

    def refuses(what: str) -> None:
        with fails(409, "DeleteConflict") as caught:
            iam.delete_user(UserName=name)
        assert what in caught.value.response["Error"]["Message"]

    refuses("access keys")
    iam.delete_access_key(UserName=name, AccessKeyId=person.keys.access_key_id)
    refuses("group")
    with fails(409, "DeleteConflict"):
        iam.delete_group(GroupName=group)
    iam.remove_user_from_group(GroupName=group, UserName=name)
    refuses("detach")
    iam.detach_user_policy(UserName=name, PolicyArn=read_only)
    refuses("delete policies")
    iam.delete_user_policy(UserName=name, PolicyName="own")
    iam.delete_user(UserName=name)
    iam.delete_group(GroupName=group)


def test_a_user_gets_in_with_a_right_and_not_without(service: Service, iam: Any, bucket: Shelf):
    person = make_person(service, iam)
    bucket.put("key", b"body")
    client = person.s3
    for _ in range(4):
        with fails(403, "AccessDenied") as caught:
            client.get_object(Bucket=bucket.name, Key="key")
        assert person.arn in caught.value.response["Error"]["Message"]
    policy = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket.name}/*"))
    iam.put_user_policy(UserName=person.name, PolicyName="reads", PolicyDocument=policy)
    for _ in range(4):  # the very next request, on every worker
        assert client.get_object(Bucket=bucket.name, Key="key")["Body"].read() == b"body"
    with fails(403, "AccessDenied"):
        client.put_object(Bucket=bucket.name, Key="key", Body=b"other")
    iam.delete_user_policy(UserName=person.name, PolicyName="reads")
    for _ in range(4):
        with fails(403, "AccessDenied"):
            client.get_object(Bucket=bucket.name, Key="key")


def test_a_group_gives_its_members_rights_under_any_name(service: Service, iam: Any, bucket: Shelf):
    person, group = make_person(service, iam), new_person("group")
    made = iam.create_group(GroupName=group, Path="/teams/")["Group"]
    assert re.fullmatch(r"SGG[A-Z2-7]{18}", made["GroupId"])
    policy = document(allow("s3:ListBucket", f"arn:aws:s3:::{bucket.name}"))
    iam.put_group_policy(GroupName=group, PolicyName="lists", PolicyDocument=policy)
    client = person.s3
    with fails(403, "AccessDenied"):
        client.list_objects_v2(Bucket=bucket.name)
    iam.add_user_to_group(GroupName=group, UserName=person.name)
    iam.add_user_to_group(GroupName=group, UserName=person.name)
    client.list_objects_v2(Bucket=bucket.name)
    assert [user["UserName"] for user in iam.get_group(GroupName=group)["Users"]] == [person.name]
    renamed = new_person("group")
    iam.update_group(GroupName=group, NewGroupName=renamed, NewPath="/")
    client.list_objects_v2(Bucket=bucket.name)
    assert [one["GroupName"] for one in iam.list_groups_for_user(UserName=person.name)["Groups"]] == [renamed]
    assert renamed in [one["GroupName"] for page in iam.get_paginator("list_groups").paginate() for one in page["Groups"]]
    iam.remove_user_from_group(GroupName=renamed, UserName=person.name)
    with fails(403, "AccessDenied"):
        client.list_objects_v2(Bucket=bucket.name)
    with fails(404, "NoSuchEntity"):
        iam.remove_user_from_group(GroupName=renamed, UserName=person.name)


def test_keys_are_rotated_two_at_a_time(service: Service, iam: Any):
    person = make_person(service, iam, allow("s3:ListAllMyBuckets"))
    old = person.keys
    assert re.fullmatch(r"SGK[A-Z2-7]{17}", old.access_key_id)
    assert re.fullmatch(r"[A-Za-z0-9]{40}", old.secret_access_key)
    made = iam.create_access_key(UserName=person.name)["AccessKey"]
    new = Keys(made["AccessKeyId"], made["SecretAccessKey"])
    with fails(409, "LimitExceeded"):
        iam.create_access_key(UserName=person.name)
    for keys in (old, new):
        sdk(service, keys).list_buckets()
    iam.update_access_key(UserName=person.name, AccessKeyId=old.access_key_id, Status="Inactive")
    listed = {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName=person.name)["AccessKeyMetadata"]}
    assert listed == {old.access_key_id: "Inactive", new.access_key_id: "Active"}
    for _ in range(4):
        with fails(403, "InvalidAccessKeyId"):
            sdk(service, old).list_buckets()
        with fails(403, "InvalidClientTokenId"):
            sdk(service, old, name="iam").get_user()
    sdk(service, new).list_buckets()
    iam.update_access_key(UserName=person.name, AccessKeyId=old.access_key_id, Status="Active")
    sdk(service, old).list_buckets()
    iam.delete_access_key(UserName=person.name, AccessKeyId=old.access_key_id)
    with fails(403, "InvalidAccessKeyId"):
        sdk(service, old).list_buckets()
    with fails(404, "NoSuchEntity"):
        iam.delete_access_key(UserName=person.name, AccessKeyId=old.access_key_id)


def test_a_key_stays_its_users_when_the_user_is_renamed(service: Service, iam: Any):
    person = make_person(service, iam, allow("s3:ListAllMyBuckets"))
    renamed = new_person()
    iam.update_user(UserName=person.name, NewUserName=renamed)
    person.s3.list_buckets()
    (key,) = iam.list_access_keys(UserName=renamed)["AccessKeyMetadata"]
    assert (key["AccessKeyId"], key["UserName"]) == (person.keys.access_key_id, renamed)
    iam.create_user(UserName=person.name)
    assert iam.list_access_keys(UserName=person.name)["AccessKeyMetadata"] == []


def test_the_last_use_of_a_key_is_told(service: Service, iam: Any):
    person = make_person(service, iam, allow("s3:ListAllMyBuckets"))
    never = iam.get_access_key_last_used(AccessKeyId=person.keys.access_key_id)
    assert never["UserName"] == person.name
    assert never["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    person.s3.list_buckets()
    give_up = time.monotonic() + 20
    while "LastUsedDate" not in (
        used := iam.get_access_key_last_used(AccessKeyId=person.keys.access_key_id)["AccessKeyLastUsed"]
    ):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert (used["ServiceName"], used["Region"]) == ("s3", "eu-central-1")
    with fails(404, "NoSuchEntity"):
        iam.get_access_key_last_used(AccessKeyId=service.stranger.access_key_id)


def test_the_root_has_keys_too_and_is_never_locked_out(service: Service, stranger_iam: Any):
    first = service.stranger.access_key_id
    made = stranger_iam.create_access_key()["AccessKey"]
    second = Keys(made["AccessKeyId"], made["SecretAccessKey"])
    assert made["AccessKeyId"].startswith("SGL")
    with fails(409, "LimitExceeded"):
        stranger_iam.create_access_key()
    other = sdk(service, second, name="iam")
    assert {key["AccessKeyId"] for key in other.list_access_keys()["AccessKeyMetadata"]} == {first, second.access_key_id}
    stranger_iam.update_access_key(AccessKeyId=second.access_key_id, Status="Inactive")
    for attempt in (
        lambda: stranger_iam.update_access_key(AccessKeyId=first, Status="Inactive"),
        lambda: stranger_iam.delete_access_key(AccessKeyId=first),
    ):
        with fails(409, "DeleteConflict"):
            attempt()
    stranger_iam.delete_access_key(AccessKeyId=second.access_key_id)
    with fails(403, "InvalidClientTokenId"):
        other.list_access_keys()


def test_t22_cve_2025_62506_a_restricted_user_mints_no_key_that_can_more(service: Service, iam: Any, bucket: Shelf):
    """Whatever key a user makes for itself is the user's own: policy and boundary hold for each of them."""
    boundary = iam.create_policy(
        PolicyName=new_person("limit"), PolicyDocument=document(allow(["iam:*AccessKey*", "s3:ListBucket"]))
    )["Policy"]["Arn"]
    person = make_person(service, iam, allow("*"), deny("s3:DeleteObject"), PermissionsBoundary=boundary)
    bucket.put("key", b"body")
    child = person.iam.create_access_key()["AccessKey"]
    for keys in (person.keys, Keys(child["AccessKeyId"], child["SecretAccessKey"])):
        client = sdk(service, keys)
        client.list_objects_v2(Bucket=bucket.name)
        with fails(403, "AccessDenied") as caught:
            client.get_object(Bucket=bucket.name, Key="key")
        assert "permissions boundary" in caught.value.response["Error"]["Message"]
        with fails(403, "AccessDenied"):
            client.delete_object(Bucket=bucket.name, Key="key")
        restricted = sdk(service, keys, name="iam")
        for attempt in (
            lambda own=restricted: own.delete_user_permissions_boundary(UserName=person.name),
            lambda own=restricted: own.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=ADMINISTRATOR),
            lambda own=restricted: own.create_policy_version(PolicyArn=boundary, PolicyDocument=EVERYTHING, SetAsDefault=True),
        ):
            with fails(403, "AccessDenied"):
                attempt()


def test_t23_cve_2024_55949_identities_are_made_by_whoever_may_and_in_the_own_account_only(service: Service, iam: Any):
    person = make_person(service, iam)
    attempts = {
        "create_user": {"UserName": new_person()},
        "create_group": {"GroupName": new_person("group")},
        "create_role": {"RoleName": new_person("role"), "AssumeRolePolicyDocument": document()},
        "create_policy": {"PolicyName": new_person("policy"), "PolicyDocument": EVERYTHING},
        "create_access_key": {},
        "put_user_policy": {"UserName": person.name, "PolicyName": "p", "PolicyDocument": EVERYTHING},
        "attach_user_policy": {"UserName": person.name, "PolicyArn": ADMINISTRATOR},
        "list_users": {},
        "get_account_summary": {},
        "list_policies": {},
    }
    before = iam.get_account_summary()["SummaryMap"]
    for name, arguments in attempts.items():
        with fails(403, "AccessDenied"):
            getattr(person.iam, name)(**arguments)
    assert iam.get_account_summary()["SummaryMap"] == before
    foreign = f"arn:aws:iam::{service.stranger.account_id}:policy/none"
    with fails(404, "NoSuchEntity"):
        iam.get_policy(PolicyArn=foreign)
    with fails(404, "NoSuchEntity"):
        iam.attach_user_policy(UserName=person.name, PolicyArn=foreign)


def test_t24_cve_2022_24842_nobody_helps_himself_to_rights_of_another(service: Service, iam: Any):
    """Keys for another user or the root, the own policy through side calls, and a user called like the root."""
    other = make_person(service, iam, allow("*"))
    group = new_person("group")
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="all", PolicyDocument=EVERYTHING)
    own = f"arn:aws:iam::{service.owner.account_id}:user/${{aws:username}}"
    person = make_person(service, iam, allow(["iam:*AccessKey*", "iam:GetUser", "iam:UpdateUser"], own))
    mine = person.iam
    assert mine.get_user()["User"]["UserName"] == person.name
    assert [key["UserName"] for key in mine.list_access_keys()["AccessKeyMetadata"]] == [person.name]
    for attempt in (
        lambda: mine.create_access_key(UserName=other.name),
        lambda: mine.list_access_keys(UserName=other.name),
        lambda: mine.update_access_key(UserName=other.name, AccessKeyId=other.keys.access_key_id, Status="Inactive"),
        lambda: mine.put_user_policy(UserName=person.name, PolicyName="own", PolicyDocument=EVERYTHING),
        lambda: mine.attach_user_policy(UserName=person.name, PolicyArn=ADMINISTRATOR),
        lambda: mine.delete_user_policy(UserName=person.name, PolicyName="own"),
        lambda: mine.add_user_to_group(GroupName=group, UserName=person.name),
        lambda: mine.update_user(UserName=person.name, NewPath="/admins/"),
        lambda: mine.create_user(UserName=new_person()),
        lambda: mine.get_user(UserName=new_person()),
    ):
        with fails(403, "AccessDenied"):
            attempt()
    with fails(404, "NoSuchEntity"):
        mine.delete_access_key(AccessKeyId=service.owner.access_key_id)
    with fails(404, "NoSuchEntity"):
        mine.update_access_key(AccessKeyId=other.keys.access_key_id, Status="Inactive")
    other.s3.list_buckets()


@pytest.mark.parametrize("name", ["root", "{key}", "{account}"])
def test_t24_cve_2021_43858_a_user_who_is_called_like_the_root_is_not_the_root(service: Service, iam: Any, name: str):
    called = name.format(key=service.owner.access_key_id, account=service.owner.account_id)
    iam.create_user(UserName=called)
    key = iam.create_access_key(UserName=called)["AccessKey"]
    keys = Keys(key["AccessKeyId"], key["SecretAccessKey"])
    with fails(403, "AccessDenied"):
        sdk(service, keys).list_buckets()
    with fails(403, "AccessDenied"):
        sdk(service, keys, name="iam").get_user()
    assert service.owner.access_key_id in [found["AccessKeyId"] for found in iam.list_access_keys()["AccessKeyMetadata"]]
    iam.delete_access_key(UserName=called, AccessKeyId=keys.access_key_id)
    iam.delete_user(UserName=called)
