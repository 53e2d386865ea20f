"""What comparing the books says: what is in one and not in the other, with the places in both, and what could not be compared."""

from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from siegel.customer.audit.findings import time_text
from siegel.domain.moments import encode_time_ms

# Of one kind; more are counted only.
MISMATCHES_MAX: Final = 200


class Kind(StrEnum):
    """How the books differ."""

    MISSING = "missing"
    EXTRA = "extra"
    ALTERED = "altered"
    LATE = "late"


TITLES: Final = {
    Kind.MISSING: "Whatever one book says, the other says too",
    Kind.EXTRA: "No key was used more often than the ledger says",
    Kind.ALTERED: "Both say the same of it: person, object, operation, outcome",
    Kind.LATE: "Both say the same of when it was",
}


class Mismatch(Struct, frozen=True):
    """One thing that the books do not agree about. `evidence`: entry, request, line of the log, times, what each of them says."""

    kind: Kind
    message: str
    evidence: dict[str, str | int] = field(default_factory=dict)


class Counts(Struct):
    """How much was compared."""

    unwraps: int = 0
    wraps: int = 0
    uses: int = 0
    leases: int = 0
    reads: int = 0
    receipts: int = 0
    requests: int = 0


class Balance(Struct):
    """The outcome. Times are in milliseconds since 1970. `said` are the gaps: what was not compared, and why.

    `until_ms` is up to when everything is compared: the next interval begins there. `places` is the same of each single book;
    none is there of a book that was not compared from its place on.
    """

    ledger: str = ""
    from_ms: int = 0
    to_ms: int = 0
    until_ms: int = 0
    places: dict[str, int] = field(default_factory=dict)
    checked_at_s: int = 0
    head_at_s: int | None = None
    size: int = 0
    counts: Counts = field(default_factory=Counts)
    mismatches: list[Mismatch] = field(default_factory=list)
    left_out: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the books agree, as far as they could be compared."""
        return not self.mismatches

    def add(self, kind: Kind, message: str, /, **evidence: str | int) -> None:
        """Note a mismatch; what has no value is left out of the evidence."""
        if sum(one.kind is kind for one in self.mismatches) >= MISMATCHES_MAX:
            self.left_out += 1
            return
        told = {name.replace("_", " "): value for name, value in evidence.items() if value != ""}
        self.mismatches.append(Mismatch(kind, message, told))

    def say(self, message: str) -> None:
        """Note what could not be compared."""
        self.said.append(message)


def moment_text(at_ms: int | None) -> str:
    """Return a time with its milliseconds, as the log of a key server tells it, whatever somebody else has written there."""
    if at_ms is None:
        return "unknown"
    try:
        return encode_time_ms(at_ms)
    except (ValueError, OverflowError, OSError):
        return time_text(at_ms / 1000)


def summary(balance: Balance) -> str:
    """Return the outcome as a page: the verdict, what was compared, and the evidence for whatever does not agree."""
    lines = [_verdict(balance), ""]
    for kind in Kind:
        some = [one for one in balance.mismatches if one.kind is kind]
        lines.append(f"  {'FAIL' if some else 'ok  '}  {TITLES[kind]}")
        for one in some:
            lines.append(f"          {_shown(one.message)}")
            lines += [f"            {name}: {_shown(str(value))}" for name, value in one.evidence.items()]
    if balance.left_out:
        lines.append(f"  and {balance.left_out} more of the same kinds")
    if balance.said:
        lines += ["", "  not compared", *(f"    {_shown(said)}" for said in balance.said)]
    counts = balance.counts
    uses = f"{counts.uses} uses of those keys, {counts.leases} of them by a lease; {counts.reads} reads of objects under them"
    lines += [
        "",
        f"  ledger         {balance.ledger or 'unknown'}, {balance.size} entries, signed {time_text(balance.head_at_s)}",
        f"  interval       {moment_text(balance.from_ms)} to {moment_text(balance.to_ms)}",
        f"  compared until {moment_text(balance.until_ms)}",
        f"  key server     {counts.unwraps} data keys unwrapped, {counts.wraps} wrapped",
        f"  ledger says    {uses}",
        f"  requests       {counts.requests} in the ledger, {counts.receipts} receipts of clients",
        f"  checked        {time_text(balance.checked_at_s)}",
    ]
    return "\n".join(lines)


def _verdict(balance: Balance) -> str:
    if not balance.holds:
        count = len(balance.mismatches) + balance.left_out
        return f"DOES NOT BALANCE: the books differ in {count} place{'' if count == 1 else 's'}. Keep both, and this page."
    if balance.said:
        return "BALANCES, as far as it could be compared: see below for what could not."
    return "BALANCES: every use of your keys is in the ledger as it was, and every use in the ledger is in your own book."


def _shown(value: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in value)
