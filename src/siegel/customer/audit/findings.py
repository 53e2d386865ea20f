"""What an audit says: checks that hold or do not, and for each that does not the evidence."""

from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from siegel.domain.moments import encode_time

# Of one check; more say nothing new.
FINDINGS_MAX: Final = 20


class Name(StrEnum):
    """The checks, in the order in which they are told."""

    SIGNATURE = "signature"
    QUORUM = "quorum"
    FRESHNESS = "freshness"
    ENTRIES = "entries"
    TILES = "tiles"
    CONSISTENCY = "consistency"
    DATES = "dates"
    OPENINGS = "openings"
    CONSENT = "consent"


TITLES: Final = {
    Name.SIGNATURE: "The ledger itself has signed its head",
    Name.QUORUM: "Enough witnesses of the policy have seen that head",
    Name.FRESHNESS: "The head is recent",
    Name.ENTRIES: "Every entry is there, and hashes to what was signed",
    Name.TILES: "The published tree is the tree of the entries",
    Name.CONSISTENCY: "The ledger still begins with what was verified before",
    Name.DATES: "Entries came in time and in order, each once",
    Name.OPENINGS: "Names and persons are those that the entries were made with",
    Name.CONSENT: "Nobody of the provider's came without your consent, or beyond it",
}
# Without these, what was fetched is no later state of the ledger, and is not kept as one.
NEEDED: Final = (Name.SIGNATURE, Name.QUORUM, Name.ENTRIES, Name.TILES, Name.CONSISTENCY)


class Finding(Struct, frozen=True):
    """Something that should not be. `evidence` is for engineers: numbers, hashes, paths."""

    check: Name
    message: str
    evidence: dict[str, str | int] = field(default_factory=dict)


class ConsentUses(Struct, frozen=True):
    """How often a consent was used since its approval, how many of the uses were reads, and how often it was refused."""

    consent_id: str
    person: str
    uses: int
    reads: int
    refused: int


class Asked(Struct, frozen=True):
    """A request of somebody of the provider's that nobody has answered yet; silence is denial."""

    consent_id: str
    person: str
    reason: str
    answer_by_s: int


class Report(Struct):
    """What an audit has found. Times are in seconds since 1970, of entries in milliseconds; None where there is none.

    `unnamed` counts the entries without an opening, of those whose openings were looked at. `unchecked` are the checks that
    nothing can be said of, because of what others have found or because nobody asked for them. `hand_overs`: how often the log's
    keys were handed over on the way from the policy's to those of now. `warning`: since when, by the provider's own word, no head
    has had a quorum. `consents`: the operators' accesses under each consent that was used; `asked`: what waits for an answer.
    """

    origin: str = ""
    size: int = 0
    root: str = ""
    verified_before: int = 0
    checked_at_s: int = 0
    head_at_s: int | None = None
    first_entry_at_ms: int | None = None
    last_entry_at_ms: int | None = None
    witnesses: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    left_out: int = 0
    unchecked: list[Name] = field(default_factory=list)
    unnamed: int = 0
    consents: list[ConsentUses] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    hand_overs: int = 0
    warning: str = ""

    def add(self, check: Name, message: str, **evidence: str | int) -> None:
        """Note a finding; beyond FINDINGS_MAX of one check they are counted only. What cannot be printed is shown as `?`."""
        if sum(finding.check is check for finding in self.findings) < FINDINGS_MAX:
            told = {name: shown(value) if isinstance(value, str) else value for name, value in evidence.items()}
            self.findings.append(Finding(check, shown(message), told))
        else:
            self.left_out += 1

    def leave(self, *checks: Name) -> None:
        """Note checks that are not made, or not to their end."""
        self.unchecked += [check for check in checks if check not in self.unchecked]

    def holds(self, *checks: Name) -> bool:
        """Tell whether these checks hold, or all of them if none is named."""
        return not any(finding.check in (checks or tuple(Name)) for finding in self.findings)


def shown(text: str) -> str:
    """Return somebody else's text on one line, so that it cannot move the cursor or begin a line of its own."""
    return "".join(char if char.isprintable() else "?" for char in text)


def time_text(at_s: float | None) -> str:
    """Return a time as people read it, whatever somebody else has written there."""
    if at_s is None:
        return "unknown"
    try:
        return encode_time(at_s)
    except (ValueError, OverflowError, OSError):
        return f"{at_s:.0f} s after 1970"


def summary(report: Report) -> str:
    """Return the report as a page: the verdict, what was checked, and the evidence for whatever does not hold."""
    lines = [_verdict(report), ""]
    for name in Name:
        lines.append(f"  {_mark(report, name)}  {TITLES[name]}")
        for finding in (finding for finding in report.findings if finding.check is name):
            lines.append(f"          {finding.message}")
            lines += [f"            {key}: {value}" for key, value in finding.evidence.items()]
    if report.warning:
        lines.append(f"  note  The provider itself warns: no quorum of its witnesses has signed a head since {report.warning}")
    if report.left_out:
        lines.append(f"  and {report.left_out} more findings of the same kinds")
    period = [at_ms / 1000 for at_ms in (report.first_entry_at_ms, report.last_entry_at_ms) if at_ms is not None]
    seen = ", ".join(f"{name} ({time_text(at_s)})" for name, at_s in report.witnesses.items())
    lines += [
        "",
        f"  ledger         {report.origin or 'unknown'}",
        f"  entries        {report.size}, of which {min(report.verified_before, report.size)} were verified before",
        f"  without names  {report.unnamed}",
        *_operators(report),
        *(f"  asked for      {shown(asked_text(each))}" for each in report.asked),
        *([f"  recorded       {' to '.join(map(time_text, period))}"] if period else []),
        f"  root           {report.root or 'unknown'}",
        *([f"  keys           handed over {report.hand_overs} times since the policy was written"] if report.hand_overs else []),
        f"  head signed    {time_text(report.head_at_s)}",
        f"  witnesses      {seen or 'none'}",
        f"  checked        {time_text(report.checked_at_s)}",
    ]
    return "\n".join(lines)


def asked_text(asked: Asked) -> str:
    """Return in a line who asks for access, and until when he may be answered."""
    return f"{asked.person} asks for access: {asked.reason}; consent {asked.consent_id}, answer by {time_text(asked.answer_by_s)}"


def _operators(report: Report) -> list[str]:
    """Return the lines that tell which operators were let in."""
    told = [
        f"{each.person or 'nobody whom you let in'}, consent {each.consent_id}: "
        f"{each.uses} accesses, {each.reads} of them reads; {each.refused} refused"
        for each in report.consents
    ]
    return [f"  {'operators' if not place else '':<13}  {text}" for place, text in enumerate(map(shown, told or ["none"]))]


def _mark(report: Report, name: Name) -> str:
    if not report.holds(name):
        return "FAIL"
    return "-   " if name in report.unchecked else "ok  "


def _good(report: Report) -> str:
    if Name.ENTRIES in report.unchecked:
        return "SAME HISTORY: that head is of the ledger as it was verified here. Nothing but this was looked at."
    holds = "HOLDS: nothing in this ledger was changed, left out or added later, as far as it can be computed and was witnessed."
    return (
        f"{holds}\nOf {report.unnamed} entries it is not told who was there: is that by your will?" if report.unnamed else holds
    )


def _verdict(report: Report) -> str:
    if report.holds():
        return _good(report)
    if report.holds(*NEEDED) and not report.holds(Name.CONSENT):
        return (
            "OPERATOR ACCESS: the ledger is whole, and it shows that somebody of the provider's was at your data without your "
            "consent or beyond it, or hides who was there. Keep the evidence."
        )
    if report.holds(*NEEDED):
        return "WARNING: the ledger is whole, but what is beside it, or when it came, is not as it was promised."
    if not report.holds(Name.SIGNATURE):
        return (
            "NOT SIGNED: what is shown here is not signed by the keys that your policy names, so nothing else was looked at. "
            "Was it asked for at the right place? If it was, keep the evidence."
        )
    if report.holds(Name.SIGNATURE, Name.ENTRIES, Name.TILES, Name.CONSISTENCY):
        return "NOT WITNESSED: the ledger is whole as it was shown here, but others may have been shown another one."
    return "BROKEN: this ledger is not what was signed, or not what it was before. Keep the evidence."
