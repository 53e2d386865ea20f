"""What the decision to let somebody take on a role is told: of the role, and of what the session will have."""

from __future__ import annotations

from typing import Any

import pytest

from .service import Service
from .shelf import fails, new_name, sdk
from .test_sts import allow, document, make_user, with_session

ALL = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


@pytest.fixture(scope="module")
def iam(service: Service) -> Any:
    return sdk(service, name="iam")


def make_role(iam: Any, service: Service, actions: list[str], tags: dict[str, str] | None = None, **more: Any) -> str:
    """Make a role that the account's own principals may take on by `actions` where `more` holds, and no other way."""
    name = new_name()
    trusted = {"Effect": "Allow", "Principal": {"AWS": service.owner.account_id}, "Action": actions, **more}
    given = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trusted), Tags=given)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("sts:*")))
    return str(arn)


@pytest.mark.parametrize("key", ["aws:ResourceTag/Project", "iam:ResourceTag/project"])
def test_the_tags_of_a_role_say_who_may_take_it_on(service: Service, iam: Any, key: str) -> None:
    mine = make_role(iam, service, ALL, {"project": "mine"})
    secret = make_role(iam, service, ALL, {"Project": "secret"})
    only = allow("sts:AssumeRole", Condition={"StringEquals": {key: "mine"}})
    all_but = {**allow("sts:AssumeRole", Condition={"StringEquals": {key: "secret"}}), "Effect": "Deny"}
    for statements in ([only], [allow("sts:AssumeRole"), all_but]):
        _, keys = make_user(iam, *statements)
        sts = sdk(service, keys, name="sts")
        assert sts.assume_role(RoleArn=mine, RoleSessionName="ann")["Credentials"]
        with fails(403, "AccessDenied"):
            sts.assume_role(RoleArn=secret, RoleSessionName="ann")


def test_a_trust_policy_sees_the_tags_of_its_own_role(service: Service, iam: Any) -> None:
    condition = {"StringEquals": {"aws:ResourceTag/open": "yes"}}
    _, keys = make_user(iam, allow("sts:AssumeRole"))
    sts = sdk(service, keys, name="sts")
    opened = make_role(iam, service, ALL, {"open": "yes"}, Condition=condition)
    assert sts.assume_role(RoleArn=opened, RoleSessionName="ann")["Credentials"]
    with fails(403, "AccessDenied"):
        sts.assume_role(RoleArn=make_role(iam, service, ALL, {"open": "no"}, Condition=condition), RoleSessionName="ann")


@pytest.fixture
def chained(service: Service, iam: Any) -> Any:
    """STS as a session sees it that hands on a tag and a source identity."""
    _, keys = make_user(iam, allow("sts:*"))
    first = sdk(service, keys, name="sts").assume_role(
        RoleArn=make_role(iam, service, ALL),
        RoleSessionName="first",
        SourceIdentity="ann",
        Tags=[{"Key": "team", "Value": "red"}, {"Key": "desk", "Value": "7"}],
        TransitiveTagKeys=["team"],
    )
    return with_session(service, first["Credentials"], "sts")


@pytest.mark.parametrize("missing", ["sts:TagSession", "sts:SetSourceIdentity"])
def test_what_a_session_inherits_has_to_be_permitted(service: Service, iam: Any, chained: Any, missing: str) -> None:
    """By the role's trust policy; the session whose role is taken on must be permitted to hand it on too."""
    narrow = make_role(iam, service, [action for action in ALL if action != missing])
    with fails(403, "AccessDenied"):
        chained.assume_role(RoleArn=narrow, RoleSessionName="second")
    role = chained.get_caller_identity()["Arn"].split("/")[1]
    wide = make_role(iam, service, ALL)
    iam.put_role_policy(RoleName=role, PolicyName="no", PolicyDocument=document({**allow(missing), "Effect": "Deny"}))
    with fails(403, "AccessDenied"):
        chained.assume_role(RoleArn=wide, RoleSessionName="second")
    iam.delete_role_policy(RoleName=role, PolicyName="no")
    second = chained.assume_role(RoleArn=wide, RoleSessionName="second")
    assert second["SourceIdentity"] == "ann"


@pytest.mark.parametrize(
    ("key", "values"),
    [("sts:SourceIdentity", ("ann", "bob")), ("aws:RequestTag/team", ("red", "blue")), ("aws:TagKeys", ("team", "desk"))],
)
def test_a_trust_policy_sees_what_a_session_inherits(
    service: Service, iam: Any, chained: Any, key: str, values: tuple[str, str]
) -> None:
    operator = "ForAllValues:StringEquals" if key == "aws:TagKeys" else "StringEquals"
    fitting, other = (make_role(iam, service, ALL, Condition={operator: {key: value}}) for value in values)
    assert chained.assume_role(RoleArn=fitting, RoleSessionName="second")["Credentials"]
    with fails(403, "AccessDenied"):
        chained.assume_role(RoleArn=other, RoleSessionName="second")


def test_an_inherited_source_identity_is_not_changed_whatever_role_is_asked_for(service: Service, iam: Any, chained: Any) -> None:
    arn = make_role(iam, service, ALL)
    told = set()
    for role in (arn, f"{arn}-none"):
        with fails(403, "AccessDenied") as refused:
            chained.assume_role(RoleArn=role, RoleSessionName="second", SourceIdentity="bob")
        told.add(refused.value.response["Error"]["Message"])
    assert len(told) == 1
    assert chained.assume_role(RoleArn=arn, RoleSessionName="second", SourceIdentity="ann")["SourceIdentity"] == "ann"
