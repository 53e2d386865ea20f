"""Policies through the SDK: inline and managed, their versions, boundaries, roles, tags, simulations."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .people import allow, deny, document, make_person, new_person
from .service import Service
from .shelf import Shelf, fails

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
TRUST = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})


@pytest.fixture
def role(iam: Any) -> str:
    name = new_person("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    return name


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_inline_policies_are_put_shown_listed_and_deleted(iam: Any, kind: str):
    name, word = new_person(kind), f"{kind.capitalize()}Name"
    options = {"AssumeRolePolicyDocument": TRUST} if kind == "role" else {}
    getattr(iam, f"create_{kind}")(**{word: name}, **options)
    text = document(
        allow("s3:GetObject", "arn:aws:s3:::a/${aws:username}/*", Condition={"Bool": {"aws:SecureTransport": "true"}})
    )
    put, get = getattr(iam, f"put_{kind}_policy"), getattr(iam, f"get_{kind}_policy")
    put(**{word: name}, PolicyName="b", PolicyDocument=document(allow("s3:*")))
    put(**{word: name}, PolicyName="a", PolicyDocument=document(deny("s3:*")))
    put(**{word: name}, PolicyName="a", PolicyDocument=text)
    shown = get(**{word: name}, PolicyName="a")
    assert (shown[word], shown["PolicyName"], shown["PolicyDocument"]) == (name, "a", json.loads(text))
    assert getattr(iam, f"list_{kind}_policies")(**{word: name})["PolicyNames"] == ["a", "b"]
    getattr(iam, f"delete_{kind}_policy")(**{word: name}, PolicyName="a")
    for gone in (get, getattr(iam, f"delete_{kind}_policy")):
        with fails(404, "NoSuchEntity"):
            gone(**{word: name}, PolicyName="a")
    with fails(409, "DeleteConflict"):
        getattr(iam, f"delete_{kind}")(**{word: name})
    getattr(iam, f"attach_{kind}_policy")(**{word: name}, PolicyArn=READ_ONLY)
    getattr(iam, f"attach_{kind}_policy")(**{word: name}, PolicyArn=READ_ONLY)
    attached = getattr(iam, f"list_attached_{kind}_policies")(**{word: name})["AttachedPolicies"]
    assert attached == [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    with fails(409, "DeleteConflict"):
        getattr(iam, f"delete_{kind}")(**{word: name})
    getattr(iam, f"detach_{kind}_policy")(**{word: name}, PolicyArn=READ_ONLY)
    with fails(404, "NoSuchEntity"):
        getattr(iam, f"detach_{kind}_policy")(**{word: name}, PolicyArn=READ_ONLY)
    getattr(iam, f"delete_{kind}_policy")(**{word: name}, PolicyName="b")
    getattr(iam, f"delete_{kind}")(**{word: name})


MALFORMED = [
    "no json",
    "[]",
    '{"Version": "2012-10-17"}',
    document({"Effect": "Perhaps", "Action": "*", "Resource": "*"}),
    document(allow("*", Unknown="x")),
    document(allow("*", Principal="*")),
    document(allow("*", Condition={"StringMostlyEquals": {"aws:username": "x"}})),
    document(allow("*", Condition={"StringEquals": {"no key form": "x"}})),
    document(allow("*")).replace("2012-10-17", "2027-01-01"),
    document(allow("*")).replace('"Effect"', '"Effect": "Deny", "Effect"'),
    document(allow("*", [f"arn:aws:s3:::{number:040}" for number in range(200)])),
]


@pytest.mark.parametrize("text", MALFORMED)
def test_t34_a_policy_that_is_not_understood_is_refused_when_it_is_put(iam: Any, text: str):
    """Unknown operator, element, version, key form; an element twice; a document that is too long."""
    name = new_person()
    iam.create_user(UserName=name)
    for attempt in (
        lambda: iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=text),
        lambda: iam.create_policy(PolicyName=name, PolicyDocument=text),
        lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=text),
    ):
        with fails(400, "MalformedPolicyDocument"):
            attempt()
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == []
    iam.delete_user(UserName=name)


def test_inline_policies_together_are_limited(iam: Any):
    name = new_person()
    iam.create_user(UserName=name)
    for number in range(2):
        long = document(allow("s3:GetObject", f"arn:aws:s3:::{'b' * 900}{number}/*"))
        iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=long)
    with fails(409, "LimitExceeded"):
        iam.put_user_policy(UserName=name, PolicyName="p2", PolicyDocument=long)


def test_a_managed_policy_binds_by_its_default_version(service: Service, iam: Any, bucket: Shelf):
    reads = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket.name}/*"))
    writes = document(allow("s3:PutObject", f"arn:aws:s3:::{bucket.name}/*"))
    name = new_person("policy")
    tags = [{"Key": "k", "Value": "v"}]
    made = iam.create_policy(PolicyName=name, Path="/p/", PolicyDocument=reads, Description="d", Tags=tags)["Policy"]
    arn = made["Arn"]
    assert arn == f"arn:aws:iam::{service.owner.account_id}:policy/p/{name}"
    assert re.fullmatch(r"SGP[A-Z2-7]{18}", made["PolicyId"])
    person, client = (one := make_person(service, iam)), one.s3
    iam.attach_user_policy(UserName=person.name, PolicyArn=arn)
    bucket.put("key", b"body")

    def can(*, read: bool, write: bool) -> None:
        for _ in range(3):
            for allowed, call in (
                (read, lambda: client.get_object(Bucket=bucket.name, Key="key")),
                (write, lambda: client.put_object(Bucket=bucket.name, Key="key", Body=b"new")),
            ):
                if allowed:
                    call()
                else:
                    with fails(403, "AccessDenied"):
                        call()

    can(read=True, write=False)
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=writes)["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    can(read=True, write=False)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    can(read=False, write=True)
    shown = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (shown["DefaultVersionId"], shown["AttachmentCount"], shown["Description"]) == ("v2", 1, "d")
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == json.loads(reads)
    with fails(409, "DeleteConflict"):
        iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    for number in (3, 4, 5):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=reads, SetAsDefault=number == 5)
    with fails(409, "LimitExceeded"):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=reads)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=reads)["PolicyVersion"]["VersionId"] == "v6"
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in versions] == [
        ("v2", False),
        ("v3", False),
        ("v4", False),
        ("v5", True),
        ("v6", False),
    ]
    for missing in ("v1", "v7"):
        with fails(404, "NoSuchEntity"):
            iam.set_default_policy_version(PolicyArn=arn, VersionId=missing)
    with fails(409, "DeleteConflict"):
        iam.delete_policy(PolicyArn=arn)
    iam.detach_user_policy(UserName=person.name, PolicyArn=arn)
    can(read=False, write=False)
    with fails(409, "DeleteConflict"):
        iam.delete_policy(PolicyArn=arn)
    for number in (2, 3, 4, 6):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
    iam.delete_policy(PolicyArn=arn)
    with fails(404, "NoSuchEntity"):
        iam.get_policy(PolicyArn=arn)


def test_policies_are_listed_by_owner_and_use(service: Service, iam: Any, role: str):
    path = f"/{new_person('path')}/"
    arns = [
        iam.create_policy(PolicyName=new_person("policy"), Path=path, PolicyDocument=document(allow("*")))["Policy"]["Arn"]
        for _ in range(3)
    ]
    person = make_person(service, iam)
    iam.attach_role_policy(RoleName=role, PolicyArn=arns[0])
    iam.attach_user_policy(UserName=person.name, PolicyArn=arns[0])
    iam.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=arns[1])

    def listed(**options: Any) -> set[str]:
        pages = iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 2}, **options)
        return {policy["Arn"] for page in pages for policy in page["Policies"]}

    assert listed(PathPrefix=path) == listed(PathPrefix=path, Scope="Local") == set(arns)
    assert listed(PathPrefix=path, Scope="AWS") == set()
    assert listed(PathPrefix=path, OnlyAttached=True) == set(arns[:2])
    assert listed(PathPrefix=path, PolicyUsageFilter="PermissionsPolicy") == {arns[0]}
    assert listed(PathPrefix=path, PolicyUsageFilter="PermissionsBoundary") == {arns[1]}
    assert {ADMINISTRATOR, READ_ONLY} < listed(Scope="AWS") < listed()
    found = iam.list_entities_for_policy(PolicyArn=arns[0])
    assert [one["UserName"] for one in found["PolicyUsers"]] == [person.name]
    assert [one["RoleName"] for one in found["PolicyRoles"]] == [role]
    assert found["PolicyGroups"] == []
    bounded = iam.list_entities_for_policy(PolicyArn=arns[1], PolicyUsageFilter="PermissionsBoundary")
    assert [one["UserName"] for one in bounded["PolicyUsers"]] == [person.name]
    assert iam.list_entities_for_policy(PolicyArn=arns[1], PolicyUsageFilter="PermissionsPolicy")["PolicyUsers"] == []
    assert iam.list_entities_for_policy(PolicyArn=arns[0], EntityFilter="Group")["PolicyUsers"] == []


def test_policies_that_every_account_has_are_nobodys_to_change(iam: Any):
    shown = iam.get_policy(PolicyArn=READ_ONLY)["Policy"]
    assert shown["PolicyName"] == "AmazonS3ReadOnlyAccess"
    for attempt in (
        lambda: iam.delete_policy(PolicyArn=READ_ONLY),
        lambda: iam.create_policy_version(PolicyArn=READ_ONLY, PolicyDocument=document(allow("*")), SetAsDefault=True),
        lambda: iam.tag_policy(PolicyArn=READ_ONLY, Tags=[{"Key": "k", "Value": "v"}]),
        lambda: iam.untag_policy(PolicyArn=READ_ONLY, TagKeys=["k"]),
    ):
        with fails(403, "AccessDenied"):
            attempt()
    assert iam.get_policy(PolicyArn=READ_ONLY)["Policy"] == shown


def test_a_boundary_limits_what_policies_allow(service: Service, iam: Any, bucket: Shelf):
    person = make_person(service, iam, allow("s3:*"))
    person.s3.list_objects_v2(Bucket=bucket.name)
    limit = iam.create_policy(PolicyName=new_person("limit"), PolicyDocument=document(allow("s3:GetObject")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=limit)
    boundary = iam.get_user(UserName=person.name)["User"]["PermissionsBoundary"]
    assert boundary == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": limit}
    with fails(403, "AccessDenied"):
        person.s3.list_objects_v2(Bucket=bucket.name)
    with fails(409, "DeleteConflict"):
        iam.delete_policy(PolicyArn=limit)
    iam.delete_user_permissions_boundary(UserName=person.name)
    person.s3.list_objects_v2(Bucket=bucket.name)
    with fails(404, "NoSuchEntity"):
        iam.delete_user_permissions_boundary(UserName=person.name)
    for bad, status, code in ((person.arn, 400, "InvalidInput"), (limit + "x", 404, "NoSuchEntity")):
        with fails(status, code):
            iam.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=bad)
        with fails(status, code):
            iam.create_user(UserName=new_person(), PermissionsBoundary=bad)


def test_delegation_can_insist_on_a_boundary(service: Service, iam: Any):
    limit = iam.create_policy(PolicyName=new_person("limit"), PolicyDocument=document(allow("s3:GetObject")))["Policy"]["Arn"]
    condition = {"StringEquals": {"iam:PermissionsBoundary": limit}}
    team = {"StringEquals": {"aws:RequestTag/team": "red"}}
    manager = make_person(
        service,
        iam,
        allow("iam:CreateUser", Condition=condition),
        allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": READ_ONLY}}),
        allow("iam:TagUser", Condition=team),
        allow("iam:GetUser", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}),
    ).iam
    name = new_person()
    for options in ({}, {"PermissionsBoundary": ADMINISTRATOR}):
        with fails(403, "AccessDenied"):
            manager.create_user(UserName=name, **options)
    manager.create_user(UserName=name, PermissionsBoundary=limit)
    manager.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    with fails(403, "AccessDenied"):
        manager.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)
    with fails(403, "AccessDenied"):
        manager.tag_user(UserName=name, Tags=[{"Key": "team", "Value": "blue"}])
    with fails(403, "AccessDenied"):
        manager.get_user(UserName=name)
    manager.tag_user(UserName=name, Tags=[{"Key": "Team", "Value": "red"}])
    manager.get_user(UserName=name)


def test_a_role_is_made_shown_changed_and_deleted(service: Service, iam: Any):
    person, name = make_person(service, iam), new_person("role")
    trust = document({"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"})
    options = {"Description": "a role", "MaxSessionDuration": 7200, "PermissionsBoundary": READ_ONLY, "Path": "/r/"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=[{"Key": "k", "Value": "v"}], **options)["Role"]
    assert made["Arn"] == f"arn:aws:iam::{service.owner.account_id}:role/r/{name}"
    assert re.fullmatch(r"SGR[A-Z2-7]{18}", made["RoleId"])
    assert made["AssumeRolePolicyDocument"] == json.loads(trust)
    assert iam.get_role(RoleName=name)["Role"] == made
    assert [role["RoleName"] for role in iam.list_roles(PathPrefix="/r/")["Roles"] if role["RoleName"] == name] == [name]
    iam.update_role(RoleName=name, MaxSessionDuration=3600)
    iam.update_role_description(RoleName=name, Description="other")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=TRUST)
    shown = iam.get_role(RoleName=name)["Role"]
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("other", 3600)
    assert shown["AssumeRolePolicyDocument"] == json.loads(TRUST)
    iam.update_role(RoleName=name, Description="")
    assert "Description" not in iam.get_role(RoleName=name)["Role"]
    iam.delete_role_permissions_boundary(RoleName=name)
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    for bad in (f"{person.arn}x", f"arn:aws:iam::{service.stranger.account_id}:user/nobody"):
        unknown = document({"Effect": "Allow", "Principal": {"AWS": bad}, "Action": "sts:AssumeRole"})
        with fails(400, "MalformedPolicyDocument"):
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=unknown)
    for seconds in (3599, 43_201):
        with fails(400, "ValidationError"):
            iam.update_role(RoleName=name, MaxSessionDuration=seconds)
    iam.delete_role(RoleName=name)
    with fails(404, "NoSuchEntity"):
        iam.get_role(RoleName=name)


def test_tags_are_put_over_each_other_and_removed(iam: Any, role: str):
    user, policy = new_person(), new_person("policy")
    iam.create_user(UserName=user)
    arn = iam.create_policy(PolicyName=policy, PolicyDocument=document(allow("*")))["Policy"]["Arn"]
    for kind, named in (("user", {"UserName": user}), ("role", {"RoleName": role}), ("policy", {"PolicyArn": arn})):
        put, listed = getattr(iam, f"tag_{kind}"), getattr(iam, f"list_{kind}_tags")
        put(**named, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
        put(**named, Tags=[{"Key": "A", "Value": "2"}])
        assert listed(**named)["Tags"] == [{"Key": "A", "Value": "2"}, {"Key": "b", "Value": ""}]
        getattr(iam, f"untag_{kind}")(**named, TagKeys=["a", "none"])
        assert listed(**named)["Tags"] == [{"Key": "b", "Value": ""}]
        with fails(400, "InvalidInput"):
            put(**named, Tags=[{"Key": "c", "Value": "1"}, {"Key": "C", "Value": "2"}])
        with fails(400, "InvalidInput"):
            put(**named, Tags=[{"Key": "aws:c", "Value": "1"}])
        with fails(409, "LimitExceeded"):
            put(**named, Tags=[{"Key": f"t{number}", "Value": ""} for number in range(50)])
        with fails(400, "ValidationError"):
            put(**named, Tags=[{"Key": f"t{number}", "Value": ""} for number in range(51)])


def test_t30_a_user_made_again_under_an_old_name_gets_nothing_of_the_old_one(service: Service, iam: Any, bucket: Shelf):
    """Bucket policies and trust policies mean the user whom their ARN meant when they were put."""
    person = make_person(service, iam)
    grant = {"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "s3:GetObject"}
    policy = document({**grant, "Resource": f"arn:aws:s3:::{bucket.name}/*"})
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=policy)
    bucket.put("key", b"body")
    person.s3.get_object(Bucket=bucket.name, Key="key")
    iam.delete_access_key(UserName=person.name, AccessKeyId=person.keys.access_key_id)
    iam.delete_user(UserName=person.name)
    iam.create_user(UserName=person.name)
    key = iam.create_access_key(UserName=person.name)["AccessKey"]
    again = type(person)(person.name, person.arn, type(person.keys)(key["AccessKeyId"], key["SecretAccessKey"]), person.service)
    with fails(403, "AccessDenied"):
        again.s3.get_object(Bucket=bucket.name, Key="key")
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=policy)
    again.s3.get_object(Bucket=bucket.name, Key="key")


def test_simulations_say_what_would_be_decided_and_why(service: Service, iam: Any):
    person = make_person(service, iam, allow("s3:Get*", "arn:aws:s3:::b/*"), deny("s3:GetObject", "arn:aws:s3:::b/secret"))
    iam.attach_user_policy(UserName=person.name, PolicyArn=READ_ONLY)

    def decisions(**options: Any) -> dict[tuple[str, str], str]:
        results = iam.simulate_principal_policy(PolicySourceArn=person.arn, **options)["EvaluationResults"]
        return {(one["EvalActionName"], one["EvalResourceName"]): one["EvalDecision"] for one in results}

    resources = ["arn:aws:s3:::b/open", "arn:aws:s3:::b/secret"]
    assert decisions(ActionNames=["s3:GetObject", "s3:PutObject"], ResourceArns=resources) == {
        ("s3:GetObject", resources[0]): "allowed",
        ("s3:GetObject", resources[1]): "explicitDeny",
        ("s3:PutObject", resources[0]): "implicitDeny",
        ("s3:PutObject", resources[1]): "implicitDeny",
    }
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=person.arn, ActionNames=["s3:GetObject"], ResourceArns=resources[:1]
    )["EvaluationResults"]
    assert {(one["SourcePolicyId"], one["SourcePolicyType"]) for one in result["MatchedStatements"]} == {
        ("own", "user"),
        (READ_ONLY, "aws-managed"),
    }
    extra = document(allow("s3:PutObject", Condition={"StringEquals": {"s3:x-amz-acl": "private"}}))
    entries = [{"ContextKeyName": "s3:x-amz-acl", "ContextKeyValues": ["private"], "ContextKeyType": "string"}]
    put = {"ActionNames": ["s3:PutObject"], "ResourceArns": resources[:1], "PolicyInputList": [extra]}
    assert set(decisions(**put).values()) == {"implicitDeny"}
    assert set(decisions(**put, ContextEntries=entries).values()) == {"allowed"}
    limit = document(allow("s3:GetObject"))
    (bounded,) = iam.simulate_principal_policy(
        PolicySourceArn=person.arn, **put, ContextEntries=entries, PermissionsBoundaryPolicyInputList=[limit]
    )["EvaluationResults"]
    assert bounded["EvalDecision"] == "implicitDeny"
    assert bounded["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    with fails(404, "NoSuchEntity"):
        iam.simulate_principal_policy(PolicySourceArn=f"{person.arn}x", ActionNames=["s3:GetObject"])
    with fails(400, "InvalidInput"):
        iam.simulate_principal_policy(PolicySourceArn=READ_ONLY, ActionNames=["s3:GetObject"])


def test_policies_are_tried_before_they_are_anybodys(service: Service, iam: Any, role: str):
    person, group = make_person(service, iam), new_person("group")
    iam.create_group(GroupName=group)
    text = document(allow("s3:*"), deny("s3:Delete*"))
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[text],
        ActionNames=["s3:GetObject", "s3:DeleteObject", "iam:GetUser"],
        PaginationConfig={"PageSize": 2},
    )
    results = [one for page in pages for one in page["EvaluationResults"]]
    assert [one["EvalDecision"] for one in results] == ["allowed", "explicitDeny", "implicitDeny"]
    assert results[1]["MatchedStatements"] == [{"SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "IAM Policy"}]
    bucket = "arn:aws:s3:::b"
    theirs = document({"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "s3:GetObject", "Resource": f"{bucket}/*"})
    nothing = document(deny("iam:*"))
    asked = {"ActionNames": ["s3:GetObject"], "ResourceArns": [f"{bucket}/k"], "ResourcePolicy": theirs}
    for options, decision in (
        ({"CallerArn": person.arn}, "allowed"),
        ({"CallerArn": person.arn, "ResourceOwner": f"arn:aws:iam::{service.stranger.account_id}:root"}, "implicitDeny"),
    ):
        (one,) = iam.simulate_custom_policy(PolicyInputList=[nothing], **asked, **options)["EvaluationResults"]
        assert one["EvalDecision"] == decision
    for kind, named in (("group", group), ("role", role)):
        arn = f"arn:aws:iam::{service.owner.account_id}:{kind}/{named}"
        (one,) = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject"])["EvaluationResults"]
        assert one["EvalDecision"] == "implicitDeny"
    for bad in ({"ResourceOwner": "nobody"}, {"CallerArn": f"arn:aws:iam::{service.owner.account_id}:role/{role}"}):
        with fails(400, "InvalidInput"):
            iam.simulate_custom_policy(PolicyInputList=[text], ActionNames=["s3:GetObject"], **bad)
    for marker in ("x", "9" * 10):
        with fails(400, "ValidationError"):
            iam.simulate_custom_policy(PolicyInputList=[text], ActionNames=["s3:GetObject"], Marker=marker)
    assert iam.simulate_custom_policy(PolicyInputList=[text], ActionNames=["s3:Get"], Marker="7")["EvaluationResults"] == []
    with fails(400, "MalformedPolicyDocument"):
        iam.simulate_custom_policy(PolicyInputList=["{}"], ActionNames=["s3:GetObject"])


def test_what_there_is_nothing_of_is_answered_so(iam: Any):
    user = new_person()
    iam.create_user(UserName=user)
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert iam.list_mfa_devices(UserName=user)["MFADevices"] == []
    assert iam.list_ssh_public_keys(UserName=user)["SSHPublicKeys"] == []
    assert iam.list_signing_certificates(UserName=user)["Certificates"] == []
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []
    for absent in (lambda: iam.get_login_profile(UserName=user), iam.get_account_password_policy):
        with fails(404, "NoSuchEntity"):
            absent()
    with fails(404, "NoSuchEntity"):
        iam.list_mfa_devices(UserName=new_person())
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["Users"] >= 1
    assert (summary["AccessKeysPerUserQuota"], summary["AccountAccessKeysPresent"]) == (2, 1)
