"""The right edge of a tree: all that is needed to add leaves and to know the root, whatever the size.

A frontier grows by any number of entries at a time, and says which files are new by it: whole tiles and bundles, and the partial
ones that the new size needs. Nothing that a tree has once is ever different in a larger one.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.bundles import encode_bundle, entries_of
from siegel.ledger.hashing import EMPTY_ROOT, HASH_BYTES, leaf_hashes, subtree_root
from siegel.ledger.tiles import ENTRIES, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, Tile, edge_tiles


class Frontier(Struct, frozen=True):
    """The edge of a tree of `size` leaves: the partial tile of each level from 0 up, and the partial bundle of entries."""

    size: int = 0
    edges: tuple[bytes, ...] = ()
    bundle: bytes = b""

    @property
    def root(self) -> bytes:
        """The tree's root hash (RFC 6962, section 2.1)."""
        lower = b""
        for edge in self.edges:
            hashes = edge + lower
            lower = subtree_root(hashes) if hashes else b""
        return lower or EMPTY_ROOT


class Growth(Struct, frozen=True):
    """What came of adding entries: the new frontier, and every file that is new or wider by it."""

    frontier: Frontier
    files: tuple[tuple[Tile, bytes], ...]


def grow(frontier: Frontier, entries: Sequence[bytes]) -> Growth:
    """Add entries behind the last leaf. Raises LedgerFormError for an entry of more than 65,535 bytes."""
    files, bundle = _grow_bundles(frontier, entries)
    edges = list(frontier.edges)
    incoming = leaf_hashes(entries)
    level = 0
    while incoming:
        if level == len(edges):
            edges.append(b"")
        first = frontier.size >> TILE_HEIGHT * (level + 1)
        hashes = edges[level] + incoming
        whole = len(hashes) // TILE_BYTES * TILE_BYTES
        tiles = [hashes[at : at + TILE_BYTES] for at in range(0, whole, TILE_BYTES)]
        files += [(Tile(level, first + place), tile) for place, tile in enumerate(tiles)]
        edges[level] = hashes[whole:]
        if edges[level]:
            files.append((Tile(level, first + len(tiles), len(edges[level]) // HASH_BYTES), edges[level]))
        incoming = b"".join([subtree_root(tile) for tile in tiles])
        level += 1
    return Growth(Frontier(frontier.size + len(entries), tuple(edges), bundle), tuple(files))


def _grow_bundles(frontier: Frontier, entries: Sequence[bytes]) -> tuple[list[tuple[Tile, bytes]], bytes]:
    files: list[tuple[Tile, bytes]] = []
    bundle, size = frontier.bundle, frontier.size
    taken = 0
    while taken < len(entries):
        width = size % TILE_WIDTH
        some = entries[taken : taken + TILE_WIDTH - width]
        bundle += encode_bundle(some)
        files.append((Tile(ENTRIES, size // TILE_WIDTH, width + len(some)), bundle))
        taken += len(some)
        size += len(some)
        bundle = b"" if size % TILE_WIDTH == 0 else bundle
    return files, bundle


def read_frontier(size: int, files: Mapping[Tile, bytes]) -> Frontier:
    """Return the frontier of a tree from its edge files (`edge_tiles`), of which others may be among `files`.

    Raises LedgerFormError where one is missing, of another width, or where the entries of the bundle do not hash to their tile.
    Whether it is the tree that was signed, only its root says.
    """
    edges: list[bytes] = []
    bundle = b""
    for tile in edge_tiles(size):
        content = files.get(tile)
        if content is None:
            raise LedgerFormError(f"{tile.path} is missing")
        if tile.level == ENTRIES:
            bundle = content
            continue
        if len(content) != tile.width * HASH_BYTES:
            raise LedgerFormError(f"{tile.path} has another width than its name says")
        edges += [b""] * (tile.level - len(edges))
        edges.append(content)
    if leaf_hashes(entries_of(bundle)) != (edges[0] if edges else b""):
        raise LedgerFormError("the last entries do not hash to their tile")
    return Frontier(size, tuple(edges), bundle)
