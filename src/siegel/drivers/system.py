"""The machine's own clock, uptime and randomness: the Clock, Uptime and Randomness ports."""

import os
import time
from pathlib import Path
from typing import Final

from siegel.domain.errors import ConfigurationError

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's time of day."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000


class SystemUptime:
    """The kernel's count since it started, clock_gettime(2) with CLOCK_BOOTTIME, and its boot id, random(4)."""

    def __init__(self) -> None:
        """Learn the boot id. Raises ConfigurationError where the kernel does not show it."""
        try:
            self._boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError as error:
            raise ConfigurationError(f"{_BOOT_ID} cannot be read: {error.strerror}; locks need it") from None

    @property
    def boot_id(self) -> str:
        """A name of this run of the machine."""
        return self._boot_id

    def ran_ms(self) -> int:
        """Milliseconds that the machine has been running, sleep included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class SystemRandomness:
    """The kernel's cryptographic random source, getrandom(2)."""

    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        return os.urandom(count)
