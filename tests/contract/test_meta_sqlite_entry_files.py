"""Entries of reads beside the journal: durable at once, in the journal before whatever changes later, lost by nobody's death."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from tests.contract.meta_fixtures import BUCKET, ManualClock, a_version, entry, write

from siegel.domain.errors import StorageError, StorageFullError
from siegel.domain.faultpoints import VARIABLE
from siegel.drivers.meta import entry_files, own_entry_file
from siegel.drivers.meta.entry_files import HEADER_BYTES, EntryFiles
from siegel.drivers.meta.sqlite import collect_entries, create_store, open_store

KEY = bytes(range(32))


@pytest.fixture
def directory(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    create_store(folder, KEY, ManualClock()).close()
    return folder


def open_here(directory):
    return open_store(directory, KEY, ManualClock())


def with_file(directory):
    """Return a store that has a file by now."""
    store = open_here(directory)
    store._own.take().join()
    assert store._own.group_commit() is not None
    return store


@pytest.fixture
def store(directory):
    made = with_file(directory)
    yield made
    made.close()


def append(store, *names):
    async def all_in_turn():
        for name in names:
            await store.append(entry(name))

    asyncio.run(all_in_turn())


def journaled(store):
    return [kept.request_id for _, batch in store.entries(0, 100_000) for kept in batch]


def collected(store):
    asyncio.run(store.collect())
    return journaled(store)


def put(name):
    return lambda writer: writer.objects.insert(a_version(name, 1), b"")


def copied(directory, to):
    """Copy a directory as a kill leaves it: whoever had it open knows nothing of the copy."""
    shutil.copytree(directory, to)
    return to


def test_what_is_appended_is_in_its_file_until_it_is_collected(store, directory):
    append(store, "1", "2", "3")
    assert journaled(store) == []
    assert collected(store) == ["1", "2", "3"]
    assert collected(store) == ["1", "2", "3"]
    assert b"111122223333" not in (directory / "entries-1").read_bytes()


def test_those_who_ask_at_once_share_a_record(store):
    async def all_at_once():
        await asyncio.gather(*(store.append(entry(str(number))) for number in range(50)))

    asyncio.run(all_at_once())
    asyncio.run(store.collect())
    assert len(store.entries(0, 100)) == 1
    assert len(journaled(store)) == 50


def test_a_process_takes_a_file_once_it_has_many_entries(directory, monkeypatch):
    monkeypatch.setattr(own_entry_file, "ENTRIES_MIN", 10)
    store = open_here(directory)
    names = [str(number) for number in range(12)]
    append(store, *names[:10])
    assert journaled(store) == names[:10]
    append(store, names[10])
    store._own._taking.join()
    append(store, names[11])
    assert journaled(store) == names[:11]
    assert collected(store) == names
    store.close()


def test_a_change_stands_behind_every_read_that_was_answered_before(store, directory):
    other = with_file(directory)
    append(store, "1")
    append(other, "2")
    write(other, put("x"), entry("3"))
    append(store, "4")
    write(store, put("y"), entry("5"))
    assert set(journaled(store)[:2]) == {"1", "2"}
    assert journaled(other)[2:] == ["3", "4", "5"]
    other.close()


def test_a_change_that_is_refused_takes_nothing_along(store):
    append(store, "1")

    def refuse(_writer):
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        write(store, refuse, entry("2"))
    assert journaled(store) == []
    assert collected(store) == ["1"]


def test_two_stores_have_a_file_each_and_a_third_takes_that_of_one_who_has_gone(store, directory):
    other = with_file(directory)
    assert sorted(path.name for path in directory.glob("entries-*")) == ["entries-1", "entries-2"]
    append(other, "1")
    other.close()
    third = open_here(directory)
    assert collected(third) == ["1"]
    third._own.take().join()
    append(third, "2")
    assert collected(store) == ["1", "2"]
    assert sorted(path.name for path in directory.glob("entries-*")) == ["entries-1", "entries-2"]
    third.close()


def test_a_file_is_not_taken_before_what_is_in_it_is_collected(directory):
    first = with_file(directory)
    append(first, "1")
    first.close()
    second = open_here(directory)
    second._own.take().join()
    assert second._own.group_commit() is None
    assert collected(second) == ["1"]
    second._own.take().join()
    assert second._own.group_commit() is not None
    second.close()


def test_where_all_files_are_held_entries_go_into_the_journal(store, directory, monkeypatch):
    monkeypatch.setattr(entry_files, "FILES_MAX", 1)
    other = open_here(directory)
    other._own.take().join()
    append(other, "1")
    assert journaled(other) == ["1"]
    other.close()
    assert [path.name for path in directory.glob("entries-*")] == ["entries-1"]


def test_what_was_answered_outlives_a_kill_and_the_machine(store, directory, tmp_path):
    append(store, "1")
    collected(store)
    append(store, "2", "3")
    survivor = open_here(copied(directory, tmp_path / "killed"))
    assert collected(survivor) == ["1", "2", "3"]
    survivor.close()
    lost = copied(directory, tmp_path / "lost")
    # After a loss of power the counts may be those of any moment before, or gone.
    (lost / "entry-counts").unlink()
    survivor = open_here(lost)
    write(survivor, put("x"), entry("4"))
    assert journaled(survivor) == ["1", "2", "3", "4"]
    survivor.close()


def test_counts_of_files_that_are_gone_keep_nobody_from_writing(store, directory, tmp_path):
    append(store, "1", "2")
    partly = copied(directory, tmp_path / "partly")
    (partly / "entries-1").unlink()
    survivor = open_here(partly)
    write(survivor, put("x"), entry("3"))
    assert journaled(survivor) == ["3"]
    survivor._own.take().join()
    append(survivor, "4")
    assert collected(survivor) == ["3", "4"]
    survivor.close()


def test_a_database_that_is_older_than_its_files_gets_what_they_have(store, directory, tmp_path):
    append(store, "1")
    collected(store)
    older = copied(directory, tmp_path / "older")
    append(store, "2")
    collected(store)
    append(store, "3")
    shutil.copy(directory / "entries-1", older / "entries-1")
    (older / "entry-counts").unlink()
    restored = open_here(older)
    assert collected(restored) == ["1", "2", "3"]
    restored.close()


def test_a_torn_record_was_never_answered_and_hides_nothing_before_it(store, directory, tmp_path):
    append(store, "1")
    whole = (directory / "entries-1").stat().st_size
    stop = store._own._file._position
    append(store, "2")
    torn = copied(directory, tmp_path / "torn")
    with (torn / "entries-1").open("r+b") as file:
        file.seek(stop + 30)
        file.write(bytes(whole - stop - 30))
    (torn / "entry-counts").unlink()
    survivor = open_here(torn)
    assert collected(survivor) == ["1"]
    survivor.close()


def test_what_was_answered_and_cannot_be_read_back_is_not_passed_over(store, directory):
    append(store, "1")
    with (directory / "entries-1").open("r+b") as file:
        file.seek(HEADER_BYTES + 20)
        file.write(b"damage")
    with pytest.raises(StorageError, match="cannot be read back"):
        write(store, put("x"), entry("2"))
    with pytest.raises(StorageError, match="cannot be read back"):
        asyncio.run(store.collect())


def test_a_file_begins_anew_once_it_is_collected(store, directory, monkeypatch):
    monkeypatch.setattr(entry_files, "RESTART_BYTES", 2000)
    names = [str(number) for number in range(60)]
    for first in range(0, 60, 4):
        append(store, *names[first : first + 4])
        if first % 8 == 0:
            assert collected(store) == names[: first + 4]
    assert store._own._file._position < 4000
    assert collected(store) == names
    store.close()
    again = with_file(directory)
    append(again, "60")
    assert collected(again) == [*names, "60"]
    again.close()


def test_a_file_without_room_sends_entries_on_which_empties_it(store, monkeypatch):
    monkeypatch.setattr(entry_files, "ROOM_BYTES", 1000)
    monkeypatch.setattr(entry_files, "RESTART_BYTES", 1000)
    names = [str(number) for number in range(40)]
    append(store, *names)
    assert store._own._file._position < 1500
    assert collected(store) == names


@pytest.mark.parametrize(("number", "error"), [(5, StorageError), (28, StorageFullError)])
def test_a_failed_sync_is_an_error_and_the_next_entries_go_another_way(store, directory, monkeypatch, number, error):
    append(store, "1")

    def fail(_descriptor):
        raise OSError(number, "injected")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(error):
            append(store, "refused")
    append(store, "2")
    # What was refused may or may not be on disk: there is no answer that it would have to be the entry of.
    assert [name for name in collected(store) if name != "refused"] == ["1", "2"]
    store._own._again_s = 0
    store._own.take().join()
    if store._own.group_commit() is None:
        asyncio.run(store.collect())
        store._own.take().join()
    append(store, "3")
    assert [name for name in collected(store) if name != "refused"] == ["1", "2", "3"]


def test_after_a_failed_sync_no_number_serves_twice(store, directory, monkeypatch):
    """What was queued behind the batch that failed is refused as well: another record under its number would undo the cipher."""
    writes = []
    pwrite, has_begun = os.pwrite, threading.Event()

    def fail(_descriptor):
        raise OSError(5, "injected")

    async def two_batches():
        first = asyncio.ensure_future(store.append(entry("1")))
        await asyncio.to_thread(has_begun.wait)
        return await asyncio.gather(first, store.append(entry("2")), return_exceptions=True)

    def note(descriptor, data, at):
        writes.append(at)
        has_begun.set()
        time.sleep(0.05)
        return pwrite(descriptor, data, at)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        patched.setattr(os, "pwrite", note)
        results = asyncio.run(two_batches())
    assert [type(result) for result in results] == [StorageError, StorageError]
    assert len(writes) == 1


def test_a_file_behind_one_that_is_gone_is_read_too(store, directory, tmp_path):
    other = with_file(directory)
    append(other, "1")
    partly = copied(directory, tmp_path / "partly")
    (partly / "entries-1").unlink()
    (partly / "entry-counts").unlink()
    survivor = open_here(partly)
    assert collected(survivor) == ["1"]
    survivor.close()
    other.close()


def test_a_directory_without_room_leaves_entries_to_the_journal(directory, monkeypatch):
    store = open_here(directory)
    monkeypatch.setattr(os, "pwrite", lambda _descriptor, _data, _at: 0)
    store._own.take().join()
    monkeypatch.undo()
    append(store, "1")
    assert journaled(store) == ["1"]
    store.close()


def test_entry_files_take_no_changes(directory):
    files = EntryFiles(directory, KEY, ManualClock())
    file = files.take({})
    with pytest.raises(StorageError, match="no changes"):
        file.apply(put("x"), None)
    file.record([entry("1")])
    file.rollback()
    file.commit()
    assert not files.has_waiting()
    file.close()
    files.close()


def test_what_waits_is_collected_before_the_database_gets_another_key(store, directory):
    append(store, "1")
    store.close()
    collect_entries(directory, KEY, ManualClock())
    again = open_here(directory)
    assert journaled(again) == ["1"]
    assert not again._files.has_waiting()
    again.close()


@pytest.mark.parametrize("moment", ["entries.before_sync", "entries.after_sync"])
def test_a_process_that_dies_at_its_sync_has_answered_nothing_that_is_lost(directory, moment):
    do = f"append(with_file(Path({str(directory)!r})), '1', '2')"
    program = f"from pathlib import Path; from {__name__} import append, with_file; {do}"
    died = subprocess.run([sys.executable, "-c", program], env={**os.environ, VARIABLE: f"{moment}:2"}, check=False)
    assert died.returncode == -signal.SIGKILL
    store = open_here(directory)
    assert collected(store) == (["1"] if moment == "entries.before_sync" else ["1", "2"])
    assert store.reader.objects.find_current(BUCKET, "x") is None
    store.close()


def test_a_file_that_others_have_held_since_the_marks_were_read_is_not_taken_by_them(directory):
    late, other = open_here(directory), with_file(directory)
    marks = late._marks()

    async def serve():
        for name in ("o1", "o2"):
            await other.append(entry(name))
        await other.collect()

    asyncio.run(serve())
    other.close()
    with_file(directory).close()
    late._own._take(marks)
    assert late._own.group_commit() is None
    late._own._take(late._marks())
    assert late._own.group_commit() is not None

    async def read():
        await late.append(entry("l1"))
        await late.write(lambda _: None, entry("l2"))

    asyncio.run(read())
    names = [found.request_id for _, batch in late.entries(0, 100) for found in batch]
    assert names == ["o1", "o2", "l1", "l2"]
    late.close()
