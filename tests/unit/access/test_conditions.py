"""Conditions: what each operator says of values that are there, several, or absent."""

import base64

import pytest
from msgspec.structs import replace
from tests.unit.access.stage import (
    ALICE,
    ANONYMOUS,
    BUCKET,
    OWN,
    READER,
    READER_ID,
    ROOT,
    alice,
    is_allowed,
    own,
    policy,
    reader,
    statement,
    trimmed,
)

from siegel.access.condition_keys import is_key_form, is_known_key
from siegel.access.policy import PolicyKind
from siegel.access.request_keys import NO_KEYS, RequestKeys


class Given:
    def __init__(self, **values):
        self.values = {name: value if isinstance(value, tuple) else (value,) for name, value in values.items()}
        self.asked = []

    def get(self, name, /):
        self.asked.append(name)
        return self.values.get(name.partition(":")[2])


def holds(operator, wanted, *given, key="s3:x", effect="Allow"):
    """Tell whether a test holds, for a request that has the given values, or not the key at all."""
    condition = policy(statement(effect, Condition={operator: {key: wanted}})).statements.all[0].conditions[0]
    return condition.holds(RequestKeys(alice(), Given(x=given) if given else NO_KEYS, OWN))


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", 5, "5", True),
        ("StringEquals", 1.50, "1.5", True),
        ("StringEquals", True, "true", True),
        ("StringNotEquals", ["b", "a"], "a", False),
        ("StringNotEquals", "b", "a", True),
        ("StringEqualsIgnoreCase", "Straße", "STRASSE", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "a*", "a", True),
        ("StringLike", "a?c", "abc", True),
        ("StringLike", "a?c", "ac", False),
        ("StringNotLike", "a*", "b", True),
        ("NumericEquals", "10.0", "10", True),
        ("NumericNotEquals", "10", "10.0", False),
        ("NumericLessThan", 10, "9.99", True),
        ("NumericLessThan", 10, "10", False),
        ("NumericLessThanEquals", 10, "10", True),
        ("NumericGreaterThan", "-1", "0", True),
        ("NumericGreaterThanEquals", "0", "-0", True),
        ("NumericEquals", "10", "ten", False),
        ("NumericEquals", "10", "\u0661\u0660", False),
        ("DateEquals", "2026-01-01", "1767225600", True),
        ("DateEquals", "2026", "2026-01-01T00:00:00Z", True),
        ("DateEquals", "2026-01-01T02:30+02:30", "2026-01", True),
        ("DateEquals", "2025-12-31T21:30:00-02:30", "2026-01", True),
        ("DateEquals", "2026-01-01T00:00:00.25Z", "1767225600.25", True),
        ("DateNotEquals", "2026", "2026-01-02", True),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59.999Z", True),
        ("DateGreaterThanEquals", "2026", "yesterday", False),
        ("DateEquals", "2026", "2026-02-30", False),
        ("Bool", "true", "TRUE", True),
        ("Bool", "false", "true", False),
        ("Bool", "true", "yes", False),
        ("Bool", "${aws:PrincipalIsAWSService}", "false", True),
        ("Bool", "${aws:nothing}", "false", False),
        ("Bool", "${aws:PrincipalIsAWSService}", "maybe", False),
        ("BinaryEquals", base64.b64encode(b"seal").decode(), base64.b64encode(b"seal").decode(), True),
        ("BinaryEquals", base64.b64encode(b"seal").decode(), "c2VhbA", False),
        ("IpAddress", "10.0.0.0/8", "10.255.0.1", True),
        ("IpAddress", "10.0.0.0/8", "11.0.0.1", False),
        ("IpAddress", "10.0.0.1", "10.0.0.1", True),
        ("IpAddress", "10.9.9.9/8", "10.0.0.1", True),
        ("IpAddress", "2001:db8::/32", "2001:db8:ffff::1", True),
        ("IpAddress", "2001:db8::1", "2001:db8::1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("IpAddress", "::/0", "10.0.0.1", False),
        ("IpAddress", "10.0.0.0/8", "not an address", False),
        ("NotIpAddress", "10.0.0.0/8", "192.0.2.1", True),
        ("ArnEquals", "arn:aws:s3:::ph*", "arn:aws:s3:::photos/a/b", True),
        ("ArnLike", "arn:aws:s3:::Photos", "arn:aws:s3:::photos", False),
        ("ArnLike", "arn:aws:*:::x", "arn:aws:s3:eu::x", False),
        ("ArnLike", "arn:aws:s*:eu-?:*:x", "arn:aws:sns:eu-1:12:x", True),
        ("ArnLike", "arn:aws:s*:::x", "not an arn", False),
        ("ArnLike", "*", "anything", True),
        ("ArnNotLike", "arn:aws:s3:::*", "arn:aws:s3:::photos", False),
        ("ArnNotEquals", "arn:aws:s3:::other", "arn:aws:s3:::photos", True),
    ],
)
def test_each_operator_compares_by_its_type(operator, wanted, given, expected):
    assert holds(operator, wanted, given) is expected
    assert holds(f"{operator}IfExists", wanted, given) is expected
    assert holds(f"{operator}IfExists", wanted) is True


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203"])
def test_t32_an_ipv4_peer_is_the_same_however_it_is_written(peer):
    for network in ("10.0.0.0/8", "::ffff:10.0.0.0/104"):
        assert holds("IpAddress", network, peer)
        assert not holds("NotIpAddress", network, peer)


@pytest.mark.parametrize("operator", ["StringEquals", "NumericLessThan", "DateEquals", "Bool", "IpAddress"])
def test_t29_an_absent_key_never_matches(operator):
    wanted = {"StringEquals": "a", "NumericLessThan": "1", "DateEquals": "2026", "Bool": "true", "IpAddress": "10.0.0.0/8"}
    assert holds(operator, wanted[operator]) is False
    assert holds(f"ForAnyValue:{operator}", wanted[operator]) is False
    assert holds(f"ForAllValues:{operator}", wanted[operator]) is True


def test_t29_an_absent_key_is_unlike_everything():
    assert holds("StringNotEquals", "a") is True
    assert holds("NotIpAddress", "10.0.0.0/8") is True
    assert holds("ForAnyValue:StringNotEquals", "a") is False
    assert holds("ForAllValues:StringNotEquals", "a") is True


@pytest.mark.parametrize(
    ("operator", "given", "expected"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "c"), False),
        ("ForAnyValue:StringEquals", ("a", "c"), True),
        ("ForAnyValue:StringEquals", ("c", "d"), False),
        ("ForAllValues:StringNotEquals", ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ("a", "d"), False),
        ("ForAnyValue:StringNotEquals", ("a", "d"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
        ("StringEquals", ("a", "c"), True),
        ("StringNotEquals", ("a", "c"), False),
        ("StringNotEquals", ("d", "c"), True),
        ("ForAllValues:StringEquals", ("",), True),
        ("ForAnyValue:StringLikeIfExists", ("",), False),
    ],
)
def test_t29_sets_that_overlap_in_part(operator, given, expected):
    assert holds(operator, ["a", "b"], *given) is expected


def test_null_asks_whether_a_key_is_there():
    assert holds("Null", "true") is True
    assert holds("Null", "false") is False
    assert holds("Null", "false", "x") is True
    assert holds("Null", "true", "") is True
    assert holds("Null", ["true", "false"], "x") is True


def test_what_a_negated_test_cannot_tell_counts_against_the_request():
    for operator, wanted, given in (("StringNotEquals", "${s3:y}", "a"), ("NumericNotEquals", "1", "one")):
        assert holds(operator, wanted, given) is False
        assert holds(operator, wanted, given, effect="Deny") is True
    assert holds("StringEquals", "${s3:y}", "a", effect="Deny") is False


def test_every_test_of_a_statement_must_hold():
    both = statement(Condition={"StringEquals": {"s3:x": "1", "S3:Y": "2"}, "Null": {"s3:z": "true"}})
    assert is_allowed(alice(both), own(), keys=Given(x="1", y="2"))
    assert not is_allowed(alice(both), own(), keys=Given(x="1", y="3"))
    assert not is_allowed(alice(both), own(), keys=Given(x="1", y="2", z="3"))
    assert is_allowed(alice(statement(Condition={})), own())


def test_keys_are_asked_for_once_and_only_if_action_and_resource_fit():
    wanted = {"StringEquals": {"s3:ExistingObjectTag/team": "red"}}
    given = Given(**{"existingobjecttag/team": "red"})
    elsewhere = statement(Resource="arn:aws:s3:::other/*", Condition=wanted)
    assert not is_allowed(alice(elsewhere, statement(Action="s3:PutObject", Condition=wanted)), own(), keys=given)
    assert given.asked == []
    assert is_allowed(alice(statement(Condition=wanted | {"Null": {"s3:existingobjecttag/TEAM": "false"}})), own(), keys=given)
    assert given.asked == ["s3:existingobjecttag/team"]


def value_of(caller, name, keys=NO_KEYS, account=OWN):
    return RequestKeys(caller, keys, account).get(name)


@pytest.mark.parametrize(
    ("caller", "arn", "kind", "user_id", "name"),
    [
        (ROOT, ROOT.arn, "Account", OWN, None),
        (alice(), ALICE, "User", "AIDAALICE00000000001", "alice"),
        (reader(), READER, "AssumedRole", f"{READER_ID}:job-1", None),
        (ANONYMOUS, None, "Anonymous", "anonymous", None),
    ],
)
def test_keys_of_the_principal(caller, arn, kind, user_id, name):
    said = dict.fromkeys(("principalarn", "principaltype", "userid", "username", "principalaccount", "viaawsservice"), "x")
    for keys in (NO_KEYS, Given(**said)):
        assert value_of(caller, "aws:principalarn", keys) == (arn and (arn,))
        assert value_of(caller, "aws:principaltype", keys) == (kind,)
        assert value_of(caller, "aws:userid", keys) == (user_id,)
        assert value_of(caller, "aws:username", keys) == (name and (name,))
        assert value_of(caller, "aws:principalaccount", keys) == ((OWN,) if arn else None)
        assert value_of(caller, "aws:viaawsservice", keys) == (("false",) if arn else None)
        assert value_of(caller, "aws:principalisawsservice", keys) == (("false",) if arn else None)


def test_who_asks_for_a_caller_is_no_matter_of_the_request():
    keys = Given(viaawsservice="false")
    assert RequestKeys(alice(), keys, OWN, via_service=True).get("aws:viaawsservice") == ("true",)
    assert RequestKeys(ANONYMOUS, keys, OWN, via_service=True).get("aws:viaawsservice") is None


def test_keys_of_temporary_credentials():
    assert value_of(reader(), "aws:tokenissuetime") == ("2026-09-21T14:13:20Z",)
    assert value_of(reader(), "aws:multifactorauthpresent") == ("false",)
    assert value_of(alice(), "aws:tokenissuetime", Given(tokenissuetime="2026-01-01T00:00:00Z")) is None
    assert value_of(alice(), "aws:multifactorauthpresent", Given(multifactorauthpresent="true")) is None
    for absent in (
        "multifactorauthage",
        "principalservicename",
        "principalservicenameslist",
        "principalorgid",
        "principalorgpaths",
    ):
        assert value_of(reader(), f"aws:{absent}", Given(**{absent: "x"})) is None


def test_tags_of_the_principal_differ_by_name_but_not_by_case():
    tagged = replace(ROOT, tags={"Team": "red", "team": "blue", "other": "x"})
    assert value_of(tagged, "aws:principaltag/team") == ("red", "blue")
    assert value_of(tagged, "aws:principaltag/none", Given(**{"principaltag/none": "x"})) is None


def test_keys_of_resource_account_provider_and_session():
    assert value_of(ROOT, "aws:resourceaccount", Given(resourceaccount="x")) == (OWN,)
    assert value_of(ROOT, "s3:resourceaccount", account="") is None
    visitor = replace(ANONYMOUS, federated_provider="id.example")
    assert value_of(visitor, "aws:federatedprovider") == ("id.example",)
    keys = {"aws:federatedprovider": ("id.example",), "aws:sourceidentity": ("jane",), "id.example:sub": ("42",)}
    session = replace(ROOT, keys=keys)
    for name, values in keys.items():
        assert value_of(session, name, Given(federatedprovider="x", sourceidentity="x", sub="x")) == values
    assert value_of(replace(ROOT, keys={"aws:sourceip": ("10.0.0.1",)}), "aws:sourceip", Given(sourceip="192.0.2.1")) == (
        "192.0.2.1",
    )
    assert value_of(ROOT, "aws:federatedprovider") is None
    assert value_of(ROOT, "aws:sourceidentity") is None


def test_known_keys_belong_to_a_service():
    assert is_known_key("AWS:SourceIp", ("aws", "s3"))
    assert is_known_key("s3:ExistingObjectTag/any thing", ("s3",))
    assert is_known_key("kms:EncryptionContext:app", ("kms",))
    for unknown in ("s3:nonsense", "aws:", "s3:ExistingObjectTag/", "foo:bar", "kms:ViaService", "sourceip", "s3:prefixes"):
        assert not is_known_key(unknown, ("aws", "s3"))
    assert is_key_form("id.example/path:sub")
    assert not is_key_form("id.example")
    assert not is_key_form("aws:a\nb")


def test_t31_names_of_actions_and_keys_fold_their_case_but_resources_and_values_do_not():
    assert is_allowed(alice(statement(Action="S3:getOBJECT")), own())
    assert is_allowed(alice(statement(Condition={"StringEquals": {"S3:X": "a"}})), own(), keys=Given(x="a"))
    assert not is_allowed(alice(statement(Resource=f"{BUCKET}/2026/CAT.jpg")), own())
    assert not is_allowed(alice(statement(Condition={"StringEquals": {"s3:x": "A"}})), own(), keys=Given(x="a"))


def test_t31_a_star_stands_for_slashes_too_but_never_leaves_its_part_of_an_arn():
    for fitting in (f"{BUCKET}/*", f"{BUCKET}/*.jpg", f"{BUCKET}*", "arn:*:s3:*:*:ph*/*/c?t.jpg", "*"):
        assert is_allowed(alice(statement(Resource=fitting)), own())
    for other in (f"{BUCKET}/2026", "arn:aws:s3:*:cat.jpg", f"{BUCKET}/*/*/*"):
        assert not is_allowed(alice(statement(Resource=["arn:aws:s3:::none", other.replace("*:cat", "*:*:cat")])), own())


@pytest.mark.parametrize("name", ["*", "?lice", "${aws:userid}", "a:b", "alice", "$", "*/*"])
def test_t31_the_value_of_a_variable_is_literal(name):
    caller = alice(statement(Resource=f"{BUCKET}/desk/${{aws:username}}/*"))
    caller = replace(caller, name=name)
    assert is_allowed(caller, own(), arn=f"{BUCKET}/desk/{name}/x")
    assert not is_allowed(caller, own(), arn=f"{BUCKET}/desk/bob/x")
    assert not is_allowed(caller, own(), arn=f"{BUCKET}/desk/x/bob/x")


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("desk/${aws:PrincipalTag/team, 'guests'}/*", "desk/guests/x", True),
        ("desk/${aws:PrincipalTag/team,'guests'}/*", "desk/guests/x", True),
        ("desk/${aws:PrincipalTag/team}/*", "desk//x", False),
        ("a${*}b", "a*b", True),
        ("a${*}b", "axb", False),
        ("a${?}b", "a?b", True),
        ("a${?}b", "axb", False),
        ("a${$}{b}", "a${b}", True),
        ("${s3:several}", "x", False),
    ],
)
def test_t31_variables_with_defaults_and_escaped_marks(pattern, key, expected):
    caller = alice(statement(Resource=f"{BUCKET}/{pattern}"))
    assert is_allowed(caller, own(), arn=f"{BUCKET}/{key}", keys=Given(several=("x", "y"))) is expected


def test_a_variable_in_an_earlier_part_of_an_arn():
    caller = alice(statement(Action="iam:GetUser", Resource="arn:aws:iam::${aws:PrincipalAccount}:user/${aws:username}"))
    assert is_allowed(caller, own(), "iam:GetUser", f"arn:aws:iam::{OWN}:user/alice")
    assert not is_allowed(caller, own(), "iam:GetUser", "arn:aws:iam::444455556666:user/alice")
    unknown = alice(statement(Action="iam:GetUser", Resource="arn:aws:iam::${aws:nothing}:user/alice"))
    assert not is_allowed(unknown, own(), "iam:GetUser", f"arn:aws:iam::{OWN}:user/alice")
    assert not is_allowed(unknown, own(), "iam:GetUser", "user/alice")


def test_what_not_resource_cannot_tell_counts_against_the_request():
    unknown = {"NotResource": f"{BUCKET}/${{aws:nothing}}/*"}
    assert not is_allowed(alice(trimmed(statement(), "Resource") | unknown), own())
    assert not is_allowed(alice(statement(), trimmed(statement("Deny"), "Resource") | unknown), own())


def test_old_documents_know_no_variables():
    old = policy(statement(Resource=f"{BUCKET}/${{aws:username}}/*"), version="2008-10-17", kind=PolicyKind.IDENTITY)
    caller = alice().__class__(
        kind=alice().kind, account_id=OWN, arn=ALICE, name="alice", rights=alice().rights.of([("old", old)])
    )
    assert is_allowed(caller, own(), arn=f"{BUCKET}/${{aws:username}}/x")
    assert not is_allowed(caller, own(), arn=f"{BUCKET}/alice/x")
