"""Permits that are remembered: where no policy asked anything of the request itself, the next one like it gets the same.

A permit goes by the very objects that it was made of. Whoever changes a policy, a user or a bucket makes new ones of them, so
nothing has to be forgotten in time; what is never asked for again goes when the memory is full.
"""

from typing import Final

from msgspec.structs import replace

from siegel.access.caller import Caller
from siegel.access.condition_keys import ConditionKeys
from siegel.access.decide import Permit, decide
from siegel.access.evaluation import Asked, ResourceSide

REMEMBERED_MAX: Final = 10_000


class NotedKeys:
    """A request's condition keys, and whether any was asked for that is not `stable`."""

    __slots__ = ("_keys", "_stable", "was_asked")

    def __init__(self, keys: ConditionKeys, stable: frozenset[str] = frozenset()) -> None:
        self._keys = keys
        self._stable = stable
        self.was_asked = False

    def get(self, name: str, /) -> tuple[str, ...] | None:
        """Return the values of a key, or None."""
        if name not in self._stable:
            self.was_asked = True
        return self._keys.get(name)


class Decisions:
    """Decides, and remembers what need not be decided again. Denials are made anew each time."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, str, str], tuple[Caller, ResourceSide, Permit]] = {}

    def find(self, caller: Caller, action: str, resource: str, side: ResourceSide) -> Permit | None:
        """Return the permit of an earlier decision on the same, None if there is none that may be used again."""
        # What is kept here keeps its objects alive, so that no other object can have their ids.
        known = self._known.get((id(caller), id(side), action, resource))
        return None if known is None else known[2]

    def decide(self, caller: Caller, asked: Asked, side: ResourceSide) -> Permit:
        """Return the permit, if the policies of both sides allow it. Raises AccessDeniedError."""
        keys = NotedKeys(asked.keys)
        permit = decide(caller, replace(asked, keys=keys), side)
        if not keys.was_asked:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            self._known[id(caller), id(side), asked.action, asked.resource] = (caller, side, permit)
        return permit
