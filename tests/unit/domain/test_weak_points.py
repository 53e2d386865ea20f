"""Points of small order are known in every spelling, and nothing else is."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from siegel.domain.weak_points import is_weak_recipient, is_weak_signer

FOLDER = Path(__file__).parents[2] / "vectors" / "primitives"
SIGNERS, RECIPIENTS = (json.loads((FOLDER / f"{name}.json").read_text())["weak_public_keys"] for name in ("ed25519", "x25519"))


@pytest.mark.parametrize("public_key", SIGNERS)
def test_weak_signers(public_key):
    assert is_weak_signer(bytes.fromhex(public_key))


@pytest.mark.parametrize("public_key", RECIPIENTS)
def test_weak_recipients(public_key):
    raw = bytes.fromhex(public_key)
    assert is_weak_recipient(raw)
    with pytest.raises(ValueError, match="shared key"):
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(raw))


def test_honest_keys_are_not_weak():
    for number in range(50):
        seed = bytes([number]) * 32
        assert not is_weak_signer(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
        assert not is_weak_recipient(X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
    # The base points.
    assert not is_weak_signer(bytes.fromhex("58" + "66" * 31))
    assert not is_weak_recipient(bytes([9]) + bytes(31))
