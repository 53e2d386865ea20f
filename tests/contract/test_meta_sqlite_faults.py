"""The SQLite store when the disk refuses: nothing half done, nothing acknowledged, and back to work without a restart."""

import asyncio
import resource
from contextlib import contextmanager

import apsw
import pytest
from tests.contract.meta_fixtures import BUCKET, ManualClock, a_version, entry, write

from siegel.domain.errors import StorageError, StorageFullError
from siegel.drivers.meta.sqlite import create_store, open_store
from siegel.drivers.meta.sqlite_connection import storage_error

BODY = bytes(5000)


@pytest.fixture
def store(tmp_path):
    made = create_store(tmp_path, bytes(32), ManualClock())
    write(made, lambda writer: writer.objects.insert(a_version("before", 1), BODY), entry("before"))
    yield made
    made.close()


@contextmanager
def no_file_grows_beyond(size_bytes):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def the_log_does_not_grow(tmp_path):
    with no_file_grows_beyond((tmp_path / "siegel.db-wal").stat().st_size):
        yield


def put(number):
    return lambda writer: writer.objects.insert(a_version(f"k{number:03}", number), BODY)


def names(store):
    return [version.object_key for version in store.reader.objects.scan_versions(BUCKET, "", None, None, 1000)]


def journaled(store):
    return [kept.request_id for _, batch in store.entries(0, 1000) for kept in batch]


async def all_at_once(store, numbers):
    return await asyncio.gather(*(store.write(put(n), entry(str(n))) for n in numbers), return_exceptions=True)


def test_a_commit_that_the_disk_refuses_fails_for_all_of_its_batch(store, tmp_path):
    with the_log_does_not_grow(tmp_path):
        results = asyncio.run(all_at_once(store, range(2, 12)))
        assert all(type(result) is StorageError for result in results)
        assert len({id(result) for result in results}) == 10
        assert names(store) == ["before"]
        assert journaled(store) == ["before"]
        with pytest.raises(StorageError):
            asyncio.run(store.append(entry()))


def test_entries_alone_that_the_disk_refuses_are_in_no_journal(store, tmp_path):
    with the_log_does_not_grow(tmp_path), pytest.raises(StorageError):
        asyncio.run(store.append(entry("refused")))
    assert journaled(store) == ["before"]
    asyncio.run(store.append(entry("kept")))
    assert journaled(store) == ["before", "kept"]


def test_a_refused_commit_is_still_undone_after_opening_again(store, tmp_path):
    with the_log_does_not_grow(tmp_path):
        asyncio.run(all_at_once(store, range(2, 12)))
    store.close()
    again = open_store(tmp_path, bytes(32), ManualClock())
    assert names(again) == ["before"]
    again.close()


def test_the_store_goes_on_when_the_disk_does(store, tmp_path):
    with the_log_does_not_grow(tmp_path):
        asyncio.run(all_at_once(store, range(2, 12)))
        asyncio.run(all_at_once(store, range(2, 12)))
    assert all(not isinstance(result, Exception) for result in asyncio.run(all_at_once(store, range(12, 22))))
    assert names(store) == ["before", *(f"k{number:03}" for number in range(12, 22))]
    assert journaled(store) == ["before", *(str(number) for number in range(12, 22))]


def test_an_invalidation_that_was_not_committed_leaves_the_counter_settled(store, tmp_path):
    with the_log_does_not_grow(tmp_path):

        def change(writer):
            writer.invalidate()
            return put(2)(writer)

        with pytest.raises(StorageError):
            write(store, change)
    assert store.generation() == store.generation()


def test_a_database_without_room_says_so_and_goes_on_when_there_is_room(store):
    connection = store._engine._connection
    connection.pragma("max_page_count", connection.pragma("page_count") + 4)
    results = asyncio.run(all_at_once(store, range(2, 20)))
    assert {type(result) for result in results} == {StorageFullError}
    assert names(store) == ["before"]
    asyncio.run(store.append(entry("small")))
    connection.pragma("max_page_count", 1_000_000)
    asyncio.run(all_at_once(store, range(2, 20)))
    assert len(names(store)) == 19


class RefusingConnection:
    """A connection of which one call fails."""

    def __init__(self, connection, call):
        self._connection = connection
        self._call = call

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def wal_checkpoint(self, **options):
        self._refuse("checkpoint")
        return self._connection.wal_checkpoint(**options)

    def execute(self, sql):
        self._refuse(sql)
        return self._connection.execute(sql)

    def _refuse(self, call):
        if call == self._call:
            raise apsw.IOError("disk I/O error")


def test_a_checkpoint_that_the_disk_refuses_loses_nothing(store, monkeypatch):
    monkeypatch.setattr(store._engine, "_connection", RefusingConnection(store._engine._connection, "checkpoint"))
    monkeypatch.setattr(store._engine, "_checkpoint_at", 1)
    write(store, put(2))
    # The log is folded in after the answer; the next write waits for that.
    write(store, put(3))
    assert store._engine._checkpoint_at > 1
    assert names(store) == ["before", "k002", "k003"]


def test_a_transaction_that_can_be_neither_committed_nor_undone_is_given_up(store, monkeypatch):
    monkeypatch.setattr(store._engine, "_connection", RefusingConnection(store._engine._connection, "ROLLBACK"))

    def spoil(writer):
        raise ValueError("spoiled")

    with pytest.raises(ValueError, match="spoiled"):
        write(store, spoil)
    write(store, put(3))
    assert names(store) == ["before", "k003"]


def test_a_connection_that_cannot_be_opened_again_fails_the_batch_alone(store, tmp_path, monkeypatch):
    with the_log_does_not_grow(tmp_path):
        asyncio.run(all_at_once(store, [2]))

    def refuse():
        raise StorageError("not now")

    with monkeypatch.context() as patch:
        patch.setattr(store._engine, "_connect", refuse)
        with pytest.raises(StorageError, match="not now"):
            write(store, put(3))
    write(store, put(4))
    assert names(store) == ["before", "k004"]


@pytest.mark.parametrize(
    ("error", "system_errno", "named"),
    [
        (apsw.FullError("full"), 0, StorageFullError),
        (apsw.IOError("sync"), 28, StorageFullError),
        (apsw.IOError("sync"), 122, StorageFullError),
        (apsw.IOError("sync"), 5, StorageError),
        (apsw.CorruptError("malformed"), 0, StorageError),
    ],
)
def test_errors_of_the_database_are_named(error, system_errno, named):
    assert type(storage_error(error, system_errno)) is named
