"""One row of the routing table."""

from enum import StrEnum
from functools import partial
from typing import Final

from msgspec import Struct


class State(StrEnum):
    """What becomes of an operation's requests."""

    WORKS = "works"
    ABSENT = "not configured"  # reads answer that there is no such configuration, deletes that it is gone
    REFUSED = "refused"  # 501 NotImplemented with the reason


class Route(Struct, frozen=True):
    """One operation, and how it is recognised.

    `query` are the parameters that select it, each a name or `name=value`; `header` is a header that must be there as well, and
    `is_form` a Content-Type of multipart/form-data;
    `parameters` are further query parameters that it understands. `level` is what the URL names: "service", "bucket", "object",
    "control" for a path of S3 Control, "ledger" for a file of an account's log, or "consents", "consent", "consent-keys".
    `action` is the IAM action on `resource`,
    `version_action` the one asked for instead where the request names a version; `kind` is how the ledger calls it.
    `needs_integrity`: its body must come with a Content-MD5
    or a checksum. `state` tells what becomes of it, `reason` why where it does not work; `former` is an older operation of the
    same requests.
    """

    operation: str
    method: str
    kind: str
    action: str
    level: str
    resource: str
    query: tuple[str, ...] = ()
    header: str = ""
    parameters: tuple[str, ...] = ()
    version_action: str = ""
    needs_integrity: bool = False
    state: State = State.WORKS
    reason: str = ""
    former: str = ""
    is_form: bool = False


COPY_HEADER: Final = "x-amz-copy-source"

on_service = partial(Route, level="service", resource="service")
"""A row about the service itself."""

on_bucket = partial(Route, level="bucket", resource="bucket")
"""A row about a bucket."""

on_object = partial(Route, level="object", resource="object")
"""A row about an object."""
