"""One process of the service, as its supervisor sees it."""

import contextlib
import os
import subprocess
import sys
import time
from typing import Final

import msgspec

from siegel.app.orders import READY_LINE

# A process that dies is started again after a pause, which doubles as long as it keeps dying young.
RESTART_PAUSE_S_MIN: Final = 0.1
RESTART_PAUSE_S_MAX: Final = 5.0
HEALTHY_AFTER_S: Final = 30.0


class Child:
    """A process that can be started again and again. `is_ready` holds from its ready line to its end."""

    def __init__(self, name: str, module: str, lock_descriptor: int) -> None:
        """Name a process that will run the Python module `module` and keep `lock_descriptor` open."""
        self.name = name
        self.is_ready = False
        self.restart_at: float | None = None
        self._module = module
        self._lock_descriptor = lock_descriptor
        self._process: subprocess.Popen[bytes] | None = None
        self._down = self._up = -1
        self._started_at = 0.0
        self._pause_s = RESTART_PAUSE_S_MIN

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not been seen to end."""
        return self._process is not None

    @property
    def output(self) -> int:
        """The descriptor on which the ready line arrives."""
        return self._up

    def start(self, orders: msgspec.Struct) -> None:
        """Start the process and hand it its orders.

        It inherits the instance lock: while any process of this service lives, no other one can begin on the same directory.
        """
        read_orders, self._down = os.pipe()
        self._up, write_ready = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and a module of ours, no shell
            [sys.executable, "-m", self._module], stdin=read_orders, stdout=write_ready, pass_fds=(self._lock_descriptor,)
        )
        os.close(read_orders)
        os.close(write_ready)
        os.set_blocking(self._down, False)
        self._started_at = time.monotonic()
        self.restart_at = None
        self.tell(orders)

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
        if self._process is not None:
            self._process.send_signal(number)

    def reap(self) -> int | None:
        """Return the exit status, once, of a process that has ended since; else None. Negative: the signal that ended it."""
        status = self._process.poll() if self._process is not None else None
        if status is not None:
            os.close(self._down)
            os.close(self._up)
            self._process = None
            self.is_ready = False
        return status

    def plan_restart(self) -> float:
        """Set `restart_at` for a process that has ended; return the pause in seconds."""
        now = time.monotonic()
        if now - self._started_at > HEALTHY_AFTER_S:
            self._pause_s = RESTART_PAUSE_S_MIN
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, RESTART_PAUSE_S_MAX)
        self.restart_at = now + pause_s
        return pause_s
