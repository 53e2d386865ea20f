"""The header of a sealed object.

    offset            size       field
    0                 7          "SIEGELC"
    7                 1          version of this format, 0x01
    8                 1          suite: 1 = HPKE with ML-KEM-768 and X25519, Ed25519, Cobblestone-256
    9                 1          signed: 1, or 0 for nobody
    10                2          number n of recipients, 1 to 64
    12                4          length m of the sealed manifest
    16                16         object id, random
    32                n * 1176   recipients: see `recipients.py`
    ...               m          sealed manifest: a record under a key of the data key
    ...               64         signature, absent from an unsigned object
    ...               88 + ...   body: a segment of `siegel.envelope.segment`, whose own header is authenticated here too

Pure: keys, random bytes and the wraps themselves come as arguments, so that vectors can be made again.
"""

import hashlib
from collections.abc import Sequence
from struct import Struct as Layout
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from siegel.customer.sealing.keyfile import KeyFile
from siegel.customer.sealing.manifest import Manifest, decode_manifest, encode_manifest
from siegel.customer.sealing.recipients import RECIPIENTS_MAX, STANZA_BYTES, Unwrap
from siegel.customer.sealing.refusals import (
    HeaderChangedError,
    NotSealedError,
    SealingError,
    UnknownSealerError,
    UnsignedError,
)
from siegel.domain.errors import SealBrokenError
from siegel.domain.weak_points import is_weak_signer
from siegel.envelope.derive import Label, derive_key
from siegel.envelope.ranges import HEADER_BYTES as SEGMENT_HEADER_BYTES
from siegel.envelope.record import RECORD_OVERHEAD_BYTES, RecordKey

PREAMBLE_BYTES: Final = 32
OBJECT_ID_BYTES: Final = 16
MANIFEST_BYTES_MAX: Final = 16 * 1024

_MAGIC: Final = b"SIEGELC\x01"
_SUITE: Final = 1
_PREAMBLE: Final = Layout(">8sBBHI16s")
_SIGNATURE_BYTES: Final = 64
_SIGNATURE_LABEL: Final = b"siegel client signature v1\x00"


class Outline(Struct, frozen=True):
    """How the header of one object is laid out; nothing of it is believed yet."""

    signed: bool
    recipients: int
    manifest_bytes: int
    object_id: bytes

    @property
    def manifest_at(self) -> int:
        """Return where the sealed manifest begins."""
        return PREAMBLE_BYTES + self.recipients * STANZA_BYTES

    @property
    def body_at(self) -> int:
        """Return where the body's segment begins."""
        return self.manifest_at + self.manifest_bytes + (_SIGNATURE_BYTES if self.signed else 0)


class OpenedHeader(Struct, frozen=True):
    """What an authentic header says. `digest` is the SHA-256 of it: the name of this very sealing."""

    manifest: Manifest
    object_id: bytes
    data_key: bytes
    body_at: int
    segment_header: bytes
    digest: bytes


def outline(start: bytes) -> Outline:
    """Read the first 32 bytes of an object. Raises NotSealedError."""
    if len(start) < PREAMBLE_BYTES or start[:7] != _MAGIC[:7]:
        raise NotSealedError("not a sealed object")
    magic, suite, signed, recipients, manifest_bytes, object_id = _PREAMBLE.unpack(start[:PREAMBLE_BYTES])
    if magic != _MAGIC or suite != _SUITE or signed > 1:
        raise NotSealedError("a sealed object of a version or suite that this program does not know")
    if not 1 <= recipients <= RECIPIENTS_MAX or not RECORD_OVERHEAD_BYTES < manifest_bytes <= MANIFEST_BYTES_MAX:
        raise NotSealedError("a sealed object whose header has no possible size")
    return Outline(bool(signed), recipients, manifest_bytes, object_id)


def build_header(
    manifest: Manifest,
    data_key: bytes,
    object_id: bytes,
    stanzas: Sequence[bytes],
    segment_header: bytes,
    *,
    nonce: bytes,
    sealer: KeyFile | None,
) -> tuple[bytes, bytes]:
    """Return the header, without the segment's own 88 bytes, and its digest. Raises SealingError.

    `nonce`: 12 random bytes; `data_key` and `object_id` are random too, and fresh for this object.
    """
    if not 1 <= len(stanzas) <= RECIPIENTS_MAX:
        raise SealingError(f"an object is sealed for 1 to {RECIPIENTS_MAX} recipients")
    plain = encode_manifest(manifest)
    manifest_bytes = len(plain) + RECORD_OVERHEAD_BYTES
    if manifest_bytes > MANIFEST_BYTES_MAX:
        raise SealingError("the name of the file is too long")
    preamble = _PREAMBLE.pack(_MAGIC, _SUITE, int(sealer is not None), len(stanzas), manifest_bytes, object_id)
    open_part = preamble + b"".join(stanzas)
    sealed = _manifest_key(data_key).seal(plain, open_part + segment_header, nonce)
    said = open_part + sealed + segment_header
    signature = sealer.signing_key.sign(_SIGNATURE_LABEL + said) if sealer is not None else b""
    return open_part + sealed + signature, hashlib.sha256(said).digest()


def open_header(start: bytes, unwrap: Unwrap, trusted: Sequence[bytes], *, allow_unsigned: bool = False) -> OpenedHeader:
    """Open a header and check who signed it. `start` is the object's beginning, at least up to the end of the segment's header.

    `unwrap` takes the data key out of the stanzas; `trusted` are the sealers' public keys that are believed. Raises the errors
    of `refusals.py` that speak of headers.
    """
    found = outline(start)
    manifest_at, body_at = found.manifest_at, found.body_at
    if len(start) < body_at + SEGMENT_HEADER_BYTES:
        raise HeaderChangedError("the object ends within its header")
    open_part, sealed = start[:manifest_at], start[manifest_at : manifest_at + found.manifest_bytes]
    signature = start[manifest_at + found.manifest_bytes : body_at]
    segment_header = start[body_at : body_at + SEGMENT_HEADER_BYTES]
    unwrapped = unwrap(_stanzas(open_part), found.object_id)
    try:
        plain = _manifest_key(unwrapped.data_key).open(sealed, open_part + segment_header)
    except SealBrokenError:
        raise HeaderChangedError("the header was changed: its manifest does not open") from None
    manifest = decode_manifest(plain)
    if unwrapped.sequence not in {None, manifest.sequence}:
        raise HeaderChangedError("the number that the key server was told is not the object's")
    said = open_part + sealed + segment_header
    _check_sealer(manifest, said, signature, trusted, allow_unsigned=allow_unsigned)
    return OpenedHeader(manifest, found.object_id, unwrapped.data_key, body_at, segment_header, hashlib.sha256(said).digest())


def _check_sealer(manifest: Manifest, said: bytes, signature: bytes, trusted: Sequence[bytes], *, allow_unsigned: bool) -> None:
    """Raise unless somebody who is trusted signed, or nobody did and that is allowed."""
    if bool(signature) != (manifest.sealer is not None):
        raise HeaderChangedError("the header was changed: a signature was taken away or added")
    if manifest.sealer is None:
        if not allow_unsigned:
            raise UnsignedError(
                "nobody signed the object, so anybody may have made it\ntry: --allow-unsigned, if that is what you expect"
            )
        return
    sealer = bytes.fromhex(manifest.sealer)
    if sealer not in trusted:
        raise UnknownSealerError(
            f"the object is signed by {manifest.sealer}, whom you do not trust\ntry: --from with that sealer's line"
        )
    if is_weak_signer(sealer):
        raise UnknownSealerError("the sealer's key is a point of small order: anybody's signatures fit it")
    try:
        Ed25519PublicKey.from_public_bytes(sealer).verify(signature, _SIGNATURE_LABEL + said)
    except InvalidSignature:
        raise HeaderChangedError("the signature does not fit the header: somebody who can open the object changed it") from None


def _stanzas(open_part: bytes) -> list[bytes]:
    return [open_part[at : at + STANZA_BYTES] for at in range(PREAMBLE_BYTES, len(open_part), STANZA_BYTES)]


def _manifest_key(data_key: bytes) -> RecordKey:
    return RecordKey(derive_key(data_key, Label.CLIENT_MANIFEST))
