"""The tree of tiles is the tree of the RFC, however it grew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.log import Log, naive_root

from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.bundles import ENTRY_BYTES_MAX, encode_bundle, entries_of
from siegel.ledger.frontier import Frontier, grow, read_frontier
from siegel.ledger.hashing import EMPTY_ROOT, leaf_hash, node_hash
from siegel.ledger.tiles import ENTRIES, TREE_SIZE_MAX, Tile, edge_tiles, new_tiles, parse_tile_path, tile_at


def entries(count, start=0):
    return [b"entry %d" % number for number in range(start, start + count)]


@given(st.lists(st.integers(0, 300), max_size=6))
def test_the_root_is_the_one_of_the_rfc_after_every_step(steps):
    log = Log()
    for step in steps:
        log.append(entries(step, log.size))
        assert log.frontier.root == naive_root(log.entries)
        assert log.size == len(log.entries)


@given(st.lists(st.integers(1, 300), max_size=6))
def test_what_was_read_back_is_what_was_written(steps):
    log, before = Log(), 0
    for step in steps:
        growth = grow(log.frontier, entries(step, before))
        assert {tile for tile, _ in growth.files} >= set(new_tiles(before, before + step))
        log.append(entries(step, before))
        before += step
        assert read_frontier(log.size, log.files) == log.frontier
    bundles = [log.files[tile] for tile in new_tiles(0, log.size) if tile.level == ENTRIES]
    assert [entry for bundle in bundles for entry in entries_of(bundle)] == log.entries


def test_a_tree_of_70000_has_the_tiles_that_the_specification_says():
    log = Log(entries(70_000))
    assert edge_tiles(log.size) == (Tile(ENTRIES, 273, 112), Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1))
    assert len([tile for tile in new_tiles(0, log.size) if tile.level == 0 and tile.width == 256]) == 273
    assert len([tile for tile in new_tiles(0, log.size) if tile.level == 1 and tile.width == 256]) == 1
    assert set(new_tiles(0, log.size)) == set(log.files)
    assert log.frontier.root == naive_root(log.entries)
    assert read_frontier(log.size, log.files) == log.frontier


def test_a_tree_of_256_has_a_full_tile_and_one_hash_above():
    log = Log(entries(256))
    assert edge_tiles(256) == (Tile(1, 0, 1),)
    assert set(log.files) == {Tile(ENTRIES, 0), Tile(0, 0), Tile(1, 0, 1)}
    assert read_frontier(256, log.files) == log.frontier


def test_nothing_added_changes_nothing():
    assert grow(Frontier(), []) == grow(grow(Frontier(), []).frontier, [])
    assert Frontier().root == EMPTY_ROOT
    assert read_frontier(0, {}) == Frontier()
    assert new_tiles(9, 9) == ()


def test_a_frontier_is_not_read_from_other_files():
    log = Log(entries(300))
    for broken, why in (
        ({tile: data for tile, data in log.files.items() if tile.level != 1}, "missing"),
        (log.files | {Tile(0, 1, 44): log.files[Tile(0, 1, 44)][:-32]}, "width"),
        (log.files | {Tile(ENTRIES, 1, 44): encode_bundle(entries(44))}, "do not hash"),
        (log.files | {Tile(ENTRIES, 1, 44): log.files[Tile(ENTRIES, 1, 44)][:-1]}, "cut"),
    ):
        with pytest.raises(LedgerFormError, match=why):
            read_frontier(300, broken)


def test_entries_have_at_most_65535_bytes():
    assert entries_of(encode_bundle([b"x" * ENTRY_BYTES_MAX, b""])) == [b"x" * ENTRY_BYTES_MAX, b""]
    with pytest.raises(LedgerFormError, match="at most 65535"):
        grow(Frontier(), [b"x" * (ENTRY_BYTES_MAX + 1)])


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_come_back_as_they_were(some):
    assert entries_of(encode_bundle(some)) == some


def test_a_cut_bundle_is_noticed():
    whole = encode_bundle([b"abc", b"defg"])
    for size in range(1, len(whole)):
        if size != 5:
            with pytest.raises(LedgerFormError, match="cut"):
                entries_of(whole[:size])
    with pytest.raises(LedgerFormError, match="at most 256"):
        entries_of(encode_bundle([b""] * 257))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(ENTRIES, 1_234_067), "tile/entries/x001/x234/067"),
        (Tile(63, 1000, 1), "tile/63/x001/000.p/1"),
        (Tile(1, 999_999, 255), "tile/1/x999/999.p/255"),
    ],
)
def test_paths(tile, path):
    assert tile.path == path
    assert parse_tile_path(path) == tile
    assert tile.whole.path == path.partition(".p/")[0]


@given(st.builds(Tile, st.integers(ENTRIES, 63), st.integers(0, TREE_SIZE_MAX), st.integers(1, 256)))
def test_every_tile_has_one_path(tile):
    assert parse_tile_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/1",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/data/001",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/001.p/0",
        "tile/0/001.p/01",
        "tile/0/001.p/256",
        "tile/0/001.p/999",
        "tile/0/001.p/",
        "tile/0/001/",
        "/tile/0/001",
        "tile/0/../001",
        "tile/0/\u0661\u0661\u0661",
        "tile/0/001\n",
        f"tile/0/{'x001/' * 2000}001",
        "checkpoint",
    ],
)
def test_other_paths_are_refused(path):
    with pytest.raises(LedgerFormError, match="no path"):
        parse_tile_path(path)


def test_a_tile_outside_the_tree():
    assert tile_at(0, 1, 300) == Tile(0, 1, 44)
    for level, index, size in ((0, 2, 300), (0, 0, 0), (1, 0, 255), (ENTRIES, 1, 256)):
        with pytest.raises(ValueError, match="no such tile"):
            tile_at(level, index, size)


def test_hashes():
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(leaf_hash(b""), leaf_hash(b"\0")).hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
