"""What credentials of GetSessionToken open, and for how long they are their user's."""

from __future__ import annotations

from typing import Any

import pytest

from .service import Service
from .shelf import Shelf, fails, new_name, sdk
from .test_sts import allow, make_user, with_session


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
