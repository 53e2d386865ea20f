"""One process of the service, as its supervisor sees it."""

import contextlib
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from siegel.app.forking import fork
from siegel.app.orders import READY_LINE, Orders

# A process that dies is started again after a pause, which doubles as long as it keeps dying young.
RESTART_PAUSE_S_MIN: Final = 0.1
RESTART_PAUSE_S_MAX: Final = 5.0
HEALTHY_AFTER_S: Final = 30.0

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2
_DESCRIPTOR_MAX: Final = 2**31 - 1
# The name that `top` and `ps -o comm` show, proc(5); the command line stays that of `siegel serve`.
_NAME: Final = Path("/proc/self/comm")


class Child:
    """A process that can be started again and again. `is_ready` holds from its ready line to its end."""

    def __init__(self, name: str, work: Callable[[Orders], None], lock_descriptor: int) -> None:
        """Name a process that will do `work` and keep `lock_descriptor` open."""
        self.name = name
        self.is_ready = False
        self.restart_at: float | None = None
        self._work = work
        self._lock_descriptor = lock_descriptor
        self._pid = 0
        self._down = self._up = -1
        self._started_at = 0.0
        self._pause_s = RESTART_PAUSE_S_MIN

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not been seen to end."""
        return self._pid > 0

    @property
    def output(self) -> int:
        """The descriptor on which the ready line arrives."""
        return self._up

    def start(self, orders: Orders) -> None:
        """Fork the process, which does its work by these orders.

        It inherits the instance lock: while any process of this service lives, no other one can begin on the same directory.
        """
        read_states, self._down = os.pipe()
        self._up, write_ready = os.pipe()
        self._pid = fork(partial(self._live, orders, read_states, write_ready))
        os.close(read_states)
        os.close(write_ready)
        os.set_blocking(self._down, False)
        self._started_at = time.monotonic()
        self.restart_at = None

    def _live(self, orders: Orders, read_states: int, write_ready: int) -> None:
        """Be the process: the lower ends of the pipes are its standard input and output."""
        os.dup2(read_states, _STDIN)
        os.dup2(write_ready, _STDOUT)
        # Of what its supervisor holds it keeps the lock alone: the upper end of a pipe would not close with the supervisor here.
        os.closerange(_STDERR + 1, self._lock_descriptor)
        os.closerange(self._lock_descriptor + 1, _DESCRIPTOR_MAX)
        with contextlib.suppress(OSError):
            _NAME.write_text(self.name, encoding="ascii")
        self._work(orders)

    def tell(self, message: msgspec.Struct) -> None:
        """Send one line down the pipe. One that is dying, or too busy to read, does without."""
        if self.is_running:
            with contextlib.suppress(BrokenPipeError, BlockingIOError):
                os.write(self._down, msgspec.json.encode(message) + b"\n")

    def read_output(self) -> bool:
        """Take what came up the pipe; return whether more may come."""
        said = os.read(self._up, len(READY_LINE))
        self.is_ready = self.is_ready or said == READY_LINE
        return bool(said)

    def signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.is_running:
            os.kill(self._pid, number)

    def reap(self) -> int | None:
        """Return the exit status, once, of a process that has ended since; else None. Negative: the signal that ended it."""
        if not self.is_running:
            return None
        ended, status = os.waitpid(self._pid, os.WNOHANG)
        if not ended:
            return None
        os.close(self._down)
        os.close(self._up)
        self._pid = 0
        self.is_ready = False
        return os.waitstatus_to_exitcode(status)

    def plan_restart(self) -> float:
        """Set `restart_at` for a process that has ended; return the pause in seconds."""
        now = time.monotonic()
        if now - self._started_at > HEALTHY_AFTER_S:
            self._pause_s = RESTART_PAUSE_S_MIN
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, RESTART_PAUSE_S_MAX)
        self.restart_at = now + pause_s
        return pause_s
