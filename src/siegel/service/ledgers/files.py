"""The files of a log, made from its rows when they are asked for.

A bundle is put together from its runs, a tile of level 0 is hashed from the entries, the tiles above rest as they are: so what is
shown is what is there, and whoever changes an entry has the tree against him at once.
"""

from siegel.domain.errors import StorageError
from siegel.domain.logs import Log
from siegel.domain.ports import Ledgers
from siegel.envelope.record import RecordKey
from siegel.ledger.bundles import encode_bundle, entries_of
from siegel.ledger.frontier import Frontier, read_frontier
from siegel.ledger.hashing import HASH_BYTES, leaf_hashes
from siegel.ledger.tiles import ENTRIES, TILE_HEIGHT, TILE_WIDTH, Tile, edge_tiles
from siegel.service.ledgers.secrets import LogSecrets


def read_entries(ledgers: Ledgers, log_id: int, first: int, stop: int) -> list[bytes]:
    """Return the entries first <= n < stop as they are stored. Raises StorageError if one is missing, LedgerFormError if cut."""
    # The run that `first` is in may begin before it, but not before its bundle does.
    begin = first - first % TILE_WIDTH
    entries: list[bytes] = []
    for run in ledgers.runs(log_id, begin, stop):
        found = entries_of(run.entries)
        is_beyond = run.first % TILE_WIDTH + run.count > TILE_WIDTH
        if run.first != begin + len(entries) or run.count != len(found) or is_beyond:
            raise StorageError("entries of a log are missing")
        entries += found
    if len(entries) < stop - begin:
        raise StorageError("entries of a log are missing")
    return entries[first - begin : stop - begin]


def read_openings(ledgers: Ledgers, log: Log, secrets: LogSecrets, bundle: Tile) -> bytes:
    """Return the openings beside a bundle of entries, framed as these are; an erased one is empty.

    Raises StorageError, SealBrokenError.
    """
    first = bundle.index * TILE_WIDTH
    openings: list[bytes] = []
    for run in ledgers.runs(log.log_id, first, first + bundle.width):
        openings += open_run(secrets.openings, secrets.run_context(run.first), run.sealed_openings)
    if len(openings) < bundle.width:
        raise StorageError("openings of a log are missing")
    return encode_bundle(openings[: bundle.width])


def open_run(key: RecordKey, context: bytes, sealed: bytes) -> list[bytes]:
    """Return the openings of one run. Raises SealBrokenError."""
    return entries_of(key.open(sealed, context))


def read_file(ledgers: Ledgers, log: Log, tile: Tile, size: int) -> bytes | None:
    """Return a tile or bundle of the tree of `size` entries, None if it has no such. Raises StorageError, LedgerFormError."""
    first = tile.index * TILE_WIDTH
    if first + tile.width > size >> TILE_HEIGHT * max(tile.level, 0):
        return None
    if tile.level > 0:
        hashes = ledgers.tile(log.log_id, tile.level, tile.index)[: tile.width * HASH_BYTES]
        if len(hashes) < tile.width * HASH_BYTES:
            raise StorageError("hashes of a log are missing")
        return hashes
    entries = read_entries(ledgers, log.log_id, first, first + tile.width)
    return encode_bundle(entries) if tile.level == ENTRIES else leaf_hashes(entries)


def load_frontier(ledgers: Ledgers, log: Log, size: int) -> Frontier:
    """Return the frontier of the tree of `size` entries. Whether it is the one that was signed, only its root says.

    Raises StorageError, LedgerFormError.
    """
    files = {tile: read_file(ledgers, log, tile, size) or b"" for tile in edge_tiles(size)}
    return read_frontier(size, files)
