"""The customer's side: the keys that sign, the requests that wait, and what is said to them."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from siegel.access.consent import Step
from siegel.domain.consents import Consent, ConsentKeyFile, NoSuchConsentError
from siegel.domain.entry import Entry
from siegel.domain.errors import AccessDeniedError, InvalidRequestError
from siegel.domain.faultpoints import reach
from siegel.domain.ledgers import LedgerError, LedgerFormError, UnsignedError
from siegel.domain.ports import Clock, MetaStore, Writer
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind, encode_document
from siegel.ledger.consent_keys import ConsentKeys, parse_consent_keys
from siegel.ledger.consents import Refusal, Verb
from siegel.ledger.notes import parse_note
from siegel.service.consents.book import (
    MS_PER_S,
    digest,
    find_consent,
    find_keys,
    keys_of,
    put_consent,
    request_of,
    scan_consents,
    signatures_of,
    stepped,
    summary_of,
)
from siegel.service.consents.trust import policy_of, require_keys
from siegel.service.trail import Trail

PAGE_MAX: Final = 100


class Decision(StrEnum):
    """What a customer can say; the value is the document's name in a path."""

    APPROVAL = "approval"
    DENIAL = "denial"
    REVOCATION = "revocation"


Shown = dict[str, object]
"""A consent, or several, as they are shown in JSON."""


class Consents:
    """The use cases."""

    def __init__(self, store: MetaStore, clock: Clock) -> None:
        self._store = store
        self._reader = store.reader
        self._clock = clock

    # Keys.

    def keys(self, account_id: str) -> bytes:
        """Return the account's file of consent keys. Raises NoSuchConsentError if it has put none."""
        file = find_keys(self._reader, account_id)
        if file is None:
            raise NoSuchConsentError("The account has put no consent keys.")
        return file.text

    async def put_keys(self, account_id: str, text: bytes, entry: Callable[[bytes], Entry]) -> None:
        """Store the account's keys in place of those before; approvals that these have signed hold no longer.

        `entry` makes the entry, given the digest of the file. Raises InvalidRequestError.
        """
        try:
            parse_consent_keys(text)
        except LedgerFormError as error:
            raise InvalidRequestError(f"The consent keys are not accepted: {error}.") from error
        document = encode_document(ConsentKeyFile(text=text, put_at_ms=self._clock.now_ms()))
        await self._store.write(
            lambda tx: tx.records.put(DEPLOYMENT_SCOPE, Kind.CONSENT_KEYS, account_id, document), entry(digest(text))
        )

    # What there is.

    def list(self, account_id: str, after: str, limit: int = PAGE_MAX) -> Shown:
        """Return a page of the account's consents, beginning behind the id `after`."""
        page = scan_consents(self._reader, account_id, after, min(limit, PAGE_MAX))
        is_full = len(page) == min(limit, PAGE_MAX)
        return {"consents": [self._summary(consent) for consent in page], "next": page[-1].consent_id if is_full else ""}

    def show(self, account_id: str, consent_id: str) -> Shown:
        """Return all of a consent but its evidence. Raises NoSuchConsentError."""
        consent = find_consent(self._reader, account_id, consent_id)
        keys = keys_of(self._reader, account_id)
        return {
            **self._summary(consent),
            "request": consent.request,
            "approval": _told(consent.approval),
            "denial": _told(consent.denial),
            "revocation": _told(consent.revocation),
            "report": consent.report or None,
            "has_evidence": bool(consent.evidence),
            "signed": signatures_of(consent, keys),
            "threshold": keys.threshold if keys else 0,
            "uses": consent.uses,
            "reads": consent.reads,
        }

    def document(self, account_id: str, consent_id: str, name: str) -> bytes:
        """Return a document of a consent by its name. Raises NoSuchConsentError."""
        found = documents_of(find_consent(self._reader, account_id, consent_id)).get(name, b"")
        if not found:
            raise NoSuchConsentError
        return found

    def _summary(self, consent: Consent) -> Shown:
        return summary_of(consent, self._clock.now_ms())

    # What is said.

    async def decide(self, account_id: str, consent_id: str, decision: str, body: bytes, trail: Trail) -> Shown:
        """Take an approval, a denial or a revocation, and return how the consent stands then.

        A denial or a revocation may be empty: then the right to send it is all that stands behind it. An approval is a note that
        the customer's keys have signed; one with fewer signatures than are needed is kept until the others come.

        Raises NoSuchConsentError, InvalidConsentStateError (too late, too early), InvalidRequestError; AccessDeniedError for what
        is of another request, or what the keys have not signed.
        """
        consent = find_consent(self._reader, account_id, consent_id)
        trail.consent_id = consent.consent_id
        trail.kind = _KINDS[Decision(decision)]
        try:
            if decision == Decision.APPROVAL:
                await self._approve(consent, body, trail)
            else:
                await self._refuse(consent, Verb(decision), body, trail)
        except LedgerFormError as error:
            raise InvalidRequestError(f"The {decision} is not accepted: {error}.") from error
        except LedgerError as error:
            raise AccessDeniedError(f"The {decision} is not accepted: {error}.") from error
        return self.show(account_id, consent_id)

    async def _approve(self, consent: Consent, body: bytes, trail: Trail) -> None:
        keys = require_keys(self._reader, consent.account_id)
        policy_of(self._reader, consent.account_id)
        approval, _ = keys.read_approval(body)
        if approval.request.text != consent.request:
            raise UnsignedError("it is of another request than this one")

        def change(tx: Writer) -> Consent:
            now_ms = self._clock.now_ms()
            current = find_consent(tx, consent.account_id, consent.consent_id)
            approved = stepped(current, Step.APPROVE, now_ms)
            note = _merged(current.approval, body, keys)
            if len(keys.signers(parse_note(note))) < keys.threshold:
                return put_consent(tx, replace(current, approval=note, changed_at_ms=now_ms))
            log = tx.ledgers.find(consent.account_id)
            searched_from = 0 if log is None else log.size
            return put_consent(tx, replace(approved, approval=note, approved_by=trail.request_id, searched_from=searched_from))

        def entry(after: Consent) -> Entry:
            trail.kind = _KINDS[Decision.APPROVAL] if after.approved_by else _SIGNED
            return trail.entry(200, manifest=approval.digest)

        reach("consent.before_approval")
        await self._store.write(change, entry)
        reach("consent.after_approval")

    async def _refuse(self, consent: Consent, verb: Verb, body: bytes, trail: Trail) -> None:
        request = request_of(consent)
        if body:
            refusal = require_keys(self._reader, consent.account_id).open_refusal(verb, body)
            if (refusal.consent_id, refusal.origin) != (consent.consent_id, request.origin):
                raise UnsignedError(f"it is the {verb} of another consent")
            text = refusal.text
        else:
            at_s = trail.at_ms // MS_PER_S
            text = Refusal(verb=verb, consent_id=consent.consent_id, origin=request.origin, at_s=at_s).text
            body = text.encode()
        step = Step.DENY if verb is Verb.DENIAL else Step.REVOKE

        def change(tx: Writer) -> Consent:
            current = find_consent(tx, consent.account_id, consent.consent_id)
            after = stepped(current, step, self._clock.now_ms())
            return put_consent(tx, replace(after, **{verb.value: body}))

        reach("consent.before_refusal")
        await self._store.write(change, lambda _: trail.entry(200, manifest=digest(text)))
        reach("consent.after_refusal")


_KINDS: Final = {
    Decision.APPROVAL: "consent.approve",
    Decision.DENIAL: "consent.deny",
    Decision.REVOCATION: "consent.revoke",
}
_SIGNED: Final = "consent.sign"


def documents_of(consent: Consent) -> dict[str, bytes]:
    """Return the documents of a consent by their names; what is not there yet is empty."""
    return {
        "request": consent.request.encode(),
        "approval": consent.approval,
        "evidence": consent.evidence,
        "earlier": b"".join(consent.earlier_evidence),
        "denial": consent.denial,
        "revocation": consent.revocation,
        "report": consent.report.encode(),
    }


def _told(document: bytes) -> str | None:
    return document.decode() or None


def _merged(known: bytes, note: bytes, keys: ConsentKeys) -> bytes:
    """Return a note with the signatures that an earlier one of the same text has, as far as they are the customer's.

    One of another text takes the place of what was signed before, which had too few signatures to count.
    """
    fresh = parse_note(note)
    earlier = parse_note(known).signatures if known and parse_note(known).text == fresh.text else ()
    ours = {(key.name, key.key_id) for key in keys.keys}
    lines = {(line.name, line.key_id): line for line in (*earlier, *fresh.signatures) if (line.name, line.key_id) in ours}
    return replace(fresh, signatures=tuple(lines.values())).encode()
