"""What handlers want of consents. The use cases behind it (`service/consents/`) are imported when somebody first asks for one."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol, TypeVar

from siegel.access.consent import Use
from siegel.domain.entry import Entry
from siegel.service.trail import Trail

P = TypeVar("P")


class LiveUses(Protocol):
    """Checks what operators do under consents (`service/consents/live.py`)."""

    async def admit(self, trail: Trail, use: Use) -> None:
        """Return if the consent of the trail's caller permits a use. Raises AccessDeniedError."""
        ...

    def require(self, account_id: str, consent_id: str, arn: str) -> object:
        """Return if a consent is live now, and `arn`'s. Raises AccessDeniedError, StorageError."""
        ...

    def watch(self, trail: Trail, pieces: AsyncIterator[P]) -> AsyncGenerator[P, None]:
        """Yield a body's pieces for as long as the consent of the trail's caller is live. Raises AccessDeniedError."""
        ...


class CustomerConsents(Protocol):
    """The side of the account that gives them (`service/consents/customer.py`)."""

    def keys(self, account_id: str) -> bytes:
        """Return the account's file of consent keys. Raises NoSuchConsentError."""
        ...

    async def put_keys(self, account_id: str, text: bytes, entry: Callable[[bytes], Entry]) -> None:
        """Store the account's keys; `entry` makes the entry, given the file's digest. Raises InvalidRequestError."""
        ...

    def list(self, account_id: str, after: str, limit: int) -> object:
        """Return a page of consents, for JSON."""
        ...

    def show(self, account_id: str, consent_id: str) -> object:
        """Return all of a consent, for JSON. Raises NoSuchConsentError."""
        ...

    def document(self, account_id: str, consent_id: str, name: str) -> bytes:
        """Return a document of a consent. Raises NoSuchConsentError."""
        ...

    async def decide(self, account_id: str, consent_id: str, decision: str, body: bytes, trail: Trail) -> object:
        """Take an approval, a denial or a revocation; return how the consent stands then, for JSON. Raises S3Error."""
        ...
