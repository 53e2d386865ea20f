"""How every process of the service begins, says that it is ready, and ends."""

import asyncio
import ctypes
import gc
import logging
import os
import resource
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Final

import uvloop

from siegel.app import logs
from siegel.app.lifeline import Lifeline
from siegel.app.orders import READY_LINE, Orders
from siegel.domain.errors import SiegelError

# Requests make few reference cycles; looking for them often costs more than they weigh.
GC_THRESHOLDS: Final = (50_000, 20, 20)
# Blocks of at least this size are mapped one by one; so much freed memory is kept per arena (mallopt(3)).
MAPPED_BLOCK_BYTES_MIN: Final = 4 * 1024 * 1024
KEPT_FREE_BYTES_MAX: Final = 8 * 1024 * 1024
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
# Threads that wait for the interpreter get it this soon. At the default of 5 ms, who waits for the write lock of a process that
# makes a long list would wait that much longer; at half a millisecond, taking it from each other cost each request 2 to 4 %.
SWITCH_INTERVAL_S: Final = 0.002

# The processor cores that this process may use.
CORES: Final = sorted(os.sched_getaffinity(0))

# The exit status of a process that the operator can mend, as in the AWS command line.
EXIT_REFUSED: Final = 253

_STDOUT: Final = 1
_STDERR: Final = 2

_log = logging.getLogger(__name__)


def run(serve: Callable[[Lifeline, Orders], Coroutine[None, None, None]], orders: Orders) -> None:
    """Run `serve` in an event loop until it returns.

    What the operator can mend ends the process with its message, not with a traceback.
    """
    logs.configure(orders.name, orders.settings.log_level)
    try:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        uvloop.run(serve(Lifeline(), orders))
    except (SiegelError, OSError) as error:
        _log.error("%s", error)
        sys.exit(EXIT_REFUSED)


def settle_memory() -> None:
    """Take what start-up has made out of the garbage collector's sight, for the life of the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let the allocator keep the pieces of bodies for the next ones.

    By default glibc gives every block of 128 KiB and more back to the kernel at once, and each new one costs a page fault per
    4 KiB: 100 microseconds for 256 KiB, four times as long as decrypting them. Another C library keeps its own ways.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, MAPPED_BLOCK_BYTES_MIN)
        mallopt(_M_TRIM_THRESHOLD, KEPT_FREE_BYTES_MAX)


def keep_to_core(number: int, workers: int) -> None:
    """Keep this thread, and those that it starts from now on, to one core, where there are as many workers as cores.

    `number` is the worker's, from 1. The threads of a worker take the interpreter from each other several times in a request.
    On one core that is a switch; from core to core it is a signal, a wait, and cold caches: a tenth of what a request costs.
    """
    if workers >= len(CORES):
        _use_cores({CORES[number % len(CORES)]})


def leave_core() -> None:
    """Let this thread work wherever there is room: it needs no interpreter most of the time."""
    _use_cores(CORES)


def _use_cores(cores: Iterable[int]) -> None:
    # The system may forbid it, or have moved the service to other cores since: then it decides alone.
    with suppress(OSError):
        os.sched_setaffinity(0, cores)


def report_ready_soon() -> None:
    """Tell the supervisor, once the event loop turns, that this process serves. Later output goes to standard error."""
    asyncio.get_running_loop().call_soon(_report_ready)


def _report_ready() -> None:
    os.write(_STDOUT, READY_LINE)
    os.dup2(_STDERR, _STDOUT)
