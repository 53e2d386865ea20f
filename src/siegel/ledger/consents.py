"""Consents: what an operator asks for, and what the customer says to it.

    siegel access request v1      by the operator: who wants to do what to which objects, until when, and why
    siegel access approval v1     by the customer: every line of the request, and perhaps less of it; k of his n keys sign
    siegel access denial v1       by the customer
    siegel access revocation v1   by the customer
    siegel access report v1       by the operator, at the end

An approval, and a denial or revocation that is signed, is a note as C2SP has it (`notes.py`) with such a text; only keys that the
customer holds sign it (`consent_keys.py`). That an approval is worth anything takes its entry in the account's log under a quorum
of witnesses as well (`consent_evidence.py`). Format page: `docs/design/formats/consent.md`.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Final, TypeVar

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.domain.moments import encode_time
from siegel.ledger.consent_lines import (
    Fields,
    Lines,
    check_distinct,
    check_value,
    encode_lines,
    parse_count,
    parse_time,
)
from siegel.ledger.consent_scope import Scope, is_within, parse_scope

T = TypeVar("T", bound=StrEnum)

SCOPES_MAX: Final = 64
LASTS_S_DEFAULT: Final = 8 * 3600
LASTS_S_MAX: Final = 24 * 3600
ANSWER_S_DEFAULT: Final = 4 * 3600
ANSWER_S_MAX: Final = 14 * 24 * 3600
NO_COPIES: Final = "none"

_REQUEST: Final = "siegel access request v1"
_APPROVAL: Final = "siegel access approval v1"
_REPORT: Final = "siegel access report v1"
_ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_PERSON: Final = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)


class Cause(StrEnum):
    """Why access is asked for. Modelled on the reason codes of Google's Key Access Justifications."""

    CUSTOMER_SUPPORT = "customer-support"
    PROVIDER_SERVICE = "provider-service"
    REVIEW = "review"
    LEGAL_REQUEST = "legal-request"
    SYSTEM = "system"


class Action(StrEnum):
    """What an operator may do under a consent, in the order in which documents name it. None of it changes anything."""

    LIST = "list"
    HEAD = "head"
    READ = "read"


class AccessRequest(Struct, frozen=True, kw_only=True):
    """What an operator asks for. Times are whole seconds since 1970.

    `max_reads` 0: as many as he likes. `copies` says what is kept of the data beyond the access, `copies_until_s` until when; it
    is 0 where nothing is kept. Without an answer before `answer_by_s` the request has lapsed.
    """

    consent_id: str
    origin: str
    account_id: str
    requested_at_s: int
    answer_by_s: int
    not_before_s: int
    expires_s: int
    cause: Cause
    ticket: str
    reason: str
    person: str
    employer: str
    office_country: str
    physical_country: str
    actions: tuple[Action, ...]
    scope: tuple[Scope, ...]
    max_reads: int = 0
    copies: str = NO_COPIES
    copies_until_s: int = 0

    @property
    def text(self) -> str:
        """The document."""
        return encode_lines(_REQUEST, self.fields)

    @property
    def fields(self) -> Fields:
        """The document's lines."""
        return [
            ("consent", self.consent_id),
            ("origin", self.origin),
            ("account", self.account_id),
            ("requested-at", encode_time(self.requested_at_s)),
            ("answer-by", encode_time(self.answer_by_s)),
            ("not-before", encode_time(self.not_before_s)),
            ("expires", encode_time(self.expires_s)),
            ("cause", self.cause.value),
            ("ticket", self.ticket),
            ("reason", self.reason),
            ("person", self.person),
            ("employer", self.employer),
            ("office-country", self.office_country),
            ("physical-country", self.physical_country),
            *(("action", action.value) for action in self.actions),
            *(("objects", str(scope)) for scope in self.scope),
            ("max-reads", str(self.max_reads)),
            ("copies", self.copies),
            *([("copies-until", encode_time(self.copies_until_s))] if self.copies_until_s else []),
        ]

    def check(self) -> None:
        """Raise LedgerFormError, which names the field, unless it is a request that can be made."""
        _check_form("consent", _ID, self.consent_id, "16 hexadecimal digits")
        check_value("origin", self.origin)
        _check_form("account", _ACCOUNT, self.account_id, "12 digits")
        for name, value in (
            ("ticket", self.ticket),
            ("reason", self.reason),
            ("employer", self.employer),
            ("copies", self.copies),
        ):
            check_value(name, value)
        _check_form("person", _PERSON, self.person, "1 to 64 letters, digits and _+=,.@-")
        _check_form("office-country", _COUNTRY, self.office_country, "two letters (ISO 3166-1)")
        _check_form("physical-country", _COUNTRY, self.physical_country, "two letters (ISO 3166-1)")
        if not self.actions or list(self.actions) != [action for action in Action if action in self.actions]:
            raise LedgerFormError("the actions are some of list, head, read, each once and in this order")
        _check_scope(self.scope)
        parse_count(str(self.max_reads))
        self._check_times()

    def _check_times(self) -> None:
        if not self.requested_at_s < self.answer_by_s <= self.requested_at_s + ANSWER_S_MAX:
            raise LedgerFormError(f"answer-by lies at most {ANSWER_S_MAX} seconds behind requested-at")
        if not self.requested_at_s <= self.not_before_s < self.expires_s <= self.not_before_s + LASTS_S_MAX:
            raise LedgerFormError(
                f"expires lies at most {LASTS_S_MAX} seconds behind not-before, which is not before requested-at"
            )
        if (self.copies == NO_COPIES) is not (self.copies_until_s == 0):
            raise LedgerFormError("copies-until says until when copies are kept, and is there if any are kept")


class Approval(Struct, frozen=True, kw_only=True):
    """What the customer grants: the request, no longer than `expires_s` and no more than `scope`, which are its own or less.

    `threshold` is how many of the customer's keys have to sign.
    """

    request: AccessRequest
    decided_at_s: int
    threshold: int
    expires_s: int
    scope: tuple[Scope, ...]

    @property
    def text(self) -> str:
        """The text of the note that the customer signs."""
        narrowed = [] if self.expires_s == self.request.expires_s else [("granted-until", encode_time(self.expires_s))]
        if self.scope != self.request.scope:
            narrowed += [("granted-objects", str(scope)) for scope in self.scope]
        decided = [("decided-at", encode_time(self.decided_at_s)), ("threshold", str(self.threshold))]
        return encode_lines(_APPROVAL, [*self.request.fields, *decided, *narrowed])

    @property
    def digest(self) -> bytes:
        """SHA-256 of the text: what the entry of the approval commits to."""
        return sha256(self.text.encode()).digest()

    def check(self) -> None:
        """Raise LedgerFormError unless it grants the request, or less."""
        self.request.check()
        if not self.request.requested_at_s <= self.decided_at_s < self.request.answer_by_s:
            raise LedgerFormError("a request is decided on between requested-at and answer-by")
        if not 1 <= self.threshold <= SCOPES_MAX:
            raise LedgerFormError(f"the threshold is at least 1 and at most {SCOPES_MAX}")
        if not self.request.not_before_s < self.expires_s <= self.request.expires_s:
            raise LedgerFormError("granted-until lies behind not-before, and not behind expires")
        _check_scope(self.scope)
        if not is_within(self.scope, self.request.scope):
            raise LedgerFormError("what is granted was not asked for")


class Verb(StrEnum):
    """What a customer says to a request, or to a consent, to end it."""

    DENIAL = "denial"
    REVOCATION = "revocation"


class Refusal(Struct, frozen=True, kw_only=True):
    """A denial or a revocation. `reason` may be empty."""

    verb: Verb
    consent_id: str
    origin: str
    at_s: int
    reason: str = ""

    @property
    def text(self) -> str:
        """The document."""
        reason = [("reason", self.reason)] if self.reason else []
        fields = [("consent", self.consent_id), ("origin", self.origin), ("at", encode_time(self.at_s)), *reason]
        return encode_lines(f"siegel access {self.verb} v1", fields)


class Report(Struct, frozen=True, kw_only=True):
    """What an operator says at the end: how often the consent was used, and what came of it."""

    consent_id: str
    origin: str
    closed_at_s: int
    uses: int
    summary: str

    @property
    def text(self) -> str:
        """The document."""
        at = encode_time(self.closed_at_s)
        fields = [("consent", self.consent_id), ("origin", self.origin), ("closed-at", at), ("uses", str(self.uses))]
        return encode_lines(_REPORT, [*fields, ("summary", self.summary)])


def parse_request(text: str) -> AccessRequest:
    """Return the request that a text is: its `text` is the same again. Raises LedgerFormError."""
    lines = Lines(text, _REQUEST)
    request = _read_request(lines)
    lines.end()
    request.check()
    return request


def parse_approval(text: str) -> Approval:
    """Return the approval that a note's text is: its `text` is the same again. Who has signed it is not looked at.

    Raises LedgerFormError.
    """
    lines = Lines(text, _APPROVAL)
    request = _read_request(lines)
    decided_at_s, threshold = parse_time(lines.one("decided-at")), parse_count(lines.one("threshold"))
    until, scope = lines.maybe("granted-until"), _parse_scopes(lines.many("granted-objects"))
    lines.end()
    approval = Approval(
        request=request,
        decided_at_s=decided_at_s,
        threshold=threshold,
        expires_s=parse_time(until) if until else request.expires_s,
        scope=scope or request.scope,
    )
    approval.check()
    if approval.text != text:
        raise LedgerFormError("granted-until and granted-objects are there only where less is granted than was asked for")
    return approval


def parse_refusal(verb: Verb, text: str) -> Refusal:
    """Return the denial or revocation that a text is. Raises LedgerFormError."""
    lines = Lines(text, f"siegel access {verb} v1")
    consent_id, origin, at = lines.one("consent"), lines.one("origin"), parse_time(lines.one("at"))
    refusal = Refusal(verb=verb, consent_id=consent_id, origin=origin, at_s=at, reason=lines.maybe("reason"))
    lines.end()
    _check_form("consent", _ID, consent_id, "16 hexadecimal digits")
    check_value("origin", origin)
    if refusal.reason:
        check_value("reason", refusal.reason)
    return refusal


def parse_report(text: str) -> Report:
    """Return the report that a text is. Raises LedgerFormError."""
    lines = Lines(text, _REPORT)
    consent_id, origin, at = lines.one("consent"), lines.one("origin"), parse_time(lines.one("closed-at"))
    uses, summary = parse_count(lines.one("uses")), lines.one("summary")
    lines.end()
    _check_form("consent", _ID, consent_id, "16 hexadecimal digits")
    check_value("origin", origin)
    check_value("summary", summary)
    return Report(consent_id=consent_id, origin=origin, closed_at_s=at, uses=uses, summary=summary)


def parse_cause(text: str) -> Cause:
    """Return a cause by its code. Raises LedgerFormError, which names them all."""
    return _one_of(Cause, "cause", text)


def parse_action(text: str) -> Action:
    """Return an action by its name. Raises LedgerFormError, which names them all."""
    return _one_of(Action, "action", text)


def is_consent_id(text: str) -> bool:
    """Whether a text can be the id of a consent."""
    return _ID.fullmatch(text) is not None


def _read_request(lines: Lines) -> AccessRequest:
    return AccessRequest(
        consent_id=lines.one("consent"),
        origin=lines.one("origin"),
        account_id=lines.one("account"),
        requested_at_s=parse_time(lines.one("requested-at")),
        answer_by_s=parse_time(lines.one("answer-by")),
        not_before_s=parse_time(lines.one("not-before")),
        expires_s=parse_time(lines.one("expires")),
        cause=parse_cause(lines.one("cause")),
        ticket=lines.one("ticket"),
        reason=lines.one("reason"),
        person=lines.one("person"),
        employer=lines.one("employer"),
        office_country=lines.one("office-country"),
        physical_country=lines.one("physical-country"),
        actions=tuple(parse_action(text) for text in lines.many("action")),
        scope=_parse_scopes(lines.many("objects")),
        max_reads=parse_count(lines.one("max-reads")),
        copies=lines.one("copies"),
        copies_until_s=parse_time(until) if (until := lines.maybe("copies-until")) else 0,
    )


def _parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...]:
    return tuple(parse_scope(text) for text in texts)


def _check_scope(scope: tuple[Scope, ...]) -> None:
    if not 1 <= len(scope) <= SCOPES_MAX:
        raise LedgerFormError(f"there are 1 to {SCOPES_MAX} lines of objects")
    check_distinct("objects", scope)
    for each in scope:
        parse_scope(str(each))


def _check_form(name: str, form: re.Pattern[str], value: str, wanted: str) -> None:
    if not form.fullmatch(value):
        raise LedgerFormError(f"{name} is {wanted}")


def _one_of(kinds: type[T], name: str, text: str) -> T:
    try:
        return kinds(text)
    except ValueError:
        raise LedgerFormError(f"{name} is one of {', '.join(kinds)}") from None
