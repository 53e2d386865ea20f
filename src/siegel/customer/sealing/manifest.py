"""What a sealer says of an object: sealed inside its header, so that only recipients read it and nobody changes it."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.refusals import HeaderChangedError
from siegel.envelope.ranges import CHUNK_BYTES, CHUNKS_MAX

SIZE_BYTES_MAX: Final = (CHUNKS_MAX - 1) * CHUNK_BYTES
SEQUENCE_MAX: Final = (1 << 63) - 1
PADDED_TO_BYTES: Final = 256

_Hex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Natural = Annotated[int, Meta(ge=0, le=SEQUENCE_MAX)]


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The manifest of one sealed object.

    `sequence` grows with every sealing for one place; `previous` is the digest of the header that the sealer knew there
    before, `sealer` the Ed25519 key that signed, both in hex. `name` is the file's own name, where it is told.
    """

    account_id: str
    bucket: str
    object_key: str
    size_bytes: Annotated[int, Meta(ge=0, le=SIZE_BYTES_MAX)]
    chunk_bytes: int
    sequence: _Natural
    sealed_at_ms: _Natural
    name: str | None
    previous: _Hex | None
    sealer: _Hex | None

    @property
    def place(self) -> ObjectPlace:
        """Return where the object was sealed for."""
        return ObjectPlace(self.bucket, self.object_key, self.account_id)


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the JSON, filled with spaces to a multiple of 256 bytes so that the length of a name does not show."""
    text = msgspec.json.encode(manifest)
    return text + b" " * (-len(text) % PADDED_TO_BYTES)


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest that was authenticated already. Raises HeaderChangedError if its sealer did not keep to the format."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HeaderChangedError(f"the manifest is not as the format demands: {error}") from None
    if manifest.chunk_bytes != CHUNK_BYTES:
        raise HeaderChangedError("the manifest names another size of chunks than the format's")
    return manifest
