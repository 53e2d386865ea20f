"""What every BlobStore keeps. A driver's tests derive from `BlobStoreContract` and give it a store.

Times: a driver whose `make_store` uses the system's clock dates blobs by it; the suite asks for no more than order.
"""

import time

import pytest

from siegel.domain.errors import StorageError
from siegel.domain.ports import BlobStore

ONE = bytes(range(16))
TWO = bytes(range(1, 17))
FUTURE_MS = 1 << 60


def put(store: BlobStore, blob_id: bytes, data: bytes) -> None:
    writer = store.create(blob_id)
    writer.write(data)
    writer.commit()


def get(store: BlobStore, blob_id: bytes) -> bytes:
    reader = store.open(blob_id)
    try:
        output = bytearray(reader.size_bytes)
        assert reader.read_into(0, memoryview(output)) == reader.size_bytes
        return bytes(output)
    finally:
        reader.close()


class BlobStoreContract:
    """One promise of the port per test."""

    def make_store(self, tmp_path) -> BlobStore:
        raise AssertionError("a driver's tests make their store")

    @pytest.fixture
    def store(self, tmp_path) -> BlobStore:
        return self.make_store(tmp_path)

    @pytest.mark.parametrize("size", [0, 1, 100_000])
    def test_what_was_committed_is_read_back(self, store, size):
        data = bytes(i % 251 for i in range(size))
        put(store, ONE, data)
        assert get(store, ONE) == data

    def test_pieces_of_every_kind_are_written_in_order(self, store):
        writer = store.create(ONE)
        for piece in (b"one ", bytearray(b"two "), memoryview(b"-three-")[1:6], b""):
            writer.write(piece)
        writer.commit()
        assert get(store, ONE) == b"one two three"

    def test_a_buffer_may_be_used_again_after_a_write(self, store):
        buffer = bytearray(b"first")
        writer = store.create(ONE)
        writer.write(buffer)
        buffer[:] = b"xxxxx"
        writer.commit()
        assert get(store, ONE) == b"first"

    def test_a_blob_is_invisible_until_it_is_committed(self, store):
        writer = store.create(ONE)
        writer.write(b"half of it")
        with pytest.raises(StorageError):
            store.open(ONE)
        assert list(store.scan()) == []
        writer.commit()
        assert get(store, ONE) == b"half of it"

    def test_an_abandoned_blob_leaves_nothing(self, store):
        writer = store.create(ONE)
        writer.write(b"never mind")
        writer.abandon()
        writer.abandon()
        assert list(store.scan()) == []
        assert store.sweep_unfinished(FUTURE_MS) == 0
        put(store, ONE, b"another")
        assert get(store, ONE) == b"another"

    def test_abandoning_after_the_commit_does_no_harm(self, store):
        writer = store.create(ONE)
        writer.write(b"kept")
        writer.commit()
        writer.abandon()
        assert get(store, ONE) == b"kept"

    @pytest.mark.parametrize("end", ["commit", "abandon"])
    def test_a_writer_serves_once(self, store, end):
        writer = store.create(ONE)
        getattr(writer, end)()
        with pytest.raises(StorageError, match="given up"):
            writer.write(b"late")
        with pytest.raises(StorageError, match="given up"):
            writer.commit()

    def test_a_name_is_never_used_twice(self, store):
        put(store, ONE, b"first")
        with pytest.raises(StorageError):
            store.create(ONE)
        assert get(store, ONE) == b"first"

    def test_two_writers_never_share_a_name(self, store):
        writer = store.create(ONE)
        with pytest.raises(StorageError):
            store.create(ONE)
        writer.write(b"the first one goes on")
        writer.commit()
        assert get(store, ONE) == b"the first one goes on"

    def test_a_missing_blob_is_an_error(self, store):
        with pytest.raises(StorageError):
            store.open(ONE)

    def test_ranges_are_read_where_they_lie(self, store):
        put(store, ONE, b"0123456789")
        reader = store.open(ONE)
        assert reader.size_bytes == 10
        buffer = bytearray(4)
        assert reader.read_into(3, memoryview(buffer)) == 4
        assert bytes(buffer) == b"3456"
        assert reader.read_into(8, memoryview(buffer)) == 2
        assert bytes(buffer[:2]) == b"89"
        assert reader.read_into(10, memoryview(buffer)) == 0
        reader.close()

    def test_a_cached_read_gives_true_bytes_or_fewer(self, store):
        put(store, ONE, b"0123456789")
        reader = store.open(ONE)
        buffer = bytearray(4)
        count = reader.read_cached_into(3, memoryview(buffer))
        assert bytes(buffer[:count]) == b"3456"[:count]
        assert reader.read_cached_into(10, memoryview(buffer)) == 0
        reader.close()

    def test_a_closed_reader_reads_no_more(self, store):
        put(store, ONE, b"data")
        reader = store.open(ONE)
        reader.close()
        reader.close()
        with pytest.raises(StorageError, match="given up"):
            reader.read_into(0, memoryview(bytearray(4)))
        with pytest.raises(StorageError, match="given up"):
            reader.read_cached_into(0, memoryview(bytearray(4)))

    def test_reading_goes_on_after_the_removal(self, store):
        put(store, ONE, b"still here")
        reader = store.open(ONE)
        assert store.remove(ONE) is True
        buffer = bytearray(10)
        assert reader.read_into(0, memoryview(buffer)) == 10
        assert bytes(buffer) == b"still here"
        reader.close()
        with pytest.raises(StorageError):
            store.open(ONE)

    def test_removing_says_whether_there_was_something(self, store):
        assert store.remove(ONE) is False
        put(store, ONE, b"x")
        assert store.remove(ONE) is True
        assert store.remove(ONE) is False

    def test_a_scan_finds_every_committed_blob_with_size_and_time(self, store):
        before_ms = time.time_ns() // 1_000_000 - 1000
        put(store, ONE, b"12345")
        put(store, TWO, b"")
        store.create(b"\xff" * 16).write(b"unfinished")
        found = {blob_id: (size, modified_at_ms) for blob_id, size, modified_at_ms in store.scan()}
        assert {blob_id: size for blob_id, (size, _) in found.items()} == {ONE: 5, TWO: 0}
        assert all(before_ms <= modified_at_ms <= before_ms + 60_000 for _, modified_at_ms in found.values())

    def test_a_blob_may_be_removed_during_a_scan(self, store):
        for number in range(20):
            put(store, bytes((7,)) + bytes((number,)) * 15, b"x")
        for blob_id, _, _ in store.scan():
            assert store.remove(blob_id) is True
        assert list(store.scan()) == []

    def test_the_sweep_takes_old_unfinished_blobs_only(self, store):
        put(store, ONE, b"committed")
        writer = store.create(TWO)
        writer.write(b"from a writer that died")
        assert store.sweep_unfinished(0) == 0
        assert store.sweep_unfinished(FUTURE_MS) == 1
        assert store.sweep_unfinished(FUTURE_MS) == 0
        assert get(store, ONE) == b"committed"
        with pytest.raises(StorageError):
            writer.commit()
        assert [blob_id for blob_id, _, _ in store.scan()] == [ONE]
