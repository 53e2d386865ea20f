"""The integrator: every entry of the journal ends in its account's log, once, under a head that was read back."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.unit.service.ledger_books import ACCOUNT, OTHER, START_MS, Books

from siegel.domain.absences import NoSuchLedgerFileError
from siegel.domain.entry import Entry
from siegel.domain.errors import SealBrokenError, StorageError
from siegel.domain.logs import DEPLOYMENT_LOG
from siegel.drivers.system import SystemRandomness
from siegel.ledger.bundles import encode_bundle, entries_of
from siegel.service.ledgers import integrator
from siegel.service.ledgers.erasing import Eraser
from siegel.service.ledgers.integrator import HEARTBEAT_MS
from siegel.service.ledgers.waiting import waiting_accounts


@pytest.fixture
def books():
    return Books()


def test_entries_come_into_the_log_of_their_account_in_order(books):
    books.note(3)
    books.note(1, OTHER)
    books.note(2)
    done = books.round()
    assert (done.entries, done.heads) == (6, 2)
    assert books.requests() == [1, 2, 3, 5, 6]
    assert books.requests(OTHER) == [4]
    assert books.store.oldest(9, 9) == []
    assert books.checkpoint().checkpoint.origin == f"siegel.test/{ACCOUNT}"


def test_what_concerns_no_account_is_in_the_log_of_the_deployment(books):
    books.note(1, account_id="")
    books.round()
    assert books.requests(DEPLOYMENT_LOG) == [1]


def test_an_entry_says_what_the_journal_said(books):
    books.note(
        bucket_id=7, version_id="v", byte_range="0-9", status=206, reason="r", source="::1", permit="statement", key_ids=("k",),
        consent_id="c", manifest=b"m", key_call_id="r",
    )  # fmt: skip
    books.clock.ms += 50
    books.round()
    ((leaf,), (opening,)) = books.leaves()
    facts = leaf.facts
    assert leaf.recorded_at_ms == facts.asked_at_ms == START_MS
    assert (facts.kind, facts.status, facts.reason, facts.bucket_id) == ("object.read", 206, "r", 7)
    assert (facts.version_id, facts.byte_range, facts.key_ids, facts.consent_id) == ("v", "0-9", ("k",), "c")
    assert facts.key_call_id == "r"
    assert (opening.principal, opening.source, opening.permit) == ("ann", "::1", "statement")
    assert (opening.bucket, opening.object_key) == ("box", "key 1")


@pytest.mark.parametrize(
    ("kind", "object_key", "key_ids"),
    [
        ("kms.decrypt", "arn:aws:kms:eu-central-1:111122223333:key/k-1", ("k-1",)),
        ("kms.create_alias", "", ()),
        ("object.read", "a:key/b", ()),
    ],
)
def test_the_entry_of_a_call_of_the_key_service_says_which_key(books, kind, object_key, key_ids):
    books.note(kind=kind, object_key=object_key)
    books.round()
    assert books.leaves()[0][0].facts.key_ids == key_ids


@pytest.mark.parametrize("request_id", ["", "none", "x" * 16])
def test_no_request_id_keeps_entries_out(books, request_id):
    asyncio.run(
        books.store.append(Entry(at_ms=0, request_id=request_id, kind="k", account_id=ACCOUNT, principal="steward", bucket=""))
    )
    books.round()
    assert [leaf.request_id for leaf in books.leaves()[0]] == [""]


@pytest.mark.parametrize("counts", [[255, 1], [256], [257, 255, 1], [1, 700], [300, 300]])
def test_bundles_and_tiles_hold_across_their_borders(books, counts):
    for count in counts:
        books.note(count)
        while books.round().is_behind:
            pass
    assert books.requests() == list(range(1, sum(counts) + 1))


def test_a_log_goes_on_after_a_new_start(books):
    for count in (300, 5, 260):
        books.note(count)
        books.round(books.new_steward())
    assert books.requests() == list(range(1, 566))


def test_a_round_takes_so_much_and_no_more(books, monkeypatch):
    monkeypatch.setattr(integrator, "ENTRIES_MAX", 4)
    books.note(10)
    done = [books.round() for _ in range(4)]
    assert [(one.entries, one.is_behind) for one in done] == [(4, True), (4, True), (2, False), (0, False)]
    assert books.requests() == list(range(1, 11))


class DyingStore:
    """The store as a steward sees it who is killed before or behind his nth transaction."""

    def __init__(self, inner, deaths_at, *, behind):
        self._inner, self._left, self._behind = inner, deaths_at, behind
        self.reader = inner.reader
        self.oldest, self.collect = inner.oldest, inner.collect

    async def write(self, change, entry):
        self._left -= 1
        if not self._left and not self._behind:
            raise KilledError
        result = await self._inner.write(change, entry)
        if not self._left:
            raise KilledError
        return result


class KilledError(Exception):
    """The steward is gone."""


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("behind", [False, True])
def test_a_steward_that_is_killed_leaves_nothing_out_and_nothing_twice(books, number, behind):
    books.note(200)
    books.round()
    books.note(100)
    with pytest.raises(KilledError):
        books.round(books.new_steward(DyingStore(books.store, number, behind=behind)))
    books.note(3)
    before = books.checkpoint().checkpoint
    assert before.size == (300 if number == 2 and behind else 200)
    books.round(books.new_steward())
    assert books.requests() == list(range(1, 304))


def test_of_two_stewards_one_comes_too_late_and_no_entry_is_in_twice(books):
    late = books.new_steward(LateStore(books))
    books.note(5)
    with pytest.raises(StorageError, match="another steward"):
        books.round(late)
    assert books.requests() == [1, 2, 3, 4, 5]
    books.note(2)
    assert books.round(books.new_steward()).entries == 2
    assert books.requests() == [1, 2, 3, 4, 5, 6, 7]


class LateStore:
    """The store as a steward sees it whom another one overtakes before each of his transactions."""

    def __init__(self, books):
        self._books = books
        self.reader = books.store.reader
        self.oldest, self.collect = books.store.oldest, books.store.collect

    async def write(self, change, entry):
        await self._books.steward.run_once()
        return await self._books.store.write(change, entry)


def test_of_two_heads_of_one_log_one_is_stored(books):
    books.note(5)
    with pytest.raises(KilledError):
        books.round(books.new_steward(DyingStore(books.store, 2, behind=False)))
    books.clock.ms += 1000
    late = books.new_steward(LateStore(books))
    assert books.round(late).heads == 0
    assert books.checkpoint().checkpoint.size == 5


def test_an_idle_log_is_signed_again_and_says_the_time(books):
    books.note(3)
    books.round()
    first = books.checkpoint()
    books.clock.ms += HEARTBEAT_MS
    assert books.round().heads == 0
    books.clock.ms += 1
    assert books.round().heads == 1
    again = books.checkpoint()
    assert again.checkpoint == first.checkpoint
    assert max(again.signed.values()) - max(first.signed.values()) == HEARTBEAT_MS // 1000
    assert books.round().heads == 0


def tampered(books, entry_number, change):
    """Change one stored entry."""
    for run in books.store._tables.runs.rows():
        entries = entries_of(run.entries)
        if run.first <= entry_number < run.first + run.count:
            entries[entry_number - run.first] = change(entries[entry_number - run.first])
            books.store._tables.runs.put((run.log_id, run.first), replace(run, entries=encode_bundle(entries)))
            return


def test_no_head_is_signed_over_entries_that_were_changed_before_it(books):
    books.note(4)
    with pytest.raises(KilledError):
        books.round(books.new_steward(DyingStore(books.store, 1, behind=True)))
    tampered(books, 2, lambda entry: entry[:-1] + b"!")
    assert "do not hash" in books.stands()
    assert books.log().checkpoint == b""


def test_no_head_follows_one_whose_entries_were_changed_after_it(books):
    books.note(300)
    books.round()
    tampered(books, 280, lambda entry: entry[:-1] + b"!")
    books.note()
    assert "last head" in books.stands()
    assert books.log().head_size == 300


def test_no_head_follows_one_that_was_not_signed_by_the_log(books):
    books.note(3)
    books.round()
    log = books.log()
    books.note(3, OTHER)
    books.round()
    books.store._tables.logs.put((log.log_id,), replace(log, checkpoint=books.log(OTHER).checkpoint))
    books.note()
    assert "last head" in books.stands()


def test_an_older_state_of_the_store_is_noticed(books):
    books.note(3)
    books.round()
    older = books.log()
    books.note(2)
    books.round()
    # Put back as it was after the first round: the two entries behind it are gone.
    books.store._tables.runs.remove((older.log_id, 3))
    books.store._tables.logs.put((older.log_id,), older)
    books.note()
    assert "put back to an older state" in books.stands()
    assert books.log() == older
    # Whoever knows what he does takes the marks away.
    books.marks.clear()
    books.round(books.new_steward())
    assert books.requests() == [1, 2, 3, 6]


def test_another_history_of_the_same_size_is_noticed(books):
    books.note(3)
    books.round()
    books.marks[books.log().log_id] = 3, bytes(32)
    books.note()
    assert "put back" in books.stands()


def test_a_store_from_before_the_first_entry_is_noticed(books):
    books.marks[1] = 7, bytes(32)
    books.note()
    assert "put back" in books.stands()


@pytest.mark.parametrize("stewards", ["the same", "new ones"])
def test_a_damaged_log_holds_up_no_other_and_loses_nothing(books, stewards):
    steward = books.steward if stewards == "the same" else None
    books.note(300)
    books.note(2, OTHER)
    books.round()
    log = books.log()
    (run,) = books.store.reader.ledgers.runs(log.log_id, 256, 257)
    tampered(books, 280, lambda entry: entry[:-1] + b"!")
    books.steward = steward = books.new_steward()
    for turn in range(3):
        books.note(2)
        books.note(1, OTHER)
        done = books.round(steward if stewards == "the same" else books.new_steward())
        assert (done.entries, done.heads, list(done.standing)) == (1, 1, [ACCOUNT]), turn
    assert books.requests(OTHER) == [301, 302, 305, 308, 311]
    assert books.store.oldest(9, 9) == []
    assert list(waiting_accounts(books.store.reader)) == [ACCOUNT]
    # A head of the damaged log grows old, and nobody signs it again; nor does it keep others from it.
    books.clock.ms += HEARTBEAT_MS + 1
    assert (books.round().heads, books.log().signed_at_ms) == (1, log.signed_at_ms)
    # Mended, it takes up all that waited, in its order, and goes on.
    books.store._tables.runs.put((run.log_id, run.first), run)
    books.note(1)
    done = books.round(books.new_steward() if stewards == "new ones" else books.steward)
    assert (done.entries, done.standing) == (7, {})
    assert books.requests() == [*range(1, 301), 303, 304, 306, 307, 309, 310, 312]
    assert list(waiting_accounts(books.store.reader)) == []


def test_what_waits_comes_before_what_is_new_however_much_it_is(books, monkeypatch):
    books.note(1)
    books.note(1, OTHER)
    books.round()
    kept = books.log()
    books.store._tables.logs.put((kept.log_id,), replace(kept, checkpoint=books.log(OTHER).checkpoint))
    for _ in range(3):
        books.note(100)
        books.round(books.new_steward())
    books.store._tables.logs.put((kept.log_id,), kept)
    monkeypatch.setattr(integrator, "ENTRIES_MAX", 120)
    books.note(5)
    rounds = [books.round() for _ in range(4)]
    assert [(one.entries, one.is_behind) for one in rounds] == [(120, True), (120, True), (65, False), (0, False)]
    assert books.requests() == [1, *range(3, 308)]


def test_a_log_that_waits_for_its_head_alone_is_signed_first(books):
    books.note(3)
    with pytest.raises(KilledError):
        books.round(books.new_steward(DyingStore(books.store, 1, behind=True)))
    books.note(1)
    assert books.round(books.new_steward()).standing == {}
    assert books.requests() == [1, 2, 3, 4]


@pytest.mark.parametrize("behind", [False, True])
def test_a_steward_that_is_killed_while_a_log_takes_up_what_waited(books, behind):
    books.note(2)
    books.round()
    books.marks[books.log().log_id] = 3, bytes(32)
    books.note(4)
    books.round(books.new_steward())
    books.marks.clear()
    with pytest.raises(KilledError):
        books.round(books.new_steward(DyingStore(books.store, 1, behind=behind)))
    books.round(books.new_steward())
    assert books.requests() == [1, 2, 3, 4, 5, 6]


def test_of_two_stewards_one_takes_up_what_waited(books):
    books.note(2)
    books.round()
    books.marks[books.log().log_id] = 3, bytes(32)
    books.note(4)
    books.round(books.new_steward())
    books.marks.clear()
    with pytest.raises(StorageError, match="another steward"):
        books.round(books.new_steward(LateStore(books)))
    assert books.requests() == [1, 2, 3, 4, 5, 6]


def test_entries_that_went_missing_are_missed(books):
    books.note(2)
    books.round()
    books.store._tables.runs.remove((books.log().log_id, 0))
    books.note()
    assert "missing" in books.stands()
    with pytest.raises(StorageError, match="missing"):
        books.file("tile/entries/000.p/2")
    with pytest.raises(StorageError, match="missing"):
        books.file("openings/000.p/2")


def test_a_tile_that_went_missing_is_missed(books):
    books.note(256)
    books.round()
    books.store._tables.tiles.remove((books.log().log_id, 1, 0))
    with pytest.raises(StorageError, match="missing"):
        books.file("tile/1/000.p/1")


def test_nothing_is_shown_that_no_head_covers(books):
    books.note(2)
    assert books.file("checkpoint") is None
    with pytest.raises(KilledError):
        books.round(books.new_steward(DyingStore(books.store, 1, behind=True)))
    assert books.file("vkeys") is None
    books.round()
    assert books.file("tile/entries/000.p/3") is None
    assert books.file("openings/000.p/3") is None
    assert books.file("openings/000.p/x") is None
    assert books.file("nothing") is None


def test_secrets_and_openings_rest_sealed_for_their_place(books):
    books.note(1, principal="arn:aws:iam::111122223333:user/ann")
    books.note(1, OTHER)
    books.round()
    log, other = books.log(), books.log(OTHER)
    (run,) = books.store.reader.ledgers.runs(log.log_id, 0, 1)
    assert b"user/ann" not in run.sealed_openings + run.entries
    books.store._tables.logs.put((log.log_id,), replace(log, sealed_secrets=other.sealed_secrets))
    with pytest.raises(SealBrokenError):
        books.file("vkeys")
    books.store._tables.logs.put((log.log_id,), log)
    books.store._tables.runs.put((other.log_id, 0), replace(run, log_id=other.log_id))
    with pytest.raises(SealBrokenError):
        books.file("openings/000.p/1", OTHER)


def test_an_opening_goes_and_all_else_stays(books):
    for count in (3, 300):
        books.note(count)
        books.round()
    eraser = Eraser(books.store, books.custodian, SystemRandomness())
    entry = Entry(0, "", "ledger.opening.erase", ACCOUNT, "ann", "")
    for number in (0, 2, 3, 255, 256, 302):
        asyncio.run(eraser.erase(ACCOUNT, number, entry))
    leaves, openings = books.leaves()
    assert [number for number, opening in enumerate(openings) if opening is None] == [0, 2, 3, 255, 256, 302]
    assert len(leaves) == 303
    asyncio.run(eraser.erase(ACCOUNT, 0, entry))
    for account_id, number in ((ACCOUNT, 303), (OTHER, 0)):
        with pytest.raises(NoSuchLedgerFileError):
            asyncio.run(eraser.erase(account_id, number, entry))
    assert len(books.store.oldest(99, 99)) == 7


def test_no_secret_shows(books):
    books.note()
    books.round()
    secrets = books.steward._secrets_of(books.log())
    assert secrets.signers[0].seed.hex() not in repr(secrets.signers)
    with pytest.raises(SealBrokenError):
        type(secrets)("siegel.test/x", bytes(95))
