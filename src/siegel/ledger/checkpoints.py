"""Checkpoints: what a log says that its tree is, as the text of a signed note.

Source: c2sp.org/tlog-checkpoint.
"""

from base64 import b64encode
from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.notes import decode_hash, parse_size

_LINES_MIN: Final = 3


class Checkpoint(Struct, frozen=True):
    """The tree of a log: whose it is, how many leaves it has, its root. Siegel writes no `extensions`, and ignores others'."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note's text."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that a note's text is: its `text` is the same again, to the byte. Raises LedgerFormError."""
    *lines, rest = text.split("\n")
    if rest or len(lines) < _LINES_MIN or not all(lines):
        raise LedgerFormError("a checkpoint has three lines at least, none of them empty")
    origin, size, root, *extensions = lines
    return Checkpoint(origin, parse_size(size), decode_hash(root), tuple(extensions))
