"""Signed notes: a text, and below it a line for each signature. What a signature is worth, `keys.py` and `checkpoints.py` say.

Source: c2sp.org/signed-note.
"""

import re
from base64 import b64decode, b64encode
from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.hashing import HASH_BYTES
from siegel.ledger.tiles import TREE_SIZE_MAX

# The specification demands 16 at least.
SIGNATURES_MAX: Final = 64
NOTE_BYTES_MAX: Final = 512 * 1024
KEY_ID_BYTES: Final = 4

_FRONT: Final = "\N{EM DASH} "
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
# In names: also halves of characters, which are no UTF-8.
_UNFIT: Final = re.compile(r"[+\x00-\x1f\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteSignature(Struct, frozen=True):
    """A signature line: the key's name, the first bytes of a hash over name and key, and what the key's algorithm makes."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note, with its newline."""
        return f"{_FRONT}{self.name} {b64encode(self.key_id + self.signature).decode()}\n"


class SignedNote(Struct, frozen=True):
    """A note. `text` ends with a newline and is what the signatures are about."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return f"{self.text}\n{''.join(signature.line for signature in self.signatures)}".encode()

    def with_signatures(self, *more: NoteSignature) -> "SignedNote":
        """Return the note with further lines; one of a name and key id that it has already takes that one's place."""
        lines = {(line.name, line.key_id): line for line in (*self.signatures, *more)}
        return SignedNote(self.text, tuple(lines.values()))


def parse_note(data: bytes) -> SignedNote:
    """Return the note in `data`, none of whose signatures has been looked at. Raises LedgerFormError."""
    if len(data) > NOTE_BYTES_MAX:
        raise LedgerFormError(f"a note has at most {NOTE_BYTES_MAX} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise LedgerFormError("the note is not UTF-8") from None
    if _CONTROL.search(whole):
        raise LedgerFormError("the note has control characters")
    text, separator, lines = whole.rpartition("\n\n")
    if not separator or not text:
        raise LedgerFormError("the note has no signatures")
    return SignedNote(text + "\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[NoteSignature, ...]:
    """Return the signatures in one or more signature lines. Raises LedgerFormError."""
    *each, rest = lines.split("\n")
    if rest or not each:
        raise LedgerFormError("a signature line ends with a newline")
    if len(each) > SIGNATURES_MAX:
        raise LedgerFormError(f"a note has at most {SIGNATURES_MAX} signatures")
    return tuple(_parse_line(line) for line in each)


def _parse_line(line: str) -> NoteSignature:
    name, separator, encoded = line.removeprefix(_FRONT).partition(" ")
    signature = decode_base64(encoded)
    if not line.startswith(_FRONT) or not separator or len(signature) <= KEY_ID_BYTES:
        raise LedgerFormError("this is no signature line of a note")
    check_name(name)
    return NoteSignature(name, signature[:KEY_ID_BYTES], signature[KEY_ID_BYTES:])


def check_name(name: str) -> None:
    """Raise LedgerFormError for what cannot be the name of a key: empty, with white space, a plus or control characters."""
    if not name or _UNFIT.search(name) or any(char.isspace() for char in name):
        raise LedgerFormError("the name of a key is not empty, and has neither white space nor a plus")


def decode_base64(text: str) -> bytes:
    """Return what `text` spells in standard base64, in the one spelling that there is. Raises LedgerFormError."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise LedgerFormError("this is no base64") from None
    if b64encode(data).decode() != text:
        raise LedgerFormError("this is no base64 as it is written")
    return data


def parse_size(text: str) -> int:
    """Return a number of entries in decimal digits, without a zero in front. Raises LedgerFormError; beyond TREE_SIZE_MAX too."""
    if not _SIZE.fullmatch(text) or int(text) > TREE_SIZE_MAX:
        raise LedgerFormError("this is no number of entries")
    return int(text)


def decode_hash(text: str) -> bytes:
    """Return the 32 bytes that `text` spells in base64. Raises LedgerFormError."""
    hashed = decode_base64(text)
    if len(hashed) != HASH_BYTES:
        raise LedgerFormError("a hash has 32 bytes")
    return hashed
