"""What opens a box: a key file with 32 random bytes, or a passphrase that somebody remembers.

A key file is one line, `siegel-keybox-key:v1:<64 hex digits>:<8 hex digits>`: the key, then the first four bytes of its SHA-256,
which tell a mistyped line from the key of another box.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from msgspec import Struct

from siegel.customer.keybox.boxfile import SEALING_KEY_BYTES, Unlocking
from siegel.customer.keybox.durable import read_secret, write_new
from siegel.domain.errors import ConfigurationError

PASSPHRASE_BYTES_MIN: Final = 12

_LINE: Final = re.compile(rb"siegel-keybox-key:v1:([0-9a-f]{64}):([0-9a-f]{8})\n?")


class Secret(Struct, frozen=True):
    """What was read: the kind, and the bytes. The text form shows none of them."""

    unlocking: Unlocking
    data: bytes

    def __repr__(self) -> str:
        return f"Secret({self.unlocking.name})"


def read_key_file(path: Path) -> Secret:
    """Read a key file. Raises ConfigurationError."""
    found = _LINE.fullmatch(read_secret(path, "key file"))
    if found is None:
        raise ConfigurationError(f"the key file {path} is malformed: it must hold one line `siegel-keybox-key:v1:...`")
    key = bytes.fromhex(found[1].decode())
    if _check_digits(key) != found[2]:
        raise ConfigurationError(f"the key in {path} is mistyped or damaged: its check digits do not match")
    return Secret(Unlocking.KEY_FILE, key)


def make_key_file(path: Path, key: bytes) -> None:
    """Write a new key file with these 32 random bytes. Raises ConfigurationError if it exists, StorageError."""
    if len(key) != SEALING_KEY_BYTES:
        raise ValueError("a key file holds 32 bytes")
    try:
        write_new(path, b"siegel-keybox-key:v1:%b:%b\n" % (key.hex().encode(), _check_digits(key)))
    except FileExistsError:
        raise ConfigurationError(f"the key file {path} exists already: it is never overwritten") from None


def read_passphrase(path: Path) -> Secret:
    """Read a passphrase from a file; the newline at its end does not belong to it. Raises ConfigurationError."""
    data = read_secret(path, "passphrase file").removesuffix(b"\n").removesuffix(b"\r")
    if len(data) < PASSPHRASE_BYTES_MIN:
        raise ConfigurationError(f"the passphrase in {path} is too short: at least {PASSPHRASE_BYTES_MIN} characters are needed")
    return Secret(Unlocking.PASSPHRASE, data)


def _check_digits(key: bytes) -> bytes:
    return hashlib.sha256(key).hexdigest()[:8].encode()
