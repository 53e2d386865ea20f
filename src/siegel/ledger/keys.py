r"""The keys of logs and witnesses: what each signs, and what is written where.

    type  who         signature
    0x01  log, or a   Ed25519 over the text of the note
          customer
    0x04  witness     time u64, then Ed25519 over "cosignature/v1\ntime N\n" and the text of the note
    0x06  log or      time u64, then ML-DSA-44 (FIPS 204) over "subtree/v1\n\0", name, time, origin, start, end, root;
          witness     name and origin behind their length as a u8, numbers u64

    key id = the first four bytes of SHA-256(name || "\n" || type || public key)
    vkey   = name+hex(key id)+base64(type || public key)

Sources: c2sp.org/signed-note, c2sp.org/tlog-cosignature; RFC 8032, FIPS 204.
"""

from base64 import b64encode
from enum import IntEnum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError, UnsignedError
from siegel.domain.weak_points import is_weak_signer
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.notes import KEY_ID_BYTES, NoteSignature, check_name, decode_base64

SEED_BYTES: Final = 32
NAME_BYTES_MAX: Final = 255
TIME_S_MAX: Final = 2**63 - 1

_TIME_BYTES: Final = 8
_LABEL: Final = b"subtree/v1\n\0"


class Algorithm(IntEnum):
    """What a key signs with, and over what."""

    ED25519 = 0x01
    COSIGNATURE = 0x04
    ML_DSA_44 = 0x06


_PUBLIC_BYTES: Final = {Algorithm.ED25519: 32, Algorithm.COSIGNATURE: 32, Algorithm.ML_DSA_44: 1312}


class VerifierKey(Struct, frozen=True):
    """A public key with its name: together with `algorithm` all that is needed to know its signatures."""

    name: str
    algorithm: Algorithm
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes by which its signature lines are found; no proof of anything."""
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public_key).digest()[:KEY_ID_BYTES]

    @property
    def is_weak(self) -> bool:
        """Whether signatures that nobody made fit it."""
        return self.algorithm is not Algorithm.ML_DSA_44 and is_weak_signer(self.public_key)

    def __str__(self) -> str:
        encoded = b64encode(bytes([self.algorithm]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def check(self, line: NoteSignature, checkpoint: Checkpoint) -> int:
        """Return the time that the signature says, in seconds since 1970; 0 where it says none. Raises UnsignedError."""
        at_s, signature = _taken_apart(self.algorithm, line.signature)
        if self.is_weak:
            raise UnsignedError(f"the key of {self.name} is a point of small order: it signs nothing")
        message = _message(self, checkpoint, at_s)
        try:
            if self.algorithm is Algorithm.ML_DSA_44:
                MLDSA44PublicKey.from_public_bytes(self.public_key).verify(signature, message)
            else:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise UnsignedError(f"the signature of {self.name} does not fit") from None
        if at_s > TIME_S_MAX:
            raise UnsignedError(f"the signature of {self.name} says a time that no signature says")
        return at_s

    def check_text(self, line: NoteSignature, text: str) -> None:
        """Check a signature over the text of a note that is no checkpoint, as Ed25519 keys make it. Raises UnsignedError."""
        if self.algorithm is not Algorithm.ED25519 or self.is_weak:
            raise UnsignedError(f"the key of {self.name} is none that signs texts")
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(line.signature, text.encode())
        except (InvalidSignature, ValueError):
            raise UnsignedError(f"the signature of {self.name} does not fit") from None


class SignerKey(Struct, frozen=True):
    """A key that signs, made from a seed of 32 random bytes (RFC 8032, FIPS 204). Never shows its seed."""

    name: str
    algorithm: Algorithm
    seed: bytes

    def __repr__(self) -> str:
        return f"SignerKey({self.name})"

    def check_name(self) -> None:
        """Raise LedgerFormError unless the key can have its name."""
        check_name(self.name)
        if self.algorithm is Algorithm.ML_DSA_44:
            _counted(self.name)

    @property
    def verifier(self) -> VerifierKey:
        """The public key, under the same name. Raises LedgerFormError for a name that no key has."""
        self.check_name()
        return VerifierKey(self.name, self.algorithm, self._private().public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint, at_s: int) -> NoteSignature:
        """Return the signature line below a checkpoint. `at_s` is not written by an algorithm that says no time.

        Raises LedgerFormError for a name or an origin that cannot be signed.
        """
        verifier = self.verifier
        signature = self._private().sign(_message(verifier, checkpoint, at_s))
        time = b"" if self.algorithm is Algorithm.ED25519 else at_s.to_bytes(_TIME_BYTES)
        return NoteSignature(self.name, verifier.key_id, time + signature)

    def sign_text(self, text: str) -> NoteSignature:
        """Return the signature line below the text of a note that is no checkpoint. Raises LedgerFormError but for Ed25519."""
        if self.algorithm is not Algorithm.ED25519:
            raise LedgerFormError("only Ed25519 keys of notes sign texts")
        verifier = self.verifier
        return NoteSignature(self.name, verifier.key_id, self._private().sign(text.encode()))

    def _private(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        if self.algorithm is Algorithm.ML_DSA_44:
            return MLDSA44PrivateKey.from_seed_bytes(self.seed)
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def parse_verifier(text: str) -> VerifierKey:
    """Return the key that a vkey spells. Raises LedgerFormError: another algorithm, or a key id that does not fit."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    check_name(name)
    key = decode_base64(encoded)
    if not key or key[0] not in list(Algorithm) or len(key) - 1 != _PUBLIC_BYTES[Algorithm(key[0])]:
        raise LedgerFormError(f"the key of {name} is of another kind than logs and witnesses have here")
    verifier = VerifierKey(name, Algorithm(key[0]), key[1:])
    if verifier.is_weak:
        raise LedgerFormError(f"the key of {name} is a point of small order: anybody's signatures fit it")
    if verifier.key_id.hex() != key_id:
        raise LedgerFormError(f"the id of the key of {name} does not fit the key")
    return verifier


def _taken_apart(algorithm: Algorithm, signature: bytes) -> tuple[int, bytes]:
    if algorithm is Algorithm.ED25519:
        return 0, signature
    return int.from_bytes(signature[:_TIME_BYTES]), signature[_TIME_BYTES:]


def _message(verifier: VerifierKey, checkpoint: Checkpoint, at_s: int) -> bytes:
    if verifier.algorithm is Algorithm.ED25519:
        return checkpoint.text.encode()
    if verifier.algorithm is Algorithm.COSIGNATURE:
        return f"cosignature/v1\ntime {at_s}\n{checkpoint.text}".encode()
    time, end = at_s.to_bytes(_TIME_BYTES), checkpoint.size.to_bytes(_TIME_BYTES)
    return _LABEL + _counted(verifier.name) + time + _counted(checkpoint.origin) + bytes(_TIME_BYTES) + end + checkpoint.root


def _counted(name: str) -> bytes:
    encoded = name.encode()
    if not 1 <= len(encoded) <= NAME_BYTES_MAX:
        raise LedgerFormError(f"what ML-DSA-44 signs has a name and an origin of at most {NAME_BYTES_MAX} bytes")
    return bytes([len(encoded)]) + encoded
