"""Processes that are forked: what is imported is there at once, and its memory is shared until one of them writes.

Only a process that has a single thread may fork, and what must not be there twice must not be there yet: no event loop, no
connection to a database, no key, nothing that was drawn at random.
"""

import os
import signal
import traceback
from collections.abc import Callable
from typing import Final

# What those who fork listen to, and forked processes must not take for theirs.
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_FAILED: Final = 1


def fork(work: Callable[[], None]) -> int:
    """Begin `work` in a process of its own, which ends with it, and return the process's id.

    Its exit status is as if it had been a program: 0, that of a SystemExit, or 1 after a traceback. It ignores Ctrl-C, which
    reaches all processes at a terminal: the first of them knows what follows from it.
    """
    # A signal that reached the new process before its handlers are its own would be heard by this one, whose socket it shares.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _live(work)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _live(work: Callable[[], None]) -> None:
    """Be the forked process. It never returns: what called it belongs to the other one."""
    status = _FAILED
    try:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        work()
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else _FAILED * (ending.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, it ends here
        traceback.print_exc()
    finally:
        os._exit(status)
