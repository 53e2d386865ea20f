"""The steps of a rotation of the root key that change the key chest.

    begin     the chest has two slots, old root key and new; the custodian has one more key, which seals from now on
    ...       what the custodian has sealed is sealed anew (`service/resealing.py`)
    finish    the slot of the old root key goes: it opens nothing any more; the replaced keys of the custodian only open
    forget    replaced keys go, once nothing that counts is sealed under them

Another key for the database is one step, once its copy is there: the chest names that copy and its key (`change_database`).

Each step replaces the chest whole: whatever happens in between, it opens, and the rotation goes on where it was.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from siegel.domain.errors import ConfigurationError
from siegel.drivers.custody.chest import CHEST_NAME, read_chest, write_chest
from siegel.drivers.custody.contents import Contents, CustodianKey
from siegel.drivers.custody.finder import RootFinder
from siegel.drivers.custody.rootfile import RandomBytes, create_root_key, load_root_key, open_shared
from siegel.drivers.custody.roots import FileRoot, Place, Root, TokenPlace
from siegel.drivers.custody.token import TokenRoot
from siegel.envelope.derive import KEY_BYTES

LOCK_NAME: Final = "keychest.lock"


class ChestRotation:
    """Changes the key chest. Each method wants it `held`."""

    def __init__(self, directory: Path, finder: RootFinder, target: Place | None, random_bytes: RandomBytes = os.urandom) -> None:
        """Work on the chest in `directory`; the new root key is to rest at `target`, the others are found by `finder`."""
        self._directory = directory
        self._path = directory / CHEST_NAME
        self._finder = finder
        self._target = target
        self._random_bytes = random_bytes

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the chest against other rotations. Raises ConfigurationError if somebody else does."""
        lock = open_shared(self._directory / LOCK_NAME)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError("another process rotates the root key of this deployment") from None
            yield
        finally:
            os.close(lock)

    def begin(self) -> tuple[str, str]:
        """Let both root keys open the chest, and a fresh key of the custodian seal; return the places of the old and the new one.

        A root key that is not yet at the target is made. Where a rotation is under way it goes on, and no target need be told.
        Raises ConfigurationError: no target, the root key as it is, or another target than that of the rotation under way.
        """
        target = self._target
        chest = read_chest(self._path)
        if chest is not None and len(chest.slots) > 1:
            old, new = chest.slots
            if target is not None and str(target) != str(new.place):
                raise ConfigurationError(f"a rotation to {new.place} is under way\ntry: the same command without a target")
            return str(old.place), str(new.place)
        if target is None:
            raise ConfigurationError("no rotation is under way: say where the new root key shall rest\ntry: --to-file FILE")
        contents, old_root, _ = self._finder.present(self._path)
        new_root = self._root_for(target)
        if new_root.root_id == old_root.root_id:
            raise ConfigurationError(f"the root key in {target} is the one that opens this deployment already")
        fresh = CustodianKey(contents.current.number + 1, self._random_bytes(KEY_BYTES))
        write_chest(self._path, replace(contents, keys=(*contents.keys, fresh)), (old_root, new_root))
        return str(old_root.place), str(new_root.place)

    def finish(self, at_ms: int) -> None:
        """Take away the slot of the old root key; the custodian's older keys count as retired. Harmless when repeated.

        Raises ConfigurationError, above all if the new root key cannot be reached: then both go on to open the chest.
        """
        chest = read_chest(self._path)
        if chest is None or len(chest.slots) == 1:
            return
        contents, root = self._finder.open(replace(chest, slots=chest.slots[-1:]))
        retired = tuple(key if key.retired_at_ms else replace(key, retired_at_ms=at_ms) for key in contents.keys[:-1])
        write_chest(self._path, replace(contents, keys=(*retired, contents.current)), (root,))

    def forget(self, before_ms: int) -> None:
        """Drop the custodian's keys that were retired before a time. Raises ConfigurationError."""
        chest = read_chest(self._path)
        if chest is None or len(chest.slots) > 1:
            return
        contents, root = self._finder.open(chest)
        kept = tuple(key for key in contents.keys if not 0 < key.retired_at_ms < before_ms)
        write_chest(self._path, replace(contents, keys=kept), (root,))

    def database(self) -> tuple[bytes, int]:
        """Return the key and the number of the database. Raises ConfigurationError, also while a rotation is under way."""
        chest = read_chest(self._path)
        if chest is not None and len(chest.slots) > 1:
            raise ConfigurationError(
                f"a rotation of the root key is under way\ntry: siegel root rotate {self._directory}, then this again"
            )
        contents, _, _ = self._finder.present(self._path)
        return contents.database_key, contents.database_number

    def change_database(self, key: bytes, number: int) -> None:
        """Let the database of a number, with its key, be the deployment's from now on. Raises ConfigurationError."""
        contents, root, _ = self._finder.present(self._path)
        write_chest(self._path, replace(contents, database_key=key, database_number=number), (root,))

    def _root_for(self, target: Place) -> Root:
        if isinstance(target, TokenPlace):
            return TokenRoot(target, is_made=True)
        path = self._directory / target.path
        return FileRoot(load_root_key(path) if path.exists() else create_root_key(path, self._random_bytes), target)


def create_chest(directory: Path, root: Root, random_bytes: RandomBytes = os.urandom) -> None:
    """Make the chest of a new deployment, whose keys are random. Raises ConfigurationError if there is one."""
    path = directory / CHEST_NAME
    if path.exists():
        raise ConfigurationError(f"{path} exists already: this directory is initialised")
    keys = (CustodianKey(1, random_bytes(KEY_BYTES)),)
    write_chest(path, Contents(1, random_bytes(KEY_BYTES), keys), (root,))
