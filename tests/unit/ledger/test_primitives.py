"""What the ledger calls of signatures, at the edges: `tests/vectors/primitives/README.md` tells the classes of cases."""

import json
from base64 import b64encode
from pathlib import Path

import pytest

from siegel.domain.ledgers import LedgerFormError, UnsignedError
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.keys import Algorithm, SignerKey, VerifierKey, parse_verifier
from siegel.ledger.notes import NoteSignature

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "primitives" / "ed25519.json").read_text())
SAID = VECTORS["checkpoint"]
CHECKPOINT = Checkpoint(SAID["origin"], SAID["size"], bytes.fromhex(SAID["root"]))
LOG = VerifierKey("log.example/a", Algorithm.ED25519, bytes.fromhex(VECTORS["public_key"]))


def line(signature, verifier=LOG):
    return NoteSignature(verifier.name, verifier.key_id, signature)


def test_a_log_signs_its_checkpoint():
    assert SignerKey(LOG.name, LOG.algorithm, bytes.fromhex(VECTORS["seed"])).verifier == LOG
    assert LOG.check(line(bytes.fromhex(VECTORS["note"]["good"])), CHECKPOINT) == 0


@pytest.mark.parametrize("vector", VECTORS["note"]["bad"], ids=lambda vector: vector["name"])
def test_t87_what_is_almost_its_signature_proves_nothing(vector):
    with pytest.raises(UnsignedError):
        LOG.check(line(bytes.fromhex(vector["signature"])), CHECKPOINT)


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.COSIGNATURE])
@pytest.mark.parametrize("public_key", VECTORS["weak_public_keys"])
def test_a_point_of_small_order_is_no_logs_or_witnesss_key(public_key, algorithm):
    weak = VerifierKey("log.example/a", algorithm, bytes.fromhex(public_key))
    forged = bytes(8 if algorithm is Algorithm.COSIGNATURE else 0) + bytes.fromhex(VECTORS["weak_forgery"])
    with pytest.raises(UnsignedError, match="small order"):
        weak.check(line(forged, weak), CHECKPOINT)
    with pytest.raises(LedgerFormError, match="small order"):
        parse_verifier(str(weak))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_public_key_has_32_bytes(length):
    key = bytes([Algorithm.ED25519]) + bytes(range(length))
    with pytest.raises(LedgerFormError):
        parse_verifier(f"log.example/a+00000000+{b64encode(key).decode()}")


def test_ml_dsa_44_has_no_small_order_and_knows_its_signatures_alone():
    signer = SignerKey("log.example/a", Algorithm.ML_DSA_44, b"s" * 32)
    verifier, signed = signer.verifier, signer.sign(CHECKPOINT, 5)
    assert not verifier.is_weak
    assert verifier.check(signed, CHECKPOINT) == 5
    whole = signed.signature
    changed = [b"", whole[:8], whole[:-1], whole + b"\0", bytes(len(whole)), whole[:8] + bytes(2420), (6).to_bytes(8) + whole[8:]]
    changed += [
        whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in (8, 39, 40, 1000, 2300, len(whole) - 1)
    ]
    for signature in changed:
        with pytest.raises(UnsignedError):
            verifier.check(line(signature, verifier), CHECKPOINT)
