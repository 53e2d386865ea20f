"""What S3 asks of a bucket's policy, and which policies are public."""

import pytest
from tests.unit.access.stage import ALICE, BUCKET, OTHER, OWN, bucket_policy, policy, statement, trimmed

from siegel.access.bucket_policy import check_bucket_policy, s3_arn
from siegel.access.condition_keys import UNTOLD
from siegel.access.policy import is_public, resources_of
from siegel.domain.errors import PolicyError

OBJECTS = f"{BUCKET}/*"


def test_arns_of_buckets_and_objects():
    assert s3_arn("photos") == BUCKET
    assert s3_arn("photos", "a/b") == f"{BUCKET}/a/b"


@pytest.mark.parametrize(
    "written",
    [
        statement(),
        statement(Resource="*"),
        statement(Resource=f"{BUCKET}*"),
        statement(Resource="arn:aws:s3:::ph?t*/*"),
        statement(Resource=f"{BUCKET}/desk/${{aws:username}}/*"),
        statement(Action="s3:ListBucket", Resource=BUCKET),
        statement(Action=["s3:ListBucket", "s3:GetObject"], Resource=[BUCKET, OBJECTS]),
        statement(Action=["s3:List*", "s3:Get*"], Resource=BUCKET),
        statement(Action="*"),
        statement(Action="S3:getobject"),
        statement(Action="s3:TagResource", Resource=BUCKET),
        statement("Deny", Condition={"StringEquals": {"s3:DataAccessPointArn": "x"}, "Null": {"s3:ExistingObjectTag/a": "true"}}),
        trimmed(statement(NotAction="s3:ListBucket"), "Action"),
        trimmed(statement(NotResource=BUCKET), "Resource"),
    ],
)
def test_what_speaks_of_this_bucket_is_taken(written):
    check_bucket_policy(bucket_policy(written), "photos")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (statement(Resource="arn:aws:s3:::other/*"), 'Policy has invalid resource: Statement 1: "arn:aws:s3:::other/*"'),
        (statement(Resource=[OBJECTS, "arn:aws:s3:::photosbackup/*"]), "Policy has invalid resource"),
        (statement(Resource="arn:aws:s3:eu-central-1::photos/*"), "Policy has invalid resource"),
        (statement(Resource="arn:aws:sns:::photos/*"), "Policy has invalid resource"),
        (statement(Resource="arn:*:s3:::photos/*"), "Policy has invalid resource"),
        (statement(Resource="arn:aws:s3:::${aws:username}/*"), "Policy has invalid resource"),
        (statement(Resource="arn:aws:s3:::"), "Policy has invalid resource"),
        (trimmed(statement(NotResource="arn:aws:s3:::other/*"), "Resource"), "Policy has invalid resource"),
        (statement(Action="s3:GetObjects"), 'Policy has invalid action: Statement 1: "s3:GetObjects"'),
        (
            statement(Action="s3:ListBucket"),
            "Action does not apply to any resource(s) in statement: Statement 1",
        ),
        (statement(Resource=BUCKET), "Action does not apply"),
        (statement(Action="s3:ListAllMyBuckets"), "Action does not apply"),
        (statement(Action=["s3:GetObject", "s3:ListBucket"], Resource=OBJECTS), "Action does not apply"),
    ],
)
def test_what_does_not_speak_of_this_bucket_is_refused(written, reason):
    with pytest.raises(PolicyError) as caught:
        check_bucket_policy(bucket_policy(written), "photos")
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("name", sorted(UNTOLD))
def test_a_key_that_no_request_has_is_refused(name):
    key = f"{name}team" if name.endswith("/") else name
    written = statement("Deny", Condition={"StringEquals": {key.upper().replace("S3:", "s3:"): "x"}})
    with pytest.raises(PolicyError) as caught:
        check_bucket_policy(bucket_policy(statement(), written), "photos")
    assert str(caught.value) == f'Policy has an invalid condition key: Statement 2: "{key}": it tells of what does not exist here'


def test_resources_are_listed_as_they_are_written():
    assert resources_of(bucket_policy(statement(), statement(Resource=[BUCKET, OBJECTS]))) == (BUCKET, OBJECTS)


def when(**tests):
    return statement(Condition={operator.replace("_", ":"): test for operator, test in tests.items()})


@pytest.mark.parametrize(
    ("written", "public"),
    [
        (statement(), True),
        (statement("Deny"), False),
        (statement(Principal={"AWS": "*"}), True),
        (statement(Principal={"AWS": ["*", OWN]}), True),
        (statement(Principal={"AWS": [ALICE, OTHER]}), False),
        (statement(Principal={"Service": "logging.s3.amazonaws.com"}), False),
        (statement(Principal={"Federated": "graph.facebook.com"}), True),
        (statement(NotPrincipal={"AWS": ALICE}), True),
        (when(StringEquals={"aws:SourceVpc": "vpc-91237329"}), False),
        (when(StringLike={"aws:SourceVpc": "vpc-*"}), True),
        (when(StringLike={"aws:SourceVpc": ["vpc-1", "vpc-?"]}), True),
        (when(StringLike={"aws:SourceVpc": "vpc-1"}), False),
        (when(StringEquals={"aws:SourceVpc": "${aws:username}"}), True),
        (when(StringEqualsIfExists={"aws:SourceVpc": "vpc-1"}), True),
        (when(ForAllValues_StringEquals={"aws:PrincipalOrgID": "o-1"}), True),
        (when(ForAnyValue_StringEquals={"aws:PrincipalOrgID": "o-1"}), False),
        (when(StringNotEquals={"aws:PrincipalOrgID": "o-1"}), True),
        (when(StringEquals={"s3:prefix": "a"}), True),
        (when(StringEquals={"aws:username": "alice"}), True),
        (when(StringEquals={"s3:prefix": "a", "aws:PrincipalAccount": OWN}), False),
        (when(ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{OWN}:role/*"}), True),
        (when(ArnEquals={"aws:SourceArn": BUCKET}), False),
        (when(ArnLike={"s3:DataAccessPointArn": f"arn:aws:s3:us-west-2:{OWN}:accesspoint/*"}), False),
        (when(ArnLike={"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:*:accesspoint/*"}), True),
        (when(IpAddress={"aws:SourceIp": "10.0.0.0/8"}), False),
        (when(IpAddress={"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/1"]}), True),
        (when(IpAddress={"aws:SourceIp": "2001:db8::/32"}), False),
        (when(IpAddress={"aws:SourceIp": "2001:db8::/31"}), True),
        (when(IpAddress={"aws:SourceIp": "::ffff:0.0.0.0/97"}), True),
        (when(NotIpAddress={"aws:SourceIp": "10.0.0.0/8"}), True),
        (when(IpAddress={"aws:VpcSourceIp": "10.0.0.0/8"}), True),
        (when(Null={"aws:SourceVpc": "false"}), True),
    ],
)
def test_the_meaning_of_public(written, public):
    assert is_public(bucket_policy(written)) is public
    assert is_public(bucket_policy(statement(Principal={"AWS": ALICE}), written)) is public


def test_policies_of_identities_are_never_public():
    assert not is_public(policy(statement()))
