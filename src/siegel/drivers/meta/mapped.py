"""Numbers that all processes of a deployment share: 8 bytes each, of a file that each of them maps."""

import mmap
import os
from pathlib import Path
from typing import Final

from siegel.domain.errors import StorageError
from siegel.drivers.custody.rootfile import open_shared

_CELL_BYTES: Final = 8


class MappedCells:
    """The numbers of one file, as `cells`. Whoever removes the file must have ended every process that has it mapped."""

    def __init__(self, path: Path, count: int) -> None:
        """Map the file of `count` numbers, made of zeros if it is missing. Raises StorageError if that fails."""
        size = count * _CELL_BYTES
        try:
            descriptor = open_shared(path)
            try:
                # Real space, not a hole: a store into a hole of a full disk would end the process.
                os.posix_fallocate(descriptor, 0, size)
                self._map = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"{path} cannot be mapped: {error}") from error
        self.cells = memoryview(self._map).cast("Q")

    def close(self) -> None:
        """Unmap the file."""
        self.cells.release()
        self._map.close()
