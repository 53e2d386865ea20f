"""The first bytes of an entry, which every auditor reads, whatever else the entry says.

    offset  size  field
    0       1     version of the entry's format; below 0x20
    1       8     when it was recorded, in milliseconds since 1970, UTC, big-endian
    9       8     id of the request, big-endian; zeros where nobody asked
    17      n     the rest, by its version

A hand-over (`handover.py`) is text and has none of these.
"""

from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.handover import FIRST_LINE, parse_hand_over

_TIME_AT: Final = 1
_REQUEST_AT: Final = 9
_REST_AT: Final = 17
_TEXT: Final = 0x20


class EntryHead(Struct, frozen=True):
    """When an entry was recorded, and the request that it is about: 16 hex digits in upper case, or empty."""

    recorded_at_ms: int
    request_id: str


def read_entry_head(entry: bytes) -> EntryHead | None:
    """Return the head of an entry, None for a hand-over. Raises LedgerFormError for what is neither."""
    if entry.startswith(FIRST_LINE):
        parse_hand_over(entry)
        return None
    if len(entry) < _REST_AT or entry[0] >= _TEXT:
        raise LedgerFormError("the entry is of no form that a ledger of Siegel has")
    request = entry[_REQUEST_AT:_REST_AT]
    return EntryHead(int.from_bytes(entry[_TIME_AT:_REQUEST_AT]), request.hex().upper() if any(request) else "")
