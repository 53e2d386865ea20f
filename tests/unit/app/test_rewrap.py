"""`siegel keys rewrap`: nothing that kept its old key is forgotten, however often a run is cut off."""

import pytest

from siegel.app.commands import rewrap as command
from siegel.customer.sealing.refusals import StoreError

PAGES = {("", ""): (["one", "locked"], ("k", "1")), ("k", "1"): (["two"], ("l", "2")), ("l", "2"): (["three"], None)}


def test_the_bar_of_a_run_that_goes_on_ends_full(tmp_path, monkeypatch, capsys):
    def pages(_client, _bucket, _prefix, after):
        while after is not None:
            versions, after = PAGES[after]
            yield versions, after

    monkeypatch.setattr(command, "connect", lambda _url: None)
    monkeypatch.setattr(command, "version_pages", pages)
    monkeypatch.setattr(command, "update_version", lambda *_words: "")
    monkeypatch.setattr(command.sys.stderr, "isatty", lambda: True)
    command.Position(tmp_path / "state.json", "films/ arn").note(("k", "1"))
    command.rewrap("films", key="arn", state=tmp_path / "state.json")
    told = capsys.readouterr()
    assert told.out == "2 versions sealed anew, 0 left as they are\n"
    assert "2/2" in told.err


@pytest.mark.parametrize("refused", ["locked", "none"])
def test_a_run_that_goes_on_comes_back_to_what_was_refused(tmp_path, monkeypatch, refused):
    began = []
    cut = [True]

    def pages(_client, _bucket, _prefix, after):
        began.append(after)
        while after is not None:
            if after == ("l", "2") and cut:
                cut.clear()
                raise StoreError("the connection is lost")
            versions, after = PAGES[after]
            yield versions, after

    monkeypatch.setattr(command, "connect", lambda _url: None)
    monkeypatch.setattr(command, "version_pages", pages)
    monkeypatch.setattr(command, "update_version", lambda _c, _b, version, _w: "locked: no" if version == refused else "")

    def run():
        command.rewrap("films", key="arn", state=tmp_path / "state.json", json=True)

    with pytest.raises(StoreError):
        run()
    if refused == "none":
        run()
        assert began == [("", ""), ("l", "2")]
    else:
        with pytest.raises(SystemExit) as ended:
            run()
        assert ended.value.code == 1
        assert began == [("", ""), ("", "")]
