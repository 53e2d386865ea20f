"""The body of a request as a checking stream: what its head promises about it is checked while it passes through.

`plan_body` reads the promises, `BodyChecker` keeps count and runs each hash once over each byte. Payload comes out before it is
proven: nothing may come of it before `finish` has returned.

Three decisions where the documentation leaves room:

- Presigned URLs of the JavaScript SDK carry the checksum of an *empty* body, because the body was unknown when they were made
  (`x-amz-checksum-crc32=AAAAAA==`). Such a value in the query says nothing about a body that is not empty: it is set aside, and a
  checksum of that algorithm is computed and kept instead. Any other value in the query is checked like one in a header.
- `x-amz-sdk-checksum-algorithm` must agree with the value or trailer that the request names, and must have one, except in a
  presigned URL: there, and only there, it alone makes the checksum of that algorithm be computed and kept.
- `x-amz-decoded-content-length` beside a body that is not in chunks must equal Content-Length: otherwise chunk frames would be
  stored as if they were data.

Sources: AWS S3 API Reference, PutObject, and "Signature Calculations for the Authorization Header"; S3 User Guide, "Checking
object integrity"; RFC 1864 (Content-MD5).
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from siegel.domain.errors import (
    BadDigestError,
    EntityTooLargeError,
    IncompleteBodyError,
    InvalidArgumentError,
    InvalidDigestError,
    InvalidRequestError,
    MissingContentLengthError,
    S3Error,
    XAmzContentSHA256MismatchError,
)
from siegel.domain.limits import PUT_BYTES_MAX
from siegel.s3wire.checksums import (
    BY_HEADER,
    DIGEST_BYTES,
    HEADER_PREFIX,
    Algorithm,
    Buffer,
    Hasher,
    decode_digest,
    encode_digest,
    new_hasher,
    parse_algorithm,
    parse_digest,
)
from siegel.s3wire.chunked import ChunkChain, FrameDecoder, FrameMode
from siegel.s3wire.request import Request
from siegel.s3wire.sigv4 import VerifiedRequest

DEFAULT_ALGORITHM: Final = Algorithm.CRC64NVME
"""What is computed and kept where the client names no checksum."""

_SHA256_HEX_CHARS: Final = 64
_LENGTH_DIGITS_MAX: Final = 19
_DECODED_LENGTH: Final = "x-amz-decoded-content-length"
_SDK_ALGORITHM: Final = "x-amz-sdk-checksum-algorithm"
_CHECKSUM_ALGORITHM: Final = "x-amz-checksum-algorithm"
_TRAILER: Final = "x-amz-trailer"
_FRAME_MODES: Final = {mode.value: mode for mode in FrameMode}
_TRAILER_MODES: Final = frozenset({FrameMode.SIGNED_TRAILER, FrameMode.UNSIGNED_TRAILER})
# Headers that begin like those of values but hold none.
_NO_VALUES: Final = frozenset({_CHECKSUM_ALGORITHM, "x-amz-checksum-type", "x-amz-checksum-mode"})


class BodyPlan(Struct, frozen=True, kw_only=True):
    """What a request's head promises about its body.

    `size_bytes` is the size of the payload, or the most that it can have where not `is_exact`. `declared` is the algorithm whose
    value the client gives, `declared_digest` that value if it came in the head, else it comes as the trailer. `kept` is the
    algorithm whose digest `finish` returns.
    `sha256` is the promised SHA-256 of the payload, `content_md5` the promised MD5. `md5` tells whether MD5 is computed.
    """

    size_bytes: int
    sha256: bytes | None
    md5: bool
    content_md5: bytes | None
    declared: Algorithm | None
    declared_digest: bytes | None
    kept: Algorithm
    frames: FrameMode | None
    chain: ChunkChain | None
    is_exact: bool = True

    @property
    def has_integrity(self) -> bool:
        """Whether the client gives a checksum or Content-MD5 of the body, which some operations demand."""
        return self.declared is not None or self.content_md5 is not None

    @property
    def has_trailer(self) -> bool:
        """Whether the declared value comes behind the body."""
        return self.declared is not None and self.declared_digest is None


class BodyFacts(Struct, frozen=True):
    """What a body was, every promise about it kept. `md5` is empty where the plan had none.

    `checksum_algorithm` is the plan's `kept`, `checksum` its digest; `is_declared` tells whether the client gave that value.
    """

    size_bytes: int
    md5: bytes
    checksum_algorithm: Algorithm
    checksum: bytes
    is_declared: bool


def plan_body(
    verified: VerifiedRequest, *, md5: bool = True, keep: Algorithm | None = None, size_max: int = PUT_BYTES_MAX
) -> BodyPlan:
    """Read what a verified request promises about its body.

    `md5` false: no MD5 is needed for an ETag. `keep`: the checksum to be kept is of this algorithm, whichever the client
    declares (parts of an upload); None: of the declared one, else CRC64NVME.

    Raises MissingContentLengthError, EntityTooLargeError, InvalidDigestError, InvalidArgumentError, InvalidRequestError.
    """
    request = verified.request
    headers = request.headers
    payload = verified.payload_hash
    frames = _FRAME_MODES.get(payload)
    size_bytes = _payload_size(headers, frames)
    if size_bytes > size_max:
        raise EntityTooLargeError(fields={"ProposedSize": str(size_bytes), "MaxSizeAllowed": str(size_max)})
    content_md5 = headers.get("content-md5")
    declared, digest, wanted = _declared_checksum(request, size_bytes, frames)
    return BodyPlan(
        size_bytes=size_bytes,
        sha256=bytes.fromhex(payload) if len(payload) == _SHA256_HEX_CHARS else None,
        md5=md5 or content_md5 is not None,
        content_md5=_parse_content_md5(content_md5) if content_md5 is not None else None,
        declared=declared,
        declared_digest=digest,
        kept=keep or wanted or DEFAULT_ALGORITHM,
        frames=frames,
        chain=None if frames in {None, FrameMode.UNSIGNED_TRAILER} else ChunkChain.of(verified),
    )


def plan_form_file(request: Request, size_bytes_max: int, *, md5: bool) -> BodyPlan:
    """Read what the fields of a form, which are the headers of `request`, promise about its file of at most `size_bytes_max`.

    Raises InvalidDigestError, InvalidRequestError.
    """
    headers = request.headers
    content_md5 = headers.get("content-md5")
    declared, digest, wanted = _declared_checksum(request, size_bytes_max, None)
    named = headers.get(_CHECKSUM_ALGORITHM)
    if named is not None:
        wanted = _agree(parse_algorithm(named, _CHECKSUM_ALGORITHM), wanted, header=_CHECKSUM_ALGORITHM, is_free=True)
    return BodyPlan(
        size_bytes=size_bytes_max,
        sha256=None,
        md5=md5 or content_md5 is not None,
        content_md5=_parse_content_md5(content_md5) if content_md5 is not None else None,
        declared=declared,
        declared_digest=digest,
        kept=wanted or DEFAULT_ALGORITHM,
        frames=None,
        chain=None,
        is_exact=False,
    )


def _payload_size(headers: Mapping[str, str], frames: FrameMode | None) -> int:
    """Return the payload's size: that inside the frames, or Content-Length. Without both headers there is no body."""
    length = headers.get("content-length")
    decoded = headers.get(_DECODED_LENGTH)
    if frames is not None:
        if decoded is None:
            raise MissingContentLengthError(f"You must provide the {_DECODED_LENGTH} HTTP header.")
        return _number(decoded, _DECODED_LENGTH)
    if length is None and "transfer-encoding" in headers:
        raise MissingContentLengthError
    size_bytes = _number(length, "Content-Length") if length is not None else 0
    if decoded is not None and _number(decoded, _DECODED_LENGTH) != size_bytes:
        raise InvalidRequestError(f"{_DECODED_LENGTH} differs from Content-Length, but the payload is not in chunks.")
    return size_bytes


def _number(text: str, header: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS_MAX:
        return int(text)
    raise InvalidArgumentError(f"The {header} header is not a size.", fields={"ArgumentName": header, "ArgumentValue": text})


def _parse_content_md5(text: str) -> bytes:
    digest = decode_digest(text, DIGEST_BYTES[Algorithm.MD5])
    if digest is None:
        raise InvalidDigestError("The Content-MD5 you specified was invalid.", fields={"Content-MD5": text})
    return digest


def _declared_checksum(
    request: Request, size_bytes: int, frames: FrameMode | None
) -> tuple[Algorithm | None, bytes | None, Algorithm | None]:
    """Return the algorithm of the value that the client gives, that value if it is in the head, and the algorithm to keep."""
    headers = request.headers
    trailer = headers.get(_TRAILER)
    declared = digest = None
    for name in headers:
        if name.startswith(HEADER_PREFIX) and name not in _NO_VALUES:
            if declared is not None or trailer is not None:
                raise InvalidRequestError("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
            declared, digest = _parse_value(name, headers[name])
    if trailer is not None:
        declared = _parse_trailer_name(trailer, frames)
    wanted = declared
    if request.hoisted and size_bytes and _is_of_nothing(request, declared, digest):
        declared = digest = None
    sdk = headers.get(_SDK_ALGORITHM)
    if sdk is not None:
        is_hoisted = _SDK_ALGORITHM in request.hoisted
        wanted = _agree(parse_algorithm(sdk, _SDK_ALGORITHM), wanted, header=_SDK_ALGORITHM, is_free=is_hoisted)
    return declared, digest, wanted


def _parse_value(header: str, text: str) -> tuple[Algorithm, bytes]:
    algorithm = BY_HEADER.get(header)
    if algorithm is None:
        raise InvalidRequestError(f"The algorithm type you specified in {header} is invalid.")
    return algorithm, parse_digest(algorithm, text)


def _parse_trailer_name(text: str, frames: FrameMode | None) -> Algorithm:
    algorithm = BY_HEADER.get(text.lower())
    if algorithm is None:
        raise InvalidRequestError(f"The value specified in the {_TRAILER} header is not supported")
    if frames not in _TRAILER_MODES:
        raise InvalidRequestError(f"The {_TRAILER} header needs a payload that is sent in chunks with trailers.")
    return algorithm


def _is_of_nothing(request: Request, algorithm: Algorithm | None, digest: bytes | None) -> bool:
    """Whether a value is a presigned URL's checksum of an empty body."""
    if algorithm is None or algorithm.header not in request.hoisted:
        return False
    return digest == new_hasher(algorithm).digest()


def _agree(named: Algorithm, wanted: Algorithm | None, *, header: str, is_free: bool) -> Algorithm:
    """Return the algorithm that `header` names. Unless it `is_free`, there must be a value of this algorithm as well."""
    if wanted is None and not is_free:
        raise InvalidRequestError(f"{header} specified, but no corresponding x-amz-checksum-* or {_TRAILER} headers were found.")
    if wanted not in {None, named}:
        raise InvalidRequestError(f"Value for {header} header is invalid.")
    return named


class BodyChecker:
    """Takes a body as it arrives, gives out its payload, and knows at the end whether the promises were kept.

    After any error it must not be used again.
    """

    __slots__ = ("_decoder", "_hashers", "_plan", "_seen")

    def __init__(self, plan: BodyPlan) -> None:
        """Begin with what `plan_body` returned."""
        self._plan = plan
        self._seen = 0
        hashers: dict[Algorithm, Hasher] = {}
        if plan.md5:
            hashers[Algorithm.MD5] = hashlib.md5(usedforsecurity=False)
        if plan.sha256 is not None:
            hashers[Algorithm.SHA256] = hashlib.sha256()
        for algorithm in (plan.kept, plan.declared):
            if algorithm is not None and algorithm not in hashers:
                hashers[algorithm] = new_hasher(algorithm)
        self._hashers = hashers
        self._decoder: FrameDecoder | None = None
        if plan.frames is not None:
            trailers = (plan.declared.header,) if plan.declared is not None and plan.has_trailer else ()
            self._decoder = FrameDecoder(plan.frames, plan.size_bytes, plan.chain, trailers)

    def feed(self, data: bytes | memoryview) -> list[bytes | memoryview]:
        """Take the next piece of the body and return the payload in it, which is `data` itself where there are no frames.

        Raises IncompleteBodyError for more than was announced, and what `chunked.FrameDecoder.feed` raises.
        """
        if self._decoder is None:
            self._add(data)
            return [data]
        pieces = self._decoder.feed(data)
        for piece in pieces:
            self._add(piece)
        return pieces

    def _add(self, payload: Buffer) -> None:
        self._seen += len(payload)
        if self._seen > self._plan.size_bytes:
            raise IncompleteBodyError
        for hasher in self._hashers.values():
            hasher.update(payload)

    def finish(self) -> BodyFacts:
        """Return the facts, now that the body is over.

        Raises IncompleteBodyError, XAmzContentSHA256MismatchError, BadDigestError, InvalidRequestError for a malformed trailer,
        and what `chunked.FrameDecoder.finish` raises.
        """
        plan = self._plan
        if plan.is_exact and self._seen != plan.size_bytes:
            raise IncompleteBodyError(
                fields={"NumberBytesExpected": str(plan.size_bytes), "NumberBytesProvided": str(self._seen)}
            )
        trailers = self._decoder.finish() if self._decoder is not None else {}
        digests = {algorithm: hasher.digest() for algorithm, hasher in self._hashers.items()}
        if plan.sha256 is not None and digests[Algorithm.SHA256] != plan.sha256:
            raise _sha256_mismatch(plan.sha256, digests[Algorithm.SHA256])
        if plan.content_md5 is not None and digests[Algorithm.MD5] != plan.content_md5:
            raise _bad_md5(plan.content_md5, digests[Algorithm.MD5])
        if plan.declared is not None:
            expected = plan.declared_digest
            if expected is None:
                expected = parse_digest(plan.declared, trailers[plan.declared.header])
            if digests[plan.declared] != expected:
                raise BadDigestError(f"The {plan.declared} you specified did not match the calculated checksum.")
        md5 = digests[Algorithm.MD5] if plan.md5 else b""
        return BodyFacts(self._seen, md5, plan.kept, digests[plan.kept], plan.kept is plan.declared)


def _sha256_mismatch(expected: bytes, computed: bytes) -> S3Error:
    return XAmzContentSHA256MismatchError(
        fields={"ClientComputedContentSHA256": expected.hex(), "S3ComputedContentSHA256": computed.hex()}
    )


def _bad_md5(expected: bytes, computed: bytes) -> S3Error:
    return BadDigestError(
        "The Content-MD5 you specified did not match what we received.",
        fields={"ExpectedDigest": encode_digest(expected), "CalculatedDigest": encode_digest(computed)},
    )
