"""Answers of the query protocol in XML.

A result is a tree: a mapping is a structure, a list has its entries in `member` elements, None is left out. Text is written so
that every parser reads it back; characters that XML 1.0 cannot hold are shown as U+FFFD.

Source: AWS query protocol (Smithy, "AWS Query protocol", response serialization); W3C XML 1.0, sections 2.2 and 2.11.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from siegel.domain.moments import encode_time

Node: TypeAlias = "str | int | bool | Sequence[Node] | Mapping[str, Node] | Entries | None"

PROLOGUE: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL: Final = re.compile("[&<>\"'\x00-\x1f\ud800-\udfff\ufffe\uffff]")
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


class Entries(dict[str, int]):
    """A map, whose pairs are written as `entry` elements with `key` and `value`."""


def escape(text: str) -> str:
    """Return `text` as it may stand inside an element."""
    return _SPECIAL.sub(lambda found: _WRITTEN.get(found[0], _UNWRITABLE), text)


def moment(at_ms: int) -> str:
    """Return a time as answers hold it, in whole seconds: `2026-11-27T12:00:00Z`."""
    return encode_time(at_ms / 1000)


def render_answer(namespace: str, action: str, result: Mapping[str, Node] | None, request_id: str) -> bytes:
    """Return the answer to an action; `result` is None for one that answers nothing but success."""
    inner = "" if result is None else _element(f"{action}Result", result)
    name = f"{action}Response"
    metadata = f"<ResponseMetadata>{_element('RequestId', request_id)}</ResponseMetadata>"
    return f'{PROLOGUE}<{name} xmlns="{namespace}">{inner}{metadata}</{name}>\n'.encode()


def render_error(namespace: str, code: str, text: str, request_id: str, *, is_sender: bool) -> bytes:
    """Return the answer that says why there is none; `is_sender`: the client is to blame."""
    told = {"Type": "Sender" if is_sender else "Receiver", "Code": code, "Message": text}
    error = _element("Error", told) + _element("RequestId", request_id)
    return f'{PROLOGUE}<ErrorResponse xmlns="{namespace}">{error}</ErrorResponse>\n'.encode()


def _element(name: str, node: Node) -> str:
    return f"<{name}>{_content(node)}</{name}>"


def _content(node: Node) -> str:
    if isinstance(node, bool):
        return "true" if node else "false"
    if isinstance(node, str):
        return escape(node)
    if isinstance(node, Entries):
        return "".join(_element("entry", {"key": key, "value": value}) for key, value in node.items())
    if isinstance(node, Mapping):
        return "".join(_element(name, inner) for name, inner in node.items() if inner is not None)
    if isinstance(node, Sequence):
        return "".join(_element("member", inner) for inner in node)
    return str(node)
