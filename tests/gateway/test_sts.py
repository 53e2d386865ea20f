"""Temporary credentials with the official SDK: who gets them, what they open, and when that ends."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config

from .log import Auditor
from .service import Service
from .shelf import Shelf, fails, new_name, sdk
from .signer import REGION, Keys


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: object, resource: object = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal: object, **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": ["sts:AssumeRole", "sts:TagSession"], **more})


def with_session(service: Service, credentials: dict[str, Any], name: str = "s3") -> Any:
    return boto3.client(
        name,
        endpoint_url=service.url,
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@pytest.fixture(scope="module")
def iam(service: Service) -> Any:
    return sdk(service, name="iam")


@pytest.fixture(scope="module")
def sts(service: Service) -> Any:
    return sdk(service, name="sts")


def make_role(iam: Any, service: Service, *, actions: object = "s3:*", trusted: str = "", **more: Any) -> tuple[str, str]:
    """Make a role that `trusted` (everybody in the account whose own policies allow it) may take on; return its name and ARN."""
    name = new_name()
    policy = trust(trusted or f"arn:aws:iam::{service.owner.account_id}:root", **more)
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow(actions)))
    return name, arn


def make_user(iam: Any, *statements: dict[str, Any]) -> tuple[str, Keys]:
    name = new_name()
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, Keys(key["AccessKeyId"], key["SecretAccessKey"])


def make_taker(service: Service, iam: Any) -> Any:
    """Return STS as a user sees it who may take on every role that trusts his account: its root takes on none."""
    return sdk(service, make_user(iam, allow("sts:*"))[1], name="sts")


@pytest.fixture(scope="module")
def taker(service: Service, iam: Any) -> Any:
    return make_taker(service, iam)


def test_everybody_learns_who_he_is(service: Service, iam: Any, sts: Any, taker: Any) -> None:
    account = service.owner.account_id
    root = sts.get_caller_identity()
    assert (root["Account"], root["UserId"], root["Arn"]) == (account, account, f"arn:aws:iam::{account}:root")
    name, keys = make_user(iam)
    user = sdk(service, keys, name="sts").get_caller_identity()
    assert user["Arn"] == f"arn:aws:iam::{account}:user/{name}"
    role, arn = make_role(iam, service)
    credentials = taker.assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]
    session = with_session(service, credentials, "sts").get_caller_identity()
    assert session["Arn"] == f"arn:aws:sts::{account}:assumed-role/{role}/ann"
    assert session["UserId"].endswith(":ann")
    with fails(403, "InvalidClientTokenId"):
        sdk(service, service.operator, name="sts").get_caller_identity()


def test_a_roles_session_opens_what_the_role_may_and_no_more(bucket: Shelf, service: Service, iam: Any, taker: Any) -> None:
    bucket.put("k", b"x")
    _, arn = make_role(iam, service, actions=["s3:GetObject", "s3:PutObject"])
    answer = taker.assume_role(RoleArn=arn, RoleSessionName="ann", DurationSeconds=900)
    s3 = with_session(service, answer["Credentials"])
    assert s3.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"x"
    s3.put_object(Bucket=bucket.name, Key="new", Body=b"y" * 100_000)
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket.name, "Key": "new"})
    assert "X-Amz-Security-Token" in url
    with urlopen(url) as got:
        assert got.read() == b"y" * 100_000
    with fails(403, "AccessDenied"):
        s3.delete_object(Bucket=bucket.name, Key="k")
    with fails(403, "AccessDenied"):
        s3.list_objects_v2(Bucket=bucket.name)


def test_t22_minio_cve_2025_62506_a_session_never_has_more_than_its_policy_and_its_parent(
    bucket: Shelf, service: Service, iam: Any, taker: Any
) -> None:
    bucket.put("k", b"x")
    _, arn = make_role(iam, service, actions=["s3:GetObject", "iam:*", "sts:*"])
    limits = document(allow(["s3:GetObject", "s3:DeleteObject"]))
    narrow = taker.assume_role(RoleArn=arn, RoleSessionName="narrow", Policy=limits)
    s3 = with_session(service, narrow["Credentials"])
    assert narrow["PackedPolicySize"] >= 1
    assert s3.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"x"
    with fails(403, "AccessDenied"):
        s3.delete_object(Bucket=bucket.name, Key="k")
    with fails(403, "AccessDenied"):
        with_session(service, narrow["Credentials"], "iam").create_user(UserName=new_name())
    with fails(403, "AccessDenied"):
        with_session(service, narrow["Credentials"], "sts").get_session_token()
    with fails(403, "AccessDenied"):
        with_session(service, narrow["Credentials"], "sts").assume_role(RoleArn=arn, RoleSessionName="again")


def test_who_may_take_on_a_role(service: Service, iam: Any, taker: Any) -> None:
    user, keys = make_user(iam, allow("sts:AssumeRole"))
    outsider = make_taker(service, sdk(service, service.stranger, name="iam"))
    _, arn = make_role(iam, service, trusted=f"arn:aws:iam::{service.owner.account_id}:user/{user}")
    assert sdk(service, keys, name="sts").assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]
    _, idle = make_user(iam)
    for caller in (sdk(service, idle, name="sts"), outsider):
        with fails(403, "AccessDenied"):
            caller.assume_role(RoleArn=arn, RoleSessionName="ann")
    with fails(403, "AccessDenied"):
        taker.assume_role(RoleArn=arn[:-4] + "none", RoleSessionName="ann")
    _, open_arn = make_role(
        iam,
        service,
        trusted=f"arn:aws:iam::{service.stranger.account_id}:root",
        Condition={"StringEquals": {"sts:ExternalId": "agreed"}},
    )
    with fails(403, "AccessDenied"):
        outsider.assume_role(RoleArn=open_arn, RoleSessionName="ann")
    with fails(403, "AccessDenied"):
        outsider.assume_role(RoleArn=open_arn, RoleSessionName="ann", ExternalId="guessed")
    assert outsider.assume_role(RoleArn=open_arn, RoleSessionName="ann", ExternalId="agreed")["Credentials"]


def test_what_changes_binds_on_the_next_request(bucket: Shelf, service: Service, iam: Any, taker: Any) -> None:
    bucket.put("k", b"x")
    role, arn = make_role(iam, service, actions="s3:GetObject")
    s3 = with_session(service, taker.assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"])
    assert s3.get_object(Bucket=bucket.name, Key="k")["Body"].read()
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(allow("s3:PutObject")))
    with fails(403, "AccessDenied"):
        s3.get_object(Bucket=bucket.name, Key="k")
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(allow("s3:GetObject")))
    assert s3.get_object(Bucket=bucket.name, Key="k")["Body"].read()
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    iam.delete_role(RoleName=role)
    with fails(400, "InvalidToken"):
        s3.get_object(Bucket=bucket.name, Key="k")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(f"arn:aws:iam::{service.owner.account_id}:root"))
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(allow("s3:*")))
    with fails(400, "InvalidToken"):
        s3.get_object(Bucket=bucket.name, Key="k")


def test_session_tags_are_the_sessions_and_transitive_ones_go_on(bucket: Shelf, service: Service, iam: Any, taker: Any) -> None:
    bucket.put("a/k", b"x")
    policy = allow("s3:GetObject", f"arn:aws:s3:::{bucket.name}/${{aws:PrincipalTag/team}}/*")
    role, arn = make_role(iam, service)
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(policy, allow("sts:*")))
    tags = [{"Key": "team", "Value": "a"}]
    first = taker.assume_role(RoleArn=arn, RoleSessionName="ann", Tags=tags, TransitiveTagKeys=["team"])["Credentials"]
    assert with_session(service, first).get_object(Bucket=bucket.name, Key="a/k")["Body"].read()
    chained = with_session(service, first, "sts")
    second = chained.assume_role(RoleArn=arn, RoleSessionName="bob")["Credentials"]
    assert with_session(service, second).get_object(Bucket=bucket.name, Key="a/k")["Body"].read()
    with fails(403, "AccessDenied"):
        chained.assume_role(RoleArn=arn, RoleSessionName="bob", Tags=[{"Key": "team", "Value": "b"}])
    with fails(400, "ValidationError"):
        chained.assume_role(RoleArn=arn, RoleSessionName="bob", DurationSeconds=7200)
    bare = taker.assume_role(RoleArn=arn, RoleSessionName="eve")["Credentials"]
    with fails(403, "AccessDenied"):
        with_session(service, bare).get_object(Bucket=bucket.name, Key="a/k")


def test_users_and_root_get_session_tokens(bucket: Shelf, service: Service, iam: Any, sts: Any) -> None:
    bucket.put("k", b"x")
    assert with_session(service, sts.get_session_token()["Credentials"]).get_object(Bucket=bucket.name, Key="k")["Body"].read()
    _, keys = make_user(iam, allow("s3:GetObject"))
    session = sdk(service, keys, name="sts").get_session_token(DurationSeconds=900)["Credentials"]
    s3 = with_session(service, session)
    assert s3.get_object(Bucket=bucket.name, Key="k")["Body"].read()
    with fails(403, "AccessDenied"):
        s3.put_object(Bucket=bucket.name, Key="k", Body=b"y")


def test_keys_and_tokens_belong_together(bucket: Shelf, service: Service, sts: Any) -> None:
    first, second = (sts.get_session_token()["Credentials"] for _ in range(2))
    mixed = {**first, "SessionToken": second["SessionToken"]}
    changed = {**first, "SessionToken": first["SessionToken"][:-2] + "AA"}
    permanent = {
        "AccessKeyId": service.owner.access_key_id,
        "SecretAccessKey": service.owner.secret_access_key,
        "SessionToken": first["SessionToken"],
    }
    for credentials in (mixed, changed, permanent):
        with fails(400, "InvalidToken"):
            with_session(service, credentials).list_buckets()
        with fails(403, "InvalidClientTokenId"):
            with_session(service, credentials, "sts").get_caller_identity()
    with fails(403, "InvalidAccessKeyId"):
        sdk(service, Keys(first["AccessKeyId"], first["SecretAccessKey"])).list_buckets()
    with fails(403, "SignatureDoesNotMatch"):
        with_session(service, {**first, "SecretAccessKey": second["SecretAccessKey"]}).list_buckets()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"RoleSessionName": "x"}, "ValidationError"),
        ({"RoleSessionName": "a b"}, "ValidationError"),
        ({"RoleArn": "arn:aws:iam::1:role/short"}, "ValidationError"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 43201}, "ValidationError"),
        ({"DurationSeconds": 7200}, "ValidationError"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/NoSuchPolicy"}]}, "NoSuchEntity"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "ValidationError"),
        ({"TransitiveTagKeys": ["b"]}, "ValidationError"),
        ({"SerialNumber": "arn:aws:iam::111122223333:mfa/x", "TokenCode": "123456"}, "AccessDenied"),
    ],
)
def test_what_makes_no_sense_is_refused(service: Service, iam: Any, taker: Any, changes: dict[str, Any], code: str) -> None:
    _, arn = make_role(iam, service)
    status = {"AccessDenied": 403, "NoSuchEntity": 404}.get(code, 400)
    with fails(status, code):
        taker.assume_role(**{"RoleArn": arn, "RoleSessionName": "ann", **changes})


def test_t21_keystone_cve_2025_65073_without_a_signature_there_is_nothing(service: Service) -> None:
    raw = service.raw()
    for action in ("GetCallerIdentity", "AssumeRole", "GetSessionToken", "Nonsense"):
        body = f"Action={action}&Version=2011-06-15".encode()
        headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(len(body)))]
        answer = raw.send(raw.ask("POST", headers=headers, body=body))
        assert answer.status == 403
        assert b"MissingAuthenticationToken" in answer.body


def test_who_asks_for_a_role_is_in_the_log_of_its_account_and_in_that_of_his_own(service: Service) -> None:
    here, abroad = service.with_own_account(new_name()), service.with_own_account(new_name())
    user, keys = make_user(sdk(abroad, name="iam"), allow("sts:AssumeRole"))
    principal = f"arn:aws:iam::{abroad.owner.account_id}:user/{user}"
    _, arn = make_role(sdk(here, name="iam"), here, trusted=principal)
    outsider = sdk(abroad, keys, name="sts")
    taken = outsider.assume_role(RoleArn=arn, RoleSessionName="ann")["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    none = f"{arn}-none"
    with fails(403, "AccessDenied") as refused:
        outsider.assume_role(RoleArn=none, RoleSessionName="bob")
    denied = refused.value.response["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    for side in (here, abroad):
        found = Auditor(side.raw(), side.owner.account_id).await_entries([taken, denied])
        for entry, told in {taken: (200, "", f"{arn} ann"), denied: (403, "AccessDenied", f"{none} bob")}.items():
            (line,) = found[entry]
            assert line.opening is not None
            facts = line.leaf.facts
            assert (facts.kind, facts.status, facts.reason, line.opening.object_key) == ("sts.assume_role", *told)
            assert line.opening.principal == principal


def test_who_takes_on_a_role_of_his_own_account_is_in_its_log_once(service: Service) -> None:
    here = service.with_own_account(new_name())
    iam = sdk(here, name="iam")
    _, arn = make_role(iam, here)
    taken = make_taker(here, iam).assume_role(RoleArn=arn, RoleSessionName="ann")
    entry = taken["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    (line,) = Auditor(here.raw(), here.owner.account_id).await_entries([entry])[entry]
    assert line.opening is not None
    assert line.opening.object_key == f"{arn} ann"
