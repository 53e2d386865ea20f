"""The records of an entry file: batches of journal entries, each sealed under a number of its own.

    offset  size  field
    0       8     "SGLENTR" and the version of this format, 0x01
    8       24    salt, random, fresh each time that a process takes the file
    32      ...   records

    of a record:
    0       4     length of what is sealed, big-endian
    4       8     number, big-endian: one more than that of the record before, never used twice
    12      n     sealed (`envelope/record.py`): the time (8 bytes, milliseconds since 1970, big-endian) and the entries

The key is derived from that of the database and the salt, the nonce is the number (12 bytes, big-endian), and what is sealed is
bound to length, number and the file's slot. A record that was torn, moved or changed does not open. Format page:
`docs/design/formats/journal.md`.
"""

import os
from collections.abc import Iterator
from struct import Struct as Layout
from typing import Final

from msgspec import Struct

from siegel.domain.errors import SealBrokenError, StorageError
from siegel.envelope.derive import Label, derive_key
from siegel.envelope.record import NONCE_BYTES, RECORD_OVERHEAD_BYTES, RecordKey

SALT_BYTES: Final = 24

_MARKER: Final = b"SGLENTR\x01"
HEADER_BYTES: Final = len(_MARKER) + SALT_BYTES
_FRONT: Final = Layout(">IQ")
_TIME: Final = Layout(">Q")
_SLOT: Final = Layout(">I")
_OVERHEAD_BYTES: Final = _TIME.size + RECORD_OVERHEAD_BYTES
_READ_BYTES: Final = 256 * 1024
# No batch is longer; a length beyond was never one of ours.
_SEALED_BYTES_MAX: Final = 64 * 1024 * 1024


class Record(Struct, frozen=True, gc=False):
    """One batch of entries as they are stored in the journal; `stop` is where the next record begins in the file."""

    number: int
    recorded_at_ms: int
    entries: bytes
    stop: int


class RecordCipher:
    """Seals and opens the records of one file under one salt. Never shows its key."""

    __slots__ = ("_key", "_slot", "salt")

    def __init__(self, database_key: bytes, slot: int, salt: bytes) -> None:
        self.salt = salt
        self._slot = _SLOT.pack(slot)
        self._key = RecordKey(derive_key(database_key, Label.ENTRY_FILE, salt))

    @property
    def header(self) -> bytes:
        """The front of the file."""
        return _MARKER + self.salt

    def seal(self, number: int, recorded_at_ms: int, entries: bytes) -> bytes:
        """Return a record. `number` must never have served under this salt.

        Raises StorageError for more than can be read back.
        """
        if len(entries) > _SEALED_BYTES_MAX - _OVERHEAD_BYTES:
            raise StorageError("the entries of a batch are too large for one record")
        front = _FRONT.pack(len(entries) + _OVERHEAD_BYTES, number)
        nonce = number.to_bytes(NONCE_BYTES, "big")
        return front + self._key.seal(_TIME.pack(recorded_at_ms) + entries, front + self._slot, nonce)

    def open(self, front: bytes, sealed: bytes, stop: int) -> Record | None:
        """Open a record whose front is `front`; None for what is none."""
        number = _FRONT.unpack(front)[1]
        try:
            plain = self._key.open(sealed, front + self._slot)
        except SealBrokenError:
            return None
        return Record(number, _TIME.unpack_from(plain)[0], plain[_TIME.size :], stop)

    def scan(self, descriptor: int, start: int) -> Iterator[Record]:
        """Yield the records from an offset of the file on, up to what is none, or does not follow. Raises OSError."""
        data, at = b"", 0
        wanted = None
        while True:
            front = data[at : at + _FRONT.size]
            length = _FRONT.unpack(front)[0] if len(front) == _FRONT.size else 0
            if length > _SEALED_BYTES_MAX or (len(front) == _FRONT.size and length < _OVERHEAD_BYTES):
                return
            size = _FRONT.size + length
            if len(data) - at < size or not length:
                start, data, at = start + at, data[at:], 0
                more = os.pread(descriptor, max(_READ_BYTES, size), start + len(data))
                if not more:
                    return
                data += more
                continue
            record = self.open(front, data[at + _FRONT.size : at + size], start + at + size)
            if record is None or record.number != (wanted or record.number):
                return
            wanted = record.number + 1
            at += size
            yield record


def read_salt(header: bytes) -> bytes | None:
    """Return the salt in the front of a file; None where no process has taken it yet."""
    if len(header) < HEADER_BYTES or not header.startswith(_MARKER):
        return None
    return header[len(_MARKER) : HEADER_BYTES]
