"""Keys, plaintext and sealed objects that these tests share."""

import io

from siegel.customer.sealing.keyfile import KeyFile, Recipient
from siegel.customer.sealing.opening import StreamSource, open_sealed, open_stream
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.seal import SealedStream, seal_stream
from siegel.customer.sealing.sealedfile import SealedFile

PLACE = ObjectPlace("evidence", "2026/clip.mp4", "111122223333")
CHUNK, SEALED = 16384, 16400
KEY, FRIEND, ENEMY = (KeyFile(bytes([number]) * 160) for number in (1, 2, 3))


def plain(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def stream(
    data: bytes, place: ObjectPlace = PLACE, *, sealer: KeyFile | None = KEY, to: tuple[Recipient, ...] = (), **more
) -> SealedStream:
    return seal_stream(io.BytesIO(data), len(data), place, sealer=sealer, recipients=to, **more)


def joined(sealed: SealedStream) -> bytes:
    return b"".join(bytes(piece) for piece in sealed)


def seal(data: bytes, place: ObjectPlace = PLACE, **more) -> bytes:
    return joined(stream(data, place, **more))


def unseal(
    sealed: bytes, place: ObjectPlace = PLACE, *, key: KeyFile = KEY, trusted: list[bytes] | None = None, **more
) -> SealedFile:
    believed = [KEY.sealer] if trusted is None else trusted
    return open_sealed(StreamSource(io.BytesIO(sealed)), place, key=key, trusted=believed, **{"seen": None} | more)


def content(file: SealedFile, *span: int) -> bytes:
    return b"".join(bytes(piece) for piece in open_stream(file, *span))
