"""What commands print: text or a table for people, one JSON object for programs; errors go to standard error.

An error is one clear line, and where there is a way out a second one that begins with `try:`. Whatever prints raises OutputError
where standard output cannot be written, save where its reader has gone: that is a BrokenPipeError.
"""

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from siegel.domain.errors import SiegelError


class OutputError(SiegelError):
    """Standard output cannot be written; the message says what came of it."""


def prepare_streams() -> None:
    """Have the three standard streams, before a command begins. Raises OutputError where there is no standard output.

    A name that the output's encoding does not have is printed with backslash escapes, as on standard error.
    """
    # In this order each gets the descriptor that it should have, and none of the files to come does.
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as above
    if sys.stdout is None:
        raise OutputError("standard output is closed\ntry: > /dev/null, where nobody wants to read it")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    print_text(json.dumps(value))


def print_text(text: str) -> None:
    """Print text as it is."""
    print_piece(text + "\n")


def print_piece(text: str) -> None:
    """Print a piece of a text, which ends no line of its own."""
    with _printing():
        sys.stdout.write(text)


def print_table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows below the names of their columns. Nothing is cut to the width of a terminal: ids must be whole to be copied."""
    lines = [list(columns), *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        print_text("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_once(text: str, otherwise: str) -> None:
    """Print what is shown this once, and see that it went out. Raises OutputError with `otherwise`, also without a reader."""
    try:
        print_text(text)
        flush_output()
    except (OutputError, BrokenPipeError) as error:
        told = str(error) if isinstance(error, OutputError) else "nobody reads standard output"
        raise OutputError(f"{told}; {otherwise}") from None


def flush_output() -> None:
    """Have everything that was printed go out."""
    with _printing():
        sys.stdout.flush()


def print_waiting(text: str) -> None:
    """Tell people at a terminal what is waited for; programs need not know."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text} ...\n")


def print_error(message: str) -> None:
    """Print an error: `siegel: message`, and the lines of `message` after the first as they are."""
    # Where that cannot be printed either, the exit status is all that is left to tell.
    with suppress(OSError):
        sys.stderr.write(f"siegel: {message}\n")


@contextmanager
def _printing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # What is left of it must not be tried again when Python ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"standard output cannot be written: {error.strerror}") from None
