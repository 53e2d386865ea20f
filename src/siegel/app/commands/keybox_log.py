"""`siegel keybox log`: what was done with the keys, and whether the chain of its lines is whole. Opens no box."""

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_piece, print_table, print_text
from siegel.customer.keybox.chain import LINE_BYTES_MAX, check
from siegel.customer.keybox.folder import LOG_NAME
from siegel.customer.keybox.uses import INIT, PERSON, REASON
from siegel.domain.errors import ConfigurationError

# The first line that a box writes.
_INIT: Final = f'"operation":"{INIT}"'.encode()
_COLUMNS: Final = ("seq", "at", "operation", "result", "key", "principal", PERSON, REASON, "object")


def log(
    folder: Annotated[Path, Parameter(name="DIR", help="The directory of the box.")],
    /,
    *,
    verify: Annotated[bool, Parameter(negative="", help="Check the chain instead of printing the lines.")] = False,
    head: Annotated[
        str | None, Parameter(help="With --verify: a hash that an earlier check printed; its line must still be there.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Print or check the log; the help text is in `keybox_cli.py`."""
    path = folder / LOG_NAME
    try:
        with path.open("rb") as stream:
            # What is longer than a line of the log can be comes in pieces, and the first piece is where the chain breaks.
            lines = iter(lambda: stream.readline(LINE_BYTES_MAX), b"")
            if verify:
                _verify(lines, head, as_json=json)
            elif json:
                for line in lines:
                    print_piece(line.decode("utf-8", "replace"))
            else:
                print_table(_COLUMNS, [_row(line) for line in lines])
    except BrokenPipeError:
        # Not the log: who read what is printed has gone.
        raise
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def _verify(lines: Iterator[bytes], expected: str | None, *, as_json: bool) -> None:
    first = next(lines, b"")
    finding = check(chain([first] if first else [], lines), expected)
    is_whole, is_beginning = finding.holds and bool(first), _INIT in first
    if as_json:
        print_json(
            {
                "whole": is_whole,
                "is_from_the_beginning": is_beginning,
                "lines": finding.head.seq,
                "head": finding.head.hash,
                "broken_at": finding.broken_at,
                "problem": finding.problem,
                "expected_found": finding.expected_found,
            }
        )
    elif finding.broken_at is not None:
        print_text(f"BROKEN at line {finding.broken_at}: {finding.problem}")
    elif not first:
        print_text("EMPTY: nothing is left of the log, or it was begun anew and the one before is elsewhere")
    elif not finding.expected_found:
        print_text(f"SHORTENED or another log: none of its {finding.head.seq} lines has the hash {expected}")
    else:
        print_text(f"the chain is whole: {finding.head.seq} lines, head {finding.head.hash}")
        if not is_beginning:
            print_text("it does not begin with the making of the box: a log before it belongs to it")
    if not is_whole:
        sys.exit(1)


def _row(line: bytes) -> dict[str, str]:
    try:
        read: Any = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        read = None
    fields: dict[str, Any] = read if isinstance(read, dict) else {"operation": "(no line of a log)"}
    metadata, context = fields.get("metadata"), fields.get("context")
    told = metadata if isinstance(metadata, dict) else {}
    bound = context if isinstance(context, dict) else {}
    row = {name: fields.get(name, "") for name in _COLUMNS}
    place = "/".join(_shown(bound[name]) for name in ("account", "bucket", "key") if name in bound)
    return {name: _shown(value) for name, value in row.items()} | {
        "key": _shown(fields.get("key_id", "")),
        PERSON: _shown(told.get(PERSON, "")),
        REASON: _shown(told.get(REASON, "")),
        "object": place or _shown(bound or ""),
    }


def _shown(value: object) -> str:
    """Return a caller's text so that it cannot move the cursor or begin a line of its own."""
    return "".join(char if char.isprintable() else "?" for char in str(value))
