"""After the keys of a ledger were handed over: receipts of before and later, and a policy that is changed then."""

import pytest
from tests.unit.customer.ledgers import NOW_S, WITNESSES, Desk, entries, log_of
from tests.unit.ledger.log import ORIGIN, Log, log_keys, policy_text, witness_key

from siegel.customer.audit.book import Book
from siegel.customer.audit.receipts import check_receipt, make_receipts
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import UnsignedError
from siegel.ledger.handover import HandOver
from siegel.ledger.policies import read_policy


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def handed_over(desk):
    """Publish a ledger whose keys were handed over; return the proof file of that."""
    old, new = log_keys(), log_keys(number=1)
    statement = HandOver(ORIGIN, tuple(key.verifier for key in old), tuple(key.verifier for key in new)).encode()
    log = Log([*entries(20), statement], [*old, *new])
    (desk.ledger / "handover").mkdir(parents=True)
    proof = log.proof_file(20, statement, at_s=NOW_S, witnesses=WITNESSES)
    (desk.ledger / "handover" / "000").write_bytes(proof)
    log.signers = new
    desk.publish(log)
    return proof


def test_a_receipt_under_later_keys_holds_by_the_hand_over_to_them(desk):
    policy = read_policy(desk.policy)
    desk.publish(log_of(20)).sync()
    (early,) = make_receipts(Book(desk.book.folder), "#3").values()
    proof = handed_over(desk)
    assert desk.sync().report.holds()
    (late,) = make_receipts(Book(desk.book.folder), "#3").values()
    with pytest.raises(UnsignedError):
        check_receipt(late, policy)
    for data in (early, late):
        assert check_receipt(data, policy, [proof]).index == 3
    with pytest.raises(UnsignedError):
        check_receipt(late, read_policy(policy_text(log=log_keys(number=3))), [proof])


def test_a_witness_that_is_wanted_after_a_hand_over_is_no_damage(desk):
    handed_over(desk)
    assert desk.sync().report.holds()
    more = [*WITNESSES, witness_key(2)]
    (desk.book.folder / "policy").write_bytes(policy_text("all", log=log_keys(), witnesses=more))
    with pytest.raises(ConfigurationError, match=r"does not lead to the keys .*\n.*\ntry: name the keys of now"):
        desk.sync()
    (desk.book.folder / "policy").write_bytes(policy_text("all", log=log_keys(number=1), witnesses=more))
    assert desk.checks() == {"quorum"}
