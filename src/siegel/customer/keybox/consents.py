"""Consents that a box was given: what its owner has signed, and for whom therefore a key may be used by the provider's support.

    consents/keys           whose signatures count, and how many are needed (`siegel.ledger.consent_keys`); pinned by the owner
    consents/policy         the account's log and the witnesses whom the owner trusts (c2sp.org/tlog-policy); pinned as well
    consents/handover/<NNN> hand-overs of the log to other keys, from 000 on (`siegel.ledger.handover`)
    consents/ledger         where further hand-overs are looked for, if the owner has said so
    consents/<id>           the evidence of an approval (`siegel.ledger.consent_evidence`)
    consents/<id>.revoked   it counts no more, whatever else there is

Nothing in such a file is believed because it is here: it is verified by the two that are pinned, and again whenever one of the
files changes. A hand-over leads on from the policy by the old keys' own signatures under the policy's witnesses, and only so.

What the caller says is held against it: the account, bucket and object that the data is bound to, the person, the operation, the
time. What he does with the data key, to look at the head or to read, nobody can see from here: one key opens both. So a consent
must permit to read, whatever he says; and that he looks at the head alone spares him a count only where he has that key anyhow.
"""

import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from siegel.access.consent import HEAD, READ
from siegel.customer.keybox.folder import LOG_NAME
from siegel.customer.keybox.refusals import RefusedError
from siegel.customer.keybox.uses import DONE, Use
from siegel.domain.consents import ARN_FRONT
from siegel.domain.ledgers import LedgerError, LedgerFormError
from siegel.ledger.consent_evidence import Proven, verify_by_any
from siegel.ledger.consent_keys import parse_consent_keys
from siegel.ledger.consents import Approval, is_consent_id
from siegel.ledger.handover import HAND_OVERS_MAX, follow
from siegel.ledger.policies import Policy, read_policy

FOLDER_NAME: Final = "consents"
KEYS_NAME: Final = "keys"
POLICY_NAME: Final = "policy"
HAND_OVERS_NAME: Final = "handover"
PLACE_NAME: Final = "ledger"
REVOKED: Final = ".revoked"
# An approval, an opening, a proof file with its checkpoint, each in base64.
EVIDENCE_BYTES_MAX: Final = 2 * 1024 * 1024

_MS_PER_S: Final = 1000
_DECRYPT: Final = "xks.decrypt"
_STATE: Final = "xks.metadata"
_OPERATORS: Final = ("operator/", "arn:aws:siegel:")
_CONSENT_ID: Final = "consentId"
_CONSENT_PERSON: Final = "consentPerson"
_CONSENT_ACTION: Final = "consentAction"

Mark = tuple[int, int, int] | None
Version = tuple[str, ...]
"""A version of an object: bucket, key, and version as the data is bound to it."""
Read = tuple[str, ...]
"""A read, as it is counted: the request, and which version of which object in which bucket."""


class Held(Struct, frozen=True):
    """A consent in the box's folder: what it says if it holds, else why not."""

    consent_id: str
    proven: Proven | None
    problem: str = ""
    is_revoked: bool = False

    def state_at(self, now_ms: int) -> str:
        """Return in one word what it is good for at a time."""
        if self.proven is None:
            return "invalid"
        if self.is_revoked:
            return "revoked"
        approval = self.proven.approval
        if now_ms < approval.request.not_before_s * _MS_PER_S:
            return "waiting"
        return "live" if now_ms < approval.expires_s * _MS_PER_S else "expired"


class _Opened(Struct):
    """What was opened under a consent: reads, their `versions`, and others of which the head alone was asked for."""

    reads: set[Read] = field(default_factory=set)
    versions: set[Version] = field(default_factory=set)
    heads: set[Version] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How many reads that makes: whoever has opened a version for its head could have read it."""
        return len(self.reads) + len(self.heads)

    def costs(self, use: Use) -> bool:
        """Tell whether a use is one read more."""
        version = _version_of(use)
        if _says_head(use.metadata):
            return version not in self.versions and version not in self.heads
        return (use.request_id, *version) not in self.reads and version not in self.heads

    def take(self, use: Use) -> None:
        """Note a use. The order in which they are noted makes no difference."""
        version = _version_of(use)
        if not _says_head(use.metadata):
            self.heads.discard(version)
            self.versions.add(version)
            self.reads.add((use.request_id, *version))
        elif version not in self.versions:
            self.heads.add(version)


class _Kept(Struct, frozen=True):
    """What was verified, and of which files."""

    marks: tuple[Mark, ...]
    held: Held


def mark_of(path: Path) -> Mark:
    """Return what changes whenever a file does; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time that Path.stat takes, and this is done for every call
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def hand_over_paths(shelf: Path) -> Iterator[Path]:
    """Yield where hand-overs lie in a box's folder of consents, one after the other, whether they are there or not."""
    return (shelf / HAND_OVERS_NAME / f"{number:03d}" for number in range(HAND_OVERS_MAX))


def is_operators(use: Use) -> bool:
    """Tell whether a use is in the name of somebody of the provider's, by any of the words that say so."""
    return use.principal.lower().startswith(_OPERATORS) or _CONSENT_ID in use.metadata


class Consents:
    """The consents of one box, as they are on the disk at that moment."""

    def __init__(self, folder: Path) -> None:
        """Look into `folder`, which is the box's."""
        self._folder = folder / FOLDER_NAME
        self._log = folder / LOG_NAME
        # Of consents with a file of evidence alone: callers name whatever they like.
        self._kept: dict[str, _Kept] = {}
        # Of consents that held and count reads. Never forgotten: lines that wait for the disk are not in the log yet, so none
        # could be counted again.
        self._opened: dict[str, _Opened] = {}

    def list(self) -> list[Held]:
        """Return all consents in the folder, by their ids."""
        try:
            names = sorted(path.name for path in self._folder.iterdir())
        except FileNotFoundError:
            return []
        return [self._look(name) for name in names if is_consent_id(name)]

    def verify(self, data: bytes) -> Proven:
        """Return what a file of evidence says, if it holds by what is pinned here. Raises LedgerError."""
        keys = parse_consent_keys(self._pinned(KEYS_NAME))
        return verify_by_any(data, [keys], reversed(self.policies()))

    def policies(self) -> tuple[Policy, ...]:
        """Return the policy that is pinned, and those that follow from it by the hand-overs here. Raises LedgerError."""
        return follow(read_policy(self._pinned(POLICY_NAME)), self.hand_overs())

    def hand_overs(self) -> Iterator[bytes]:
        """Yield the hand-overs that are here, the oldest first. Raises LedgerFormError where one cannot be read."""
        for path in hand_over_paths(self._folder):
            if mark_of(path) is None:
                return
            yield _read(path, "a hand-over is gone")

    def admit(self, use: Use, now_ms: int) -> None:
        """Let a use by somebody of the provider's pass, if a consent that holds permits it. Raises RefusedError."""
        consent_id, person = _named(use)
        held = self._look(consent_id)
        state = held.state_at(now_ms)
        if held.proven is None:
            raise _refused(consent_id, held.problem)
        if state != "live":
            raise _refused(consent_id, _WHY[state])
        approval = held.proven.approval
        if person != approval.request.person:
            raise _refused(consent_id, f"it is for {approval.request.person}")
        if use.operation == _STATE:
            return
        if use.operation != _DECRYPT:
            raise _refused(consent_id, f"no consent permits {use.operation}")
        _check_object(use, approval)
        if READ not in approval.request.actions:
            raise _refused(consent_id, "it does not permit to read, and whoever has the data key can")
        if approval.request.max_reads:
            self._count(approval, use)

    def _look(self, consent_id: str) -> Held:
        path = self._folder / consent_id
        paths = (path, path.with_name(consent_id + REVOKED), self._folder / KEYS_NAME, self._folder / POLICY_NAME)
        marks = (*map(mark_of, paths), *takewhile(bool, map(mark_of, hand_over_paths(self._folder))))
        kept = self._kept.get(consent_id)
        if kept is None or kept.marks != marks:
            kept = _Kept(marks, self._verify_one(path, is_revoked=marks[1] is not None))
            if marks[0] is None:
                self._kept.pop(consent_id, None)
            else:
                self._kept[consent_id] = kept
        return kept.held

    def _verify_one(self, path: Path, *, is_revoked: bool) -> Held:
        try:
            proven = self.verify(_read(path, "the box was given none"))
        except LedgerError as error:
            return Held(path.name, None, str(error), is_revoked)
        if proven.approval.request.consent_id != path.name:
            return Held(path.name, None, "the file is the evidence of another consent", is_revoked)
        return Held(path.name, proven, is_revoked=is_revoked)

    def _pinned(self, name: str) -> bytes:
        return _read(self._folder / name, f"{FOLDER_NAME}/{name} is missing: siegel keybox consent trust DIR")

    def _count(self, approval: Approval, use: Use) -> None:
        """Count a read: one that goes on for long asks several times, and one request for many objects is many reads."""
        request = approval.request
        opened = self._opened.get(request.consent_id)
        if opened is None:
            opened = _Opened()
            try:
                for before in _opened_in(self._log, request.consent_id):
                    opened.take(before)
            except OSError:
                raise _refused(request.consent_id, "the reads under it cannot be counted") from None
            self._opened[request.consent_id] = opened
        if opened.costs(use) and opened.count >= request.max_reads:
            raise _refused(request.consent_id, f"it permits {request.max_reads} reads, and they are used up")
        opened.take(use)


_WHY: Final = {"revoked": "it was revoked", "waiting": "it is not valid yet", "expired": "it has expired"}


def _named(use: Use) -> tuple[str, str]:
    """Return consent and person as the principal names them; whatever else names them must say the same. Raises RefusedError."""
    consent_id, _, person = use.principal.removeprefix(ARN_FRONT).partition("/")
    if not use.principal.startswith(ARN_FRONT) or not is_consent_id(consent_id) or not person:
        raise RefusedError("AccessDeniedException", "Somebody of the provider's asks, and names no consent.")
    said = use.metadata.get(_CONSENT_ID, consent_id), use.metadata.get(_CONSENT_PERSON, person)
    if said != (consent_id, person):
        raise _refused(consent_id, "principal and requestMetadata name different ones")
    return consent_id, person


def _check_object(use: Use, approval: Approval) -> None:
    request, context = approval.request, use.context or {}
    account, bucket, key = (context.get(name) for name in ("account", "bucket", "key"))
    if account is None or bucket is None:
        raise _refused(request.consent_id, "the data says not readably to which account and bucket it belongs")
    if account != request.account_id:
        raise _refused(request.consent_id, "it is of another account")
    if key is None:
        is_within = any(scope.has_prefix(bucket, "") for scope in approval.scope)
    else:
        is_within = any(scope.has_object(bucket, key) for scope in approval.scope)
    if not is_within:
        raise _refused(request.consent_id, "it is about other objects")


def _says_head(metadata: dict[str, Any]) -> bool:
    """Tell whether the caller says that he looks at the head alone. Whatever else he says, or does not, is to read."""
    return metadata.get(_CONSENT_ACTION) == HEAD


def _version_of(use: Use) -> Version:
    context = use.context or {}
    return tuple(context.get(name, "") for name in ("bucket", "key", "version"))


def _opened_in(log: Path, consent_id: str) -> Iterator[Use]:
    """Yield the uses under a consent that were let pass, as all of the log tells them.

    Not back to a time: a clock that was wrong for one line would hide those before it. Nor to the line that says that the
    consent was put in: it may have been put in again, or by hand.
    """
    front = f"{ARN_FRONT}{consent_id}/"
    wanted = front.encode()
    with log.open("rb") as lines:
        for line in lines:
            # What a crash left without its newline is no line.
            if wanted not in line or not line.endswith(b"\n"):
                continue
            told = msgspec.json.decode(line, type=Use)
            if told.operation == _DECRYPT and told.result == DONE and told.principal.startswith(front):
                yield told


def _read(path: Path, missing: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(EVIDENCE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise LedgerFormError(missing) from None
    except OSError as error:
        raise LedgerFormError(f"{path.name} cannot be read: {error.strerror}") from None


def _refused(consent_id: str, why: str) -> RefusedError:
    return RefusedError("AccessDeniedException", f"The consent {consent_id} does not allow it: {why}.")
