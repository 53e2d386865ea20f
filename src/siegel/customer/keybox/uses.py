"""One use of the box, as the policy judges it and the log tells it: who, what, why, on whose behalf, with what result."""

import json
import time
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from siegel.customer.keybox.content import Face

# The names under which a caller's `requestMetadata` tells who asks in person, and why.
PERSON: Final = "person"
REASON: Final = "reason"
DONE: Final = "ok"
INIT: Final = "box.init"
"""The operation of the first line of a box's log."""


def _pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name is there twice")
    return read


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_pairs_once)


class Use(Struct, omit_defaults=True):
    """One call. It grows while the call is understood; `entry()` is what the log keeps of it.

    `metadata` is the caller's `requestMetadata` as it came, `context` what the sealed data is bound to, where that is readable;
    else `context_sha256` tells it from others. `refused_before` counts calls before this one that came with no valid signature
    and got no line. Nothing in it is ever a plaintext or a key.
    """

    at: str
    operation: str
    result: str = ""
    key_id: str = ""
    request_id: str = ""
    principal: str = ""
    credential: str = ""
    region: str = ""
    source: str = ""
    context: dict[str, str] | None = None
    context_sha256: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    detail: str = ""
    refused_before: int = 0

    def entry(self) -> bytes:
        """Return the fields of a line of the log, as JSON."""
        return msgspec.json.encode(self)

    def bind(self, aad: bytes) -> None:
        """Note what the sealed data is bound to."""
        self.context = read_context(aad)
        if aad and self.context is None:
            self.context_sha256 = sha256(aad).hexdigest()


def system_ms() -> int:
    """Return the system's time in milliseconds."""
    return time.time_ns() // 1_000_000


def read_context(aad: bytes) -> dict[str, str] | None:
    """Return the readable form of additional authenticated data: a flat JSON object of texts, each name once. Else None.

    Names that are there twice would mean one thing to the policy and another to who reads the log.
    """
    if aad[:1] != b"{":
        return None
    try:
        read = _DECODER.decode(aad.decode())
        text_only = all(isinstance(value, str) for value in read.values())
        # Halves of surrogate pairs are no text: they cannot be written down again.
        msgspec.json.encode(read)
    except (ValueError, RecursionError):
        return None
    return read if text_only else None


def operation_of(face: Face, name: str) -> str:
    """Return the name of an operation in policy and log."""
    return f"{'xks' if face is Face.XKS else 'kms'}.{name}"
