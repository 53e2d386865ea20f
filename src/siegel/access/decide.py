"""The decision: may this caller do this to that resource?

`decide` returns a Permit or raises. Nothing else makes a Permit: what asks for one cannot be reached without a decision.
"""

from enum import StrEnum

from msgspec import Struct

from siegel.domain.errors import AccessDeniedError


class CallerKind(StrEnum):
    """Who stands behind a request."""

    ANONYMOUS = "anonymous"
    ROOT = "root"


class Caller(Struct, frozen=True):
    """The one who asks: proven by a signature, or anonymous (then without account)."""

    kind: CallerKind
    account_id: str
    access_key_id: str

    @property
    def arn(self) -> str:
        """The name of the principal as AWS writes it; `anonymous` without a signature."""
        return f"arn:aws:iam::{self.account_id}:root" if self.account_id else "anonymous"


ANONYMOUS = Caller(kind=CallerKind.ANONYMOUS, account_id="", access_key_id="")


class Permit(Struct, frozen=True):
    """Evidence that `caller` may do `action` on something that `account_id` owns."""

    caller: Caller
    action: str
    account_id: str


def decide(caller: Caller, action: str, owner_account_id: str) -> Permit:
    """Allow an account's root principal everything in its own account; deny everyone else.

    Raises AccessDeniedError.
    """
    if caller.kind is CallerKind.ROOT and caller.account_id == owner_account_id:
        return Permit(caller=caller, action=action, account_id=owner_account_id)
    raise AccessDeniedError
