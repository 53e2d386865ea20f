"""The vectors beside the format page, and published ones: the good ones are made and opened, every bad one is refused."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from tests.unit.ledger.log import Log

from siegel.domain.ledgers import LedgerError
from siegel.ledger.bundles import encode_bundle, entries_of
from siegel.ledger.handover import check_hand_over, parse_hand_over
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.keys import Algorithm, SignerKey, parse_verifier
from siegel.ledger.notes import parse_note
from siegel.ledger.policies import read_policy
from siegel.ledger.proof_files import parse_proof_file
from siegel.ledger.proofs import check_consistency, check_inclusion
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.tiles import Tile, new_tiles, parse_tile_path
from siegel.ledger.witness_requests import parse_add_checkpoint

FOLDER = Path(__file__).parents[2] / "vectors" / "ledger"
TREE, TILES, NOTES, TRUST = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ("tree", "tiles", "notes", "trust"))
LEAVES = [bytes.fromhex(leaf) for leaf in TREE["leaves"]]
ROOTS = [bytes.fromhex(root) for root in TREE["roots"]]


def bad(vectors):
    assert vectors
    return pytest.mark.parametrize("vector", vectors, ids=[vector["why"] for vector in vectors])


def hashes(vector):
    return tuple(bytes.fromhex(hashed) for hashed in vector["proof"])


def broken(text, vector):
    one, other = vector["replace"]
    assert one in text
    return text.replace(one, other).encode()


def test_roots():
    assert [Log(LEAVES[:size]).frontier.root for size in range(9)] == ROOTS


@pytest.mark.parametrize("vector", TREE["good"]["inclusion"])
def test_inclusion(vector):
    index, size = vector["index"], vector["size"]
    assert Log(LEAVES).inclusion(index, size) == hashes(vector)
    check_inclusion(leaf_hash(LEAVES[index]), index, size, ROOTS[size], hashes(vector))


@bad(TREE["bad"]["inclusion"])
def test_bad_inclusion(vector):
    origin = TREE["good"]["inclusion"][vector["of"]]
    changed = origin | vector.get("change", {})
    leaf, root = LEAVES[vector.get("leaf", origin["index"])], ROOTS[origin["size"]]
    with pytest.raises(LedgerError):
        check_inclusion(leaf_hash(leaf), changed["index"], changed["size"], root, hashes(changed))


@pytest.mark.parametrize("vector", TREE["good"]["consistency"])
def test_consistency(vector):
    old, size = vector["old"], vector["size"]
    assert Log(LEAVES).consistency(old, size) == hashes(vector)
    check_consistency(old, ROOTS[old], size, ROOTS[size], hashes(vector))


@bad(TREE["bad"]["consistency"])
def test_bad_consistency(vector):
    origin = TREE["good"]["consistency"][vector["of"]]
    changed = origin | vector["change"]
    with pytest.raises(LedgerError):
        check_consistency(changed["old"], ROOTS[origin["old"]], changed["size"], ROOTS[origin["size"]], hashes(changed))


def test_tiles():
    log = Log([b"entry %d" % number for number in range(TILES["size"])])
    assert log.frontier.root.hex() == TILES["root"]
    files = [(tile.path, len(log.files[tile]), sha256(log.files[tile]).hexdigest()) for tile in new_tiles(0, log.size)]
    assert files == [(file["path"], file["bytes"], file["sha256"]) for file in TILES["files"]]
    for path, parts in TILES["paths"].items():
        assert parse_tile_path(path) == Tile(*parts)


def test_bundles():
    entries = [bytes.fromhex(entry) for entry in TILES["bundle"]["entries"]]
    assert encode_bundle(entries).hex() == TILES["bundle"]["bytes"]
    assert entries_of(bytes.fromhex(TILES["bundle"]["bytes"])) == entries


@pytest.mark.parametrize("data", TILES["bad_bundles"])
def test_bad_bundles(data):
    with pytest.raises(LedgerError):
        entries_of(bytes.fromhex(data))


@pytest.mark.parametrize("path", TILES["bad_paths"])
def test_bad_paths(path):
    with pytest.raises(LedgerError):
        parse_tile_path(path)


def test_the_keys_and_the_note_of_go():
    """`golang.org/x/mod/sumdb/note` has published them; they are no checkpoint, so their signatures are checked here."""
    published = NOTES["published"]
    note = parse_note(f"{published['text']}\n{''.join(published['lines'])}".encode())
    peter = SignerKey("PeterNeumann", Algorithm.ED25519, bytes.fromhex(published["peter_seed"]))
    assert str(peter.verifier) == published["vkeys"][0]
    assert peter._private().sign(note.text.encode()) == note.signatures[0].signature
    assert [line.line for line in note.signatures] == published["lines"]
    for vkey, line in zip(published["vkeys"], note.signatures, strict=True):
        verifier = parse_verifier(vkey)
        assert (verifier.name, verifier.key_id, str(verifier)) == (line.name, line.key_id, vkey)
    for vkey in published["bad_vkeys"]:
        with pytest.raises(LedgerError):
            parse_verifier(vkey)


def test_notes():
    keys = [SignerKey(key["name"], Algorithm(key["algorithm"]), bytes.fromhex(key["seed"])) for key in NOTES["keys"]]
    assert [str(key.verifier) for key in keys] == [key["vkey"] for key in NOTES["keys"]]
    opened = open_checkpoint(NOTES["note"].encode(), [key.verifier for key in keys])
    assert opened.checkpoint == Log(LEAVES).head
    assert opened.checkpoint.text == NOTES["checkpoint"]
    assert set(opened.signed) == {key.verifier for key in keys}
    assert set(opened.signed.values()) == {0, NOTES["at_s"]}
    for key, line in zip(keys, opened.note.signatures, strict=True):
        if key.algorithm is not Algorithm.ML_DSA_44:
            assert key.sign(opened.checkpoint, NOTES["at_s"]) == line


@bad(NOTES["bad"])
def test_bad_notes(vector):
    verifiers = [parse_verifier(key["vkey"]) for key in NOTES["keys"]]
    with pytest.raises(LedgerError):
        open_checkpoint(broken(NOTES["note"], vector), verifiers)


POLICY = read_policy(TRUST["policy"].encode())


def test_a_proof_file():
    vector = TRUST["proof_file"]
    file = parse_proof_file(vector["file"].encode())
    assert file.encode() == vector["file"].encode()
    assert file.check(leaf_hash(bytes.fromhex(vector["leaf"])), POLICY).checkpoint.size == 8


@bad(TRUST["proof_file"]["bad"])
def test_bad_proof_files(vector):
    leaf = leaf_hash(bytes.fromhex(TRUST["proof_file"]["leaf"]))
    with pytest.raises(LedgerError):
        parse_proof_file(broken(TRUST["proof_file"]["file"], vector)).check(leaf, POLICY)


def test_a_request():
    vector = TRUST["request"]
    request = parse_add_checkpoint(vector["body"].encode())
    assert (request.old_size, request.proof) == (vector["old"], hashes(vector))
    assert request.encode() == vector["body"].encode()
    assert POLICY.judge(request.checkpoint).checkpoint.size == 8


def test_a_hand_over():
    vector = TRUST["hand_over"]
    assert parse_hand_over(vector["entry"].encode()).encode() == vector["entry"].encode()
    after = check_hand_over(vector["file"].encode(), POLICY)
    assert [str(line.verifier) for line in after.logs] == vector["new"]


@bad(TRUST["hand_over"]["bad"])
def test_bad_hand_overs(vector):
    with pytest.raises(LedgerError):
        check_hand_over(vector["file"].encode(), POLICY)


def test_base64_of_the_vectors_is_the_standard_one():
    assert b64decode(NOTES["checkpoint"].split("\n")[2], validate=True) == ROOTS[8]
