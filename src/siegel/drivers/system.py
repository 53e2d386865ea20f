"""The machine's own clock and randomness: the Clock and Randomness ports."""

import os
import time


class SystemClock:
    """The machine's time of day."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000


class SystemRandomness:
    """The kernel's cryptographic random source, getrandom(2)."""

    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        return os.urandom(count)
