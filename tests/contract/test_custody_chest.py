"""The key chest: what opens it, how a rotation of the root key goes step by step, and what a running process sees of it."""

import json
import os

import pytest
from tests.contract.custody_suite import SECRET, KeyCustodianContract

from siegel.domain.errors import ConfigurationError, SealBrokenError, StorageError
from siegel.drivers.custody import chest as chest_room
from siegel.drivers.custody import keeper as keeper_room
from siegel.drivers.custody.chest import read_chest
from siegel.drivers.custody.finder import RootFinder
from siegel.drivers.custody.keeper import ChestCustodian
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.custody.rootfile import create_root_key
from siegel.drivers.custody.roots import FilePlace
from siegel.drivers.custody.rotation import ChestRotation

AT_MS = 1_700_000_000_000


class Home:
    """A data directory, as far as custody goes."""

    def __init__(self, directory, settled="root.key"):
        self.directory = directory
        self.finder = RootFinder(directory, FilePlace(settled), None)
        if not (directory / "root.key").exists():
            directory.mkdir(exist_ok=True)
            create_root_key(directory / "root.key")

    def custodian(self):
        return ChestCustodian(self.directory, self.finder)

    def rotation(self, target=None):
        return ChestRotation(self.directory, self.finder, target and FilePlace(target))

    def rotate(self, target, at_ms=AT_MS):
        self.rotation(target).begin()
        self.rotation().finish(at_ms)

    def slots(self):
        return [slot.place.path for slot in read_chest(self.directory / "keychest").slots]


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "data")


class TestRotatedCustodian(KeyCustodianContract):
    def make_custodian(self, tmp_path, name):
        home = Home(tmp_path / name)
        if not (home.directory / "keychest").exists():
            home.rotate("second.key")
        return home.custodian()


class TestDerivedCustodian(KeyCustodianContract):
    def make_custodian(self, tmp_path, name):
        return Home(tmp_path / name).custodian()


def test_without_a_chest_the_keys_are_those_that_the_root_key_derives(home):
    derived = LocalCustodian.load(home.directory / "root.key")
    assert home.custodian().database_key() == derived.database_key()
    assert home.custodian().unwrap(derived.wrap(SECRET, b"c"), b"c") == SECRET


def test_a_rotation_from_begin_to_end(home):
    before = home.custodian()
    old, database_key = before.wrap(SECRET, b"c"), before.database_key()

    assert home.rotation("second.key").begin() == ("the file root.key", "the file second.key")
    assert home.slots() == ["root.key", "second.key"]
    between = home.custodian()
    new = between.renew(old, b"c")
    assert new != old
    assert between.renew(new, b"c") == new
    assert between.unwrap(old, b"c") == between.unwrap(new, b"c") == SECRET

    home.rotation().finish(AT_MS)
    (home.directory / "root.key").unlink()
    after = home.custodian()
    assert home.slots() == ["second.key"]
    assert after.database_key() == database_key
    assert after.unwrap(old, b"c") == after.unwrap(new, b"c") == SECRET
    assert after.retired_at_ms() == AT_MS

    home.rotation().forget(AT_MS)
    assert home.custodian().unwrap(old, b"c") == SECRET, "retired at that time, not before"
    home.rotation().forget(AT_MS + 1)
    later = home.custodian()
    assert later.unwrap(new, b"c") == SECRET
    assert later.retired_at_ms() == 0
    with pytest.raises(SealBrokenError):
        later.unwrap(old, b"c")


@pytest.mark.parametrize("missing", ["root.key", "second.key"])
def test_in_between_each_of_the_two_root_keys_opens(home, missing):
    wrapped = home.custodian().wrap(SECRET, b"c")
    home.rotation("second.key").begin()
    (home.directory / missing).unlink()
    assert home.custodian().unwrap(wrapped, b"c") == SECRET


def test_without_any_root_key_all_that_is_missing_is_told(home):
    home.rotation("second.key").begin()
    (home.directory / "root.key").unlink()
    (home.directory / "second.key").unlink()
    with pytest.raises(ConfigurationError) as caught:
        home.custodian()
    assert "root.key is missing" in str(caught.value)
    assert "second.key is missing" in str(caught.value)


def test_a_running_process_takes_up_the_new_key_with_its_next_wrap(home):
    running = home.custodian()
    first = running.wrap(SECRET, b"c")
    home.rotation("second.key").begin()
    second = running.wrap(SECRET, b"c")
    assert (first[0], second[0]) == (1, 2)
    home.rotation().finish(AT_MS)
    (home.directory / "root.key").unlink()
    assert running.root_places() == ("the file second.key",)
    assert running.unwrap(first, b"c") == SECRET


def test_a_running_process_takes_up_the_new_key_when_it_meets_it(home):
    running = home.custodian()
    home.rotation("second.key").begin()
    assert running.unwrap(home.custodian().wrap(SECRET, b"c"), b"c") == SECRET


def test_a_running_process_that_cannot_reach_the_new_root_key_says_so_and_seals_nothing(home):
    running = home.custodian()
    wrapped = running.wrap(SECRET, b"c")
    home.rotate("second.key")
    (home.directory / "second.key").rename(home.directory / "away")
    with pytest.raises(StorageError, match=r"second\.key is missing"):
        running.wrap(SECRET, b"c")
    assert running.unwrap(wrapped, b"c") == SECRET
    (home.directory / "away").rename(home.directory / "second.key")
    running.wrap(SECRET, b"c")


def test_a_chest_that_vanishes_changes_nothing_for_who_runs(home):
    home.rotate("second.key")
    running = home.custodian()
    wrapped = running.wrap(SECRET, b"c")
    (home.directory / "keychest").unlink()
    assert running.unwrap(running.wrap(SECRET, b"c"), b"c") == running.unwrap(wrapped, b"c") == SECRET


def test_rotations_follow_one_another(home):
    wrapped = [home.custodian().wrap(SECRET, b"c")]
    for name in ("second.key", "third.key", "fourth.key"):
        home.rotate(name)
        wrapped.append(home.custodian().wrap(SECRET, b"c"))
    assert [home.custodian().unwrap(old, b"c") for old in wrapped] == [SECRET] * 4
    assert home.slots() == ["fourth.key"]


def test_a_rotation_that_is_begun_twice_is_begun_once(home):
    home.rotation("second.key").begin()
    before = (home.directory / "keychest").read_bytes()
    home.rotation("second.key").begin()
    home.rotation().begin()
    assert (home.directory / "keychest").read_bytes() == before
    with pytest.raises(ConfigurationError, match=r"a rotation to the file second\.key is under way"):
        home.rotation("third.key").begin()


def test_a_rotation_needs_another_root_key(home):
    for target in (None, "root.key"):
        with pytest.raises(ConfigurationError):
            home.rotation(target).begin()
    assert not (home.directory / "keychest").exists()


def test_a_new_root_key_that_was_made_already_is_taken(home):
    create_root_key(home.directory / "second.key")
    made = (home.directory / "second.key").read_bytes()
    home.rotate("second.key")
    assert (home.directory / "second.key").read_bytes() == made


def test_a_rotation_never_ends_without_its_new_root_key(home):
    home.rotation("second.key").begin()
    (home.directory / "second.key").unlink()
    with pytest.raises(ConfigurationError, match=r"second\.key is missing"):
        home.rotation().finish(AT_MS)
    assert home.slots() == ["root.key", "second.key"]


def test_one_process_rotates_at_a_time(home):
    with home.rotation().held(), pytest.raises(ConfigurationError, match="another process"), home.rotation().held():
        pass
    with home.rotation().held():
        pass


def test_what_fails_while_the_chest_is_held_is_told_as_it_is(home):
    with pytest.raises(BlockingIOError, match="a full pipe"), home.rotation().held():
        raise BlockingIOError("a full pipe")


def test_the_settings_say_where_a_root_key_went_that_was_moved(home, tmp_path):
    home.rotate("second.key")
    wrapped = home.custodian().wrap(SECRET, b"c")
    (home.directory / "second.key").rename(tmp_path / "mounted.key")
    moved = Home(home.directory, str(tmp_path / "mounted.key"))
    assert moved.custodian().unwrap(wrapped, b"c") == SECRET


def test_a_directory_that_was_moved_opens(home, tmp_path):
    home.rotate("second.key")
    home.directory.rename(tmp_path / "moved")
    Home(tmp_path / "moved").custodian()


def test_the_root_key_of_another_deployment_is_told(home, tmp_path):
    home.rotate("second.key")
    (home.directory / "second.key").unlink()
    create_root_key(home.directory / "second.key")
    with pytest.raises(ConfigurationError, match="not the root key that the key chest is sealed for"):
        home.custodian()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'{"format": "siegel key chest v2", "slots": []}',
        b'{"format": "siegel key chest v1", "slots": []}',
        b'{"format": "siegel key chest v1", "slots": [], "more": 1}',
    ],
)
def test_a_damaged_chest_is_told(home, text):
    (home.directory / "keychest").write_bytes(text)
    with pytest.raises(ConfigurationError, match="damaged"):
        home.custodian()


@pytest.mark.parametrize("place", range(0, 120, 7))
def test_a_changed_seal_does_not_open(home, place):
    home.rotate("second.key")
    path = home.directory / "keychest"
    chest = json.loads(path.read_text())
    sealed = bytearray(chest_room.msgspec.json.decode(f'"{chest["slots"][0]["sealed"]}"', type=bytes))
    sealed[place] ^= 1
    chest["slots"][0]["sealed"] = json.loads(chest_room.msgspec.json.encode(bytes(sealed)))
    path.write_text(json.dumps(chest))
    with pytest.raises(ConfigurationError):
        home.custodian()


def test_a_chest_is_private_and_synced_before_and_after_its_rename(home, monkeypatch):
    steps = []
    real_fsync, real_rename = os.fsync, chest_room.Path.rename
    monkeypatch.setattr(os, "fsync", lambda file: steps.append("fsync") or real_fsync(file))
    monkeypatch.setattr(chest_room.Path, "rename", lambda *words: steps.append("rename") or real_rename(*words))
    create_root_key(home.directory / "second.key")
    steps.clear()
    home.rotation("second.key").begin()
    assert steps == ["fsync", "fsync", "rename", "fsync"]
    assert (home.directory / "keychest").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("is_started_before", [True, False])
def test_nothing_is_sealed_by_a_key_of_a_chest_that_a_power_cut_could_take_back(home, monkeypatch, is_started_before):
    """The process that replaces the chest may not have come to sync its name, when another one sees it."""
    running = home.custodian() if is_started_before else None
    home.rotate("second.key")

    def fail(_path):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(keeper_room, "sync_folder", fail)
        with pytest.raises((StorageError, ConfigurationError), match="Input/output error"):
            (running or home.custodian()).wrap(SECRET, b"c")
    wrapped = (running or home.custodian()).wrap(SECRET, b"c")
    assert wrapped[0] == 2
    assert home.custodian().unwrap(wrapped, b"c") == SECRET


def test_what_a_dead_writer_left_is_no_hindrance(home):
    (home.directory / "keychest.unfinished").write_bytes(b"half")
    home.rotate("second.key")
    assert not (home.directory / "keychest.unfinished").exists()


def test_no_key_is_ever_shown(home):
    home.rotate("second.key")
    custodian = home.custodian()
    contents, _, _ = home.finder.present(home.directory / "keychest")
    shown = repr((custodian, contents, contents.keys, LocalCustodian(bytes(32))))
    keys = "(CustodianKey(0), CustodianKey(1))"
    assert shown == f"(ChestCustodian(), Contents({keys}), {keys}, LocalCustodian())"
