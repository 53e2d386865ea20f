"""A log's change from old keys to new ones: asked for, entered into the log, proven under witnesses, over.

    begun    new secrets are made, the old ones are the log's
    entered  the hand-over is an entry of the log; every head from the one that covers it is signed by old and new keys
    proven   such a head has the quorum of the account's policy: the proof file is kept, the new secrets are the log's
    over     a quorum of the witnesses signs heads of the new keys alone: the old secrets are gone

Before it is proven, a change can be withdrawn: the new secrets are gone, the log keeps its keys, and an entry says so. What was
entered of it stays in the log without a proof, and leads nobody anywhere.

Each step is one transaction, so a kill leaves the change at one of them, and the next round goes on from there. Who trusts the
old keys follows by the proof file (`ledger/handover.py`); a witness that knows the old ones alone signs until the change is over.
"""

import logging
from collections.abc import Callable
from typing import ClassVar, Final

from msgspec.structs import replace

from siegel.domain.entry import Entry
from siegel.domain.errors import ConfigurationError, SiegelError, StorageError
from siegel.domain.faultpoints import reach
from siegel.domain.ledgers import UnsignedError
from siegel.domain.logs import Log
from siegel.domain.ports import Clock, KeyCustodian, MetaStore, Randomness, Reader, Writer
from siegel.domain.records import DEPLOYMENT_SCOPE, Document, Kind, decode_document, encode_document
from siegel.ledger.checkpoints import parse_checkpoint
from siegel.ledger.handover import HandOver, check_hand_over
from siegel.ledger.notes import parse_note
from siegel.ledger.policies import NO_QUORUM, LogLine, Policy, read_policy
from siegel.ledger.proof_files import ProofFile
from siegel.ledger.proofs import inclusion_tiles, prove_inclusion
from siegel.service.accounts import LOCAL_OPERATOR
from siegel.service.ledgers.files import read_file
from siegel.service.ledgers.policies import find_policy
from siegel.service.ledgers.secrets import open_secrets, replace_signers

HAND_OVERS_MAX: Final = 999
_AT_ONCE: Final = 64
_STEWARD: Final = "steward"

_log = logging.getLogger(__name__)


class KeyChange(Document, frozen=True, array_like=True):
    """A change under way, kept under the account's id. `number` is that of the hand-over, `index` its entry's, -1 before.

    `sealed` are the other secrets than the log's own: until the hand-over is proven those to come, from then on the former ones.
    """

    kind: ClassVar[Kind] = Kind.LEDGER_KEY_CHANGE

    number: int = 0
    sealed: bytes = b""
    index: int = -1
    is_proven: bool = False

    def is_entered(self, size: int) -> bool:
        """Whether the hand-over is among the first `size` entries."""
        return 0 <= self.index < size


class KeptHandOver(Document, frozen=True, array_like=True):
    """The proof file of a hand-over. Its name is the account's id, a slash, and the hand-over's number in three digits."""

    kind: ClassVar[Kind] = Kind.LEDGER_HAND_OVER

    file: bytes = b""


def find_change(reader: Reader, account_id: str) -> KeyChange | None:
    """Return the change of an account's keys that is under way. Raises StorageError if it is damaged."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, KeyChange.kind, account_id)
    return None if stored is None else decode_document(stored, KeyChange)


def scan_changes(reader: Reader) -> dict[str, KeyChange]:
    """Return all changes under way, by account. Raises StorageError for damage."""
    found: dict[str, KeyChange] = {}
    after = ""
    while page := reader.records.scan(DEPLOYMENT_SCOPE, KeyChange.kind, after, _AT_ONCE):
        found |= {account_id: decode_document(stored, KeyChange) for account_id, stored in page}
        after = page[-1][0]
    return found


def put_change(tx: Writer, account_id: str, change: KeyChange) -> None:
    """Store a change in place of what it was."""
    tx.records.put(DEPLOYMENT_SCOPE, KeyChange.kind, account_id, encode_document(change))


def find_hand_over(reader: Reader, account_id: str, number: str) -> bytes | None:
    """Return the proof file of a hand-over by its number in three digits, None if there is no such. Raises StorageError."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, KeptHandOver.kind, f"{account_id}/{number}")
    return None if stored is None else decode_document(stored, KeptHandOver).file


def make_hand_over(custodian: KeyCustodian, log: Log, change: KeyChange) -> HandOver:
    """Return the hand-over from the log's keys to those of a change that is not proven yet. Raises SealBrokenError."""
    old, new = (
        tuple(signer.verifier for signer in open_secrets(custodian, log.origin, sealed).signers)
        for sealed in (log.sealed_secrets, change.sealed)
    )
    return HandOver(log.origin, old, new)


class KeyChanges:
    """The use cases: to begin a change, and to bring those under way to their end."""

    def __init__(self, store: MetaStore, custodian: KeyCustodian, clock: Clock, randomness: Randomness) -> None:
        self._store = store
        self._custodian = custodian
        self._clock = clock
        self._randomness = randomness

    async def begin(self, account_id: str, principal: str = LOCAL_OPERATOR) -> HandOver:
        """Make new keys for an account's log and return what will be handed over; the steward does the rest.

        Raises ConfigurationError: it has no log yet, a change is under way, or there were HAND_OVERS_MAX of them.
        """

        def change(tx: Writer) -> HandOver:
            log = tx.ledgers.find(account_id)
            if log is None:
                raise ConfigurationError(f"{account_id} has no log yet: its first entry makes it, while the service runs")
            under_way = find_change(tx, account_id)
            if under_way is not None:
                raise ConfigurationError(f"the keys of the log {log.origin} are being changed already: {_told(under_way)}")
            number = _count_hand_overs(tx, account_id)
            if number >= HAND_OVERS_MAX:
                raise ConfigurationError(f"the log {log.origin} has handed over its keys {number} times, and has no number left")
            made = KeyChange(
                number=number, sealed=replace_signers(self._custodian, self._randomness, log.origin, log.sealed_secrets)
            )
            put_change(tx, account_id, made)
            return make_hand_over(self._custodian, log, made)

        return await self._store.write(change, self._entry(account_id, "ledger.keys.rotate", principal))

    async def withdraw(self, account_id: str, principal: str = LOCAL_OPERATOR) -> HandOver:
        """Give up a change that is not proven, and return the hand-over that will not be.

        Raises ConfigurationError: none is under way, or its hand-over has all signatures, so that others may follow it by now.
        """

        def change(tx: Writer) -> HandOver:
            log, under_way = tx.ledgers.find(account_id), find_change(tx, account_id)
            if log is None or under_way is None:
                raise ConfigurationError(
                    f"the keys of the log of {account_id} are not being changed: there is nothing to withdraw"
                )
            if under_way.is_proven or _proving_note(tx, log, under_way):
                raise ConfigurationError(
                    f"the log {log.origin} keeps its new keys: their hand-over is proven, and others follow it"
                )
            _end(tx, account_id)
            return make_hand_over(self._custodian, log, under_way)

        return await self._store.write(change, self._entry(account_id, "ledger.keys.withdrawn", principal))

    async def settle(self) -> int:
        """Bring on every change that can be brought on; return how many. What is wrong with one is logged."""
        done = 0
        for account_id, change in scan_changes(self._store.reader).items():
            try:
                done += await self._settle(account_id, change)
            except SiegelError as error:
                _log.error("the keys of the log of %s could not be handed over, which is tried again: %s", account_id, error)
        return done

    async def _settle(self, account_id: str, change: KeyChange) -> bool:
        log = self._store.reader.ledgers.find(account_id)
        if log is None or not change.is_entered(log.head_size):
            return False
        trusted = _trusted(self._store.reader, account_id)
        if change.is_proven:
            return await self.end(account_id, change) if trusted.is_quorum(()) else False
        note = _proving_note(self._store.reader, log, change)
        file = self._prove(log, change, note, trusted) if note else b""
        if not file:
            return False
        reach("ledger.before_hand_over")
        is_done = await self._store.write(
            _as_seen(account_id, change, lambda tx: _hand_over(tx, log.account_id, change, file)),
            self._entry(account_id, "ledger.keys.handed_over", _STEWARD),
        )
        reach("ledger.after_hand_over")
        return is_done

    async def end(self, account_id: str, change: KeyChange) -> bool:
        """Forget the former secrets of a change that is proven; return whether they were there."""
        return await self._store.write(
            _as_seen(account_id, change, lambda tx: _end(tx, account_id)),
            self._entry(account_id, "ledger.keys.forgotten", _STEWARD),
        )

    def _prove(self, log: Log, change: KeyChange, note: bytes, trusted: Policy) -> bytes:
        """Return the proof file, none if the policy's witnesses have not all signed that head which are needed."""
        hand_over = make_hand_over(self._custodian, log, change)
        size = parse_checkpoint(parse_note(note).text).size
        ledgers = self._store.reader.ledgers
        tiles = {tile: read_file(ledgers, log, tile, size) or b"" for tile in inclusion_tiles(change.index, size)}
        file = ProofFile(change.index, prove_inclusion(change.index, size, tiles), note, hand_over.encode()).encode()
        old = tuple(LogLine(verifier, "") for verifier in hand_over.old)
        try:
            check_hand_over(file, Policy(old, trusted.witnesses, trusted.groups, trusted.quorum))
        except UnsignedError:
            return b""
        return file

    def _entry(self, account_id: str, kind: str, principal: str) -> Entry:
        request_id = "" if principal == _STEWARD else self._randomness.bytes(8).hex().upper()
        return Entry(self._clock.now_ms(), request_id, kind, account_id, principal, "")


def _trusted(reader: Reader, account_id: str) -> Policy:
    policy = find_policy(reader, account_id)
    return read_policy(policy.text) if policy else Policy((), (), {}, NO_QUORUM)


def _proving_note(reader: Reader, log: Log, change: KeyChange) -> bytes:
    """Return the head that can prove a hand-over: under the quorum of the account's policy, none if there is no such yet."""
    if _trusted(reader, log.account_id).is_quorum(()):
        return log.checkpoint if change.is_entered(log.head_size) else b""
    return log.witnessed if change.is_entered(log.witnessed_size) else b""


def _as_seen(account_id: str, change: KeyChange, work: Callable[[Writer], None]) -> Callable[[Writer], bool]:
    def run(tx: Writer) -> bool:
        if find_change(tx, account_id) != change:
            raise StorageError("another steward, or a rotation of the root key, was at the same change of keys")
        work(tx)
        return True

    return run


def _hand_over(tx: Writer, account_id: str, change: KeyChange, file: bytes) -> None:
    log = tx.ledgers.find(account_id)
    if log is None:
        raise StorageError("the log is gone")
    name = f"{account_id}/{change.number:03d}"
    tx.records.put(DEPLOYMENT_SCOPE, KeptHandOver.kind, name, encode_document(KeptHandOver(file=file)))
    tx.ledgers.reseal(log.log_id, change.sealed)
    put_change(tx, account_id, replace(change, sealed=log.sealed_secrets, is_proven=True))


def _end(tx: Writer, account_id: str) -> None:
    tx.records.remove(DEPLOYMENT_SCOPE, KeyChange.kind, account_id)


def _count_hand_overs(reader: Reader, account_id: str) -> int:
    count, after = 0, f"{account_id}/"
    while page := reader.records.scan(DEPLOYMENT_SCOPE, KeptHandOver.kind, after, _AT_ONCE):
        names = [name for name, _ in page if name.startswith(f"{account_id}/")]
        count += len(names)
        if len(names) < len(page):
            break
        after = names[-1]
    return count


def _told(change: KeyChange) -> str:
    if change.is_proven:
        return "the new ones are handed over, and too few witnesses know them yet: tell their owners (siegel witness follow)"
    if change.index < 0:
        return f"the running service enters the hand-over within a second\n{_WAY_OUT}"
    return f"the hand-over is entry {change.index}, and waits for the quorum of the account's witnesses\n{_WAY_OUT}"


_WAY_OUT: Final = "try: siegel ledger rotate-keys --withdraw, where that quorum will not come"
