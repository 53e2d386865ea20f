import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.customer.sealing.objects import PLACE

from siegel.customer.sealing.seen import Seen, Sighting
from siegel.domain.errors import StorageError


def test_the_memory_is_private_and_lasts(tmp_path):
    path = tmp_path / "state" / "siegel" / "seen.db"
    Seen(path).check_and_note(PLACE, Sighting(1, b"one"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Seen(path).last(PLACE) == Sighting(1, b"one")


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("create table precious (x)")
    other.close()
    with pytest.raises(StorageError, match="not a memory"):
        Seen(path).last(PLACE)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="cannot be used"):
        Seen(path).last(PLACE)
    assert path.read_bytes().startswith(b"no database")


def test_a_memory_of_another_version_is_refused(tmp_path):
    path = tmp_path / "seen.db"
    Seen(path).last(PLACE)
    with sqlite3.connect(path) as other:
        other.execute("pragma user_version = 2")
    other.close()
    with pytest.raises(StorageError, match="unknown version"):
        Seen(path).last(PLACE)


def test_a_place_where_nothing_can_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be used: File exists$"):
        Seen(tmp_path / "file" / "seen.db").last(PLACE)


def test_many_at_once_remember_the_newest(tmp_path):
    seen = Seen(tmp_path / "seen.db")
    refused = []

    def note(sequence: int) -> None:
        try:
            seen.check_and_note(PLACE, Sighting(sequence, b"%d" % sequence))
        except Exception as error:
            refused.append(type(error).__name__)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(40)))
    assert seen.last(PLACE) == Sighting(39, b"39")
    assert set(refused) <= {"RolledBackError"}


def test_the_users_own_memory_is_found_when_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Seen().check_and_note(PLACE, Sighting(1, b"one"))
    assert Seen(tmp_path / "state" / "siegel" / "seen.db").last(PLACE) == Sighting(1, b"one")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Seen().check_and_note(PLACE, Sighting(2, b"two"))
    assert (tmp_path / "home" / ".local" / "state" / "siegel" / "seen.db").exists()

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(StorageError, match="no home directory\ntry: "):
        Seen().last(PLACE)
    assert Seen(tmp_path / "seen.db").last(PLACE) is None
