"""The decision: may this caller do this to that resource?

`decide` returns a Permit or raises. Nothing else makes a Permit: what asks for one cannot be reached without a decision.
"""

from typing import Final

from msgspec import Struct

from siegel.access.caller import Caller, CallerKind
from siegel.access.evaluation import Asked, Decision, ResourceSide, Verdict, evaluate
from siegel.domain.errors import AccessDeniedError

_BY_ROOT: Final = "root of the account"


class Permit(Struct, frozen=True):
    """Evidence that `caller` may do `action` on something that `account_id` owns; `because` names what allowed it.

    `tags_of` is the id of the version whose tags had a part in it, empty where there was none: of another version it says
    nothing. None: tags had no part in it.
    """

    caller: Caller
    action: str
    account_id: str
    because: str
    tags_of: bytes | None = None


def decide(caller: Caller, asked: Asked, resource: ResourceSide) -> Permit:
    """Return the permit, if the policies of both sides allow it.

    Raises AccessDeniedError; only to a caller of the resource's own account it says why, and which statement decided.
    """
    unlimited = permit_root(caller, (asked.action,), resource)
    if unlimited:
        return unlimited[0]
    verdict = evaluate(caller, asked, resource)
    if verdict.decision is Decision.ALLOWED:
        return Permit(caller, asked.action, resource.account_id, verdict.statement.name if verdict.statement else _BY_ROOT)
    if caller.kind is CallerKind.ANONYMOUS or caller.account_id != resource.account_id:
        raise AccessDeniedError
    raise AccessDeniedError(_explain(caller, asked, verdict))


def permit_root(caller: Caller, actions: tuple[str, ...], resource: ResourceSide) -> tuple[Permit, ...]:
    """Return the permits of an account's root where no policy has a say, else none: then `decide` has to be asked.

    By far the most frequent case of an account without users, and it needs to know nothing more of the request.
    """
    if (
        caller.kind is CallerKind.ROOT
        and caller.account_id == resource.account_id
        and resource.policy is None
        and not resource.needs_policy
        and caller.rights.is_empty
    ):
        return tuple([Permit(caller, action, resource.account_id, _BY_ROOT) for action in actions])
    return ()


def _explain(caller: Caller, asked: Asked, verdict: Verdict) -> str:
    refusal = f'User: {caller.arn} is not authorized to perform: {asked.action} on resource: "{asked.resource}"'
    if verdict.statement is None:
        return f"{refusal} because no {verdict.source} allows the {asked.action} action"
    article = "an" if verdict.source[0] in "aeiou" else "a"
    return f"{refusal} with an explicit deny in {article} {verdict.source} ({verdict.statement.name})"
