"""How much of each large body a worker opens at a time: much where few download, little where many do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# 1 MiB leaves at a time: of half as much, 256 KiB cost a twentieth more of the processor, of 64 KiB half as much again.
CHUNKS_MAX: Final = 64
CHUNKS_MIN: Final = 4
# What the bodies under way share: 32 MiB. The HTTP server holds up to four copies more for a client that is slow to take them.
SHARED_CHUNKS: Final = 32 * CHUNKS_MAX


class Slabs:
    """The bodies under way in one worker, and the share of each in what they may hold in memory together."""

    def __init__(self) -> None:
        """Begin with none."""
        self._bodies = 0

    @contextmanager
    def share(self) -> Iterator[int]:
        """Count one more body while the context lasts; yield the chunks that it may open at a time, from the first to its end."""
        self._bodies += 1
        try:
            yield max(CHUNKS_MIN, min(CHUNKS_MAX, SHARED_CHUNKS // self._bodies))
        finally:
            self._bodies -= 1
