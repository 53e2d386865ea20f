"""The supervisor: starts the workers and the steward, waits for them, replaces those that die, and stops them in order.

It does nothing else, so that it has no reason to fail. `siegel serve` becomes this once all is checked, and forks the others:
what they need is imported once, here, and its memory is shared. So it keeps to the rules of `forking.py`: there is no second
thread, no event loop, no database, no key. What it holds is the instance lock and the reserved ports.
"""

import contextlib
import gc
import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from siegel.app import logs, steward, worker
from siegel.app.child import Child
from siegel.app.forking import SIGNALS
from siegel.app.orders import Orders, ServiceState

# Every process must be ready within this time at the first start.
START_S_MAX: Final = 60.0
# The steward has no requests worth waiting for.
STEWARD_STOP_S_MAX: Final = 5.0

EXIT_OK: Final = 0
# Something died at the start, or requests in flight were cut off at the end.
EXIT_FAILED: Final = 1

_log = logging.getLogger(__name__)


class Supervisor:
    """The life of one service, from its first process to its last."""

    def __init__(self, orders: Orders, lock_descriptor: int, hints: str) -> None:
        """Prepare the processes; nothing starts before `run`. `hints` is printed behind the ready line."""
        self._orders = orders
        self._settings = orders.settings
        self._hints = hints
        self._workers = [Child(f"worker-{n}", worker.main, lock_descriptor) for n in range(1, self._settings.workers + 1)]
        self._steward = Child("steward", steward.main, lock_descriptor)
        self._selector = selectors.DefaultSelector()
        self._deadline = time.monotonic() + START_S_MAX
        self._is_announced = False
        self._is_stopping = False
        self._exit_status = EXIT_OK

    def run(self) -> int:
        """Keep the service alive until it is told to stop; return the exit status of the process."""
        try:
            with _signals_as_bytes() as wakeups:
                self._selector.register(wakeups, selectors.EVENT_READ, lambda: self._on_signals(wakeups.recv(64)))
                for child in self._children():
                    self._start(child)
                while self._is_anything_left():
                    for key, _ in self._selector.select(self._timeout_s()):
                        key.data()
                    self._advance()
        finally:
            self._kill_all()
        return self._exit_status

    def _children(self) -> list[Child]:
        return [*self._workers, self._steward]

    def _start(self, child: Child) -> None:
        child.start(msgspec.structs.replace(self._orders, name=child.name))
        self._selector.register(child.output, selectors.EVENT_READ, lambda: self._on_output(child))

    def _is_anything_left(self) -> bool:
        return not self._is_stopping or any(child.is_running for child in self._children())

    def _timeout_s(self) -> float | None:
        moments = [child.restart_at for child in self._children() if child.restart_at is not None]
        if self._is_stopping or not self._is_announced:
            moments.append(self._deadline)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _advance(self) -> None:
        for child in self._children():
            status = child.reap()
            if status is not None:
                self._on_end(child, status)
        now = time.monotonic()
        for child in self._children():
            if child.restart_at is not None and child.restart_at <= now and not self._is_stopping:
                self._start(child)
        if now >= self._deadline:
            self._on_deadline()

    def _on_output(self, child: Child) -> None:
        was_ready = child.is_ready
        if not child.read_output():
            self._selector.unregister(child.output)
        if child.is_ready and not was_ready:
            _log.info("%s is ready", child.name)
            self._tell_state()
            if all(other.is_ready for other in self._children()):
                self._announce()

    def _on_end(self, child: Child, status: int) -> None:
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        self._forget_closed()
        if self._is_stopping:
            self._stop_steward_last()
        elif not self._is_announced:
            _log.error("%s %s before the service was ready", child.name, how)
            self._give_up()
        else:
            _log.error("%s %s; it starts again in %.1f s", child.name, how, child.plan_restart())
            self._tell_state()

    def _forget_closed(self) -> None:
        """Unregister the pipes of processes that ended before their end-of-file was read."""
        live = {child.output for child in self._children() if child.is_running}
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, int) and key.fileobj not in live:
                self._selector.unregister(key.fileobj)

    def _announce(self) -> None:
        if self._is_announced:
            return
        self._is_announced = True
        self._deadline = float("inf")
        with contextlib.suppress(OSError):
            print(f"ready s3={self._settings.scheme}://{self._orders.s3} admin=http://{self._orders.admin}", flush=True)  # noqa: T201 - the command's answer
            if self._hints:
                print(self._hints, flush=True)  # noqa: T201 - the command's answer

    def _tell_state(self) -> None:
        ready = sum(child.is_ready for child in self._workers)
        self._steward.tell(ServiceState(workers=len(self._workers), workers_ready=ready, stopping=self._is_stopping))

    def _on_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGCHLD:
                continue
            if self._is_stopping:
                _log.warning("told to stop twice: stopping at once")
                self._give_up()
            else:
                self._stop()

    def _stop(self) -> None:
        """Let the workers finish the requests in flight, within the grace, then the steward."""
        _log.info("stopping: requests in flight have %g s to finish", self._settings.stop_grace_s)
        self._is_stopping = True
        self._deadline = time.monotonic() + self._settings.stop_grace_s
        self._tell_state()
        for child in self._workers:
            child.signal(signal.SIGTERM)
        self._stop_steward_last()

    def _stop_steward_last(self) -> None:
        if not any(child.is_running for child in self._workers):
            self._deadline = time.monotonic() + STEWARD_STOP_S_MAX
            self._steward.signal(signal.SIGTERM)

    def _on_deadline(self) -> None:
        if not self._is_stopping:
            waiting = ", ".join(child.name for child in self._children() if not child.is_ready)
            _log.error("not ready after %g s: %s", START_S_MAX, waiting)
        elif any(child.is_running for child in self._workers):
            _log.warning("requests in flight were cut off after %g s", self._settings.stop_grace_s)
        self._give_up()

    def _give_up(self) -> None:
        self._is_stopping = True
        self._exit_status = EXIT_FAILED
        self._deadline = time.monotonic() + STEWARD_STOP_S_MAX
        self._kill_all()

    def _kill_all(self) -> None:
        for child in self._children():
            child.signal(signal.SIGKILL)


@contextlib.contextmanager
def _signals_as_bytes() -> Iterator[socket.socket]:
    """Yield a socket on which every signal arrives as a byte, so that one `select` waits for everything."""
    readable, writable = socket.socketpair()
    writable.setblocking(False)
    readable.setblocking(False)
    signal.set_wakeup_fd(writable.fileno())
    # A handler must exist for the byte to be written; it has nothing to do itself.
    ignore: Callable[[int, object], None] = lambda _number, _frame: None  # noqa: E731 - a named handler would say no more
    for number in SIGNALS:
        signal.signal(number, ignore)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(-1)
        readable.close()
        writable.close()


def supervise(orders: Orders, lock_descriptor: int, hints: str) -> int:
    """Run the service that `orders` describe, apart from the name; return the exit status."""
    logs.configure("supervisor", orders.settings.log_level)
    # A look for cycles would write into each object, and every page so written is no longer shared.
    gc.freeze()
    return Supervisor(orders, lock_descriptor, hints).run()
