"""`siegel audit reconcile`: whether the provider's book and the customer's own say the same."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from siegel.app.commands.audit import Folder
from siegel.app.commands.counting import counting
from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_text
from siegel.customer.audit.accounts import Wanted, balance_books
from siegel.customer.audit.balance import summary
from siegel.customer.audit.book import Book
from siegel.customer.audit.reconcile import CLOCK_S, IN_FLIGHT_S, LEASE_S, LEASE_S_MAX, Terms
from siegel.domain.errors import ConfigurationError

EXIT_DIFFERS: Final = 1


def reconcile(
    folder: Folder,
    /,
    *,
    keybox: Annotated[
        tuple[Path, ...], Parameter(negative="", help="Directory of a box, or a copy of its log; may be repeated.")
    ] = (),
    receipts: Annotated[
        tuple[Path, ...], Parameter(negative="", help="File of receipts that a client has kept; may be repeated.")
    ] = (),
    receipts_of: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="ARN of somebody whose requests to S3 all have their receipts here; may be repeated."),
    ] = (),
    from_: Annotated[
        str | None, Parameter(name="--from", help="When the interval begins, as 2026-03-01 or 2026-03-01T12:00:00Z.")
    ] = None,
    to: Annotated[str | None, Parameter(help="When it ends; as far as the ledger goes, unless given.")] = None,
    lease_s: Annotated[
        int, Parameter(validator=Number(gte=0, lte=LEASE_S_MAX), help="For how long a data key may be used without asking again.")
    ] = LEASE_S,
    lease: Annotated[
        tuple[str, ...], Parameter(negative="", help="As above for one bucket, as BUCKET=SECONDS; may be repeated.")
    ] = (),
    clock_s: Annotated[int, Parameter(validator=Number(gte=0), help="By how much clocks may differ.")] = CLOCK_S,
    in_flight_s: Annotated[
        int, Parameter(validator=Number(gte=0), help="How long a write may take: its entry comes with its last byte.")
    ] = IN_FLIGHT_S,
    json: AsJson = False,
) -> None:
    """Compare the books; the help text is in `audit_cli.py`."""
    terms = Terms(
        from_ms=0,
        to_ms=0,
        clock_ms=clock_s * 1000,
        in_flight_s=in_flight_s,
        lease_s=lease_s,
        leases=dict(map(_lease, lease)),
        receipts_of=frozenset(receipts_of),
    )
    wanted = Wanted(
        logs=keybox,
        receipts=receipts,
        from_ms=None if from_ is None else _moment(from_),
        to_ms=None if to is None else _moment(to),
        terms=terms,
    )
    with counting(json) as begin:
        balance = balance_books(Book(folder), wanted, int(time.time() * 1000), begin)
    if json:
        print_json({"balances": balance.holds, **msgspec.to_builtins(balance)})
    else:
        print_text(summary(balance))
    if not balance.holds:
        sys.exit(EXIT_DIFFERS)


def _moment(text: str) -> int:
    """Return a time in milliseconds since 1970; one without a zone is UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no time\ntry: 2026-03-01T12:00:00Z") from None
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)


def _lease(text: str) -> tuple[str, int]:
    bucket, equals, seconds = text.rpartition("=")
    if not equals or not bucket or not seconds.isascii() or not seconds.isdecimal() or int(seconds[:9]) > LEASE_S_MAX:
        raise ConfigurationError(f"{text!r} is no lease of a bucket\ntry: --lease BUCKET=SECONDS, {LEASE_S_MAX} seconds at most")
    return bucket, int(seconds)
