"""Percent-encoding as S3 and Signature Version 4 mean it: strict when decoding, one canonical form when encoding.

Sources: RFC 3986 section 2; AWS S3 API Reference, "Create a canonical request" (UriEncode).
"""

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from siegel.domain.errors import InvalidURIError

_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def decode(raw: bytes) -> str:
    """Return the text of a percent-encoded piece of a URL, decoded exactly once.

    Raises InvalidURIError for an escape without two hex digits and for bytes that are not UTF-8. A plus sign stays one.
    """
    # `in` would make an exception and drop it, to learn that it is not asked for a number.
    if raw.find(b"%") >= 0:
        raw = _unescape(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidURIError("The URI, once decoded, is not valid UTF-8.") from None


def decode_form(raw: bytes) -> str:
    """Return the text of a name or value of a query string: like `decode`, but a plus sign stands for a space."""
    return decode(raw.replace(b"+", b" "))


def _unescape(raw: bytes) -> bytes:
    # Mostly the only escape is that of a slash: every presigned URL has four of them in its credential.
    plain = raw.replace(b"%2F", b"/")
    if plain.find(b"%") < 0:
        return plain
    if _BROKEN_ESCAPE.search(raw):
        raise InvalidURIError("The URI holds a percent sign that is not followed by two hexadecimal digits.")
    return unquote_to_bytes(raw)


def encode(text: str) -> str:
    """Return the canonical encoding: all but letters, digits and `-._~` become `%XX` of their UTF-8 bytes."""
    return quote(text, safe="")


def encode_path(text: str) -> str:
    """Return the canonical encoding of a path, in which slashes stay as they are."""
    return quote(text, safe="/")
