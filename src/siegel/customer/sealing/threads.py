"""Threads for several requests at once. A process that ends does not wait for them, since a store may never answer."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar

_Words = ParamSpec("_Words")
_Found = TypeVar("_Found")
_Work = tuple[Future[Any], Callable[[], Any]]

# What ends the process: who presses Ctrl-C waits for no answer.
ENDS: Final = (KeyboardInterrupt, SystemExit)


class Threads:
    """At most so many calls at once, in the order in which they were given.

    On the way out of a `with` block what was not begun is given up, and what is under way is waited for, unless by then the
    process is to end. The executor of the library waits in any case, and once more when Python ends.
    """

    def __init__(self, count: int) -> None:
        """Start no more than `count` threads, each when it is first needed."""
        self._count = count
        self._threads: list[Thread] = []
        self._work: SimpleQueue[_Work | None] = SimpleQueue()

    def submit(self, call: Callable[_Words, _Found], /, *words: _Words.args, **more: _Words.kwargs) -> Future[_Found]:
        """Call it in a thread as soon as one is free."""
        future: Future[_Found] = Future()
        self._work.put((future, lambda: call(*words, **more)))
        if len(self._threads) < self._count:
            thread = Thread(target=self._serve, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            while (work := self._work.get_nowait()) is not None:
                work[0].cancel()
        except Empty:
            pass
        for _ in self._threads:
            self._work.put(None)
        if not isinstance(error, ENDS):
            for thread in self._threads:
                thread.join()

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            future, call = work
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
                future.set_exception(error)
