"""Credentials files: proved before there is a key for them, and no key of anybody else is lost for one."""

import stat

import pytest

from siegel.app import credentials
from siegel.app.credentials import new_credentials, session_credentials
from siegel.domain.errors import ConfigurationError
from siegel.service.access_keys import AccessKey

KEY = AccessKey("SGLAAAAAAAAAAAAAAAAA", "secret")
TEMPORARY = AccessKey("SGTAAAAAAAAAAAAAAAAA", "secret")
PROFILE = "[default]\naws_access_key_id = {}\naws_secret_access_key = secret\n"
SESSION = PROFILE + "aws_session_token = {}\n"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_key_goes_into_a_new_file_of_its_owner(tmp_path):
    with new_credentials(tmp_path / "made") as write:
        write(KEY)
    assert (tmp_path / "made").read_text() == PROFILE.format(KEY.access_key_id)
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o600


@pytest.mark.parametrize("making", [new_credentials, session_credentials])
@pytest.mark.parametrize("held", ["", "[work]\naws_access_key_id = AKIA\n", PROFILE.format("SGLAAAAAAAAAAAAAAAAA")])
def test_what_exists_is_not_overwritten(tmp_path, making, held):
    (tmp_path / "held").write_text(held)
    with pytest.raises(ConfigurationError, match="exists, and is not overwritten"), making(tmp_path / "held"):
        pytest.fail("nothing is made before that is known")
    assert (tmp_path / "held").read_text() == held


@pytest.mark.parametrize("making", [new_credentials, session_credentials])
def test_a_file_that_cannot_be_written_is_known_before(tmp_path, making):
    with pytest.raises(ConfigurationError, match="missing/file cannot be written"), making(tmp_path / "missing" / "file"):
        pytest.fail("nothing is made before that is known")


@pytest.mark.parametrize("making", [new_credentials, session_credentials])
def test_a_link_is_not_followed(tmp_path, making):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError), making(tmp_path / "link"):
        pytest.fail("nothing is made before that is known")
    assert names(tmp_path) == ["link"]


@pytest.mark.parametrize("making", [new_credentials, session_credentials])
def test_where_nothing_is_made_no_file_stays(tmp_path, making):
    with pytest.raises(KeyboardInterrupt), making(tmp_path / "made"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_temporary_credentials_take_the_place_of_earlier_ones(tmp_path):
    for token in ("first", "second"):
        with session_credentials(tmp_path / "made") as write:
            write(TEMPORARY, token)
        assert (tmp_path / "made").read_text() == SESSION.format(TEMPORARY.access_key_id, token)
    with pytest.raises(KeyboardInterrupt), session_credentials(tmp_path / "made"):
        raise KeyboardInterrupt
    assert (tmp_path / "made").read_text() == SESSION.format(TEMPORARY.access_key_id, "second")
    assert names(tmp_path) == ["made"]


def test_other_profiles_beside_earlier_temporary_credentials_stay(tmp_path):
    held = SESSION.format(TEMPORARY.access_key_id, "first") + "[work]\naws_access_key_id = AKIA\n"
    (tmp_path / "held").write_text(held)
    with pytest.raises(ConfigurationError, match="not overwritten"), session_credentials(tmp_path / "held"):
        pytest.fail("nothing is made before that is known")
    assert (tmp_path / "held").read_text() == held


@pytest.mark.parametrize("words", [(new_credentials, KEY), (session_credentials, TEMPORARY, "token")])
def test_a_full_disk_is_told(tmp_path, monkeypatch, words):
    def write(_descriptor, _data):
        raise OSError(28, "No space left on device")

    making, *given = words
    monkeypatch.setattr(credentials.os, "write", write)
    with pytest.raises(ConfigurationError, match="made cannot be written: No space"), making(tmp_path / "made") as fill:
        fill(*given)
    assert names(tmp_path) == []
