"""The steward: removes what nobody needs any more, and nothing else.

A blob is removed once it is released (its version or part is gone) or once it turns out an orphan (no version or part ever
adopted it), and in both cases only after the grace time: a reader may still be at it, a writer may be about to commit.
"""

import asyncio
from concurrent.futures import Executor
from typing import Final

from msgspec import Struct

from siegel.domain.entry import Entry
from siegel.domain.errors import StorageError
from siegel.domain.ports import BlobStore, Clock, MetaStore, Writer

BATCH_MAX: Final = 500
COMPLETED_KEPT_MS: Final = 24 * 3600 * 1000


class Swept(Struct):
    """What one round removed."""

    released_blobs: int = 0
    orphaned_blobs: int = 0
    unfinished_files: int = 0
    completed_uploads: int = 0


class Steward:
    """Runs one round after the other; `grace_ms` is the grace time."""

    def __init__(self, store: MetaStore, blobs: BlobStore, clock: Clock, executor: Executor, grace_ms: int) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._executor = executor
        self._grace_ms = grace_ms

    async def run_once(self) -> Swept:
        """Remove what has become removable.

        Raises StorageError; then the next round goes on where this one ended. A blob that cannot be removed keeps no other one
        from it: that is raised when all else is done, and tried again.
        """
        before_ms = self._clock.now_ms() - self._grace_ms
        loop = asyncio.get_running_loop()
        swept = Swept()
        swept.released_blobs, failure = await self._remove_released(before_ms)
        swept.unfinished_files = await loop.run_in_executor(self._executor, self._blobs.sweep_unfinished, before_ms)
        swept.orphaned_blobs = await self._remove_orphans(before_ms)
        swept.completed_uploads = await self._store.write(
            lambda tx: tx.housekeeping.forget_completed(self._clock.now_ms() - COMPLETED_KEPT_MS), None
        )
        if failure is not None:
            raise failure
        return swept

    async def _remove_released(self, before_ms: int) -> tuple[int, StorageError | None]:
        """Remove released blobs; return how many, and why some are left, if any are."""
        loop = asyncio.get_running_loop()
        removed = 0
        failure: StorageError | None = None
        while blob_ids := self._store.reader.housekeeping.released_blobs(before_ms, BATCH_MAX):
            gone: list[bytes] = []
            # Files first, books second: a crash in between leaves books that name nothing, never files that nobody knows.
            for blob_id in blob_ids:
                try:
                    await loop.run_in_executor(self._executor, self._blobs.remove, blob_id)
                except StorageError as error:
                    failure = error
                else:
                    gone.append(blob_id)
            if not gone:
                break

            def change(tx: Writer, gone: list[bytes] = gone) -> None:
                tx.housekeeping.forget_blobs(gone)

            await self._store.write(change, self._entry(len(gone)))
            removed += len(gone)
        return removed, failure

    async def _remove_orphans(self, before_ms: int) -> int:
        loop = asyncio.get_running_loop()
        blobs = await loop.run_in_executor(self._executor, lambda: list(self._blobs.scan()))
        removed = 0
        for blob_id, _size, modified_at_ms in blobs:
            if modified_at_ms >= before_ms or self._store.reader.housekeeping.is_adopted(blob_id):
                continue
            try:
                removed += await loop.run_in_executor(self._executor, self._blobs.remove, blob_id)
            except StorageError:
                continue
        return removed

    def _entry(self, count: int) -> Entry:
        return Entry(
            at_ms=self._clock.now_ms(),
            request_id="",
            kind="steward.remove_blobs",
            account_id="",
            principal="steward",
            bucket="",
            reason=f"{count} released blobs removed",
        )
