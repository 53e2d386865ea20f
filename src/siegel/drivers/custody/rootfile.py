"""The root key as a file: one line of text, readable by the service's user alone.

    siegel-root-key:v1:<64 hex digits: the key>:<8 hex digits: the first 4 bytes of the key's SHA-256>

The check digits tell a line that was cut or mistyped (it may have been restored from paper) from a key that is another
store's. The key itself is used for nothing but deriving others (`docs/design/formats/keys.md`).
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from siegel.domain.errors import ConfigurationError
from siegel.envelope.derive import KEY_BYTES

_LINE: Final = re.compile(rb"siegel-root-key:v1:([0-9a-f]{64}):([0-9a-f]{8})\n?")
_LINE_BYTES_MAX: Final = 128
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

RandomBytes = Callable[[int], bytes]


def create_root_key(path: Path, random_bytes: RandomBytes = os.urandom) -> bytes:
    """Make a new root key, write it durably to a new file of mode 0600, and return it.

    Raises ConfigurationError if the file exists (an old root key is never overwritten) or cannot be written.
    """
    root_key = random_bytes(KEY_BYTES)
    try:
        write_durably(path, _line_of(root_key))
    except FileExistsError:
        raise ConfigurationError(f"the root key file {path} exists already: it is never overwritten") from None
    except OSError as error:
        raise ConfigurationError(f"the root key file {path} cannot be written: {error.strerror}") from None
    return root_key


def load_root_key(path: Path) -> bytes:
    """Read the root key. Raises ConfigurationError: missing, unreadable, open to others, or malformed."""
    try:
        line = read_private(path, "root key", _LINE_BYTES_MAX)
    except FileNotFoundError:
        raise ConfigurationError(
            f"the root key file {path} is missing: restore it from its copy, nothing in this store opens without it"
        ) from None
    found = _LINE.fullmatch(line)
    if found is None:
        raise ConfigurationError(f"the root key file {path} is malformed: it must hold one line `siegel-root-key:v1:...`")
    root_key = bytes.fromhex(found[1].decode())
    if _check_digits(root_key) != found[2]:
        raise ConfigurationError(f"the root key in {path} is mistyped or damaged: its check digits do not match")
    return root_key


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file, and sync it and its name: a root key that is lost in a power cut takes the store with it.

    The file belongs to the owner of its folder: what root makes for the service, the service must be able to read.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as stream:
        give_to_owner(file, path.parent)
        stream.write(content)
        stream.flush()
        os.fsync(file)
    sync_folder(path.parent)


def give_to_owner(file: int, folder: Path) -> None:
    """Let an open file belong to the owner of its folder, where root has made it. Raises OSError."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)


def open_shared(path: Path) -> int:
    """Open a small file that every process of the deployment opens, made if it is missing. Raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        give_to_owner(file, path.parent)
    except OSError:
        os.close(file)
        raise
    return file


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_private(path: Path, what: str, bytes_max: int) -> bytes:
    """Read a small file that only its owner may touch. Links are followed: secrets are often mounted as links.

    Raises FileNotFoundError, and ConfigurationError for a file that cannot be read or is not private; `what` names its content.
    """
    try:
        # Without O_NONBLOCK the open would hang on a FIFO.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(f"the {what} file {path} cannot be read: {error.strerror}") from None
    try:
        mode = os.fstat(file).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigurationError(f"the {what} file {path} is not a regular file")
        if mode & _OTHERS:
            raise ConfigurationError(
                f"the {what} file {path} is open to other users (mode {stat.S_IMODE(mode):04o}): run `chmod 600 {path}`"
            )
        return os.read(file, bytes_max)
    finally:
        os.close(file)


def _check_digits(root_key: bytes) -> bytes:
    return hashlib.sha256(root_key).hexdigest()[:8].encode()


def _line_of(root_key: bytes) -> bytes:
    return b"siegel-root-key:v1:%b:%b\n" % (root_key.hex().encode(), _check_digits(root_key))
