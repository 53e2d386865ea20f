"""Data keys of named objects, wrapped for somebody who is no recipient of theirs: for a support engineer, by consent.

The file is itself a sealed object, for one recipient and always signed, of a place that no store has. Its plaintext is a JSON
object (`docs/design/formats/client.md`, "Wrapped keys"). Each key is that of one sealing of one object: it opens no other one,
and not the same object sealed anew either.
"""

import io
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from siegel.customer.sealing.header import OpenedHeader
from siegel.customer.sealing.keyfile import KeyFile, Recipient
from siegel.customer.sealing.opening import StreamSource, open_sealed
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import Unwrapped
from siegel.customer.sealing.refusals import HeaderChangedError, NotForThisKeyError, SealingError
from siegel.customer.sealing.seal import seal_stream

FORMAT: Final = "siegel wrapped keys v1"
# No bucket has a colon: nobody stores an object that is taken for such a file.
PLACE: Final = ObjectPlace("siegel:wrapped-keys", "v1")
KEYS_MAX: Final = 10_000
FILE_BYTES_MAX: Final = 64 * 1024 * 1024

_Hex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_ObjectId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class WrappedKey(Struct, frozen=True, forbid_unknown_fields=True):
    """One data key, and the object of which it is: where it lies, its id, the digest of its header."""

    account_id: str
    bucket: str
    object_key: str
    object_id: _ObjectId
    digest: _Hex
    data_key: _Hex

    def __repr__(self) -> str:
        return f"WrappedKey({self.place.uri})"

    @property
    def place(self) -> ObjectPlace:
        """Return where the object lies."""
        return ObjectPlace(self.bucket, self.object_key, self.account_id)


class WrappedKeys(Struct, frozen=True, forbid_unknown_fields=True):
    """What such a file holds. `consent_id` may be empty; `made_at_ms` is the clock of who made it."""

    format: Literal["siegel wrapped keys v1"]
    consent_id: str
    made_at_ms: int
    keys: Annotated[tuple[WrappedKey, ...], Meta(min_length=1, max_length=KEYS_MAX)]

    def unwrap(self, _stanzas: Sequence[bytes], object_id: bytes) -> Unwrapped:
        """Return the data key of an object; its recipients' stanzas are not needed. Raises NotForThisKeyError."""
        return Unwrapped(bytes.fromhex(self._of(object_id).data_key))

    def check(self, header: OpenedHeader) -> None:
        """Raise HeaderChangedError unless this very sealing was meant."""
        if self._of(header.object_id).digest != header.digest.hex():
            raise HeaderChangedError("the object was sealed otherwise when its key was wrapped")

    def _of(self, object_id: bytes) -> WrappedKey:
        for key in self.keys:
            if key.object_id == object_id.hex():
                return key
        raise NotForThisKeyError("the file of wrapped keys has none for this object, as it is now")


def key_of(place: ObjectPlace, header: OpenedHeader) -> WrappedKey:
    """Return the key of the object at `place`, whose header was opened by `read_header`."""
    object_id, digest, data_key = (value.hex() for value in (header.object_id, header.digest, header.data_key))
    return WrappedKey(place.account_id, place.bucket, place.object_key, object_id, digest, data_key)


def wrap_keys(
    keys: Sequence[WrappedKey],
    to: Recipient,
    sealer: KeyFile,
    *,
    consent_id: str = "",
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> bytes:
    """Return the file that gives `to` these keys, signed by `sealer`. Raises SealingError for none or too many."""
    if not 1 <= len(keys) <= KEYS_MAX:
        raise SealingError(f"a file of wrapped keys is for 1 to {KEYS_MAX} objects")
    plain = msgspec.json.encode(WrappedKeys(FORMAT, consent_id, now_ms(), tuple(keys)))
    sealed = seal_stream(io.BytesIO(plain), len(plain), PLACE, sealer=sealer, recipients=[to], sealer_opens=False)
    return b"".join(bytes(piece) for piece in sealed)


def read_wrapped(data: bytes, key: KeyFile, trusted: Sequence[bytes]) -> WrappedKeys:
    """Open a file of wrapped keys, as the one whom it is for. Raises the errors of `refusals.py`; an unsigned one is refused."""
    file = open_sealed(StreamSource(io.BytesIO(data)), PLACE, key=key, trusted=trusted, seen=None)
    try:
        return msgspec.json.decode(file.read(), type=WrappedKeys)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HeaderChangedError(f"the file of wrapped keys is not as its format demands: {error}") from None
