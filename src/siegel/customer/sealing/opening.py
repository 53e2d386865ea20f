"""Opening: whatever can be read by ranges becomes a file of plaintext, every byte of it authenticated before it is given out."""

import io
from collections.abc import Generator, Sequence
from typing import BinaryIO, Final, Protocol

from siegel.customer.sealing.header import OpenedHeader, open_header, outline
from siegel.customer.sealing.keyfile import KeyFile
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import Keybox, Unwrap, Unwrapped, unwrapper
from siegel.customer.sealing.refusals import HeaderChangedError, MovedError, NotSealedError, WrongLengthError
from siegel.customer.sealing.sealedfile import SealedFile, SealedReader, Source
from siegel.customer.sealing.seen import USERS_OWN, Seen, Sighting
from siegel.domain.errors import SealBrokenError
from siegel.envelope.ranges import HEADER_BYTES as SEGMENT_HEADER_BYTES
from siegel.envelope.ranges import sealed_size as segment_size
from siegel.envelope.segment import SegmentOpener

# One read is enough for a header with some fifty recipients.
FIRST_READ_BYTES: Final = 64 * 1024


class StreamSource:
    """A seekable binary stream as a source: for one thread."""

    reads_at_once: Final = 1

    def __init__(self, stream: BinaryIO) -> None:
        """Take the stream; it is read through `seek` and `readinto`."""
        self._stream = stream
        self.size_bytes: int = stream.seek(0, io.SEEK_END)

    def read_into(self, offset: int, room: memoryview) -> int:
        """See `Source`."""
        self._stream.seek(offset)
        filled = 0
        while filled < len(room) and (count := self._stream.readinto(room[filled:])):  # type: ignore[attr-defined] # as in seal.py
            filled += count
        return filled


class Wrapped(Protocol):
    """Data keys that were wrapped for a reader who is no recipient: see `wrapped.py`."""

    def unwrap(self, stanzas: Sequence[bytes], object_id: bytes) -> Unwrapped:
        """Return the data key of an object. Raises NotForThisKeyError."""

    def check(self, header: OpenedHeader) -> None:
        """Raise HeaderChangedError unless this very sealing was meant."""


def open_sealed(
    source: Source,
    place: ObjectPlace,
    *,
    key: KeyFile | None,
    trusted: Sequence[bytes],
    box: Keybox | None = None,
    allow_unsigned: bool = False,
    seen: Seen | None = USERS_OWN,
    wrapped: Wrapped | None = None,
) -> SealedFile:
    """Open the object at `place` as a file of plaintext: seekable, every read a range of the source.

    The key file opens it if it can, else the box is asked: once, however many ranges are read. `trusted`: public keys of
    sealers that are believed. `seen`: the memory that rollbacks are held against, the user's own unless another is given;
    with None they do not show. `wrapped`: keys that were wrapped for this reader; then they alone count. Raises the errors
    of `refusals.py`, each for its own attack.
    """
    unwrap = unwrapper(key, box, place) if wrapped is None else wrapped.unwrap
    header = read_header(source, place, unwrap, trusted, allow_unsigned=allow_unsigned)
    if wrapped is not None:
        wrapped.check(header)
    manifest = header.manifest
    try:
        opener = SegmentOpener(
            header.data_key,
            place.context(header.object_id),
            header.object_id,
            0,
            header=header.segment_header,
            plain_size=manifest.size_bytes,
            stored_size=source.size_bytes - header.body_at,
        )
    except SealBrokenError:
        raise HeaderChangedError("the body's own header does not belong to the object") from None
    if seen is not None:
        seen.check_and_note(place, Sighting(manifest.sequence, header.digest))
    return SealedFile(SealedReader(source, opener, manifest, header.body_at), header.digest)


def read_header(
    source: Source, place: ObjectPlace, unwrap: Unwrap, trusted: Sequence[bytes], *, allow_unsigned: bool = False
) -> OpenedHeader:
    """Open the header of the object at `place`, and check that it is that object's and as long as it says. See `open_sealed`."""
    start = _read(source, 0, min(FIRST_READ_BYTES, source.size_bytes))
    needed = outline(start).body_at + SEGMENT_HEADER_BYTES
    if needed > len(start):
        start += _read(source, len(start), max(0, min(needed, source.size_bytes) - len(start)))
    header = open_header(start, unwrap, trusted, allow_unsigned=allow_unsigned)
    sealed_as = header.manifest.place
    if sealed_as != place:
        raise MovedError(f"{place.uri} was sealed as {sealed_as.uri}{_accounts(sealed_as, place)}")
    if source.size_bytes != header.body_at + segment_size(header.manifest.size_bytes):
        raise WrongLengthError(f"{place.uri} is shorter or longer than it was sealed")
    return header


def open_stream(file: SealedFile, start: int = 0, stop: int | None = None) -> Generator[memoryview, None, None]:
    """Yield plaintext bytes `start` up to, not including, `stop`, in pieces that are valid until the next one is asked for.

    See `SealedReader.stream` for how to end it early.
    """
    return file.reader.stream(start, file.size_bytes if stop is None else stop)


def _read(source: Source, offset: int, count: int) -> bytes:
    room = bytearray(count)
    if source.read_into(offset, memoryview(room)) != count:
        raise NotSealedError("the store gave less of the object's beginning than there is")
    return bytes(room)


def _accounts(sealed: ObjectPlace, asked: ObjectPlace) -> str:
    """Name the accounts where they are what differs."""
    if sealed.account_id == asked.account_id:
        return ""
    told = f", for account {sealed.account_id or '(none)'} instead of {asked.account_id or '(none)'}"
    return f"{told}\ntry: --account-id, if that is what you expect"
