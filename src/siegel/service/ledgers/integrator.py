"""The integrator: takes the journal's entries into the accounts' logs, and signs a head over them once they are read back.

    journal --append--> runs, tiles, size and root of the log --read back, hashed again--> signed head

Each arrow is one transaction. A kill between them leaves entries in the tree without a head, which the next round signs first.
An entry is in the journal or in a log, never in both or in neither: it leaves the one in the transaction that brings it into the
other. Two heads of one size cannot be: a log grows and its head moves only from the very size and root that were looked at, so of
two stewards one comes too late and begins anew.

A log that does not hash to its last head stands still, alone: what comes for it is set aside (`waiting.py`), all others go on.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from siegel.domain.errors import SealBrokenError, StorageError
from siegel.domain.faultpoints import reach
from siegel.domain.ledgers import LedgerError, ProofError
from siegel.domain.logs import DEPLOYMENT_LOG, Batch, Head, Log
from siegel.domain.ports import Clock, HeadMarks, Journal, KeyCustodian, MetaStore, Randomness, Writer
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.hashing import EMPTY_ROOT
from siegel.ledger.keys import SignerKey
from siegel.ledger.leaves import SALT_BYTES
from siegel.ledger.signed_checkpoints import open_checkpoint, sign_checkpoint
from siegel.service.ledgers.additions import Addition
from siegel.service.ledgers.entries import make_leaf
from siegel.service.ledgers.files import load_frontier, read_entries
from siegel.service.ledgers.keychanges import KeyChange, find_change, make_hand_over, scan_changes
from siegel.service.ledgers.secrets import LogSecrets, create_secrets, open_secrets
from siegel.service.ledgers.waiting import set_aside, take_back, waiting_accounts, waiting_batches

T = TypeVar("T")

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
    """What one round did, and whether more waits than it could take. `standing`: the logs that stand still, and why."""

    entries: int = 0
    heads: int = 0
    is_behind: bool = False
    standing: dict[str, str] = {}


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
        # By log: the tree under the last head, as it was read back, and the log's secrets, by how they rest.
        self._trees: dict[int, Frontier] = {}
        self._secrets: dict[bytes, LogSecrets] = {}
        # By account: why its log stands still.
        self._standing: dict[str, str] = {}
        # Logs that stand still come first wherever logs are asked for: they take nobody else's place.
        self._heads_max = HEADS_MAX

    async def run_once(self) -> Integrated:
        """Integrate what waits, up to ENTRIES_MAX or a little more, and sign it.

        A log that is damaged gets no further entries and no further head: what is for it is set aside, until it is mended, and
        the others go on. Raises StorageError.
        """
        done = Integrated()
        stood, self._standing = self._standing, {}
        self._heads_max = HEADS_MAX + len(stood)
        done.heads += await self._sign(self._ledgers.unsigned(self._heads_max))
        for account_id in stood.keys() - self._standing:
            self._try(account_id, partial(self._growable, account_id))
        taken_back = await self._take_back()
        if taken_back:
            done.heads += await self._sign(self._ledgers.unsigned(self._heads_max))
        await self._store.collect()
        batches = self._store.oldest(BATCHES_MAX, ENTRIES_MAX)
        wanted = [account_id for account_id, found in scan_changes(self._store.reader).items() if found.index < 0]
        if batches or wanted:
            done.entries = await self._append(batches, wanted)
            done.heads += await self._sign(self._ledgers.unsigned(self._heads_max))
        taken = max(sum(len(batch.entries) for batch in batches), taken_back)
        done.is_behind = len(batches) == BATCHES_MAX or taken >= ENTRIES_MAX
        done.entries += taken_back
        idle_since_ms = self._clock.now_ms() - HEARTBEAT_MS
        done.heads += await self._sign(self._ledgers.signed_before(idle_since_ms, self._heads_max))
        done.standing = dict(self._standing)
        return done

    def _try(self, account_id: str, work: Callable[[], T]) -> T | None:
        """Do something with one log; where it cannot be done, the log stands still, and None is returned."""
        try:
            result = work()
        except (LedgerError, SealBrokenError, StorageError) as error:
            # The first word of a round is the cause, what comes later may be its consequence.
            self._standing.setdefault(account_id, str(error))
            return None
        self._standing.pop(account_id, None)
        return result

    # Entries into logs.

    async def _append(self, batches: list[Batch], wanted: list[str]) -> int:
        """Take batches out of the journal, into their logs; what is for a log that stands still is set aside.

        `wanted`: the accounts whose logs are to hand over their keys, with or without other entries.
        """
        behind = set(waiting_accounts(self._store.reader))
        additions: list[Addition] = []
        aside: list[tuple[str, Batch]] = []
        none: dict[str, list[Batch]] = {account_id: [] for account_id in wanted}
        for account_id, parts in (none | _by_account(batches)).items():
            # Behind what waits already, so that the order holds.
            addition = None if account_id in behind else self._try(account_id, partial(self._addition, account_id, parts))
            if addition is None:
                aside += [(account_id, part) for part in parts]
            else:
                additions.append(addition)

        def change(tx: Writer) -> None:
            if batches and tx.ledgers.take_journal(batches[0].number, batches[-1].number) != len(batches):
                raise StorageError("another steward integrates the same entries")
            for account_id, part in aside:
                set_aside(tx, account_id, part)
            for addition in additions:
                addition.store(tx)

        if not batches and not additions:
            return 0
        reach("ledger.before_append")
        await self._store.write(change, None)
        reach("ledger.after_append")
        return sum(len(addition.leaves) for addition in additions)

    async def _take_back(self) -> int:
        """Bring into their logs what was set aside for those that go on again."""
        added = 0
        for account_id in list(waiting_accounts(self._store.reader)):
            if self._try(account_id, partial(self._growable, account_id)) is None:
                continue
            parts = waiting_batches(self._store.reader, account_id, ENTRIES_MAX)
            addition = self._try(account_id, partial(self._addition, account_id, parts))
            if addition is not None:
                await self._store.write(partial(_take_back, account_id, parts, addition), None)
                added += len(addition.leaves)
        return added

    def _addition(self, account_id: str, parts: list[Batch]) -> Addition:
        log, tree = self._growable(account_id)
        leaves = self._leaves(parts)
        change = find_change(self._store.reader, account_id)
        if change is not None and change.index < 0:
            # A hand-over is public: it has no opening.
            leaves.append((make_hand_over(self._custodian, log, change).encode(), b""))
        else:
            change = None
        growth = grow(tree, [entry for entry, _ in leaves])
        return Addition(log, growth, leaves, self._secrets_of(log), self._randomness, change)

    def _leaves(self, parts: list[Batch]) -> list[tuple[bytes, bytes]]:
        size = 2 * SALT_BYTES
        salts = BytesIO(self._randomness.bytes(size * sum(len(part.entries) for part in parts)))
        return [make_leaf(entry, part.recorded_at_ms, salts.read(size)) for part in parts for entry in part.entries]

    def _growable(self, account_id: str) -> tuple[Log, Frontier]:
        """Return an account's log, and the tree that it can grow from. Raises LedgerError, StorageError, SealBrokenError."""
        log = self._ledgers.find(account_id) or self._new_log(account_id)
        if log.size != log.head_size:
            raise StorageError(f"entries of the log {log.origin} have no head yet")
        self._secrets_of(log)
        tree = self._tree(log)
        if tree.root != log.root:
            raise ProofError(f"the log {log.origin} has another root than its entries")
        return log, tree

    def _new_log(self, account_id: str) -> Log:
        origin = f"{self._host}/{account_id}"
        sealed = create_secrets(self._custodian, self._randomness, origin)
        return Log(0, account_id, origin, self._clock.now_ms(), sealed, root=EMPTY_ROOT)

    # Heads.

    async def _sign(self, logs: list[Log]) -> int:
        changes = scan_changes(self._store.reader) if logs else {}
        heads: list[tuple[Head, Log]] = []
        trees: dict[int, Frontier] = {}
        for log in logs:
            found = self._try(log.account_id, partial(self._read_back_and_sign, log, changes.get(log.account_id)))
            if found is not None:
                trees[log.log_id], head = found
                heads.append((head, log))
        if not heads:
            return 0
        reach("ledger.before_head")
        stored = await self._store.write(
            lambda tx: [_put_head(tx, head, log, changes.get(log.account_id)) for head, log in heads], None
        )
        reach("ledger.after_head")
        for (head, _), was_stored in zip(heads, stored, strict=True):
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

    def _read_back_and_sign(self, log: Log, change: KeyChange | None) -> tuple[Frontier, Head]:
        return self._read_back(log), self._head(log, change)

    def _head(self, log: Log, change: KeyChange | None) -> Head:
        now_ms = self._clock.now_ms()
        checkpoint = Checkpoint(log.origin, log.size, log.root)
        signers: tuple[SignerKey, ...] = self._secrets_of(log).signers
        if change is not None and change.is_entered(log.size):
            signers += open_secrets(self._custodian, log.origin, change.sealed).signers
        note = sign_checkpoint(checkpoint, signers, now_ms // _MS_PER_S)
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
        known = self._secrets.get(log.sealed_secrets)
        if known is None:
            if len(self._secrets) >= LOGS_REMEMBERED_MAX:
                self._secrets.clear()
            known = self._secrets[log.sealed_secrets] = open_secrets(self._custodian, log.origin, log.sealed_secrets)
        return known


def _by_account(batches: list[Batch]) -> dict[str, list[Batch]]:
    """Return what each account's log is to get, batch by batch."""
    found: dict[str, list[Batch]] = defaultdict(list)
    for batch in batches:
        for entry in batch.entries:
            parts = found[entry.account_id or DEPLOYMENT_LOG]
            if not parts or parts[-1].number != batch.number:
                parts.append(Batch(batch.number, batch.recorded_at_ms, []))
            parts[-1].entries.append(entry)
    return found


def _put_head(tx: Writer, head: Head, log: Log, change: KeyChange | None) -> bool:
    """Store a head, unless the log's keys are others by now than those that have signed it."""
    now = tx.ledgers.find(log.account_id)
    if now is None or now.sealed_secrets != log.sealed_secrets or find_change(tx, log.account_id) != change:
        return False
    return tx.ledgers.put_head(head)


def _take_back(account_id: str, parts: list[Batch], addition: Addition, tx: Writer) -> None:
    if not take_back(tx, account_id, parts):
        raise StorageError("another steward integrates the same entries")
    addition.store(tx)
