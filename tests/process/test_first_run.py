import re
import stat

import pytest

from tests.process.running import initialise, siegel


def test_init_shows_the_secrets_once_in_one_object(tmp_path):
    made = initialise(tmp_path / "data", "--account", "acme", "--region", "eu-west-9")
    assert set(made) == {"operator", "account", "region"}
    assert set(made["operator"]) == {"access_key_id", "secret_access_key"}
    assert set(made["account"]) == {"account_id", "name", "access_key_id", "secret_access_key"}
    assert (made["account"]["name"], made["region"]) == ("acme", "eu-west-9")
    assert re.fullmatch("SGO[A-Z2-7]{17}", made["operator"]["access_key_id"])
    assert re.fullmatch("SGL[A-Z2-7]{17}", made["account"]["access_key_id"])
    held = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    for secret in (made["operator"]["secret_access_key"], made["account"]["secret_access_key"]):
        assert secret.encode() not in held
    assert b"acme" not in held


def test_only_the_owner_may_read_the_root_key(tmp_path):
    initialise(tmp_path / "data")
    assert stat.S_IMODE((tmp_path / "data" / "root.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_the_root_key_may_live_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SIEGEL_ROOT_KEY_FILE", str(tmp_path / "elsewhere.key"))
    initialise(tmp_path / "data")
    assert (tmp_path / "elsewhere.key").exists()
    assert not (tmp_path / "data" / "root.key").exists()
    monkeypatch.delenv("SIEGEL_ROOT_KEY_FILE")
    listed = siegel("account", "list", "--data", tmp_path / "data", "--json")
    assert listed.returncode == 0, "siegel.toml remembers where"


def test_a_directory_in_use_is_left_alone(tmp_path):
    initialise(tmp_path / "data")
    before = (tmp_path / "data" / "root.key").read_bytes()
    again = siegel("init", tmp_path / "data")
    assert again.returncode == 253
    assert "is initialised already" in again.stderr
    assert (tmp_path / "data" / "root.key").read_bytes() == before


def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    refused = siegel("init", tmp_path)
    assert refused.returncode == 253
    assert "is not empty" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_bad_account_name_is_refused_before_anything_is_made(tmp_path):
    refused = siegel("init", tmp_path / "data", "--account", "no spaces please")
    assert refused.returncode == 1
    assert "cannot name an account" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_people_get_text_and_a_credentials_file(tmp_path):
    files = ("--credentials", tmp_path / "credentials", "--operator-credentials", tmp_path / "operator")
    made = siegel("init", tmp_path / "data", *files)
    assert made.returncode == 0, made.stderr
    assert "shown this once" in made.stdout
    written = (tmp_path / "credentials").read_text()
    secret = re.search("aws_secret_access_key = (.*)", written)[1]
    assert secret in made.stdout
    assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o600
    operators = (tmp_path / "operator").read_text()
    assert operators.startswith("[default]\naws_access_key_id = SGO")
    assert all(line.partition(" = ")[2] in made.stdout for line in operators.splitlines()[1:])


@pytest.mark.parametrize("option", ["--credentials", "--operator-credentials"])
def test_a_credentials_file_that_cannot_be_made_is_refused_before_anything_is_made(tmp_path, option):
    (tmp_path / "held").write_text("[work]\naws_access_key_id = AKIA\n")
    for path, told in (
        (tmp_path / "held", "is not overwritten"),
        (tmp_path / "missing" / "file", "No such file or directory"),
        (tmp_path / "data" / "key", "is in the data directory"),
    ):
        refused = siegel("init", tmp_path / "data", option, path)
        assert refused.returncode == 253
        assert told in refused.stderr
        assert not (tmp_path / "data").exists()
    assert (tmp_path / "held").read_text() == "[work]\naws_access_key_id = AKIA\n"


def test_where_no_deployment_is_made_no_credentials_file_stays(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letters.txt").write_text("dear")
    assert siegel("init", tmp_path / "data", "--credentials", tmp_path / "key").returncode == 253
    assert not (tmp_path / "key").exists()


def test_an_account_is_made_only_where_its_credentials_file_is(tmp_path):
    initialise(tmp_path / "data")
    (tmp_path / "held").write_text("[work]\naws_access_key_id = AKIA\n")
    for path in (tmp_path / "held", tmp_path / "missing" / "file"):
        refused = siegel("account", "create", "films", "--data", tmp_path / "data", "--credentials", path)
        assert refused.returncode == 253
    assert (tmp_path / "held").read_text() == "[work]\naws_access_key_id = AKIA\n"
    made = siegel("account", "create", "films", "--data", tmp_path / "data", "--credentials", tmp_path / "new")
    assert made.returncode == 0, "the account was not there before"
    assert (tmp_path / "new").read_text().startswith("[default]\naws_access_key_id = SGL")


def test_wrong_usage_has_its_own_status(tmp_path):
    for words in (["serve"], ["nonsense"], ["serve", tmp_path, "--workers", "many"], ["init", tmp_path, "--colour", "red"]):
        refused = siegel(*words)
        assert refused.returncode == 252, words
        assert "try: siegel" in refused.stderr


def test_a_missing_deployment_says_how_to_make_one(tmp_path):
    refused = siegel("serve", tmp_path)
    assert refused.returncode == 253
    assert f"try: siegel init {tmp_path}" in refused.stderr
