"""The operators' side: to ask for access, to see how it stands, to get credentials once there is a consent, to report.

Nothing here shows more of a customer than the customer or the operator himself has written into the documents of a consent.
What is refused is written down by the admin port.
"""

from typing import Final

from msgspec.structs import replace

from siegel.access.consent import Step
from siegel.domain.consents import AccessWanted, Consent, Operator, support_arn
from siegel.domain.entry import Entry
from siegel.domain.errors import AccessDeniedError, InvalidRequestError
from siegel.domain.faultpoints import reach
from siegel.domain.ledgers import LedgerFormError
from siegel.domain.limits import CONSENTS_OPEN_MAX
from siegel.domain.ports import Clock, Journal, MetaStore, Randomness, Writer
from siegel.domain.sessions import Session, SessionOf
from siegel.ledger.consent_lines import parse_time
from siegel.ledger.consent_scope import parse_scope
from siegel.ledger.consents import (
    ANSWER_S_DEFAULT,
    LASTS_S_DEFAULT,
    AccessRequest,
    Action,
    Report,
    parse_action,
    parse_cause,
    parse_report,
)
from siegel.service.consents.book import (
    MS_PER_S,
    count_open,
    digest,
    find_anywhere,
    find_consent,
    insert_consent,
    own_entry,
    put_consent,
    request_of,
    scan_all,
    stepped,
    summary_of,
)
from siegel.service.consents.live import LiveConsents
from siegel.service.session_tokens import Issued, SessionTokens

PAGE_MAX: Final = 100
# Credentials outlive their consent by so much: what is asked with them then is refused by the consent, and written down as such.
AFTERLIFE_S: Final = 3600
_ID_RANDOM_BYTES: Final = 4
_ID_TIME_DIGITS: Final = 8


class Support:
    """The use cases."""

    def __init__(
        self,
        store: MetaStore,
        journal: Journal,
        tokens: SessionTokens,
        live: LiveConsents,
        *,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._reader = store.reader
        self._journal = journal
        self._tokens = tokens
        self._live = live
        self._clock = clock
        self._randomness = randomness

    async def request(self, wanted: AccessWanted, operator: Operator) -> dict[str, object]:
        """Ask an account for access; return how the request stands. Raises InvalidRequestError."""
        now_ms = self._clock.now_ms()
        log = self._reader.ledgers.find(wanted.account)
        if log is None or self._reader.identities.find_account(wanted.account) is None:
            raise InvalidRequestError("There is no such account, or nothing was ever asked of it.")
        asked = self._request(wanted, log.origin, now_ms // MS_PER_S)
        consent = Consent(
            consent_id=asked.consent_id,
            account_id=wanted.account,
            request=asked.text,
            asked_by=operator.principal,
            asked_at_ms=now_ms,
            changed_at_ms=now_ms,
        )

        def change(tx: Writer) -> Consent:
            if count_open(tx, wanted.account, CONSENTS_OPEN_MAX) >= CONSENTS_OPEN_MAX:
                raise InvalidRequestError(f"The account has {CONSENTS_OPEN_MAX} requests waiting or in use: close some first.")
            return insert_consent(tx, consent)

        reach("consent.before_request")
        await self._store.write(change, self._entry(consent, "consent.request", operator, manifest=digest(asked.text)))
        reach("consent.after_request")
        return self._shown(consent)

    def _request(self, wanted: AccessWanted, origin: str, now_s: int) -> AccessRequest:
        number = self._randomness.bytes(_ID_RANDOM_BYTES).hex()
        try:
            not_before_s = parse_time(wanted.not_before) if wanted.not_before else now_s
            actions = {parse_action(text) for text in wanted.actions}
            asked = AccessRequest(
                consent_id=f"{now_s:0{_ID_TIME_DIGITS}x}{number}"[-2 * _ID_TIME_DIGITS :],
                origin=origin,
                account_id=wanted.account,
                requested_at_s=now_s,
                answer_by_s=parse_time(wanted.answer_by) if wanted.answer_by else now_s + ANSWER_S_DEFAULT,
                not_before_s=max(not_before_s, now_s),
                expires_s=parse_time(wanted.until) if wanted.until else not_before_s + LASTS_S_DEFAULT,
                cause=parse_cause(wanted.cause),
                ticket=wanted.ticket,
                reason=wanted.reason,
                person=wanted.person,
                employer=wanted.employer,
                office_country=wanted.office_country or wanted.country,
                physical_country=wanted.country,
                actions=tuple(action for action in Action if action in actions),
                scope=tuple(parse_scope(text) for text in wanted.objects),
                max_reads=wanted.max_reads,
                copies=wanted.copies,
                copies_until_s=parse_time(wanted.copies_until) if wanted.copies_until else 0,
            )
            asked.check()
        except LedgerFormError as error:
            raise InvalidRequestError(f"This cannot be asked for: {error}.") from error
        return asked

    async def list(self, after: str, operator: Operator, kind: str) -> dict[str, object]:
        """Return a page of all requests, beginning behind the place `after`, which the page before has named."""
        page = scan_all(self._reader, after, PAGE_MAX)
        await self._journal.append(operator.entry(kind, self._clock.now_ms()))
        shown = [self._shown(consent) for _, consent in page]
        return {"requests": shown, "next": page[-1][0] if len(page) == PAGE_MAX else ""}

    async def show(self, consent_id: str, operator: Operator, kind: str) -> dict[str, object]:
        """Return how a request stands, with its documents. Raises NoSuchConsentError."""
        consent = find_anywhere(self._reader, consent_id)
        await self._journal.append(self._entry(consent, kind, operator))
        return {**self._shown(consent), "request": consent.request, "approval": consent.approval.decode() or None}

    async def credentials(self, consent_id: str, operator: Operator, kind: str) -> Issued:
        """Return temporary credentials for S3 that are worth what the consent is worth at each use.

        Only the operator who asked gets them. Raises NoSuchConsentError, AccessDeniedError, which says why not.
        """
        consent = find_anywhere(self._reader, consent_id)
        request = request_of(consent)
        if operator.principal != consent.asked_by:
            raise AccessDeniedError("Only the operator who asked for access gets the credentials.")
        proven = self._live.require(consent.account_id, consent.consent_id, support_arn(consent.consent_id, request.person))
        session = Session(
            account_id=consent.account_id,
            session_of=SessionOf.SUPPORT,
            name=consent.consent_id,
            session_name=proven.approval.request.person,
            issued_at_ms=self._clock.now_ms(),
            expires_at_ms=(proven.approval.expires_s + AFTERLIFE_S) * MS_PER_S,
        )
        issued = self._tokens.issue(session)
        await self._journal.append(self._entry(consent, kind, operator))
        return issued

    async def close(self, consent_id: str, summary: str, operator: Operator) -> dict[str, object]:
        """Report at the end, which ends a consent that still is in use.

        Raises NoSuchConsentError, InvalidConsentStateError, InvalidRequestError.
        """
        consent = find_anywhere(self._reader, consent_id)
        origin = request_of(consent).origin
        now_ms = self._clock.now_ms()

        def change(tx: Writer) -> Consent:
            current = find_consent(tx, consent.account_id, consent.consent_id)
            report = Report(
                consent_id=consent_id,
                origin=origin,
                closed_at_s=now_ms // MS_PER_S,
                uses=current.uses,
                summary=summary,
            )
            try:
                parse_report(report.text)
            except LedgerFormError as error:
                raise InvalidRequestError(f"The report is not accepted: {error}.") from error
            closed = stepped(current, Step.CLOSE, now_ms)
            return put_consent(tx, replace(closed, report=report.text))

        def entry(closed: Consent) -> Entry:
            return self._entry(closed, "consent.close", operator, manifest=digest(closed.report))

        return self._shown(await self._store.write(change, entry))

    def _shown(self, consent: Consent) -> dict[str, object]:
        request = request_of(consent)
        return {
            **summary_of(consent, self._clock.now_ms()),
            "actions": list(request.actions),
            "objects": [str(scope) for scope in request.scope],
            "uses": consent.uses,
            "reads": consent.reads,
        }

    def _entry(self, consent: Consent, kind: str, operator: Operator, **more: object) -> Entry:
        return own_entry(
            consent,
            kind,
            self._clock.now_ms(),
            principal=operator.principal,
            request_id=operator.request_id,
            source=operator.source,
            **more,  # type: ignore[arg-type]  # the fields of Entry by their names
        )
