"""The customer's keys for consents, of which so many have to sign:

    threshold K
    key VKEY        one line for each key, Ed25519 (`keys.py`)

The customer pins this file where approvals are checked: in his keybox, beside his audit. The provider has a copy.
"""

from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError, UnsignedError
from siegel.ledger.consent_lines import DOCUMENT_BYTES_MAX, parse_count
from siegel.ledger.consents import Approval, Refusal, Verb, parse_approval, parse_refusal
from siegel.ledger.keys import Algorithm, VerifierKey, parse_verifier
from siegel.ledger.notes import SignedNote, parse_note

KEYS_MAX: Final = 16


class ConsentKeys(Struct, frozen=True):
    """Whose signatures count, and how many of them an approval needs."""

    threshold: int
    keys: tuple[VerifierKey, ...]

    def encode(self) -> bytes:
        """Return the file's bytes."""
        return "".join([f"threshold {self.threshold}\n", *(f"key {key}\n" for key in self.keys)]).encode()

    def signers(self, note: SignedNote) -> tuple[VerifierKey, ...]:
        """Return those of the keys that have signed a note, none or more; lines of other keys are passed over.

        Raises UnsignedError for a line of one of them that does not fit: such a note is believed in nothing.
        """
        known = {(key.name, key.key_id): key for key in self.keys}
        found: dict[VerifierKey, None] = {}
        for line in note.signatures:
            key = known.get((line.name, line.key_id))
            if key is not None:
                key.check_text(line, note.text)
                found[key] = None
        return tuple(found)

    def read_approval(self, data: bytes) -> tuple[Approval, tuple[VerifierKey, ...]]:
        """Return the approval in a note and which keys have signed it, one at least, perhaps fewer than are needed.

        Raises LedgerFormError, UnsignedError.
        """
        note = parse_note(data)
        approval = parse_approval(note.text)
        signers = self.signers(note)
        if not signers:
            raise UnsignedError("none of the customer's keys has signed the approval")
        if approval.threshold != self.threshold:
            raise UnsignedError(f"the approval is for a threshold of {approval.threshold}, and here {self.threshold} keys sign")
        return approval, signers

    def open_approval(self, data: bytes) -> Approval:
        """Return the approval in a note that as many keys have signed as are needed. Raises LedgerFormError, UnsignedError."""
        approval, signers = self.read_approval(data)
        if len(signers) < self.threshold:
            raise UnsignedError(f"{len(signers)} of the customer's keys have signed the approval, and {self.threshold} have to")
        return approval

    def open_refusal(self, verb: Verb, data: bytes) -> Refusal:
        """Return the denial or revocation in a note: one key is enough to say no. Raises LedgerFormError, UnsignedError."""
        note = parse_note(data)
        refusal = parse_refusal(verb, note.text)
        if not self.signers(note):
            raise UnsignedError(f"none of the customer's keys has signed the {verb}")
        return refusal


def parse_consent_keys(data: bytes) -> ConsentKeys:
    """Return the keys in a file. Raises LedgerFormError; so for a key that is there twice, and a threshold nobody can reach."""
    try:
        head, *lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise LedgerFormError("the file of consent keys is not UTF-8") from None
    if len(data) > DOCUMENT_BYTES_MAX or not head.startswith("threshold ") or not lines or lines.pop():
        raise LedgerFormError("a file of consent keys is a line `threshold K`, then lines `key VKEY`")
    if not all(line.startswith("key ") for line in lines):
        raise LedgerFormError("below the threshold, each line of a file of consent keys is `key VKEY`")
    keys = tuple(parse_verifier(line.removeprefix("key ")) for line in lines)
    if any(key.algorithm is not Algorithm.ED25519 for key in keys):
        raise LedgerFormError("consents are signed by Ed25519 keys of notes (their type is 0x01)")
    if len({key.public_key for key in keys}) < len(keys) or len({(key.name, key.key_id) for key in keys}) < len(keys):
        raise LedgerFormError("a consent key is there twice")
    threshold = parse_count(head.removeprefix("threshold "))
    if not 1 <= threshold <= len(keys) <= KEYS_MAX:
        raise LedgerFormError(f"there are 1 to {KEYS_MAX} consent keys, and the threshold is 1 to their number")
    return ConsentKeys(threshold, keys)
