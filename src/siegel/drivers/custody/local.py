"""The custodian that keeps the root key in a file of the service's own machine.

The file is one line of text, readable by the service's user alone:

    siegel-root-key:v1:<64 hex digits: the key>:<8 hex digits: the first 4 bytes of the key's SHA-256>

The check digits tell a line that was cut or mistyped (it may have been restored from paper) from a key that is another
store's. The key itself is used for nothing but deriving others (`docs/design/formats/keys.md`).
"""

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from siegel.domain.errors import ConfigurationError, SealBrokenError
from siegel.envelope.derive import KEY_BYTES, Label, derive_key
from siegel.envelope.record import NONCE_BYTES, RecordKey

_LINE: Final = re.compile(rb"siegel-root-key:v1:([0-9a-f]{64}):([0-9a-f]{8})\n?")
_LINE_BYTES_MAX: Final = 128
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# What the custodian seals is bound to this in front of the caller's context, so that no other seal passes for it.
_CONTEXT: Final = b"siegel custodian v1\x00"

RandomBytes = Callable[[int], bytes]


class LocalCustodian:
    """Keeper of the root key (port KeyCustodian). Neither `repr` nor any error shows a key."""

    __slots__ = ("_database_key", "_random_bytes", "_record_key")

    def __init__(self, root_key: bytes, random_bytes: RandomBytes = os.urandom) -> None:
        """Take the 32-byte root key and a source of nonces. The root key itself is not kept, only what is derived from it."""
        if len(root_key) != KEY_BYTES:
            raise ConfigurationError("a root key has 32 bytes")
        self._record_key = RecordKey(derive_key(root_key, Label.CUSTODIAN))
        self._database_key = derive_key(root_key, Label.DATABASE)
        self._random_bytes = random_bytes

    @classmethod
    def create_file(cls, path: Path, random_bytes: RandomBytes = os.urandom) -> "LocalCustodian":
        """Make a new root key, write it durably to a new file of mode 0600, and return its custodian.

        Raises ConfigurationError if the file exists (an old root key is never overwritten) or cannot be written.
        """
        root_key = random_bytes(KEY_BYTES)
        try:
            _write_durably(path, _line_of(root_key))
        except FileExistsError:
            raise ConfigurationError(f"the root key file {path} exists already: it is never overwritten") from None
        except OSError as error:
            raise ConfigurationError(f"the root key file {path} cannot be written: {error.strerror}") from None
        return cls(root_key, random_bytes)

    @classmethod
    def load(cls, path: Path, random_bytes: RandomBytes = os.urandom) -> "LocalCustodian":
        """Read the root key. Raises ConfigurationError: missing, unreadable, open to others, or malformed.

        A well-formed key of another store is told by the first thing it should open (`unwrap`, or the database).
        """
        try:
            line = _read_private(path)
        except FileNotFoundError:
            raise ConfigurationError(
                f"the root key file {path} is missing: restore it from its copy, nothing in this store opens without it"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"the root key file {path} cannot be read: {error.strerror}") from None
        found = _LINE.fullmatch(line)
        if found is None:
            raise ConfigurationError(f"the root key file {path} is malformed: it must hold one line `siegel-root-key:v1:...`")
        root_key = bytes.fromhex(found[1].decode())
        if _check_digits(root_key) != found[2]:
            raise ConfigurationError(f"the root key in {path} is mistyped or damaged: its check digits do not match")
        return cls(root_key, random_bytes)

    def wrap(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal `plaintext` bound to `context`; it is opened again and compared before it is returned."""
        wrapped = self._record_key.seal(plaintext, _CONTEXT + context, self._random_bytes(NONCE_BYTES))
        if not hmac.compare_digest(self.unwrap(wrapped, context), plaintext):
            raise SealBrokenError("a fresh wrap opened to something else")
        return wrapped

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Open what `wrap` made for the same `context`. Raises SealBrokenError."""
        return self._record_key.open(wrapped, _CONTEXT + context)

    def database_key(self) -> bytes:
        """Return the 32-byte key that encrypts the metadata database."""
        return self._database_key

    def __repr__(self) -> str:
        return "LocalCustodian()"


def _check_digits(root_key: bytes) -> bytes:
    return hashlib.sha256(root_key).hexdigest()[:8].encode()


def _line_of(root_key: bytes) -> bytes:
    return b"siegel-root-key:v1:%b:%b\n" % (root_key.hex().encode(), _check_digits(root_key))


def _write_durably(path: Path, line: bytes) -> None:
    """Write a new file, and sync it and its name: a root key that is lost in a power cut takes the store with it."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(line)
        stream.flush()
        os.fsync(file)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_private(path: Path) -> bytes:
    """Read a small file that only its owner may touch. Links are followed: secrets are often mounted as links."""
    # Without O_NONBLOCK the open would hang on a FIFO.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(file).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigurationError(f"the root key file {path} is not a regular file")
        if mode & _OTHERS:
            raise ConfigurationError(
                f"the root key file {path} is open to other users (mode {stat.S_IMODE(mode):04o}): run `chmod 600 {path}`"
            )
        return os.read(file, _LINE_BYTES_MAX)
    finally:
        os.close(file)
