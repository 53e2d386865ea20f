"""What the commands share that compare the ledger with the customer's own books: which they are, and what is granted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from siegel.customer.audit.accounts import Wanted
from siegel.customer.audit.reconcile import CLOCK_S, IN_FLIGHT_S, LEASE_S, LEASE_S_MAX, Terms
from siegel.domain.errors import ConfigurationError


@dataclass(frozen=True)
class OwnBooks:
    """The customer's books."""

    keybox: Annotated[
        tuple[Path, ...], Parameter(negative="", help="Directory of a box, or a copy of its log; may be repeated.")
    ] = ()
    receipts: Annotated[
        tuple[Path, ...], Parameter(negative="", help="File of receipts that a client has kept; may be repeated.")
    ] = ()
    receipts_of: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="ARN of somebody whose requests to S3 all have their receipts here; may be repeated."),
    ] = ()
    lease_s: Annotated[
        int, Parameter(validator=Number(gte=0, lte=LEASE_S_MAX), help="For how long a data key may be used without asking again.")
    ] = LEASE_S
    lease: Annotated[
        tuple[str, ...], Parameter(negative="", help="As above for one bucket, as BUCKET=SECONDS; may be repeated.")
    ] = ()
    clock_s: Annotated[int, Parameter(validator=Number(gte=0), help="By how much clocks may differ.")] = CLOCK_S
    in_flight_s: Annotated[
        int, Parameter(validator=Number(gte=0), help="How long a write may take: its entry comes with its last byte.")
    ] = IN_FLIGHT_S

    @property
    def are_there(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self.keybox or self.receipts)

    def wanted(self, from_ms: int | None = None, to_ms: int | None = None) -> Wanted:
        """Return what is to be compared. Raises ConfigurationError."""
        terms = Terms(
            from_ms=0,
            to_ms=0,
            clock_ms=self.clock_s * 1000,
            in_flight_s=self.in_flight_s,
            lease_s=self.lease_s,
            leases=dict(map(_lease, self.lease)),
            receipts_of=frozenset(self.receipts_of),
        )
        return Wanted(logs=self.keybox, receipts=self.receipts, from_ms=from_ms, to_ms=to_ms, terms=terms)


TheirBooks = Annotated[OwnBooks, Parameter(name="*")]
NO_BOOKS = OwnBooks()


def _lease(text: str) -> tuple[str, int]:
    bucket, _, seconds = text.rpartition("=")
    if not bucket or not seconds.isascii() or not seconds.isdecimal() or int(seconds[:9]) > LEASE_S_MAX:
        raise ConfigurationError(f"{text!r} is no lease of a bucket\ntry: --lease BUCKET=SECONDS, {LEASE_S_MAX} seconds at most")
    return bucket, int(seconds)
