"""What a log sends to a witness: the size that the witness knows, a proof from there, the new checkpoint.

    old N
    HASH        the proof of consistency, base64, at most 63 lines

    the checkpoint, as the log has signed it

Source: c2sp.org/tlog-witness, "add-checkpoint".
"""

from base64 import b64encode
from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.notes import NOTE_BYTES_MAX, decode_hash, parse_size
from siegel.ledger.proofs import Proof

PROOF_LINES_MAX: Final = 63
REQUEST_BYTES_MAX: Final = NOTE_BYTES_MAX + 8 * 1024
SIZE_CONTENT_TYPE: Final = "text/x.tlog.size"


class AddCheckpoint(Struct, frozen=True):
    """The body of a request. `checkpoint` is the whole signed note."""

    old_size: int
    proof: Proof
    checkpoint: bytes

    def encode(self) -> bytes:
        """Return the body's bytes."""
        lines = (f"old {self.old_size}", *(b64encode(hashed).decode() for hashed in self.proof), "")
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Return what a request's body says; the checkpoint in it is not looked at. Raises LedgerFormError."""
    front, separator, checkpoint = body.partition(b"\n\n")
    if len(body) > REQUEST_BYTES_MAX or not separator:
        raise LedgerFormError("the body is none of add-checkpoint")
    try:
        first, *lines = front.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise LedgerFormError("the body is none of add-checkpoint") from None
    if not first.startswith("old ") or len(lines) > PROOF_LINES_MAX:
        raise LedgerFormError("the body is none of add-checkpoint")
    return AddCheckpoint(parse_size(first.removeprefix("old ")), tuple(decode_hash(line) for line in lines), checkpoint)
