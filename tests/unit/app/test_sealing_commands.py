"""What `siegel seal` and `siegel open` refuse before they ask a store, and where they write."""

import os
import signal
from pathlib import Path

import pytest

from siegel.app.commands import opening, sealing, sealing_options
from siegel.customer.sealing.refusals import KeyFileError, SealedObjectError, SealingError
from siegel.domain.errors import SiegelError


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "a").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    sealing.new_key(Path("my.key"))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "options", "expected"),
    [
        ((), {}, "say what to seal"),
        (("a",), {}, "say what to seal"),
        (("a", "s3://b/k"), {}, "nobody could open it"),
        (("a", "s3://b/k"), {"to": ["missing.pub"]}, "neither a recipient's line nor a file"),
        (("a", "s3://b/k"), {"to": ["siegel-recipient-1:AAAA"]}, "not whole"),
        (("a", "b", "s3://b/k"), {"key": Path("my.key")}, "several files need a folder"),
        (("a", "./a", "s3://b/"), {"key": Path("my.key")}, "same object key"),
        (("a", "folder/a", "s3://b/"), {"key": Path("my.key")}, "same object key"),
        (("missing", "s3://b/k"), {"key": Path("my.key")}, "cannot be read"),
        (("folder", "s3://b/k"), {"key": Path("my.key")}, "not a regular file"),
        (("pipe", "s3://b/k"), {"key": Path("my.key")}, "not a regular file"),
        (("/dev/null", "s3://b/k"), {"key": Path("my.key")}, "not a regular file"),
        (("a", "s3://b/k"), {"to": ["my.key.pub"], "seal_names": True}, "names are sealed with a key file"),
        (("a", "s3://b/k"), {"key": Path("my.key"), "part_mib": 1}, "a part has at least"),
        (("a", "b/k"), {"key": Path("my.key")}, "not an address"),
    ],
)
def test_what_cannot_be_sealed_is_said(desk, words, options, expected):
    with pytest.raises(SiegelError, match=expected):
        sealing.seal(*words, **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (0, 100)),
        ("0-0", (0, 1)),
        ("5-9", (5, 10)),
        ("90-", (90, 100)),
        ("-10", (90, 100)),
        ("-200", (0, 100)),
        ("9-999", (9, 100)),
    ],
)
def test_ranges_are_those_of_http(text, expected):
    assert opening._range(text, 100) == expected


@pytest.mark.parametrize("text", ["", "-", "a-b", "1", "100-", "9-5", "-0", "1-2-3", "0-²", f"{'9' * 5000}-"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(SealingError, match="range"):
        opening._range(text, 100)


def test_standard_output_takes_one_thing(desk):
    with pytest.raises(SealingError, match="cannot take both"):
        opening.open_object("s3://b/k", key=Path("my.key"), output=Path("-"), json=True)


def test_a_file_appears_whole_or_not_at_all(desk):
    target = desk / "out"

    def fail() -> None:
        with opening._written(target, force=False) as stream:
            stream.write(b"half")
            raise SealedObjectError("broken")

    with pytest.raises(SealedObjectError):
        fail()
    assert sorted(path.name for path in desk.iterdir()) == ["a", "folder", "my.key", "my.key.pub", "pipe"]
    with opening._written(target, force=False) as stream:
        stream.write(b"one")
    with pytest.raises(SealingError, match="there already"), opening._written(target, force=False):
        pass
    with opening._written(target, force=True) as stream:
        stream.write(b"two")
    assert target.read_bytes() == b"two"
    with pytest.raises(SealingError, match="cannot be written"), opening._written(desk / "none" / "out", force=False):
        pass

    def overtaken() -> None:
        with opening._written(desk / "late", force=False) as stream:
            stream.write(b"downloaded")
            (desk / "late").write_bytes(b"my own work")

    with pytest.raises(SealingError, match="there already"):
        overtaken()
    assert (desk / "late").read_bytes() == b"my own work"


def test_whoever_was_told_to_outlive_the_terminal_goes_on(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with opening._ended_in_order():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(SystemExit) as ended:
                signal.raise_signal(signal.SIGTERM)
        assert ended.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", [None, "", ".", "..", "a/b", "-o", "a\0"])
def test_a_sealed_name_is_never_a_path(name):
    class File:
        class manifest:  # noqa: N801  stands for an attribute
            pass

    File.manifest.name = name
    with pytest.raises(SealingError, match="no usable name"):
        opening._own_name(File)


def test_the_memory_is_where_programs_keep_their_state(desk, monkeypatch):
    assert sealing_options.load_seen(None)._path == desk / "state" / "siegel" / "seen.db"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(desk))
    assert sealing_options.load_seen(None)._path == desk / ".local" / "state" / "siegel" / "seen.db"
    assert sealing_options.load_seen(Path("mine.db"))._path == Path("mine.db")


def test_keys_are_told(desk, capsys):
    with pytest.raises(KeyFileError, match="not overwritten"):
        sealing.new_key(Path("my.key"))
    sealing.public_line(Path("my.key"), json=True)
    assert Path("my.key.pub").read_text().strip() in capsys.readouterr().out


def test_a_bar_is_shown_on_a_terminal_alone(monkeypatch, capsys):
    with sealing_options.moving("clip", 10, quiet=False) as progress:
        progress(10)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with sealing_options.moving("clip", 10, quiet=False) as progress:
        progress(10)
    assert "clip" in capsys.readouterr().err
