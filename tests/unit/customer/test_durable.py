"""Files that are there whole or not at all, whatever the disk does and whenever the process dies."""

import errno
import os
import signal

import pytest

from siegel.customer.consent.keyfile import make_key_file
from siegel.customer.keybox import durable
from siegel.customer.keybox.durable import name_new, replace_whole, write_new
from siegel.customer.sealing.keyfile import new_key_file, write_key_file
from siegel.customer.sealing.refusals import KeyFileError
from siegel.domain.errors import ConfigurationError, StorageError


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def without_links(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_who_reads_what_is_replaced_reads_it_to_its_end(tmp_path):
    place = tmp_path / "note"
    write_new(place, b"old")
    with place.open("rb") as reader:
        replace_whole(place, b"new")
        assert reader.read() == b"old"
    # What was sealed is overwritten, where that is asked for.
    with place.open("rb") as reader:
        replace_whole(place, b"newer", blanks_old=True)
        assert reader.read() == bytes(3)
    assert place.read_bytes() == b"newer"


def test_a_new_file_is_private_and_nothing_else_is_left(tmp_path):
    write_new(tmp_path / ("n" * 255), b"all of it")
    (made,) = tmp_path.iterdir()
    assert (made.read_bytes(), made.stat().st_mode & 0o777, made.stat().st_nlink) == (b"all of it", 0o600, 1)
    with pytest.raises(FileExistsError):
        write_new(made, b"something else")
    assert [made.read_bytes()] == [path.read_bytes() for path in tmp_path.iterdir()]


def test_a_link_that_leads_nowhere_is_a_name_that_somebody_has(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "link", b"x")
    assert names(tmp_path) == ["link"]


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_full_disk_leaves_no_file(tmp_path, monkeypatch, step):
    with monkeypatch.context() as patched:
        patched.setattr(durable.os, step, full)
        with pytest.raises(StorageError, match="No space left"):
            write_new(tmp_path / "proof", b"x")
    assert names(tmp_path) == []
    write_new(tmp_path / "proof", b"x")


def test_a_name_that_cannot_be_made_durable_is_taken_back(tmp_path, monkeypatch):
    monkeypatch.setattr(durable, "sync_folder", full)
    with pytest.raises(StorageError, match="No space left"):
        write_new(tmp_path / "proof", b"x")
    assert names(tmp_path) == []


def test_a_kill_before_all_is_written_leaves_nothing_under_the_name(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(durable.os, "fsync", killed)
        process = os.fork()
        if not process:
            write_new(tmp_path / "proof", b"x")
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    assert not (tmp_path / "proof").exists()
    write_new(tmp_path / "proof", b"x")
    assert (tmp_path / "proof").read_bytes() == b"x"


def test_somebody_who_comes_first_keeps_the_name(tmp_path, monkeypatch):
    path, link = tmp_path / "proof", os.link

    def too_late(*words, **more):
        path.write_bytes(b"mine")
        link(*words, **more)

    monkeypatch.setattr(durable.os, "link", too_late)
    with pytest.raises(FileExistsError) as caught:
        write_new(path, b"x")
    assert (caught.value.filename, path.read_bytes(), names(tmp_path)) == (str(path), b"mine", ["proof"])


def test_a_file_system_without_hard_links(tmp_path, monkeypatch):
    monkeypatch.setattr(durable.os, "link", without_links)
    write_new(tmp_path / "proof", b"x")
    assert (names(tmp_path), (tmp_path / "proof").read_bytes()) == (["proof"], b"x")
    (tmp_path / "other").write_bytes(b"y")
    with pytest.raises(FileExistsError):
        name_new(tmp_path / "other", tmp_path / "proof")
    assert (tmp_path / "proof").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("make", "refusal"),
    [
        (lambda path: write_key_file(new_key_file(), path), KeyFileError),
        (lambda path: make_key_file(path, "alice"), ConfigurationError),
    ],
)
def test_of_a_key_file_and_its_public_half_there_are_both_or_none(tmp_path, monkeypatch, make, refusal):
    with pytest.raises(StorageError, match="File name too long"):
        make(tmp_path / ("k" * 252))
    assert names(tmp_path) == []
    with pytest.raises(StorageError, match="File name too long"):
        make(tmp_path / ("k" * 256))
    (tmp_path / "my.key.pub").touch()
    with pytest.raises(refusal, match=r"my\.key\.pub "):
        make(tmp_path / "my.key")
    assert names(tmp_path) == ["my.key.pub"]
    (tmp_path / "my.key.pub").rename(tmp_path / "my.key")
    with pytest.raises(refusal, match=r"my\.key "):
        make(tmp_path / "my.key")
    assert names(tmp_path) == ["my.key"]
