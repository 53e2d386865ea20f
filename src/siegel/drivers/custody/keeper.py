"""The custodian of a running deployment: it opens the key chest by any root key that it can reach, and follows its changes.

Where there is no chest, the keys are derived from the root key file. A wrap looks whether the chest was replaced, so what is
sealed after a rotation has begun is sealed by its new key; a record of a key that is not known makes an unwrap look as well.
"""

from pathlib import Path
from typing import Final, NamedTuple

from siegel.domain.errors import ConfigurationError, SealBrokenError, StorageError
from siegel.drivers.custody.chest import CHEST_NAME
from siegel.drivers.custody.finder import RootFinder
from siegel.drivers.custody.keyset import KeySet, UnknownKeyError
from siegel.drivers.custody.rootfile import sync_folder

_NO_FILE: Final = (0, 0, 0)


class _Seen(NamedTuple):
    signature: tuple[int, int, int]
    keys: KeySet
    places: tuple[str, ...]


class ChestCustodian:
    """Keeper of the keys that hang on the root key (port KeyCustodian). The root key itself is not kept."""

    def __init__(self, directory: Path, finder: RootFinder) -> None:
        """Open the keys of the deployment in `directory`. Raises ConfigurationError: no root key that opens them is reached."""
        self._path = directory / CHEST_NAME
        self._finder = finder
        self._seen = self._look()

    def wrap(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal `plaintext` bound to `context` under the newest key. Raises StorageError if that one cannot be reached."""
        self._follow()
        return self._seen.keys.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Open what `wrap` made for the same `context`. Raises SealBrokenError, StorageError (a new key cannot be reached)."""
        try:
            return self._seen.keys.unwrap(wrapped, context)
        except UnknownKeyError:
            self._follow()
            return self._seen.keys.unwrap(wrapped, context)

    def renew(self, wrapped: bytes, context: bytes) -> bytes:
        """Return what `wrapped` holds sealed under the newest key, or `wrapped` itself if it is."""
        self._follow()
        return self._seen.keys.renew(wrapped, context)

    def database_key(self) -> bytes:
        """Return the 32-byte key that encrypts the metadata database."""
        return self._seen.keys.database_key()

    def database_number(self) -> int:
        """Return which file the metadata database is."""
        return self._seen.keys.database_number

    def retired_at_ms(self) -> int:
        """Return when the oldest of the keys that only open was retired; 0 if there is none. Raises StorageError."""
        self._follow()
        return self._seen.keys.retired_at_ms

    def root_places(self) -> tuple[str, ...]:
        """Say where the root key rests; where it is rotated, the place of the new one as well. Raises StorageError."""
        self._follow()
        return self._seen.places

    def _look(self) -> _Seen:
        # The signature first: a chest that is replaced in between is then looked at once more.
        signature = _signature(self._path)
        contents, _, places = self._finder.present(self._path)
        if signature != _NO_FILE:
            # Whoever replaced it may not have come so far: nothing is sealed by a key that a power cut could take back.
            _sync(self._path.parent)
        return _Seen(signature, KeySet(contents), places)

    def _follow(self) -> None:
        """Take up a chest that was replaced. One that has gone changes nothing: what is known goes on."""
        signature = _signature(self._path)
        if signature in {self._seen.signature, _NO_FILE}:
            return
        try:
            self._seen = self._look()
        except (ConfigurationError, SealBrokenError) as error:
            raise StorageError(f"the new key chest does not open: {error}") from error

    def __repr__(self) -> str:
        return "ChestCustodian()"


def _sync(folder: Path) -> None:
    try:
        sync_folder(folder)
    except OSError as error:
        raise ConfigurationError(f"the folder {folder} cannot be synced: {error.strerror}") from None


def _signature(path: Path) -> tuple[int, int, int]:
    """Return what tells two chests apart: each one is a new file."""
    try:
        seen = path.stat()
    except OSError:
        return _NO_FILE
    return seen.st_ino, seen.st_mtime_ns, seen.st_size
