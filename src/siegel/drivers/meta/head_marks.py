"""The last signed heads, in a file beside the database: a database that was put back to an older state is told by it.

    offset  size  field
    0       8     "SGLHEADS"
    8       24    zero
    then for each log, at 32 + 48 * log id:
    0       8     entries under the head, big-endian
    8       32    root
    40      8     the first bytes of the SHA-256 of what is before

Nothing is synced: a mark that is older than its head, or missing, tells nothing and does no harm.
"""

import os
from hashlib import sha256
from pathlib import Path
from struct import Struct as Layout
from typing import Final

from siegel.domain.errors import StorageError

_MARKER: Final = b"SGLHEADS"
_BEGIN: Final = 32
_BODY: Final = Layout(">Q32s")
_CHECK_BYTES: Final = 8
_RECORD_BYTES: Final = _BODY.size + _CHECK_BYTES


class FileHeadMarks:
    """The `HeadMarks` port."""

    def __init__(self, path: Path) -> None:
        """Keep marks in the file `path`, made with the first mark."""
        self._path = path

    def last(self, log_id: int) -> tuple[int, bytes] | None:
        """Return size and root of the last marked head of a log, None if there is none. Raises StorageError."""
        try:
            with self._path.open("rb") as file:
                head = file.read(_BEGIN)
                file.seek(_BEGIN + log_id * _RECORD_BYTES)
                record = file.read(_RECORD_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read: {error.strerror}") from error
        if head[: len(_MARKER)] != _MARKER:
            raise StorageError(f"{self._path} is no file of signed heads, or of a newer release")
        body, check = record[: _BODY.size], record[_BODY.size :]
        if len(check) < _CHECK_BYTES or _check(body) != check:
            return None
        size, root = _BODY.unpack(body)
        return size, root

    def put(self, log_id: int, size: int, root: bytes) -> None:
        """Mark a head as signed. Raises StorageError."""
        body = _BODY.pack(size, root)
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                if not os.fstat(file).st_size:
                    os.pwrite(file, _MARKER.ljust(_BEGIN, b"\0"), 0)
                os.pwrite(file, body + _check(body), _BEGIN + log_id * _RECORD_BYTES)
            finally:
                os.close(file)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error.strerror}") from error


def _check(body: bytes) -> bytes:
    return sha256(body).digest()[:_CHECK_BYTES]
