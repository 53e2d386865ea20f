"""Calls of IAM as transactions: decided, done, written down; or nothing of it."""

import asyncio
import contextlib
import json

import msgspec
import pytest
from msgspec.structs import replace

from siegel.access.caller import Caller, CallerKind, Rights, root_caller
from siegel.access.policy import PolicyKind, parse_policy
from siegel.domain.addresses import Allowed
from siegel.domain.errors import AccessDeniedError
from siegel.domain.identities import User
from siegel.domain.query_errors import LimitExceededError, NoSuchEntityError, QueryError, ValidationError
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.outbound import HttpOutbound
from siegel.drivers.system import SystemRandomness
from siegel.iamwire.action import About, find_action, read_call
from siegel.iamwire.iam_actions import ACTIONS, IAM
from siegel.s3wire.request import parse_request
from siegel.service.identities import entities
from siegel.service.identities.entities import Entities
from siegel.service.identities.scene import Means
from siegel.service.identities.use_cases import CHANGES, READS, Identities
from siegel.service.keys import KeyRing
from siegel.service.trail import Trail

OWN, OTHER = "111122223333", "444455556666"
ROOT = root_caller(OWN, "SGL" + "A" * 17)
NOBODY = Caller(kind=CallerKind.USER, account_id=OWN, arn=f"arn:aws:iam::{OWN}:user/eve", principal_id="SGUEVE", name="eve")
SESSION = Caller(
    kind=CallerKind.ROLE,
    account_id=OWN,
    arn=f"arn:aws:sts::{OWN}:assumed-role/r/s",
    principal_id="SGRR:s",
    role_arn=f"arn:aws:iam::{OWN}:role/r",
)


class FixedClock:
    def now_ms(self):
        return 1_700_000_000_000


@pytest.fixture
def store():
    return MemoryStore(FixedClock())


@pytest.fixture
def ask(store):
    randomness = SystemRandomness()
    means = Means(randomness, KeyRing(LocalCustodian(bytes(32)), randomness), HttpOutbound(Allowed()))
    cases = Identities(store, store, means=means, clock=FixedClock(), region="eu-central-1")
    request = parse_request("POST", "http", b"/", b"", [(b"host", b"h")], "192.0.2.1", ())

    def answer(action, caller=ROOT, **parameters):
        named = {"Action": action, "Version": IAM.version, **parameters}
        spoken = read_call(find_action(IAM, named), named)
        trail = Trail(5, "REQUEST", "192.0.2.1")
        trail.caller, trail.account_id, trail.kind = caller, caller.account_id, spoken.action.kind
        return asyncio.run(cases.answer(spoken, request, trail))

    return answer


def written(store):
    return [(entry.kind, entry.object_key, entry.status) for _, batch in store.entries(0, 100) for entry in batch]


def test_every_action_has_its_use_case_and_no_other_has():
    assert set(READS) | set(CHANGES) == set(ACTIONS)
    assert set(CHANGES) == {name for name, action in ACTIONS.items() if action.changes}
    assert not set(READS) & set(CHANGES)


def test_changes_and_reads_are_written_down_with_what_they_are_about(store, ask):
    ask("CreateUser", UserName="bob", Path="/p/")
    ask("GetUser", UserName="bob")
    ask("ListUsers")
    ask("CreateAccessKey")
    assert written(store) == [
        ("iam.create_user", f"arn:aws:iam::{OWN}:user/p/bob", 200),
        ("iam.get_user", f"arn:aws:iam::{OWN}:user/p/bob", 200),
        ("iam.list_users", f"arn:aws:iam::{OWN}:user/", 200),
        ("iam.create_access_key", f"arn:aws:iam::{OWN}:root", 200),
    ]


def test_a_change_tells_every_worker_and_a_read_none(store, ask):
    before = store.generation()
    ask("ListUsers")
    assert store.generation() == before
    ask("CreateUser", UserName="bob")
    assert store.generation() != before


PARAMETERS = {
    "UserName": "eve2",
    "GroupName": "g",
    "RoleName": "r",
    "PolicyName": "p",
    "PolicyArn": f"arn:aws:iam::{OWN}:policy/p",
    "PermissionsBoundary": f"arn:aws:iam::{OWN}:policy/p",
    "PolicyDocument": "{}",
    "AssumeRolePolicyDocument": "{}",
    "Description": "d",
    "VersionId": "v1",
    "AccessKeyId": "SGK" + "E" * 17,
    "Status": "Inactive",
    "Url": "https://idp.example",
    "OpenIDConnectProviderArn": f"arn:aws:iam::{OWN}:oidc-provider/idp.example",
    "ClientID": "app",
    "ThumbprintList.member.1": "0" * 40,
    "Tags.member.1.Key": "k",
    "Tags.member.1.Value": "v",
    "TagKeys.member.1": "k",
    "PolicySourceArn": NOBODY.arn,
    "ActionNames.member.1": "s3:GetObject",
    "PolicyInputList.member.1": "{}",
}


def needed(action):
    known = {field.encode_name for field in msgspec.structs.fields(ACTIONS[action].ask)}
    return {name: value for name, value in PARAMETERS.items() if name.partition(".")[0] in known}


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_whoever_has_no_right_changes_and_learns_nothing(store, ask, action):
    before = store.generation()
    with pytest.raises(AccessDeniedError) as caught:
        ask(action, caller=NOBODY, **needed(action))
    assert ACTIONS[action].permission in caught.value.text
    assert store.generation() == before
    assert written(store) == []


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_credentials_of_get_session_token_change_and_learn_nothing(store, ask, action):
    everything = parse_policy('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}', PolicyKind.IDENTITY)
    for caller in (ROOT, replace(NOBODY, rights=Rights.of([("own", everything)]))):
        with pytest.raises(AccessDeniedError, match=f"Cannot call {action} with"):
            ask(action, caller=replace(caller, is_temporary=True), **needed(action))
    assert written(store) == []


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_the_very_right_is_enough(ask, action):
    """What is then wrong with the call is said: there is nothing yet that it could be about, or its policy is none."""
    statement = {"Effect": "Allow", "Action": ACTIONS[action].permission, "Resource": f"arn:aws:iam::{OWN}:*"}
    if ACTIONS[action].about is About.ACCOUNT:
        statement["Resource"] = "*"
    policy = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), PolicyKind.IDENTITY)
    allowed = replace(NOBODY, rights=Rights.of([("own", policy)]))
    with contextlib.suppress(QueryError):
        ask(action, caller=allowed, **needed(action))


def test_a_refused_change_leaves_nothing_behind(store, ask, monkeypatch):
    monkeypatch.setitem(entities._MAX, User, 1)
    ask("CreateUser", UserName="one")
    with pytest.raises(LimitExceededError):
        ask("CreateUser", UserName="two")
    assert [user.name for user in Entities(store.reader, OWN).scan(User)] == ["one"]
    with pytest.raises(NoSuchEntityError):
        ask("AddUserToGroup", GroupName="none", UserName="one")


def test_many_entities_are_read_in_several_steps(store, ask, monkeypatch):
    monkeypatch.setattr(entities, "_AT_ONCE", 2)
    for number in range(5):
        ask("CreateUser", UserName=f"user{number}")
    assert [user["UserName"] for user in ask("ListUsers")["Users"]] == [f"user{number}" for number in range(5)]


def test_accounts_do_not_see_each_other(store, ask):
    other = root_caller(OTHER, "SGL" + "B" * 17)
    ask("CreateUser", UserName="bob")
    assert ask("ListUsers", caller=other)["Users"] == []
    ask("CreateUser", caller=other, UserName="bob")
    with pytest.raises(NoSuchEntityError):
        ask("CreatePolicyVersion", caller=other, PolicyArn=f"arn:aws:iam::{OWN}:policy/p", PolicyDocument="{}")


def test_a_session_has_no_keys_of_its_own(ask):
    for action in ("GetUser", "CreateAccessKey", "ListAccessKeys"):
        with pytest.raises(ValidationError, match="Must specify userName"):
            ask(action, caller=SESSION)
