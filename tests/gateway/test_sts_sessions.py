"""What credentials of GetSessionToken open, and for how long they are their user's."""

from __future__ import annotations

from typing import Any

import pytest

from .service import Service
from .shelf import Shelf, fails, new_name, sdk
from .test_sts import allow, document, make_role, make_user, with_session


@pytest.fixture(scope="module")
def iam(service: Service) -> Any:
    return sdk(service, name="iam")


def test_a_session_stays_its_users_under_another_name(bucket: Shelf, service: Service, iam: Any) -> None:
    bucket.put("k", b"x")
    name, keys = make_user(iam, allow("s3:GetObject"))
    session = sdk(service, keys, name="sts").get_session_token()["Credentials"]
    s3, renamed = with_session(service, session), new_name()
    iam.update_user(UserName=name, NewUserName=renamed, NewPath="/staff/")
    assert s3.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"x"
    arn = f"arn:aws:iam::{service.owner.account_id}:user/staff/{renamed}"
    assert with_session(service, session, "sts").get_caller_identity()["Arn"] == arn
    iam.create_user(UserName=name)
    assert with_session(service, session, "sts").get_caller_identity()["Arn"] == arn
    iam.delete_user_policy(UserName=renamed, PolicyName="p")
    iam.delete_access_key(UserName=renamed, AccessKeyId=keys.access_key_id)
    iam.delete_user(UserName=renamed)
    iam.create_user(UserName=renamed, Path="/staff/")
    with fails(400, "InvalidToken"):
        s3.get_object(Bucket=bucket.name, Key="k")


@pytest.mark.parametrize("is_root", [True, False], ids=["root", "user"])
def test_credentials_that_end_make_none_that_do_not(service: Service, iam: Any, *, is_root: bool) -> None:
    """Nothing of IAM, and of STS what makes sessions and tells who calls."""
    name, keys = make_user(iam, allow("*"))
    session = sdk(service, None if is_root else keys, name="sts").get_session_token()["Credentials"]
    lent_iam, lent_sts = with_session(service, session, "iam"), with_session(service, session, "sts")
    for refused in (
        lambda: lent_iam.create_access_key(UserName=name),
        lent_iam.create_access_key,
        lent_iam.list_users,
        lambda: lent_iam.put_user_policy(UserName=name, PolicyName="more", PolicyDocument=document(allow("*"))),
        lambda: lent_sts.get_access_key_info(AccessKeyId=keys.access_key_id),
        lent_sts.get_session_token,
    ):
        with fails(403, "AccessDenied"):
            refused()
    assert len(iam.list_access_keys(UserName=name)["AccessKeyMetadata"]) == 1
    assert lent_sts.get_caller_identity()["Arn"].endswith(":root" if is_root else f":user/{name}")
    lent_kms = with_session(service, session, "kms")
    lent_kms.list_keys()
    lent_kms.close()


def test_a_role_that_a_users_session_takes_on_may_call_iam(service: Service, iam: Any) -> None:
    _, keys = make_user(iam, allow("sts:AssumeRole"))
    session = sdk(service, keys, name="sts").get_session_token()["Credentials"]
    _, arn = make_role(iam, service, actions="iam:ListUsers")
    taken = with_session(service, session, "sts").assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]
    assert with_session(service, taken, "iam").list_users()["Users"]


def test_an_accounts_root_takes_on_no_role(service: Service, iam: Any) -> None:
    account = service.owner.account_id
    _, arn = make_role(iam, service, trusted=f"arn:aws:iam::{account}:root")
    _, open_to_all = make_role(iam, service, trusted="*")
    lent = sdk(service, name="sts").get_session_token()["Credentials"]
    roots = [sdk(service, name="sts"), with_session(service, lent, "sts"), sdk(service, service.stranger, name="sts")]
    for root in roots:
        for role in (arn, open_to_all, f"{arn}-none"):
            with fails(403, "AccessDenied") as refused:
                root.assume_role(RoleArn=role, RoleSessionName="ann")
            assert refused.value.response["Error"]["Message"] == "Roles may not be assumed by root accounts."
