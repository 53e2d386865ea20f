"""What tells hostile input that ends from such that does not."""

import time
from collections.abc import Generator
from contextlib import contextmanager

ENDLESS_S = 30
"""Processor seconds. No figure of speed: what grows with the square of such input, or worse, takes minutes."""


@contextmanager
def finite() -> Generator[None]:
    """Fail if what is done within takes as good as forever."""
    begun = time.process_time()
    yield
    assert time.process_time() - begun < ENDLESS_S
