"""Readers of the SQLite store hold what they read by, and nobody can tell but by the pages that are not read again."""

import asyncio
import signal
from contextlib import contextmanager
from functools import partial

import apsw
import pytest
from tests.contract.meta_fixtures import BUCKET, ManualClock, a_bucket, a_version, entry, start_writer

from siegel.domain.errors import StorageError
from siegel.domain.logs import Head, Log, Run
from siegel.domain.objects import Account, Credential, CredentialKind
from siegel.drivers.meta.sqlite import create_store, open_store
from siegel.drivers.meta.sqlite_connection import connect

KEY = bytes(range(32))
ACCOUNT = "111122223333"


@pytest.fixture
def directory(tmp_path):
    create_store(tmp_path, KEY, ManualClock()).close()
    return tmp_path


@contextmanager
def opened(directory, count):
    stores = [open_store(directory, KEY, ManualClock()) for _ in range(count)]
    yield stores
    for store in stores:
        store.close()


def put(name, number=1, body=b"body"):
    return lambda tx: tx.objects.insert(a_version(name, number), body)


def find(store, name):
    return store.reader.objects.find_current(BUCKET, name, with_body=True)


def holds(store):
    return store._connection.in_transaction


def hold(store):
    """Read until the store holds what it reads by."""
    find(store, "a")
    find(store, "a")
    assert holds(store)


def pages_read(store):
    return store._connection.status(apsw.SQLITE_DBSTATUS_CACHE_MISS, True)[0]


def test_no_page_is_read_again_while_others_add_to_the_journal_alone(directory):
    async def main():
        with opened(directory, 2) as (reader, writer):
            await writer.write(put("a"), None)
            hold(reader)
            pages_read(reader)
            for number in range(20):
                await writer.append(entry(str(number)))
                assert find(reader, "a").body == b"body"
            assert pages_read(reader) == 0

    asyncio.run(main())


def test_nor_does_what_takes_entries_into_a_log(directory):
    async def main():
        with opened(directory, 2) as (reader, writer):
            await writer.write(put("a"), None)
            log = await writer.write(lambda tx: tx.ledgers.insert(Log(0, ACCOUNT, "origin", 1, b"", 0, b"", 0, 0, b"")), None)
            hold(reader)
            pages_read(reader)

            def integrate(tx, number):
                tx.ledgers.take_journal(1, 100)
                tx.ledgers.add_run(Run(log.log_id, number, 1, b"entries", b"openings"))
                tx.ledgers.put_tile(log.log_id, 0, number, b"hashes")
                assert tx.ledgers.grow(log.log_id, number, number + 1, b"root")
                assert tx.ledgers.put_head(Head(log.log_id, number, number + 1, b"root", 1, b"checkpoint"))

            for number in range(5):
                await writer.append(entry(str(number)))
                await writer.write(partial(integrate, number=number), None)
                assert find(reader, "a").body == b"body"
                assert holds(reader)
            assert pages_read(reader) == 0
            # Whoever asks for the log sees all of it.
            assert reader.reader.ledgers.find(ACCOUNT).head_size == 5
            assert [run.first for run in reader.reader.ledgers.runs(log.log_id, 0, 9)] == [0, 1, 2, 3, 4]

    asyncio.run(main())


CHANGES = {
    "an object": (put("b"), lambda reader: reader.objects.find_current(BUCKET, "b")),
    "a bucket": (lambda tx: tx.buckets.insert(a_bucket("new")), lambda reader: reader.buckets.find("new")),
    "a document": (lambda tx: tx.records.put("s", "k", "n", b"new"), lambda reader: reader.records.find("s", "k", "n")),
    "an account": (
        lambda tx: tx.identities.insert_account(Account(ACCOUNT, "new", 1, b"")),
        lambda reader: reader.identities.find_account(ACCOUNT),
    ),
    "an access key": (
        lambda tx: tx.identities.insert_credential(Credential("SGL1", CredentialKind.ROOT, ACCOUNT, 1, b"")),
        lambda reader: reader.identities.find_credential("SGL1"),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_another_store_has_acknowledged_is_seen_by_the_next_read(directory, what):
    change, look = CHANGES[what]

    async def main():
        with opened(directory, 2) as (reader, writer):
            await writer.write(put("a"), None)
            hold(reader)
            assert not look(reader.reader)
            assert holds(reader)
            await writer.write(change, entry())
            assert look(reader.reader)

    asyncio.run(main())


def test_entries_are_seen_at_once_by_who_reads_the_journal(directory):
    async def main():
        with opened(directory, 2) as (reader, writer):
            await writer.write(put("a"), None)
            hold(reader)
            await writer.append(entry())
            assert reader.last_batch() == 1
            await writer.append(entry())
            assert [batch for batch, _ in reader.entries(0, 10)] == [1, 2]
            await writer.append(entry())
            assert [batch.number for batch in reader.oldest(10, 10)] == [1, 2, 3]

    asyncio.run(main())


def test_an_acknowledged_write_of_another_process_is_seen_while_entries_of_reads_come_between(directory):
    async def main():
        with opened(directory, 1) as (reader,):
            await reader.write(put("a"), None)
            process = start_writer(directory, "other", 60)
            for line in process.stdout:
                assert find(reader, line.strip()) is not None
                await reader.append(entry())
                find(reader, "a")
            process.stdout.close()
            assert process.wait(60) == 0
            hold(reader)

    asyncio.run(main())


@pytest.mark.parametrize("moment", ["meta.before_commit", "meta.after_commit"])
def test_what_a_process_wrote_that_died_around_its_commit_is_seen_or_was_never_there(directory, moment):
    async def main():
        with opened(directory, 1) as (reader,):
            await reader.write(put("a"), None)
            hold(reader)
            victim = start_writer(directory, "victim", 1, f"{moment}:1")
            victim.communicate(timeout=60)
            assert victim.returncode == -signal.SIGKILL
            assert (find(reader, "victim-0") is not None) == (moment == "meta.after_commit")
            # Nothing is held until the next transaction, whatever it is about, has settled what the dead one left.
            find(reader, "a")
            find(reader, "a")
            assert not holds(reader)
            await reader.append(entry())
            hold(reader)

    asyncio.run(main())


def test_the_log_stays_small_while_others_hold_what_they_read_by(directory, monkeypatch):
    engine = "siegel.drivers.meta.sqlite_engine"
    monkeypatch.setattr(f"{engine}.CHECKPOINT_PAGES", 60)
    monkeypatch.setattr(f"{engine}.CHECKPOINT_AGAIN_PAGES", 20)
    monkeypatch.setattr(f"{engine}.FULL_PAGES", 45)
    log = directory / "siegel.db-wal"

    async def main():
        largest = held = 0
        with opened(directory, 3) as (writer, *readers):
            await writer.write(put("a"), None)
            for number in range(400):
                await writer.write(lambda _: None, entry(str(number), reason="x" * 3000))
                # Each holds at moments of its own, and none of them is ever idle.
                for each, reader in enumerate(readers):
                    if number % (each + 2) == 0:
                        find(reader, "a")
                        held += holds(reader)
                largest = max(largest, log.stat().st_size)
        return largest, held

    largest, held = asyncio.run(main())
    assert held > 100
    assert largest < 100 * 4200


def test_a_reader_that_stops_reading_lets_go(directory):
    async def main():
        with opened(directory, 1) as (reader,):
            await reader.write(put("a"), None)
            hold(reader)
            for _ in range(3000):
                if holds(reader):
                    await asyncio.sleep(0.01)
            assert not holds(reader)
            hold(reader)

    asyncio.run(main())


def test_nothing_is_held_where_no_event_loop_would_end_it(directory):
    with opened(directory, 1) as (store,):
        asyncio.run(store.write(put("a"), None))
        for _ in range(3):
            find(store, "a")
            assert not holds(store)


def test_what_was_held_in_a_loop_that_has_ended_shows_nothing_old(directory):
    async def main(store):
        hold(store)

    with opened(directory, 2) as (reader, writer):
        asyncio.run(writer.write(put("a"), None))
        asyncio.run(main(reader))
        assert holds(reader)
        asyncio.run(writer.write(put("b"), None))
        assert find(reader, "b") is not None
        assert not holds(reader)


def test_a_read_that_fails_lets_go(directory):
    async def main():
        with opened(directory, 1) as (reader,):
            await reader.write(put("a"), None)
            hold(reader)
            with pytest.raises(StorageError, match="no such table"):
                reader._statements.rows("SELECT * FROM missing")
            assert not holds(reader)
            hold(reader)

    asyncio.run(main())


def test_a_store_that_holds_can_be_closed_and_its_log_goes(directory):
    async def main():
        with opened(directory, 1) as (reader,):
            await reader.write(put("a"), None)
            hold(reader)
        assert not (directory / "siegel.db-wal").exists()
        connect(directory / "siegel.db", KEY, cache_kib=100).close()

    asyncio.run(main())
