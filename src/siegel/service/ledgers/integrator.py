"""The integrator: takes the journal's entries into the accounts' logs, and signs a head over them once they are read back.

    journal --append--> runs, tiles, size and root of the log --read back, hashed again--> signed head

Each arrow is one transaction. A kill between them leaves entries in the tree without a head, which the next round signs first.
An entry is in the journal or in a log, never in both or in neither: it leaves the one in the transaction that brings it into the
other. Two heads of one size cannot be: a log grows and its head moves only from the very size and root that were looked at, so of
two stewards one comes too late and begins anew.
"""

from collections import defaultdict
from typing import Final, Protocol

from msgspec import Struct

from siegel.domain.errors import StorageError
from siegel.domain.faultpoints import reach
from siegel.domain.ledgers import ProofError
from siegel.domain.logs import DEPLOYMENT_LOG, Batch, Head, Log
from siegel.domain.ports import Clock, HeadMarks, Journal, KeyCustodian, MetaStore, Randomness, Writer
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.hashing import EMPTY_ROOT
from siegel.ledger.leaves import SALT_BYTES
from siegel.ledger.signed_checkpoints import open_checkpoint, sign_checkpoint
from siegel.service.ledgers.additions import Addition
from siegel.service.ledgers.entries import make_leaf
from siegel.service.ledgers.files import load_frontier, read_entries
from siegel.service.ledgers.secrets import LogSecrets, create_secrets, open_secrets

# Of one round: so much is read from the journal, and so many heads are signed.
BATCHES_MAX: Final = 512
ENTRIES_MAX: Final = 4096
HEADS_MAX: Final = 256
# A head that nothing new follows is signed again after this time, so that it is seen to be fresh.
HEARTBEAT_MS: Final = 10 * 60 * 1000
LOGS_REMEMBERED_MAX: Final = 1000
_MS_PER_S: Final = 1000


class LedgerStore(MetaStore, Journal, Protocol):
    """Metadata and journal in one: an entry leaves the journal in the transaction that brings it into a log."""


class Integrated(Struct):
    """What one round did, and whether more waits than it could take."""

    entries: int = 0
    heads: int = 0
    is_behind: bool = False


class Integrator:
    """Runs one round after the other, in one process; a second one only costs time. `host` is the front of new logs' origins."""

    def __init__(
        self, store: LedgerStore, custodian: KeyCustodian, *, clock: Clock, randomness: Randomness, marks: HeadMarks, host: str
    ) -> None:
        self._store = store
        self._ledgers = store.reader.ledgers
        self._custodian = custodian
        self._clock = clock
        self._randomness = randomness
        self._marks = marks
        self._host = host
        # By log: the tree under the last head, as it was read back, and the log's secrets.
        self._trees: dict[int, Frontier] = {}
        self._secrets: dict[str, LogSecrets] = {}

    async def run_once(self) -> Integrated:
        """Integrate what waits, up to ENTRIES_MAX or a little more, and sign it.

        Raises StorageError, LedgerError (a log does not hash to its root: no head is signed for it), SealBrokenError.
        """
        done = Integrated()
        done.heads += await self._sign(self._ledgers.unsigned(HEADS_MAX))
        batches = self._store.oldest(BATCHES_MAX, ENTRIES_MAX)
        if batches:
            done.entries = await self._append(batches)
            done.is_behind = len(batches) == BATCHES_MAX or done.entries >= ENTRIES_MAX
            done.heads += await self._sign(self._ledgers.unsigned(HEADS_MAX))
        idle_since_ms = self._clock.now_ms() - HEARTBEAT_MS
        done.heads += await self._sign(self._ledgers.signed_before(idle_since_ms, HEADS_MAX))
        return done

    # Entries into logs.

    async def _append(self, batches: list[Batch]) -> int:
        leaves = self._leaves_by_account(batches)
        additions = [self._addition(account_id, found) for account_id, found in leaves.items()]

        def change(tx: Writer) -> None:
            if tx.ledgers.take_journal(batches[0].number, batches[-1].number) != len(batches):
                raise StorageError("another steward integrates the same entries")
            for addition in additions:
                addition.store(tx.ledgers)

        reach("ledger.before_append")
        await self._store.write(change, None)
        reach("ledger.after_append")
        return sum(map(len, leaves.values()))

    def _leaves_by_account(self, batches: list[Batch]) -> dict[str, list[tuple[bytes, bytes]]]:
        count = sum(len(batch.entries) for batch in batches)
        size = 2 * SALT_BYTES
        random = self._randomness.bytes(count * size)
        leaves: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        at = 0
        for batch in batches:
            for entry in batch.entries:
                leaf = make_leaf(entry, batch.recorded_at_ms, random[at : at + size])
                leaves[entry.account_id or DEPLOYMENT_LOG].append(leaf)
                at += size
        return leaves

    def _addition(self, account_id: str, leaves: list[tuple[bytes, bytes]]) -> Addition:
        log = self._ledgers.find(account_id) or self._new_log(account_id)
        if log.size != log.head_size:
            raise StorageError("another steward integrates into the same log")
        growth = grow(self._tree(log), [entry for entry, _ in leaves])
        return Addition(log, growth, leaves, self._secrets_of(log), self._randomness)

    def _new_log(self, account_id: str) -> Log:
        origin = f"{self._host}/{account_id}"
        sealed = create_secrets(self._custodian, self._randomness, origin)
        return Log(0, account_id, origin, self._clock.now_ms(), sealed, root=EMPTY_ROOT)

    # Heads.

    async def _sign(self, logs: list[Log]) -> int:
        if not logs:
            return 0
        heads: list[Head] = []
        trees: dict[int, Frontier] = {}
        for log in logs:
            trees[log.log_id] = self._read_back(log)
            heads.append(self._head(log))
        reach("ledger.before_head")
        stored = await self._store.write(lambda tx: [tx.ledgers.put_head(head) for head in heads], None)
        reach("ledger.after_head")
        for head, was_stored in zip(heads, stored, strict=True):
            if was_stored:
                self._marks.put(head.log_id, head.size, head.root)
        if len(self._trees) > LOGS_REMEMBERED_MAX:
            self._trees.clear()
        self._trees.update(trees)
        return sum(stored)

    def _read_back(self, log: Log) -> Frontier:
        """Return the log's tree, made of the entries behind the last head as they are stored now. Raises ProofError."""
        tree = self._tree(log)
        if log.size > tree.size:
            tree = grow(tree, read_entries(self._ledgers, log.log_id, tree.size, log.size)).frontier
        if tree.root != log.root:
            raise ProofError(f"the entries of the log {log.origin} do not hash to its root: no head is signed over them")
        return tree

    def _head(self, log: Log) -> Head:
        now_ms = self._clock.now_ms()
        checkpoint = Checkpoint(log.origin, log.size, log.root)
        note = sign_checkpoint(checkpoint, self._secrets_of(log).signers, now_ms // _MS_PER_S)
        return Head(log.log_id, log.head_size, log.size, log.root, now_ms, note)

    def _tree(self, log: Log) -> Frontier:
        """Return the tree under the log's last head. Raises LedgerError if what is stored is not what was signed."""
        known = self._trees.get(log.log_id)
        if known is not None and known.size == log.head_size:
            return known
        marked_size, marked_root = self._marks.last(log.log_id) or (0, EMPTY_ROOT)
        tree = load_frontier(self._ledgers, log, log.head_size)
        if marked_size > tree.size or (marked_size == tree.size and marked_root != tree.root):
            raise ProofError(
                f"the log {log.origin} has {tree.size} entries under its last head, and one over {marked_size} was signed: the "
                "database was put back to an older state"
            )
        if not log.head_size:
            return tree
        verifiers = [signer.verifier for signer in self._secrets_of(log).signers]
        opened = open_checkpoint(log.checkpoint, verifiers)
        signed = opened.checkpoint
        if len(opened.signed) < len(verifiers) or (signed.origin, signed.size, signed.root) != (log.origin, tree.size, tree.root):
            raise ProofError(f"the log {log.origin} is not what its last head says: none is signed after it")
        self._trees[log.log_id] = tree
        return tree

    def _secrets_of(self, log: Log) -> LogSecrets:
        known = self._secrets.get(log.origin)
        if known is None:
            if len(self._secrets) >= LOGS_REMEMBERED_MAX:
                self._secrets.clear()
            known = self._secrets[log.origin] = open_secrets(self._custodian, log.origin, log.sealed_secrets)
        return known
