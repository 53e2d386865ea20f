"""The one who asks: an identity together with what its own account's policies say of it."""

from collections.abc import Iterable, Sequence
from typing import Final, Self

from msgspec.structs import replace

from siegel.access.identity import CallerKind, Identity
from siegel.access.policy import Policy
from siegel.access.statement import Statements

__all__ = ["ANONYMOUS", "NO_RIGHTS", "Caller", "CallerKind", "Identity", "Rights", "root_caller"]


class Rights:
    """The policies about a principal: those of its identity, its boundary, those of its session.

    Boundary and session policies give nothing: they limit what the identity's policies give. None: there is no such limit.
    `is_empty`: there is no policy at all.
    """

    __slots__ = ("boundary", "identity", "is_empty", "session")

    def __init__(self, identity: Statements, boundary: Statements | None, session: Statements | None) -> None:
        self.identity = identity
        self.boundary = boundary
        self.session = session
        self.is_empty = not identity.all and boundary is None and session is None

    @classmethod
    def of(
        cls,
        identity: Iterable[tuple[str, Policy]] = (),
        boundary: tuple[str, Policy] | None = None,
        session: Sequence[tuple[str, Policy]] = (),
    ) -> Self:
        """Return the rights that policies, each with its name, make. What one of a session's policies allows, they all allow."""
        return cls(_gather(identity), _gather([boundary]) if boundary else None, _gather(session) if session else None)


def _gather(policies: Iterable[tuple[str, Policy]]) -> Statements:
    return Statements(replace(statement, policy=name) for name, policy in policies for statement in policy.statements.all)


NO_RIGHTS: Final = Rights.of()


class Caller(Identity, frozen=True, kw_only=True):
    """An identity with its rights. An account's root needs no policy to have every right in its account."""

    rights: Rights = NO_RIGHTS

    def __repr__(self) -> str:
        return f"Caller({self.kind.value}, {self.arn}, access_key_id={self.access_key_id!r})"


ANONYMOUS: Final = Caller(kind=CallerKind.ANONYMOUS, account_id="", arn="anonymous")


def root_caller(account_id: str, access_key_id: str) -> Caller:
    """Return the root principal of an account."""
    return Caller(
        kind=CallerKind.ROOT,
        account_id=account_id,
        access_key_id=access_key_id,
        arn=f"arn:aws:iam::{account_id}:root",
        principal_id=account_id,
    )
