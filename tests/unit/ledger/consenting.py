"""A request, an approval, the customer's keys, and the evidence that a log with a witness makes of them, for tests."""

from msgspec.structs import replace
from tests.unit.ledger.log import ORIGIN, Log, policy_text, signer, witness_key

from siegel.ledger.consent_evidence import APPROVED, Evidence
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.consent_scope import Scope
from siegel.ledger.consents import AccessRequest, Action, Approval, Cause
from siegel.ledger.keys import Algorithm
from siegel.ledger.leaves import (
    Facts,
    Leaf,
    Opening,
    commit_content,
    commit_name,
    commit_person,
    encode_leaf,
    encode_opening,
)
from siegel.ledger.notes import SignedNote
from siegel.ledger.policies import read_policy

AT_S = 1_800_000_000
WITNESS = witness_key()
POLICY = read_policy(policy_text(witnesses=[WITNESS]))
SIGNERS = [signer(f"customer{number}.example", Algorithm.ED25519, number) for number in range(3)]
KEYS = ConsentKeys(2, tuple(one.verifier for one in SIGNERS))

REQUEST = AccessRequest(
    consent_id="6b49d20000c0ffee",
    origin=ORIGIN,
    account_id="111122223333",
    requested_at_s=AT_S,
    answer_by_s=AT_S + 14_400,
    not_before_s=AT_S,
    expires_s=AT_S + 28_800,
    cause=Cause.CUSTOMER_SUPPORT,
    ticket="T-4711",
    reason="The recording does not play",
    person="jane.doe@provider.example",
    employer="Provider GmbH",
    office_country="DE",
    physical_country="FR",
    actions=(Action.LIST, Action.READ),
    scope=(Scope("film", "case 7/video.mp4"), Scope("film", "täglich/", is_prefix=True)),
    max_reads=3,
    copies="log lines with sizes",
    copies_until_s=AT_S + 86_400,
)
APPROVAL = Approval(request=REQUEST, decided_at_s=AT_S + 60, threshold=2, expires_s=REQUEST.expires_s, scope=REQUEST.scope)


def approval_note(approval=APPROVAL, signers=SIGNERS[:2]):
    return note_of(approval.text, signers)


def note_of(text, signers):
    return SignedNote(text, tuple(one.sign_text(text) for one in signers)).encode()


def approval_entry(approval=APPROVAL, **changes):
    """Return the entry of an approval, and its opening."""
    opening = Opening(bytes(range(32)), "arn:aws:iam::111122223333:root", "192.0.2.1", "", "", "consents/approval")
    facts = Facts(
        (AT_S + 61) * 1000,
        APPROVED,
        204,
        commit_person(opening),
        commit_name(opening),
        content=commit_content(opening, approval.digest),
        consent_id=approval.request.consent_id,
    )
    return encode_leaf(Leaf((AT_S + 61) * 1000 + 5, "00000000000000AA", replace(facts, **changes))), encode_opening(opening)


def evidence(approval=APPROVAL, *, note=None, witnesses=(WITNESS,), opening=None, log_keys=None, **changes):
    """Return the evidence of an approval in a log of three entries; `changes` are of its entry."""
    entry, its_opening = approval_entry(approval, **changes)
    log = Log([b"before", entry, b"after"], log_keys)
    proof = log.proof_file(1, entry, witnesses=witnesses, at_s=AT_S + 63)
    return Evidence(
        approval_note(approval) if note is None else note, its_opening if opening is None else opening, proof
    ).encode()
