"""The evidence of a consent: all that is needed to check offline that an approval holds, in one text.

    siegel consent evidence v1
    approval: BASE64     the note that the customer has signed
    opening: BASE64      the opening of its entry
    proof: BASE64        the proof file of the entry, with the entry as its `extra`

Several of them may stand one behind the other in one document.

An approval holds if as many of the customer's keys have signed it as are needed, and if its entry is in the log of the account,
under a checkpoint with a quorum of the witnesses that the customer trusts: so it was public before it was used.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerError, LedgerFormError, ProofError, UnsignedError
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.consent_lines import Lines, encode_lines
from siegel.ledger.consents import Approval
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.leaves import Leaf, check_opening, commit_content, decode_leaf, decode_opening
from siegel.ledger.notes import decode_base64
from siegel.ledger.policies import Policy
from siegel.ledger.proof_files import parse_proof_file

APPROVED: Final = "consent.approve"
"""The kind of the entry by which an approval has all its signatures."""

EARLIER_MAX: Final = 7
"""So many files of evidence are kept of a consent beside the one of now: the oldest ones."""

_FIRST: Final = "siegel consent evidence v1"
_OK: Final = range(200, 300)
_MS_PER_S: Final = 1000


class Evidence(Struct, frozen=True):
    """The evidence, not checked. `approval` is the note, `opening` the stored form, `proof` a proof file with its entry."""

    approval: bytes
    opening: bytes
    proof: bytes

    def encode(self) -> bytes:
        """Return the file's bytes."""
        parts = (("approval", self.approval), ("opening", self.opening), ("proof", self.proof))
        return encode_lines(_FIRST, [(name, b64encode(part).decode()) for name, part in parts]).encode()


class Proven(Struct, frozen=True):
    """An approval that holds. `index` is its entry's place in the log, `witnessed_at_s` when the quorum saw it."""

    approval: Approval
    index: int
    entry: Leaf
    witnessed_at_s: int


def parse_evidence(data: bytes) -> Evidence:
    """Return the evidence in a file, not checked. Raises LedgerFormError."""
    try:
        lines = Lines(data.decode("ascii"), _FIRST)
    except UnicodeDecodeError:
        raise LedgerFormError("the evidence of a consent is ASCII") from None
    evidence = Evidence(*(decode_base64(lines.one(name)) for name in ("approval", "opening", "proof")))
    lines.end()
    return evidence


def split_evidence(data: bytes) -> list[bytes]:
    """Return the files of evidence in a document, not checked: what stands before the first is one that does not hold."""
    first = f"{_FIRST}\n".encode()
    before, *files = data.split(first)
    return [*([before] if before else []), *(first + each for each in files)]


def recorded_at(data: bytes) -> int:
    """Return when the entry of the approval in a file of evidence was recorded, in seconds since 1970. Raises LedgerFormError.

    That says which keys the approval has to be signed with, where these have changed. When it was decided, it says itself: a
    thief of a key that was given up would choose a day on which that counted. A ledger that dates back an entry is found out.
    """
    return decode_leaf(parse_proof_file(parse_evidence(data).proof).extra).recorded_at_ms // _MS_PER_S


def verify_evidence(data: bytes, keys: ConsentKeys, policy: Policy) -> Proven:
    """Return the approval in a file of evidence, if it holds; its times are for the caller to look at.

    Raises LedgerFormError, ProofError, UnsignedError: the file is cut or changed; signatures, entry, inclusion or quorum are
    missing; the entry is another one's, or came after the time for the answer. A policy that demands no witness proves nothing.
    """
    if policy.is_quorum(()):
        raise UnsignedError("a consent needs a quorum: the policy demands no witness")
    evidence = parse_evidence(data)
    approval = keys.open_approval(evidence.approval)
    proof = parse_proof_file(evidence.proof)
    judgement = proof.check(leaf_hash(proof.extra), policy)
    if judgement.checkpoint.origin != approval.request.origin:
        raise ProofError("the approval is for the log of another account than the proof")
    entry = decode_leaf(proof.extra)
    _check_entry(entry, evidence.opening, approval)
    return Proven(approval, proof.index, entry, max(judgement.witnessed.values()))


def verify_by_any(data: bytes, keys: Sequence[ConsentKeys], policies: Iterable[Policy]) -> Proven:
    """Return what `verify_evidence` says by the first of these keys and policies by which the evidence holds.

    Policies are several where the log's keys were handed over: what was signed before stays under the old ones. Raises
    LedgerError, that of the first of them.
    """
    problem: LedgerError | None = None
    for policy in policies:
        for each in keys:
            try:
                return verify_evidence(data, each, policy)
            except LedgerError as error:
                problem = problem or error
    raise problem or LedgerFormError("nobody's word is believed")


def _check_entry(entry: Leaf, opening_bytes: bytes, approval: Approval) -> None:
    facts = entry.facts
    if facts.kind != APPROVED or facts.status not in _OK or facts.consent_id != approval.request.consent_id:
        raise ProofError("the entry is not that of this consent's approval")
    opening = decode_opening(opening_bytes)
    if opening is None:
        raise LedgerFormError("the opening of the approval's entry is empty")
    check_opening(entry, opening)
    if commit_content(opening, approval.digest) != facts.content:
        raise ProofError("the entry is about another approval than this one")
    if not facts.asked_at_ms < approval.request.answer_by_s * _MS_PER_S:
        raise ProofError("the approval came after the time for the answer: the request had lapsed")
