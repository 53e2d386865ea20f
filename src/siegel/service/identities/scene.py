"""What a use case of IAM works with: the account as it is now, who calls, and in a change the means to make something new."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from siegel.access.caller import Caller, CallerKind
from siegel.access.policy import PolicyKind, parse_policy
from siegel.domain import ids
from siegel.domain.errors import PolicyError
from siegel.domain.ports import Outbound, Randomness, Reader, Writer
from siegel.domain.query_errors import MalformedPolicyDocumentError, ValidationError
from siegel.iamwire.iam_asks import Named
from siegel.iamwire.xml import Node
from siegel.service.identities.entities import Entities, EntityWriter
from siegel.service.keys import KeyRing

V = TypeVar("V")

Result = Mapping[str, Node] | None
ROOT_NAME: Final = ""
"""In place of a user's name: the account's root."""


class Paging(Protocol):
    """A call that asks for one page of a list."""

    @property
    def marker(self) -> str:
        """Where the page begins: what the page before said, or nothing."""
        ...

    @property
    def max_items(self) -> int:
        """How many entries it has at most."""
        ...


class Scene:
    """A read."""

    def __init__(self, reader: Reader, caller: Caller, now_ms: int) -> None:
        """Read the caller's account."""
        self.caller = caller
        self.account_id = caller.account_id
        self.now_ms = now_ms
        self.entities = Entities(reader, caller.account_id)

    def subject(self, ask: Named) -> str:
        """Return the name of the user that a call is about: the one it names, or the caller; ROOT_NAME is the account's root.

        Raises ValidationError where the caller is neither user nor root.
        """
        if ask.name or self.caller.kind is CallerKind.USER:
            return ask.name or self.caller.name
        if self.caller.kind is CallerKind.ROOT:
            return ROOT_NAME
        raise ValidationError("Must specify userName when calling with non-User credentials")


class Means(Struct, frozen=True):
    """What it takes to make something new. `key_ring` seals the secrets of access keys, `outbound` judges URLs."""

    randomness: Randomness
    key_ring: KeyRing
    outbound: Outbound


class Change(Scene):
    """A change, inside its transaction."""

    def __init__(self, writer: Writer, caller: Caller, now_ms: int, means: Means) -> None:
        """Change the caller's account."""
        super().__init__(writer, caller, now_ms)
        self.writer = writer
        self.entities: EntityWriter = EntityWriter(writer, caller.account_id)
        self.means = means

    def unique_id(self, resource: str) -> str:
        """Return a fresh unique id."""
        return ids.make_unique_id(resource, self.means.randomness.bytes(ids.UNIQUE_ID_RANDOM_BYTES))


def check_policy(text: str, kind: PolicyKind = PolicyKind.IDENTITY) -> None:
    """Raise MalformedPolicyDocumentError unless a policy is understood to its last word."""
    try:
        parse_policy(text, kind)
    except PolicyError as error:
        raise MalformedPolicyDocumentError(str(error)) from error


def take_page(entries: Iterable[tuple[str, V]], ask: Paging) -> tuple[list[V], str]:
    """Return the page that is asked for, of entries with their keys in ascending order, and the marker of the next one."""
    after = _read_marker(ask.marker)
    page: list[V] = []
    last = ""
    for key, value in entries:
        if ask.marker and key <= after:
            continue
        if len(page) == ask.max_items:
            return page, urlsafe_b64encode(last.encode()).decode()
        page.append(value)
        last = key
    return page, ""


def _read_marker(marker: str) -> str:
    try:
        return urlsafe_b64decode(marker).decode()
    except (Base64Error, UnicodeDecodeError) as error:
        raise ValidationError("Invalid Marker: it is none that a page of this list ended with.") from error
