"""Whose signatures count, as the customer keeps it in his directory of audits: `consent-keys/<since>`, one file for each change.

The newest counts for what is signed now. Each is kept, since an approval of before was signed by the keys of before.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from siegel.customer.datedfiles import list_dated, read_bounded, write_dated
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerError
from siegel.ledger.consent_keys import ConsentKeys, parse_consent_keys
from siegel.ledger.consent_lines import DOCUMENT_BYTES_MAX

FOLDER_NAME: Final = "consent-keys"

_TRY: Final = "try: siegel consent keys put DIR FILE"


class Pin(Struct, frozen=True):
    """A file of keys, and since when it counts, in seconds since 1970."""

    since_s: int
    keys: ConsentKeys
    data: bytes


class Pins(Struct, frozen=True):
    """All that was pinned in a directory, the oldest first."""

    pins: tuple[Pin, ...] = ()

    @property
    def current(self) -> ConsentKeys:
        """The keys that sign now. Raises ConfigurationError if none are pinned."""
        if not self.pins:
            raise ConfigurationError(f"no consent keys are pinned\n{_TRY}")
        return self.pins[-1].keys

    def at(self, at_s: float, slack_s: float) -> list[ConsentKeys]:
        """Return the keys that counted at a time: those of before and after where it was about the time of a change.

        What is older than every pin is judged by the oldest one.
        """
        found = [
            pin
            for pin, after in zip(self.pins, (*self.pins[1:], None), strict=False)
            if pin.since_s <= at_s + slack_s and (after is None or after.since_s > at_s - slack_s)
        ]
        return [pin.keys for pin in found or self.pins[:1]]


def read_pins(folder: Path) -> Pins:
    """Return what is pinned in a directory of audits. Raises ConfigurationError for a file that is none."""
    return Pins(tuple(Pin(each.since_s, *_read_keys(each.path)) for each in list_dated(folder / FOLDER_NAME)))


def read_keys(path: Path) -> bytes:
    """Return the bytes of a file of keys, which `pin` takes. Raises ConfigurationError for one that is none."""
    return _read_keys(path)[1]


def pin(folder: Path, data: bytes, now_s: int) -> None:
    """Pin what `read_keys` returned from now on; what counts already changes nothing. Raises ConfigurationError, StorageError."""
    known = read_pins(folder).pins
    if known and known[-1].data == data:
        return
    write_dated(folder / FOLDER_NAME, data, max(now_s, known[-1].since_s + 1) if known else now_s)


def _read_keys(path: Path) -> tuple[ConsentKeys, bytes]:
    data = read_bounded(path, DOCUMENT_BYTES_MAX)
    try:
        return parse_consent_keys(data), data
    except LedgerError as error:
        raise ConfigurationError(f"{path}: {error}") from None
