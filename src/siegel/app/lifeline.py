"""The pipe between the supervisor and each of its processes.

It carries JSON lines downwards: to the steward, the state of the service. Its other end closes when the supervisor is gone,
however it ended, and then nobody may go on serving: the process ends at once.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final

import msgspec

from siegel.app.orders import ServiceState

EXIT_ORPHANED: Final = 70

_STDIN: Final = 0
_READ_BYTES: Final = 64 * 1024


class Lifeline:
    """The lower end of the pipe: standard input of a process."""

    def __init__(self, descriptor: int = _STDIN) -> None:
        self._descriptor = descriptor
        self._buffer = b""

    def watch(self, on_state: Callable[[ServiceState], None]) -> None:
        """Pass every state that arrives to `on_state`; end the process when the supervisor is gone. Needs a running loop."""
        os.set_blocking(self._descriptor, False)
        asyncio.get_running_loop().add_reader(self._descriptor, self._receive, on_state)

    def _receive(self, on_state: Callable[[ServiceState], None]) -> None:
        piece = os.read(self._descriptor, _READ_BYTES)
        if not piece:
            # Nothing is lost: whatever was acknowledged is durable. Finishing slowly would let two services overlap.
            os._exit(EXIT_ORPHANED)
        *lines, self._buffer = (self._buffer + piece).split(b"\n")
        for line in lines:
            on_state(msgspec.json.decode(line, type=ServiceState))
