import json

import pytest

from siegel.access import remembered
from siegel.access.caller import Caller, CallerKind, Rights
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.policy import PolicyKind, parse_policy
from siegel.access.remembered import Decisions, NotedKeys
from siegel.domain.errors import AccessDeniedError

ACCOUNT = "111122223333"
OBJECT = "arn:aws:s3:::b/k"


class Keys:
    def __init__(self, **known):
        self.known = {name.replace("_", ":"): values for name, values in known.items()}

    def get(self, name, /):
        return self.known.get(name)


def user(*statements):
    policy = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), PolicyKind.IDENTITY)
    return Caller(
        kind=CallerKind.USER,
        account_id=ACCOUNT,
        arn=f"arn:aws:iam::{ACCOUNT}:user/ann",
        principal_id="SGUAAAAAAAAAAAAAAAAAA",
        name="ann",
        rights=Rights.of([("p", policy)]),
    )


def allow(**more):
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **more}


def test_a_permit_is_found_again_for_the_same_and_nothing_else():
    decisions, caller, side = Decisions(), user(allow()), ResourceSide(ACCOUNT)
    assert decisions.find(caller, "s3:GetObject", OBJECT, side) is None
    permit = decisions.decide(caller, Asked("s3:GetObject", OBJECT, Keys()), side)
    assert decisions.find(caller, "s3:GetObject", OBJECT, side) is permit
    assert decisions.find(caller, "s3:PutObject", OBJECT, side) is None
    assert decisions.find(caller, "s3:GetObject", f"{OBJECT}2", side) is None
    assert decisions.find(user(allow()), "s3:GetObject", OBJECT, side) is None
    assert decisions.find(caller, "s3:GetObject", OBJECT, ResourceSide(ACCOUNT)) is None


@pytest.mark.parametrize(
    "condition",
    [{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"Null": {"s3:prefix": "true"}}, {"Bool": {"aws:SecureTransport": "true"}}],
)
def test_what_the_request_had_a_say_in_is_decided_anew(condition):
    decisions, caller, side = Decisions(), user(allow(Condition=condition)), ResourceSide(ACCOUNT)
    keys = Keys(aws_sourceip=("10.1.1.1",), aws_securetransport=("true",))
    decisions.decide(caller, Asked("s3:GetObject", OBJECT, keys), side)
    assert decisions.find(caller, "s3:GetObject", OBJECT, side) is None


def test_what_the_principal_is_does_not_change_and_may_be_remembered():
    condition = {"StringEquals": {"aws:username": "ann"}}
    decisions, caller, side = Decisions(), user(allow(Condition=condition)), ResourceSide(ACCOUNT)
    decisions.decide(caller, Asked("s3:GetObject", OBJECT, Keys()), side)
    assert decisions.find(caller, "s3:GetObject", OBJECT, side) is not None


def test_a_denial_is_never_remembered():
    decisions, caller, side = Decisions(), user(allow()), ResourceSide(ACCOUNT)
    with pytest.raises(AccessDeniedError):
        decisions.decide(caller, Asked("s3:PutObject", OBJECT, Keys()), side)
    assert decisions.find(caller, "s3:PutObject", OBJECT, side) is None


def test_the_memory_has_an_end(monkeypatch):
    monkeypatch.setattr(remembered, "REMEMBERED_MAX", 2)
    decisions, caller, side = Decisions(), user(allow()), ResourceSide(ACCOUNT)
    for number in range(3):
        decisions.decide(caller, Asked("s3:GetObject", f"{OBJECT}{number}", Keys()), side)
    found = [decisions.find(caller, "s3:GetObject", f"{OBJECT}{number}", side) for number in range(3)]
    assert [permit is None for permit in found] == [True, True, False]


def test_what_is_the_same_in_every_request_may_be_asked_for():
    keys = NotedKeys(Keys(kms_viaservice=("s3",)), frozenset({"kms:viaservice"}))
    assert keys.get("kms:viaservice") == ("s3",)
    assert not keys.was_asked
    assert keys.get("aws:sourceip") is None
    assert keys.was_asked
