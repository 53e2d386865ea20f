"""The condition keys of one request: the principal's, the resource's account, then those of the request itself.

What is known here is never asked of the request: no header can change who the principal is.

Source: AWS IAM User Guide, "AWS global condition context keys"; "IAM policy elements: Variables and tags" (values by
kind of principal).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

from siegel.access.condition_keys import KNOWN, ConditionKeys
from siegel.access.identity import CallerKind, Identity
from siegel.domain.moments import encode_time

Values: TypeAlias = tuple[str, ...] | None

_TYPES: Final = {
    CallerKind.ANONYMOUS: ("Anonymous",),
    CallerKind.ROOT: ("Account",),
    CallerKind.USER: ("User",),
    CallerKind.ROLE: ("AssumedRole",),
    CallerKind.SUPPORT: ("Support",),
}
_NO: Final = ("false",)
_VIA: Final = {True: ("true",), False: _NO}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NoKeys:
    """A request of which nothing is known."""

    def get(self, name: str, /) -> Values:
        """Answer that the key is absent."""
        del name
        return None


NO_KEYS: Final = NoKeys()


def _principal_arn(caller: Identity) -> Values:
    # For a session it is the role's: a policy about a role means all of its sessions.
    return (caller.role_arn or caller.arn,) if _is_signed(caller) else None


def _token_issue_time(caller: Identity) -> Values:
    if caller.issued_at_ms is None:
        return None
    return (encode_time(caller.issued_at_ms / 1000),)


def _is_signed(caller: Identity) -> bool:
    return caller.kind is not CallerKind.ANONYMOUS


_OF_PRINCIPAL: Final[dict[str, Callable[[Identity], Values]]] = {
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": lambda caller: (caller.account_id,) if _is_signed(caller) else None,
    "aws:principaltype": lambda caller: _TYPES[caller.kind],
    "aws:principalisawsservice": lambda caller: _NO if _is_signed(caller) else None,
    "aws:userid": lambda caller: (caller.principal_id,) if _is_signed(caller) else ("anonymous",),
    "aws:username": lambda caller: (caller.name,) if caller.kind is CallerKind.USER else None,
    "aws:tokenissuetime": _token_issue_time,
    "aws:multifactorauthpresent": lambda caller: _NO if caller.is_temporary else None,
    "aws:multifactorauthage": lambda _caller: None,
    "aws:principalservicename": lambda _caller: None,
    "aws:principalservicenameslist": lambda _caller: None,
    "aws:principalorgid": lambda _caller: None,
    "aws:principalorgpaths": lambda _caller: None,
    "aws:federatedprovider": lambda caller: (
        caller.keys.get("aws:federatedprovider") or (None if caller.federated_provider is None else (caller.federated_provider,))
    ),
    "aws:sourceidentity": lambda caller: caller.keys.get("aws:sourceidentity"),
}
_TAG: Final = "aws:principaltag/"
_VIA_SERVICE: Final = "aws:viaawsservice"
_RESOURCE_ACCOUNT: Final = frozenset({"aws:resourceaccount", "s3:resourceaccount"})


class RequestKeys:
    """Answers from the caller, the resource's account, and the request, in this order; each key is asked for once."""

    __slots__ = ("_account_id", "_asked", "_caller", "_keys", "_via_service")

    def __init__(self, caller: Identity, keys: ConditionKeys, account_id: str, *, via_service: bool = False) -> None:
        """Answer about a request of `caller`; `via_service`: one that a service makes on its behalf."""
        self._caller = caller
        self._keys = keys
        self._account_id = account_id
        self._via_service = via_service
        self._asked: dict[str, Values] = {}

    def get(self, name: str, /) -> Values:
        """Return the values of a key, or None."""
        try:
            return self._asked[name]
        except KeyError:
            values = self._asked[name] = self._find(name)
            return values

    def _find(self, name: str) -> Values:
        known = _OF_PRINCIPAL.get(name)
        if known is not None:
            return known(self._caller)
        if name.startswith(_TAG):
            return tuple(value for key, value in self._caller.tags.items() if key.lower() == name[len(_TAG) :]) or None
        if name == _VIA_SERVICE:
            return _VIA[self._via_service] if _is_signed(self._caller) else None
        if name in _RESOURCE_ACCOUNT:
            return (self._account_id,) if self._account_id else None
        # What an identity's provider says of it goes by the provider's name, and never passes for a key of a service.
        of_caller = None if name.partition(":")[0] in KNOWN else self._caller.keys.get(name)
        return of_caller or self._keys.get(name)
