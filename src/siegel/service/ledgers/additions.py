"""What one round adds to one log."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import StorageError
from siegel.domain.logs import Log, Run
from siegel.domain.ports import Randomness, Writer
from siegel.envelope.record import NONCE_BYTES
from siegel.ledger.bundles import encode_bundle
from siegel.ledger.frontier import Growth
from siegel.ledger.tiles import TILE_WIDTH
from siegel.service.ledgers.keychanges import KeyChange, find_change, put_change
from siegel.service.ledgers.secrets import LogSecrets


class Addition(Struct, frozen=True):
    """Entries for a log, each with its opening, and how the log's tree grows by them. A log without an id is a new one.

    With `change`, a hand-over of keys, the last entry is that hand-over.
    """

    log: Log
    growth: Growth
    leaves: Sequence[tuple[bytes, bytes]]
    secrets: LogSecrets
    randomness: Randomness
    change: KeyChange | None = None

    def store(self, tx: Writer) -> None:
        """Write all of it. Raises StorageError if the log is no longer what it was."""
        ledgers = tx.ledgers
        log = self.log if self.log.log_id else ledgers.insert(self.log)
        grown = self.growth.frontier
        if not ledgers.grow(log.log_id, log.size, grown.size, grown.root):
            raise StorageError("another steward integrates into the same log")
        for run in self._runs(log):
            ledgers.add_run(run)
        for tile, hashes in self.growth.files:
            # Entries are in the runs, and the hashes of level 0 are theirs.
            if tile.level > 0:
                ledgers.put_tile(log.log_id, tile.level, tile.index, hashes)
        if self.change is not None:
            current = find_change(tx, log.account_id)
            if current is None or (current.number, current.index) != (self.change.number, -1):
                raise StorageError("another steward has entered the same hand-over, or it was withdrawn")
            put_change(tx, log.account_id, replace(current, index=grown.size - 1))

    def _runs(self, log: Log) -> Iterator[Run]:
        first, taken = log.size, 0
        while taken < len(self.leaves):
            some = self.leaves[taken : taken + TILE_WIDTH - first % TILE_WIDTH]
            openings = encode_bundle(opening for _, opening in some)
            nonce = self.randomness.bytes(NONCE_BYTES)
            sealed = self.secrets.openings.seal(openings, self.secrets.run_context(first), nonce)
            yield Run(log.log_id, first, len(some), encode_bundle(entry for entry, _ in some), sealed)
            first += len(some)
            taken += len(some)
