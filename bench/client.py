"""A cheap HTTP/1.1 client on a blocking socket: one request, one answer, the connection kept."""

import socket
from dataclasses import dataclass

PIECE_BYTES = 1024 * 1024


@dataclass
class Answer:
    """One response. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def length(self) -> int:
        """The value of Content-Length, 0 without one."""
        return int(self.headers.get("content-length", "0"))


class ConnectionLostError(Exception):
    """The server went away before a complete answer; `partial` is what it had sent of a body whose length it had named."""

    def __init__(self, message: str, partial: bytes = b"") -> None:
        super().__init__(message)
        self.partial = partial


class Client:
    """Reads answers from one connection. Bodies have a Content-Length or are chunked."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = b""

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def send(self, head: bytes, body: bytes = b"") -> None:
        """Send a request."""
        try:
            self.connection.sendall(head + body if len(body) <= PIECE_BYTES else head)
            if len(body) > PIECE_BYTES:
                self.connection.sendall(body)
        except OSError as error:
            raise ConnectionLostError(str(error)) from error

    def call(self, head: bytes, body: bytes = b"") -> Answer:
        """Send a request and return its whole answer. Raises ConnectionLostError."""
        self.send(head, body)
        return self.answer(has_body=not head.startswith(b"HEAD "))

    def answer(self, *, has_body: bool = True) -> Answer:
        """Read one whole answer."""
        found = self.head()
        if has_body:
            if found.headers.get("transfer-encoding", "").lower() == "chunked":
                found.body = self._chunked()
            else:
                found.body = self._exactly(found.length)
        return found

    def head(self) -> Answer:
        """Read the head of an answer; its body is left on the connection."""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._receive()
        text, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = text.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return Answer(int(lines[0].split(" ", 2)[1]), headers, b"")

    def take_buffered(self) -> bytes:
        """Return and forget what was read beyond the head."""
        data, self._buffer = self._buffer, b""
        return data

    def _receive(self) -> bytes:
        try:
            data = self.connection.recv(65_536)
        except OSError as error:
            raise ConnectionLostError(str(error)) from error
        if not data:
            raise ConnectionLostError("closed by the server")
        return data

    def _exactly(self, count: int) -> bytes:
        pieces, have = [self._buffer], len(self._buffer)
        while have < count:
            try:
                pieces.append(self._receive())
            except ConnectionLostError as error:
                raise ConnectionLostError(str(error), b"".join(pieces)) from error
            have += len(pieces[-1])
        data = b"".join(pieces)
        self._buffer = data[count:]
        return data[:count]

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._buffer += self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _chunked(self) -> bytes:
        pieces = []
        while size := int(self._line().split(b";")[0], 16):
            pieces.append(self._exactly(size))
            self._exactly(2)
        while self._line():
            pass
        return b"".join(pieces)
