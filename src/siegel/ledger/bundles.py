"""Entry bundles: entries one behind the other, each behind its length as a big-endian u16.

Source: c2sp.org/tlog-tiles, "Log entries".
"""

from collections.abc import Iterable
from typing import Final

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.tiles import TILE_WIDTH

ENTRY_BYTES_MAX: Final = 0xFFFF


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return the bytes of a bundle. Raises LedgerFormError for an entry of more than ENTRY_BYTES_MAX."""
    try:
        return b"".join([len(entry).to_bytes(2) + entry for entry in entries])
    except OverflowError:
        raise LedgerFormError(f"an entry has at most {ENTRY_BYTES_MAX} bytes") from None


def entries_of(bundle: bytes) -> list[bytes]:
    """Return the entries in a bundle. Raises LedgerFormError: cut within an entry, or more than 256 of them."""
    entries: list[bytes] = []
    at, end = 0, len(bundle)
    while at < end:
        start = at + 2
        at = start + (bundle[at] << 8) + bundle[start - 1] if start <= end else end + 1
        entries.append(bundle[start:at])
    if at > end:
        raise LedgerFormError("the bundle of entries is cut")
    if len(entries) > TILE_WIDTH:
        raise LedgerFormError(f"a bundle has at most {TILE_WIDTH} entries")
    return entries
