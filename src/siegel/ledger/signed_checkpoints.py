"""Signed checkpoints: whole notes, made by a log, completed by witnesses, opened by whoever trusts some keys."""

from collections.abc import Iterable

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.checkpoints import Checkpoint, parse_checkpoint
from siegel.ledger.keys import SignerKey, VerifierKey
from siegel.ledger.notes import SignedNote, parse_note, parse_signatures


class Opened(Struct, frozen=True):
    """A checkpoint, and which trusted keys have signed it, each with the time that its signature says (`VerifierKey.check`)."""

    checkpoint: Checkpoint
    note: SignedNote
    signed: dict[VerifierKey, int]


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[SignerKey], at_s: int) -> bytes:
    """Return the signed note, with a line of each signer. `at_s`: the time that cosignatures say, in seconds since 1970."""
    lines = tuple(signer.sign(checkpoint, at_s) for signer in signers)
    return SignedNote(checkpoint.text, lines).encode()


def open_checkpoint(data: bytes, verifiers: Iterable[VerifierKey]) -> Opened:
    """Return the checkpoint in `data`, with those of `verifiers` that have signed it, none or more.

    What is enough, a policy says. Signatures of other keys are passed over. Raises LedgerFormError, and UnsignedError for a line
    of a known key that does not fit: such a note is believed in nothing.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    signed: dict[VerifierKey, int] = {}
    for line in note.signatures:
        verifier = known.get((line.name, line.key_id))
        if verifier is not None:
            signed[verifier] = verifier.check(line, checkpoint)
    return Opened(checkpoint, note, signed)


def add_signatures(data: bytes, lines: bytes) -> bytes:
    """Return the note in `data` with further signature lines, as a witness answers them. Raises LedgerFormError.

    A line of a name and key id that the note has already takes that one's place.
    """
    try:
        more = parse_signatures(lines.decode())
    except UnicodeDecodeError:
        raise LedgerFormError("the signature lines are not UTF-8") from None
    return parse_note(data).with_signatures(*more).encode()
