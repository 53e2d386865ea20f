"""Recently read objects: what the database would say again is not asked of it again, for as long as it would say the same.

Each worker has its own. What is kept is what rests in the database, sealed as it rests there: a row, and a body that is small
enough to lie beside it; never content in clear. Every use asks first whether the key has changed since, in any process.

What is asked for once is not kept, only that it was asked for: who reads everything pushes out nothing that is read often.
"""

from array import array
from collections import OrderedDict
from typing import Final

from siegel.domain.limits import INLINE_BYTES_MAX, KIB, MIB
from siegel.domain.objects import ObjectVersion, Storage
from siegel.domain.ports import ObjectChanges, Objects
from siegel.envelope.context import Place
from siegel.envelope.objectkeys import Wrapped, parse_wrapped
from siegel.service.heads import place_of
from siegel.service.opened import Opened

RECENT_BYTES_MAX: Final = 64 * MIB
"""What one worker keeps at most, all counted."""
# Larger ones are layouts of very many parts; they would push out all the small ones.
_OBJECT_BYTES_MAX: Final = 2 * INLINE_BYTES_MAX
# What one object costs beside its sealed bytes, which its opened head repeats in other forms: measured, rounded up.
_ENTRY_BYTES: Final = 2 * KIB
_HEAD_TIMES: Final = 4
# Of about so many keys it is known that they were asked for lately.
SEEN_MAX: Final = 16_384


class Memo:
    """What is remembered of a version beside its row: where it belongs, its wrapped keys taken apart, how it was opened.

    `opened` is there where nobody but this deployment has a part in its keys. What was opened under a key of a key server goes
    with the layer that gave it (`Layer.made`); what was opened under a customer's key of a request goes with that.
    """

    __slots__ = ("_wrapped", "opened", "place")

    def __init__(self, version: ObjectVersion, account_id: str) -> None:
        self.place: Place = place_of(account_id, version)
        self.opened: Opened | None = None
        self._wrapped: Wrapped | None = None

    def wrapped(self, version: ObjectVersion) -> Wrapped:
        """Return the wrapped keys of the version, under a key of the key service, taken apart. Raises SealBrokenError."""
        if self._wrapped is None:
            self._wrapped = parse_wrapped(version.wrapped_key, self.place)
        return self._wrapped


class _Kept:
    """A version as it was read at `as_of`; `place` tells of later changes of its key.

    `is_whole`: with the body, where one lies beside its row.
    """

    __slots__ = ("as_of", "is_whole", "memo", "place", "size_bytes", "version")

    def __init__(self, version: ObjectVersion, place: int, as_of: int, *, with_body: bool) -> None:
        self.version = version
        self.is_whole = with_body or version.storage is Storage.BLOB
        self.place = place
        self.as_of = as_of
        self.memo: Memo | None = None
        sealed = len(version.object_key) + len(version.wrapped_key) + len(version.sealed_tags) + len(version.body or b"")
        self.size_bytes = _ENTRY_BYTES + sealed + _HEAD_TIMES * len(version.sealed_head)


class RecentObjects:
    """Current versions that were asked for twice, with their bodies where those were.

    Where room is short, the least recently used go first.
    """

    def __init__(self, objects: Objects, changes: ObjectChanges, bytes_max: int = RECENT_BYTES_MAX) -> None:
        """Read `objects`, of which `changes` tell; keep up to `bytes_max`."""
        self._objects = objects
        self._changes = changes
        self._last_change = changes.last
        self._bytes_max = bytes_max
        self._kept: OrderedDict[tuple[int, str], _Kept] = OrderedDict()
        # Hashes of keys, each in its place: a new one takes that of an old one.
        self._seen = array("q", bytes(8 * SEEN_MAX))
        self.size_bytes = 0

    def find(self, bucket_id: int, object_key: str, *, with_body: bool) -> ObjectVersion | None:
        """Return what `Objects.find_current` returns; the body may come along unasked. Raises what it raises."""
        name = bucket_id, object_key
        kept = self._kept.get(name)
        if kept is not None and self._last_change(kept.place) <= kept.as_of and (kept.is_whole or not with_body):
            self._kept.move_to_end(name)
            return kept.version
        return self._read(name, with_body=with_body)

    def memo(self, version: ObjectVersion, account_id: str) -> Memo:
        """Return what is remembered of a version that `find` has returned; of any other nothing is."""
        kept = self._kept.get((version.bucket_id, version.object_key))
        if kept is None or kept.version is not version:
            return Memo(version, account_id)
        if kept.memo is None:
            kept.memo = Memo(version, account_id)
        return kept.memo

    def _read(self, name: tuple[int, str], *, with_body: bool) -> ObjectVersion | None:
        # The number first: what is committed from here on is newer than what is said to have been read.
        as_of = self._changes.now()
        version = self._objects.find_current(*name, with_body=with_body)
        known = self._kept.pop(name, None)
        if known is not None:
            self._drop(known)
        if version is not None and (known is not None or self._is_seen(name)):
            kept = _Kept(version, self._changes.place(*name), as_of, with_body=with_body)
            if kept.size_bytes <= _OBJECT_BYTES_MAX:
                self._kept[name] = kept
                self.size_bytes += kept.size_bytes
            while self.size_bytes > self._bytes_max:
                self._drop(self._kept.popitem(last=False)[1])
        return version

    def _is_seen(self, name: tuple[int, str]) -> bool:
        """Tell whether a key was asked for lately, and note that it is."""
        number = hash(name)
        place = number % SEEN_MAX
        if self._seen[place] == number:
            return True
        self._seen[place] = number
        return False

    def _drop(self, kept: _Kept) -> None:
        self.size_bytes -= kept.size_bytes
