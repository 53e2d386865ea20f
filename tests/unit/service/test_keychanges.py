"""A log's change of keys: entered, signed by old and new, proven under witnesses, over; from wherever it was interrupted."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.unit.service.ledger_books import ACCOUNT, OTHER
from tests.unit.service.test_integrator import DyingStore, KilledError
from tests.unit.service.test_witnessing import Story

from siegel.customer.audit.book import initialise
from siegel.customer.audit.dates import Promise
from siegel.customer.audit.findings import summary
from siegel.customer.audit.sync import sync
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.ledgers import LedgerError, UnsignedError
from siegel.domain.outbound import OutboundAnswer
from siegel.drivers.system import SystemRandomness
from siegel.ledger.handover import check_hand_over, parse_hand_over
from siegel.ledger.keys import parse_verifier
from siegel.ledger.notes import parse_note
from siegel.ledger.policies import read_policy
from siegel.ledger.proof_files import parse_proof_file
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.witness_requests import parse_add_checkpoint
from siegel.service.ledgers import keychanges
from siegel.service.ledgers.integrator import HEARTBEAT_MS
from siegel.service.ledgers.keychanges import KeptHandOver, KeyChanges, find_change, put_change
from siegel.service.ledgers.showing import WITNESSES_AWAITED_MS


class Change(Story):
    """A log whose heads two witnesses sign, each of which knows the keys in `known`."""

    def __init__(self):
        super().__init__()
        self.put(self.text("all"))
        self.grow(3)
        self.old = self.vkeys()
        self.known = set(self.old)
        self.one.cheat = self.two.cheat = None
        for each in (self.one, self.two):
            each.answer = self.knowing(each, each.answer)

    def knowing(self, witness, answer):
        def only_known(body):
            note = parse_add_checkpoint(body).checkpoint
            if not open_checkpoint(note, map(parse_verifier, self.known)).signed:
                witness.asked += 1
                return OutboundAnswer(403, (), b"")
            return answer(body)

        return only_known

    def vkeys(self):
        return self.books.file("vkeys").decode().split()

    def begin(self):
        self.books.clock.ms += 1000
        return asyncio.run(self.changes.begin(ACCOUNT))

    def settle(self, store=None):
        books = self.books
        changes = self.changes if store is None else KeyChanges(store, books.custodian, books.clock, SystemRandomness())
        return asyncio.run(changes.settle())

    def turn(self, steward=None):
        """One round of everything that the steward does, a second later."""
        self.books.clock.ms += 1000
        self.books.round(steward)
        self.settle()
        self.round()

    def signers(self):
        """Which vkeys have signed the head that is shown."""
        every = {str(verifier): verifier for verifier in map(parse_verifier, {*self.old, *self.vkeys()})}
        signed = open_checkpoint(self.books.file("checkpoint"), every.values()).signed
        return {vkey for vkey, verifier in every.items() if verifier in signed}

    def change(self):
        return find_change(self.books.store.reader, ACCOUNT)

    def kinds(self):
        return [leaf.facts.kind for leaf in self.leaves()]

    def policy(self, vkeys, *, witnesses=True):
        logs = "".join(f"log {vkey}\n" for vkey in vkeys)
        return (logs.encode() + self.text("all")) if witnesses else f"{logs}quorum none\n".encode()


@pytest.fixture
def change():
    made = Change()
    made.round()
    return made


def served(change):
    """The ledger as an auditor reads it."""

    class Served:
        def get(self, path):
            return change.books.file(path)

    return Served()


def test_old_keys_lead_to_new_ones_under_the_witnesses(change):
    handed = change.begin()
    assert [str(verifier) for verifier in handed.old] == change.old
    assert change.books.file("handover/000") is None
    change.turn()
    new = [str(verifier) for verifier in handed.new]
    assert set(change.old).isdisjoint(new)
    # Signed by all four, and by the witnesses; only then the new keys are the log's.
    assert change.change().index == 5
    change.turn()
    assert change.signers() == {*change.old, *new}
    assert change.vkeys() == new
    file = change.books.file("handover/000")
    assert parse_hand_over(parse_proof_file(file).extra) == handed
    followed = check_hand_over(file, read_policy(change.policy(change.old)))
    assert [str(line.verifier) for line in followed.logs] == new
    assert change.books.file("handover/001") is None


def test_old_keys_sign_as_long_as_witnesses_know_nothing_else(change):
    change.begin()
    for _ in range(4):
        change.books.note()
        change.turn()
        assert change.signers() >= set(change.old)
    # They signed each head all the same.
    assert change.one.size == change.books.log().head_size
    change.known = {*change.old, *change.vkeys()}
    change.books.note()
    change.turn()
    assert change.change() is None
    change.books.note()
    change.turn()
    assert change.signers() == set(change.vkeys())
    assert change.books.log().witnessed_size == change.books.log().head_size
    leaves, openings = change.books.leaves_beside_hand_overs()
    assert [leaf.facts.kind for leaf in leaves if leaf.facts.kind.startswith("ledger.")] == [
        "ledger.policy.write",
        "ledger.keys.rotate",
        "ledger.keys.handed_over",
        "ledger.keys.forgotten",
    ]
    assert len(openings) == len(leaves)


def test_one_witness_of_two_that_knows_the_new_keys_is_no_quorum(change):
    change.begin()
    change.turn()
    change.turn()
    keys = {*change.old, *change.vkeys()}
    plain = change.two.answer
    change.known = keys
    change.two.answer = lambda body: (
        plain(body) if open_checkpoint(parse_add_checkpoint(body).checkpoint, map(parse_verifier, change.old)).signed
        else OutboundAnswer(403, (), b"")
    )  # fmt: skip
    for _ in range(3):
        change.books.note()
        change.turn()
    assert change.change().is_proven
    assert change.books.log().witnessed_size == change.books.log().head_size


def test_without_witnesses_a_head_of_both_is_enough(change):
    change.put(b"quorum none\n")
    change.begin()
    change.turn()
    change.turn()
    assert change.change() is None
    assert check_hand_over(change.books.file("handover/000"), read_policy(change.policy(change.old, witnesses=False)))
    with pytest.raises(UnsignedError, match="quorum"):
        check_hand_over(change.books.file("handover/000"), read_policy(change.policy(change.old)))


def test_a_log_without_a_policy_hands_over_too_and_without_other_entries(change):
    change.books.note(1, OTHER)
    change.books.round()
    before = change.books.log(OTHER)
    asyncio.run(change.changes.begin(OTHER))
    for _ in range(3):
        change.books.round()
        change.settle()
    assert change.books.file("handover/000", OTHER)
    after = change.books.log(OTHER)
    # Hand-over, and the entries that it began, was proven and is over.
    assert after.head_size == before.head_size + 4
    change.books.leaves_beside_hand_overs(OTHER)


def test_the_change_waits_for_the_quorum_and_both_keys_sign_meanwhile(change):
    change.two.cheat = lambda _: OutboundAnswer(500, (), b"")
    change.begin()
    for _ in range(3):
        change.books.note()
        change.turn()
    assert not change.change().is_proven
    assert change.vkeys() == change.old
    note = change.books.log().checkpoint
    assert len(parse_note(note).signatures) == 4
    change.books.clock.ms += HEARTBEAT_MS + 1
    change.two.cheat = None
    change.turn()
    change.turn()
    assert change.change().is_proven


def test_a_second_change_waits_for_the_end_of_the_first(change):
    change.begin()
    with pytest.raises(ConfigurationError, match="within a second"):
        change.begin()
    change.books.round()
    with pytest.raises(ConfigurationError, match="waits for the quorum"):
        change.begin()
    change.turn()
    change.turn()
    with pytest.raises(ConfigurationError, match="too few witnesses know"):
        change.begin()
    change.known |= set(change.vkeys())
    change.books.note()
    change.turn()
    first = change.vkeys()
    change.begin()
    change.turn()
    change.turn()
    assert change.books.file("handover/001") is not None
    policy = read_policy(change.policy(change.old))
    for number in ("000", "001"):
        policy = check_hand_over(change.books.file(f"handover/{number}"), policy)
    assert [str(line.verifier) for line in policy.logs] == change.vkeys() != first


def test_what_cannot_be_changed_says_why(change, monkeypatch):
    with pytest.raises(ConfigurationError, match="no log yet"):
        asyncio.run(change.changes.begin("000000000001"))
    monkeypatch.setattr(keychanges, "HAND_OVERS_MAX", 0)
    with pytest.raises(ConfigurationError, match="no number left"):
        change.begin()


# Withdrawing.


def withdraw(change):
    return asyncio.run(change.changes.withdraw(ACCOUNT))


@pytest.mark.parametrize("rounds", [0, 1, 3], ids=["begun", "entered", "signed by both"])
def test_a_change_whose_quorum_does_not_come_is_withdrawn_and_another_can_begin(change, rounds, tmp_path):
    book = initialise(tmp_path / "audits", "x", change.policy(change.old), Promise(10**9, 10**9))
    change.two.cheat = lambda _: OutboundAnswer(500, (), b"")
    handed = change.begin()
    for _ in range(rounds):
        change.turn()
    assert withdraw(change) == handed
    assert change.change() is None
    change.two.cheat = None
    for _ in range(2):
        change.books.clock.ms += HEARTBEAT_MS
        change.books.note()
        change.turn()
    # The log goes on under the keys that it had, and whoever trusts these is led nowhere else.
    assert change.signers() == set(change.vkeys()) == set(change.old)
    assert change.books.file("handover/000") is None
    assert change.books.log().witnessed_size == change.books.log().head_size
    report = sync(book, served(change), change.books.clock.ms // 1000).report
    assert (report.findings, report.hand_overs) == ([], 0)
    kinds = [leaf.facts.kind for leaf in change.books.leaves_beside_hand_overs()[0]]
    assert [kind for kind in kinds if kind.startswith("ledger.keys")] == ["ledger.keys.rotate", "ledger.keys.withdrawn"]
    # The next one has its place, and its own proof.
    again = change.begin()
    change.turn()
    change.turn()
    assert parse_hand_over(parse_proof_file(change.books.file("handover/000")).extra) == again
    assert set(again.new).isdisjoint(handed.new)


def test_what_is_proven_or_was_never_begun_is_not_withdrawn(change):
    with pytest.raises(ConfigurationError, match="nothing to withdraw"):
        withdraw(change)
    change.begin()
    change.books.clock.ms += 1000
    change.books.round()
    change.round()
    # The witnesses have signed, and who has that head can follow: it only is not written down yet.
    assert not change.change().is_proven
    with pytest.raises(ConfigurationError, match="others follow it"):
        withdraw(change)
    change.settle()
    with pytest.raises(ConfigurationError, match="others follow it"):
        withdraw(change)
    assert change.vkeys() != change.old


def test_a_steward_that_was_about_to_enter_what_is_withdrawn_enters_nothing(change):
    class WithdrawnBefore:
        """The store as a steward sees it before whose transaction the change is withdrawn."""

        reader = change.books.store.reader
        oldest, collect = change.books.store.oldest, change.books.store.collect

        async def write(self, work, entry):
            await change.changes.withdraw(ACCOUNT)
            return await change.books.store.write(work, entry)

    change.begin()
    with pytest.raises(StorageError, match="withdrawn"):
        change.books.round(change.books.new_steward(WithdrawnBefore()))
    change.books.note()
    change.turn(change.books.new_steward())
    assert change.books.hand_overs()[1] == 0
    assert change.signers() == set(change.old)


def test_numbers_are_those_of_the_account(change, monkeypatch):
    monkeypatch.setattr(keychanges, "_AT_ONCE", 2)
    for name in ("111122223332/000", f"{ACCOUNT}/000", f"{ACCOUNT}/001", f"{ACCOUNT}/002", "111122223334/000"):
        stored = keychanges.encode_document(KeptHandOver(file=b"x"))
        asyncio.run(
            change.books.store.write(lambda tx, n=name, s=stored: tx.records.put("deployment", KeptHandOver.kind, n, s), None)
        )
    change.begin()
    assert change.change().number == 3


# Kills, and two stewards.


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("number", [1, 2])
def test_a_steward_that_is_killed_at_entry_or_head_hands_over_once(change, number, behind):
    change.begin()
    with pytest.raises(KilledError):
        change.books.round(change.books.new_steward(DyingStore(change.books.store, number, behind=behind)))
    for _ in range(3):
        change.turn(change.books.new_steward())
    assert change.change().is_proven
    _, hand_overs = change.books.hand_overs()
    assert hand_overs == 1


@pytest.mark.parametrize("behind", [False, True])
def test_a_steward_that_is_killed_as_the_keys_go_over_leaves_one_pair_or_the_other(change, behind):
    change.begin()
    change.turn()
    with pytest.raises(KilledError):
        change.settle(DyingStore(change.books.store, 1, behind=behind))
    assert (change.vkeys() == change.old) is not behind
    assert (change.books.file("handover/000") is None) is not behind
    change.turn(change.books.new_steward())
    change.books.note()
    change.turn(change.books.new_steward())
    assert change.vkeys() != change.old
    assert change.books.log().head_size == change.books.log().size


def test_no_head_is_stored_under_keys_that_were_handed_over_meanwhile(change):
    class SettlesBefore:
        """The store as a steward sees it before each of whose transactions the keys go over."""

        reader = change.books.store.reader
        oldest, collect = change.books.store.oldest, change.books.store.collect

        async def write(self, work, entry):
            await change.changes.settle()
            return await change.books.store.write(work, entry)

    change.begin()
    change.turn()
    change.books.clock.ms += HEARTBEAT_MS + 1
    assert change.books.round(change.books.new_steward(SettlesBefore())).heads == 0
    assert change.vkeys() != change.old
    change.books.note()
    assert change.books.round(change.books.new_steward()).standing == {}


def test_of_two_stewards_one_enters_the_hand_over(change):
    change.begin()
    change.books.round()
    change.books.note()
    log = change.books.log()
    # The other has looked before, and stores behind it: a log that has grown meanwhile, or a change that is entered.
    stale = replace(change.change(), index=-1)
    addition = change.books.steward._addition(ACCOUNT, [])
    with pytest.raises(StorageError, match="same hand-over"):
        asyncio.run(change.books.store.write(replace(addition, change=stale).store, None))
    assert change.books.log() == log
    with pytest.raises(StorageError, match="was at the same change"):
        asyncio.run(change.changes.end(ACCOUNT, stale))


def test_what_is_wrong_with_one_change_holds_up_no_other(change, caplog):
    change.books.note(1, OTHER)
    change.books.round()
    change.begin()
    asyncio.run(change.changes.begin(OTHER))
    change.books.round()
    broken = replace(change.change(), sealed=b"nothing")
    asyncio.run(change.books.store.write(lambda tx: put_change(tx, ACCOUNT, broken), None))
    change.round()
    change.settle()
    assert "could not be handed over" in caplog.text
    assert change.books.file("handover/000", OTHER) is not None


# The auditor and the thief.


def test_an_auditor_with_the_old_keys_follows_and_says_so(change, tmp_path):
    book = initialise(tmp_path / "audits", "x", change.policy(change.old), Promise(10**9, 10**9))
    assert sync(book, served(change), change.books.clock.ms // 1000).report.hand_overs == 0
    change.begin()
    change.turn()
    change.turn()
    change.known |= set(change.vkeys())
    for _ in range(2):
        change.books.note()
        change.turn()
    found = sync(book, served(change), change.books.clock.ms // 1000).report
    assert (found.findings, found.hand_overs) == ([], 1)
    assert "handed over 1 times" in summary(found)
    assert book.mirror.get("handover/000") == change.books.file("handover/000")


def test_a_thief_of_the_keys_hands_over_to_nobody_without_the_quorum(change, tmp_path):
    """The thief has the log's keys and a copy of the log; the witnesses sign nothing for him."""
    book = initialise(tmp_path / "audits", "x", change.policy(change.old), Promise(10**9, 10**9))
    assert sync(book, served(change), change.books.clock.ms // 1000).report.findings == []
    change.put(change.policy([], witnesses=False))
    change.begin()
    for _ in range(3):
        change.books.note()
        change.books.clock.ms += WITNESSES_AWAITED_MS
        change.books.round()
        change.settle()
    forged = change.books.file("handover/000")
    assert forged is not None
    with pytest.raises(LedgerError):
        check_hand_over(forged, read_policy(change.policy(change.old)))
    found = sync(book, served(change), change.books.clock.ms // 1000).report
    assert found.hand_overs == 0
    assert {str(finding.check) for finding in found.findings} == {"signature"}
