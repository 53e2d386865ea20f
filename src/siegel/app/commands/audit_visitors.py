"""`siegel audit visitors`: who was in the account, and whether anybody whom the customer does not know."""

import sys
from fnmatch import fnmatchcase
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from siegel.app.commands.audit import EXIT_BROKEN, Folder
from siegel.app.commands.audit_reconcile import moment
from siegel.app.commands.options import AsJson
from siegel.app.output import print_error, print_json, print_table
from siegel.customer.audit.book import Book
from siegel.customer.audit.findings import shown, time_text
from siegel.customer.audit.openings import read_lines
from siegel.customer.audit.visitors import HIDDEN, Visitor, count_visitors

_COLUMNS: Final = ("who", "times", "refused", "first", "last", "from")
_NAMELESS: Final = "(not shown)"


def visitors(
    folder: Folder,
    /,
    *,
    known: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="Who may be there, as in 'arn:aws:iam::111122223333:user/*'; may be repeated."),
    ] = (),
    from_: Annotated[
        str | None, Parameter(name="--from", help="Only entries from then on: 2026-03-01 or 2026-03-01T12:00:00Z.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Tell who was in the account; the help text is in `audit_cli.py`."""
    book = Book(folder)
    from_ms = 0 if from_ is None else moment(from_)
    with book.reading():
        _, size = book.mirrored()
        lines = read_lines(book.mirror, 0, size)
        found = count_visitors(line for line in lines if line.leaf and line.leaf.recorded_at_ms >= from_ms)
    strangers = [one for one in found if known and one.times and not any(fnmatchcase(one.principal, each) for each in known)]
    if json:
        print_json({"visitors": msgspec.to_builtins(found), "strangers": [one.principal for one in strangers]})
    else:
        print_table(_COLUMNS, [_row(one) for one in found])
    if strangers:
        names = ", ".join(shown(one.principal) or _NAMELESS for one in strangers)
        print_error(f"somebody was there who is not known: {names}\ntry: siegel audit show {folder} --who NAME")
        sys.exit(EXIT_BROKEN)


def _row(visitor: Visitor) -> dict[str, object]:
    return {
        "who": _NAMELESS if visitor.principal == HIDDEN else shown(visitor.principal),
        "times": visitor.times,
        "refused": visitor.refused,
        "first": time_text(visitor.first_ms / 1000),
        "last": time_text(visitor.last_ms / 1000),
        "from": shown(", ".join(visitor.sources)) or "-",
    }
