"""Files that are there whole or not at all; what was there before, or comes meanwhile, is not lost by accident."""

import errno
import os
import signal
import threading

import pytest

from siegel.customer.sealing import wholefile
from siegel.customer.sealing.wholefile import whole_file


@pytest.fixture(params=["nameless", "hidden"])
def _way(request, monkeypatch):
    """Both ways: of a file system that has files without names, and of one that has not."""
    if request.param == "hidden":
        opened = os.open

        def refusing(path, flags, *more, **options):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return opened(path, flags, *more, **options)

        monkeypatch.setattr(wholefile.os, "open", refusing)


pytestmark = pytest.mark.usefixtures("_way")


def write(path, data, *, replace=False):
    with whole_file(path, replace=replace) as stream:
        stream.write(data)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_is_private(tmp_path):
    target = tmp_path / ("漢" * 84)
    write(target, b"all of it")
    assert (target.read_bytes(), target.stat().st_mode & 0o777, len(names(tmp_path))) == (b"all of it", 0o600, 1)
    write(target, b"anew", replace=True)
    assert (target.read_bytes(), target.stat().st_mode & 0o777, len(names(tmp_path))) == (b"anew", 0o600, 1)


@pytest.mark.parametrize("replace", [False, True])
def test_what_fails_leaves_everything_as_it_was(tmp_path, replace):
    if replace:
        (tmp_path / "clip").write_bytes(b"the good old copy")
    before = names(tmp_path)

    def halfway():
        with whole_file(tmp_path / "clip", replace=replace) as stream:
            stream.write(b"half of it")
            stream.flush()
            raise ValueError("tampered")

    with pytest.raises(ValueError, match="tampered"):
        halfway()
    assert names(tmp_path) == before
    assert not replace or (tmp_path / "clip").read_bytes() == b"the good old copy"


def test_what_comes_meanwhile_is_not_lost(tmp_path):
    def overtaken():
        with whole_file(tmp_path / "clip", replace=False) as stream:
            stream.write(b"downloaded")
            (tmp_path / "clip").write_bytes(b"my own work")

    with pytest.raises(FileExistsError):
        overtaken()
    assert (names(tmp_path), (tmp_path / "clip").read_bytes()) == (["clip"], b"my own work")
    with pytest.raises(FileExistsError):
        write(tmp_path / "clip", b"x")


def test_links_are_followed_by_those_who_replace(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "clip")
    with pytest.raises(FileExistsError):
        write(tmp_path / "link", b"where somebody else wants it")
    assert names(tmp_path / "far") == []
    write(tmp_path / "link", b"newer", replace=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "clip").read_bytes() == b"newer"
    with pytest.raises(FileExistsError):
        write(tmp_path / "link", b"x")


def test_a_pipe_is_written_into_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError):
        write(pipe, b"x")
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe, b"through", replace=True)
    reader.join(30)
    assert (read, pipe.is_fifo(), names(tmp_path)) == ([b"through"], True, ["pipe"])


def test_where_nothing_can_be_written(tmp_path):
    for target in (tmp_path / "none" / "clip", tmp_path / ("n" * 256)):
        with pytest.raises(OSError, match=r"No such file|too long"):
            write(target, b"x")
    for replace in (False, True):
        with pytest.raises(OSError, match=r"exists|directory"):
            write(tmp_path, b"x", replace=replace)
    assert names(tmp_path) == []


def test_a_name_that_cannot_be_taken_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(wholefile.Path, "replace", refuse)
    with pytest.raises(OSError, match="Input/output"):
        write(tmp_path / "clip", b"x", replace=True)
    assert names(tmp_path) == []


def test_a_kill_leaves_nothing_where_files_need_no_name(tmp_path, request):
    process = os.fork()
    if not process:
        with whole_file(tmp_path / "clip", replace=False) as stream:
            stream.write(b"plaintext")
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    is_nameless = request.node.callspec.params["_way"] == "nameless"
    assert len(names(tmp_path)) == (0 if is_nameless else 1)
