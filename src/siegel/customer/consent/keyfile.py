"""The file of a consent key: an Ed25519 key of notes (c2sp.org/signed-note), by which its owner consents.

    siegel consent key v1
    name NAME
    ed25519 <64 hex digits>
    check <8 hex digits>                            the first bytes of SHA-256 over the lines before

and with a passphrase, in the place of the third line,

    public <64 hex digits>
    argon2id ITERATIONS KIB LANES <32 hex digits>   the last is the salt
    sealed <120 hex digits>                         nonce, ciphertext, tag

    key    = HKDF-SHA-256(Argon2id(passphrase, salt, ...), salt, "siegel consent key v1", 32)
    sealed = AES-256-GCM(key, nonce, seed, associated data = the lines before this one)

Mode 0600; never overwritten.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from siegel.customer.keybox.boxfile import NONCE_BYTES, SALT_BYTES, SEALING_KEY_BYTES, Effort, is_sensible, stretch
from siegel.customer.keybox.durable import read_secret, write_pair
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.keys import SEED_BYTES, Algorithm, SignerKey, VerifierKey

_FIRST: Final = "siegel consent key v1"
_FILE: Final = re.compile(
    rb"(?P<all>siegel consent key v1\nname (?P<name>[^\n]+)\n"
    rb"(?:ed25519 (?P<seed>[0-9a-f]{64})\n"
    rb"|public (?P<public>[0-9a-f]{64})\nargon2id (?P<effort>[0-9]{1,9} [0-9]{1,9} [0-9]{1,9}) (?P<salt>[0-9a-f]{32})\n"
    rb"sealed (?P<sealed>[0-9a-f]{120})\n))check (?P<check>[0-9a-f]{8})\n"
)

RandomBytes = Callable[[int], bytes]


def make_key_file(
    path: Path,
    name: str,
    passphrase: bytes | None = None,
    *,
    effort: Effort | None = None,
    random_bytes: RandomBytes = os.urandom,
) -> VerifierKey:
    """Write a new key file, and the public key beside it as `.pub`; return that key.

    Raises ConfigurationError if either file exists, or nobody can have that name.
    """
    signer = SignerKey(name, Algorithm.ED25519, random_bytes(SEED_BYTES))
    verifier = _verifier(signer)
    lines = f"{_FIRST}\nname {name}\n"
    if passphrase is None:
        lines += f"ed25519 {signer.seed.hex()}\n"
    else:
        lines += _sealed(lines, signer, passphrase, effort or Effort(), random_bytes)
    try:
        write_pair(path, f"{lines}check {_check_digits(lines)}\n".encode(), public_path(path), f"{verifier}\n".encode())
    except FileExistsError as error:
        raise ConfigurationError(f"the key file {error.filename} exists already: it is never overwritten") from None
    return verifier


def public_path(path: Path) -> Path:
    """Return where the public key of a key file lies."""
    return path.with_name(path.name + ".pub")


def read_key_file(path: Path, passphrase: bytes | None = None) -> SignerKey:
    """Return the key in a file. Raises ConfigurationError: missing, open to others, damaged, or another passphrase."""
    found = _FILE.fullmatch(read_secret(path, "key file"))
    if found is None:
        raise ConfigurationError(f"the key file {path} is malformed: it must begin with the line `{_FIRST}`")
    if _check_digits(found["all"].decode(errors="replace")) != found["check"].decode():
        raise ConfigurationError(f"the key in {path} is mistyped or damaged: its check digits do not match")
    signer = SignerKey(found["name"].decode(errors="replace"), Algorithm.ED25519, _seed(path, found, passphrase))
    if found["public"] and _verifier(signer).public_key.hex() != found["public"].decode():
        raise ConfigurationError(f"the key in {path} is not the one that the file names")
    _verifier(signer)
    return signer


def _seed(path: Path, found: re.Match[bytes], passphrase: bytes | None) -> bytes:
    if found["seed"]:
        return bytes.fromhex(found["seed"].decode())
    if passphrase is None:
        raise ConfigurationError(f"the key file {path} has a passphrase\ntry: --passphrase-file")
    effort = Effort(*(int(number) for number in found["effort"].split()))
    if not is_sensible(effort):
        raise ConfigurationError(f"the key file {path} asks for more work than any key file does: it is damaged")
    salt, sealed = (bytes.fromhex(found[name].decode()) for name in ("salt", "sealed"))
    front = found["all"][: found.start("sealed") - len("sealed ") - found.start("all")]
    try:
        return _cipher(passphrase, salt, effort).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], front)
    except InvalidTag:
        raise ConfigurationError(f"the key file {path} does not open: another passphrase, or damage") from None


def _sealed(front: str, signer: SignerKey, passphrase: bytes, effort: Effort, random_bytes: RandomBytes) -> str:
    salt, nonce = random_bytes(SALT_BYTES), random_bytes(NONCE_BYTES)
    open_part = f"public {signer.verifier.public_key.hex()}\n"
    open_part += f"argon2id {effort.iterations} {effort.memory_kib} {effort.lanes} {salt.hex()}\n"
    sealed = _cipher(passphrase, salt, effort).encrypt(nonce, signer.seed, (front + open_part).encode())
    return f"{open_part}sealed {(nonce + sealed).hex()}\n"


def _cipher(passphrase: bytes, salt: bytes, effort: Effort) -> AESGCM:
    root = stretch(passphrase, salt, effort)
    return AESGCM(HKDF(algorithm=SHA256(), length=SEALING_KEY_BYTES, salt=salt, info=_FIRST.encode()).derive(root))


def _verifier(signer: SignerKey) -> VerifierKey:
    try:
        return signer.verifier
    except LedgerFormError as error:
        raise ConfigurationError(f"no key can be named like that: {error}") from None


def _check_digits(lines: str) -> str:
    return hashlib.sha256(lines.encode()).hexdigest()[:8]
