"""When object keys were last changed, for all processes of a deployment: whoever remembers an object compares before each use.

Numbers of a mapped file, or of one process: how many transactions are decided, and for each place, at which of them a key that
falls there was last changed. Keys share places by their hash, so a change of one may look like one of another, never the reverse.

    change     place = decided + 1, inside the transaction      ... so before its COMMIT makes it visible
    COMMIT     decided + 1, once it has succeeded or failed     ... so what is read at `now` has every change up to it
    begin      decided + 1                                      ... for those who died, or were undone, in between

All three under the process lock. What was read at `now` stands while its place says no more than that: a change that was undone,
or whose process died, costs those who remember one look at the database, and nobody is told something old.

One place more, `ANY`, is that of every change but those of journal and logs: for those who hold a read transaction.
"""

from collections.abc import MutableSequence
from pathlib import Path
from typing import Final
from zlib import crc32

from siegel.domain.errors import StorageError
from siegel.drivers.meta.mapped import MappedCells

PLACES: Final = 65_536
_PLACE_MASK: Final = PLACES - 1
# The number of decided transactions comes first, the places behind it, then the one of everything and how the log is.
_DECIDED: Final = 0
_FIRST: Final = 1
ANY: Final = _FIRST + PLACES
_LOG: Final = ANY + 1
_CELLS: Final = _LOG + 1
_BUCKET_MASK: Final = 2**32 - 1
# Nobody counts that far: a number beyond was never one of ours.
_NUMBER_MAX: Final = 2**62


class ObjectChanges:
    """The `ObjectChanges` port, and for the holder of the process lock what changes it."""

    def __init__(self, cells: "MutableSequence[int] | memoryview[int]") -> None:
        """Count in `cells`."""
        self._cells = cells
        self._is_first = True

    def now(self) -> int:
        """Return the number of the last transaction that every read from now on sees."""
        return self._cells[_DECIDED]

    def last(self, place: int, /) -> int:
        """Return the number of the last transaction that has changed a key of this place, or is about to."""
        return self._cells[place]

    @property
    def is_log_full(self) -> bool:
        """Whether the log is about to be folded into the database, which whoever holds a read transaction is in the way of."""
        return self._cells[_LOG] != 0

    @is_log_full.setter
    def is_log_full(self, is_full: bool) -> None:
        self._cells[_LOG] = int(is_full)

    @staticmethod
    def place(bucket_id: int, object_key: str) -> int:
        """Return where `last` tells of a key."""
        return _place(bucket_id, object_key.encode())

    def note(self, bucket_id: int, encoded_key: bytes) -> None:
        """Note that the open transaction changes a key."""
        self._cells[_place(bucket_id, encoded_key)] = self._cells[_DECIDED] + 1
        self.note_any()

    def note_any(self) -> None:
        """Note that the open transaction changes something else than journal and logs."""
        self._cells[ANY] = self._cells[_DECIDED] + 1

    def begin(self) -> None:
        """Note that a transaction begins: whatever was open before is decided."""
        if self._is_first:
            # After a loss of power parts of the file may be older than others. A place that says more than is decided would
            # never be trusted again.
            self._cells[_DECIDED] = max(self._cells)
            self._is_first = False
        self.settle()

    def settle(self) -> None:
        """Note that the open transaction is decided: its changes are visible, or never will be."""
        self._cells[_DECIDED] += 1


class SharedObjectChanges(ObjectChanges):
    """Those of all processes that map one file."""

    def __init__(self, path: Path) -> None:
        """Map the file, made if it is missing. Raises StorageError if that fails, or if it holds what nobody has counted."""
        mapped = MappedCells(path, _CELLS)
        if max(mapped.cells) > _NUMBER_MAX:
            mapped.close()
            raise StorageError(f"{path} is damaged: it holds no data, remove it while no process of the service runs")
        super().__init__(mapped.cells)
        # Asked in every read of an object, so it is the memory's own method.
        self.last = mapped.cells.__getitem__  # type: ignore[method-assign] # a wrapper costs as much as the question
        self._mapped = mapped

    def close(self) -> None:
        """Unmap the file."""
        self._mapped.close()


def own_object_changes() -> ObjectChanges:
    """Return those of a store that one process has to itself."""
    return ObjectChanges([0] * _CELLS)


def _place(bucket_id: int, encoded_key: bytes) -> int:
    return _FIRST + (crc32(encoded_key, bucket_id & _BUCKET_MASK) & _PLACE_MASK)
