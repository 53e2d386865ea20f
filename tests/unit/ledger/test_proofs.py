"""Proofs hold where they should, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.log import Log, naive_root

from siegel.domain.ledgers import LedgerFormError, ProofError
from siegel.ledger.hashing import EMPTY_ROOT, leaf_hash
from siegel.ledger.proofs import (
    check_consistency,
    check_inclusion,
    consistency_tiles,
    inclusion_tiles,
    prefix_root,
    prefix_tiles,
    prove_consistency,
    prove_inclusion,
)
from siegel.ledger.tiles import Tile

ENTRIES = [b"%d" % number for number in range(1500)]
LOG = Log(ENTRIES)
ROOTS = {size: naive_root(ENTRIES[:size]) for size in [*range(66), 255, 256, 257, 511, 512, 513, 1023, 1024, 1500]}
LARGE = Log([b"%d" % number for number in range(70_000)])


def test_every_leaf_of_every_small_tree_is_proven():
    for size in range(1, 66):
        log = Log(ENTRIES[:size])
        for index in range(size):
            check_inclusion(leaf_hash(ENTRIES[index]), index, size, ROOTS[size], log.inclusion(index))


def test_every_pair_of_small_trees_is_consistent():
    for size in range(66):
        log = Log(ENTRIES[:size])
        for old in range(size + 1):
            check_consistency(old, ROOTS[old], size, ROOTS[size], log.consistency(old))


@pytest.mark.parametrize("size", [255, 256, 257, 511, 512, 513, 1023, 1024, 1500])
def test_proofs_across_tiles(size):
    for index in {0, 1, 127, 254, 255, 256, 511, size - 2, size - 1} & set(range(size)):
        check_inclusion(leaf_hash(ENTRIES[index]), index, size, ROOTS[size], LOG.inclusion(index, size))
    for old, root in ROOTS.items():
        if old <= size:
            check_consistency(old, root, size, ROOTS[size], LOG.consistency(old, size))


@pytest.mark.parametrize("index", [0, 255, 65_535, 65_536, 69_999])
def test_proofs_across_three_levels(index):
    check_inclusion(leaf_hash(b"%d" % index), index, LARGE.size, LARGE.frontier.root, LARGE.inclusion(index))
    old = Log(LARGE.entries[: index + 1])
    check_consistency(index + 1, old.frontier.root, LARGE.size, LARGE.frontier.root, LARGE.consistency(index + 1))


@given(st.data())
def test_a_proof_of_inclusion_proves_one_leaf_in_one_place_of_one_tree(data):
    size = data.draw(st.integers(1, 64))
    index = data.draw(st.integers(0, size - 1))
    proof = list(LOG.inclusion(index, size))
    fits = (leaf_hash(ENTRIES[index]), index, size, ROOTS[size], proof)
    place = data.draw(st.integers(0, len(proof)))
    other = data.draw(st.sampled_from([ROOTS[3], leaf_hash(ENTRIES[index]), ROOTS[size], EMPTY_ROOT]))
    broken = [
        (leaf_hash(b"another"), *fits[1:]),
        (fits[0], data.draw(st.integers(-1, 70).filter(lambda number: number != index)), *fits[2:]),
        (*fits[:3], naive_root([*ENTRIES[:size], b"x"]), proof),
        (*fits[:4], [*proof[:place], other, *proof[place:]]),
        (*fits[:4], proof[:-1] if proof else [other]),
        (*fits[:4], [*proof[:place], *proof[place + 1 :]] if place < len(proof) else [*proof, other]),
    ]
    for case in broken:
        with pytest.raises(ProofError):
            check_inclusion(*case)


@given(st.data())
def test_a_proof_of_consistency_proves_two_trees_of_two_sizes(data):
    size = data.draw(st.integers(1, 64))
    old = data.draw(st.integers(1, size))
    proof = list(LOG.consistency(old, size))
    place = data.draw(st.integers(0, len(proof)))
    other = data.draw(st.sampled_from([ROOTS[3], ROOTS[old], ROOTS[size], EMPTY_ROOT]))
    forged = naive_root([*ENTRIES[: size - 1], b"x"])
    broken = [
        (old, forged, size, ROOTS[size], proof),
        (old, ROOTS[old], size, forged, proof),
        (old, ROOTS[old], size, ROOTS[size], [*proof[:place], other, *proof[place:]]),
        (old, ROOTS[old], size, ROOTS[size], proof[:-1] if proof else [other]),
        (size + 1, ROOTS[old], size, ROOTS[size], proof),
        (-1, ROOTS[old], size, ROOTS[size], proof),
    ]
    for case in broken:
        with pytest.raises(ProofError):
            check_consistency(*case)


def test_earlier_roots_are_in_the_tiles():
    for size in (65, 1500):
        for old in (number for number in ROOTS if number <= size):
            tiles = {tile: LOG.tile(tile) for tile in prefix_tiles(old, size)}
            assert prefix_root(old, size, tiles) == ROOTS[old]
    with pytest.raises(ValueError, match="no later state"):
        prefix_tiles(4, 3)


def test_an_empty_tree_comes_before_all():
    check_consistency(0, EMPTY_ROOT, 7, ROOTS[7], ())
    check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    with pytest.raises(ProofError, match="empty tree"):
        check_consistency(0, EMPTY_ROOT, 0, ROOTS[7], ())
    with pytest.raises(ProofError, match="is empty"):
        check_consistency(3, ROOTS[3], 7, ROOTS[7], ())
    with pytest.raises(ProofError, match="too long"):
        check_consistency(0, EMPTY_ROOT, 7, ROOTS[7], (ROOTS[7],))


def test_what_cannot_be_proven():
    for index, size in ((-1, 3), (3, 3), (0, 0)):
        with pytest.raises(ValueError, match="no entry"):
            inclusion_tiles(index, size)
    for old, size in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="no later state"):
            consistency_tiles(old, size)


def test_a_proof_needs_its_tiles():
    needed = inclusion_tiles(3, 1500)
    assert set(needed) == {Tile(0, 0), Tile(0, 5, 220), Tile(1, 0, 5)}
    with pytest.raises(LedgerFormError, match="missing"):
        prove_inclusion(3, 1500, {})
    with pytest.raises(LedgerFormError, match="another width"):
        prove_consistency(3, 300, {tile: LOG.tile(tile)[:-1] for tile in consistency_tiles(3, 300)})
