"""Sending heads to the witnesses of each account's policy, and keeping what they sign.

A head counts as witnessed once the quorum of the account's policy has signed it. A witness that cannot be reached holds nothing
up: the log goes on, and the next head is sent again. Source: c2sp.org/tlog-witness, "add-checkpoint".

While a log changes its keys, its heads have the lines of old and new keys. Once the new ones are the log's, each witness is sent
the new keys' lines alone; one that does not know them (403) gets all of them. When a quorum knows them, the change is over.
"""

import asyncio
import logging
from functools import partial
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import SiegelError, StorageError
from siegel.domain.ledgers import LedgerError
from siegel.domain.logs import Log
from siegel.domain.outbound import OutboundAnswer, OutboundCall, OutboundError
from siegel.domain.ports import Clock, MetaStore, Outbound
from siegel.ledger.handover import HandOver, parse_hand_over
from siegel.ledger.notes import NoteSignature, SignedNote, parse_note, parse_signatures, parse_size
from siegel.ledger.policies import Policy, WitnessLine, read_policy
from siegel.ledger.proof_files import parse_proof_file
from siegel.ledger.proofs import consistency_tiles, prove_consistency
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.witness_requests import SIZE_CONTENT_TYPE, AddCheckpoint
from siegel.service.ledgers.files import read_file
from siegel.service.ledgers.keychanges import KeyChange, KeyChanges, find_hand_over, scan_changes
from siegel.service.ledgers.policies import LedgerPolicy, find_policy, scan_policies
from siegel.service.ledgers.showing import WITNESSES_AWAITED_MS, asks_witnesses, find_shown, show_newest
from siegel.service.ledgers.warnings import (
    QUORUM_MISSED_MS,
    LedgerWarning,
    entry_of,
    find_warning,
    put_warning,
    remove_warning,
    scan_warnings,
)

ACCOUNTS_AT_ONCE: Final = 32
# So many logs' witnesses are asked at a time: the machine's connections are not endless.
LOGS_AT_ONCE: Final = 256
ASK_S_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 64 * 1024
# Where no quorum came, the witnesses are left in peace for this time.
RETRY_MS: Final = 5000
WARNING_INTERVAL_MS: Final = 3600 * 1000
# What is remembered of logs and witnesses only spares requests: beyond so much of it, it is learned anew.
REMEMBERED_MAX: Final = 10_000

_OK: Final = 200
_CONFLICT: Final = 409
_FORBIDDEN: Final = 403

_log = logging.getLogger(__name__)

K = TypeVar("K")


class UnknownKeysError(OutboundError):
    """The witness knows none of the keys that have signed what it was sent."""


class Answer(Struct, frozen=True):
    """The line of a witness, and whether it knows the log's own keys, not former ones alone."""

    line: NoteSignature
    knows_keys: bool = True


class Due(Struct, frozen=True):
    """A head to be witnessed. `fresh` is the note without the lines of former keys, where a change of keys comes to its end."""

    log: Log
    policy: Policy
    change: KeyChange | None = None
    fresh: bytes = b""


class Witnessing:
    """Runs one round after the other, in one process."""

    def __init__(self, store: MetaStore, outbound: Outbound, clock: Clock, changes: KeyChanges) -> None:
        self._store = store
        self._reader = store.reader
        self._outbound = outbound
        self._clock = clock
        self._changes = changes
        # What each witness has signed last, by log and URL; when a log's witnesses may be asked again; when one was warned of.
        self._signed: dict[tuple[int, str], int] = {}
        self._again_at_ms: dict[int, int] = {}
        self._warned_at_ms: dict[int, int] = {}
        # Since when a log's newest head waits for its witnesses, and who is asking them just now.
        self._waiting_since_ms: dict[int, int] = {}
        self._asking: dict[int, asyncio.Task[bool]] = {}
        self._slots = asyncio.Semaphore(LOGS_AT_ONCE)

    async def run_once(self) -> int:
        """Send every newest head to the witnesses that have not signed it; return how many have a quorum by that.

        Raises StorageError. What is wrong with one account's witnesses or log is logged, and the others go on.
        """
        witnessed = await asyncio.gather(*await self.begin_round())
        await self._end_warnings()
        return sum(witnessed)

    async def begin_round(self) -> list[asyncio.Task[bool]]:
        """Begin to ask for every newest head, log by log: none waits for the witnesses of another. Raises StorageError.

        A log whose witnesses are still being asked is left to that.
        """
        after, tasks = "", []
        changes = scan_changes(self._reader)
        while page := scan_policies(self._reader, after, ACCOUNTS_AT_ONCE):
            after = page[-1][0]
            for account_id, policy in page:
                log = self._reader.ledgers.find(account_id)
                if log is None or not log.head_size:
                    continue
                if log.witnessed_at_ms >= log.signed_at_ms:
                    self._waiting_since_ms.pop(log.log_id, None)
                    continue
                await self._warn(log, policy)
                await self._show(log, policy)
                if log.log_id not in self._asking:
                    tasks += [self._begin(due) for due in self._due(log, policy, changes.get(account_id))]
        await self._end_warnings()
        return tasks

    def _begin(self, due: Due) -> asyncio.Task[bool]:
        log_id = due.log.log_id
        task = self._asking[log_id] = asyncio.create_task(self._witness_safely(due))
        task.add_done_callback(lambda _: self._asking.pop(log_id, None))
        return task

    async def _show(self, log: Log, policy: LedgerPolicy) -> None:
        """Show the newest head without its witnesses where they have been awaited long enough, or nothing was shown yet."""
        if not asks_witnesses(policy.text):
            return
        now_ms = self._clock.now_ms()
        if log.log_id not in self._waiting_since_ms:
            _remember(self._waiting_since_ms, log.log_id, now_ms)
        shown = find_shown(self._reader, log.account_id)
        is_first = shown is None and not log.witnessed
        if is_first or now_ms - self._waiting_since_ms[log.log_id] >= WITNESSES_AWAITED_MS:
            self._waiting_since_ms[log.log_id] = now_ms
            if shown is None or shown.signed_at_ms < log.signed_at_ms:
                await self._store.write(lambda tx: show_newest(tx, log.account_id), None)

    def _due(self, log: Log, policy: LedgerPolicy, change: KeyChange | None) -> list[Due]:
        if self._clock.now_ms() < self._again_at_ms.get(log.log_id, 0):
            return []
        found = read_policy(policy.text)
        if not any(witness.url for witness in found.witnesses):
            return []
        if change is None or not change.is_proven:
            return [Due(log, found)]
        return [Due(log, found, change, _without_former(log.checkpoint, self._hand_over(log, change)))]

    def _hand_over(self, log: Log, change: KeyChange) -> HandOver:
        file = find_hand_over(self._reader, log.account_id, f"{change.number:03d}") or b""
        return parse_hand_over(parse_proof_file(file).extra)

    # The public warning.

    async def _warn(self, log: Log, policy: LedgerPolicy) -> None:
        now_ms, since_ms = self._clock.now_ms(), max(log.witnessed_at_ms, policy.put_at_ms)
        if now_ms - since_ms < QUORUM_MISSED_MS or read_policy(policy.text).is_quorum(()):
            return
        if now_ms - self._warned_at_ms.get(log.log_id, 0) >= WARNING_INTERVAL_MS:
            _remember(self._warned_at_ms, log.log_id, now_ms)
            _log.warning("no head of the log %s has had a quorum of witnesses for more than a day", log.origin)
        if find_warning(self._reader, log.account_id) is None:
            warning = LedgerWarning(origin=log.origin, since_ms=since_ms)
            await self._store.write(
                lambda tx: put_warning(tx, log.account_id, warning), entry_of(log.account_id, "ledger.unwitnessed", now_ms)
            )

    async def _end_warnings(self) -> None:
        """Warn no more of logs that have their quorum again, or whose account wants none any more."""
        for account_id, warning in list(scan_warnings(self._reader)):
            log, policy = self._reader.ledgers.find(account_id), find_policy(self._reader, account_id)
            if log is None or policy is None:
                continue
            if log.witnessed_at_ms > warning.since_ms or read_policy(policy.text).is_quorum(()):
                await self._store.write(
                    partial(remove_warning, account_id=account_id),
                    entry_of(account_id, "ledger.witnessed_again", self._clock.now_ms()),
                )
                self._warned_at_ms.pop(log.log_id, None)

    # Witnesses.

    async def _witness_safely(self, due: Due) -> bool:
        try:
            async with self._slots:
                # While it waited for its turn, another head may have come: what witnesses sign should be the newest.
                log = self._reader.ledgers.find(due.log.account_id)
                return await self._witness(due if log is None or due.change else replace(due, log=log))
        except SiegelError as error:
            _log.error("what the witnesses of the log %s have signed could not be kept: %s", due.log.origin, error)
            return False

    async def _witness(self, due: Due) -> bool:
        """Ask all witnesses; keep the head with their lines if they are enough, and say whether they are."""
        log, policy = due.log, due.policy
        asked = [witness for witness in policy.witnesses if witness.url]
        answers = await asyncio.gather(*(self._ask(due, witness) for witness in asked))
        found = {witness.name: answer for witness, answer in zip(asked, answers, strict=True) if answer is not None}
        if not policy.is_quorum(found.keys()):
            _remember(self._again_at_ms, log.log_id, self._clock.now_ms() + RETRY_MS)
            return False
        self._again_at_ms.pop(log.log_id, None)
        self._waiting_since_ms.pop(log.log_id, None)
        note = parse_note(log.checkpoint).with_signatures(*(answer.line for answer in found.values())).encode()
        was_stored = await self._store.write(
            lambda tx: tx.ledgers.put_witnessed(log.log_id, log.head_size, log.signed_at_ms, note), None
        )
        if due.change is not None and policy.is_quorum([name for name, answer in found.items() if answer.knows_keys]):
            await self._changes.end(log.account_id, due.change)
        return was_stored

    async def _ask(self, due: Due, witness: WitnessLine) -> Answer | None:
        """Return the witness's signature of the log's head, None where none came."""
        try:
            if due.fresh:
                try:
                    return Answer(await self._line(due.log, witness, due.fresh))
                except UnknownKeysError:
                    return Answer(await self._line(due.log, witness, due.log.checkpoint), knows_keys=False)
            return Answer(await self._line(due.log, witness, due.log.checkpoint))
        except (OutboundError, LedgerError, StorageError) as error:
            _log.warning("the witness %s has not signed the log %s: %s", witness.url, due.log.origin, error)
            return None

    async def _line(self, log: Log, witness: WitnessLine, note: bytes) -> NoteSignature:
        place = log.log_id, witness.url
        answer = await self._send(log, witness, note, self._signed.get(place, 0))
        if answer.status == _CONFLICT and dict(answer.headers).get("content-type") == SIZE_CONTENT_TYPE:
            # It knows another head than was thought: after a start, or a lost answer.
            size = parse_size(answer.body.decode("ascii", "replace").removesuffix("\n"))
            _remember(self._signed, place, size)
            answer = await self._send(log, witness, note, size)
        if answer.status == _FORBIDDEN:
            raise UnknownKeysError("it answers 403: it does not know the log's keys")
        if answer.status != _OK:
            raise OutboundError(f"it answers {answer.status}")
        line = _line_of(witness, log.checkpoint, answer.body)
        _remember(self._signed, place, log.head_size)
        return line

    async def _send(self, log: Log, witness: WitnessLine, note: bytes, old_size: int) -> OutboundAnswer:
        if old_size > log.head_size:
            raise LedgerError(f"it has signed {old_size} entries, and here are {log.head_size}: the database was put back")
        tiles = consistency_tiles(old_size, log.head_size)
        files = {tile: read_file(self._reader.ledgers, log, tile, log.head_size) or b"" for tile in tiles}
        body = AddCheckpoint(old_size, prove_consistency(old_size, log.head_size, files), note).encode()
        url = f"{witness.url.removesuffix('/')}/add-checkpoint"
        return await self._outbound.fetch(
            OutboundCall(url=url, method="POST", body=body, timeout_s=ASK_S_MAX, answer_bytes_max=ANSWER_BYTES_MAX)
        )


def _remember(memory: dict[K, int], key: K, value: int) -> None:
    if len(memory) >= REMEMBERED_MAX and key not in memory:
        memory.clear()
    memory[key] = value


def _without_former(checkpoint: bytes, hand_over: HandOver) -> bytes:
    """Return the note without the lines of the keys that were handed over, which are the log's no more."""
    former = {(verifier.name, verifier.key_id) for verifier in set(hand_over.old) - set(hand_over.new)}
    note = parse_note(checkpoint)
    lines = tuple(line for line in note.signatures if (line.name, line.key_id) not in former)
    return SignedNote(note.text, lines).encode()


def _line_of(witness: WitnessLine, checkpoint: bytes, answer: bytes) -> NoteSignature:
    """Return the one line of an answer that the policy's key of the witness has made. Raises LedgerError."""
    verifier = witness.verifier
    for line in parse_signatures(answer.decode("utf-8", "replace")):
        if (line.name, line.key_id) == (verifier.name, verifier.key_id):
            note = parse_note(checkpoint).with_signatures(line).encode()
            if open_checkpoint(note, [verifier]).signed.get(verifier):
                return line
    raise LedgerError("its answer has no signature of the key that the policy names")
