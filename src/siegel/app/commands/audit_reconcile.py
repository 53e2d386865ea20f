"""`siegel audit reconcile`: whether the provider's book and the customer's own say the same."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from siegel.app.commands.audit_books import NO_BOOKS, TheirBooks
from siegel.app.commands.counting import counting
from siegel.app.commands.options import AsJson
from siegel.app.output import print_error, print_json, print_text
from siegel.customer.audit.accounts import NothingNewError, balance_books
from siegel.customer.audit.balance import summary
from siegel.customer.audit.book import Book
from siegel.customer.audit.sources import SourceError
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.ledgers import LedgerError

EXIT_DIFFERS: Final = 1
EXIT_UNKNOWN: Final = 2


def reconcile(
    folders: Annotated[
        tuple[Path, ...],
        Parameter(name="DIR", help="The directory of audits; of each account, if your key server serves several."),
    ],
    /,
    *,
    books: TheirBooks = NO_BOOKS,
    from_: Annotated[
        str | None, Parameter(name="--from", help="When the interval begins, as 2026-03-01 or 2026-03-01T12:00:00Z.")
    ] = None,
    to: Annotated[str | None, Parameter(help="When it ends; as far as the ledger goes, unless given.")] = None,
    json: AsJson = False,
) -> None:
    """Compare the books; the help text is in `audit_cli.py`."""
    wanted = books.wanted(None if from_ is None else moment(from_), None if to is None else moment(to))
    try:
        with counting(json) as begin:
            balance = balance_books([Book(each) for each in folders], wanted, int(time.time() * 1000), begin)
    except (NothingNewError, SourceError, LedgerError, StorageError) as error:
        # Whoever runs it by a timer tells books that differ from books that could not be read.
        print_error(str(error))
        sys.exit(EXIT_UNKNOWN)
    if json:
        print_json({"balances": balance.holds, **msgspec.to_builtins(balance)})
    else:
        print_text(summary(balance))
    if not balance.holds:
        sys.exit(EXIT_DIFFERS)


def moment(text: str) -> int:
    """Return a time in milliseconds since 1970; one without a zone is UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no time\ntry: 2026-03-01T12:00:00Z") from None
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)
