"""The monitor: entry by entry, whether anybody of the provider's was at the data without a consent, or beyond one.

A consent is the customer's own signature, under a quorum of his witnesses, in this very ledger, before the access. What the
entries say is held against it: person, object, action, time, number of reads, revocation. The time of an access is the one at
which it was recorded, which the order of the ledger and the witnesses bind; what the provider says of when he was asked counts
for nothing. That time, and the end of a consent, are by one clock, the service's: nothing is forgiven there but the second in
which an end has to bind.

An entry whose names nobody can read may be an operator's, and is told of, unless the account erased them. Where no name was ever
shown, and no consent key is pinned, whoever audits does not look at persons: then nothing is said of them, neither good nor bad.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from siegel.customer.audit.consents import Consents, Known
from siegel.customer.audit.findings import ConsentUses, Name, Report, time_text
from siegel.customer.audit.openings import Line
from siegel.customer.consent.pins import Pins
from siegel.domain.consents import ARN_FRONT
from siegel.domain.entry import UNWRAP
from siegel.ledger.consents import Action, Approval
from siegel.ledger.leaves import Leaf, Opening, commit_content

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "bucket.list": Action.LIST,
        "bucket.list_versions": Action.LIST,
        "object.head": Action.HEAD,
        "object.attributes": Action.HEAD,
        "object.read": Action.READ,
    }
)
"""What entries call that which a consent can permit."""

# Expiry and revocation bind within a second: a use is checked before it is recorded. Both are times of the service's own clock.
BINDING_MS: Final = 1000
OPERATORS: Final = ("operator/", "arn:aws:siegel:")
# What operators do for themselves; in no bucket.
_OF_OPERATORS: Final = ("account.", "admin.", "clock.", "consent.", "ledger.keys.")
_APPROVE: Final = "consent.approve"
_REVOKE: Final = "consent.revoke"
_KEYS: Final = "consent.keys"
_ERASE: Final = "ledger.opening.erase"
_ERASED: Final = re.compile(r"opening/(0|[1-9][0-9]{0,18})", re.ASCII)
_REFUSED: Final = 400
_MS: Final = 1000

SeenSince = Callable[[str], float | None]


class Entry(Struct, frozen=True):
    """An entry that is looked at, and its names, if they are there."""

    index: int
    leaf: Leaf
    opening: Opening | None

    @property
    def kind(self) -> str:
        """What was asked for."""
        return self.leaf.facts.kind

    @property
    def consent_id(self) -> str:
        """The consent that it rests on, by the provider's word; mostly empty."""
        return self.leaf.facts.consent_id

    @property
    def is_done(self) -> bool:
        """Whether it was not refused."""
        return self.leaf.facts.status < _REFUSED

    @property
    def is_operators(self) -> bool:
        """Whether somebody of the provider's is named."""
        return self.opening is not None and self.opening.principal.lower().startswith(OPERATORS)

    @property
    def is_own_business(self) -> bool:
        """Whether it is about requests and accounts, and touches no bucket."""
        has_bucket = self.leaf.facts.bucket_id or (self.opening is not None and self.opening.bucket)
        return self.kind.startswith(_OF_OPERATORS) and not has_bucket


class _Consent(Struct):
    """What is known of one consent at this place of the ledger."""

    known: Known
    approved_at: int | None = None
    revoked_at_ms: int | None = None
    uses: int = 0
    reads: int = 0
    refused: int = 0


class Monitor:
    """Looks at entries in their order. What came before the first one that is told of is looked at silently."""

    def __init__(
        self,
        report: Report,
        consents: Consents,
        pins: Pins,
        revoked: Mapping[str, int],
        slack_s: int,
        *,
        has_names: bool = False,
    ) -> None:
        """Add findings to `report`, whose head is known.

        `revoked`: what the customer knows to have revoked, and when (s). `slack_s`: how much others' clocks are forgiven.
        `has_names`: whether any name of this ledger was ever shown.
        """
        self._report = report
        self._revoked = revoked
        self._slack_ms = slack_s * _MS
        self._pinned = [sha256(pin.data).digest() for pin in pins.pins]
        self._has_names = has_names or bool(self._pinned)
        self._known = consents
        self._consents: dict[str, _Consent] = {}
        account_id = report.origin.rpartition("/")[2]
        self._own = tuple(f"arn:aws:{service}::{account_id}:" for service in ("iam", "sts"))
        # A bit for each entry: an account may have erased millions of names, and the next one may be hidden.
        self._nameless = bytearray(report.size // 8 + 1)
        self._is_silent = False
        self._steps = {_APPROVE: self._approve, _REVOKE: self._revoke, _KEYS: self._put_keys, _ERASE: self._erase}

    def look(self, line: Line, *, silent: bool = False) -> None:
        """Look at an entry."""
        if line.leaf is None:
            return
        self._is_silent = silent
        entry = Entry(line.index, line.leaf, line.opening)
        self._has_names = self._has_names or entry.opening is not None
        # What does not fit its entry is told as that.
        if entry.opening is None and not silent and not line.problem:
            self._nameless[line.index // 8] |= 1 << line.index % 8
        step = self._steps.get(entry.kind)
        if step is not None and entry.is_done:
            step(entry)
        if not entry.is_own_business:
            self._access(entry)

    def finish(self, seen_since_s: SeenSince, start: int) -> bool:
        """Say what can be said only at the end; return whether names were missing that the account has not erased.

        `seen_since_s` tells since when the mirror has had the approval of a consent; `start`: the first entry that was looked at.
        """
        hidden = sum(map(int.bit_count, self._nameless))
        if hidden and not self._has_names:
            self._report.leave(Name.CONSENT)
        elif hidden:
            bits = int.from_bytes(self._nameless, "little")
            self._report.add(
                Name.CONSENT,
                f"of {hidden} entries nobody can say whether an operator made them: their names are not shown, and the "
                "account did not erase them",
                first=(bits & -bits).bit_length() - 1,
                last=bits.bit_length() - 1,
            )
        for name in self._known.ids if start == 0 else self._revoked:
            self._consent(name)
        for name, consent in self._consents.items():
            if start == 0 and consent.approved_at is None and consent.known.approval is not None:
                self._tell_of_missing(name, consent.known.approval, seen_since_s(name))
            if consent.revoked_at_ms is None and (start == 0 or (consent.known.index or 0) >= start):
                self._tell_of_unheard(name, self._revoked.get(name))
            if consent.uses or consent.refused:
                person = consent.known.approval.request.person if consent.known.approval else ""
                self._report.consents.append(ConsentUses(name, person, consent.uses, consent.reads, consent.refused))
        return bool(hidden) and self._has_names

    def _tell_of_missing(self, name: str, approval: Approval, since_s: float | None) -> None:
        """Tell of an approval that is not in the ledger, if it was there well before the head was signed."""
        head_at_s = self._report.head_at_s
        if since_s is not None and head_at_s is not None and since_s * _MS + self._slack_ms < head_at_s * _MS:
            self._report.add(
                Name.CONSENT, f"the approval of the consent {name} is not in the ledger", consent=name, text=approval.digest.hex()
            )

    def _tell_of_unheard(self, name: str, at_s: int | None) -> None:
        """Tell of a revocation that is not in the ledger, if the store took it well before the head was signed."""
        head_at_s = self._report.head_at_s
        if at_s is not None and head_at_s is not None and at_s * _MS + self._slack_ms < head_at_s * _MS:
            self._report.add(
                Name.CONSENT,
                f"you revoked the consent {name} at {time_text(at_s)}, and the ledger does not tell of it",
                consent=name,
            )

    def _consent(self, name: str) -> _Consent:
        if name not in self._consents:
            known = self._known.find(name)
            self._consents[name] = _Consent(known, known.index)
        return self._consents[name]

    # What became of consents.

    def _approve(self, entry: Entry) -> None:
        consent = self._consent(entry.consent_id)
        approval = consent.known.approval
        if approval is None:
            why = consent.known.problem
            self._tell(entry, f"the ledger says that the consent {entry.consent_id} was approved, and you did not: {why}")
            return
        opening = consent.known.opening if consent.known.index == entry.index else entry.opening
        if opening is None or commit_content(opening, approval.digest) != entry.leaf.facts.content:
            self._tell(entry, f"another approval of the consent {entry.consent_id} than yours")
        elif consent.approved_at is None:
            consent.approved_at = entry.index

    def _revoke(self, entry: Entry) -> None:
        consent = self._consent(entry.consent_id)
        if consent.revoked_at_ms is None:
            consent.revoked_at_ms = entry.leaf.recorded_at_ms

    def _put_keys(self, entry: Entry) -> None:
        opening, content = entry.opening, entry.leaf.facts.content
        if opening is None or not any(commit_content(opening, digest) == content for digest in self._pinned):
            self._tell(entry, "consent keys were put into the account that you have not pinned here")

    def _erase(self, entry: Entry) -> None:
        found = _ERASED.fullmatch(entry.opening.object_key) if entry.opening else None
        # Nobody else's erasing hides a name.
        if found and entry.opening and entry.opening.principal.startswith(self._own):
            index = int(found[1])
            if index < self._report.size:
                self._nameless[index // 8] &= ~(1 << index % 8)

    # Accesses.

    def _access(self, entry: Entry) -> None:
        if not entry.consent_id:
            if entry.is_operators and entry.is_done:
                self._tell(entry, f"somebody of the provider's did {entry.kind} without any consent")
            return
        consent = self._consent(entry.consent_id)
        if not entry.is_done:
            consent.refused += 1
            return
        if entry.kind != UNWRAP:
            consent.uses += 1
            consent.reads += ACTIONS.get(entry.kind) is Action.READ
        approval = consent.known.approval
        if approval is None:
            self._tell(
                entry, f"{entry.kind} under the consent {entry.consent_id}, which you did not give: {consent.known.problem}"
            )
            return
        for problem in (*self._of_time(entry, consent, approval), *_misfits(entry, approval)):
            self._tell(entry, f"{entry.kind} under the consent {entry.consent_id}: {problem}")

    def _of_time(self, entry: Entry, consent: _Consent, approval: Approval) -> Iterator[str]:
        """Yield what is wrong about when it was used, how often, and in which ledger."""
        request, known, at_ms = approval.request, consent.known, entry.leaf.recorded_at_ms
        if consent.approved_at is None or entry.index < consent.approved_at:
            yield "it was used before its approval was in the ledger"
        elif known.witnessed_at_s is None or at_ms + self._slack_ms < known.witnessed_at_s * _MS:
            unproven = f"; there is evidence of before, which does not hold: {known.unproven}" if known.unproven else ""
            yield f"it was used before your witnesses had seen its approval{unproven}"
        if at_ms < request.not_before_s * _MS:
            yield f"it was used before {time_text(request.not_before_s)}, when it began"
        if at_ms > approval.expires_s * _MS + BINDING_MS:
            yield f"it was used after {time_text(approval.expires_s)}, when it had expired"
        if consent.revoked_at_ms is not None and at_ms > consent.revoked_at_ms + BINDING_MS:
            yield f"it was used after {time_text(consent.revoked_at_ms / _MS)}, when it was revoked"
        own_s = self._revoked.get(request.consent_id)
        if consent.revoked_at_ms is None and own_s is not None and at_ms > own_s * _MS + BINDING_MS + self._slack_ms:
            yield f"it was used after {time_text(own_s)}, when you revoked it, and nothing of that was in the ledger"
        if request.max_reads and ACTIONS.get(entry.kind) is Action.READ and consent.reads > request.max_reads:
            yield f"it permits {request.max_reads} reads, and this is number {consent.reads}"
        if request.origin != self._report.origin:
            yield "it is for the ledger of another account"

    def _tell(self, entry: Entry, message: str) -> None:
        if self._is_silent:
            return
        told: dict[str, str | int] = {"entry": entry.index, "request": entry.leaf.request_id}
        told["recorded"] = time_text(entry.leaf.recorded_at_ms / _MS)
        if entry.opening is not None:
            told |= {"principal": entry.opening.principal, "object": f"{entry.opening.bucket}/{entry.opening.object_key}"}
        self._report.add(Name.CONSENT, f"entry {entry.index}: {message}", **told)


def _misfits(entry: Entry, approval: Approval) -> Iterator[str]:
    """Yield what of person, action and object is not as it was granted."""
    request, opening = approval.request, entry.opening
    action, is_key_use = ACTIONS.get(entry.kind), entry.kind == UNWRAP
    if action is None and not is_key_use:
        yield "no consent permits that"
    elif action is not None and action not in request.actions and not (action is Action.HEAD and Action.READ in request.actions):
        yield f"it does not permit to {action.value}"
    if opening is None:
        yield "who it was, and what was looked at, is not shown"
        return
    if opening.principal != f"{ARN_FRONT}{request.consent_id}/{request.person}":
        yield f"it is for {request.person}"
    if is_key_use:
        # Its entry names the key in the place of the object.
        is_within = any(scope.bucket == opening.bucket for scope in approval.scope)
    elif action is Action.LIST:
        is_within = any(scope.has_prefix(opening.bucket, opening.object_key) for scope in approval.scope)
    else:
        is_within = any(scope.has_object(opening.bucket, opening.object_key) for scope in approval.scope)
    if not is_within:
        yield "it is about other objects"
