"""Keys change by a statement in the log itself that old and new keys have signed, and that the witnesses have seen."""

import pytest
from tests.unit.ledger.log import ORIGIN, Log, log_keys, policy_text, signer, witness_key

from siegel.domain.ledgers import LedgerError, LedgerFormError, ProofError, UnsignedError
from siegel.ledger.entry_heads import read_entry_head
from siegel.ledger.handover import FIRST_LINE, HandOver, check_hand_over, follow, parse_hand_over
from siegel.ledger.keys import Algorithm
from siegel.ledger.policies import read_policy
from siegel.ledger.proof_files import ProofFile, parse_proof_file

OLD, NEW, WITNESS = log_keys(), log_keys(number=1), witness_key()
POLICY = read_policy(policy_text(witnesses=[WITNESS]))
OTHERS = f"log {signer('other.example/log', Algorithm.ED25519, 7).verifier}\n".encode()


def verifiers(keys):
    return tuple(key.verifier for key in keys)


ENTRY = HandOver(ORIGIN, verifiers(OLD), verifiers(NEW)).encode()


def handed_over(entry=ENTRY, signers=(*OLD, *NEW), witnesses=(WITNESS,), index=2, extra=None):
    log = Log([b"a", b"b"], signers).append([entry])
    return log.proof_file(index, entry if extra is None else extra, witnesses=witnesses)


def test_the_policy_follows_to_the_new_keys():
    policy = check_hand_over(handed_over(), read_policy(OTHERS + policy_text(witnesses=[WITNESS])))
    assert [line.verifier for line in policy.logs[1:]] == list(verifiers(NEW))
    assert policy.logs[0].verifier.name == "other.example/log"
    after = Log([b"a", b"b", ENTRY, b"c"], NEW)
    assert policy.judge(after.checkpoint(witnesses=[WITNESS])).has_quorum
    with pytest.raises(UnsignedError):
        policy.judge(Log([b"a"], OLD).checkpoint(witnesses=[WITNESS]))


def test_who_trusts_one_of_the_old_keys_follows_too():
    policy = read_policy(policy_text(log=OLD[:1], witnesses=[WITNESS]))
    assert len(check_hand_over(handed_over(), policy).logs) == 2


def test_a_chain_of_hand_overs():
    third = log_keys(number=2)
    again = HandOver(ORIGIN, verifiers(NEW), verifiers(third)).encode()
    policy = check_hand_over(handed_over(), POLICY)
    log = Log([b"a", b"b", ENTRY, again], [*NEW, *third])
    policy = check_hand_over(log.proof_file(3, again, witnesses=[WITNESS]), policy)
    assert [line.verifier for line in policy.logs] == list(verifiers(third))


def test_a_policy_is_followed_by_what_it_allows_and_the_rest_is_passed_over():
    third = log_keys(number=2)
    again = HandOver(ORIGIN, verifiers(NEW), verifiers(third)).encode()
    second = Log([b"a", b"b", ENTRY, again], [*NEW, *third]).proof_file(3, again, witnesses=[WITNESS])
    policies = follow(POLICY, [second, b"nonsense", handed_over(), handed_over(), second])
    assert [[line.verifier for line in policy.logs] for policy in policies] == [
        list(verifiers(keys)) for keys in (OLD, NEW, third)
    ]
    assert follow(POLICY, []) == (POLICY,)


OTHER = log_keys("other.example/log", 5)


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (handed_over(signers=NEW), UnsignedError, "no trusted key"),
        (handed_over(signers=OLD), UnsignedError, "not all"),
        (handed_over(signers=[*OLD[:1], *NEW]), UnsignedError, "not all"),
        (handed_over(signers=[*OLD, *NEW[:1]]), UnsignedError, "not all"),
        (handed_over(witnesses=()), UnsignedError, "quorum"),
        (handed_over(HandOver(ORIGIN, verifiers(NEW), verifiers(NEW)).encode()), UnsignedError, "does not come from"),
        (handed_over(HandOver(ORIGIN, verifiers(OLD[:1]), verifiers(NEW)).encode()), UnsignedError, "does not come from"),
        (handed_over(HandOver("other.example/log", verifiers(OTHER), verifiers(OTHER)).encode()), UnsignedError, "not come from"),
        (handed_over(index=1), ProofError, "is not in the tree"),
        (handed_over(b"another entry", extra=ENTRY), ProofError, "is not in the tree"),
        (handed_over(extra=b"another entry"), LedgerFormError, "no hand-over"),
        (b"", LedgerFormError, "no proof file"),
    ],
)
def test_whatever_is_missing_the_old_keys_stay(data, error, why):
    with pytest.raises(error, match=why):
        check_hand_over(data, POLICY)


def test_a_checkpoint_of_another_log_hands_nothing_over():
    """A policy may trust two logs: what the one has logged is no word of the other."""
    both = read_policy(
        "".join(f"log {key.verifier}\n" for key in (*OLD, *OTHER)).encode() + b"quorum none\n",
    )
    own = HandOver("other.example/log", verifiers(OTHER), verifiers(OTHER)).encode()
    with pytest.raises(UnsignedError, match="of another log"):
        check_hand_over(Log([own], OLD).proof_file(0, own), both)


def test_no_changed_byte_hands_over_to_others():
    data = handed_over()
    for place in range(0, len(data), 7):
        broken = bytearray(data)
        broken[place] ^= 1
        with pytest.raises(LedgerError):
            check_hand_over(bytes(broken), POLICY)


def test_a_hand_over_reads_as_it_was_written():
    assert parse_hand_over(ENTRY).encode() == ENTRY
    assert read_entry_head(ENTRY) is None
    assert ENTRY.startswith(FIRST_LINE)
    file = parse_proof_file(handed_over())
    assert isinstance(file, ProofFile)
    assert file.extra == ENTRY


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        FIRST_LINE,
        ENTRY[:-1],
        ENTRY + b"\n",
        ENTRY + b"more\n",
        ENTRY.replace(b"v1", b"v2"),
        ENTRY.replace(b"\nold ", b"\nodd "),
        ENTRY.replace(b"\nnew ", b"\nnew  "),
        b"\xff" + ENTRY,
        HandOver(ORIGIN, (), verifiers(NEW)).encode(),
        HandOver(ORIGIN, verifiers(OLD), ()).encode(),
        HandOver(ORIGIN, verifiers(OLD), verifiers(NEW) * 5).encode(),
        HandOver(ORIGIN, verifiers(OTHER), verifiers(NEW)).encode(),
    ],
)
def test_what_is_no_hand_over(entry):
    with pytest.raises(LedgerFormError):
        parse_hand_over(entry)
