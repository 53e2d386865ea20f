"""Erasing an opening: the names and persons of one entry go, the entry and the tree stay.

What is left of it are salted hashes, which tell nobody anything without the salts that went with it.
"""

from siegel.domain.absences import NoSuchLedgerFileError
from siegel.domain.entry import Entry
from siegel.domain.ports import KeyCustodian, MetaStore, Randomness, Writer
from siegel.envelope.record import NONCE_BYTES
from siegel.ledger.bundles import encode_bundle
from siegel.ledger.tiles import TILE_WIDTH
from siegel.service.ledgers.files import open_run
from siegel.service.ledgers.secrets import open_secrets


class Eraser:
    """The use case."""

    def __init__(self, store: MetaStore, custodian: KeyCustodian, randomness: Randomness) -> None:
        self._store = store
        self._custodian = custodian
        self._randomness = randomness

    async def erase(self, account_id: str, number: int, entry: Entry) -> None:
        """Erase the opening of entry `number` of an account's log. Harmless when repeated.

        Raises NoSuchLedgerFileError if the log has no such entry, SealBrokenError for damage.
        """
        await self._store.write(lambda tx: self._erase(tx, account_id, number), entry)

    def _erase(self, tx: Writer, account_id: str, number: int) -> None:
        log = tx.ledgers.find(account_id)
        if log is None or number >= log.head_size:
            raise NoSuchLedgerFileError
        secrets = open_secrets(self._custodian, log.origin, log.sealed_secrets)
        # The run that the entry is in begins with it, or before it in the same bundle.
        run = tx.ledgers.runs(log.log_id, number - number % TILE_WIDTH, number + 1)[-1]
        context = secrets.run_context(run.first)
        openings = open_run(secrets.openings, context, run.sealed_openings)
        openings[number - run.first] = b""
        sealed = secrets.openings.seal(encode_bundle(openings), context, self._randomness.bytes(NONCE_BYTES))
        tx.ledgers.put_openings(run.log_id, run.first, sealed)
