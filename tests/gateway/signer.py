"""An independent SigV4 signer for S3: by header, by query, by chunk and by trailer.

Written from Amazon's pages "Authenticating Requests (AWS Signature Version 4)" and "Signature calculations for the
Authorization header: transferring payload in multiple chunks"; it shares no code with the product, so that both can be wrong
only in different ways. Every piece of a request stays open to change before and after signing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

REGION = "eu-central-1"
UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_FRAMES = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_FRAMES_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_FRAMES_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

_NEVER_SIGNED = frozenset({"content-length", "transfer-encoding", "connection", "expect", "user-agent", "authorization"})


@dataclass(frozen=True)
class Keys:
    """An access key pair and the account behind it."""

    access_key_id: str
    secret_access_key: str
    account_id: str = ""


@dataclass(frozen=True)
class Ask:
    """One HTTP request, byte for byte: `path` and `query` are already percent-encoded, headers keep their order."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def with_header(self, name: str, value: str) -> Ask:
        return replace(self, headers=(*self.headers, (name, value)))

    def without_header(self, name: str) -> Ask:
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0].lower() != name.lower()))

    def set_header(self, name: str, value: str) -> Ask:
        return self.without_header(name).with_header(name, value)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def head(self) -> bytes:
        target = self.path + (f"?{self.query}" if self.query else "")
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def wire(self) -> bytes:
        return self.head() + self.body


@dataclass(frozen=True)
class Seal:
    """What chunk signatures hang on: the signing key, the scope and the signature of the request itself."""

    signing_key: bytes
    stamp: str
    scope: str
    seed: str


@dataclass(frozen=True)
class Frame:
    """One unit of an aws-chunked body. `size_text` may lie."""

    data: bytes
    signature: str = ""
    size_text: str = ""

    def wire(self) -> bytes:
        size = self.size_text or f"{len(self.data):x}"
        extension = f";chunk-signature={self.signature}" if self.signature else ""
        tail = b"\r\n" if self.data or self.size_text else b""
        return f"{size}{extension}\r\n".encode() + self.data + tail


@dataclass(frozen=True)
class FramedBody:
    """An aws-chunked body in pieces: frames, trailers, the trailer signature, and the CRLF that ends it."""

    frames: tuple[Frame, ...]
    trailers: tuple[tuple[str, str], ...] = ()
    trailer_signature: str = ""
    end: bytes = field(default=b"\r\n")

    def wire(self) -> bytes:
        lines = [f"{name}:{value}\r\n" for name, value in self.trailers]
        if self.trailer_signature:
            lines.append(f"x-amz-trailer-signature:{self.trailer_signature}\r\n")
        return b"".join(frame.wire() for frame in self.frames) + "".join(lines).encode("latin-1") + self.end


def encode_key(key: str | bytes) -> str:
    return quote(key, safe="/~")


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)


def stamp_of(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


def signing_key(secret: str, date: str, region: str = REGION, service: str = "s3") -> bytes:
    key = b"AWS4" + secret.encode()
    for step in (date, region, service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def canonical_query(query: str) -> str:
    pairs = []
    for piece in query.split("&") if query else []:
        name, _, value = piece.partition("=")
        pairs.append((quote(unquote_to_bytes(name), safe="~"), quote(unquote_to_bytes(value), safe="~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_request(ask: Ask, signed: Sequence[str], payload_hash: str) -> str:
    values: dict[str, list[str]] = {}
    for name, value in ask.headers:
        values.setdefault(name.lower(), []).append(" ".join(value.split()))
    lines = "".join(f"{name}:{','.join(values.get(name, ['']))}\n" for name in signed)
    return "\n".join([ask.method, ask.path, canonical_query(ask.query), lines, ";".join(signed), payload_hash])


def string_to_sign(stamp: str, scope: str, canonical: str) -> str:
    return "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode("latin-1")).hexdigest()])


def _sign(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("latin-1"), "sha256").hexdigest()


def headers_to_sign(ask: Ask) -> list[str]:
    return sorted({name.lower() for name, _ in ask.headers} - _NEVER_SIGNED)


def sign_header(
    ask: Ask,
    keys: Keys,
    payload_hash: str,
    *,
    at: datetime | None = None,
    region: str = REGION,
    service: str = "s3",
    signed: Sequence[str] | None = None,
) -> tuple[Ask, Seal]:
    """Sign by the Authorization header; return the request and what its chunks are signed with."""
    stamp = stamp_of(at or datetime.now(UTC))
    ask = ask.set_header("x-amz-date", stamp)
    if payload_hash:
        ask = ask.set_header("x-amz-content-sha256", payload_hash)
    names = list(signed) if signed is not None else headers_to_sign(ask)
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    key = signing_key(keys.secret_access_key, stamp[:8], region, service)
    text = string_to_sign(stamp, scope, canonical_request(ask, names, payload_hash or EMPTY_SHA256))
    signature = _sign(key, text)
    value = f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return ask.with_header("Authorization", value), Seal(key, stamp, scope, signature)


def sign_query(
    ask: Ask,
    keys: Keys,
    *,
    expires: str = "900",
    at: datetime | None = None,
    region: str = REGION,
    signed: Sequence[str] | None = None,
    payload_hash: str = UNSIGNED,
) -> Ask:
    """Sign by query parameters (a presigned URL)."""
    stamp = stamp_of(at or datetime.now(UTC))
    names = list(signed) if signed is not None else headers_to_sign(ask)
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    added = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", f"{keys.access_key_id}/{scope}"),
        ("X-Amz-Date", stamp),
        ("X-Amz-Expires", expires),
        ("X-Amz-SignedHeaders", ";".join(names)),
    ]
    query = "&".join(piece for piece in (ask.query, encode_query(added)) if piece)
    ask = replace(ask, query=query)
    key = signing_key(keys.secret_access_key, stamp[:8], region)
    signature = _sign(key, string_to_sign(stamp, scope, canonical_request(ask, names, payload_hash)))
    return replace(ask, query=f"{query}&X-Amz-Signature={signature}")


def sign_frames(pieces: Sequence[bytes], seal: Seal) -> tuple[Frame, ...]:
    """Chain a signature over each piece and over the empty one that ends the body."""
    frames = []
    previous = seal.seed
    for piece in (*pieces, b""):
        text = "\n".join(
            ["AWS4-HMAC-SHA256-PAYLOAD", seal.stamp, seal.scope, previous, EMPTY_SHA256, hashlib.sha256(piece).hexdigest()]
        )
        previous = _sign(seal.signing_key, text)
        frames.append(Frame(piece, previous))
    return tuple(frames)


def sign_trailers(trailers: Sequence[tuple[str, str]], previous: str, seal: Seal) -> str:
    canonical = "".join(f"{name.lower()}:{value.strip()}\n" for name, value in trailers)
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    return _sign(seal.signing_key, f"AWS4-HMAC-SHA256-TRAILER\n{seal.stamp}\n{seal.scope}\n{previous}\n{digest}")


def split_body(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def frame_body(
    body: bytes,
    mode: str,
    seal: Seal,
    *,
    size: int = 64 * 1024,
    trailers: Sequence[tuple[str, str]] = (),
) -> FramedBody:
    """Cut a body into frames as `mode` (the value of x-amz-content-sha256) asks for."""
    pieces = split_body(body, size)
    if mode == UNSIGNED_FRAMES_TRAILER:
        return FramedBody((*(Frame(piece) for piece in pieces), Frame(b"")), tuple(trailers))
    frames = sign_frames(pieces, seal)
    if mode == SIGNED_FRAMES:
        return FramedBody(frames)
    return FramedBody(frames, tuple(trailers), sign_trailers(trailers, frames[-1].signature, seal))


def http_chunks(body: bytes, size: int = 32 * 1024) -> bytes:
    """Wrap a body in HTTP's own chunked transfer encoding."""
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in split_body(body, size)) + b"0\r\n\r\n"
