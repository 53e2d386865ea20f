"""Proofs: that an entry is in a tree, and that a tree is a later state of another. Made from tiles, checked without any.

Which nodes a proof holds is RFC 6962, sections 2.1.1 and 2.1.2; how it is checked, RFC 9162, sections 2.1.3.2 and 2.1.4.2.
Whoever makes a proof asks first which tiles it needs, fetches them, and hands them in.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from siegel.domain.ledgers import LedgerFormError, ProofError
from siegel.ledger.hashing import EMPTY_ROOT, HASH_BYTES, node_hash, subtree_root
from siegel.ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, tile_at

Proof: TypeAlias = tuple[bytes, ...]
# The leaves below a node: from the first on, up to the second.
_Span: TypeAlias = tuple[int, int]


def inclusion_tiles(index: int, size: int) -> tuple[Tile, ...]:
    """Return the tiles that `prove_inclusion` needs."""
    return _tiles_of(_inclusion_spans(index, size), size)


def prove_inclusion(index: int, size: int, tiles: Mapping[Tile, bytes]) -> Proof:
    """Return the proof that the leaf at `index` is in the tree of `size` leaves: from its neighbour up.

    Raises ValueError for an index outside the tree, LedgerFormError for a tile that is missing or has another width.
    """
    return tuple(_root_of(span, size, tiles) for span in _inclusion_spans(index, size))


def consistency_tiles(old_size: int, size: int) -> tuple[Tile, ...]:
    """Return the tiles that `prove_consistency` needs."""
    return _tiles_of(_consistency_spans(old_size, size), size)


def prove_consistency(old_size: int, size: int, tiles: Mapping[Tile, bytes]) -> Proof:
    """Return the proof that the tree of `size` leaves begins with the one of `old_size`; empty if either is.

    Raises ValueError for an old size beyond the new one, LedgerFormError as `prove_inclusion` does.
    """
    return tuple(_root_of(span, size, tiles) for span in _consistency_spans(old_size, size))


def prefix_tiles(old_size: int, size: int) -> tuple[Tile, ...]:
    """Return the tiles of a tree of `size` leaves that `prefix_root` needs."""
    return _tiles_of([(0, _within(old_size, size))], size)


def prefix_root(old_size: int, size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    """Return the root that the tree of `size` leaves had when it had `old_size`. Raises as `prove_consistency` does."""
    return _root_of((0, _within(old_size, size)), size, tiles) or EMPTY_ROOT


def check_inclusion(hashed: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ProofError unless the leaf of hash `hashed` is the one at `index` of the tree of `size` and `root`."""
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} has no entry {index}")
    place, last = index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof of inclusion is too long")
        if place & 1 or place == last:
            hashed = node_hash(sibling, hashed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof of inclusion is too short")
    if hashed != root:
        raise ProofError(f"entry {index} is not in the tree as it is shown")


def check_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ProofError unless the tree of `size` and `root` begins with the one of `old_size` and `old_root`."""
    if not 0 <= old_size <= size:
        raise ProofError(f"a tree of {size} is no later state of one of {old_size}")
    if size == 0 and root != EMPTY_ROOT:
        raise ProofError("the root of an empty tree is another")
    if old_size in {0, size}:
        if proof:
            raise ProofError("the proof of consistency is too long")
        if old_size == size and old_root != root:
            raise ProofError(f"two trees of {size} have different roots")
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofError("the proof of consistency is empty")
    if _replay(path, old_size - 1, size - 1) != (old_root, root):
        raise ProofError(f"the tree of {size} does not begin with the one of {old_size}")


def _replay(path: Sequence[bytes], place: int, last: int) -> tuple[bytes, bytes]:
    """Return the roots of the old tree and of the new one that the path leads to."""
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for node in path[1:]:
        if last == 0:
            raise ProofError("the proof of consistency is too long")
        if place & 1 or place == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, node)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof of consistency is too short")
    return old, new


def _inclusion_spans(index: int, size: int) -> list[_Span]:
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no entry {index}")
    start, end = 0, size
    spans: list[_Span] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def _consistency_spans(old_size: int, size: int) -> list[_Span]:
    if _within(old_size, size) == 0:
        return []
    start, end = 0, size
    spans: list[_Span] = []
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    # The old tree itself is known to whoever checks.
    return [*([(start, end)] if start else []), *spans[::-1]]


def _within(old_size: int, size: int) -> int:
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} is no later state of one of {old_size}")
    return old_size


def _split(count: int) -> int:
    """Return the largest power of two below `count`, which is 2 at least."""
    return 1 << (count - 1).bit_length() - 1


def _pieces(span: _Span) -> list[tuple[int, int]]:
    """Return the whole subtrees that a span is made of, as their height and first leaf, from the left."""
    start, end = span
    pieces: list[tuple[int, int]] = []
    while start < end:
        height = (end - start).bit_length() - 1
        pieces.append((height, start))
        start += 1 << height
    return pieces


def _place(height: int, start: int, size: int) -> tuple[Tile, int, int]:
    """Return the tile in which a whole subtree's hashes lie, and from which hash to which."""
    level, rest = divmod(height, TILE_HEIGHT)
    index, first = divmod(start >> TILE_HEIGHT * level, TILE_WIDTH)
    return tile_at(level, index, size), first, first + (1 << rest)


def _tiles_of(spans: Sequence[_Span], size: int) -> tuple[Tile, ...]:
    needed = {_place(height, start, size)[0]: None for span in spans for height, start in _pieces(span)}
    return tuple(needed)


def _root_of(span: _Span, size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    root = b""
    for height, start in reversed(_pieces(span)):
        tile, first, last = _place(height, start, size)
        hashes = tiles.get(tile, b"")
        if len(hashes) != tile.width * HASH_BYTES:
            raise LedgerFormError(f"{tile.path} is missing, or has another width than its name says")
        subtree = subtree_root(hashes[first * HASH_BYTES : last * HASH_BYTES])
        root = node_hash(subtree, root) if root else subtree
    return root
