"""The check of each use of a consent, on every worker: is it live, and does it permit this?

The rows of the database are read anew at each use and before each piece of a body, so revocation and expiry bind at once. Nobody
believes them: what a consent permits stands in its evidence, which this process has verified, signatures, entry and quorum.
What is verified is remembered by the bytes of the evidence and of the keys and the policy it was verified with.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from hashlib import sha256
from typing import Final, TypeVar

from msgspec.structs import replace

from siegel.access.consent import READ, Bounds, Use, refusal_of
from siegel.domain.consents import Consent, ConsentState, NoSuchConsentError, support_arn
from siegel.domain.errors import AccessDeniedError, SealBrokenError
from siegel.domain.faultpoints import reach
from siegel.domain.ledgers import LedgerError, ProofError
from siegel.domain.ports import Clock, KeyCustodian, MetaStore, Reader, Writer
from siegel.ledger.consent_evidence import Proven
from siegel.service.consents.book import MS_PER_S, find_consent, find_keys, put_consent
from siegel.service.consents.trust import policy_of, require_keys, under_own_log, verify_here
from siegel.service.ledgers.policies import find_policy
from siegel.service.trail import Trail

REMEMBERED_MAX: Final = 100

P = TypeVar("P")


class LiveConsents:
    """Checks uses of consents; one per process."""

    def __init__(self, store: MetaStore, custodian: KeyCustodian, clock: Clock) -> None:
        self._store = store
        self._reader = store.reader
        self._custodian = custodian
        self._clock = clock
        self._proven: dict[bytes, Proven] = {}

    async def admit(self, trail: Trail, use: Use) -> None:
        """Return if the consent of the trail's caller permits a use, which counts from now on.

        Raises AccessDeniedError, which says why not; StorageError.
        """
        caller = trail.caller
        trail.consent_id = caller.consent_id
        proven = self._require(self._reader, caller.account_id, caller.consent_id, caller.arn)
        reason = refusal_of(_bounds(proven), use, self._clock.now_ms())
        if reason:
            raise _denied(caller.consent_id, reason)
        reach("consent.before_use")
        await self._store.write(lambda tx: self._count(tx, caller.account_id, caller.consent_id, proven, use), None)
        reach("consent.after_use")
        request = proven.approval.request
        trail.consent = {
            "consentId": request.consent_id,
            "consentPerson": request.person,
            "consentCause": request.cause,
            "consentTicket": request.ticket,
            "consentAction": use.action,
        }

    async def watch(self, trail: Trail, pieces: AsyncIterator[P]) -> AsyncGenerator[P, None]:
        """Yield a body's pieces for as long as the consent of the trail's caller is live. Raises AccessDeniedError."""
        caller = trail.caller
        # Before a piece is opened, since a key server may be asked for it, and again before it leaves.
        self.require(caller.account_id, caller.consent_id, caller.arn)
        while (piece := await anext(pieces, None)) is not None:
            self.require(caller.account_id, caller.consent_id, caller.arn)
            yield piece
            self.require(caller.account_id, caller.consent_id, caller.arn)

    def require(self, account_id: str, consent_id: str, arn: str) -> Proven:
        """Return the proven approval of a consent that is live now, and `arn`'s. Raises AccessDeniedError, StorageError."""
        proven = self._require(self._reader, account_id, consent_id, arn)
        bounds, now_ms = _bounds(proven), self._clock.now_ms()
        if not bounds.not_before_ms <= now_ms < bounds.expires_ms:
            raise _denied(consent_id, "has expired" if now_ms >= bounds.expires_ms else "is not valid yet")
        return proven

    def _require(self, reader: Reader, account_id: str, consent_id: str, arn: str) -> Proven:
        try:
            consent = find_consent(reader, account_id, consent_id)
        except NoSuchConsentError:
            raise _denied(consent_id, "is not known") from None
        if consent.state is not ConsentState.ACTIVE or consent.revocation:
            raise _denied(consent_id, f"is {ConsentState.REVOKED if consent.revocation else consent.state}, not active")
        try:
            proven = self._prove(consent)
        except (LedgerError, SealBrokenError) as error:
            raise _denied(consent_id, f"is not proven: {error}") from error
        request = proven.approval.request
        if (request.consent_id, request.account_id) != (consent_id, account_id):
            raise _denied(consent_id, "is not proven: its evidence is of another consent")
        if arn != support_arn(consent_id, request.person):
            raise _denied(consent_id, "is another person's")
        return proven

    def _prove(self, consent: Consent) -> Proven:
        """Return what the evidence proves, verified once for each of its bytes. Raises LedgerError, SealBrokenError."""
        reader, account_id = self._reader, consent.account_id
        keys_file, policy_file = find_keys(reader, account_id), find_policy(reader, account_id)
        parts = (consent.evidence, keys_file.text if keys_file else b"", policy_file.text if policy_file else b"")
        name = b"".join(sha256(part).digest() for part in parts)
        known = self._proven.get(name)
        if known is not None:
            return known
        log = reader.ledgers.find(account_id)
        if log is None:
            raise ProofError("the account has no log")
        policy = under_own_log(policy_of(reader, account_id), self._custodian, log)
        proven = verify_here(consent.evidence, require_keys(reader, account_id), policy, reader.ledgers, log)
        if len(self._proven) >= REMEMBERED_MAX:
            self._proven.clear()
        self._proven[name] = proven
        return proven

    @staticmethod
    def _count(tx: Writer, account_id: str, consent_id: str, proven: Proven, use: Use) -> None:
        """Count a use. Raises AccessDeniedError if the consent ended meanwhile, or if it was read as often as it may be."""
        consent = find_consent(tx, account_id, consent_id)
        if consent.state is not ConsentState.ACTIVE or consent.revocation:
            raise _denied(consent_id, f"is {consent.state}, not active")
        is_read, reads_max = use.action == READ, proven.approval.request.max_reads
        if is_read and reads_max and consent.reads >= reads_max:
            raise _denied(consent_id, f"permits {reads_max} reads, and they are used up")
        put_consent(tx, replace(consent, uses=consent.uses + 1, reads=consent.reads + is_read))


def _bounds(proven: Proven) -> Bounds:
    approval = proven.approval
    request = approval.request
    actions = frozenset(action.value for action in request.actions)
    not_before_ms, expires_ms = request.not_before_s * MS_PER_S, approval.expires_s * MS_PER_S
    return Bounds(request.account_id, actions, approval.scope, not_before_ms, expires_ms)


def _denied(consent_id: str, reason: str) -> AccessDeniedError:
    return AccessDeniedError(f"The consent {consent_id} {reason}.")
