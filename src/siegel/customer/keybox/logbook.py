"""Group commit of the log: whatever comes while one sync runs is written and synced together after it."""

import asyncio
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, TypeAlias

from siegel.customer.keybox.logfile import LogFile
from siegel.customer.keybox.refusals import RefusedError
from siegel.domain.errors import StorageError

# Calls that wait for the disk; more are told to come again later.
WAITING_MAX: Final = 4096

_Batch: TypeAlias = list[tuple[bytes, asyncio.Future[None]]]


class Logbook:
    """The log of a server that runs, for one event loop."""

    def __init__(self, file: LogFile) -> None:
        """Write to `file`, which nobody else uses from now on. Needs a running event loop."""
        self._file = file
        self._loop = asyncio.get_running_loop()
        self._waiting: _Batch = []
        self._is_busy = False
        # A queue and a thread of our own: an executor's futures cost more than the lines.
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def append(self, entry: bytes) -> asyncio.Future[None]:
        """Return what is done once a line with `entry` (a JSON object that is not empty) is durable.

        It ends with StorageError where the disk refuses. Raises RefusedError (ThrottlingException) where too many wait.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise RefusedError("ThrottlingException", "The log's disk cannot keep up.")
        future = self._loop.create_future()
        self._waiting.append((entry, future))
        if not self._is_busy:
            self._begin()
        return future

    def close(self) -> None:
        """Wait for what is being written, then close the file. Whoever still waits is not answered any more."""
        self._batches.put(None)
        self._thread.join()
        self._file.close()

    def _begin(self) -> None:
        batch, self._waiting = self._waiting, []
        self._is_busy = True
        self._batches.put(batch)

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            problem: Exception | None = None
            try:
                self._file.append([entry for entry, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it was: without this thread nobody would be answered any more
                problem = error
            # Where the event loop has ended, nobody waits for that.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._settle, batch, problem)

    def _settle(self, batch: _Batch, problem: Exception | None) -> None:
        self._is_busy = False
        if self._waiting:
            self._begin()
        for _, future in batch:
            if future.done():
                continue
            if problem is None:
                future.set_result(None)
            else:
                # Each waiter gets an exception of its own: they grow tracebacks.
                future.set_exception(StorageError(str(problem)))
