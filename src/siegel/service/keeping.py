"""Keeping the parts of an object for whoever is reading it.

An object that is overwritten or deleted releases the blobs of its parts, and the steward removes these a grace time later. A
reader has one of them open at a time. That it still wants those behind it, it says twice in a grace time, which begins anew then.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from siegel.domain.errors import StorageError
from siegel.domain.ports import Clock, MetaStore, Writer

# So many are renewed in one transaction, so that no write waits for thousands of them.
BATCH_MAX: Final = 500


class Keeping:
    """What the readers of a process keep; `grace_ms` is the steward's grace time. Where that is none, nothing is kept."""

    def __init__(self, store: MetaStore, clock: Clock, grace_ms: int) -> None:
        self._store = store
        self._clock = clock
        self._every_ms = grace_ms // 2

    def due_ms(self) -> int:
        """Return when a reader that begins now, or has just said so, has to say that it goes on: in ms since 1970."""
        return self._clock.now_ms() + self._every_ms

    def is_due(self, due_ms: int) -> bool:
        """Whether that time has come."""
        return self._every_ms > 0 and self._clock.now_ms() >= due_ms

    async def go_on(self, blob_ids: Sequence[bytes]) -> int:
        """Begin the grace time of these blobs anew, as far as they are released; return when that is due again.

        All are of one object, which releases them together. Where the store cannot write, it stays as it was: the reader goes on
        for as long as they are there.
        """
        with suppress(StorageError):
            if blob_ids and self._store.reader.housekeeping.is_released(blob_ids[-1]):
                for first in range(0, len(blob_ids), BATCH_MAX):
                    renew = partial(_renew, blob_ids[first : first + BATCH_MAX], self._clock.now_ms())
                    await self._store.write(renew, None)
        return self.due_ms()


def _renew(blob_ids: Sequence[bytes], at_ms: int, tx: Writer) -> None:
    tx.housekeeping.renew_released(blob_ids, at_ms)
