"""Key files and recipients' lines.

A key file holds in one line the secrets of three keys: the hybrid one that opens (ML-KEM-768 with X25519), the one that signs
(Ed25519), and the one that seals names. The recipient's line holds the two public halves, and may be given to anybody.
"""

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey

from siegel.customer.keybox.durable import read_secret, write_pair
from siegel.customer.sealing.refusals import KeyFileError
from siegel.domain.weak_points import is_weak_recipient, is_weak_signer

KEY_MARKER: Final = "siegel-key-1"
RECIPIENT_MARKER: Final = "siegel-recipient-1"

_MLKEM_SEED_BYTES: Final = 64
_MLKEM_PUBLIC_BYTES: Final = 1184
_KEY_BYTES: Final = 32
_CHECK_BYTES: Final = 4
_SECRET_BYTES: Final = _MLKEM_SEED_BYTES + 3 * _KEY_BYTES
_PUBLIC_BYTES: Final = _MLKEM_PUBLIC_BYTES + 2 * _KEY_BYTES
_FILE_TEXT: Final = """\
# A key of Siegel's client. Keep it secret, and keep a copy: whoever has it reads what was sealed for it, without it nobody does.
# The line to give to others is in the file of the same name that ends in .pub.
{line}
"""


class Recipient:
    """Whoever may open: the public half of a key file. Raises KeyFileError for bytes that are none."""

    __slots__ = ("_public", "kem_bytes", "sealer")

    def __init__(self, public: bytes) -> None:
        """Take the 1,248 bytes of a recipient's line."""
        if len(public) != _PUBLIC_BYTES:
            raise KeyFileError("a recipient's line is cut short or too long")
        if is_weak_signer(public[-_KEY_BYTES:]) or is_weak_recipient(public[_MLKEM_PUBLIC_BYTES:-_KEY_BYTES]):
            raise KeyFileError("a recipient's line holds a point of small order, which is nobody's key")
        self.sealer: bytes = public[-_KEY_BYTES:]
        self.kem_bytes: bytes = public[:-_KEY_BYTES]
        try:
            mlkem = MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_BYTES])
        except ValueError:
            raise KeyFileError("a recipient's line holds no public key of ML-KEM-768") from None
        x25519 = X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC_BYTES:-_KEY_BYTES])
        self._public = MLKEM768X25519PublicKey(mlkem, x25519)

    @property
    def public_key(self) -> MLKEM768X25519PublicKey:
        """Return the key that data keys are wrapped for."""
        return self._public

    @property
    def line(self) -> str:
        """Return the line to hand out."""
        return _line(RECIPIENT_MARKER, self.kem_bytes + self.sealer)


class KeyFile:
    """The secrets of one key file. Never shows them, except to `write_key_file`."""

    __slots__ = ("_secret", "names_secret", "private_key", "recipient", "signing_key")

    def __init__(self, secret: bytes) -> None:
        """Take the 160 bytes of a key file. Raises KeyFileError."""
        if len(secret) != _SECRET_BYTES:
            raise KeyFileError("a key file is cut short or too long")
        seed, rest = secret[:_MLKEM_SEED_BYTES], secret[_MLKEM_SEED_BYTES:]
        mlkem = MLKEM768PrivateKey.from_seed_bytes(seed)
        x25519 = X25519PrivateKey.from_private_bytes(rest[:_KEY_BYTES])
        self._secret = secret
        self.private_key = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.signing_key = Ed25519PrivateKey.from_private_bytes(rest[_KEY_BYTES : 2 * _KEY_BYTES])
        self.names_secret: bytes = rest[2 * _KEY_BYTES :]
        public = (mlkem.public_key(), x25519.public_key(), self.signing_key.public_key())
        self.recipient = Recipient(b"".join(key.public_bytes_raw() for key in public))

    @property
    def sealer(self) -> bytes:
        """Return the public key that this key file's signatures are checked with: 32 bytes."""
        return self.recipient.sealer

    @property
    def line(self) -> str:
        """Return the secret line of the file."""
        return _line(KEY_MARKER, self._secret)


def new_key_file() -> KeyFile:
    """Return a fresh key, from the system's cryptographic source."""
    return KeyFile(os.urandom(_SECRET_BYTES))


def parse_key_file(text: str) -> KeyFile:
    """Read the text of a key file: lines that begin with `#` say nothing. Raises KeyFileError."""
    return KeyFile(_payload(KEY_MARKER, text, "key file"))


def parse_recipient(text: str) -> Recipient:
    """Read a recipient's line, or the text of a `.pub` file. Raises KeyFileError."""
    return Recipient(_payload(RECIPIENT_MARKER, text, "recipient's line"))


def read_key_file(path: Path) -> KeyFile:
    """Read a key file. Raises KeyFileError, and ConfigurationError where it is missing or open to others."""
    text = read_secret(path, "key file").decode(errors="replace")
    try:
        return parse_key_file(text)
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from None


def write_key_file(key: KeyFile, path: Path) -> Path:
    """Write a new key file of mode 0600, and the recipient's line beside it; return the latter's path.

    Raises KeyFileError if either is there already (nothing is overwritten), StorageError if the disk fails.
    """
    public = path.with_name(path.name + ".pub")
    try:
        write_pair(path, _FILE_TEXT.format(line=key.line).encode(), public, f"{key.recipient.line}\n".encode())
    except FileExistsError as error:
        raise KeyFileError(f"{error.filename} is there already, and is not overwritten") from None
    return public


def _line(marker: str, payload: bytes) -> str:
    """Return `marker:base64url(payload || check)`; the check tells a mistyped line from the key of somebody else."""
    check = hashlib.sha256(payload).digest()[:_CHECK_BYTES]
    return f"{marker}:{base64.urlsafe_b64encode(payload + check).decode()}"


def _payload(marker: str, text: str, what: str) -> bytes:
    """Return the bytes of the one line of `text` that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1 or not lines[0].startswith(f"{marker}:"):
        raise KeyFileError(f"not a {what}: one line that begins with {marker}: is expected")
    try:
        data = base64.b64decode(lines[0].removeprefix(f"{marker}:"), altchars=b"-_", validate=True)
    except binascii.Error:
        raise KeyFileError(f"a {what} is not whole: it is no base64url") from None
    payload, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if hashlib.sha256(payload).digest()[:_CHECK_BYTES] != check:
        raise KeyFileError(f"a {what} is not whole: its check does not fit")
    return payload
