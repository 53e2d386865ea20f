"""The sealed file of a box, byte by byte. The format's page is `docs/design/formats/keybox.md`.

offset  size  field
0       8     "SIEGELKB"
8       1     version of this format, 0x01
9       1     how it is unlocked: 1 key file, 2 passphrase
10      12    Argon2id: iterations, memory in KiB, lanes, each u32; zeros with a key file
22      16    salt
38      12    nonce, new with every writing
50      n     AES-256-GCM of the content as JSON, with bytes 0 to 49 as associated data
50 + n  16    tag
"""

import struct
from enum import IntEnum
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from siegel.customer.keybox.content import Content
from siegel.domain.errors import SealBrokenError

MAGIC: Final = b"SIEGELKB"
VERSION: Final = 1
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
SEALING_KEY_BYTES: Final = 32

_HEADER: Final = struct.Struct(">8sBBIII16s")
_CONTENT_AT: Final = _HEADER.size + NONCE_BYTES
_TAG_BYTES: Final = 16
_INFO: Final = b"siegel keybox file v1"


class Unlocking(IntEnum):
    """What opens a box."""

    KEY_FILE = 1
    PASSPHRASE = 2


class Effort(Struct, frozen=True):
    """How much work a passphrase costs (RFC 9106): the second recommended choice, 64 MiB."""

    iterations: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


NO_EFFORT: Final = Effort(0, 0, 0)
# A changed header must not make its reader work or allocate without end.
EFFORT_MAX: Final = Effort(64, 1_048_576, 64)


class Header(Struct, frozen=True):
    """The open part of the file."""

    unlocking: Unlocking
    effort: Effort
    salt: bytes

    def encode(self) -> bytes:
        """Return the header's bytes, without the nonce."""
        effort = self.effort
        return _HEADER.pack(MAGIC, VERSION, self.unlocking, effort.iterations, effort.memory_kib, effort.lanes, self.salt)


def read_header(data: bytes) -> Header:
    """Return the header of a box's file. Raises SealBrokenError for what is none, or asks for too much work."""
    if len(data) < _CONTENT_AT + _TAG_BYTES or data[: len(MAGIC)] != MAGIC:
        raise SealBrokenError("this is no box, or it was cut")
    _, version, unlocking, iterations, memory_kib, lanes, salt = _HEADER.unpack_from(data)
    if version != VERSION:
        raise SealBrokenError(f"the box has the form {version}, which this release does not know")
    effort = Effort(iterations, memory_kib, lanes)
    if unlocking == Unlocking.KEY_FILE and effort == NO_EFFORT:
        return Header(Unlocking.KEY_FILE, effort, salt)
    if unlocking == Unlocking.PASSPHRASE and is_sensible(effort):
        return Header(Unlocking.PASSPHRASE, effort, salt)
    raise SealBrokenError("the header of the box says something that no box says: it is damaged")


def is_sensible(effort: Effort) -> bool:
    """Tell whether a file may ask for so much work."""
    return (
        1 <= effort.lanes <= EFFORT_MAX.lanes
        and 1 <= effort.iterations <= EFFORT_MAX.iterations
        and 8 * effort.lanes <= effort.memory_kib <= EFFORT_MAX.memory_kib
    )


def derive_sealing_key(header: Header, secret: bytes) -> bytes:
    """Return the 32-byte key that seals the file: from the 32 bytes of a key file, or from the UTF-8 bytes of a passphrase.

    A passphrase costs what the header's effort says, some tenths of a second.
    """
    root = secret
    if header.unlocking is Unlocking.PASSPHRASE:
        root = stretch(secret, header.salt, header.effort)
    return HKDF(algorithm=SHA256(), length=SEALING_KEY_BYTES, salt=header.salt, info=_INFO).derive(root)


def stretch(passphrase: bytes, salt: bytes, effort: Effort) -> bytes:
    """Return 32 bytes that cost so much work to try for each guess (Argon2id, RFC 9106)."""
    return Argon2id(
        salt=salt,
        length=SEALING_KEY_BYTES,
        iterations=effort.iterations,
        lanes=effort.lanes,
        memory_cost=effort.memory_kib,
    ).derive(passphrase)


def seal_box(content: Content, header: Header, sealing_key: bytes, nonce: bytes) -> bytes:
    """Return the file's bytes. `nonce`: 12 random bytes, new for every writing."""
    front = header.encode() + nonce
    return front + AESGCM(sealing_key).encrypt(nonce, msgspec.json.encode(content), front)


def open_box(data: bytes, sealing_key: bytes) -> Content:
    """Return the content of a file whose header was read. Raises SealBrokenError: another secret, or damage."""
    front = data[:_CONTENT_AT]
    try:
        plain = AESGCM(sealing_key).decrypt(front[_HEADER.size :], data[_CONTENT_AT:], front)
    except InvalidTag:
        raise SealBrokenError("the box does not open: another passphrase or key file, or damage") from None
    return msgspec.json.decode(plain, type=Content)
