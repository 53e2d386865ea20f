"""The blob store on disk keeps the port's promises, syncs in the right order, and follows nothing that was planted."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from tests.contract.blob_suite import FUTURE_MS, ONE, TWO, BlobStoreContract, get, put

from siegel.domain.errors import StorageError, StorageFullError
from siegel.drivers.blob import files, writeout
from siegel.drivers.blob.files import FileBlobStore

NAME = ONE.hex()


class TestFileBlobStore(BlobStoreContract):
    def make_store(self, tmp_path):
        return FileBlobStore(tmp_path / "blobs")


class RecordingSystem:
    """The system's calls, with a record of those that change something; `fail` makes one of them fail."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures: dict[str, int] = {}
        self.names: dict[int, str] = {}

    def fail(self, call: str, number: int) -> None:
        self.failures[call] = number

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in {"open", "write", "fsync", "fdatasync", "link", "unlink", "close", "preadv", "stat"}:
            return real

        def call(*args, **kwargs):
            self.calls.append(name)
            if name in self.failures:
                number = self.failures.pop(name)
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        return call


@pytest.fixture
def store(tmp_path):
    return FileBlobStore(tmp_path / "blobs")


@pytest.fixture
def system(store, monkeypatch):
    recorder = RecordingSystem()
    monkeypatch.setattr(files, "os", recorder)
    return recorder


@pytest.fixture
def folder(tmp_path, store):
    return tmp_path / "blobs" / NAME[:2]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def open_files() -> int:
    return len(names(Path("/proc/self/fd")))


def test_the_data_is_synced_before_the_name_and_the_name_before_the_answer(store, system):
    writer = store.create(ONE)
    writer.write(b"x")
    system.calls.clear()
    writer.commit()
    assert system.calls == ["fdatasync", "link", "unlink", "fsync", "close", "close"]


def test_a_blob_rests_under_its_random_id_for_the_service_alone(store, folder):
    put(store, ONE, b"x")
    assert names(folder) == [NAME]
    found = (folder / NAME).stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_nlink == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_disk_that_takes_less_than_it_is_given_gets_the_rest(store, monkeypatch):
    system = RecordingSystem()
    monkeypatch.setattr(files, "os", system)
    system.write = lambda file, data: os.write(file, data[:3])
    put(store, ONE, b"0123456789")
    assert get(store, ONE) == b"0123456789"


@pytest.mark.parametrize("call", ["fdatasync", "fsync", "link", "unlink"])
def test_a_step_that_fails_is_not_tried_again_and_leaves_nothing(store, system, folder, call):
    handles = open_files()
    writer = store.create(ONE)
    writer.write(b"x")
    system.fail(call, errno.EIO)
    system.calls.clear()
    with pytest.raises(StorageError, match="made durable"):
        writer.commit()
    assert system.calls.count("fdatasync") == 1
    assert system.calls.count("fsync") <= 1
    with pytest.raises(StorageError, match="given up"):
        writer.commit()
    assert names(folder) == []
    assert open_files() == handles


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fdatasync", "link", "fsync"])
def test_a_full_disk_is_told_from_a_broken_one(store, system, folder, call, number):
    writer = store.create(ONE)
    system.fail(call, number)

    def finish() -> None:
        writer.write(b"x")
        writer.commit()

    with pytest.raises(StorageFullError):
        finish()
    assert names(folder) == []


def test_a_full_disk_refuses_new_blobs_as_full(store, system):
    handles = open_files()
    real_open = os.open

    def full(path, flags, *args, **kwargs):
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "full")
        return real_open(path, flags, *args, **kwargs)

    system.open = full
    with pytest.raises(StorageFullError):
        store.create(ONE)
    assert open_files() == handles


def test_after_a_failed_write_the_blob_cannot_be_finished(store, system, folder):
    writer = store.create(ONE)
    writer.write(b"whole")
    system.fail("write", errno.EIO)
    with pytest.raises(StorageError, match="cannot be written"):
        writer.write(b" half")
    with pytest.raises(StorageError, match="given up"):
        writer.commit()
    assert names(folder) == []


def test_names_that_cannot_be_removed_are_left_to_the_sweep(store, system):
    writer = store.create(ONE)
    system.fail("unlink", errno.EIO)
    system.fail("close", errno.EIO)
    writer.abandon()
    assert store.sweep_unfinished(FUTURE_MS) == 1


def test_a_read_error_is_an_error_and_not_a_short_read(store, system):
    put(store, ONE, b"data")
    reader = store.open(ONE)
    system.fail("preadv", errno.EIO)
    with pytest.raises(StorageError, match="cannot be read"):
        reader.read_into(0, memoryview(bytearray(4)))
    system.fail("preadv", errno.EIO)
    with pytest.raises(StorageError, match="cannot be read"):
        reader.read_cached_into(0, memoryview(bytearray(4)))
    reader.close()


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EOPNOTSUPP])
def test_what_is_not_in_memory_is_not_waited_for(store, system, number):
    put(store, ONE, b"data")
    reader = store.open(ONE)
    system.fail("preadv", number)
    assert reader.read_cached_into(0, memoryview(bytearray(4))) == 0
    assert reader.read_into(0, memoryview(bytearray(4))) == 4
    reader.close()


def test_a_removal_that_fails_is_not_reported_as_nothing_there(store, system):
    put(store, ONE, b"x")
    system.fail("unlink", errno.EIO)
    with pytest.raises(StorageError, match="removed"):
        store.remove(ONE)


def test_a_name_that_appears_before_the_commit_is_not_overwritten(store, folder):
    writer = store.create(ONE)
    writer.write(b"ours")
    (folder / NAME).write_bytes(b"theirs")
    with pytest.raises(StorageError, match="made durable"):
        writer.commit()
    assert (folder / NAME).read_bytes() == b"theirs"
    assert names(folder) == [NAME]


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_blob_id_has_16_bytes(store, size):
    for call in (store.create, store.open, store.remove):
        with pytest.raises(StorageError, match="16 bytes"):
            call(b"x" * size)


def plant_link(path, outside):
    path.symlink_to(outside)


def plant_fifo(path, outside):
    os.mkfifo(path)


def plant_hard_link(path, outside):
    os.link(outside, path)


def plant_folder(path, outside):
    path.mkdir()


@pytest.mark.parametrize("plant", [plant_link, plant_fifo, plant_hard_link, plant_folder])
def test_t56_what_was_planted_is_never_read_and_is_reported(store, folder, tmp_path, plant, caplog):
    outside = tmp_path / "outside"
    outside.write_bytes(b"not for anybody")
    plant(folder / NAME, outside)
    handles = open_files()
    with pytest.raises(StorageError):
        store.open(ONE)
    with pytest.raises(StorageError, match="created"):
        store.create(ONE)
    assert list(store.scan()) == []
    assert str(folder / NAME) in caplog.text
    assert open_files() == handles
    assert outside.read_bytes() == b"not for anybody"


def test_t56_a_temporary_name_that_was_planted_is_not_written_through(store, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"safe")
    (folder / f"{NAME}.unfinished").symlink_to(outside)
    with pytest.raises(StorageError):
        store.create(ONE)
    assert outside.read_bytes() == b"safe"
    store.sweep_unfinished(FUTURE_MS)
    assert outside.read_bytes() == b"safe"


def test_t56_a_folder_that_was_replaced_by_a_link_is_not_followed(store, folder, tmp_path):
    folder.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    for call in (store.create, store.open, store.remove):
        with pytest.raises(StorageError, match="folder"):
            call(ONE)
    with pytest.raises(StorageError, match="folders cannot be made"):
        FileBlobStore(tmp_path / "blobs")


def test_stray_files_are_reported_and_left_alone(store, folder, caplog):
    for name in ("notes.txt", TWO.hex()[:-1], "ff" * 16):
        (folder / name).write_bytes(b"?")
    put(store, ONE, b"x")
    assert [blob_id for blob_id, _, _ in store.scan()] == [ONE]
    assert all(name in caplog.text for name in ("notes.txt", TWO.hex()[:-1], "ff" * 16))
    assert len(names(folder)) == 4


def test_the_folders_are_made_and_synced_once(tmp_path, monkeypatch):
    system = RecordingSystem()
    monkeypatch.setattr(files, "os", system)
    FileBlobStore(tmp_path / "blobs")
    assert system.calls.count("fsync") == 2
    assert len(names(tmp_path / "blobs")) == 256
    FileBlobStore(tmp_path / "blobs")
    assert system.calls.count("fsync") == 2


def test_folders_that_cannot_be_made_are_told(tmp_path):
    with pytest.raises(StorageError, match="folders cannot be made"):
        FileBlobStore(tmp_path / "missing" / "blobs")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="Not a directory"):
        FileBlobStore(tmp_path / "file")


def test_folders_that_cannot_be_read_are_told(store, tmp_path):
    (tmp_path / "blobs" / "80").rmdir()
    with pytest.raises(StorageError, match="cannot be read"):
        list(store.scan())


def test_a_blob_that_vanishes_during_a_scan_is_passed_over(store, monkeypatch):
    put(store, ONE, b"x")
    put(store, TWO[:15] + b"\x07", b"y")
    real = files._look_at
    monkeypatch.setattr(
        files, "_look_at", lambda entry: (Path(entry.path).unlink() if entry.name == NAME else None) or real(entry)
    )
    assert [blob_id for blob_id, _, _ in store.scan()] == [TWO[:15] + b"\x07"]


def test_several_stores_share_a_directory(store, tmp_path):
    other = FileBlobStore(tmp_path / "blobs")
    writer = store.create(ONE)
    with pytest.raises(StorageError):
        other.create(ONE)
    writer.write(b"shared")
    writer.commit()
    assert get(other, ONE) == b"shared"


def test_giving_up_does_not_wait_for_the_thread_that_writes(store, system, folder):
    inside, go_on = threading.Event(), threading.Event()

    def slow_write(file, data):
        inside.set()
        assert go_on.wait(10)
        return os.write(file, data)

    system.write = slow_write
    writer = store.create(ONE)
    thread = threading.Thread(target=writer.write, args=(b"slow",))
    thread.start()
    assert inside.wait(10)
    writer.abandon()
    assert thread.is_alive()
    # The file is still there for the thread that writes; it goes when that thread leaves.
    assert names(folder) == [f"{NAME}.unfinished"]
    assert "close" not in system.calls
    go_on.set()
    thread.join(10)
    assert names(folder) == []
    with pytest.raises(StorageError, match="given up"):
        writer.write(b"late")


def test_closing_does_not_pull_the_file_from_under_a_read(store, system):
    put(store, ONE, b"data")
    reader = store.open(ONE)
    system.calls.clear()
    inside, go_on = threading.Event(), threading.Event()

    def slow_read(*args):
        inside.set()
        assert go_on.wait(10)
        return os.preadv(*args)

    system.preadv = slow_read
    buffer = bytearray(4)
    thread = threading.Thread(target=reader.read_into, args=(0, memoryview(buffer)))
    thread.start()
    assert inside.wait(10)
    reader.close()
    assert "close" not in system.calls
    go_on.set()
    thread.join(10)
    assert bytes(buffer) == b"data"
    assert system.calls == ["close"]


class TestEarlyWriteOut:
    def test_a_large_body_goes_to_the_disk_while_it_arrives(self, store, monkeypatch):
        pieces = []
        monkeypatch.setattr(files, "begin_writing", lambda _file, offset, size: pieces.append((offset, size)))
        writer = store.create(ONE)
        for _ in range(10):
            writer.write(bytes(1 << 20))
        writer.commit()
        assert pieces == [(0, 4 << 20), (4 << 20, 4 << 20)]
        assert get(store, ONE) == bytes(10 << 20)

    def test_an_error_of_the_disk_at_that_moment_fails_the_blob(self, store, folder, monkeypatch):
        def broken(*_):
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(files, "begin_writing", broken)
        writer = store.create(ONE)
        with pytest.raises(StorageError, match="written"):
            writer.write(bytes(writeout.EARLY_WRITE_BYTES))
        assert names(folder) == []

    def test_the_system_takes_the_hint(self, tmp_path):
        call = writeout.find_call()
        if call is None:
            pytest.fail("sync_file_range is missing on this system")
        with (tmp_path / "file").open("wb") as file:
            file.write(b"data")
            file.flush()
            writeout.begin_writing(file.fileno(), 0, 4, call)

    def test_a_refusal_of_the_disk_is_an_error(self):
        with pytest.raises(OSError, match="Bad file"):
            writeout.begin_writing(-1, 0, 4)

    def test_a_system_that_cannot_do_it_goes_without(self, monkeypatch):
        read_end, write_end = os.pipe()
        writeout.begin_writing(write_end, 0, 4)  # a pipe has nothing to write out: ESPIPE
        os.close(read_end)
        os.close(write_end)
        writeout.begin_writing(-1, 0, 4, None)
        monkeypatch.setattr(writeout.ctypes, "CDLL", lambda *_, **__: object())
        assert writeout.find_call() is None
        monkeypatch.setattr(writeout.sys, "platform", "darwin")
        assert writeout.find_call() is None
