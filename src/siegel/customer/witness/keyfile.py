"""The key file of a witness: its name, and the seeds of its two keys.

    siegel witness key v1
    name NAME
    ed25519 <64 hex digits>
    ml-dsa-44 <64 hex digits>
    check <8 hex digits>            the first bytes of SHA-256 over the lines before

Mode 0600; never overwritten. A name is never used with other keys, and keys never under another name.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from siegel.customer.keybox.durable import read_secret, write_new
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.keys import SEED_BYTES, Algorithm, SignerKey

_FIRST: Final = "siegel witness key v1"
_LINES: Final = re.compile(
    rb"(siegel witness key v1\nname ([^\n]+)\ned25519 ([0-9a-f]{64})\nml-dsa-44 ([0-9a-f]{64})\n)check ([0-9a-f]{8})\n"
)


def make_key_file(path: Path, name: str, random_bytes: Callable[[int], bytes] = os.urandom) -> tuple[SignerKey, ...]:
    """Write a new key file and return its keys. Raises ConfigurationError if it exists or nobody can have that name."""
    signers = _signers(name, random_bytes(SEED_BYTES), random_bytes(SEED_BYTES))
    one, other = (signer.seed.hex() for signer in signers)
    lines = f"{_FIRST}\nname {name}\ned25519 {one}\nml-dsa-44 {other}\n".encode()
    try:
        write_new(path, lines + b"check %b\n" % _check_digits(lines))
    except FileExistsError:
        raise ConfigurationError(f"the key file {path} exists already: it is never overwritten") from None
    return signers


def read_key_file(path: Path) -> tuple[SignerKey, ...]:
    """Return the keys of a witness: Ed25519, then ML-DSA-44. Raises ConfigurationError."""
    found = _LINES.fullmatch(read_secret(path, "key file"))
    if found is None:
        raise ConfigurationError(f"the key file {path} is malformed: it must begin with the line `{_FIRST}`")
    if _check_digits(found[1]) != found[5]:
        raise ConfigurationError(f"the key in {path} is mistyped or damaged: its check digits do not match")
    return _signers(found[2].decode(), *(bytes.fromhex(found[place].decode()) for place in (3, 4)))


def _signers(name: str, ed25519: bytes, ml_dsa: bytes) -> tuple[SignerKey, ...]:
    signers = SignerKey(name, Algorithm.COSIGNATURE, ed25519), SignerKey(name, Algorithm.ML_DSA_44, ml_dsa)
    try:
        for signer in signers:
            signer.check_name()
    except LedgerFormError as error:
        raise ConfigurationError(f"no witness can be named like that: {error}") from None
    return signers


def _check_digits(lines: bytes) -> bytes:
    return hashlib.sha256(lines).hexdigest()[:8].encode()
