"""Files of which each counts since its own time: `<folder>/<since>`, one for each change, as 20270115T080000Z.

What counted before stays, since what was signed then was signed under it.
"""

import calendar
import re
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from siegel.customer.keybox.durable import sync_folder, write_new
from siegel.domain.errors import ConfigurationError, StorageError

_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)


class DatedFile(Struct, frozen=True):
    """A file, and since when it counts, in seconds since 1970."""

    since_s: int
    path: Path


def list_dated(folder: Path) -> list[DatedFile]:
    """Return the files of a folder, the oldest first; of one that is not there, none. Raises ConfigurationError."""
    try:
        paths = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be read: {error.strerror}") from None
    return [DatedFile(_since(path), path) for path in paths]


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """Return a file, cut a byte behind the most that it may have. Raises ConfigurationError."""
    try:
        with path.open("rb") as stream:
            return stream.read(bytes_max + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def write_dated(folder: Path, data: bytes, since_s: int) -> None:
    """Write a file that counts from `since_s` on. Raises StorageError."""
    place = folder / time.strftime(_FORMAT, time.gmtime(since_s))
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)
        write_new(place, data)
    except OSError as error:
        raise StorageError(f"{place} cannot be written: {error.strerror}") from None


def _since(path: Path) -> int:
    try:
        return calendar.timegm(time.strptime(path.name, _FORMAT))
    except ValueError:
        raise ConfigurationError(f"{path} is not named by a time") from None
