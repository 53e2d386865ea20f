"""Sending heads to the witnesses of each account's policy, and keeping what they sign.

A head counts as witnessed once the quorum of the account's policy has signed it. A witness that cannot be reached holds nothing
up: the log goes on, and the next head is sent again. Source: c2sp.org/tlog-witness, "add-checkpoint".
"""

import asyncio
import logging
from typing import Final

from siegel.domain.errors import StorageError
from siegel.domain.ledgers import LedgerError
from siegel.domain.logs import Log
from siegel.domain.outbound import OutboundAnswer, OutboundCall, OutboundError
from siegel.domain.ports import Clock, MetaStore, Outbound
from siegel.ledger.notes import NoteSignature, parse_note, parse_signatures, parse_size
from siegel.ledger.policies import Policy, WitnessLine, read_policy
from siegel.ledger.proofs import consistency_tiles, prove_consistency
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.witness_requests import SIZE_CONTENT_TYPE, AddCheckpoint
from siegel.service.ledgers.files import read_file
from siegel.service.ledgers.policies import LedgerPolicy, scan_policies

ACCOUNTS_AT_ONCE: Final = 32
ASK_S_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 64 * 1024
# Where no quorum came, the witnesses are left in peace for this time.
RETRY_MS: Final = 5000
QUORUM_MISSED_MS: Final = 24 * 3600 * 1000
WARNING_INTERVAL_MS: Final = 3600 * 1000

_OK: Final = 200
_CONFLICT: Final = 409

_log = logging.getLogger(__name__)


class Witnessing:
    """Runs one round after the other, in one process."""

    def __init__(self, store: MetaStore, outbound: Outbound, clock: Clock) -> None:
        self._store = store
        self._reader = store.reader
        self._outbound = outbound
        self._clock = clock
        # What each witness has signed last, by log and URL; when a log's witnesses may be asked again; when one was warned of.
        self._signed: dict[tuple[int, str], int] = {}
        self._again_at_ms: dict[int, int] = {}
        self._warned_at_ms: dict[int, int] = {}

    async def run_once(self) -> int:
        """Send every newest head to the witnesses that have not signed it; return how many have a quorum by that.

        Raises StorageError. What is wrong with one account's witnesses or log is logged, and the others go on.
        """
        after, witnessed = "", 0
        while page := scan_policies(self._reader, after, ACCOUNTS_AT_ONCE):
            after = page[-1][0]
            due = [found for account_id, policy in page if (found := self._due(account_id, policy)) is not None]
            witnessed += sum(await asyncio.gather(*(self._witness(log, policy) for log, policy in due)))
        return witnessed

    def _due(self, account_id: str, policy: LedgerPolicy) -> tuple[Log, Policy] | None:
        log, now_ms = self._reader.ledgers.find(account_id), self._clock.now_ms()
        if log is None or not log.head_size or log.witnessed_at_ms >= log.signed_at_ms:
            return None
        self._warn(log, policy, now_ms)
        if now_ms < self._again_at_ms.get(log.log_id, 0):
            return None
        found = read_policy(policy.text)
        return (log, found) if any(witness.url for witness in found.witnesses) else None

    def _warn(self, log: Log, policy: LedgerPolicy, now_ms: int) -> None:
        since_ms = max(log.witnessed_at_ms, policy.put_at_ms)
        if now_ms - since_ms >= QUORUM_MISSED_MS and now_ms - self._warned_at_ms.get(log.log_id, 0) >= WARNING_INTERVAL_MS:
            self._warned_at_ms[log.log_id] = now_ms
            _log.warning("no head of the log %s has had a quorum of witnesses for more than a day", log.origin)

    async def _witness(self, log: Log, policy: Policy) -> bool:
        """Ask all witnesses; keep the head with their lines if they are enough, and say whether they are."""
        asked = [witness for witness in policy.witnesses if witness.url]
        answers = await asyncio.gather(*(self._ask(log, witness) for witness in asked))
        lines = {witness.name: line for witness, line in zip(asked, answers, strict=True) if line is not None}
        if not policy.is_quorum(lines.keys()):
            self._again_at_ms[log.log_id] = self._clock.now_ms() + RETRY_MS
            return False
        note = parse_note(log.checkpoint).with_signatures(*lines.values()).encode()
        return await self._store.write(
            lambda tx: tx.ledgers.put_witnessed(log.log_id, log.head_size, log.signed_at_ms, note), None
        )

    async def _ask(self, log: Log, witness: WitnessLine) -> NoteSignature | None:
        """Return the witness's signature of the log's head, None where none came."""
        try:
            return await self._line(log, witness)
        except (OutboundError, LedgerError, StorageError) as error:
            _log.warning("the witness %s has not signed the log %s: %s", witness.url, log.origin, error)
            return None

    async def _line(self, log: Log, witness: WitnessLine) -> NoteSignature:
        place = log.log_id, witness.url
        answer = await self._send(log, witness, self._signed.get(place, 0))
        if answer.status == _CONFLICT and dict(answer.headers).get("content-type") == SIZE_CONTENT_TYPE:
            # It knows another head than was thought: after a start, or a lost answer.
            self._signed[place] = parse_size(answer.body.decode("ascii", "replace").removesuffix("\n"))
            answer = await self._send(log, witness, self._signed[place])
        if answer.status != _OK:
            raise OutboundError(f"it answers {answer.status}")
        line = _line_of(witness, log.checkpoint, answer.body)
        self._signed[place] = log.head_size
        return line

    async def _send(self, log: Log, witness: WitnessLine, old_size: int) -> OutboundAnswer:
        if old_size > log.head_size:
            raise LedgerError(f"it has signed {old_size} entries, and here are {log.head_size}: the database was put back")
        tiles = consistency_tiles(old_size, log.head_size)
        files = {tile: read_file(self._reader.ledgers, log, tile, log.head_size) or b"" for tile in tiles}
        body = AddCheckpoint(old_size, prove_consistency(old_size, log.head_size, files), log.checkpoint).encode()
        url = f"{witness.url.removesuffix('/')}/add-checkpoint"
        return await self._outbound.fetch(
            OutboundCall(url=url, method="POST", body=body, timeout_s=ASK_S_MAX, answer_bytes_max=ANSWER_BYTES_MAX)
        )


def _line_of(witness: WitnessLine, checkpoint: bytes, answer: bytes) -> NoteSignature:
    """Return the one line of an answer that the policy's key of the witness has made. Raises LedgerError."""
    verifier = witness.verifier
    for line in parse_signatures(answer.decode("utf-8", "replace")):
        if (line.name, line.key_id) == (verifier.name, verifier.key_id):
            note = parse_note(checkpoint).with_signatures(line).encode()
            if open_checkpoint(note, [verifier]).signed.get(verifier):
                return line
    raise LedgerError("its answer has no signature of the key that the policy names")
