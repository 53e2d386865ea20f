"""Consents as they decide: which step follows which, and what a live one permits. Nothing here is asked of other callers.

    REQUESTED -> APPROVED -> ACTIVE -> EXPIRED | REVOKED -> CLOSED
    REQUESTED -> DENIED | LAPSED;  APPROVED -> EXPIRED | REVOKED;  any of them -> CLOSED

Silence is denial: a request that nobody has answered in time has lapsed, whether or not that was written down yet.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from msgspec import Struct

from siegel.domain.consents import ConsentState, InvalidConsentStateError

_S = ConsentState


class Step(StrEnum):
    """What can happen to a request or a consent; the value is the word for it in messages."""

    APPROVE = "approved"
    ACTIVATE = "active"
    DENY = "denied"
    LAPSE = "lapsed"
    REVOKE = "revoked"
    EXPIRE = "expired"
    CLOSE = "closed"


STEPS: Final[Mapping[tuple[ConsentState, Step], ConsentState]] = MappingProxyType(
    {
        (_S.REQUESTED, Step.APPROVE): _S.APPROVED,
        (_S.REQUESTED, Step.DENY): _S.DENIED,
        (_S.REQUESTED, Step.LAPSE): _S.LAPSED,
        (_S.APPROVED, Step.ACTIVATE): _S.ACTIVE,
        (_S.APPROVED, Step.REVOKE): _S.REVOKED,
        (_S.APPROVED, Step.EXPIRE): _S.EXPIRED,
        (_S.ACTIVE, Step.REVOKE): _S.REVOKED,
        (_S.ACTIVE, Step.EXPIRE): _S.EXPIRED,
        (_S.REQUESTED, Step.CLOSE): _S.CLOSED,
        (_S.APPROVED, Step.CLOSE): _S.CLOSED,
        (_S.ACTIVE, Step.CLOSE): _S.CLOSED,
        (_S.DENIED, Step.CLOSE): _S.CLOSED,
        (_S.LAPSED, Step.CLOSE): _S.CLOSED,
        (_S.REVOKED, Step.CLOSE): _S.CLOSED,
        (_S.EXPIRED, Step.CLOSE): _S.CLOSED,
    }
)
OPEN: Final = frozenset({_S.REQUESTED, _S.APPROVED, _S.ACTIVE})
"""The states that time ends by itself."""

LIST, HEAD, READ = "list", "head", "read"
ACTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ListObjects": LIST,
        "ListObjectsV2": LIST,
        "ListObjectVersions": LIST,
        "HeadObject": HEAD,
        "GetObjectAttributes": HEAD,
        "GetObject": READ,
    }
)
"""The operations of S3 that a consent can permit, and the action that each takes. No other operation, and no write, is one."""


def follow(state: ConsentState, step: Step) -> ConsentState:
    """Return the state behind a step. Raises InvalidConsentStateError if it cannot be taken from here."""
    after = STEPS.get((state, step))
    if after is None:
        raise InvalidConsentStateError(f"A consent that is {state} cannot become {step}.")
    return after


def state_at(state: ConsentState, now_ms: int, *, answer_by_ms: int, expires_ms: int) -> ConsentState:
    """Return the state at a time, also where nobody has written down yet that time ended it."""
    if state is _S.REQUESTED and now_ms >= answer_by_ms:
        return _S.LAPSED
    if state in {_S.APPROVED, _S.ACTIVE} and now_ms >= expires_ms:
        return _S.EXPIRED
    return state


class Scope(Protocol):
    """Which objects a consent is about."""

    def has_object(self, bucket: str, object_key: str, /) -> bool:
        """Whether an object is in it."""
        ...

    def has_prefix(self, bucket: str, prefix: str, /) -> bool:
        """Whether every object whose key begins with `prefix` is in it."""
        ...


class Bounds(Struct, frozen=True):
    """What was granted, and when: the times are milliseconds since 1970."""

    account_id: str
    actions: frozenset[str]
    scope: tuple[Scope, ...]
    not_before_ms: int
    expires_ms: int


class Use(Struct, frozen=True):
    """What is asked for: an operation of S3 on an object, or a list of those whose keys begin with `prefix`.

    `account_id` owns the bucket; it is empty where there is no such bucket.
    """

    operation: str
    account_id: str
    bucket: str
    object_key: str = ""
    prefix: str = ""

    @property
    def action(self) -> str:
        """What it takes; empty for what no consent permits."""
        return ACTIONS.get(self.operation, "")


def refusal_of(bounds: Bounds, use: Use, now_ms: int) -> str:
    """Return why a consent does not permit a use, as the end of a sentence about it; an empty text if it does.

    Whoever may read an object may see its head.
    """
    action = use.action
    if not action:
        return f"permits no {use.operation}"
    if now_ms < bounds.not_before_ms:
        return "is not valid yet"
    if now_ms >= bounds.expires_ms:
        return "has expired"
    if action not in bounds.actions and not (action == HEAD and READ in bounds.actions):
        return f"does not permit to {action}"
    if action == LIST:
        is_within = any(scope.has_prefix(use.bucket, use.prefix) for scope in bounds.scope)
    else:
        is_within = any(scope.has_object(use.bucket, use.object_key) for scope in bounds.scope)
    # One word for both: else whoever guesses names of buckets would learn which of them are the account's.
    return "" if is_within and use.account_id == bounds.account_id else "is about other objects"
