"""Another key for the database, step by step, while nobody has it open.

    copy      a file of the next number has all pages, under a fresh key; the key chest names the old file and its key
    change    the key chest names the copy and its key: one rename, so one of the two files is the database at every moment
    remove    the old file goes

What a run that died has left tells how far it was: a file that is newer than the database is half a copy, one that is older was
the database.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siegel.domain.faultpoints import reach
from siegel.drivers.custody.rootfile import RandomBytes
from siegel.drivers.custody.rotation import ChestRotation
from siegel.drivers.meta.process_lock import UseLock
from siegel.drivers.meta.sqlite import collect_entries, database_path, other_databases
from siegel.drivers.meta.sqlite_copy import Progress, copy_database, remove_database
from siegel.drivers.system import SystemClock
from siegel.envelope.derive import KEY_BYTES


class DatabaseRekeying:
    """Gives the database of a directory another key. All methods want it `held`, and raise ConfigurationError, StorageError."""

    def __init__(self, directory: Path, chest: ChestRotation, random_bytes: RandomBytes = os.urandom) -> None:
        """Work on the database in `directory`, which `chest` names."""
        self._directory = directory
        self._chest = chest
        self._random_bytes = random_bytes

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep everybody from the database, and others from the key chest. Raises ConfigurationError if somebody is there."""
        use = UseLock(self._directory, alone=True)
        try:
            with self._chest.held():
                yield
        finally:
            use.close()

    def is_begun(self) -> bool:
        """Remove half a copy; return whether the database has its new key, and the old file is still to be removed."""
        older, newer = self._others()
        for path in newer:
            remove_database(path)
        return bool(older)

    def change(self, progress: Progress) -> None:
        """Copy the database under a fresh key, and let the copy be it; `progress` is told how many pages of how many."""
        key, number = self._chest.database()
        fresh = self._random_bytes(KEY_BYTES)
        # Entry files are sealed under a key that is made of the database's.
        collect_entries(self._directory, key, SystemClock(), number)
        source, target = database_path(self._directory, number), database_path(self._directory, number + 1)
        copy_database((source, key), (target, fresh), progress)
        reach("rekey.after_copy")
        self._chest.change_database(fresh, number + 1)

    def remove(self) -> None:
        """Remove what was the database."""
        reach("rekey.before_removal")
        older, _ = self._others()
        for path in older:
            remove_database(path)

    def _others(self) -> tuple[list[Path], list[Path]]:
        _, number = self._chest.database()
        return other_databases(self._directory, number)
