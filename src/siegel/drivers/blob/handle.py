"""One owner at a time for an open file, and a way to give it up without waiting.

A request can be cancelled on the event loop while a thread is still in the middle of a write for it. Closing the file there
and then would let the thread go on with a number that may by now belong to another file. So whoever gives up only says so;
the file is let go by whoever holds it last.
"""

from collections.abc import Callable
from threading import Lock
from types import TracebackType

from siegel.domain.errors import StorageError


class Handle:
    """Guards one open file. Enter it to use the file: one thread at a time, and never after it was given up."""

    __slots__ = ("_given_up", "_let_go", "_lock")

    def __init__(self, let_go: Callable[[], None]) -> None:
        """Take what closes the file: called once or more, never while somebody is inside, and must not raise."""
        self._let_go = let_go
        self._lock = Lock()
        self._given_up = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._given_up:
            self._lock.release()
            raise StorageError("the blob's handle was given up already")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()
        # Whoever gave up meanwhile found the lock taken and left the closing to us.
        if self._given_up:
            self.give_up()

    def give_up(self) -> None:
        """Let go of the file: now if nobody is inside, else when they leave. Never waits, never raises."""
        self._given_up = True
        if self._lock.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._lock.release()
