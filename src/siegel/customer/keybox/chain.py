"""The log's chain: every line holds its number and the SHA-256 of the line before.

So none can be changed, taken out or put in between without breaking the chain. A line is JSON and begins, byte for byte, with
`{"v":1,"seq":N,"prev":"HASH",`; its own hash is over the whole line without the newline. The first line's `prev` is 64 zeros.
Cutting lines off the end breaks nothing: whoever wants to notice that keeps the number and hash of a line elsewhere, and asks
whether it is still there.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

LINE_BYTES_MAX: Final = 512 * 1024

_FRONT: Final = re.compile(rb'\{"v":1,"seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",')


class Head(Struct, frozen=True):
    """Where a chain ends: the number of its last line and that line's hash."""

    seq: int
    hash: str


EMPTY: Final = Head(0, "0" * 64)


class Finding(Struct, frozen=True):
    """What checking a chain has shown. `broken_at` is the number, from 1, of the first line that does not fit."""

    head: Head
    broken_at: int | None = None
    problem: str = ""
    expected_found: bool = True

    @property
    def holds(self) -> bool:
        """Whether the whole chain is in order, and the expected line in it."""
        return self.broken_at is None and self.expected_found


def link(head: Head, fields: bytes) -> tuple[bytes, Head]:
    """Return the line (with its newline) that puts `fields`, a JSON object that is not empty, behind `head`; and the new head."""
    seq = head.seq + 1
    line = b'{"v":1,"seq":%d,"prev":"%b",%b' % (seq, head.hash.encode(), fields[1:])
    return line + b"\n", Head(seq, sha256(line).hexdigest())


def read_head(line: bytes) -> Head | None:
    """Return the head that a chain has after this line (without its newline), None if it is no line of a log."""
    front = _FRONT.match(line)
    if front is None or not _is_object(line):
        return None
    return Head(int(front[1]), sha256(line).hexdigest())


def check(lines: Iterable[bytes], expected: str | None = None) -> Finding:
    """Follow a chain from its first line to its last; `expected` is a hash that one of its lines must have.

    `lines` keep their newlines. A last line without one was cut off by a crash before it was acknowledged; it counts as broken.
    """
    head = EMPTY
    is_found = expected is None or expected == EMPTY.hash
    for place, raw in enumerate(lines, 1):
        problem = _problem(raw, head)
        if problem:
            return Finding(head, place, problem, is_found)
        head = Head(head.seq + 1, sha256(raw[:-1]).hexdigest())
        is_found = is_found or head.hash == expected
    return Finding(head, expected_found=is_found)


def _problem(raw: bytes, head: Head) -> str:
    line = raw[:-1]
    front = _FRONT.match(line)
    if raw[-1:] != b"\n":
        return "it has no end: it was cut while it was written, and never acknowledged"
    if front is None or not _is_object(line):
        return "it is no line of a log"
    if int(front[1]) != head.seq + 1:
        return f"its number is {int(front[1])}, and {head.seq + 1} follows here"
    if front[2].decode() != head.hash:
        return "the line before it is not the one that it was written behind: one of the two was changed"
    return ""


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (ValueError, RecursionError):
        return False
