"""`siegel root rekey-database` shows how far it is, on a terminal alone, and lets itself be interrupted."""

import signal

import pytest

from siegel.app.commands import root
from siegel.app.config import merge, resolve
from siegel.app.wiring import create_deployment


def test_pages_are_counted_on_a_terminal(tmp_path, capsys, monkeypatch):
    create_deployment(resolve(merge({}, {}), tmp_path)).close()
    (tmp_path / "siegel.toml").touch()
    monkeypatch.setattr(root.sys.stderr, "isatty", lambda: True)
    root.rekey_database(tmp_path)
    told = capsys.readouterr()
    pages = int(told.out.split(":")[1].split()[0])
    assert pages > 10
    assert f"{pages}/{pages}" in told.err
    root.rekey_database(tmp_path, json=True)
    assert capsys.readouterr().err == ""


def test_ctrl_c_ends_the_copy_and_changes_nothing(tmp_path, monkeypatch):
    create_deployment(resolve(merge({}, {}), tmp_path)).close()
    (tmp_path / "siegel.toml").touch()
    monkeypatch.setattr(root._Pages, "tell", lambda *_: signal.raise_signal(signal.SIGINT))
    # As Python sets it; whoever else runs in this process may have left another.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            root.rekey_database(tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (tmp_path / "keychest").exists()
    assert [path.name for path in tmp_path.glob("siegel*.db")] == ["siegel.db"]
