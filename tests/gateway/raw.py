"""A raw HTTP/1.1 client over sockets, for everything that an SDK would never send."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self
from xml.etree import ElementTree as ET

from . import signer
from .signer import Ask, FramedBody, Keys, Seal

PIECE = 64 * 1024


class CutError(Exception):
    """The server closed the connection before a whole answer had come."""


@dataclass(frozen=True)
class Answer:
    """One HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name.lower()), "")

    def has(self, name: str) -> bool:
        return any(key == name.lower() for key, _ in self.headers)

    @property
    def xml(self) -> ET.Element:
        """The body as XML, its namespace stripped."""
        root = ET.fromstring(self.body)
        for node in root.iter():
            node.tag = node.tag.rpartition("}")[2]
        return root

    @property
    def code(self) -> str:
        """The S3 error code, or nothing."""
        return (self.xml.findtext("Code") or "") if self.body.lstrip()[:1] == b"<" else ""

    @property
    def meta(self) -> dict[str, str]:
        return {key[11:]: value for key, value in self.headers if key.startswith("x-amz-meta-")}


class Wire:
    """One connection. Bytes go out as they are; answers are read strictly."""

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None = None, timeout_s: float = 20.0) -> None:
        sock = socket.create_connection(address, timeout=timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = tls.wrap_socket(sock, server_hostname="localhost") if tls else sock
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def _more(self) -> bytes:
        try:
            return self.sock.recv(PIECE)
        except (ConnectionError, ssl.SSLError) as error:
            raise CutError(str(error)) from error

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            more = self._more()
            if not more:
                raise CutError("closed before the answer was whole")
            self._held += more
        found, _, self._held = self._held.partition(mark)
        return found

    def _exactly(self, count: int) -> bytes:
        pieces, have = [self._held], len(self._held)
        while have < count:
            more = self._more()
            if not more:
                raise CutError(f"closed after {have} of {count} bytes")
            pieces.append(more)
            have += len(more)
        whole = b"".join(pieces)
        self._held = whole[count:]
        return whole[:count]

    def _rest(self) -> bytes:
        pieces = [self._held]
        self._held = b""
        while more := self._more():
            pieces.append(more)
        return b"".join(pieces)

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self._until(b"\r\n"), 16):
            pieces.append(self._exactly(size))
            self._until(b"\r\n")
        self._until(b"\r\n")
        return b"".join(pieces)

    def read(self, *, method: str = "GET", interim: bool = False) -> Answer:
        """Read one answer; `interim` also returns a 100 Continue. Raises CutError when the connection ends early."""
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:]))
        answer = Answer(status, headers, b"")
        if 100 <= status < 200:
            return answer if interim else self.read(method=method)
        if method == "HEAD" or status in {204, 304}:
            return answer
        if answer.header("transfer-encoding") == "chunked":
            return replace(answer, body=self._chunks())
        length = answer.header("content-length")
        return replace(answer, body=self._exactly(int(length)) if length else self._rest())

    def is_closed(self, within_s: float = 5.0) -> bool:
        """Whether the server ends the connection within a time (bytes that still come are dropped)."""
        self.sock.settimeout(within_s)
        end = time.monotonic() + within_s
        try:
            while time.monotonic() < end:
                if not self.sock.recv(PIECE):
                    return True
        except TimeoutError:
            return False
        except (ConnectionError, ssl.SSLError):
            return True
        return False


@dataclass(frozen=True)
class RawClient:
    """Builds, signs and sends requests of one caller to one endpoint."""

    address: tuple[str, int]
    host: str
    keys: Keys
    tls: ssl.SSLContext | None = None

    def connect(self, timeout_s: float = 20.0) -> Wire:
        return Wire(self.address, self.tls, timeout_s)

    def as_caller(self, keys: Keys) -> RawClient:
        return replace(self, keys=keys)

    def ask(
        self,
        method: str,
        bucket: str = "",
        key: str | bytes | None = None,
        *,
        query: str = "",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Ask:
        """Build an unsigned request in path style; a key without a bucket is for a bucket that the host names."""
        path = "/" + bucket + ("" if key is None else ("/" if bucket else "") + signer.encode_key(key))
        return Ask(method, path, query, (("Host", self.host), *headers), body)

    def sign(self, ask: Ask, payload_hash: str = "") -> Ask:
        """Sign by header over the hash of the body (or the given hash) and add the Content-Length."""
        signed, _ = signer.sign_header(ask, self.keys, payload_hash or hashlib.sha256(ask.body).hexdigest())
        return with_length(signed)

    def presign(self, ask: Ask, **options: str) -> Ask:
        return signer.sign_query(ask, self.keys, **options)  # type: ignore[arg-type] # only texts are passed

    def send(self, ask: Ask) -> Answer:
        """Send on a connection of its own. A server may answer and close before it has read everything."""
        with self.connect() as wire:
            with contextlib.suppress(ConnectionError, ssl.SSLError):  # the answer may still be there to read
                wire.send(ask.wire())
            return wire.read(method=ask.method)

    def call(
        self,
        method: str,
        bucket: str = "",
        key: str | bytes | None = None,
        *,
        query: str = "",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        payload_hash: str = "",
    ) -> Answer:
        """Build, sign by header, send."""
        return self.send(self.sign(self.ask(method, bucket, key, query=query, headers=headers, body=body), payload_hash))

    def anonymous(self, method: str, bucket: str = "", key: str | None = None, *, query: str = "", body: bytes = b"") -> Answer:
        return self.send(with_length(self.ask(method, bucket, key, query=query, body=body)))

    def put_frames(
        self,
        bucket: str,
        key: str,
        body: bytes,
        mode: str,
        *,
        query: str = "",
        size: int = PIECE,
        headers: Sequence[tuple[str, str]] = (),
        trailers: Sequence[tuple[str, str]] = (),
        decoded_length: str | None = None,
        transfer_chunked: bool = False,
        bend: Callable[[FramedBody], FramedBody] = lambda framed: framed,
    ) -> Ask:
        """Build a signed aws-chunked PUT; `bend` may change the framed body after it was signed."""
        fixed: list[tuple[str, str]] = [("Content-Encoding", "aws-chunked")]
        length = str(len(body)) if decoded_length is None else decoded_length
        if length:
            fixed.append(("x-amz-decoded-content-length", length))
        if trailers:
            fixed.append(("x-amz-trailer", ",".join(dict.fromkeys(name for name, _ in trailers))))
        given = {name.lower() for name, _ in headers}
        fixed = [pair for pair in fixed if pair[0].lower() not in given]
        ask = self.ask("PUT", bucket, key, query=query, headers=[*fixed, *headers])
        signed, seal = signer.sign_header(ask, self.keys, mode)
        framed = bend(signer.frame_body(body, mode, seal, size=size, trailers=trailers)).wire()
        if transfer_chunked:
            return replace(signed.with_header("Transfer-Encoding", "chunked"), body=signer.http_chunks(framed))
        return with_length(replace(signed, body=framed))


def with_length(ask: Ask) -> Ask:
    """Add the Content-Length where a request needs one."""
    if ask.method in {"GET", "HEAD", "DELETE", "OPTIONS"} and not ask.body:
        return ask
    return ask.set_header("Content-Length", str(len(ask.body)))


__all__ = ["Answer", "Ask", "CutError", "Keys", "RawClient", "Seal", "Wire", "with_length"]
