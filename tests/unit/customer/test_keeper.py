import errno
import json
import os
from pathlib import Path

import pytest

from siegel.customer.keybox import durable, folder, keeper
from siegel.customer.keybox.boxfile import Effort, Unlocking
from siegel.customer.keybox.chain import check
from siegel.customer.keybox.content import Face
from siegel.customer.keybox.desk import Desk, load_policy
from siegel.customer.keybox.durable import replace_whole, write_new
from siegel.customer.keybox.folder import OpenBox, create_box, locked
from siegel.customer.keybox.keeper import Keeper, Unlocked, check_uri_prefix, initialise
from siegel.customer.keybox.policy import POLICY_BYTES_MAX
from siegel.customer.keybox.refusals import RefusedError
from siegel.customer.keybox.unlocking import Secret, make_key_file, read_key_file, read_passphrase
from siegel.customer.keybox.uses import Use
from siegel.domain.errors import ConfigurationError, StorageError

CHEAP = Effort(1, 64, 1)
KEY = bytes(range(32))


@pytest.fixture
def place(tmp_path):
    unlocked = Unlocked(tmp_path / "box")
    initialise(unlocked)
    return unlocked


def log_of(unlocked):
    data = (unlocked.folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    assert check(data).holds
    return [(line["operation"], line["result"]) for line in map(json.loads, data)]


def private(path, data):
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


def test_a_box_from_first_to_last(place):
    owner = Keeper(place)
    key = owner.create_key("main")
    assert owner.create_key(None).name not in {"main", ""}
    assert owner.set_enabled("main", is_enabled=False).name == "main"
    assert not Keeper(place).content.find("main").is_enabled
    owner.set_enabled(key.key_id, is_enabled=True)
    fresh = owner.rotate(Face.KMS)
    assert (Face.KMS, fresh.access_key_id) in owner.content.credentials_by_id
    owner.retire(fresh.access_key_id)
    certificate = owner.destroy("main")
    assert certificate.read_bytes() == owner.certificate(key.key_id) == owner.certificate("main")
    assert key.material not in (place.folder / "box.sealed").read_bytes()
    with pytest.raises(ConfigurationError, match="no key 'other' was destroyed"):
        owner.certificate("other")
    names = ["create-key", "create-key", "disable", "enable", "rotate", "retire", "destroy"]
    assert log_of(place) == [("box.init", "ok"), *((f"box.{name}", how) for name in names for how in ("begun", "ok"))]


def test_what_is_refused_is_told_too(place):
    with pytest.raises(ConfigurationError, match="no name"):
        Keeper(place).create_key("a/b")
    assert log_of(place)[-1] == ("box.create-key", "refused")


def test_credentials_have_the_form_of_the_specification(place):
    for held in Keeper(place).content.credentials:
        assert 20 <= len(held.access_key_id) <= 30
        assert set(held.access_key_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        assert 43 <= len(held.secret) <= 64


def test_the_old_file_is_overwritten(place):
    path = place.folder / "box.sealed"
    with path.open("rb") as old:
        Keeper(place).create_key("main")
        assert set(old.read()) == {0}


def test_a_reader_that_meets_a_replacement_reads_again(place, monkeypatch):
    path = place.folder / "box.sealed"
    box = OpenBox(place.folder, place.secret())
    stat, times = Path.stat, iter([True])

    def replaced_meanwhile(self, **options):
        if self == path and next(times, False):
            data = path.read_bytes()
            path.with_suffix(".fresh").write_bytes(data)
            path.with_suffix(".fresh").rename(path)
        return stat(self, **options)

    monkeypatch.setattr(Path, "stat", replaced_meanwhile)
    assert box.reload().box_id


def test_a_box_that_is_not_there_or_cannot_be_read(tmp_path, place):
    with pytest.raises(ConfigurationError, match="holds no box"):
        OpenBox(tmp_path, place.secret())
    (tmp_path / "box.sealed").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        OpenBox(tmp_path, place.secret())


def test_a_box_that_was_sealed_anew_or_damaged(place):
    box = OpenBox(place.folder, place.secret())
    path = place.folder / "box.sealed"
    kept = path.read_bytes()
    path.write_bytes(kept[:30] + bytes([kept[30] ^ 1]) + kept[31:])
    with pytest.raises(ConfigurationError, match="sealed anew"):
        box.reload()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(ConfigurationError, match="does not open"):
        box.reload()
    with pytest.raises(ConfigurationError, match="does not open"):
        OpenBox(place.folder, place.secret())
    assert str(place.folder) in repr(box)


def test_a_box_is_never_overwritten(place):
    content = Keeper(place).content
    with pytest.raises(ConfigurationError, match="holds a box already"):
        create_box(place.folder, content, place.secret())
    with pytest.raises(ConfigurationError, match="not empty"):
        initialise(place)


def test_a_passphrase_and_the_ways_to_be_wrong_about_it(tmp_path):
    right = private(tmp_path / "right", b"correct horse battery\r\n")
    unlocked = Unlocked(tmp_path / "box", passphrase_file=right)
    initialise(unlocked, effort=CHEAP)
    assert unlocked.secret() == Secret(Unlocking.PASSPHRASE, b"correct horse battery")
    assert "horse" not in repr(unlocked.secret())
    key_file = tmp_path / "key"
    make_key_file(key_file, KEY)
    with pytest.raises(ConfigurationError, match="unlocked by a passphrase"):
        Keeper(Unlocked(unlocked.folder, key_file=key_file))
    with pytest.raises(ConfigurationError, match="not both"):
        Keeper(Unlocked(unlocked.folder, key_file, right))
    with pytest.raises(ConfigurationError, match="too short"):
        read_passphrase(private(tmp_path / "short", b"eleven char\n"))


def test_key_files(tmp_path):
    path = tmp_path / "key"
    make_key_file(path, KEY)
    assert path.read_text() == f"siegel-keybox-key:v1:{KEY.hex()}:630dcd29\n"
    assert read_key_file(path) == Secret(Unlocking.KEY_FILE, KEY)
    with pytest.raises(ConfigurationError, match="never overwritten"):
        make_key_file(path, KEY)
    with pytest.raises(ValueError, match="32 bytes"):
        make_key_file(tmp_path / "other", KEY[:-1])
    path.write_text(f"siegel-keybox-key:v1:{KEY.hex()}:630dcd20\n")
    with pytest.raises(ConfigurationError, match="mistyped"):
        read_key_file(path)
    path.write_text("a key\n")
    with pytest.raises(ConfigurationError, match="malformed"):
        read_key_file(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_key_file(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_key_file(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_key_file(tmp_path / "pipe")


@pytest.mark.parametrize("prefix", ["", "/a", "/keystores/4a0d79d6-1d1b_49fd", "/" + "a" * 116])
def test_prefixes(prefix):
    check_uri_prefix(prefix)


@pytest.mark.parametrize("prefix", ["a", "/", "/a/", "//a", "/a//b", "/ä", "/a.b", "/a?b", "/" + "a" * 117])
def test_prefixes_that_are_none(prefix):
    with pytest.raises(ConfigurationError, match="is no prefix"):
        check_uri_prefix(prefix)


def test_locks(tmp_path):
    lock = tmp_path / "lock"
    with (
        locked(lock, refusal="somebody is here"),
        pytest.raises(ConfigurationError, match="somebody is here"),
        locked(lock, refusal="somebody is here"),
    ):
        pass
    with locked(tmp_path / "lock"):
        pass
    with pytest.raises(ConfigurationError, match="cannot be opened"), locked(tmp_path / "nowhere" / "lock"):
        pass


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made"):
        initialise(Unlocked(tmp_path / "file" / "box"))


def test_a_disk_that_refuses(place, monkeypatch, tmp_path):
    owner = Keeper(place)
    owner.create_key("main")
    before = (place.folder / "box.sealed").read_bytes()

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "sync_folder", fail)
        with pytest.raises(StorageError, match="Input/output error"):
            owner.create_key("second")
        assert (place.folder / "box.sealed").read_bytes() == before
        with pytest.raises(StorageError, match="cannot be written"):
            write_new(tmp_path / "new", b"x")
    write_new(tmp_path / "new", b"x")
    with monkeypatch.context() as patched:
        patched.setattr(durable.os, "pwrite", fail)
        with pytest.raises(StorageError, match="cannot be replaced"):
            replace_whole(tmp_path / "new", b"y", blanks_old=True)
    with monkeypatch.context() as patched:
        patched.setattr(keeper, "sync_folder", fail)
        with pytest.raises(StorageError, match="cannot be made"):
            owner.destroy("main")
    assert log_of(place)[-1] == ("box.destroy", "refused")
    assert "main" in Keeper(place).certificate("main").decode(), "the key is gone, and its certificate can be made at any time"
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "new", b"x")
    assert folder.KEY_NAME == "box.key"


def test_the_desk_sees_every_change(place):
    owner = Keeper(place)
    key = owner.create_key("main")
    desk = Desk(OpenBox(place.folder, place.secret()))
    assert desk.content() is desk.content()
    owner.set_enabled("main", is_enabled=False)
    assert not desk.content().find("main").is_enabled
    path = place.folder / "box.sealed"
    path.rename(place.folder / "away")
    with pytest.raises(RefusedError, match="InternalException"):
        desk.content()
    (place.folder / "away").rename(path)
    assert desk.content().find(key.key_id)


def test_a_policy_that_is_wrong_at_the_start(place):
    (place.folder / "policy.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"policy\.toml"):
        Desk(OpenBox(place.folder, place.secret()))


def test_a_policy_that_is_gone_empty_or_half_written_allows_nothing(place):
    owner = Keeper(place)
    key = owner.create_key("main")
    desk = Desk(OpenBox(place.folder, place.secret()))
    desk.admit(Use("", "xks.encrypt"), key, 0)
    path = place.folder / "policy.toml"
    path.rename(place.folder / "policy.old")
    with pytest.raises(RefusedError, match="AccessDeniedException"):
        desk.admit(Use("", "xks.encrypt"), key, 0)
    for text in ("", " \n\t\n", "rate_per_minute = 1", "#" * POLICY_BYTES_MAX + "\n"):
        # As a program leaves it that writes in place, before its first byte and in the middle; and a full disk.
        path.write_text(text)
        with pytest.raises(RefusedError, match="allows nothing: siegel keybox policy DIR"):
            desk.admit(Use("", "xks.encrypt"), key, 0)
        with pytest.raises(ConfigurationError, match=r"policy\.toml"):
            load_policy(path)
    path.write_text("# all\n")
    desk.admit(Use("", "xks.encrypt"), key, 0)
