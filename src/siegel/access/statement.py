"""Statements, compiled: does this one speak of that request?

Statements are sorted by action once. For a request only those that name its action are looked at, and of these first the
resource, then the conditions, which may cost a read.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from siegel.access.condition_keys import ConditionKeys
from siegel.access.conditions import Condition
from siegel.access.identity import CallerKind, Identity
from siegel.access.principals import NOBODY, Naming, Principals
from siegel.access.wildcards import Matcher, Test

ACTIONS_REMEMBERED_MAX: Final = 512


class Effect(StrEnum):
    """What a statement does to a request that it speaks of."""

    ALLOW = "Allow"
    DENY = "Deny"


class Statement(Struct, frozen=True, kw_only=True):
    """One statement. `except_...` turn a list into its contrary: NotAction, NotResource, NotPrincipal.

    `resources` is None in a trust policy, which speaks of its role alone; `principals` are nobody in the policy of an identity.
    `admits_anonymous` says whether everyone includes requests without a signature. `number` counts from 1.
    """

    policy: str
    number: int
    sid: str
    effect: Effect
    actions: tuple[Test, ...]
    action_texts: tuple[str, ...]
    except_actions: bool
    resources: tuple[Matcher, ...] | None
    resource_texts: tuple[str, ...]
    except_resources: bool
    conditions: tuple[Condition, ...]
    principals: Principals = NOBODY
    except_principals: bool = False
    admits_anonymous: bool = False

    @property
    def name(self) -> str:
        """The statement as an answer or an entry names it."""
        return f"{self.policy}, statement {self.sid or self.number}"

    def covers_action(self, action: str) -> bool:
        """Tell whether the statement speaks of an action, given in lower case."""
        return any(test(action) for test in self.actions) is not self.except_actions

    def covers(self, resource: str, keys: ConditionKeys) -> bool:
        """Tell whether the statement, whose action and principal fit, speaks of this resource under these conditions."""
        if not self._covers_resource(resource, keys):
            return False
        # Loops here and below are plain ones: generators would double the cost of a decision.
        for condition in self.conditions:  # noqa: SIM110 - see above
            if not condition.holds(keys):
                return False
        return True

    def _covers_resource(self, resource: str, keys: ConditionKeys) -> bool:
        if self.resources is None:
            return True
        if not self.except_resources:
            for match in self.resources:  # noqa: SIM110 - see above
                if match(resource, keys):
                    return True
            return False
        results = [match(resource, keys) for match in self.resources]
        return True not in results and (None not in results or self.effect is Effect.DENY)

    def naming(self, caller: Identity) -> Naming:
        """Tell how closely a statement of a resource's policy names a caller.

        NotPrincipal spares from a Deny who is named in all that it is, and shuts out of an Allow who is named in any way.
        """
        if caller.kind is CallerKind.ANONYMOUS and self.effect is Effect.ALLOW and not self.admits_anonymous:
            # Whoever is no principal, or not yet, can be named by the provider of its identity alone.
            is_named = caller.federated_provider in self.principals.federated and not self.except_principals
            return Naming.DIRECT if is_named else Naming.NOT
        if not self.except_principals:
            return self.principals.naming(caller)
        if self.effect is Effect.DENY:
            return Naming.NOT if self.principals.names_wholly(caller) else Naming.DIRECT
        return Naming.NOT if self.principals.naming(caller) else Naming.DIRECT


class Relevant(Struct, frozen=True):
    """The statements that speak of an action."""

    denies: tuple[Statement, ...]
    allows: tuple[Statement, ...]


class Statements:
    """Statements of one or more policies; remembers which of them speak of an action."""

    __slots__ = ("_by_action", "all")

    def __init__(self, statements: Iterable[Statement] = ()) -> None:
        self.all = tuple(statements)
        self._by_action: dict[str, Relevant] = {}

    def of_action(self, action: str) -> Relevant:
        """Return the statements that speak of `action`, which may be in any case."""
        known = self._by_action.get(action)
        if known is None:
            spoken = [statement for statement in self.all if statement.covers_action(action.lower())]
            known = Relevant(
                tuple(statement for statement in spoken if statement.effect is Effect.DENY),
                tuple(statement for statement in spoken if statement.effect is Effect.ALLOW),
            )
            if len(self._by_action) >= ACTIONS_REMEMBERED_MAX:
                self._by_action.clear()
            self._by_action[action] = known
        return known
