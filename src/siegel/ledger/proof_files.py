"""Proof files: all that is needed to check offline that an entry is in a log, in one text.

    c2sp.org/tlog-proof@v1
    extra BASE64            may be left out, is proven by nothing
    index N
    HASH                    the proof of inclusion, from the leaf's neighbour up, base64

    the checkpoint, as it was signed and witnessed

Source: c2sp.org/tlog-proof.
"""

from base64 import b64encode
from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError, UnsignedError
from siegel.ledger.notes import NOTE_BYTES_MAX, decode_base64, decode_hash, parse_size
from siegel.ledger.policies import Judgement, Policy
from siegel.ledger.proofs import Proof, check_inclusion

PROOF_HASHES_MAX: Final = 63
PROOF_FILE_BYTES_MAX: Final = NOTE_BYTES_MAX + 128 * 1024

_FIRST: Final = "c2sp.org/tlog-proof@v1"


class ProofFile(Struct, frozen=True):
    """A proof file. `checkpoint` is the whole signed note; `extra` is what whoever made it adds."""

    index: int
    proof: Proof
    checkpoint: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        """Return the file's bytes."""
        extra = [f"extra {b64encode(self.extra).decode()}"] if self.extra else []
        hashes = [b64encode(hashed).decode() for hashed in self.proof]
        lines = (_FIRST, *extra, f"index {self.index}", *hashes, "")
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    def check(self, hashed: bytes, policy: Policy) -> Judgement:
        """Return what `policy` says of the checkpoint, if the leaf of hash `hashed` is in its tree, and the quorum is there.

        Raises LedgerFormError, ProofError, UnsignedError.
        """
        judgement = policy.judge(self.checkpoint)
        if not judgement.has_quorum:
            raise UnsignedError("the checkpoint lacks the quorum of witnesses that the policy demands")
        checkpoint = judgement.checkpoint
        check_inclusion(hashed, self.index, checkpoint.size, checkpoint.root, self.proof)
        return judgement


def parse_proof_file(data: bytes) -> ProofFile:
    """Return the proof in a file, not checked. Raises LedgerFormError."""
    front, separator, checkpoint = data.partition(b"\n\n")
    if len(data) > PROOF_FILE_BYTES_MAX or not separator:
        raise LedgerFormError("this is no proof file")
    try:
        first, *lines = front.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise LedgerFormError("this is no proof file") from None
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "))
    if first != _FIRST or not lines or not lines[0].startswith("index ") or len(lines) - 1 > PROOF_HASHES_MAX:
        raise LedgerFormError("this is no proof file of version 1")
    index = parse_size(lines[0].removeprefix("index "))
    return ProofFile(index, tuple(decode_hash(line) for line in lines[1:]), checkpoint, extra)
