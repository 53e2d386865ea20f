"""What the customer says to a request, as he signs it: all of it or less, or no. Pure, but for the keys that sign.

A request is read strictly before it is shown, so that what is signed is what was shown (`siegel.ledger.consents`).
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from siegel.domain.errors import SiegelError
from siegel.domain.ledgers import LedgerError
from siegel.domain.moments import encode_time
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.consent_lines import check_value
from siegel.ledger.consent_scope import Scope
from siegel.ledger.consents import AccessRequest, Approval, Refusal, Verb
from siegel.ledger.keys import VerifierKey
from siegel.ledger.notes import NoteSignature, SignedNote
from siegel.ledger.policies import Policy


class ConsentError(SiegelError):
    """The customer's answer cannot be given like this, or was not taken."""


class Signer(Protocol):
    """A key of the customer's: in a file (`SignerKey`) or in a token (`TokenKey`)."""

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""

    def sign_text(self, text: str) -> NoteSignature:
        """Return the signature line below the text of a note."""


def check_own(request: AccessRequest, account_id: str, policy: Policy) -> None:
    """Raise ConsentError unless a request is about this account, and its log is the one that the customer trusts."""
    if request.account_id != account_id:
        raise ConsentError(f"the request is about the account {request.account_id}, and not {account_id}: do not sign it")
    if request.origin not in {line.verifier.name for line in policy.logs}:
        raise ConsentError(f"the request names the log {request.origin}, which your policy does not: do not sign it")


def grant(
    request: AccessRequest, keys: ConsentKeys, now_s: int, *, until_s: int | None = None, scope: Sequence[Scope] = ()
) -> Approval:
    """Return the approval of a request, or of less of it: until an earlier end, for fewer objects.

    Raises ConsentError: too late, longer or for more than was asked for.
    """
    approval = Approval(
        request=request,
        # The two clocks may differ, and nothing is decided on before it was asked.
        decided_at_s=max(now_s, request.requested_at_s),
        threshold=keys.threshold,
        expires_s=request.expires_s if until_s is None else until_s,
        scope=tuple(scope) or request.scope,
    )
    if now_s >= request.answer_by_s:
        raise ConsentError(f"the request had to be answered by {encode_time(request.answer_by_s)}: it has lapsed")
    if now_s >= approval.expires_s:
        raise ConsentError(f"it would end at {encode_time(approval.expires_s)}, which is past")
    try:
        approval.check()
    except LedgerError as error:
        raise ConsentError(f"this cannot be granted: {error}") from None
    return approval


def refuse(verb: Verb, request: AccessRequest, now_s: int, reason: str = "") -> Refusal:
    """Return the denial of a request, or the revocation of its approval. Raises ConsentError: the reason fits on no line."""
    if reason:
        try:
            check_value("reason", reason)
        except LedgerError as error:
            raise ConsentError(str(error)) from None
    return Refusal(verb=verb, consent_id=request.consent_id, origin=request.origin, at_s=now_s, reason=reason)


def check_signers(signers: Collection[Signer], keys: ConsentKeys) -> None:
    """Raise ConsentError for nobody, and for a key that is none of the customer's."""
    if not signers:
        raise ConsentError("say who signs\ntry: --key KEY-FILE, or --token-key NAME with a PKCS#11 token")
    for signer in signers:
        if signer.verifier not in keys.keys:
            raise ConsentError(
                f"the key of {signer.verifier.name} is none of the consent keys\ntry: siegel consent keys show DIR"
            )


def sign(text: str, signers: Collection[Signer], before: SignedNote | None = None) -> SignedNote:
    """Return the note of a text, signed by all of `signers`; `before` has the signatures of others below the same text."""
    return (before or SignedNote(text, ())).with_signatures(*[signer.sign_text(text) for signer in signers])
