"""Documents that are no policies are refused, each with the place."""

import json

import pytest
from tests.unit.access.stage import (
    ALICE,
    ALICE_ID,
    ANONYMOUS,
    BUCKET,
    OWN,
    READER,
    SESSION,
    alice,
    bucket_policy,
    document,
    is_allowed,
    own,
    policy,
    reader,
    statement,
    trimmed,
)

from siegel.access.policy import PolicyKind, parse_policy, principals_of, resources_of
from siegel.domain.errors import PolicyError
from siegel.domain.limits import BUCKET_POLICY_BYTES_MAX, IDENTITY_POLICY_CHARS_MAX, SESSION_POLICY_CHARS_MAX

ALLOW = statement()


def refusal(text, kind=PolicyKind.IDENTITY):
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, kind)
    return str(caught.value)


def test_a_single_statement_needs_no_list_and_a_single_value_neither():
    parsed = parse_policy(json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": ALLOW}), PolicyKind.IDENTITY)
    assert [one.number for one in parsed.statements.all] == [1]
    assert resources_of(parsed) == (f"{BUCKET}/*",)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "must be valid JSON"),
        ("{", "must be valid JSON"),
        ("[]", "must be JSON objects"),
        ('"text"', "must be JSON objects"),
        ("[" * 6000, "must be valid JSON"),
        ('{"Statement": NaN}', "NaN is no number"),
        ('{"Id": "\\ud800", "Statement": []}', "half a surrogate pair"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17"}', '"Version" stands twice'),
        ('{"Statement": {"Effect": "Allow", "Effect": "Deny"}}', '"Effect" stands twice'),
        ('{"Statement": [], "Statements": []}', 'Policy: unknown element "Statements"'),
        ("{}", "Missing required field Statement"),
        ('{"Statement": []}', "Missing required field Statement"),
        ('{"Statement": null}', "Missing required field Statement"),
        ('{"Statement": "x"}', "Statement 1: must be an object with members"),
        ('{"Version": "2012-10-18", "Statement": []}', "Version: the version must be 2012-10-17 or 2008-10-17"),
        ('{"Version": 2012, "Statement": []}', "Version: "),
        ('{"Id": 5, "Statement": []}', "Id: must be a string"),
    ],
)
def test_t34_what_is_no_policy_document_is_refused_with_the_place(text, place):
    assert place in refusal(text)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ({**ALLOW, "effect": "Allow"}, 'Statement 1: unknown element "effect"'),
        (trimmed(ALLOW, "Effect"), "Statement 1: Missing required field Effect"),
        ({**ALLOW, "Effect": "allow"}, "Statement 1: Effect must be Allow or Deny"),
        ({**ALLOW, "Effect": ["Allow"]}, "Statement 1: Effect must be Allow or Deny"),
        (trimmed(ALLOW, "Action"), "Statement 1: Missing required field Action"),
        ({**ALLOW, "NotAction": "s3:*"}, "Statement 1: Action and NotAction exclude each other"),
        ({**ALLOW, "Action": []}, "Statement 1, Action: the list is empty"),
        ({**ALLOW, "Action": 5}, "Statement 1, Action: must be a string or a list of strings"),
        ({**ALLOW, "Action": ["s3:GetObject", None]}, "Statement 1, Action: must be a string"),
        ({**ALLOW, "Action": "GetObject"}, 'Policy has invalid action: Statement 1, Action: "GetObject"'),
        ({**ALLOW, "Action": "s*:GetObject"}, "Policy has invalid action"),
        ({**ALLOW, "Action": "s3:Get Object"}, "Policy has invalid action"),
        (trimmed(ALLOW, "Resource"), "Statement 1: Missing required field Resource"),
        ({**ALLOW, "NotResource": "*"}, "Statement 1: Resource and NotResource exclude each other"),
        ({**ALLOW, "Resource": "photos/*"}, 'Policy has invalid resource: Statement 1, Resource: "photos/*"'),
        ({**ALLOW, "Resource": "arn:aws:s3:photos"}, "Policy has invalid resource"),
        ({**ALLOW, "Resource": f"{BUCKET}/${{aws:username"}, "Statement 1, Resource: "),
        ({**ALLOW, "Resource": f"{BUCKET}/${{username}}"}, "names a variable that is no condition key: username"),
        ({**ALLOW, "Sid": "a b"}, "Statement 1, Sid: letters and digits only"),
        ({**ALLOW, "Sid": ["a"]}, "Statement 1, Sid: "),
        ({**ALLOW, "Sid": None}, "Statement 1, Sid: must be a string"),
        ({**ALLOW, "Principal": "*"}, "Statement 1: Has prohibited field Principal"),
        ({**ALLOW, "Condition": []}, "Statement 1, Condition: must be an object with members"),
        ({**ALLOW, "Condition": {"Bool": {}}}, "Statement 1, Condition, Bool: must be an object with members"),
        ({**ALLOW, "Condition": {"StringIs": {"aws:userid": "x"}}}, "StringIs, aws:userid: unknown condition operator"),
        ({**ALLOW, "Condition": {"stringequals": {"aws:userid": "x"}}}, "unknown condition operator"),
        ({**ALLOW, "Condition": {"ForSome:Bool": {"aws:userid": "x"}}}, "unknown condition operator"),
        ({**ALLOW, "Condition": {":Bool": {"aws:userid": "x"}}}, "unknown condition operator"),
        ({**ALLOW, "Condition": {"NullIfExists": {"aws:userid": "true"}}}, "unknown condition operator"),
        ({**ALLOW, "Condition": {"ForAllValues:Null": {"aws:userid": "true"}}}, "unknown condition operator"),
        ({**ALLOW, "Condition": {"Null": {"aws:userid": "yes"}}}, 'a value of Null is "true" or "false"'),
        ({**ALLOW, "Condition": {"Bool": {"userid": "true"}}}, '"userid" is not a condition key'),
        ({**ALLOW, "Condition": {"Bool": {"aws:x": "yes"}}}, '"yes" is not a value for Bool operators'),
        ({**ALLOW, "Condition": {"Bool": {"aws:x": []}}}, "the list is empty"),
        ({**ALLOW, "Condition": {"Bool": {"aws:x": None}}}, "must be a string"),
        ({**ALLOW, "Condition": {"NumericEquals": {"aws:x": "1e3"}}}, "not a value for Numeric operators"),
        ({**ALLOW, "Condition": {"NumericEquals": {"aws:x": "${aws:userid}"}}}, "not a value for Numeric operators"),
        ({**ALLOW, "Condition": {"DateEquals": {"aws:x": "2026-13-01"}}}, "not a value for Date operators"),
        ({**ALLOW, "Condition": {"DateEquals": {"aws:x": "2026-01-01T00:00:00"}}}, "not a value for Date operators"),
        ({**ALLOW, "Condition": {"DateEquals": {"aws:x": "2026-01-01T00:00Z+24:00"}}}, "not a value for Date operators"),
        ({**ALLOW, "Condition": {"DateEquals": {"aws:x": "2026-01-01T00:00+24:00"}}}, "not a value for Date operators"),
        ({**ALLOW, "Condition": {"StringEquals": {"aws:x": "${aws:a, 'it}s'}"}}}, "opens a variable"),
        ({**ALLOW, "Condition": {"StringEquals": {"aws:x": "${${aws:a}}"}}}, "opens a variable"),
        ({**ALLOW, "Condition": {"BinaryEquals": {"aws:x": "?"}}}, "not a value for Binary operators"),
        ({**ALLOW, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}}, "not an IP address or CIDR block"),
        ({**ALLOW, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/255.0.0.0"}}}, "not an IP address"),
        ({**ALLOW, "Condition": {"ArnLike": {"aws:SourceArn": "photos"}}}, '"photos" is not an ARN'),
    ],
)
def test_t34_what_a_statement_may_not_say_is_refused_with_the_place(written, place):
    assert place in refusal(document(written))


def test_t34_statement_ids_are_unique():
    assert "must be unique" in refusal(document(ALLOW | {"Sid": "a"}, ALLOW | {"Sid": "a"}))
    assert len(policy(ALLOW | {"Sid": ""}, ALLOW | {"Sid": ""}).statements.all) == 2


@pytest.mark.parametrize(
    ("kind", "fill", "size_max"),
    [
        (PolicyKind.BUCKET, " ", BUCKET_POLICY_BYTES_MAX),
        (PolicyKind.IDENTITY, "x", IDENTITY_POLICY_CHARS_MAX),
        (PolicyKind.SESSION, "x", SESSION_POLICY_CHARS_MAX),
    ],
)
def test_t34_documents_have_a_size_and_one_more_is_too_much(kind, fill, size_max):
    principal = {"Principal": "*"} if kind is PolicyKind.BUCKET else {}
    text = json.dumps({"Id": "", "Statement": {**ALLOW, **principal}}, separators=(",", ":"))
    full = text.replace('"Id":""', f'"Id":"{fill * (size_max - len(text))}"')
    assert parse_policy(full, kind).kind is kind
    assert "Policy size" in refusal(full.replace('"Id":"', f'"Id":"{fill}'), kind)


def test_white_space_does_not_count_where_characters_count():
    assert parse_policy(document(ALLOW) + " " * 7000, PolicyKind.IDENTITY)


@pytest.mark.parametrize(
    ("kind", "written", "place"),
    [
        (PolicyKind.BUCKET, ALLOW, "Statement 1: Missing required field Principal"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": "*", "NotPrincipal": "*"}, "exclude each other"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": {}}, "must be an object with members"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": {"Aws": "*"}}, 'unknown element "Aws"'),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": {"AWS": "alice"}}, 'Invalid principal in policy: "alice"'),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": {"AWS": ALICE + "*"}}, "Invalid principal in policy"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": {"AWS": f"{OWN}:root"}}, "Invalid principal in policy"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": {"Service": "s3"}}, "Invalid principal in policy"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": {"CanonicalUser": "x"}}, "Invalid principal in policy"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": "*", "Action": "sts:AssumeRole"}, "Policy has invalid action"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": "*", "Condition": {"Bool": {"s3:nonsense": "true"}}}, "invalid condition key"),
        (PolicyKind.BUCKET, {**ALLOW, "Principal": "*", "Condition": {"Bool": {"foo:bar": "true"}}}, "invalid condition key"),
        (PolicyKind.TRUST, {**ALLOW, "Principal": "*", "Action": "sts:AssumeRole"}, "Has prohibited field Resource"),
        (PolicyKind.TRUST, trimmed({**ALLOW, "Principal": "*", "Action": "*"}, "Resource"), "Policy has invalid action"),
        (PolicyKind.KEY, {**ALLOW, "Principal": "*"}, "Policy has invalid action"),
    ],
)
def test_t34_what_the_policy_of_a_resource_may_not_say_is_refused(kind, written, place):
    assert place in refusal(document(written), kind)


def test_principals_that_need_binding_are_listed():
    canonical = "a" * 64
    parsed = bucket_policy(
        statement(Principal={"AWS": [ALICE, OWN, "*", ALICE_ID], "CanonicalUser": canonical}),
        statement("Deny", NotPrincipal={"AWS": [SESSION, READER]}),
    )
    assert principals_of(parsed) == tuple(sorted([ALICE, ALICE_ID, READER, SESSION, canonical]))
    assert principals_of(policy(ALLOW)) == ()


def test_a_canonical_user_is_the_account_that_it_is_bound_to():
    canonical = "a" * 64
    written = statement("Deny", Principal={"CanonicalUser": canonical})
    allowed = alice(ALLOW)
    assert is_allowed(allowed, own(bucket_policy(written)))
    assert not is_allowed(allowed, own(bucket_policy(written, bindings={canonical: OWN})))


def test_t30_a_user_made_again_under_the_same_name_gets_nothing():
    named = statement(Principal={"AWS": ALICE})
    assert is_allowed(alice(), own(bucket_policy(named)))
    assert not is_allowed(alice(), own(bucket_policy(named, bindings={ALICE: "AIDAFORMERALICE00001"})))
    assert not is_allowed(alice(), own(bucket_policy(named, bindings={})))
    session = statement(Principal={"AWS": SESSION})
    assert is_allowed(reader(), own(bucket_policy(session)))
    assert not is_allowed(reader(), own(bucket_policy(session, bindings={SESSION: "AROAFORMERREADER0001"})))


def test_t30_not_principal_spares_only_who_is_named_in_all_that_it_is():
    allowed = alice(ALLOW)
    for named, is_spared in (
        ("*", True),
        ({"AWS": [ALICE, OWN]}, True),
        ({"AWS": [ALICE]}, False),
        ({"AWS": [OWN]}, False),
        ({"AWS": [READER, OWN]}, False),
    ):
        assert is_allowed(allowed, own(bucket_policy(statement("Deny", NotPrincipal=named)))) is is_spared
    session = reader(ALLOW)
    assert is_allowed(session, own(bucket_policy(statement("Deny", NotPrincipal={"AWS": [OWN, READER, SESSION]}))))
    assert not is_allowed(session, own(bucket_policy(statement("Deny", NotPrincipal={"AWS": [OWN, READER]}))))
    assert not is_allowed(session, own(bucket_policy(statement("Deny", NotPrincipal={"AWS": [OWN, SESSION]}))))


def test_t30_not_principal_in_an_allow_shuts_out_who_is_named_in_any_way():
    for named, is_in in (({"AWS": ALICE}, False), ({"AWS": OWN}, False), ({"AWS": READER}, True), ("*", False)):
        assert is_allowed(alice(), own(bucket_policy(statement(NotPrincipal=named)))) is is_in
    assert is_allowed(ANONYMOUS, own(bucket_policy(statement(NotPrincipal={"AWS": ALICE}))))


@pytest.mark.parametrize("named", ["*", {"AWS": "*"}])
def test_t30_both_ways_to_write_everyone_include_anonymous(named):
    assert is_allowed(ANONYMOUS, own(bucket_policy(statement(Principal=named))))


def test_t30_not_action_and_not_resource_are_the_contrary_of_their_lists():
    assert is_allowed(alice(trimmed(ALLOW, "Action") | {"NotAction": "s3:Put*"}), own())
    assert not is_allowed(alice(trimmed(ALLOW, "Action") | {"NotAction": ["s3:Put*", "S3:GETOBJECT"]}), own())
    assert is_allowed(alice(trimmed(ALLOW, "Resource") | {"NotResource": "arn:aws:s3:::other/*"}), own())
    assert not is_allowed(alice(trimmed(ALLOW, "Resource") | {"NotResource": f"{BUCKET}/*"}), own())
    deny_others = trimmed(statement("Deny"), "Resource") | {"NotResource": f"{BUCKET}/*"}
    assert is_allowed(alice(ALLOW, deny_others), own())
    assert not is_allowed(alice(statement(Resource="*"), deny_others), own(), arn="arn:aws:s3:::other/x")
