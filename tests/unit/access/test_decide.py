"""Who may do what: the order in which policies of both sides are asked."""

import pytest
from msgspec.structs import replace
from tests.unit.access.stage import (
    ALICE,
    ALICE_ID,
    ANONYMOUS,
    BUCKET,
    OBJECT,
    OTHER,
    OWN,
    READER,
    READER_ID,
    ROOT,
    SESSION,
    STRANGER,
    alice,
    bucket_policy,
    denial,
    is_allowed,
    own,
    policy,
    reader,
    statement,
)

from siegel.access.decide import decide, permit_root
from siegel.access.evaluation import RECOVERY_ACTIONS, Asked, ResourceSide
from siegel.access.policy import PolicyKind
from siegel.domain.errors import AccessDeniedError

DENY_ALL = statement("Deny", Action="s3:*", Resource=["*"])
WHO = f'User: {ALICE} is not authorized to perform: s3:GetObject on resource: "{OBJECT}"'


def test_the_root_principal_gets_a_permit_that_names_it():
    permit = decide(ROOT, Asked("s3:GetObject", OBJECT), own())
    assert (permit.caller, permit.action, permit.account_id) == (ROOT, "s3:GetObject", OWN)
    assert permit.because == "root of the account"
    assert ROOT.arn == f"arn:aws:iam::{OWN}:root"


@pytest.mark.parametrize("caller", [STRANGER, ANONYMOUS])
def test_everybody_else_is_denied_and_learns_nothing(caller):
    assert denial(caller, own()) == "Access Denied"


def test_anonymous_owns_nothing_not_even_what_has_no_owner():
    with pytest.raises(AccessDeniedError):
        decide(ANONYMOUS, Asked("s3:ListAllMyBuckets", "arn:aws:s3:::*"), ResourceSide(""))
    assert ANONYMOUS.arn == "anonymous"


def test_a_caller_shows_who_it_is_but_not_its_rights():
    assert repr(alice()) == f"Caller(user, {ALICE}, access_key_id='SGLALICE')"


def test_root_gets_all_permits_at_once_but_none_where_a_policy_has_a_say():
    actions = ("s3:PutObject", "s3:PutObjectTagging")
    assert [permit.action for permit in permit_root(ROOT, actions, own())] == [*actions]
    assert permit_root(ROOT, actions, own(bucket_policy(statement(Action="s3:PutObject")))) == ()
    assert permit_root(ROOT, actions, ResourceSide("999988887777")) == ()
    assert permit_root(alice(statement()), actions, own()) == ()


def test_the_permit_names_the_statement_that_allowed():
    asked = Asked("s3:GetObject", OBJECT)
    assert decide(alice(statement(Sid="Look")), asked, own()).because == "mine, statement Look"
    assert decide(alice(), asked, own(bucket_policy(statement()))).because == "bucket policy, statement 1"
    assert decide(ROOT, asked, own(bucket_policy(statement(Action="s3:PutObject")))).because == "root of the account"


def test_nothing_is_allowed_without_a_policy():
    assert denial(alice(), own()) == f"{WHO} because no identity-based policy allows the s3:GetObject action"
    assert not is_allowed(alice(statement(Action="s3:PutObject")), own())


def test_in_one_account_either_side_may_allow():
    assert is_allowed(alice(statement()), own())
    assert is_allowed(alice(), own(bucket_policy(statement())))


@pytest.mark.parametrize(
    ("caller", "bucket", "where"),
    [
        (alice(statement(), DENY_ALL), None, "an identity-based policy (mine, statement 2)"),
        (alice(statement(), boundary=DENY_ALL), None, "a permissions boundary (limit, statement 1)"),
        (alice(statement(), session=DENY_ALL), None, "a session policy (inline, statement 1)"),
        (alice(statement()), bucket_policy(DENY_ALL | {"Sid": "No"}), "a resource-based policy (bucket policy, statement No)"),
    ],
)
def test_an_explicit_deny_decides_wherever_it_stands(caller, bucket, where):
    assert denial(caller, own(bucket)) == f"{WHO} with an explicit deny in {where}"


def test_boundary_and_session_limit_what_the_identity_allows():
    assert is_allowed(alice(statement(), boundary=statement(), session=statement()), own())
    refused = alice(statement(), boundary=statement(Action="s3:PutObject"))
    assert denial(refused, own()) == f"{WHO} because no permissions boundary allows the s3:GetObject action"
    refused = alice(statement(), session=statement(Action="s3:PutObject"))
    assert denial(refused, own()) == f"{WHO} because no session policy allows the s3:GetObject action"


@pytest.mark.parametrize(
    ("named", "unlimited", "role_limited"),
    [
        ("*", True, True),
        ({"AWS": "*"}, True, True),
        ({"AWS": SESSION}, True, True),
        ({"AWS": READER}, False, True),
        ({"AWS": READER_ID}, False, True),
        ({"AWS": OWN}, False, False),
        ({"AWS": f"arn:aws:iam::{OWN}:root"}, False, False),
        ({"AWS": OTHER}, False, False),
    ],
)
def test_what_a_bucket_grants_to_a_session_depends_on_how_closely_it_is_named(named, unlimited, role_limited):
    bucket = own(bucket_policy(statement(Principal=named)))
    elsewhere = statement(Action="s3:PutObject")
    assert is_allowed(reader(boundary=elsewhere, session=elsewhere), bucket) is unlimited
    assert is_allowed(reader(boundary=statement(), session=statement()), bucket) is role_limited
    assert is_allowed(reader(statement()), bucket)


def test_what_a_bucket_grants_to_a_user_its_boundary_does_not_limit():
    limited = alice(boundary=statement(Action="s3:PutObject"))
    for named in ({"AWS": ALICE}, {"AWS": ALICE_ID}):
        assert is_allowed(limited, own(bucket_policy(statement(Principal=named))))
    assert not is_allowed(alice(), own(bucket_policy(statement(Principal={"AWS": OWN}))))


def test_between_accounts_both_sides_must_allow():
    guest = alice(statement(), account=OTHER)
    bucket = own(bucket_policy(statement(Principal={"AWS": OTHER})))
    assert is_allowed(guest, bucket)
    assert is_allowed(STRANGER, bucket)
    assert denial(guest, own()) == "Access Denied"
    assert denial(alice(account=OTHER), bucket) == "Access Denied"
    assert denial(alice(account=OTHER), own(bucket_policy(statement()))) == "Access Denied"
    assert denial(alice(statement(), account=OTHER, boundary=statement(Action="s3:PutObject")), bucket) == "Access Denied"
    assert denial(guest, own(bucket_policy(statement(Principal={"AWS": OTHER}), DENY_ALL))) == "Access Denied"


def test_t28_a_public_policy_grants_nothing_outside_once_the_public_is_restricted():
    bucket = bucket_policy(statement(), statement(Principal={"AWS": OTHER}))
    assert is_allowed(ANONYMOUS, own(bucket))
    assert is_allowed(STRANGER, own(bucket))
    assert not is_allowed(ANONYMOUS, own(bucket, restrict_public=True))
    assert not is_allowed(STRANGER, own(bucket, restrict_public=True))
    assert is_allowed(alice(), own(bucket, restrict_public=True))
    assert is_allowed(STRANGER, own(bucket_policy(statement(Principal={"AWS": OTHER})), restrict_public=True))


def test_a_bucket_policy_binds_the_root_of_its_account_but_never_locks_it_out():
    bucket = own(bucket_policy(DENY_ALL))
    assert not is_allowed(ROOT, bucket)
    for action in RECOVERY_ACTIONS:
        assert is_allowed(ROOT, bucket, action, BUCKET)
        assert not is_allowed(STRANGER, bucket, action, BUCKET)
        assert not is_allowed(alice(statement(Action="s3:*", Resource="*")), bucket, action, BUCKET)


def test_a_key_belongs_to_nobody_but_whom_its_policy_names():
    use = statement(Action="kms:Decrypt", Resource="*")

    def key(*statements):
        return own(policy(*statements, kind=PolicyKind.KEY) if statements else None, kind=PolicyKind.KEY)

    def may(caller, side):
        return is_allowed(caller, side, "kms:Decrypt", f"arn:aws:kms:eu-central-1:{OWN}:key/k")

    allowing = alice(use)
    assert not may(ROOT, key())
    assert not may(ROOT, key(use | {"Principal": {"AWS": ALICE}}))
    assert not may(allowing, key(use | {"Principal": {"AWS": READER}}))
    for_account = key(use | {"Principal": {"AWS": f"arn:aws:iam::{OWN}:root"}})
    assert may(ROOT, for_account)
    assert may(allowing, for_account)
    assert not may(alice(), for_account)
    assert may(alice(), key(use | {"Principal": {"AWS": ALICE}}))
    assert not may(ANONYMOUS, key(use | {"Principal": "*"}))


def test_a_role_is_taken_only_by_whom_its_trust_policy_names():
    take = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    provider = f"arn:aws:iam::{OWN}:oidc-provider/id.example"

    def role(principal, action="sts:AssumeRole"):
        trust = policy({**take, "Action": action, "Principal": principal}, kind=PolicyKind.TRUST)
        return own(trust, kind=PolicyKind.TRUST)

    def may(caller, side, action="sts:AssumeRole"):
        return is_allowed(caller, side, action, READER)

    allowing = alice(statement(Action="sts:AssumeRole", Resource=READER))
    assert may(alice(), role({"AWS": ALICE}))
    assert may(allowing, role({"AWS": OWN}))
    assert not may(alice(), role({"AWS": OWN}))
    assert not may(allowing, role({"AWS": OTHER}))
    assert not may(allowing, own(kind=PolicyKind.TRUST))
    visitor = replace(ANONYMOUS, federated_provider=provider)
    by_token = "sts:AssumeRoleWithWebIdentity"
    assert may(visitor, role({"Federated": provider}, by_token), by_token)
    assert not may(visitor, role({"Federated": f"{provider}.evil"}, by_token), by_token)
    assert not may(visitor, role({"AWS": OWN}, by_token), by_token)
    assert not may(visitor, role("*", by_token), by_token)
    assert not may(ANONYMOUS, role("*"))


def test_a_trust_policy_may_deny_web_identities():
    provider = f"arn:aws:iam::{OWN}:oidc-provider/id.example"
    taken = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": provider}}
    visitor = replace(ANONYMOUS, federated_provider=provider)

    def may(**denied):
        trust = policy(taken, {"Effect": "Deny", "Action": "sts:*", **denied}, kind=PolicyKind.TRUST)
        return is_allowed(visitor, own(trust, kind=PolicyKind.TRUST), "sts:AssumeRoleWithWebIdentity", READER)

    assert may(Principal={"Federated": "elsewhere"})
    assert may(NotPrincipal={"Federated": provider})
    assert not may(Principal={"Federated": provider})
    assert not may(Principal="*")
    assert not may(NotPrincipal={"AWS": OWN})
