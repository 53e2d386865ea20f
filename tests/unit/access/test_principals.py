"""Principals of a document that is shown, by other names; and how they call."""

import json

import pytest
from msgspec.structs import replace
from tests.unit.access.stage import ALICE, ALICE_ID, ANONYMOUS, READER, ROOT, alice, document, reader, statement

from siegel.access.policy import PolicyKind, parse_policy
from siegel.access.principals import rename_principals
from siegel.domain.errors import PolicyError

NAMES = {ALICE: ALICE_ID, "*": "nobody's", READER: f"{READER}-2"}


def renamed(written):
    return json.loads(rename_principals(json.dumps(written), NAMES))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (ALICE, ALICE_ID),
        ([ALICE], [ALICE_ID]),
        ([ALICE, "111122223333", READER], [ALICE_ID, "111122223333", f"{READER}-2"]),
        ("111122223333", "111122223333"),
    ],
)
@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
def test_principals_get_other_names(written, shown, element):
    rest = {"Effect": "Deny", "Action": "s3:*", "Condition": {"ArnLike": {"aws:PrincipalArn": ALICE}}, "Resource": ALICE}
    for statements in (lambda one: one, lambda one: [rest, one]):
        before = {"Version": "2012-10-17", "Statement": statements({**rest, element: {"AWS": written, "Federated": ALICE}})}
        after = {"Version": "2012-10-17", "Statement": statements({**rest, element: {"AWS": shown, "Federated": ALICE}})}
        assert renamed(before) == after


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"Statement": None},
        {"Statement": ["x"]},
        {"Statement": {"Principal": "*"}},
        {"Statement": {"Principal": {}}},
        {"Statement": {"Principal": {"Federated": ALICE}}},
        {"Statement": {"Principal": {"AWS": [None, [ALICE_ID]]}}},
    ],
)
def test_where_nobody_is_named_nothing_changes(written):
    assert renamed(written) == written


def test_what_is_shown_means_the_same():
    """Numbers become strings, which the language takes for the same."""
    conditions = {"NumericLessThan": {"s3:max-keys": [10, 1.5]}, "StringLike": {"s3:prefix": "é/*"}}
    shown = rename_principals(document(statement(Principal={"AWS": ALICE}, Condition=conditions)), NAMES)
    assert json.loads(shown)["Statement"][0]["Condition"] == {**conditions, "NumericLessThan": {"s3:max-keys": ["10", "1.5"]}}
    (one,) = parse_policy(shown, PolicyKind.BUCKET).statements.all
    assert one.principals.unique_ids == {ALICE_ID}


def test_what_is_no_document_is_not_shown():
    with pytest.raises(PolicyError):
        rename_principals("no policy", NAMES)


def test_a_session_token_is_a_users_or_the_roots():
    lent = [replace(caller, is_temporary=True) for caller in (alice(), ROOT, reader(), ANONYMOUS)]
    assert [caller.has_session_token for caller in (*lent, alice(), ROOT)] == [True, True, False, False, False, False]
