"""Group commit: whatever is asked for while one transaction becomes durable goes into the next, with one sync for all.

The statements run on the event loop, where they are short and where no second thread contends for the interpreter; only
waiting for the process lock and COMMIT, which waits for the disk, are left to a thread of their own:

    event loop      queue ... begin, changes, journal row         settle, begin the next ...
    commit thread   (wait for the lock)                   COMMIT, (checkpoint), unlock

Nothing of a batch is answered before its COMMIT, not even a refusal: it may rest on another change of the same batch.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, Protocol, cast

from siegel.domain.entry import Entries, Entry
from siegel.domain.errors import StorageError
from siegel.domain.ports import Writer

# A batch blocks the event loop for as long as its statements take: about 40 us each.
BATCH_CHANGES_MAX: Final = 128
BATCH_ENTRIES_MAX: Final = 4096
# A batch waits so long for the next of those who are expected to join it, and at most so many times: as long as that where it
# brought them all the last time, half as long after each time that it did not.
GATHER_S_MAX: Final = 0.003
GATHER_S_MIN: Final = 0.001
GATHER_TIMES_MAX: Final = 2

Change = Callable[[Writer], Any]
EntryOf = Callable[[Any], Entries] | Entries | None


class Engine(Protocol):
    """One write connection. All but `commit` and `checkpoint` are called on the event loop, never two at once."""

    def begin(self) -> None:
        """Begin a transaction. Raises StorageError; then none is open."""
        ...

    def apply(self, change: Change, entry: EntryOf, /) -> tuple[Any, Entries | None]:
        """Run one change and build its entry or entries. An exception of either undoes this change alone and is raised.

        Raises StorageError too where the whole transaction was lost: then `is_open` says False.
        """
        ...

    def is_open(self) -> bool:
        """Whether the transaction still exists."""
        ...

    def record(self, entries: list[Entry]) -> None:
        """Add the batch's journal row. Raises StorageError."""
        ...

    def commit(self) -> None:
        """Make the transaction durable. Raises StorageError; then it is rolled back. Blocking."""
        ...

    def rollback(self) -> None:
        """Undo the transaction, if there is one. Never raises."""
        ...

    def is_checkpoint_due(self) -> bool:
        """Whether the log has grown enough to be folded into the database."""
        ...

    def checkpoint(self) -> None:
        """Fold the log into the database, as far as readers allow. Never raises. Blocking."""
        ...


class Lock(Protocol):
    """What a batch holds from its begin until it is durable."""

    def try_acquire(self) -> bool:
        """Take the lock if it is free, and say so; never waits."""
        ...

    def acquire(self) -> None:
        """Take the lock; waits as long as another process has it."""
        ...

    def release(self) -> None:
        """Give the lock back. Harmless where it is not held."""
        ...


class Unlocked:
    """The lock of an engine that nobody shares."""

    def try_acquire(self) -> bool:
        """Say that it is free."""
        return True

    def acquire(self) -> None:
        """Go on."""

    def release(self) -> None:
        """Go on."""


class _Job:
    """A change with its entry, or an entry alone (`change` is None), and who waits for it."""

    __slots__ = ("change", "entry", "error", "future", "result")

    def __init__(self, change: Change | None, entry: EntryOf, future: asyncio.Future[Any]) -> None:
        self.change = change
        self.entry = entry
        self.future = future
        self.result: Any = None
        self.error: Exception | None = None

    def settle(self, failure: StorageError | None) -> None:
        """Answer with the batch's `failure`, else with what came of this job; silent where the one who waits has gone."""
        if self.future.done():
            return
        # Each waiter gets an exception of its own: they grow tracebacks.
        error = type(failure)(*failure.args) if failure else self.error
        if error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(error)


class _Expectation:
    """How many are about to ask: clients that wait for an answer ask again as soon as they have it.

    So whoever was answered by the last batch, or queued behind it, is expected for a while; after that nobody is. Without this,
    the clients of a busy service fall into two halves that take turns, and each sync serves only one of them. Clients that do
    not come at once cost a batch the wait for them: it grows shorter each time that it was in vain.
    """

    __slots__ = ("_count", "_until_s", "gap_s")

    def __init__(self) -> None:
        self._count = 1
        self._until_s = 0.0
        self.gap_s = GATHER_S_MAX

    def note(self, count: int) -> None:
        """Note that `count` have just been answered or are queued."""
        self._count = count
        self.begin()

    def begin(self) -> None:
        """Expect them for a while from now on."""
        self._until_s = time.monotonic() + self.gap_s

    def count(self) -> int:
        """Return how many jobs the next batch should have; 1 where nobody is expected."""
        return min(self._count, BATCH_CHANGES_MAX) if time.monotonic() < self._until_s else 1

    def learn(self, *, all_came: bool) -> None:
        """Learn from whether all that a batch has waited for came."""
        self.gap_s = GATHER_S_MAX if all_came else max(self.gap_s / 2, GATHER_S_MIN)


class GroupCommit:
    """The queue in front of an engine, for one event loop at a time.

    `commits`, `changes` and `entries` count what has become durable.
    """

    def __init__(self, engine: Engine, lock: Lock) -> None:
        """Write through `engine` while holding `lock`."""
        self.commits = 0
        self.changes = 0
        self.entries = 0
        self._engine = engine
        self._lock = lock
        self._entries_of_batch = 0
        self._queue: deque[_Job] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._expectation = _Expectation()
        self._wanted = 0
        self._patience: asyncio.TimerHandle | None = None
        self._is_busy = False
        self._is_closed = False
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="siegel-commit", daemon=True)

    def submit(self, change: Change | None, entry: EntryOf) -> asyncio.Future[Any]:
        """Queue a change with its entry, or an entry alone; the future is done when it is durable, or refused."""
        if self._is_closed:
            raise StorageError("the store is closed")
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move_to(loop)
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.append(_Job(change, entry, future))
        if not self._is_busy:
            self._is_busy = True
            # Not at once: whatever else this turn of the loop asks for joins the batch.
            loop.call_soon(self._gather)
        elif self._patience is not None and len(self._queue) >= self._wanted:
            self._patience.cancel()
            self._patience = None
            self._expectation.learn(all_came=True)
            loop.call_soon(self._start)
        return future

    def close(self) -> None:
        """Finish the commit in flight. What is still queued is refused, where its event loop still runs."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._thread.ident is not None:
            self._orders.put(None)
            self._thread.join()

    # On the event loop.

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve another event loop. The last one has ended: who waited there is gone, what it was to do next is forgotten."""
        if self._thread.ident is not None:
            idle = threading.Event()
            self._orders.put(idle.set)
            idle.wait()
        if self._is_busy:
            self._patience = None
            self._queue.clear()
            self._engine.rollback()
            self._lock.release()
            self._is_busy = False
        self._loop = loop

    def _gather(self) -> None:
        """Begin the next batch, once those are there who are expected."""
        wanted = self._expectation.count()
        if 0 < len(self._queue) < wanted:
            self._wanted = wanted
            self._wait(GATHER_TIMES_MAX)
        else:
            self._start()

    def _wait(self, times: int) -> None:
        loop = cast("asyncio.AbstractEventLoop", self._loop)
        self._patience = loop.call_later(self._expectation.gap_s, self._look_again, len(self._queue), times - 1)

    def _look_again(self, seen: int, times: int) -> None:
        """Wait on if somebody came meanwhile: then the others are on their way, and the processor is busy with them."""
        self._patience = None
        if len(self._queue) > seen and times > 0:
            self._wait(times)
        else:
            self._expectation.learn(all_came=False)
            self._start()

    def _start(self) -> None:
        """Begin the next batch, if there is one."""
        if self._is_closed:
            self._refuse()
        elif not self._queue:
            self._is_busy = False
        elif self._lock.try_acquire():
            self._run_batch()
        else:
            self._order(self._wait_for_lock)

    def _refuse(self) -> None:
        self._settle(list(self._queue), StorageError("the store is closed"))
        self._queue.clear()

    def _run_batch(self) -> None:
        """Run queued jobs in one transaction and hand it to the commit thread. The process lock is held."""
        if self._is_closed:
            self._refuse()
            return
        jobs = self._take()
        failure: StorageError | None = None
        try:
            if self._run(jobs):
                self._order(partial(self._commit, jobs))
                return
        except StorageError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever it was: a batch that is never settled would stop the service
            failure = StorageError(f"a batch could not be run: {error!r}")
        self._engine.rollback()
        self._lock.release()
        self._settle(jobs, failure)
        asyncio.get_running_loop().call_soon(self._start)

    def _take(self) -> list[_Job]:
        """Take the jobs of a batch from the queue, without those whose client has gone."""
        jobs: list[_Job] = []
        changes = 0
        while self._queue and changes < BATCH_CHANGES_MAX and len(jobs) < BATCH_ENTRIES_MAX:
            job = self._queue.popleft()
            if not job.future.done():
                jobs.append(job)
                changes += job.change is not None
        return jobs

    def _run(self, jobs: list[_Job]) -> bool:
        """Run the jobs; say whether there is something to commit. Raises StorageError where all of it is lost."""
        if not jobs:
            return False
        engine = self._engine
        engine.begin()
        entries: list[Entry] = []
        for job in jobs:
            made: Any = job.entry if job.change is None else self._apply(job, job.change)
            if isinstance(made, tuple):
                entries += made
            elif made is not None:
                entries.append(made)
        if all(job.error for job in jobs):
            return False
        if entries:
            engine.record(entries)
        self._entries_of_batch = len(entries)
        return True

    def _apply(self, job: _Job, change: Change) -> Entries | None:
        """Run one change; what it raises waits in the job for the batch's COMMIT."""
        try:
            job.result, entry = self._engine.apply(change, job.entry)
        except Exception as error:
            if not self._engine.is_open():
                raise
            # A future cannot hold a StopIteration.
            job.error = RuntimeError(repr(error)) if isinstance(error, StopIteration) else error
            return None
        return entry

    def _settle(self, jobs: list[_Job], failure: StorageError | None) -> None:
        """Answer everybody who waits for these jobs."""
        for job in jobs:
            job.settle(failure)

    def _settle_and_start(self, jobs: list[_Job], failure: StorageError | None) -> None:
        self._settle(jobs, failure)
        self._expectation.note(len(jobs) + len(self._queue))
        # Their answers are made now, and may take longer than anybody is expected: that begins when the loop has been round.
        asyncio.get_running_loop().call_soon(self._expectation.begin)
        self._gather()

    # In the commit thread.

    def _order(self, order: Callable[[], None]) -> None:
        """Send an order to the commit thread (from the event loop)."""
        if self._thread.ident is None:
            self._thread.start()
        self._orders.put(order)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            order()

    def _call(self, step: Callable[[], None]) -> None:
        """Have the event loop go on with `step`; where it has ended, nobody waits for that."""
        with suppress(RuntimeError):
            cast("asyncio.AbstractEventLoop", self._loop).call_soon_threadsafe(step)

    def _wait_for_lock(self) -> None:
        self._lock.acquire()
        self._call(self._run_batch)

    def _commit(self, jobs: list[_Job]) -> None:
        failure: StorageError | None = None
        try:
            self._engine.commit()
            self._count(jobs)
        except StorageError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever it was: without this thread the service would stop
            failure = StorageError(f"a batch could not be committed: {error!r}")
        if failure is None and self._engine.is_checkpoint_due():
            self._call(partial(self._settle, jobs, None))
            self._engine.checkpoint()
            self._lock.release()
            self._call(self._start)
        else:
            self._lock.release()
            self._call(partial(self._settle_and_start, jobs, failure))

    def _count(self, jobs: list[_Job]) -> None:
        self.commits += 1
        self.changes += sum(job.change is not None and job.error is None for job in jobs)
        self.entries += self._entries_of_batch
