"""Recently read objects: what the database would say again is not asked of it again, for as long as it would say the same.

Each worker has its own. What is kept is what rests in the database, sealed as it rests there: a row, and a body that is small
enough to lie beside it; never content in clear. Every use asks first whether the key has changed since, in any process.
"""

from collections import OrderedDict
from typing import Final

from siegel.domain.limits import INLINE_BYTES_MAX, KIB, MIB
from siegel.domain.objects import ObjectVersion
from siegel.domain.ports import ObjectChanges, Objects

RECENT_BYTES_MAX: Final = 64 * MIB
"""What one worker keeps at most, all counted."""
# Larger ones are layouts of very many parts; they would push out all the small ones.
_OBJECT_BYTES_MAX: Final = 2 * INLINE_BYTES_MAX
# What one object costs beside its sealed bytes, which its opened head repeats in other forms: measured, rounded up.
_ENTRY_BYTES: Final = 2 * KIB
_HEAD_TIMES: Final = 4


class _Kept:
    """A version as it was read at `as_of`; `place` tells of later changes of its key."""

    __slots__ = ("as_of", "place", "size_bytes", "version")

    def __init__(self, version: ObjectVersion, place: int, as_of: int) -> None:
        self.version = version
        self.place = place
        self.as_of = as_of
        sealed = len(version.object_key) + len(version.wrapped_key) + len(version.sealed_tags) + len(version.body or b"")
        self.size_bytes = _ENTRY_BYTES + sealed + _HEAD_TIMES * len(version.sealed_head)


class RecentObjects:
    """Current versions with their bodies; of those that do not fit, the least recently used go first."""

    def __init__(self, objects: Objects, changes: ObjectChanges, bytes_max: int = RECENT_BYTES_MAX) -> None:
        """Read `objects`, of which `changes` tell; keep up to `bytes_max`."""
        self._objects = objects
        self._changes = changes
        self._last_change = changes.last
        self._bytes_max = bytes_max
        self._kept: OrderedDict[tuple[int, str], _Kept] = OrderedDict()
        self.size_bytes = 0

    def find(self, bucket_id: int, object_key: str) -> ObjectVersion | None:
        """Return what `Objects.find_current` returns with the body. Raises what it raises."""
        name = bucket_id, object_key
        kept = self._kept.get(name)
        if kept is not None and self._last_change(kept.place) <= kept.as_of:
            self._kept.move_to_end(name)
            return kept.version
        return self._read(bucket_id, object_key)

    def _read(self, bucket_id: int, object_key: str) -> ObjectVersion | None:
        # The number first: what is committed from here on is newer than what is said to have been read.
        as_of = self._changes.now()
        version = self._objects.find_current(bucket_id, object_key, with_body=True)
        name = bucket_id, object_key
        self._drop(self._kept.pop(name, None))
        if version is not None:
            kept = _Kept(version, self._changes.place(bucket_id, object_key), as_of)
            if kept.size_bytes <= _OBJECT_BYTES_MAX:
                self._kept[name] = kept
                self.size_bytes += kept.size_bytes
            while self.size_bytes > self._bytes_max:
                self._drop(self._kept.popitem(last=False)[1])
        return version

    def _drop(self, kept: _Kept | None) -> None:
        if kept is not None:
            self.size_bytes -= kept.size_bytes
