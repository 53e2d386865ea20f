"""aws-chunked bodies, decoded as they arrive: in signed chunks, with or without signed trailers, or unsigned with trailers.

    size-in-hex[;chunk-signature=64-hex] CRLF payload CRLF     any number of times, each but the last at least 8 KiB
    0[;chunk-signature=64-hex] CRLF
    name:value CRLF                                            the announced trailers
    x-amz-trailer-signature:64-hex CRLF                        where they are signed
    CRLF

Trailer lines may also end in a bare line feed and be followed by empty lines: some clients write them so. A chunk may be as large
as the body: clients with their own part sizes send a whole part as one.

Sources: AWS S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and
"Signature calculations for trailing headers".
"""

import hmac
import re
from collections.abc import Iterable
from enum import Enum, StrEnum, auto
from hashlib import sha256
from typing import Final

from siegel.domain.errors import (
    AccessDeniedError,
    IncompleteBodyError,
    InvalidChunkSizeError,
    InvalidRequestError,
    MalformedTrailerError,
    SignatureDoesNotMatchError,
)
from siegel.domain.limits import FRAME_HEAD_BYTES_MAX, TRAILER_BYTES_MAX
from siegel.s3wire.sigv4 import VerifiedRequest

CHUNK_BYTES_MIN: Final = 8192
"""The least size of every chunk but the last one, as on Amazon S3."""

_UNSIGNED_HEAD: Final = re.compile(rb"([0-9a-fA-F]{1,16})()")
_SIGNED_HEAD: Final = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})")
_TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"
_EMPTY_SHA256: Final = sha256().hexdigest()


class FrameMode(StrEnum):
    """The three forms, named as x-amz-content-sha256 names them."""

    SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class ChunkChain:
    """The signatures inside a body: each one covers its chunk and the signature before it, the first one the request's own."""

    def __init__(self, signing_key: bytes, timestamp: str, scope: str, seed_signature: str) -> None:
        """Begin behind the request's signature. `timestamp` and `scope` are those of its string to sign."""
        self._signing_key = signing_key
        self._scope = f"{timestamp}\n{scope}"
        self._previous = seed_signature

    @classmethod
    def of(cls, verified: VerifiedRequest) -> "ChunkChain":
        """Return the chain that begins with a verified request. Raises AccessDeniedError where nobody signed it."""
        claim = verified.claim
        if claim is None:
            raise AccessDeniedError("An anonymous request cannot have a body in signed chunks.")
        return cls(verified.signing_key, claim.timestamp, claim.scope, claim.signature)

    def check_chunk(self, payload_sha256: str, signature: str) -> None:
        """Accept the next chunk by its payload's hash (hex). Raises SignatureDoesNotMatchError."""
        self._check(f"AWS4-HMAC-SHA256-PAYLOAD\n{self._scope}\n{self._previous}\n{_EMPTY_SHA256}\n{payload_sha256}", signature)

    def check_trailers(self, trailers: dict[str, str], signature: str) -> None:
        """Accept the trailers, in the order in which they came. Raises SignatureDoesNotMatchError."""
        text = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        digest = sha256(text.encode("latin-1")).hexdigest()
        self._check(f"AWS4-HMAC-SHA256-TRAILER\n{self._scope}\n{self._previous}\n{digest}", signature)

    def _check(self, to_sign: str, signature: str) -> None:
        expected = hmac.digest(self._signing_key, to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise SignatureDoesNotMatchError("A signature inside the request's body does not match what was signed.")
        self._previous = expected


class _State(Enum):
    HEAD = auto()
    PAYLOAD = auto()
    PAYLOAD_END = auto()
    TRAILERS = auto()


class FrameDecoder:
    """Takes the body in pieces of any size and gives back its payload, without copying it.

    Payload is given out before its chunk's signature is checked (a chunk may be large): nothing may come of it before `finish`
    has returned. After any error the decoder must not be used again.
    """

    def __init__(
        self, mode: FrameMode, decoded_length: int, chain: ChunkChain | None = None, trailer_names: Iterable[str] = ()
    ) -> None:
        """Expect `decoded_length` bytes of payload, and exactly the trailers that x-amz-trailer announced (lower-case names).

        `chain` is needed in the signed modes and must not be given in the other.
        """
        if (chain is None) != (mode is FrameMode.UNSIGNED_TRAILER):
            raise TypeError("signed chunks go with a chain, unsigned ones without")
        self._mode = mode
        self._chain = chain
        self._missing = decoded_length
        self._trailer_names = frozenset(trailer_names)
        self._head_form = _UNSIGNED_HEAD if chain is None else _SIGNED_HEAD
        self._state = _State.HEAD
        self._pending = b""
        self._trailers = bytearray()
        self._chunk_number = 0
        self._chunk_bytes = CHUNK_BYTES_MIN
        self._chunk_missing = 0
        self._chunk_signature = ""
        self._chunk_hash = sha256()

    def feed(self, data: bytes | memoryview) -> list[bytes | memoryview]:
        """Take the next piece of the body and return the payload in it.

        Raises IncompleteBodyError, InvalidChunkSizeError, InvalidRequestError, MalformedTrailerError,
        SignatureDoesNotMatchError.
        """
        view = memoryview(data)
        pieces: list[bytes | memoryview] = []
        at = 0
        while at < len(view):
            if self._state is _State.PAYLOAD:
                piece = view[at : at + self._chunk_missing]
                self._take_payload(piece)
                pieces.append(piece)
                at += len(piece)
            elif self._state is _State.TRAILERS:
                self._take_trailers(view[at:])
                break
            else:
                at = self._take_line(view, at)
        return pieces

    def finish(self) -> dict[str, str]:
        """Return the trailers by lower-case name, now that the body is over: all of it was there, and all of it was signed.

        Raises IncompleteBodyError, MalformedTrailerError, SignatureDoesNotMatchError.
        """
        if self._state is not _State.TRAILERS or not self._trailers.endswith(b"\n"):
            raise IncompleteBodyError
        trailers = self._read_trailers()
        signature = trailers.pop(_TRAILER_SIGNATURE, None)
        if (signature is not None) != (self._mode is FrameMode.SIGNED_TRAILER) or trailers.keys() != self._trailer_names:
            raise MalformedTrailerError
        if self._chain is not None and signature is not None:
            self._chain.check_trailers(trailers, signature)
        return trailers

    def _take_line(self, view: memoryview, at: int) -> int:
        """Take a chunk's head, or the line end behind its payload, from `view`; return where the rest begins."""
        before = len(self._pending)
        limit = FRAME_HEAD_BYTES_MAX if self._state is _State.HEAD else len(b"\r\n")
        line = self._pending + bytes(view[at : at + limit - before])
        end = line.find(b"\r\n")
        if end < 0:
            if len(line) == limit:
                raise InvalidRequestError("The request's body is not in well-formed chunks.")
            self._pending = line
            return len(view)
        self._pending = b""
        if self._state is _State.HEAD:
            self._begin_chunk(line[:end])
        else:
            self._state = _State.HEAD
        return at + end + len(b"\r\n") - before

    def _begin_chunk(self, head: bytes) -> None:
        form = self._head_form.fullmatch(head)
        if form is None:
            raise InvalidRequestError("The request's body is not in well-formed chunks.")
        size = int(form[1], 16)
        self._chunk_number += 1
        if size > self._missing or (size == 0 and self._missing):
            raise IncompleteBodyError("The body's chunks do not add up to x-amz-decoded-content-length.")
        if size and self._chunk_bytes < CHUNK_BYTES_MIN:
            raise InvalidChunkSizeError(fields={"Chunk": str(self._chunk_number), "BadChunkSize": str(self._chunk_bytes)})
        self._chunk_bytes = self._chunk_missing = size
        self._chunk_signature = form[2].decode()
        self._missing -= size
        if size:
            self._state = _State.PAYLOAD
        else:
            self._end_chunk()
            self._state = _State.TRAILERS

    def _take_payload(self, piece: memoryview) -> None:
        if self._chain is not None:
            self._chunk_hash.update(piece)
        self._chunk_missing -= len(piece)
        if not self._chunk_missing:
            self._end_chunk()
            self._state = _State.PAYLOAD_END

    def _end_chunk(self) -> None:
        if self._chain is not None:
            self._chain.check_chunk(self._chunk_hash.hexdigest(), self._chunk_signature)
            self._chunk_hash = sha256()

    def _take_trailers(self, piece: memoryview) -> None:
        if len(self._trailers) + len(piece) > TRAILER_BYTES_MAX:
            raise MalformedTrailerError
        self._trailers += piece
        if self._mode is FrameMode.SIGNED and not b"\r\n".startswith(self._trailers):
            raise InvalidRequestError("The request's body goes on behind its last chunk.")

    def _read_trailers(self) -> dict[str, str]:
        trailers: dict[str, str] = {}
        for line in self._trailers.decode("latin-1").split("\n"):
            text = line.removesuffix("\r")
            if not text:
                continue
            name, colon, value = text.partition(":")
            name = name.lower()
            if not colon or name in trailers:
                raise MalformedTrailerError
            trailers[name] = value.strip(" \t")
        return trailers
