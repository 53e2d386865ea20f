"""The table of the admin port: its rows, and one request as the work behind a row gets it."""

from collections.abc import Mapping

from msgspec import Struct


class AdminRoute(Struct, frozen=True):
    """One thing that an operator may do: how it is asked for, and how the ledger calls it."""

    operation: str
    method: str
    path: str
    kind: str
    purpose: str


class AdminAsk(Struct, frozen=True):
    """One request of an operator whose signature holds; `path` has what the row's path names in braces."""

    row: AdminRoute
    principal: str
    request_id: str
    body: bytes
    source: str
    path: Mapping[str, str]
    query: Mapping[str, str]
