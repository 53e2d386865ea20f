"""Who may do what, until there are policies: an account's root, in its own account, and nobody else."""

import pytest

from siegel.access.decide import ANONYMOUS, Caller, CallerKind, decide
from siegel.domain.errors import AccessDeniedError

OWNER = Caller(kind=CallerKind.ROOT, account_id="111122223333", access_key_id="SGLOWNER")
STRANGER = Caller(kind=CallerKind.ROOT, account_id="444455556666", access_key_id="SGLSTRANGER")


def test_the_root_principal_gets_a_permit_that_names_it() -> None:
    permit = decide(OWNER, "s3:GetObject", "111122223333")
    assert (permit.caller, permit.action, permit.account_id) == (OWNER, "s3:GetObject", "111122223333")
    assert OWNER.arn == "arn:aws:iam::111122223333:root"


@pytest.mark.parametrize("caller", [STRANGER, ANONYMOUS])
def test_everybody_else_is_denied(caller: Caller) -> None:
    with pytest.raises(AccessDeniedError):
        decide(caller, "s3:GetObject", "111122223333")


def test_anonymous_owns_nothing_not_even_what_has_no_owner() -> None:
    with pytest.raises(AccessDeniedError):
        decide(ANONYMOUS, "s3:ListAllMyBuckets", "")
    assert ANONYMOUS.arn == "anonymous"
