"""Where the pieces of a log lie: tiles of 256 hashes, bundles of 256 entries, and what their files are called.

Source: c2sp.org/tlog-tiles.
"""

import re
from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.hashing import HASH_BYTES

TILE_WIDTH: Final = 256
TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
# Trees of one tile cover 256 leaves, or 256 trees of the level below.
TILE_HEIGHT: Final = 8
# The level of entry bundles: they are cut as the tiles of level 0 are.
ENTRIES: Final = -1
TREE_SIZE_MAX: Final = 2**63 - 1
# Trees of TREE_SIZE_MAX leaves need no more levels.
_LEVEL_MAX: Final = 7

_PATH: Final = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


class Tile(Struct, frozen=True):
    """A tile of a level, or with level ENTRIES a bundle of entries; `width` below 256 makes it a partial one."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The file's path below the log's prefix."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        groups = f"{self.index:03d}"
        groups = groups.zfill(-(-len(groups) // 3) * 3)
        *front, last = (groups[at : at + 3] for at in range(0, len(groups), 3))
        number = "".join(f"x{group}/" for group in front) + last
        return f"tile/{level}/{number}" + (f".p/{self.width}" if self.width < TILE_WIDTH else "")

    @property
    def whole(self) -> "Tile":
        """The full tile in the same place."""
        return Tile(self.level, self.index)


def parse_tile_path(path: str) -> Tile:
    """Return the tile or bundle that a path names. Raises LedgerFormError for any other spelling than the one there is."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise LedgerFormError("this is no path of a tile")
    level, number, width = found.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(number.replace("x", "").replace("/", "")),
        int(width) if width else TILE_WIDTH,
    )
    if tile.path != path or (width and tile.width == TILE_WIDTH):
        raise LedgerFormError("this is no path of a tile")
    return tile


def tile_at(level: int, index: int, size: int) -> Tile:
    """Return the tile of a level as it is in a tree of `size` leaves. It must have a hash at least, else ValueError."""
    hashes = size >> TILE_HEIGHT * max(level, 0)
    width = min(hashes - index * TILE_WIDTH, TILE_WIDTH)
    if width < 1:
        raise ValueError("the tree has no such tile")
    return Tile(level, index, width)


def edge_tiles(size: int) -> tuple[Tile, ...]:
    """Return what is partial in a tree of `size` leaves: the bundle first, then the tiles from level 0 up."""
    edges: list[Tile] = []
    for level in range(ENTRIES, _LEVEL_MAX + 1):
        width = (size >> TILE_HEIGHT * max(level, 0)) % TILE_WIDTH
        if width:
            edges.append(Tile(level, size >> TILE_HEIGHT * (max(level, 0) + 1), width))
    return tuple(edges)


def new_tiles(old_size: int, size: int) -> tuple[Tile, ...]:
    """Return every tile and bundle that a tree of `size` leaves has and one of `old_size` had not, or only narrower."""
    found: list[Tile] = []
    for level in range(ENTRIES, _LEVEL_MAX + 1):
        shift = TILE_HEIGHT * max(level, 0)
        before, now = old_size >> shift, size >> shift
        if before < now:
            found += [tile_at(level, index, size) for index in range(before // TILE_WIDTH, -(-now // TILE_WIDTH))]
    return tuple(found)
