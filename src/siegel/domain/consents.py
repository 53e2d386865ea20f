"""What is stored of consents: the documents, how far they have come, and how often they were used.

None of it is believed when a consent is used: what is granted stands in the evidence alone, which is verified each time it is
new. Format page: `docs/design/formats/consent.md`.
"""

from enum import StrEnum
from typing import ClassVar, Final

from msgspec import Struct

from siegel.domain.entry import Entry
from siegel.domain.errors import S3Error
from siegel.domain.records import Document, Kind

ARN_FRONT: Final = "arn:aws:siegel:::support/"


class ConsentState(StrEnum):
    """How far a request has come. The values are stored: never change them."""

    REQUESTED = "requested"
    APPROVED = "approved"
    ACTIVE = "active"
    DENIED = "denied"
    LAPSED = "lapsed"
    REVOKED = "revoked"
    EXPIRED = "expired"
    CLOSED = "closed"


class Consent(Document, frozen=True, array_like=True):
    """A request and all that became of it, kept under `ACCOUNT/ID`.

    `request`, `report` are texts, `approval` a note with the signatures so far, `denial` and `revocation` notes or texts,
    `evidence` the file. `asked_by` is the operator who asked. `approved_by` is the id of the request that completed the approval,
    whose entry lies behind the first `searched_from` ones of the log. `uses` counts what was permitted, `reads` the reads in it.
    `earlier_evidence` is what was evidence until the log's keys or the account's policy changed, the oldest first.
    """

    kind: ClassVar[Kind] = Kind.CONSENT

    consent_id: str = ""
    account_id: str = ""
    state: ConsentState = ConsentState.REQUESTED
    request: str = ""
    asked_by: str = ""
    approval: bytes = b""
    approved_by: str = ""
    searched_from: int = 0
    evidence: bytes = b""
    denial: bytes = b""
    revocation: bytes = b""
    report: str = ""
    uses: int = 0
    reads: int = 0
    changed_at_ms: int = 0
    asked_at_ms: int = 0
    earlier_evidence: tuple[bytes, ...] = ()


class ConsentKeyFile(Document, frozen=True, array_like=True):
    """The account's copy of the customer's keys, kept under the account's id."""

    kind: ClassVar[Kind] = Kind.CONSENT_KEYS

    text: bytes = b""
    put_at_ms: int = 0


class OpenConsent(Document, frozen=True, array_like=True):
    """A mark, under the consent's own name, that the steward still has something to look after."""

    kind: ClassVar[Kind] = Kind.OPEN_CONSENT


class ConsentPlace(Document, frozen=True, array_like=True):
    """Of which account a consent is, kept under its id: no two of the deployment have the same."""

    kind: ClassVar[Kind] = Kind.CONSENT_PLACE

    account_id: str = ""


class Operator(Struct, frozen=True):
    """One of the provider's own staff, who asks on the admin port by a request."""

    principal: str
    request_id: str
    source: str = ""

    def entry(self, kind: str, at_ms: int) -> Entry:
        """Return the entry of a request that concerns no account in particular."""
        return Entry(at_ms, self.request_id, kind, account_id="", principal=self.principal, bucket="", source=self.source)


class AccessWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator asks for: times as RFC 3339 has them, objects as in `s3://bucket/prefix*`; what is empty is filled in."""

    account: str
    objects: list[str]
    actions: list[str]
    cause: str
    ticket: str
    reason: str
    person: str
    employer: str
    country: str
    office_country: str = ""
    not_before: str = ""
    until: str = ""
    answer_by: str = ""
    max_reads: int = 0
    copies: str = "none"
    copies_until: str = ""


class NoSuchConsentError(S3Error):
    """`NoSuchConsent`, an own code: the account has no such request or document, or not yet."""

    code = "NoSuchConsent"
    message = "There is no such consent, or no such document of it yet."


class InvalidConsentStateError(S3Error):
    """`InvalidConsentState`, an own code: it is too late or too early for that."""

    code = "InvalidConsentState"
    message = "The consent is not in a state in which this can be done."


def support_arn(consent_id: str, person: str) -> str:
    """Return the principal of an operator who acts under a consent."""
    return f"{ARN_FRONT}{consent_id}/{person}"
