"""The walk over a ledger: every entry is hashed, the tree is built anew, and what was published and signed is compared."""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from siegel.customer.audit.dates import Dates, Promise
from siegel.customer.audit.findings import Name, Report, time_text
from siegel.customer.audit.former import Former
from siegel.customer.audit.sources import Source
from siegel.domain.ledgers import LedgerError, LedgerFormError
from siegel.ledger.bundles import encode_bundle, entries_of
from siegel.ledger.checkpoints import Checkpoint, parse_checkpoint
from siegel.ledger.frontier import Frontier, Growth, grow
from siegel.ledger.hashing import HASH_BYTES, leaf_hash
from siegel.ledger.leaves import decode_leaf
from siegel.ledger.notes import parse_note
from siegel.ledger.policies import Judgement, Policy
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, Tile, tile_at

CHECKPOINT: Final = "checkpoint"
# So long after a head was the newest its witnesses may sign it: they are asked twice if need be, and may be slow.
WITNESSING_S: Final = 30
# What only a walk over the entries tells.
OF_ENTRIES: Final = (Name.ENTRIES, Name.TILES, Name.DATES, Name.OPENINGS, Name.CONSENT)
WARNING: Final = "warning"
# What a time in UTC to the second is written as, at the end of the warning's line.
_WARNED: Final = re.compile(rb"[^\n]* (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\n", re.ASCII)

Progress = Callable[[int], None]


class Before(Struct, frozen=True):
    """What was verified before: the head, until when it stood (`stood_at`), and the tree's edge, from which a walk goes on."""

    checkpoint: Checkpoint
    signed_at_s: int | None
    frontier: Frontier = Frontier()


class Trust(Struct, frozen=True):
    """Whom the customer believes, and what was promised.

    `earlier`: the policies before each hand-over of keys; `former`: those that stood in the policy's place, each led on as well.
    """

    policy: Policy
    promise: Promise
    earlier: tuple[Policy, ...] = ()
    former: tuple[Former, ...] = ()

    @property
    def known(self) -> tuple[Former, ...]:
        """All of these policies, and for what was signed up to when each of them counts."""
        return (*map(Former, (self.policy, *self.earlier)), *self.former)


def audit(source: Source, trust: Trust, before: Before | None, now_s: int, progress: Progress = lambda _count: None) -> Report:
    """Return what is to be said of the ledger in `source`. Raises SourceError where a file cannot be had."""
    report = Report(checked_at_s=now_s, verified_before=before.checkpoint.size if before else 0)
    report.hand_overs = len(trust.earlier)
    warned = _WARNED.fullmatch(source.get(WARNING) or b"")
    report.warning = warned[1].decode() if warned else ""
    judgement = judge_head(source.get(CHECKPOINT), trust, report)
    if judgement is None:
        report.leave(*(name for name in Name if name is not Name.SIGNATURE))
        return report
    head = judgement.checkpoint
    if before and not _comes_after(head, before.checkpoint, report):
        report.leave(*OF_ENTRIES)
        return report
    _Walk(source, head, before, Dates(report, trust.promise, before.signed_at_s if before else None), report).go(progress)
    return report


def judge_head(data: bytes | None, trust: Trust, report: Report) -> Judgement | None:
    """Check signature, quorum and age of a head; None if there is no use in looking further."""
    if data is None:
        report.add(Name.SIGNATURE, "the ledger shows no head")
        return None
    try:
        judgement = trust.policy.judge(data)
    except LedgerError as error:
        report.add(Name.SIGNATURE, _other_ledger(data, trust) or str(error))
        return None
    head = judgement.checkpoint
    report.origin, report.size, report.root = head.origin, head.size, head.root.hex()
    report.witnesses = dict(judgement.witnessed)
    report.head_at_s = _signed_at(judgement)
    if not judgement.has_quorum:
        seen = ", ".join(judgement.witnessed) or "none"
        report.add(Name.QUORUM, f"the policy wants more witnesses than have signed ({seen})", wanted=trust.policy.quorum)
    _check_age(judgement, trust, report)
    return judgement


def origin_of(data: bytes) -> str:
    """Return which ledger a head says that it is of, by its own unproven word; empty where it is no head."""
    try:
        return parse_checkpoint(parse_note(data).text).origin
    except LedgerError:
        return ""


def _other_ledger(head: bytes, trust: Trust) -> str:
    """Say of which ledger a head is, if the policy does not know that at all."""
    origin, known = origin_of(head), {line.verifier.name for line in trust.policy.logs}
    return (
        f"this is a head of {origin}, and the policy names {', '.join(sorted(known))}" if origin and origin not in known else ""
    )


def stood_at(judgement: Judgement) -> int | None:
    """Return until when a head was surely the newest: the later of the log's own word and the quorum's; None if nobody says.

    The log's own word alone would not do: a log that dates its heads back could hold back entries as long. A witness signs a head
    that may have been followed by others meanwhile, since it was asked.
    """
    quorum = () if judgement.quorum_at_s is None else (judgement.quorum_at_s - WITNESSING_S,)
    return max((*judgement.log_times, *quorum), default=_signed_at(judgement))


def _signed_at(judgement: Judgement) -> int | None:
    """Return when a head was signed: by the log's word, unless after its witnesses, else by the first of them; None if unsaid."""
    seen = judgement.witnessed.values()
    own = max(judgement.log_times, default=min(seen, default=None))
    return own if own is None or not judgement.has_quorum else min(own, max(seen, default=own))


def _check_age(judgement: Judgement, trust: Trust, report: Report) -> None:
    # What says a time to come is no more recent than what says one that is long gone: it could be shown until then.
    window = range(report.checked_at_s - trust.promise.max_age_s, report.checked_at_s + trust.promise.max_age_s + 1)
    recent = [name for name, at_s in judgement.witnessed.items() if at_s in window]
    has_own = any(at_s in window for at_s in judgement.log_times)
    # Without a quorum nobody's word counts but the log's; that it lacks is said already.
    fresh = trust.policy.is_quorum(recent) if judgement.has_quorum else True
    if not fresh or not (has_own or (recent and not judgement.log_times)):
        report.add(
            Name.FRESHNESS,
            f"the head was signed {time_text(report.head_at_s)}, and one in the last {trust.promise.max_age_s} s was promised",
            **{f"witness {name}": time_text(at_s) for name, at_s in judgement.witnessed.items()},
        )


def _comes_after(head: Checkpoint, last: Checkpoint, report: Report) -> bool:
    evidence = {"root now": head.root.hex(), "root before": last.root.hex()}
    if head.origin != last.origin:
        report.add(Name.CONSISTENCY, f"this is the ledger {head.origin}, and {last.origin} was verified before")
    elif head.size < last.size:
        report.add(Name.CONSISTENCY, f"the ledger shows {head.size} entries, and had {last.size} before", **evidence)
    elif head.size == last.size and head.root != last.root:
        report.add(Name.CONSISTENCY, f"the ledger has shown two different histories of {head.size} entries", **evidence)
    else:
        return True
    return False


class _Walk:
    """One way through the entries, from what was verified before to the head."""

    def __init__(self, source: Source, head: Checkpoint, before: Before | None, dates: Dates, report: Report) -> None:
        self._source = source
        self._head = head
        self._before = before
        self._dates = dates
        self._report = report
        self._frontier = before.frontier if before else Frontier()
        self._differing: list[tuple[Tile, bytes, bytes]] = []

    def go(self, progress: Progress) -> None:
        while self._frontier.size < self._head.size:
            start = self._frontier.size
            entries = self._next_entries()
            if entries is None:
                self._report.leave(*OF_ENTRIES)
                if self._before and self._frontier.size < self._before.checkpoint.size:
                    self._report.leave(Name.CONSISTENCY)
                return
            self._add(entries)
            progress(self._frontier.size - start)
        is_signed = self._frontier.root == self._head.root
        for tile, found, content in self._differing:
            self._tell_of(tile, found, content, is_signed=is_signed)
        if not is_signed and not self._differing:
            self._report.add(
                Name.ENTRIES,
                "the entries are not those whose root was signed",
                signed=self._head.root.hex(),
                computed=self._frontier.root.hex(),
            )

    def _next_entries(self) -> list[bytes] | None:
        """Return the entries of the next bundle that are not in the tree yet."""
        size = self._frontier.size
        tile = tile_at(ENTRIES, size // TILE_WIDTH, self._head.size)
        try:
            found = read_bundle(self._source, tile)
        except LedgerFormError as error:
            self._report.add(Name.ENTRIES, f"the entries from {tile.index * TILE_WIDTH} on: {error}", file=tile.path)
            return None
        known = size % TILE_WIDTH
        if known and encode_bundle(found[:known]) != self._frontier.bundle:
            self._tell_of_change(tile, found[:known])
            return None
        return found[known:]

    def _tell_of_change(self, tile: Tile, found: list[bytes]) -> None:
        """Name the first entry of a bundle that is not the one that was verified before."""
        pairs = enumerate(zip(entries_of(self._frontier.bundle), found, strict=True))
        place, (before, now) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
        index = tile.index * TILE_WIDTH + place
        self._report.add(
            Name.CONSISTENCY,
            f"entry {index} is another one than was verified before",
            entry=index,
            file=tile.path,
            before=told(before),
            now=told(now),
        )

    def _add(self, entries: list[bytes]) -> None:
        first = self._frontier.size
        for place, entry in enumerate(entries):
            self._dates.look(first + place, entry)
        last = self._before.checkpoint if self._before else None
        if last and first < last.size <= first + len(entries):
            self._compare_with(last, grow(self._frontier, entries[: last.size - first]).frontier.root)
        growth = grow(self._frontier, entries)
        self._compare_tiles(growth)
        self._frontier = growth.frontier

    def _compare_with(self, last: Checkpoint, root: bytes) -> None:
        if root != last.root:
            self._report.add(
                Name.CONSISTENCY,
                f"the first {last.size} entries are not those that were verified before",
                before=last.root.hex(),
                now=root.hex(),
            )

    def _compare_tiles(self, growth: Growth) -> None:
        for tile, content in growth.files:
            if tile.level == ENTRIES or tile != tile_at(tile.level, tile.index, self._head.size):
                continue
            found = read_tile(self._source, tile)
            if found is None:
                self._report.add(Name.TILES, "a tile is missing", file=tile.path)
            elif found != content:
                self._differing.append((tile, found, content))

    def _tell_of(self, tile: Tile, found: bytes, content: bytes, *, is_signed: bool) -> None:
        """Say what differs: the published tree if the entries are what was signed, else the entries if the tree may be."""
        check = Name.TILES if is_signed or tile.level > 0 else Name.ENTRIES
        if check is Name.TILES or len(found) != len(content):
            self._report.add(check, "the published tree is not that of the entries", file=tile.path)
            return
        places = range(0, len(content), HASH_BYTES)
        at = next(at for at in places if found[at : at + HASH_BYTES] != content[at : at + HASH_BYTES])
        index = tile.index * TILE_WIDTH + at // HASH_BYTES
        hashes = {"tree": found[at : at + HASH_BYTES].hex(), "computed": content[at : at + HASH_BYTES].hex()}
        bundle = read_bundle(self._source, tile_at(ENTRIES, tile.index, self._head.size))
        hashes["stored"] = told(bundle[index % TILE_WIDTH])
        self._report.add(check, f"entry {index} does not hash to what the tree says of it", entry=index, file=tile.path, **hashes)


def told(entry: bytes) -> str:
    """Return in one line what an entry says by itself, for evidence."""
    try:
        leaf = decode_leaf(entry)
    except LedgerError:
        return f"no access, with the hash {leaf_hash(entry).hex()}"
    facts = leaf.facts
    words = [f"{facts.kind} {facts.status}", f"at {time_text(leaf.recorded_at_ms / 1000)}", f"by {facts.person.hex()[:16]}..."]
    words += [f"under the consent {facts.consent_id}"] if facts.consent_id else []
    return f"{' '.join(words)}, with the hash {leaf_hash(entry).hex()}"


def read_tile(source: Source, tile: Tile) -> bytes | None:
    """Return a tile; where a partial one is gone, it is the beginning of the full one. Raises SourceError."""
    found = source.get(tile.path)
    if found is None and tile.width < TILE_WIDTH:
        whole = source.get(tile.whole.path)
        found = None if whole is None else whole[: tile.width * HASH_BYTES]
    return found


def read_bundle(source: Source, tile: Tile) -> list[bytes]:
    """Return the entries of a bundle, as many as its width says. Raises LedgerFormError if they are not there, SourceError."""
    found = source.get(tile.path)
    if found is not None:
        entries = entries_of(found)
    else:
        whole = source.get(tile.whole.path) if tile.width < TILE_WIDTH else None
        if whole is None:
            raise LedgerFormError("the file is missing")
        entries = entries_of(whole)[: tile.width]
    if len(entries) != tile.width:
        raise LedgerFormError(f"{len(entries)} entries where there are {tile.width}")
    return entries
