"""What commands print: text or a table for people, one JSON object for programs; errors go to standard error.

An error is one clear line, and where there is a way out a second one that begins with `try:`.
"""

import json
import sys
from collections.abc import Mapping, Sequence


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    sys.stdout.write(json.dumps(value) + "\n")


def print_text(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows below the names of their columns. Nothing is cut to the width of a terminal: ids must be whole to be copied."""
    lines = [list(columns), *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")


def print_waiting(text: str) -> None:
    """Tell people at a terminal what is waited for; programs need not know."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text} ...\n")


def print_error(message: str) -> None:
    """Print an error: `siegel: message`, and the lines of `message` after the first as they are."""
    sys.stderr.write(f"siegel: {message}\n")
