"""The steward's part: what nobody has answered lapses, what was granted expires, and the evidence of an approval is put together.

The evidence is made of the log: as soon as the approval's entry is under a head with the quorum of the account's witnesses. It is
checked here as it will be checked by everybody else, and only then does the consent become active. Where the log's keys or the
account's policy change, evidence is made anew, under a later head. What was evidence before is kept: it says since when the
approval was public, and so which uses came after it.
"""

import logging
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.access.consent import Step
from siegel.domain.consents import Consent, ConsentState
from siegel.domain.entry import Entry
from siegel.domain.errors import SiegelError
from siegel.domain.faultpoints import reach
from siegel.domain.ledgers import LedgerError
from siegel.domain.logs import Log
from siegel.domain.ports import Clock, KeyCustodian, MetaStore, Writer
from siegel.ledger.bundles import entries_of
from siegel.ledger.checkpoints import parse_checkpoint
from siegel.ledger.consent_evidence import APPROVED, EARLIER_MAX, Evidence
from siegel.ledger.entry_heads import read_entry_head
from siegel.ledger.leaves import decode_leaf
from siegel.ledger.notes import parse_note
from siegel.ledger.proof_files import ProofFile
from siegel.ledger.proofs import inclusion_tiles, prove_inclusion
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, tile_at
from siegel.service.consents.book import (
    MS_PER_S,
    STEWARD,
    approval_of,
    find_consent,
    find_keys,
    own_entry,
    put_consent,
    scan_open,
    state_of,
    stepped,
)
from siegel.service.consents.trust import policy_of, require_keys, under_own_log, verify_here
from siegel.service.ledgers.files import read_entries, read_file, read_openings
from siegel.service.ledgers.policies import find_policy
from siegel.service.ledgers.secrets import open_secrets

PAGE: Final = 100
# So many entries are looked through at a time for that of an approval.
SEARCHED_AT_ONCE: Final = 4096

_BY_TIME: Final = {ConsentState.LAPSED: "consent.lapse", ConsentState.EXPIRED: "consent.expire"}

_log = logging.getLogger(__name__)


class _Memory(Struct):
    """What a steward knows of a consent: where its approval's entry is, or from where on it is still looked for.

    `held` is the evidence that was found good, with the keys and the policy by which it was. `has_warned`: it was said already
    why the consent does not become active.
    """

    searched_from: int
    index: int | None = None
    held: tuple[bytes, ...] = ()
    has_warned: bool = False


class ConsentSteward:
    """Runs one round after the other, in one process; a second one does the same again, which changes nothing."""

    def __init__(self, store: MetaStore, custodian: KeyCustodian, clock: Clock) -> None:
        self._store = store
        self._reader = store.reader
        self._custodian = custodian
        self._clock = clock
        # By the names of consents that are open.
        self._memories: dict[str, _Memory] = {}

    async def run_once(self) -> int:
        """Take every open consent as far as it can go; return how many went further. Raises StorageError if none can be read.

        What is wrong with one of them is logged once, and the others go on.
        """
        before, self._memories = self._memories, {}
        after, done = "", 0
        while page := scan_open(self._reader, after, PAGE):
            after = page[-1][0]
            for name, consent in page:
                memory = self._memories[name] = before.get(name) or _Memory(consent.searched_from)
                try:
                    done += await self._look_after(consent, memory)
                except SiegelError as error:
                    if not memory.has_warned:
                        memory.has_warned = True
                        _log.warning("consent %s does not go on, which is tried again: %s", consent.consent_id, error)
        return done

    async def _look_after(self, consent: Consent, memory: _Memory) -> bool:
        now_ms = self._clock.now_ms()
        state = state_of(consent, now_ms)
        if state is not consent.state:
            await self._end(consent, state)
            return True
        log = self._reader.ledgers.find(consent.account_id)
        if state is ConsentState.REQUESTED or log is None:
            return False
        if not self._holds(consent, log, memory):
            # For the first time, or because the log has other keys by now.
            return await self._prove(consent, log, memory)
        if _is_due(consent, now_ms):
            await self._activate(consent)
            return True
        return False

    async def _end(self, consent: Consent, state: ConsentState) -> None:
        kind, now_ms = _BY_TIME[state], self._clock.now_ms()

        def change(tx: Writer) -> Consent | None:
            current = find_consent(tx, consent.account_id, consent.consent_id)
            # Somebody else may have ended it meanwhile, or written this down.
            if current.state is not consent.state:
                return None
            return put_consent(tx, replace(current, state=state, changed_at_ms=now_ms))

        reach("consent.before_end")
        await self._store.write(change, lambda ended: () if ended is None else own_entry(ended, kind, now_ms, principal=STEWARD))
        reach("consent.after_end")

    async def _activate(self, consent: Consent) -> None:
        now_ms = self._clock.now_ms()

        def change(tx: Writer) -> Consent:
            current = find_consent(tx, consent.account_id, consent.consent_id)
            return put_consent(tx, stepped(current, Step.ACTIVATE, now_ms))

        reach("consent.before_active")
        await self._store.write(change, _activation(consent, now_ms))
        reach("consent.after_active")

    # Evidence.

    def _holds(self, consent: Consent, log: Log, memory: _Memory) -> bool:
        if not consent.evidence:
            return False
        keys, policy = find_keys(self._reader, consent.account_id), find_policy(self._reader, consent.account_id)
        by = (consent.evidence, log.sealed_secrets, keys.text if keys else b"", policy.text if policy else b"")
        if memory.held != by:
            try:
                self._verify(consent, log, consent.evidence)
            except LedgerError:
                return False
            memory.held = by
        return True

    def _verify(self, consent: Consent, log: Log, evidence: bytes) -> None:
        policy = under_own_log(policy_of(self._reader, consent.account_id), self._custodian, log)
        verify_here(evidence, require_keys(self._reader, consent.account_id), policy, self._reader.ledgers, log)

    async def _prove(self, consent: Consent, log: Log, memory: _Memory) -> bool:
        """Put the evidence together, if there is enough for it by now. Raises LedgerError if it does not hold."""
        if not log.witnessed:
            return False
        index = self._find(consent, log, memory)
        size = parse_checkpoint(parse_note(log.witnessed).text).size
        if index is None or index >= size:
            return False
        evidence = self._evidence(consent, log, index, size)
        if evidence == consent.evidence:
            return False
        self._verify(consent, log, evidence)
        now_ms = self._clock.now_ms()

        def change(tx: Writer) -> Consent | None:
            """Return the consent if it is active by this: nobody shall see evidence of one that could be in force and is not."""
            current = find_consent(tx, consent.account_id, consent.consent_id)
            if current.approval != consent.approval:
                return None
            earlier = (*current.earlier_evidence, current.evidence) if current.evidence else ()
            proven = replace(current, evidence=evidence, earlier_evidence=earlier[:EARLIER_MAX])
            if not _is_due(proven, now_ms):
                put_consent(tx, proven)
                return None
            return put_consent(tx, stepped(proven, Step.ACTIVATE, now_ms))

        reach("consent.before_active")
        await self._store.write(change, lambda active: () if active is None else _activation(active, now_ms))
        reach("consent.after_active")
        return True

    def _find(self, consent: Consent, log: Log, memory: _Memory) -> int | None:
        """Return the index of the approval's entry, None as long as it is not integrated."""
        memory.searched_from = max(memory.searched_from, consent.searched_from)
        while memory.index is None and memory.searched_from < log.head_size:
            first, stop = memory.searched_from, min(memory.searched_from + SEARCHED_AT_ONCE, log.head_size)
            entries = read_entries(self._reader.ledgers, log.log_id, first, stop)
            memory.index = next((at for at, entry in enumerate(entries, first) if _is_approval(entry, consent)), None)
            memory.searched_from = stop
        return memory.index

    def _evidence(self, consent: Consent, log: Log, index: int, size: int) -> bytes:
        ledgers = self._reader.ledgers
        entry = read_entries(ledgers, log.log_id, index, index + 1)[0]
        secrets = open_secrets(self._custodian, log.origin, log.sealed_secrets)
        bundle = tile_at(ENTRIES, index // TILE_WIDTH, size)
        opening = entries_of(read_openings(ledgers, log, secrets, bundle))[index % TILE_WIDTH]
        tiles = {tile: read_file(ledgers, log, tile, size) or b"" for tile in inclusion_tiles(index, size)}
        proof = ProofFile(index, prove_inclusion(index, size, tiles), log.witnessed, entry)
        return Evidence(consent.approval, opening, proof.encode()).encode()


def _is_due(consent: Consent, now_ms: int) -> bool:
    """Tell whether a consent becomes active once its evidence is there."""
    is_waiting = state_of(consent, now_ms) is ConsentState.APPROVED
    return is_waiting and now_ms >= approval_of(consent).request.not_before_s * MS_PER_S


def _activation(consent: Consent, now_ms: int) -> Entry:
    return own_entry(consent, "consent.activate", now_ms, principal=STEWARD, manifest=approval_of(consent).digest)


def _is_approval(entry: bytes, consent: Consent) -> bool:
    try:
        head = read_entry_head(entry)
        if head is None or head.request_id != consent.approved_by:
            return False
        facts = decode_leaf(entry).facts
    except LedgerError:
        return False
    return facts.kind == APPROVED and facts.consent_id == consent.consent_id
