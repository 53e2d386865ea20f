"""Text inside XML 1.0, as our answers hold it.

XML 1.0 has no way to write most control characters, not even as references: every parser refuses `&#1;`. Where a name holds one,
clients ask for `encoding-type=url`; without that the character is shown as U+FFFD, so that one such name does not make a
whole list unreadable. Tab, line feed and carriage return are written as references, or parsers would change them.

Source: W3C XML 1.0 (Fifth Edition), sections 2.2, 2.11 and 4.1; Amazon S3 API Reference, ListObjectsV2 (`encoding-type`).
"""

import re
from typing import Final
from urllib.parse import quote

PROLOGUE: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

SPECIAL: Final = re.compile("[&<>\"'\x00-\x1f\ud800-\udfff\ufffe\uffff]")
"""What cannot stand in a text as it is."""

UNSAFE: Final = re.compile(r"[^A-Za-z0-9/_.~-]")
"""What `encode_url` changes."""

_WRITTEN: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_UNWRITABLE: Final = "\ufffd"


def _write(match: re.Match[str]) -> str:
    return _WRITTEN.get(match[0], _UNWRITABLE)


def escape(text: str) -> str:
    """Return `text` as it may stand inside an element."""
    return SPECIAL.sub(_write, text)


def encode_url(text: str) -> str:
    """Return the form of `encoding-type=url`: percent-encoded UTF-8, in which slashes stay as they are."""
    return quote(text, safe="/")


def element(name: str, text: str) -> str:
    """Return an element that holds `text`; `name` is one of our own."""
    return f"<{name}>{escape(text)}</{name}>"


def document(root: str, *parts: str) -> bytes:
    """Return an answer whose root element, of one of our own names, holds `parts`."""
    return f"{PROLOGUE}<{root} {NAMESPACE}>{''.join(parts)}</{root}>".encode()


def flag(name: str, *, is_set: bool) -> str:
    """Return an element of true or false."""
    return f"<{name}>{'true' if is_set else 'false'}</{name}>"
