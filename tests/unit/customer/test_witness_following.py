"""A witness follows a log to its new keys by the log's own hand-over, and by nothing less."""

import pytest
from tests.unit.ledger.log import ORIGIN, Log, log_keys, signer

from siegel.customer.witness.folder import WitnessFolder, initialise
from siegel.customer.witness.following import follow
from siegel.customer.witness.server import Witness
from siegel.domain.errors import StorageError
from siegel.domain.ledgers import LedgerError, LedgerFormError, UnsignedError
from siegel.ledger.handover import HandOver
from siegel.ledger.keys import Algorithm
from siegel.ledger.witness_requests import AddCheckpoint

NOW_MS = 1_800_000_000_500
OLD, NEW, THIEF = log_keys(), log_keys(number=7), log_keys(number=9)
OTHER = signer("other.example/log", Algorithm.ED25519, 3)
COMMENT = "# whom we watch\n"


def verifiers(keys):
    return tuple(key.verifier for key in keys)


def entry_of(old=OLD, new=NEW):
    return HandOver(ORIGIN, verifiers(old), verifiers(new)).encode()


def log_of(signers, entry=None):
    return Log([b"one", entry or entry_of()], signers=signers)


@pytest.fixture
def place(tmp_path):
    made = initialise(tmp_path / "witness", "witness.example/w1")
    lines = [COMMENT, *(f"log {key.verifier}\n" for key in OLD), f"log {OTHER.verifier} https://other.example"]
    (made.path / "logs").write_text("".join(lines))
    return made


def proven(place, log, entry, *, is_witnessed=True):
    """The hand-over's proof file as the service makes it, with the witness's own lines."""
    witnesses = place.signers if is_witnessed else ()
    return log.proof_file(1, entry, witnesses=witnesses)


def test_new_keys_take_the_place_of_old_ones_and_the_rest_stays(place):
    file = proven(place, log_of([*OLD, *NEW]), entry_of())
    for _ in range(2):
        assert follow(place, file).new == verifiers(NEW)
        assert list(place.logs()[ORIGIN]) == list(verifiers(NEW))
        assert place.logs()[OTHER.name] == [OTHER.verifier]
    text = (place.path / "logs").read_text()
    assert text.startswith(COMMENT)
    assert f"log {OTHER.verifier} https://other.example\n" in text


def test_the_witness_signs_on_under_the_new_keys_alone(place):
    witness = Witness(place, lambda: NOW_MS)
    both = log_of([*OLD, *NEW])
    witness.add(AddCheckpoint(0, (), both.checkpoint()).encode())
    later = Log([*both.entries, b"three"], signers=NEW)
    follow(place, proven(place, both, entry_of()))
    assert witness.add(AddCheckpoint(2, later.consistency(2), later.checkpoint()).encode())


@pytest.mark.parametrize(
    ("signers", "entry", "is_witnessed"),
    [
        pytest.param([*OLD, *NEW], entry_of(), False, id="this witness has not signed it"),
        pytest.param([*OLD[:1], *THIEF], entry_of(new=THIEF), True, id="a thief of one key"),
        pytest.param(NEW, entry_of(), True, id="the new keys alone"),
        pytest.param(OLD, entry_of(), True, id="the old keys alone"),
        pytest.param([*THIEF, *NEW], entry_of(old=THIEF), True, id="from keys that it does not know"),
    ],
)
def test_nobody_else_is_followed(place, signers, entry, is_witnessed):
    before = (place.path / "logs").read_bytes()
    with pytest.raises(UnsignedError):
        follow(place, proven(place, log_of(signers, entry), entry, is_witnessed=is_witnessed))
    assert (place.path / "logs").read_bytes() == before


def test_what_is_no_hand_over(place):
    with pytest.raises(LedgerFormError):
        follow(place, b"nothing")
    with pytest.raises(LedgerError):
        follow(place, proven(place, Log([b"one", b"two"], signers=[*OLD, *NEW]), b"two"))


def test_a_log_that_it_does_not_watch(place):
    (place.path / "logs").write_text("")
    with pytest.raises(UnsignedError, match="does not watch"):
        follow(WitnessFolder(place.path), proven(place, log_of([*OLD, *NEW]), entry_of()))


def test_a_file_of_logs_that_is_gone(place):
    class Remembering(WitnessFolder):
        def logs(self):
            return {ORIGIN: list(verifiers(OLD))}

    file = proven(place, log_of([*OLD, *NEW]), entry_of())
    (place.path / "logs").unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        follow(Remembering(place.path), file)
