"""What a witness checks before it signs: who the log is, and that its tree is a later state of the one that was signed last.

Source: c2sp.org/tlog-witness, "add-checkpoint". The order of the checks is the order of the specification.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from siegel.domain.errors import SiegelError
from siegel.domain.ledgers import LedgerFormError, ProofError, UnsignedError
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.keys import Algorithm, VerifierKey
from siegel.ledger.notes import SignedNote
from siegel.ledger.proofs import Proof, check_consistency
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.witness_requests import SIZE_CONTENT_TYPE, parse_add_checkpoint

TEXT: Final = "text/plain; charset=utf-8"

Logs = Mapping[str, Sequence[VerifierKey]]


class RefusedError(SiegelError):
    """A checkpoint that is not signed: the HTTP status, the body and its type. `is_fork`: the log has shown two trees."""

    def __init__(self, status: int, body: str, content_type: str = TEXT, *, is_fork: bool = False) -> None:
        """Refuse with `status`."""
        super().__init__(body)
        self.status = status
        self.body = f"{body}\n".encode()
        self.content_type = content_type
        self.is_fork = is_fork


class Step(Struct, frozen=True):
    """A checkpoint that its log has signed, and the proof that it comes behind the tree of `old_size`, not checked.

    `note` has the log's own signatures alone: whatever else was submitted proves nothing.
    """

    old_size: int
    proof: Proof
    checkpoint: Checkpoint
    note: SignedNote


def read_step(body: bytes, logs: Logs) -> Step:
    """Return the step that a request asks for. `logs`: the trusted keys of each origin.

    Raises RefusedError: 400 for what is no request, 404 for an unknown log, 403 if no trusted key of it has signed.
    """
    try:
        request = parse_add_checkpoint(body)
        origin = open_checkpoint(request.checkpoint, ()).checkpoint.origin
        if origin not in logs:
            raise RefusedError(404, "this witness does not know the log")
        opened = open_checkpoint(request.checkpoint, logs[origin])
    except LedgerFormError as error:
        raise RefusedError(400, str(error)) from None
    except UnsignedError as error:
        raise RefusedError(403, str(error)) from None
    if not opened.signed:
        raise RefusedError(403, "no trusted key of the log has signed the checkpoint")
    if opened.checkpoint.extensions and all(verifier.algorithm is Algorithm.ML_DSA_44 for verifier in opened.signed):
        # Such a signature says nothing of them: whoever carries the checkpoint could have added them.
        raise RefusedError(403, "no trusted key of the log has signed the extension lines of the checkpoint")
    if request.old_size > opened.checkpoint.size:
        raise RefusedError(400, "the old size is larger than the checkpoint's")
    trusted = {(verifier.name, verifier.key_id) for verifier in opened.signed}
    lines = tuple(line for line in opened.note.signatures if (line.name, line.key_id) in trusted)
    return Step(request.old_size, request.proof, opened.checkpoint, SignedNote(opened.note.text, lines))


def check_step(step: Step, last: Checkpoint | None) -> None:
    """Check the step from the checkpoint that was signed last, None for none. Raises RefusedError: 409, 422."""
    old_size, old_root = (last.size, last.root) if last else (0, b"")
    if step.old_size != old_size:
        raise RefusedError(409, str(old_size), SIZE_CONTENT_TYPE)
    new = step.checkpoint
    try:
        check_consistency(old_size, old_root if last else new.root, new.size, new.root, step.proof)
    except ProofError as error:
        raise RefusedError(422, str(error), is_fork=new.size == old_size and new.root != old_root) from None
