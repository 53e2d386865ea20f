"""Simulation: the decision without its consequences, and every statement that has a part in it."""

from tests.unit.access.stage import OBJECT, alice, bucket_policy, own, statement

from siegel.access.evaluation import Asked, Decision, Source, simulate

ASKED = Asked("s3:GetObject", OBJECT)


def matched(caller, side):
    found = simulate(caller, ASKED, side)
    return found.decision, [(one.source, one.statement.name) for one in found.matched]


def test_nothing_matches_an_implicit_deny():
    assert matched(alice(statement(Action="s3:PutObject")), own()) == (Decision.IMPLICIT_DENY, [])


def test_all_that_allows_is_named():
    caller = alice(statement(), statement(Sid="Again", Action="s3:*"), boundary=statement(), session=statement())
    assert matched(caller, own(bucket_policy(statement()))) == (
        Decision.ALLOWED,
        [
            (Source.IDENTITY, "mine, statement 1"),
            (Source.IDENTITY, "mine, statement Again"),
            (Source.BOUNDARY, "limit, statement 1"),
            (Source.SESSION, "inline, statement 1"),
            (Source.RESOURCE, "bucket policy, statement 1"),
        ],
    )


def test_all_that_denies_is_named():
    caller = alice(statement(), statement("Deny"), session=statement("Deny"))
    assert matched(caller, own(bucket_policy(statement("Deny", Sid="No")))) == (
        Decision.EXPLICIT_DENY,
        [
            (Source.IDENTITY, "mine, statement 2"),
            (Source.SESSION, "inline, statement 1"),
            (Source.RESOURCE, "bucket policy, statement No"),
        ],
    )
