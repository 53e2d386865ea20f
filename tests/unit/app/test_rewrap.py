"""`siegel keys rewrap`: nothing that kept its old key is forgotten, however often a run is cut off."""

import pytest

from siegel.app.commands import rewrap as command
from siegel.customer.sealing.refusals import StoreError

PAGES = {("", ""): (["one", "locked"], ("k", "1")), ("k", "1"): (["two"], ("l", "2")), ("l", "2"): (["three"], None)}


@pytest.fixture
def sealing(monkeypatch):
    """Refusals by version; what is not in it can be sealed anew."""
    refused = {}

    def pages(_client, _bucket, _prefix, after):
        while after is not None:
            versions, after = PAGES[after]
            yield versions, after

    monkeypatch.setattr(command, "connect", lambda _url: None)
    monkeypatch.setattr(command, "version_pages", pages)
    monkeypatch.setattr(command, "update_version", lambda _c, _b, version, _w: refused.get(version, ""))
    return refused


@pytest.mark.usefixtures("sealing")
def test_the_bar_of_a_run_that_goes_on_ends_full(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.sys.stderr, "isatty", lambda: True)
    command.Position(tmp_path / "state.json", "films/ arn:").note(("k", "1"))
    command.rewrap("films", key="arn:", state=tmp_path / "state.json")
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
        command.rewrap("films", key="arn:", state=tmp_path / "state.json", json=True)

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


def test_what_is_refused_first_keeps_nothing_else_from_its_new_key(tmp_path, sealing, capsys):
    sealing.update(one="one: no", locked="locked: no")
    for _ in range(2):
        with pytest.raises(SystemExit):
            command.rewrap("films", key="arn:new", state=tmp_path / "state.json")
        assert capsys.readouterr().out == "2 versions sealed anew, 2 left as they are\none: no\nlocked: no\n"


def test_a_key_that_nothing_can_get_ends_it_at_once(tmp_path, sealing):
    sealing.update(one="one: arn:new is disabled.", locked="locked: arn:new is disabled.", two="nobody asks")
    with pytest.raises(StoreError, match=r"^nothing could be sealed anew: one: arn:new is disabled\.$"):
        command.rewrap("films", key="arn:new", state=tmp_path / "state.json")
    # A key server's refusal names no key.
    sealing.update(
        dict.fromkeys(("one", "locked"), "one: KMS.KMSInvalidStateException: The external key store proxy refused: off.")
    )
    with pytest.raises(StoreError, match=r"^nothing could be sealed anew: one: KMS\.KMSInvalidStateException"):
        command.rewrap("films", key="arn:new", state=tmp_path / "state.json")
    # One that names another key is about the key that the version has.
    sealing.update(dict.fromkeys(("one", "locked"), "one: KMS.DisabledException: arn:old is disabled."))
    with pytest.raises(SystemExit):
        command.rewrap("films", key="arn:new", state=tmp_path / "state.json")
    with pytest.raises(StoreError, match="is no ARN\ntry: --key arn:"):
        command.rewrap("films", key="new", state=tmp_path / "state.json")


def test_a_note_that_cannot_be_written_is_known_before(tmp_path, sealing, monkeypatch):
    monkeypatch.setattr(command, "update_version", lambda *_words: pytest.fail("nothing is sealed before that is known"))
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "state.json", tmp_path / ("long" * 80), tmp_path):
        with pytest.raises(StoreError, match=r"cannot be (written|read): .*\ntry: "):
            command.rewrap("films", key="arn:new", state=path)


def test_only_who_says_no_file_needs_a_home_directory(tmp_path, sealing, monkeypatch):
    monkeypatch.setattr(command.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("Could not determine home directory.")))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    with pytest.raises(StoreError, match=r"no home directory.*\ntry: --state FILE"):
        command.rewrap("films", key="arn:new")
    command.rewrap("films", key="arn:new", state=tmp_path / "state.json")
