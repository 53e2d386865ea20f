"""An entry of the past that was rewritten is named, however far back, with what was there and what is there, each proven."""

import pytest
from tests.unit.customer.ledgers import WITNESSES, Desk, entries, entry, log_of, verified
from tests.unit.ledger.log import Log, policy_text

from siegel.customer.audit.dates import Promise
from siegel.customer.audit.findings import Name
from siegel.customer.audit.receipts import check_receipt
from siegel.ledger.bundles import encode_bundle
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.policies import read_policy
from siegel.ledger.tiles import ENTRIES, tile_at


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("size", "index", "more"),
    [*((700, index, more) for index in (0, 3, 255, 256, 511, 600) for more in (0, 5, 300)), (66_000, 65_700, 5)],
)
def test_a_rewritten_entry_is_named_with_what_was_there_and_proven_twice(tmp_path, size, index, more):
    desk = Desk(tmp_path, promise=Promise(max_age_s=100_000))
    policy = read_policy(policy_text("all", witnesses=WITNESSES))
    honest = entries(size)
    assert desk.publish(Log(honest)).sync().report.holds()
    forged = Log([*honest[:index], entry(index, request=4711), *honest[index + 1 :], *entries(more, size)])
    done = desk.publish(forged).sync()
    (finding,) = (one for one in done.report.findings if one.evidence.get("entry") == index)
    assert (finding.check, finding.message) == (Name.CONSISTENCY, f"entry {index} is another one than was verified before")
    for word, data, what, kept in (
        ("before", honest[index], "before.tlog-proof", size),
        ("now", forged.entries[index], "now.tlog-proof", forged.size),
    ):
        assert f"with the hash {leaf_hash(data).hex()}" in finding.evidence[word]
        receipt = check_receipt((done.evidence / what).read_bytes(), policy)
        assert (receipt.index, receipt.entry, receipt.judgement.checkpoint.size) == (index, data, kept)
    tile = tile_at(ENTRIES, index // 256, forged.size)
    assert (done.evidence / "ledger" / tile.path).read_bytes() == forged.files[tile]
    # The mirror is as it was, and the same is found again.
    assert verified(desk).holds()
    again = desk.sync()
    assert again.report.findings == done.report.findings
    assert again.evidence == done.evidence


def test_a_forger_who_shows_the_tree_of_before_is_found_and_no_entry_is_named(desk):
    """Nor is one where his files cannot be had, or are none."""
    honest = entries(700)
    assert desk.publish(Log(honest)).sync().report.holds()
    forged = Log([*honest[:3], entry(3, request=4711), *honest[4:], *entries(5, 700)])
    for path, data in (
        ("tile/0/000", Log(honest).files[tile_at(0, 0, 700)]),
        ("tile/0/000", b"short"),
        ("tile/0/000", None),
        ("tile/entries/000", b"\xff"),
        ("tile/entries/000", None),
    ):
        desk.publish(forged)
        place = desk.ledger / path
        place.unlink() if data is None else place.write_bytes(data)
        report = desk.sync().report
        assert not report.holds(Name.ENTRIES, Name.TILES, Name.CONSISTENCY)
        named = [finding.evidence for finding in report.findings if "entry" in finding.evidence]
        assert [(each["entry"], each["now"]) for each in named] == ([(3, "it is not shown")] if "entries" in path else [])


def test_an_entry_that_was_changed_in_the_mirror_is_named_with_what_is_stored(desk):
    assert desk.publish(log_of(700)).sync().report.holds()
    path = desk.book.folder / "ledger" / "tile" / "entries" / "000"
    changed = entry(77, request=4711)
    path.write_bytes(encode_bundle([*entries(77), changed, *entries(178, 78)]))
    (finding,) = (one for one in verified(desk).findings if one.check is Name.ENTRIES)
    assert finding.message == "entry 77 does not hash to what the tree says of it"
    assert finding.evidence["tree"] == leaf_hash(entry(77)).hex()
    assert finding.evidence["stored"].endswith(f"with the hash {leaf_hash(changed).hex()}")
