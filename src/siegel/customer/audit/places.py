"""Up to when each of the customer's own books was compared with a ledger.

Every book has its own place: a run that did not look at a book must not move it on, else what stands in that book alone is never
compared. A run begins at the earliest place of its books. A book that is not known yet was never compared: a file of receipts is
from its first one on, all others from the beginning, since something may be missing in them.

A book is known by its first line, wherever it lies: a copy of a log is that log, and one that was begun anew is another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from siegel.domain.errors import ConfigurationError

LINE_BYTES_MAX: Final = 512 * 1024
Places = Mapping[str, int]


def names_of(kind: str, paths: Sequence[Path]) -> list[str]:
    """Return the names of some books. Raises ConfigurationError where one is named twice, or cannot be read."""
    names = list(_names(kind, paths))
    if len(set(names)) < len(names):
        raise ConfigurationError(f"a book, or a copy of it, is named twice: {', '.join(map(str, paths))}")
    return names


def earliest(names: Iterable[str], begun: Places, *known: Places) -> int:
    """Return from when on there is something to compare. `known` are the places of each ledger, `begun` what books begin with."""
    return min(places.get(name, begun.get(name, 0)) for name in names for places in known)


def moved(places: Places, reached: Places) -> dict[str, int]:
    """Return the places after a run that came so far. None goes back."""
    return {**places, **{name: max(at_ms, places.get(name, 0)) for name, at_ms in reached.items()}}


def _names(kind: str, paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        try:
            with path.open("rb") as stream:
                first = stream.readline(LINE_BYTES_MAX)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
        is_whole = first.endswith(b"\n")
        yield f"{kind} {sha256(first).hexdigest() if is_whole else path.absolute()}"
