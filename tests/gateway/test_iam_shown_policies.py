"""Policies of buckets, roles and keys name their principals as they are called when they are shown, and never somebody else."""

from __future__ import annotations

import json
from typing import Any, Protocol

import pytest

from .people import Person, allow, document, make_person, new_person
from .service import Service
from .shelf import Shelf, fails, sdk


class Guarded(Protocol):
    """What has a policy that names principals."""

    code: str

    def put(self, principals: list[str]) -> None: ...

    def shown(self) -> list[list[str]]:
        """Return the principals that the policy shows, of each way to see it."""
        ...


def principals(policy: Any) -> list[str]:
    found = policy["Statement"][0]["Principal"]["AWS"]
    return [found] if isinstance(found, str) else list(found)


class OfBucket:
    code = "MalformedPolicy"

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def put(self, principals: list[str]) -> None:
        statement = {**allow("s3:GetObject", f"arn:aws:s3:::{self.shelf.name}/*"), "Principal": {"AWS": principals}}
        self.shelf.s3.put_bucket_policy(Bucket=self.shelf.name, Policy=document(statement))

    def shown(self) -> list[list[str]]:
        return [principals(json.loads(self.shelf.s3.get_bucket_policy(Bucket=self.shelf.name)["Policy"]))]


class OfRole:
    code = "MalformedPolicyDocument"

    def __init__(self, iam: Any) -> None:
        self.iam, self.name = iam, new_person("role")
        trust = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
        iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=trust, Path=f"/{self.name}/")

    def put(self, principals: list[str]) -> None:
        trust = document({"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "sts:AssumeRole"})
        self.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=trust)

    def shown(self) -> list[list[str]]:
        (listed,) = self.iam.list_roles(PathPrefix=f"/{self.name}/")["Roles"]
        described = self.iam.update_role_description(RoleName=self.name, Description="d")["Role"]
        roles = (self.iam.get_role(RoleName=self.name)["Role"], listed, described)
        return [principals(role["AssumeRolePolicyDocument"]) for role in roles]


class OfKey:
    code = "MalformedPolicyDocumentException"

    def __init__(self, service: Service) -> None:
        self.kms, self.root = sdk(service, name="kms"), f"arn:aws:iam::{service.owner.account_id}:root"
        self.key = self.kms.create_key()["KeyMetadata"]["KeyId"]

    def put(self, principals: list[str]) -> None:
        statements = [
            {**allow("kms:Encrypt"), "Principal": {"AWS": principals}},
            {**allow("kms:*"), "Principal": {"AWS": self.root}},
        ]
        self.kms.put_key_policy(KeyId=self.key, Policy=document(*statements))

    def shown(self) -> list[list[str]]:
        return [principals(json.loads(self.kms.get_key_policy(KeyId=self.key)["Policy"]))]


@pytest.fixture(params=["bucket", "role", "key"])
def guarded(request: pytest.FixtureRequest, service: Service, iam: Any, bucket: Shelf) -> Guarded:
    if request.param == "bucket":
        return OfBucket(bucket)
    return OfRole(iam) if request.param == "role" else OfKey(service)


def leave(iam: Any, person: Person) -> None:
    iam.delete_access_key(UserName=person.name, AccessKeyId=person.keys.access_key_id)
    iam.delete_user(UserName=person.name)


def test_t30_what_is_shown_and_put_back_gives_nothing_to_whoever_got_the_name(
    service: Service, iam: Any, guarded: Guarded
) -> None:
    """Class: a grant to somebody who left goes to his successor, because a tool has read it and written it again."""
    person = make_person(service, iam)
    unique_id = iam.get_user(UserName=person.name)["User"]["UserId"]
    guarded.put([person.arn])
    renamed = new_person()
    iam.update_user(UserName=person.name, NewUserName=renamed)
    iam.create_user(UserName=person.name)
    by_now = f"arn:aws:iam::{service.owner.account_id}:user/{renamed}"
    for shown in guarded.shown():
        assert shown == [by_now]
    guarded.put([by_now])
    leave(iam, Person(renamed, by_now, person.keys, service))
    iam.create_user(UserName=renamed)
    for shown in guarded.shown():
        assert shown == [unique_id]
        with fails(400, guarded.code):
            guarded.put(shown)
    assert guarded.shown()[0] == [unique_id]


def test_a_unique_id_of_somebody_is_taken_and_shown_as_his_arn(service: Service, iam: Any, guarded: Guarded) -> None:
    person = make_person(service, iam)
    unique_id = iam.get_user(UserName=person.name)["User"]["UserId"]
    guarded.put([unique_id])
    assert guarded.shown()[0] == [person.arn]
    with fails(400, guarded.code):
        guarded.put(["SGU" + "A" * 18])
    with fails(400, guarded.code):
        guarded.put([f"{unique_id}:session"])


def test_whoever_is_named_by_his_unique_id_gets_in(service: Service, iam: Any, bucket: Shelf) -> None:
    person = make_person(service, iam)
    bucket.put("key", b"body")
    OfBucket(bucket).put([iam.get_user(UserName=person.name)["User"]["UserId"]])
    assert person.s3.get_object(Bucket=bucket.name, Key="key")["Body"].read() == b"body"
    OfBucket(bucket).put(OfBucket(bucket).shown()[0])
    assert person.s3.get_object(Bucket=bucket.name, Key="key")["Body"].read() == b"body"


def test_a_session_of_a_role_that_is_gone_is_shown_as_nobody_who_can_be_named(
    service: Service, iam: Any, guarded: Guarded
) -> None:
    role = OfRole(iam)
    unique_id = iam.get_role(RoleName=role.name)["Role"]["RoleId"]
    session = f"arn:aws:sts::{service.owner.account_id}:assumed-role/{role.name}/job"
    guarded.put([session, service.owner.account_id])
    assert guarded.shown()[0] == [session, service.owner.account_id]
    iam.delete_role(RoleName=role.name)
    iam.create_role(
        RoleName=role.name,
        AssumeRolePolicyDocument=document({**allow("sts:*"), "Principal": "*"}).replace(', "Resource": "*"', ""),
    )
    shown = guarded.shown()[0]
    assert shown == [f"{unique_id}:job", service.owner.account_id]
    with fails(400, guarded.code):
        guarded.put(shown)
