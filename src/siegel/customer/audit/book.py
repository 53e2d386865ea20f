"""The auditor's directory, on the customer's disk.

audit.toml       where the ledger is, and what was promised; written by hand, or by `siegel audit init`
consent-keys/    whose signatures let the provider's people in (`siegel consent keys put`)
revoked/         what the customer has revoked, and when (`siegel consent revoke`)
policy           whom the customer trusts (c2sp.org/tlog-policy); written by hand
policies/        what that file said, and since when
last             the head that was verified last, as it was signed
ledger/          the mirror: the ledger's files under the names that they have everywhere
incoming/        what was fetched and is not verified yet
evidence/        heads and reports that contradict what was verified, proofs of both, and what was fetched with them
audit.lock       held while something is fetched
mirror.lock      held while the mirror is exchanged, and shared while it is read
"""

import os
import shutil
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from siegel.customer.audit.dates import DELAY_S_MAX, MAX_AGE_S_MAX, Promise
from siegel.customer.audit.findings import Report
from siegel.customer.audit.former import Former, note_policy, read_former
from siegel.customer.audit.openings import OPENINGS_NAME, openings_path
from siegel.customer.audit.sources import FolderSource, Source, SourceError, read_hand_overs
from siegel.customer.audit.walk import CHECKPOINT, Before, Trust, stood_at
from siegel.customer.keybox.durable import replace_whole, sync_folder, write_new
from siegel.customer.keybox.folder import locked
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.ledgers import LedgerError, UnsignedError
from siegel.ledger.checkpoints import parse_checkpoint
from siegel.ledger.frontier import Frontier, read_frontier
from siegel.ledger.handover import follow
from siegel.ledger.keys import VerifierKey
from siegel.ledger.notes import NOTE_BYTES_MAX, parse_note
from siegel.ledger.policies import POLICY_BYTES_MAX, Judgement, Policy, read_policy
from siegel.ledger.tiles import ENTRIES, edge_tiles, new_tiles

_WAY_OUT: Final = "try: keep the directory as evidence, and begin a new one with: siegel audit init"

SETTINGS_NAME: Final = "audit.toml"
POLICY_NAME: Final = "policy"
LAST_NAME: Final = "last"
LEDGER_NAME: Final = "ledger"
EVIDENCE_NAME: Final = "evidence"
FETCHED_BYTES_MAX: Final = 64 * 1024 * 1024
NO_PROOFS: Final[Mapping[str, bytes]] = MappingProxyType({})
_MIRROR_LOCK: Final = "mirror.lock"

_SETTINGS_BYTES_MAX: Final = 64 * 1024
_SETTINGS: Final = """\
# Where the ledger is: https://HOST/.ledger/ACCOUNT, or a directory.
from = {source}
# How old its head may be, in seconds, and how soon an entry must be in the tree, the clocks' differences included.
max_age_s = {promise.max_age_s}
delay_s = {promise.delay_s}
"""


class Settings(Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """What `audit.toml` says."""

    source: str
    max_age_s: Annotated[int, Meta(ge=1, le=MAX_AGE_S_MAX)] = Promise().max_age_s
    delay_s: Annotated[int, Meta(ge=0, le=DELAY_S_MAX)] = Promise().delay_s


def initialise(folder: Path, source: str, policy: bytes, promise: Promise) -> "Book":
    """Make a directory for the audits of one ledger. Raises ConfigurationError, LedgerFormError, StorageError."""
    read_policy(policy)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigurationError(f"{folder} is not empty: audits begin in a directory of their own")
        write_new(folder / POLICY_NAME, policy)
        quoted = msgspec.json.encode(source).decode()
        write_new(folder / SETTINGS_NAME, _SETTINGS.format(source=quoted, promise=promise).encode())
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}") from None
    return Book(folder)


class BusyError(ConfigurationError):
    """Another audit changes the directory at the moment."""


class Book:
    """One auditor's directory."""

    def __init__(self, folder: Path) -> None:
        """Read settings and policy. Raises ConfigurationError."""
        self.folder = folder
        self.settings = _read_settings(folder)
        self.mirror = FolderSource(folder / LEDGER_NAME)
        self.incoming = folder / "incoming"
        # Whether there are hand-overs of keys that the policy does not allow.
        self._has_strange_keys = False
        try:
            policy = _read(folder / POLICY_NAME, POLICY_BYTES_MAX)
            if policy is None:
                raise ConfigurationError(
                    f"{folder / POLICY_NAME} is missing: it says whom you trust, so only you can bring it back"
                )
            self._policy = read_policy(policy)
            self._policy_text = policy
        except LedgerError as error:
            raise ConfigurationError(f"{folder / POLICY_NAME}: {error}") from None

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep others from changing the directory meanwhile. Raises BusyError while somebody does."""
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self.folder / "audit.lock", refusal=f"another audit runs on {self.folder}"))
            except ConfigurationError as error:
                raise BusyError(str(error)) from None
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the mirror as it is meanwhile. Raises ConfigurationError where no lock can be had."""
        if not os.access(self.folder, os.W_OK):
            # Nobody changes what nobody may write: a mirror on a disk that was put away.
            yield
            return
        with locked(self.folder / _MIRROR_LOCK, shared=True):
            yield

    def mirrored(self) -> tuple[bytes, int]:
        """Return the head of the mirror, and how many entries it is of. Raises ConfigurationError where there is none."""
        head = self.mirror.get(CHECKPOINT)
        if head is None:
            raise ConfigurationError(f"{self.folder} has no ledger yet\ntry: siegel audit sync {self.folder}")
        try:
            return head, parse_checkpoint(parse_note(head).text).size
        except LedgerError as error:
            place = self.folder / LEDGER_NAME / CHECKPOINT
            raise ConfigurationError(f"{place} is damaged: {error}\ntry: siegel audit sync {self.folder}") from None

    def lost(self) -> list[str]:
        """Return which files the mirror lacks of what was verified last. Nobody but this machine has lost them.

        Openings are there for every bundle, or for none: those that the ledger has none of are kept as erased.
        """
        try:
            size = parse_checkpoint(parse_note(self.last()).text).size
        except LedgerError:
            # Nothing was verified yet; or it is damaged, which is said elsewhere.
            return []
        ledger, tiles = self.folder / LEDGER_NAME, new_tiles(0, size)
        has_openings = (ledger / OPENINGS_NAME).is_dir()
        paths = [[CHECKPOINT], *([tile.path, tile.whole.path] for tile in tiles)]
        paths += [[openings_path(tile)] for tile in tiles if tile.level == ENTRIES and has_openings]
        return [ways[0] for ways in paths if not any((ledger / path).exists() for path in ways)]

    def trust(self, hand_overs: Source) -> Trust:
        """Return whom to believe now: the policy, led on by those hand-overs that it allows."""
        files = list(read_hand_overs(hand_overs))
        *earlier, policy = follow(self._policy, files)
        self._has_strange_keys = len(files) > len(earlier)
        former = (
            Former(each, before.until_s)
            for before in read_former(self.folder, self._policy)
            for each in follow(before.policy, files)
        )
        return Trust(policy, Promise(self.settings.max_age_s, self.settings.delay_s), tuple(earlier), tuple(former))

    def note_policy(self, now_s: int) -> None:
        """Note that the policy counts now: by it a ledger was found to be whole. Raises ConfigurationError, StorageError."""
        note_policy(self.folder, self._policy_text, now_s)

    def before(self, trust: Trust) -> Before | None:
        """Return what was verified last, with the tree's edge out of the mirror; None if nothing was.

        A mirror that is damaged, or gone, gives no edge: the walk then begins with the first entry. Raises StorageError where the
        head itself is damaged: without it, a history could be exchanged unseen.
        """
        data = _read(self.folder / LAST_NAME, NOTE_BYTES_MAX)
        if data is None:
            # Nothing comes into the mirror unverified: without this, whoever loses a small file would believe any history.
            data = self.mirror.get(CHECKPOINT)
        if data is None:
            return None
        judgement = self._judge_last(data, trust)
        last = judgement.checkpoint
        try:
            frontier = read_frontier(last.size, {tile: self.mirror.get(tile.path) or b"" for tile in edge_tiles(last.size)})
        except (LedgerError, SourceError):
            frontier = Frontier()
        return Before(last, stood_at(judgement), frontier if frontier.root == last.root else Frontier())

    def _judge_last(self, data: bytes, trust: Trust) -> Judgement:
        """Judge the last head by the policy of now, or of the keys before a hand-over.

        Those that the directory had before know it too where the policy of now names the keys to which they lead.
        """
        problem = ""
        is_head = True
        former = [each.policy for each in trust.former]
        if not former or _keys(former[-1]) != _keys(trust.policy):
            former = []
        for policy in (trust.policy, *reversed(trust.earlier), *reversed(former)):
            try:
                return policy.judge(data)
            except LedgerError as error:
                problem = problem or str(error)
                is_head = is_head and isinstance(error, UnsignedError)
        if is_head and self._has_strange_keys:
            raise ConfigurationError(
                f"the policy in {self.folder} does not lead to the keys that have signed what was verified last: {problem}\n"
                "The ledger's keys were handed over, and other keys or fewer witnesses than the policy wants have signed that.\n"
                f"try: name the keys of now in {self.folder / POLICY_NAME}; siegel audit keys shows them"
            )
        raise StorageError(f"what was verified last in {self.folder} is damaged: {problem}\n{_WAY_OUT}")

    def keep(self, head: bytes, size: int, before: Before | None) -> None:
        """Take what was fetched into the mirror, then the head of `size` entries, then remember it. Raises StorageError."""
        with locked(self.folder / _MIRROR_LOCK):
            self._exchange(head, size, before)

    def _exchange(self, head: bytes, size: int, before: Before | None) -> None:
        ledger, incoming = self.folder / LEDGER_NAME, self.incoming
        folders = {ledger}
        try:
            ledger.mkdir(mode=0o700, exist_ok=True)
            for path in sorted(path for path in incoming.rglob("*") if path.is_file()):
                place = ledger / path.relative_to(incoming)
                place.parent.mkdir(parents=True, exist_ok=True)
                folders |= {folder for folder in place.parents if folder.is_relative_to(ledger)}
                path.replace(place)
            for folder in folders:
                sync_folder(folder)
            replace_whole(ledger / CHECKPOINT, head)
            replace_whole(self.folder / LAST_NAME, head)
            for tile in set(edge_tiles(before.checkpoint.size if before else 0)) - set(edge_tiles(size)):
                (ledger / tile.path).unlink(missing_ok=True)
                (ledger / openings_path(tile)).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be written: {error.strerror}") from None

    def last(self) -> bytes:
        """Return the head that was verified last, as it was signed; empty if none was. Raises ConfigurationError."""
        return _read(self.folder / LAST_NAME, NOTE_BYTES_MAX) or b""

    def keep_evidence(self, head: bytes | None, report: Report, proofs: Mapping[str, bytes] = NO_PROOFS) -> Path:
        """Keep a head that contradicts, what was found, and proofs of it, and return where; the same is kept once.

        Raises StorageError.
        """
        evidence = self.folder / EVIDENCE_NAME
        folder = self._evidence_of(report)
        try:
            newest = max(evidence.iterdir(), default=None) if evidence.is_dir() else None
            if newest is not None and _is_kept(newest, head, report):
                return newest
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_whole(folder / "report.json", msgspec.json.format(msgspec.json.encode(report)))
            if head is not None and len(head) <= NOTE_BYTES_MAX:
                # What is longer is no note, and proves nothing.
                replace_whole(folder / CHECKPOINT, head)
            for name, data in proofs.items():
                replace_whole(folder / name, data)
            last = self.last()
            if last:
                replace_whole(folder / LAST_NAME, last)
        except OSError as error:
            raise StorageError(f"{folder} cannot be written: {error.strerror}") from None
        return folder

    def drop_evidence(self, report: Report, *, unless: Path | None) -> None:
        """Remove what was kept of a report, if it turned out to be nothing; not where it is the same as `unless`."""
        folder = self._evidence_of(report)
        if folder != unless:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                folder.parent.rmdir()

    def _evidence_of(self, report: Report) -> Path:
        return self.folder / EVIDENCE_NAME / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(report.checked_at_s))

    def keep_fetched(self, evidence: Path) -> None:
        """Keep with the evidence what was fetched: with the mirror it shows whoever doubts it what the head is made of.

        More than FETCHED_BYTES_MAX is not kept: else whoever is found out could fill the disk by it. Raises StorageError.
        """
        try:
            size_bytes = sum(path.stat().st_size for path in self.incoming.rglob("*") if path.is_file())
            if 0 < size_bytes <= FETCHED_BYTES_MAX and not (evidence / LEDGER_NAME).exists():
                self.incoming.rename(evidence / LEDGER_NAME)
                sync_folder(evidence)
        except OSError as error:
            raise StorageError(f"{evidence} cannot be written: {error.strerror}") from None


def _keys(policy: Policy) -> set[VerifierKey]:
    return {line.verifier for line in policy.logs}


def _is_kept(folder: Path, head: bytes | None, report: Report) -> bool:
    """Tell whether a directory of evidence has this head and these findings."""
    try:
        kept = msgspec.json.decode(_read(folder / "report.json", FETCHED_BYTES_MAX) or b"", type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return kept.findings == report.findings and _read(folder / CHECKPOINT, NOTE_BYTES_MAX + 1) == head


def _read_settings(folder: Path) -> Settings:
    path = folder / SETTINGS_NAME
    data = _read(path, _SETTINGS_BYTES_MAX)
    if data is None:
        raise ConfigurationError(f"{folder} is no directory of audits\ntry: siegel audit init {folder} --from URL --policy FILE")
    try:
        return msgspec.convert(tomllib.loads(data.decode()), Settings)
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _read(path: Path, bytes_max: int) -> bytes | None:
    try:
        with path.open("rb") as stream:
            return stream.read(bytes_max)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
