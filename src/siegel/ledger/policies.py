"""Policy files: whom a customer trusts. The log's keys, the witnesses, and which of them together are enough (the quorum).

Source: c2sp.org/tlog-policy.
"""

import re
from collections.abc import Collection
from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError, UnsignedError
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.keys import Algorithm, VerifierKey, parse_verifier
from siegel.ledger.notes import SignedNote
from siegel.ledger.signed_checkpoints import open_checkpoint

POLICY_BYTES_MAX: Final = 1024 * 1024
# Of logs, of witnesses, of groups; the specification wants 32 of each at least.
LINES_MAX: Final = 256
NO_QUORUM: Final = "none"

_ALLOWED: Final = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")
_BLANK: Final = re.compile(r"[ \t]+")
_OF_LOGS: Final = (Algorithm.ED25519, Algorithm.ML_DSA_44)
_OF_WITNESSES: Final = (Algorithm.COSIGNATURE, Algorithm.ML_DSA_44)


class LogLine(Struct, frozen=True):
    """A key of a log that is trusted; its name is the log's origin."""

    verifier: VerifierKey
    url: str = ""


class WitnessLine(Struct, frozen=True):
    """A witness, under the name that the policy gives it. `url`: where checkpoints are submitted, or empty."""

    name: str
    verifier: VerifierKey
    url: str = ""


class Group(Struct, frozen=True):
    """Witnesses and groups of which `threshold` are needed."""

    threshold: int
    members: tuple[str, ...]


class Judgement(Struct, frozen=True):
    """What a policy says of a checkpoint that the log has signed: which witnesses have too, when, and whether they are enough.

    `log_times` are those that the log's own signatures say, where they say one. `quorum_at_s` is the newest time at which a
    quorum says that it was the head; None where there is no quorum, or none is demanded. Times are in seconds since 1970.
    """

    checkpoint: Checkpoint
    note: SignedNote
    log_times: tuple[int, ...]
    witnessed: dict[str, int]
    has_quorum: bool
    quorum_at_s: int | None


class Policy(Struct, frozen=True):
    """A policy file, read."""

    logs: tuple[LogLine, ...]
    witnesses: tuple[WitnessLine, ...]
    groups: dict[str, Group]
    quorum: str

    def judge(self, data: bytes) -> Judgement:
        """Return what the policy says of the signed checkpoint in `data`.

        Raises LedgerFormError; UnsignedError if none of the trusted keys of its log has signed it, or a trusted key's signature
        does not fit. A quorum that is missing is no error here. A cosignature that says no time counts for nothing.
        """
        trusted = [line.verifier for line in self.logs] + [each.verifier for each in self.witnesses]
        opened = open_checkpoint(data, trusted)
        origin = opened.checkpoint.origin
        own = {line.verifier for line in self.logs if line.verifier.name == origin}
        log_times = [at_s for verifier, at_s in opened.signed.items() if verifier in own]
        if not log_times:
            raise UnsignedError("no trusted key of the log has signed the checkpoint")
        witnessed = {each.name: opened.signed[each.verifier] for each in self.witnesses if opened.signed.get(each.verifier)}
        times = tuple(at_s for at_s in log_times if at_s)
        quorum_at_s = self._quorum_at_s(witnessed)
        has_quorum = self.quorum == NO_QUORUM or quorum_at_s is not None
        return Judgement(opened.checkpoint, opened.note, times, witnessed, has_quorum, quorum_at_s)

    def is_quorum(self, names: Collection[str]) -> bool:
        """Tell whether these witnesses together are enough."""
        return self.quorum == NO_QUORUM or self._holds(self.quorum, names)

    def _quorum_at_s(self, witnessed: dict[str, int]) -> int | None:
        if self.quorum == NO_QUORUM:
            return None
        times = sorted(witnessed.values(), reverse=True)
        return next(
            (at_s for at_s in times if self._holds(self.quorum, [name for name in witnessed if witnessed[name] >= at_s])), None
        )

    def _holds(self, name: str, names: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in names
        return sum(self._holds(member, names) for member in group.members) >= group.threshold


def read_policy(data: bytes) -> Policy:
    """Return the policy in a file. Raises LedgerFormError, which names the line."""
    if len(data) > POLICY_BYTES_MAX or not _ALLOWED.fullmatch(data):
        raise LedgerFormError("the policy is too long, or has control characters")
    reader = _Reader()
    # Bytes that are no UTF-8 are opaque, and stay what they are.
    for number, line in enumerate(data.decode(errors="surrogateescape").split("\n"), 1):
        words = _BLANK.split(line.strip(" \t"))
        if words == [""] or words[0].startswith("#"):
            continue
        try:
            reader.read(words)
        except LedgerFormError as error:
            raise LedgerFormError(f"line {number} of the policy: {error}") from None
    if not reader.quorum:
        raise LedgerFormError("the policy has no quorum line")
    return Policy(tuple(reader.logs), tuple(reader.witnesses), reader.groups, reader.quorum)


class _Reader:
    """Takes lines one by one, each checked against those before it."""

    def __init__(self) -> None:
        self.logs: list[LogLine] = []
        self.witnesses: list[WitnessLine] = []
        self.groups: dict[str, Group] = {}
        self.quorum = ""
        self._names: set[str] = set()
        self._members: set[str] = set()

    def read(self, words: list[str]) -> None:
        counts = {"log": len(self.logs), "witness": len(self.witnesses), "group": len(self.groups)}
        if counts.get(words[0], 0) >= LINES_MAX:
            raise LedgerFormError(f"there are at most {LINES_MAX} logs, witnesses and groups")
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self.logs.append(LogLine(_verifier(vkey, _OF_LOGS, [line.verifier for line in self.logs]), "".join(url)))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._define(name)
                seen = [witness.verifier for witness in self.witnesses]
                self.witnesses.append(WitnessLine(name, _verifier(vkey, _OF_WITNESSES, seen), "".join(url)))
            case ["group", name, threshold, *members] if members:
                group = self._group(threshold, members)
                self._define(name)
                self.groups[name] = group
            case ["quorum", name]:
                if self.quorum:
                    raise LedgerFormError("there is a quorum line already")
                if name != NO_QUORUM and name not in self._names:
                    raise LedgerFormError("the quorum is no witness and no group of the lines before")
                self.quorum = name
            case _:
                raise LedgerFormError("it is no line of a policy: log, witness, group or quorum, each with its words")

    def _define(self, name: str) -> None:
        if name in self._names or name == NO_QUORUM:
            raise LedgerFormError("the name is taken")
        self._names.add(name)

    def _group(self, threshold: str, members: list[str]) -> Group:
        for member in members:
            if member not in self._names or member in self._members:
                raise LedgerFormError("a member of a group is a name of the lines before, and of one group only")
            self._members.add(member)
        words = {"any": 1, "all": len(members)}
        count = words.get(threshold) or (int(threshold) if re.fullmatch("[1-9][0-9]{0,3}", threshold, re.ASCII) else 0)
        if not 1 <= count <= len(members):
            raise LedgerFormError("a group needs all, any, or a number of its members")
        return Group(count, tuple(members))


def _verifier(vkey: str, algorithms: Collection[Algorithm], known: list[VerifierKey]) -> VerifierKey:
    verifier = parse_verifier(vkey)
    if verifier.algorithm not in algorithms:
        raise LedgerFormError("the key is of a kind that this line cannot have")
    if any(verifier.public_key == other.public_key for other in known):
        raise LedgerFormError("the key is there twice")
    return verifier
