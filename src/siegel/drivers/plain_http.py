"""The plainest exchange of HTTP/1.1, written out: a whole request in one piece, and a whole answer whose length is told.

Nearly all that key servers and witnesses are asked looks like this, and a parser for everything that HTTP can be takes ten times
as long. Whatever is not quite that plain is `None` here and left to that parser: this module accepts nothing that it refuses.

Source: RFC 9112, sections 3 to 6.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

HEAD_END: Final = b"\r\n\r\n"

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([245][0-9][0-9])(?: [\x20-\x7e]*)?")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e]+(?:[ \t]+[\x21-\x7e]+)*)?)[ \t]*")
_LENGTH: Final = re.compile(rb"[0-9]{1,9}")
# These answers have no body, whatever their head says.
_BODILESS: Final = frozenset({204, 205})
# With one of these, an answer ends or goes on in another way.
_FRAMING: Final = frozenset({"connection", "transfer-encoding", "upgrade", "trailer"})


class PlainHead(Struct, frozen=True):
    """The head of an answer: its status, its headers (names in lower case), and where its body starts and stops."""

    status: int
    headers: tuple[tuple[str, str], ...]
    start: int
    stop: int


def write_plain(method: str, target: str, headers: Sequence[tuple[str, str]]) -> bytes | None:
    """Return the head of a request, None if a word of it is not plain."""
    if not (method.isascii() and method.isalpha() and method != "HEAD" and _is_plain(target) and " " not in target):
        return None
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers:
        if not _is_plain(value) or not name.isascii() or not name.replace("-", "").isalnum():
            return None
        lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, "\r\n")).encode()


def _is_plain(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()


def read_plain(data: bytes) -> PlainHead | None:
    """Return the head that `data` begins with, which must be there as a whole; None if it is not plain."""
    first, *lines = data[: data.index(HEAD_END)].split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None or int(status[1]) in _BODILESS:
        return None
    headers: list[tuple[str, str]] = []
    length: int | None = None
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        name, value = field[1].decode().lower(), field[2].decode()
        if name in _FRAMING:
            return None
        if name == "content-length":
            if length is not None or _LENGTH.fullmatch(field[2]) is None:
                return None
            length = int(value)
        headers.append((name, value))
    if length is None:
        return None
    start = data.index(HEAD_END) + len(HEAD_END)
    return PlainHead(int(status[1]), tuple(headers), start, start + length)
