"""An approval holds if enough of the customer's keys have signed it and its entry is under a quorum: each other one falls."""

import pytest
from msgspec.structs import replace
from tests.unit.ledger.consenting import (
    APPROVAL,
    AT_S,
    KEYS,
    POLICY,
    REQUEST,
    SIGNERS,
    WITNESS,
    approval_entry,
    approval_note,
    evidence,
    note_of,
)
from tests.unit.ledger.log import ORIGIN, log_keys, policy_text, signer, witness_key

from siegel.domain.ledgers import LedgerError, LedgerFormError, ProofError, UnsignedError
from siegel.ledger.consent_evidence import (
    Evidence,
    parse_evidence,
    recorded_at,
    split_evidence,
    verify_by_any,
    verify_evidence,
)
from siegel.ledger.consent_keys import ConsentKeys, parse_consent_keys
from siegel.ledger.consents import Refusal, Verb
from siegel.ledger.keys import Algorithm, VerifierKey
from siegel.ledger.notes import NoteSignature, parse_note
from siegel.ledger.policies import read_policy

OTHER = replace(APPROVAL, request=replace(REQUEST, consent_id="0000000000000001"))


def test_evidence_that_holds():
    proven = verify_evidence(evidence(), KEYS, POLICY)
    assert proven.approval == APPROVAL
    assert (proven.index, proven.witnessed_at_s) == (1, AT_S + 63)
    assert proven.entry.facts.consent_id == REQUEST.consent_id


def test_evidence_holds_by_any_of_the_keys_and_policies_that_counted():
    later = read_policy(policy_text(log=log_keys(number=1), witnesses=[WITNESS]))
    others = ConsentKeys(1, (SIGNERS[2].verifier,))
    assert verify_by_any(evidence(), [others, KEYS], [later, POLICY]).approval == APPROVAL
    assert verify_by_any(evidence(log_keys=log_keys(number=1)), [KEYS], [later, POLICY]).approval == APPROVAL
    with pytest.raises(UnsignedError, match="no trusted key of the log"):
        verify_by_any(evidence(witnesses=()), [KEYS], [later, POLICY])
    with pytest.raises(UnsignedError, match="quorum"):
        verify_by_any(evidence(witnesses=()), [KEYS], [POLICY, later])
    with pytest.raises(LedgerFormError, match="nobody's word"):
        verify_by_any(evidence(), [], [POLICY])
    assert recorded_at(evidence()) == AT_S + 61
    with pytest.raises(LedgerError):
        recorded_at(b"nonsense")


def test_several_files_stand_one_behind_the_other():
    one, other = evidence(), evidence(replace(APPROVAL, decided_at_s=AT_S + 1))
    assert split_evidence(b"") == []
    assert split_evidence(one) == [one]
    assert split_evidence(one + other + one) == [one, other, one]
    assert split_evidence(b"junk\n" + one) == [b"junk\n", one]


def test_a_third_signature_and_those_of_strangers_do_no_harm():
    note = approval_note(signers=[signer("stranger.example", Algorithm.ED25519, 9), *SIGNERS])
    assert verify_evidence(evidence(note=note), KEYS, POLICY).approval == APPROVAL


BAD_LINE = parse_note(approval_note()).with_signatures(NoteSignature(SIGNERS[0].name, SIGNERS[0].verifier.key_id, bytes(64)))


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (b"", LedgerFormError, "consent evidence v1"),
        ("siegel consent evidence v1\nä".encode(), LedgerFormError, "ASCII"),
        (evidence() + b"more: AA==\n", LedgerFormError, "too many"),
        (evidence().replace(b"opening: ", b"opening: !"), LedgerFormError, "base64"),
        (evidence(note=approval_note(signers=SIGNERS[:1])), UnsignedError, "1 of the customer's keys"),
        (evidence(note=approval_note(signers=[SIGNERS[0], SIGNERS[0]])), UnsignedError, "1 of the customer's keys"),
        (evidence(note=approval_note(signers=[signer("x", Algorithm.ED25519)])), UnsignedError, "none of the customer's"),
        (evidence(note=BAD_LINE.encode()), UnsignedError, "does not fit"),
        (evidence(note=approval_note().replace(b"T-4711", b"T-4712")), UnsignedError, "does not fit"),
        (evidence(note=approval_note(OTHER)), ProofError, "not that of this consent's"),
        (evidence(replace(APPROVAL, threshold=1)), UnsignedError, "a threshold of 1"),
        (evidence(note=approval_note(replace(APPROVAL, decided_at_s=AT_S + 61))), ProofError, "another approval"),
        (evidence(witnesses=()), UnsignedError, "lacks the quorum"),
        (evidence(witnesses=[witness_key(1)]), UnsignedError, "lacks the quorum"),
        (evidence(log_keys=log_keys(number=3)), UnsignedError, "no trusted key of the log"),
        (evidence(kind="consent.sign"), ProofError, "not that of this consent's"),
        (evidence(status=403), ProofError, "not that of this consent's"),
        (evidence(consent_id="0000000000000001"), ProofError, "not that of this consent's"),
        (evidence(content=b""), ProofError, "another approval"),
        (evidence(opening=b""), LedgerFormError, "lacks its line|has no value"),
        (evidence(opening=approval_entry()[1].replace(b"root", b"tour")), ProofError, "another person"),
        (evidence(asked_at_ms=REQUEST.answer_by_s * 1000), ProofError, "had lapsed"),
        (evidence(replace(APPROVAL, request=replace(REQUEST, origin="other.example/log"))), ProofError, "log of another account"),
    ],
)
def test_evidence_that_falls(data, error, why):
    with pytest.raises(error, match=why):
        verify_evidence(data, KEYS, POLICY)


def test_evidence_with_another_proof():
    good, other = parse_evidence(evidence()), parse_evidence(evidence(asked_at_ms=AT_S * 1000))
    entry = good.proof.partition(b"\n")[2].partition(b"\n")[0]
    mixed = other.proof.replace(other.proof.partition(b"\n")[2].partition(b"\n")[0], entry)
    with pytest.raises(ProofError):
        verify_evidence(Evidence(good.approval, good.opening, mixed).encode(), KEYS, POLICY)


def test_an_erased_opening_proves_nothing(monkeypatch):
    monkeypatch.setattr("siegel.ledger.consent_evidence.decode_opening", lambda _: None)
    with pytest.raises(LedgerFormError, match="opening of the approval's entry"):
        verify_evidence(evidence(), KEYS, POLICY)


def test_a_policy_without_witnesses_proves_nothing():
    with pytest.raises(UnsignedError, match="a consent needs a quorum"):
        verify_evidence(evidence(), KEYS, read_policy(policy_text()))


def test_every_cut_is_found():
    data = evidence()
    for end in range(0, len(data), 97):
        with pytest.raises(LedgerError):
            verify_evidence(data[:end], KEYS, POLICY)


def test_keys_are_read_as_they_were_written():
    assert parse_consent_keys(KEYS.encode()) == KEYS
    assert parse_consent_keys(KEYS.encode()).encode() == KEYS.encode()


LINES = KEYS.encode().splitlines(keepends=True)
SAME_KEY = VerifierKey("again.example", Algorithm.ED25519, KEYS.keys[0].public_key)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "a line `threshold K`"),
        (b"\xff", "UTF-8"),
        (b"threshold 1\n", "1 to 16 consent keys"),
        (b"threshold 1", "a line `threshold K`"),
        (KEYS.encode()[:-1], "a line `threshold K`"),
        (KEYS.encode().replace(b"threshold 2", b"threshold 0"), "1 to 16 consent keys"),
        (KEYS.encode().replace(b"threshold 2", b"threshold 4"), "1 to 16 consent keys"),
        (KEYS.encode().replace(b"threshold 2", b"threshold two"), "nine decimal digits"),
        (b"".join([*LINES, LINES[1]]), "twice"),
        (b"".join(LINES) + f"key {SAME_KEY}\n".encode(), "twice"),
        (b"".join(LINES) + b"# no\n", "each line"),
        (b"".join(LINES) + f"key {witness_key().verifier}\n".encode(), "Ed25519 keys of notes"),
        (b"".join(LINES) + b"key nonsense\n", "another kind|no base64"),
        (b"threshold 1\n" + b"key x\n" * 50_000, "a line `threshold K`"),
    ],
)
def test_bad_files_of_keys(data, why):
    with pytest.raises(LedgerFormError, match=why):
        parse_consent_keys(data)


@pytest.mark.parametrize("verb", list(Verb))
def test_one_key_is_enough_to_say_no(verb):
    refusal = Refusal(verb=verb, consent_id=REQUEST.consent_id, origin=ORIGIN, at_s=AT_S)
    assert KEYS.open_refusal(verb, note_of(refusal.text, SIGNERS[2:])) == refusal
    with pytest.raises(UnsignedError, match=f"has signed the {verb}"):
        KEYS.open_refusal(verb, note_of(refusal.text, [WITNESS_AS_SIGNER]))


WITNESS_AS_SIGNER = signer("stranger.example", Algorithm.ED25519, 9)


def test_only_ed25519_keys_of_notes_sign_texts():
    with pytest.raises(LedgerFormError):
        WITNESS.sign_text("text\n")
    line = SIGNERS[0].sign_text("text\n")
    with pytest.raises(UnsignedError):
        WITNESS.verifier.check_text(line, "text\n")
    weak = VerifierKey("weak.example", Algorithm.ED25519, bytes([1, *bytes(31)]))
    with pytest.raises(UnsignedError):
        ConsentKeys(1, (weak,)).signers(
            parse_note(
                note_of("text\n", [SIGNERS[0]]).replace(
                    line.line.encode(), NoteSignature(weak.name, weak.key_id, bytes(64)).line.encode()
                )
            )
        )
