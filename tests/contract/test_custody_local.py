"""The local custodian keeps the port's promises, and its key file to itself."""

import os
import stat

import pytest
from tests.contract.custody_suite import SECRET, KeyCustodianContract

from siegel.domain.errors import ConfigurationError, SealBrokenError
from siegel.drivers.custody import rootfile
from siegel.drivers.custody.local import LocalCustodian

ROOT_KEY = bytes(range(32))
LINE = f"siegel-root-key:v1:{ROOT_KEY.hex()}:630dcd29\n"


class TestLocalCustodian(KeyCustodianContract):
    def make_custodian(self, tmp_path, name):
        path = tmp_path / f"{name}.key"
        return LocalCustodian.load(path) if path.exists() else LocalCustodian.create_file(path)


def write_key(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_new_key_file_is_durable_private_and_loads_again(tmp_path):
    path = tmp_path / "root.key"
    made = LocalCustodian.create_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = LocalCustodian.load(path)
    assert loaded.unwrap(made.wrap(SECRET, b"c"), b"c") == SECRET
    assert loaded.database_key() == made.database_key()


def test_the_file_has_the_form_of_the_format_page(tmp_path):
    path = tmp_path / "root.key"
    LocalCustodian.create_file(path, lambda count: ROOT_KEY[:count])
    assert path.read_text() == LINE


def test_every_root_key_is_another(tmp_path):
    one, two = (LocalCustodian.create_file(tmp_path / name) for name in ("one", "two"))
    assert one.database_key() != two.database_key()
    assert len(one.database_key()) == 32


def test_the_database_key_is_not_the_root_key(tmp_path):
    assert LocalCustodian(ROOT_KEY).database_key() != ROOT_KEY


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_for_the_owner_alone_is_taken(tmp_path, mode):
    path = write_key(tmp_path / "root.key", LINE.strip(), mode)
    assert LocalCustodian.load(path).database_key() == LocalCustodian(ROOT_KEY).database_key()


def test_a_link_is_followed_because_secrets_are_mounted_as_links(tmp_path):
    (tmp_path / "link").symlink_to(write_key(tmp_path / "root.key", LINE))
    LocalCustodian.load(tmp_path / "link")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o602, 0o610])
def test_a_file_that_others_can_open_is_refused_with_the_way_out(tmp_path, mode):
    path = write_key(tmp_path / "root.key", LINE, mode)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        LocalCustodian.load(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="is missing"):
        LocalCustodian.load(tmp_path / "root.key")


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(ConfigurationError, match="not a regular file"):
            LocalCustodian.load(path)


def test_a_path_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        LocalCustodian.load(tmp_path / "loop")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        LINE[:-5],
        LINE + "\n",
        LINE + "x" * 500,
        LINE.replace("v1", "v2"),
        LINE.replace("00", "0g", 1),
        LINE.upper(),
        " " + LINE,
    ],
)
def test_a_malformed_file_is_told(tmp_path, text):
    with pytest.raises(ConfigurationError, match="malformed"):
        LocalCustodian.load(write_key(tmp_path / "root.key", text))


def test_a_mistyped_digit_is_told_from_a_key_of_another_store(tmp_path):
    with pytest.raises(ConfigurationError, match="mistyped"):
        LocalCustodian.load(write_key(tmp_path / "root.key", LINE.replace("0102", "0103")))


def test_an_existing_key_is_never_overwritten(tmp_path):
    path = write_key(tmp_path / "root.key", "precious")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        LocalCustodian.create_file(path)
    assert path.read_text() == "precious"


def test_a_key_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        LocalCustodian.create_file(tmp_path / "missing" / "root.key")


def test_the_file_and_its_name_are_synced(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(rootfile.os, "fsync", lambda file: synced.append(stat.S_ISDIR(os.fstat(file).st_mode)) or real(file))
    LocalCustodian.create_file(tmp_path / "root.key")
    assert synced == [False, True]


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_root_key_has_32_bytes(size):
    with pytest.raises(ConfigurationError, match="32 bytes"):
        LocalCustodian(b"k" * size)


def test_no_key_is_ever_shown(tmp_path):
    custodian = LocalCustodian(ROOT_KEY)
    assert repr(custodian) == str(custodian) == "LocalCustodian()"
    path = write_key(tmp_path / "root.key", LINE.replace("0102", "0103"))
    with pytest.raises(ConfigurationError) as caught:
        LocalCustodian.load(path)
    assert "04050607" not in str(caught.value)


def test_a_wrap_that_does_not_open_again_is_never_handed_out(monkeypatch):
    custodian = LocalCustodian(ROOT_KEY)
    monkeypatch.setattr(LocalCustodian, "unwrap", lambda *_: b"something else")
    with pytest.raises(SealBrokenError, match="fresh wrap"):
        custodian.wrap(SECRET, b"c")
