"""What the customer has revoked, as he keeps it in his directory of audits: `revoked/<id>`, with the time when the store took it.

Without that a store would be believed which says yes, writes nothing down, and lets him go on who was to be stopped: a ledger
does not show what it lacks.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from siegel.customer.keybox.durable import sync_folder, write_new
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.ledgers import LedgerError
from siegel.domain.moments import encode_time
from siegel.ledger.consent_lines import parse_time
from siegel.ledger.consents import is_consent_id

FOLDER_NAME: Final = "revoked"
_BYTES_MAX: Final = 100


def note_revoked(folder: Path, consent_id: str, now_s: int) -> None:
    """Remember in a directory of audits that a consent is revoked; the first time counts. Raises StorageError."""
    place = folder / FOLDER_NAME / consent_id
    try:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder)
        with suppress(FileExistsError):
            write_new(place, f"{encode_time(now_s)}\n".encode())
    except OSError as error:
        raise StorageError(f"{place} cannot be written: {error.strerror}") from None


def read_revoked(folder: Path) -> dict[str, int]:
    """Return the ids of what was revoked, and when, in seconds since 1970. Raises ConfigurationError."""
    place = folder / FOLDER_NAME
    try:
        return {path.name: _read(path) for path in sorted(place.iterdir()) if is_consent_id(path.name)}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{place} cannot be read: {error.strerror}") from None


def _read(path: Path) -> int:
    try:
        with path.open("rb") as stream:
            return parse_time(stream.read(_BYTES_MAX).decode(errors="replace").removesuffix("\n"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except LedgerError as error:
        raise ConfigurationError(f"{path}: {error}") from None
