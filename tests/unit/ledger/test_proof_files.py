"""Proof files and requests to witnesses: as the specifications write them, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.log import Log, policy_text, witness_key

from siegel.domain.ledgers import LedgerError, LedgerFormError, ProofError, UnsignedError
from siegel.ledger.entry_heads import EntryHead, read_entry_head
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.policies import read_policy
from siegel.ledger.proof_files import PROOF_FILE_BYTES_MAX, ProofFile, parse_proof_file
from siegel.ledger.witness_requests import REQUEST_BYTES_MAX, AddCheckpoint, parse_add_checkpoint

AT_S = 1_800_000_000
WITNESS = witness_key()
LOG = Log([b"entry %d" % number for number in range(300)])
POLICY = read_policy(policy_text(witnesses=[WITNESS]))
FILE = LOG.proof_file(5, at_s=AT_S, witnesses=[WITNESS])
HASH = b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


def test_a_proof_file_proves_its_entry_and_no_other():
    file = parse_proof_file(FILE)
    assert file.encode() == FILE
    assert FILE.startswith(b"c2sp.org/tlog-proof@v1\nindex 5\n")
    judged = file.check(leaf_hash(b"entry 5"), POLICY)
    assert judged.checkpoint == LOG.head
    assert judged.witnessed == {"w0": AT_S}
    with pytest.raises(ProofError):
        file.check(leaf_hash(b"entry 6"), POLICY)


def test_a_proof_file_needs_the_quorum():
    with pytest.raises(UnsignedError, match="quorum"):
        parse_proof_file(LOG.proof_file(5)).check(leaf_hash(b"entry 5"), POLICY)


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_no_changed_byte_changes_what_is_proven(place, mask):
    """A line of a key that nobody trusts is passed over, so what is broken in a way that makes one is merely lost."""
    broken = bytearray(FILE)
    broken[place] ^= mask
    try:
        judged = parse_proof_file(bytes(broken)).check(leaf_hash(b"entry 5"), POLICY)
    except LedgerError:
        return
    assert judged.checkpoint == LOG.head
    assert judged.witnessed == {"w0": AT_S}
    assert place > FILE.rindex(b"\n\n")


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.binary(max_size=50))
def test_proof_files_come_back_as_they_were(index, proof, extra):
    file = ProofFile(index, tuple(proof), b"a note", extra)
    assert parse_proof_file(file.encode()) == file


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n\nnote",
        b"c2sp.org/tlog-proof@v2\nindex 1\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 01\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex -1\n\nnote",
        b"c2sp.org/tlog-proof@v1\nextra AAAA\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 1\nextra AAAA\n\nnote",
        b"c2sp.org/tlog-proof@v1\nextra A\nindex 1\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 1\n\xff\n\nnote",
        b"c2sp.org/tlog-proof@v1\r\nindex 1\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 1\n" + HASH * 64 + b"\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 1\n\n" + b"x" * PROOF_FILE_BYTES_MAX,
    ],
)
def test_what_is_no_proof_file(data):
    with pytest.raises(LedgerFormError):
        parse_proof_file(data)


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_requests_come_back_as_they_were(old, proof):
    request = AddCheckpoint(old, tuple(proof), FILE)
    assert parse_add_checkpoint(request.encode()) == request


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 1\nnote",
        b"old\n\nnote",
        b"old 01\n\nnote",
        b"old 1 \n\nnote",
        b"new 1\n\nnote",
        b"old 1\nAAAA\n\nnote",
        b"old 1\n\xff\n\nnote",
        b"old 1\n" + HASH * 64 + b"\nnote",
        b"old 1\n\n" + b"x" * REQUEST_BYTES_MAX,
    ],
)
def test_what_is_no_request(data):
    with pytest.raises(LedgerFormError):
        parse_add_checkpoint(data)


def test_the_head_of_an_entry():
    entry = b"\x01" + (1_800_000_000_123).to_bytes(8) + bytes.fromhex("00ab00000000cd01") + b"rest"
    assert read_entry_head(entry) == EntryHead(1_800_000_000_123, "00AB00000000CD01")
    assert read_entry_head(entry[:9] + bytes(8)) == EntryHead(1_800_000_000_123, "")
    for other in (b"", entry[:16], b"siegel ledger", b"\x20" * 20):
        with pytest.raises(LedgerFormError, match="no form"):
            read_entry_head(other)
