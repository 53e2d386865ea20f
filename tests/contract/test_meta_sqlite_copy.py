"""A copy of the database under another key is whole, or there is none."""

import os
from pathlib import Path

import pytest
from tests.contract.meta_fixtures import BUCKET, ManualClock, a_version, entry, write
from tests.contract.test_meta_sqlite_faults import no_file_grows_beyond

from siegel.domain.errors import ConfigurationError, StorageError
from siegel.drivers.meta import sqlite_copy
from siegel.drivers.meta.process_lock import UseLock
from siegel.drivers.meta.sqlite import create_store, database_path, open_store, other_databases
from siegel.drivers.meta.sqlite_copy import copy_database, remove_database

OLD, NEW = bytes(32), b"n" * 32


@pytest.fixture
def filled(tmp_path):
    store = create_store(tmp_path, OLD, ManualClock())
    for number in range(60):
        write(store, lambda w, n=number: w.objects.insert(a_version(f"k{n:02}", n), os.urandom(3000)), entry(str(number)))
    yield tmp_path, store
    store.close()


def copy(directory, progress=lambda _done, _total: None, key=OLD):
    copy_database((database_path(directory, 0), key), (database_path(directory, 1), NEW), progress)


def told(store):
    rows = [store.reader.objects.find_current(BUCKET, f"k{number:02}") for number in range(60)]
    return rows, store.entries(0, 999)


def test_a_copy_has_all_that_the_database_has(filled, monkeypatch):
    directory, store = filled
    before = told(store)
    # Not folded into the database yet: what is in the log alone is copied as well.
    assert (directory / "siegel.db-wal").stat().st_size > 0
    monkeypatch.setattr(sqlite_copy, "PAGES_AT_ONCE", 7)
    seen = []
    copy(directory, lambda done, total: seen.append((done, total)))
    store.close()
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] == seen[-1][1] > 40
    assert len(seen) > 5
    opened = open_store(directory, NEW, ManualClock(), 1)
    assert told(opened) == before
    opened.close()
    with pytest.raises(ConfigurationError, match="wrong root key"):
        open_store(directory, OLD, ManualClock(), 1)


def test_a_disk_that_is_full_leaves_no_half_copy(filled):
    directory, store = filled
    before = told(store)
    with no_file_grows_beyond(100_000), pytest.raises(StorageError):
        copy(directory)
    assert not list(directory.glob("siegel-*"))
    assert told(store) == before


def test_a_damaged_page_is_not_copied(filled):
    directory, store = filled
    store.close()
    path = database_path(directory, 0)
    damaged = bytearray(path.read_bytes())
    damaged[-2000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StorageError):
        copy(directory)
    assert not list(directory.glob("siegel-*"))


def test_an_interruption_leaves_no_half_copy(filled):
    directory, _ = filled

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(directory, interrupt)
    assert not list(directory.glob("siegel-*"))


def test_a_key_that_does_not_open_the_database_copies_nothing(filled):
    directory, _ = filled
    with pytest.raises(ConfigurationError, match="wrong root key"):
        copy(directory, key=b"x" * 32)
    assert not list(directory.glob("siegel-*"))


def test_databases_beside_the_one_in_use_are_found_by_their_numbers(tmp_path):
    for name in ("siegel.db", "siegel-2.db", "siegel-10.db", "siegel-10.db-wal", "siegel-x.db", "siegel-.db", "siegel.toml"):
        (tmp_path / name).touch()
    older, newer = other_databases(tmp_path, 3)
    assert ([path.name for path in older], [path.name for path in newer]) == (["siegel.db", "siegel-2.db"], ["siegel-10.db"])
    for path in newer:
        remove_database(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "siegel-.db",
        "siegel-2.db",
        "siegel-x.db",
        "siegel.db",
        "siegel.toml",
    ]


def test_a_database_whose_key_chest_is_lost_or_older_is_named(filled):
    directory, store = filled
    copy(directory)
    store.close()
    remove_database(database_path(directory, 0))
    with pytest.raises(ConfigurationError, match=r"siegel-1\.db is there.*\n.*restore the file keychest"):
        open_store(directory, OLD, ManualClock())


def test_who_replaces_a_database_has_it_alone(tmp_path):
    one, other = UseLock(tmp_path), UseLock(tmp_path)
    for each in (one, other):
        with pytest.raises(ConfigurationError, match="is open"):
            UseLock(tmp_path, alone=True)
        each.close()
    alone = UseLock(tmp_path, alone=True)
    with pytest.raises(ConfigurationError, match="another key"):
        UseLock(tmp_path)
    alone.close()
    UseLock(tmp_path).close()


def test_no_database_is_made_beside_a_copy_that_is_the_database(filled):
    directory, store = filled
    store.close()
    copy(directory)
    remove_database(database_path(directory, 0))
    with pytest.raises(ConfigurationError, match=r"siegel-1\.db exists already"):
        create_store(directory, NEW, ManualClock())
    assert [path.name for path in directory.glob("siegel*.db")] == ["siegel-1.db"]


def test_what_root_makes_beside_the_database_belongs_to_the_owner_of_the_folder(filled, monkeypatch):
    """An older release, or a backup, may be without these files, and the first to miss them may be a command that root runs."""
    directory, store = filled
    store.close()
    names = {"commit.lock", "generation", "changes", "entry-counts"}
    for name in names:
        (directory / name).unlink()
    given = {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda file, *owner: given.update({Path(f"/proc/self/fd/{file}").readlink().name: owner}))
    open_store(directory, OLD, ManualClock()).close()
    assert given == dict.fromkeys(names, (directory.stat().st_uid, directory.stat().st_gid))


def test_what_root_makes_belongs_to_the_owner_of_the_folder(filled, monkeypatch):
    directory, _ = filled
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda file, *owner: given.append((str(Path(f"/proc/self/fd/{file}").readlink()), owner)))
    copy(directory)
    UseLock(directory).close()
    owner = directory.stat().st_uid, directory.stat().st_gid
    assert given == [(str(directory / "siegel-1.db"), owner), (str(directory / "database.lock"), owner)]
