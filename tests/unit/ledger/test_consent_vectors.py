"""The vectors beside the format page: the good ones are made and opened, every bad one is refused."""

import json
from pathlib import Path

import pytest
from tests.unit.ledger.consenting import APPROVAL, REQUEST, approval_note

from siegel.domain.ledgers import LedgerError
from siegel.ledger.consent_evidence import verify_evidence
from siegel.ledger.consent_keys import parse_consent_keys
from siegel.ledger.consents import Verb, parse_report, parse_request
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.policies import read_policy

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "consent" / "consent.json").read_text())
KEYS = parse_consent_keys(VECTORS["keys"].encode())
POLICY = read_policy(VECTORS["policy"].encode())

OPENERS = {
    "request": lambda text: parse_request(text.decode()).text.encode(),
    "approval": lambda note: KEYS.open_approval(note).text.encode(),
    "narrower_approval": lambda note: KEYS.open_approval(note).text.encode(),
    "denial": lambda note: KEYS.open_refusal(Verb.DENIAL, note).text.encode(),
    "revocation": lambda note: KEYS.open_refusal(Verb.REVOCATION, note).text.encode(),
    "report": lambda text: parse_report(text.decode()).text.encode(),
    "evidence": lambda data: verify_evidence(data, KEYS, POLICY).approval.text.encode(),
}


def test_the_keys_are_those_of_the_seeds():
    signers = [SignerKey(name, Algorithm.ED25519, bytes.fromhex(seed)) for name, seed in VECTORS["seeds"].items()]
    assert [one.verifier for one in signers] == list(KEYS.keys)
    assert VECTORS["approval"] == approval_note().decode()


@pytest.mark.parametrize("name", OPENERS)
def test_good(name):
    text = OPENERS[name](VECTORS[name].encode())
    assert VECTORS[name].encode().startswith(text) or name == "evidence"


def test_what_they_say():
    assert parse_request(VECTORS["request"]) == REQUEST
    assert APPROVAL.digest.hex() == VECTORS["digest"]
    assert verify_evidence(VECTORS["evidence"].encode(), KEYS, POLICY).approval == APPROVAL


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=[vector["why"] for vector in VECTORS["bad"]])
def test_bad(vector):
    one, other = vector["replace"]
    assert one in VECTORS[vector["of"]]
    with pytest.raises(LedgerError):
        OPENERS[vector["of"]](VECTORS[vector["of"]].replace(one, other).encode())
