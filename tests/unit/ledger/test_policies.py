"""A policy counts whom it names, once each, and nobody else."""

import pytest
from tests.unit.ledger.log import ORIGIN, Log, log_keys, policy_text, signer, witness_key

from siegel.domain.ledgers import LedgerFormError, UnsignedError
from siegel.ledger.keys import Algorithm
from siegel.ledger.policies import LINES_MAX, POLICY_BYTES_MAX, read_policy
from siegel.ledger.signed_checkpoints import sign_checkpoint

WITNESSES = [witness_key(number) for number in range(6)]
LOG_KEY, LOG_ML_DSA = (str(key.verifier) for key in log_keys())
VKEYS = [str(key.verifier) for key in WITNESSES]
TWO_LEVELS = f"""
# who may say that it was seen
log {LOG_KEY} https://store.example/.ledger/1
\tlog   {LOG_ML_DSA}
witness X1 {VKEYS[0]} https://x1.example
witness X2 {VKEYS[1]}
witness X3 {VKEYS[2]}
group X 2 X1 X2 X3
witness Y1 {VKEYS[3]}
witness Y2 {VKEYS[4]}
group Y any Y1 Y2
group both all X Y
quorum both
"""
AT_S = 1_800_000_000


def test_groups_of_groups():
    policy = read_policy(TWO_LEVELS.encode())
    for names, is_enough in (
        ("X1 X2 Y1", True),
        ("X1 X2 X3 Y2", True),
        ("X1 Y1 Y2", False),
        ("X1 X2 X3", False),
        ("", False),
    ):
        assert policy.is_quorum(names.split()) is is_enough
    assert policy.logs[0].url == "https://store.example/.ledger/1"
    assert [policy.witnesses[0].url, policy.witnesses[1].url] == ["https://x1.example", ""]


def test_a_checkpoint_is_judged():
    log, policy = Log([b"a", b"b"]), read_policy(TWO_LEVELS.encode())
    judged = policy.judge(log.checkpoint(AT_S, [WITNESSES[0], WITNESSES[1], WITNESSES[3], WITNESSES[5]]))
    assert judged.checkpoint == log.head
    assert judged.witnessed == {"X1": AT_S, "X2": AT_S, "Y1": AT_S}
    assert judged.has_quorum
    assert judged.log_times == (AT_S,)
    assert not policy.judge(log.checkpoint(AT_S, WITNESSES[:3])).has_quorum


def test_a_cosignature_without_a_time_counts_for_nothing():
    witness = witness_key(0, Algorithm.ML_DSA_44)
    policy = read_policy(policy_text(witnesses=[witness]))
    log = Log([b"a"])
    assert policy.judge(log.checkpoint(AT_S, [witness])).has_quorum
    judged = policy.judge(log.checkpoint(0, [witness]))
    assert not judged.has_quorum
    assert judged.log_times == ()


def test_the_log_itself_must_have_signed():
    policy = read_policy(TWO_LEVELS.encode())
    thief = Log([b"a"], log_keys(number=9))
    with pytest.raises(UnsignedError, match="no trusted key"):
        policy.judge(thief.checkpoint(AT_S, WITNESSES))
    other = sign_checkpoint(thief.head, log_keys("another.example/log"), AT_S)
    with pytest.raises(UnsignedError, match="no trusted key"):
        read_policy(policy_text(log=log_keys("another.example/log"))).judge(other)


@pytest.mark.parametrize(("quorum", "enough"), [("any", 1), ("2", 2), ("all", 3)])
def test_thresholds(quorum, enough):
    policy = read_policy(policy_text(quorum, witnesses=WITNESSES[:3]))
    for count in range(4):
        assert policy.is_quorum([f"w{number}" for number in range(count)]) is (count >= enough)


def test_no_quorum_and_a_single_witness():
    assert read_policy(policy_text()).is_quorum([])
    single = read_policy(f"witness w {VKEYS[0]}\nquorum w\n".encode())
    assert single.is_quorum(["w"])
    assert not single.is_quorum(["v"])


def test_names_are_bytes_and_lines_may_lack_their_end():
    policy = read_policy(b"# \xc3\xa4 \xff\nwitness \xff " + VKEYS[0].encode() + b"\nquorum \xff")
    assert policy.is_quorum([policy.witnesses[0].name])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no quorum line"),
        ("quorum none\nquorum none\n", "line 2.*already"),
        ("quorum w\n", "no witness and no group"),
        ("quorum\n", "no line of a policy"),
        ("log\n", "no line of a policy"),
        (f"log {LOG_KEY} a b\n", "no line of a policy"),
        (f"witness w {VKEYS[0]} a b\n", "no line of a policy"),
        ("group g any\n", "no line of a policy"),
        ("trust me\n", "no line of a policy"),
        (f"log {VKEYS[0]}\n", "of a kind"),
        (f"witness w {LOG_KEY}\n", "of a kind"),
        (f"log {LOG_KEY}\nlog {LOG_KEY}\n", "line 2.*twice"),
        (f"log {LOG_KEY}\nlog {signer('x', Algorithm.ED25519).verifier}\n", "twice"),
        (f"witness a {VKEYS[0]}\nwitness b {VKEYS[0]}\n", "twice"),
        (f"witness a {VKEYS[0]}\nwitness a {VKEYS[1]}\n", "taken"),
        (f"witness none {VKEYS[0]}\n", "taken"),
        (f"witness a {VKEYS[0]}\ngroup a any a\n", "taken"),
        (f"witness a {VKEYS[0]}\ngroup g any a a\n", "one group only"),
        (f"witness a {VKEYS[0]}\ngroup g any a\ngroup h any a\n", "one group only"),
        ("group g any g\n", "lines before"),
        ("group g any none\n", "lines before"),
        (f"witness a {VKEYS[0]}\ngroup g 0 a\n", "a number of its members"),
        (f"witness a {VKEYS[0]}\ngroup g 2 a\n", "a number of its members"),
        (f"witness a {VKEYS[0]}\ngroup g 01 a\n", "a number of its members"),
        (f"witness a {VKEYS[0]}\ngroup g some a\n", "a number of its members"),
        ("log x+y\n", "of another kind"),
        ("log x+y+z\n", "base64"),
        ("log x\udcff+00000000+AAAA\n", "name of a key"),
        ("quorum none\r\n", "control characters"),
        ("quorum none\x7f\n", "control characters"),
        ("#" * (POLICY_BYTES_MAX + 1), "too long"),
        (f"witness a {VKEYS[0]}\n" + "group g any a\n" * 2, "one group only"),
    ],
)
def test_what_is_no_policy(text, why):
    with pytest.raises(LedgerFormError, match=why):
        read_policy(text.encode(errors="surrogateescape"))


def test_a_policy_has_an_end():
    seeds = (number.to_bytes(2) * 16 for number in range(LINES_MAX + 1))
    keys = [signer(ORIGIN, Algorithm.ED25519).__class__(ORIGIN, Algorithm.ED25519, seed) for seed in seeds]
    lines = [f"log {key.verifier}\n" for key in keys]
    assert len(read_policy("".join([*lines[:LINES_MAX], "quorum none\n"]).encode()).logs) == LINES_MAX
    with pytest.raises(LedgerFormError, match="at most 256"):
        read_policy("".join([*lines, "quorum none\n"]).encode())
