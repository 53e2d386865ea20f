"""The directory of a box: its files, who may change them at a time, and how they are opened.

box.sealed       keys and credentials, sealed; replaced whole with every change
box.key          the key file, unless it lies elsewhere or a passphrase is used
log.jsonl        the chained log
policy.toml      who may use the keys; written by hand
certificates/    a certificate for every destroyed key
box.lock, serve.lock
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from siegel.customer.keybox.boxfile import (
    NO_EFFORT,
    NONCE_BYTES,
    SALT_BYTES,
    Effort,
    Header,
    Unlocking,
    derive_sealing_key,
    open_box,
    read_header,
    seal_box,
)
from siegel.customer.keybox.content import Content
from siegel.customer.keybox.durable import replace_whole, write_new
from siegel.customer.keybox.unlocking import Secret
from siegel.domain.errors import ConfigurationError, SealBrokenError

BOX_NAME: Final = "box.sealed"
KEY_NAME: Final = "box.key"
LOG_NAME: Final = "log.jsonl"
POLICY_NAME: Final = "policy.toml"
CERTIFICATES_NAME: Final = "certificates"
# A box of KEYS_MAX keys stays far below.
BOX_BYTES_MAX: Final = 16 * 1024 * 1024

_HOW: Final = {Unlocking.KEY_FILE: "a key file\ntry: --key-file", Unlocking.PASSPHRASE: "a passphrase\ntry: --passphrase-file"}

RandomBytes = Callable[[int], bytes]


class OpenBox:
    """The sealed file of a box, with what opens it: the derived key stays, so that a change can be read at once."""

    def __init__(self, folder: Path, secret: Secret, random_bytes: RandomBytes = os.urandom) -> None:
        """Open the box in `folder`. Raises ConfigurationError: there is none, the wrong secret, damage."""
        self.folder = folder
        self._path = folder / BOX_NAME
        self._random_bytes = random_bytes
        data = _read_box(folder)
        try:
            self._header = read_header(data)
            _check_unlocking(folder, self._header, secret.unlocking)
            self._sealing_key = derive_sealing_key(self._header, secret.data)
            self.content = open_box(data, self._sealing_key)
        except SealBrokenError as error:
            raise ConfigurationError(f"{self._path}: {error}") from None

    def __repr__(self) -> str:
        return f"OpenBox({self.folder})"

    def reload(self) -> Content:
        """Read the content again. Raises ConfigurationError where the file is gone, damaged or sealed anew otherwise."""
        data = _read_box(self.folder)
        try:
            if read_header(data) != self._header:
                raise ConfigurationError(f"{self._path} was sealed anew: start again")
            self.content = open_box(data, self._sealing_key)
        except SealBrokenError as error:
            raise ConfigurationError(f"{self._path}: {error}") from None
        return self.content

    @contextmanager
    def changing(self) -> Iterator[Content]:
        """Yield the content as it is now; nobody else changes it meanwhile."""
        with locked(self.folder / "box.lock"):
            yield self.reload()

    def write(self, content: Content) -> None:
        """Replace the content, durably; call it within `changing`. Raises StorageError."""
        sealed = seal_box(content, self._header, self._sealing_key, self._random_bytes(NONCE_BYTES))
        replace_whole(self._path, sealed, blanks_old=True)
        self.content = content


def check_unlocking(folder: Path, given: Unlocking) -> None:
    """See that the box in a folder is unlocked by what is given, before that is read. Raises ConfigurationError."""
    try:
        _check_unlocking(folder, read_header(_read_box(folder)), given)
    except SealBrokenError as error:
        raise ConfigurationError(f"{folder / BOX_NAME}: {error}") from None


def create_box(
    folder: Path, content: Content, secret: Secret, *, effort: Effort | None = None, random_bytes: RandomBytes = os.urandom
) -> None:
    """Write a new sealed file. Raises ConfigurationError if there is a box already, StorageError."""
    cost = NO_EFFORT if secret.unlocking is Unlocking.KEY_FILE else effort or Effort()
    header = Header(secret.unlocking, cost, random_bytes(SALT_BYTES))
    sealing_key = derive_sealing_key(header, secret.data)
    try:
        write_new(folder / BOX_NAME, seal_box(content, header, sealing_key, random_bytes(NONCE_BYTES)))
    except FileExistsError:
        raise ConfigurationError(f"{folder} holds a box already: it is never overwritten") from None


@contextmanager
def locked(path: Path, *, refusal: str | None = None, shared: bool = False) -> Iterator[None]:
    """Hold a lock file; wait for it, or with `refusal` raise ConfigurationError(refusal) while somebody else holds it.

    `shared`: beside others who hold it so.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        _take(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, refusal)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int, refusal: str | None) -> None:
    try:
        fcntl.flock(descriptor, kind | (fcntl.LOCK_NB if refusal else 0))
    except BlockingIOError:
        raise ConfigurationError(refusal) from None


def _check_unlocking(folder: Path, header: Header, given: Unlocking) -> None:
    if header.unlocking is not given:
        raise ConfigurationError(f"the box in {folder} is unlocked by {_HOW[header.unlocking]}")


def _read_box(folder: Path) -> bytes:
    path = folder / BOX_NAME
    try:
        while True:
            with path.open("rb") as stream:
                data = stream.read(BOX_BYTES_MAX)
                # A file that was replaced meanwhile may have been overwritten under our eyes.
                if path.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                    return data
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigurationError(f"{folder} holds no box\ntry: siegel keybox init {folder}") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
