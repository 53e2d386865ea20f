"""The steward's part: what nobody has answered lapses, what was granted expires, and the evidence of an approval is put together.

The evidence is made of the log: as soon as the approval's entry is under a head with the quorum of the account's witnesses. It is
checked here as it will be checked by everybody else, and only then does the consent become active.
"""

import logging
from typing import Final

from msgspec.structs import replace

from siegel.access.consent import Step
from siegel.domain.consents import Consent, ConsentState
from siegel.domain.errors import SiegelError
from siegel.domain.ledgers import LedgerError
from siegel.domain.logs import Log
from siegel.domain.ports import Clock, KeyCustodian, MetaStore, Writer
from siegel.ledger.bundles import entries_of
from siegel.ledger.checkpoints import parse_checkpoint
from siegel.ledger.consent_evidence import APPROVED, Evidence, verify_evidence
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
    own_entry,
    put_consent,
    scan_open,
    state_of,
    stepped,
)
from siegel.service.consents.trust import policy_of, require_keys, with_own_keys
from siegel.service.ledgers.files import read_entries, read_file, read_openings
from siegel.service.ledgers.secrets import open_secrets

PAGE: Final = 100
# So many entries are looked through at a time for that of an approval.
SEARCHED_AT_ONCE: Final = 4096

_BY_TIME: Final = {ConsentState.LAPSED: "consent.lapse", ConsentState.EXPIRED: "consent.expire"}

_log = logging.getLogger(__name__)


class ConsentSteward:
    """Runs one round after the other, in one process; a second one does the same again, which changes nothing."""

    def __init__(self, store: MetaStore, custodian: KeyCustodian, clock: Clock) -> None:
        self._store = store
        self._reader = store.reader
        self._custodian = custodian
        self._clock = clock
        # By consent: where in the log the approval's entry is, or from where on it is still looked for.
        self._found: dict[str, int] = {}
        self._searched: dict[str, int] = {}
        self._warned: set[str] = set()

    async def run_once(self) -> int:
        """Take every open consent as far as it can go; return how many went further. Raises StorageError.

        What is wrong with one of them is logged once, and the others go on.
        """
        after, done = "", 0
        while page := scan_open(self._reader, after, PAGE):
            after = page[-1][0]
            for _, consent in page:
                try:
                    done += await self._look_after(consent)
                except (SiegelError, ValueError) as error:
                    self._warn(consent, error)
        return done

    def _warn(self, consent: Consent, error: Exception) -> None:
        if consent.consent_id not in self._warned:
            self._warned.add(consent.consent_id)
            _log.warning("the consent %s does not become active, which is tried again: %s", consent.consent_id, error)

    async def _look_after(self, consent: Consent) -> bool:
        now_ms = self._clock.now_ms()
        state = state_of(consent, now_ms)
        if state is not consent.state:
            await self._end(consent, state)
            return True
        if state is ConsentState.APPROVED and not consent.evidence:
            return await self._prove(consent)
        if state is ConsentState.APPROVED and now_ms >= approval_of(consent).request.not_before_s * MS_PER_S:
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

        await self._store.write(change, lambda ended: () if ended is None else own_entry(ended, kind, now_ms, principal=STEWARD))

    async def _activate(self, consent: Consent) -> None:
        now_ms = self._clock.now_ms()

        def change(tx: Writer) -> Consent:
            current = find_consent(tx, consent.account_id, consent.consent_id)
            return put_consent(tx, stepped(current, Step.ACTIVATE, now_ms))

        entry = own_entry(consent, "consent.activate", now_ms, principal=STEWARD, manifest=approval_of(consent).digest)
        await self._store.write(change, entry)

    # Evidence.

    async def _prove(self, consent: Consent) -> bool:
        log = self._reader.ledgers.find(consent.account_id)
        if log is None or not log.witnessed:
            return False
        index = self._find(consent, log)
        size = parse_checkpoint(parse_note(log.witnessed).text).size
        if index is None or index >= size:
            return False
        evidence = self._evidence(consent, log, index, size)
        policy = with_own_keys(policy_of(self._reader, consent.account_id), self._custodian, log)
        verify_evidence(evidence, require_keys(self._reader, consent.account_id), policy)

        def change(tx: Writer) -> None:
            current = find_consent(tx, consent.account_id, consent.consent_id)
            if current.approval == consent.approval:
                put_consent(tx, replace(current, evidence=evidence))

        await self._store.write(change, None)
        self._found.pop(consent.consent_id, None)
        return True

    def _find(self, consent: Consent, log: Log) -> int | None:
        """Return the index of the approval's entry, None as long as it is not integrated."""
        known = self._found.get(consent.consent_id)
        if known is not None:
            return known
        first = self._searched.get(consent.consent_id, consent.searched_from)
        while first < log.head_size:
            stop = min(first + SEARCHED_AT_ONCE, log.head_size)
            for index, entry in enumerate(read_entries(self._reader.ledgers, log.log_id, first, stop), first):
                if _is_approval(entry, consent):
                    self._searched.pop(consent.consent_id, None)
                    self._found[consent.consent_id] = index
                    return index
            first = self._searched[consent.consent_id] = stop
        return None

    def _evidence(self, consent: Consent, log: Log, index: int, size: int) -> bytes:
        ledgers = self._reader.ledgers
        entry = read_entries(ledgers, log.log_id, index, index + 1)[0]
        secrets = open_secrets(self._custodian, log.origin, log.sealed_secrets)
        bundle = tile_at(ENTRIES, index // TILE_WIDTH, size)
        opening = entries_of(read_openings(ledgers, log, secrets, bundle))[index % TILE_WIDTH]
        tiles = {tile: read_file(ledgers, log, tile, size) or b"" for tile in inclusion_tiles(index, size)}
        proof = ProofFile(index, prove_inclusion(index, size, tiles), log.witnessed, entry)
        return Evidence(consent.approval, opening, proof.encode()).encode()


def _is_approval(entry: bytes, consent: Consent) -> bool:
    try:
        head = read_entry_head(entry)
        if head is None or head.request_id != consent.approved_by:
            return False
        facts = decode_leaf(entry).facts
    except LedgerError:
        return False
    return facts.kind == APPROVED and facts.consent_id == consent.consent_id
