"""What every MetaStore keeps of the accounts' logs."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.contract.meta_fixtures import START_MS, entry, write

from siegel.domain.errors import StorageError
from siegel.domain.logs import Head, Log, Run


def a_log(account_id="111122223333", **fields):
    return Log(0, account_id, f"siegel.test/{account_id}", START_MS, b"secrets", **fields)


def a_run(log_id, first=0, entries=b"\0\1a", openings=b"sealed"):
    return Run(log_id, first, 1, entries, openings)


def insert(store, log=None):
    return write(store, lambda tx: tx.ledgers.insert(log or a_log()))


def grow(store, log, old_size, size, root=b"root"):
    return write(store, lambda tx: tx.ledgers.grow(log.log_id, old_size, size, root))


def sign(store, log, old_size, size, *, root=b"root", at_ms=START_MS):
    return write(store, lambda tx: tx.ledgers.put_head(Head(log.log_id, old_size, size, root, at_ms, b"note")))


class LedgersContract:
    """One promise of the port per test."""

    def test_a_log_comes_back_with_its_id(self, store):
        assert store.reader.ledgers.find("111122223333") is None
        made = insert(store)
        other = insert(store, a_log("999900001111"))
        assert made.log_id != other.log_id
        assert store.reader.ledgers.find("111122223333") == made == replace(a_log(), log_id=made.log_id)

    def test_an_account_has_one_log(self, store):
        insert(store)
        with pytest.raises(StorageError):
            insert(store)

    def test_logs_are_walked_in_order_and_their_secrets_sealed_anew(self, store):
        made = [insert(store, a_log(account)) for account in ("3", "1", "2")]
        assert store.reader.ledgers.scan(0, 9) == made
        assert store.reader.ledgers.scan(made[0].log_id, 1) == [made[1]]
        write(store, lambda tx: tx.ledgers.reseal(made[1].log_id, b"anew"))
        write(store, lambda tx: tx.ledgers.reseal(made[2].log_id + 1, b"nobody's"))
        assert store.reader.ledgers.scan(0, 9) == [made[0], replace(made[1], sealed_secrets=b"anew"), made[2]]

    def test_a_log_grows_only_from_the_size_it_has(self, store):
        log = insert(store)
        assert grow(store, log, 0, 3)
        assert not grow(store, log, 0, 4)
        assert not grow(store, replace(log, log_id=log.log_id + 1), 0, 4)
        found = store.reader.ledgers.find(log.account_id)
        assert (found.size, found.root) == (3, b"root")

    def test_a_head_moves_only_from_the_one_that_was_there_and_over_the_tree_as_it_is(self, store):
        log = insert(store)
        grow(store, log, 0, 3)
        assert not sign(store, log, 0, 2)
        assert not sign(store, log, 0, 3, root=b"other")
        assert not sign(store, log, 1, 3)
        assert sign(store, log, 0, 3, at_ms=START_MS + 1)
        assert not sign(store, log, 0, 3)
        found = store.reader.ledgers.find(log.account_id)
        assert (found.head_size, found.signed_at_ms, found.checkpoint) == (3, START_MS + 1, b"note")
        # The same head, later: a sign of life.
        assert sign(store, log, 3, 3, at_ms=START_MS + 2)

    def test_a_witnessed_head_gives_way_to_newer_ones_alone(self, store):
        log = insert(store)
        grow(store, log, 0, 3)
        sign(store, log, 0, 3, at_ms=START_MS + 5)

        def put(size, at_ms, note, log_id=log.log_id):
            return write(store, lambda tx: tx.ledgers.put_witnessed(log_id, size, at_ms, note))

        assert not put(4, START_MS + 5, b"of nobody")
        assert put(3, START_MS + 5, b"first")
        assert not put(3, START_MS + 5, b"again")
        assert not put(2, START_MS + 4, b"older")
        assert not put(3, START_MS + 6, b"another's", log.log_id + 1)
        found = store.reader.ledgers.find(log.account_id)
        assert (found.witnessed_size, found.witnessed_at_ms, found.witnessed) == (3, START_MS + 5, b"first")
        assert put(3, START_MS + 6, b"second")

    def test_logs_that_wait_for_a_head_are_found(self, store):
        first, second, third = (insert(store, a_log(account)) for account in ("1", "2", "3"))
        for log in (first, second, third):
            grow(store, log, 0, 1)
        assert {log.log_id for log in store.reader.ledgers.unsigned(9)} == {first.log_id, second.log_id, third.log_id}
        sign(store, second, 0, 1, at_ms=START_MS + 5)
        sign(store, first, 0, 1, at_ms=START_MS)
        assert [log.account_id for log in store.reader.ledgers.unsigned(9)] == ["3"]
        grow(store, second, 1, 2)
        assert [log.account_id for log in store.reader.ledgers.unsigned(9)] == ["3", "2"]
        assert [log.account_id for log in store.reader.ledgers.unsigned(1)] == ["3"]

    def test_logs_are_found_by_the_age_of_their_heads(self, store):
        first, second = (insert(store, a_log(account)) for account in ("1", "2"))
        for log, at_ms in ((first, START_MS + 7), (second, START_MS + 3)):
            grow(store, log, 0, 1)
            sign(store, log, 0, 1, at_ms=at_ms)
        assert [log.account_id for log in store.reader.ledgers.signed_before(START_MS + 8, 9)] == ["2", "1"]
        assert [log.account_id for log in store.reader.ledgers.signed_before(START_MS + 7, 9)] == ["2"]
        assert [log.account_id for log in store.reader.ledgers.signed_before(START_MS + 8, 1)] == ["2"]

    def test_runs_come_back_in_order_and_within_bounds(self, store):
        log, other = insert(store), insert(store, a_log("2"))
        for first in (5, 0, 9):
            write(store, lambda tx, first=first: tx.ledgers.add_run(a_run(log.log_id, first)))
        write(store, lambda tx: tx.ledgers.add_run(a_run(other.log_id, 1)))
        assert store.reader.ledgers.runs(log.log_id, 0, 9) == [a_run(log.log_id, 0), a_run(log.log_id, 5)]
        assert store.reader.ledgers.runs(log.log_id, 1, 10) == [a_run(log.log_id, 5), a_run(log.log_id, 9)]

    def test_no_entry_is_written_over(self, store):
        log = insert(store)
        write(store, lambda tx: tx.ledgers.add_run(a_run(log.log_id)))
        with pytest.raises(StorageError):
            write(store, lambda tx: tx.ledgers.add_run(a_run(log.log_id, entries=b"\0\1b")))
        assert store.reader.ledgers.runs(log.log_id, 0, 1) == [a_run(log.log_id)]

    def test_openings_change_and_entries_stay(self, store):
        log = insert(store)
        write(store, lambda tx: tx.ledgers.add_run(a_run(log.log_id)))
        write(store, lambda tx: tx.ledgers.put_openings(log.log_id, 0, b"erased"))
        write(store, lambda tx: tx.ledgers.put_openings(log.log_id, 7, b"nobody's"))
        assert store.reader.ledgers.runs(log.log_id, 0, 9) == [a_run(log.log_id, openings=b"erased")]

    def test_a_tile_becomes_wider(self, store):
        log = insert(store)
        assert store.reader.ledgers.tile(log.log_id, 1, 0) == b""
        for hashes in (b"1", b"12"):
            write(store, lambda tx, hashes=hashes: tx.ledgers.put_tile(log.log_id, 1, 0, hashes))
        assert store.reader.ledgers.tile(log.log_id, 1, 0) == b"12"
        assert store.reader.ledgers.tile(log.log_id, 2, 0) == store.reader.ledgers.tile(log.log_id, 1, 1) == b""

    def test_the_oldest_batches_come_first_with_the_time_of_their_commit(self, store, clock):
        for number in range(4):
            clock.ms = START_MS + number
            asyncio.run(store.append(entry(str(number))))
        batches = store.oldest(9, 9)
        assert [batch.recorded_at_ms for batch in batches] == [START_MS + number for number in range(4)]
        assert [kept.request_id for batch in batches for kept in batch.entries] == list("0123")
        assert store.oldest(2, 9) == batches[:2]
        assert store.oldest(9, 3) == batches[:3]

    def test_batches_are_taken_in_the_transaction_that_does(self, store):
        assert store.last_batch() == 0
        for number in range(4):
            asyncio.run(store.append(entry(str(number))))
        first, second, *_ = (batch.number for batch in store.oldest(9, 9))

        def take(tx):
            assert tx.ledgers.take_journal(first, second) == 2
            raise ValueError("undone")

        with pytest.raises(ValueError, match="undone"):
            write(store, take)
        assert len(store.oldest(9, 9)) == 4
        assert write(store, lambda tx: tx.ledgers.take_journal(first, second)) == 2
        assert [kept.request_id for batch in store.oldest(9, 9) for kept in batch.entries] == ["2", "3"]
        assert store.last_batch() == second + 2
        write(store, lambda tx: tx.ledgers.take_journal(first, second + 2))
        assert store.last_batch() == second + 2
        assert store.oldest(9, 9) == []
        asyncio.run(store.append(entry("4")))
        # A batch's number is never given again.
        assert [batch.number for batch in store.oldest(9, 9)] == [second + 3]

    @pytest.mark.parametrize(
        "change",
        [
            lambda ledgers: ledgers.insert(a_log("2")),
            lambda ledgers: ledgers.grow(1, 0, 1, b""),
            lambda ledgers: ledgers.reseal(1, b""),
            lambda ledgers: ledgers.put_witnessed(1, 1, 1, b""),
            lambda ledgers: ledgers.add_run(a_run(1)),
            lambda ledgers: ledgers.put_openings(1, 0, b""),
            lambda ledgers: ledgers.put_tile(1, 1, 0, b""),
            lambda ledgers: ledgers.put_head(Head(1, 0, 1, b"", 0, b"")),
            lambda ledgers: ledgers.take_journal(0, 9),
        ],
    )
    def test_nothing_of_a_log_is_written_outside_a_transaction(self, store, change):
        with pytest.raises(StorageError):
            change(store.reader.ledgers)
