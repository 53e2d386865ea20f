"""The file of a consent key: with and without a passphrase, and whatever is not right with one."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from siegel.customer.consent.keyfile import make_key_file, public_path, read_key_file
from siegel.customer.keybox.boxfile import Effort
from siegel.domain.errors import ConfigurationError
from siegel.ledger.keys import parse_verifier

LIGHT = Effort(1, 64, 1)
PASSPHRASE = b"correct horse battery"


VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "consent" / "keyfile.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "passphrase"), [("plain", None), ("sealed", VECTORS["passphrase"].encode())])
def test_key_files_are_as_published(path, name, passphrase):
    path.touch(0o600)
    path.write_text(VECTORS[name])
    signer = read_key_file(path, passphrase)
    assert (signer.seed.hex(), str(signer.verifier)) == (VECTORS["seed"], VECTORS["vkey"])
    assert signer.sign_text(VECTORS["signed"]["text"]).line == VECTORS["signed"]["line"]
    # And they are made so, by random bytes that are 1, 1, 1 ... then 2, 2, 2 ... then 3, 3, 3 ...
    numbers = iter((1, 2, 3))
    made = path.with_name("made")
    make_key_file(made, signer.name, passphrase, effort=LIGHT, random_bytes=lambda count: bytes([next(numbers)]) * count)
    assert made.read_text() == VECTORS[name]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my.key"


def rewritten(path, change):
    """Change the text of a key file, and give it check digits that fit."""
    lines = change(path.read_text().rpartition("check ")[0])
    path.write_text(f"{lines}check {hashlib.sha256(lines.encode()).hexdigest()[:8]}\n")


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_key_is_read_as_it_was_made(path, passphrase):
    made = make_key_file(path, "alice.example", passphrase, effort=LIGHT)
    signer = read_key_file(path, passphrase)
    assert signer.verifier == made == parse_verifier(public_path(path).read_text().strip())
    made.check_text(signer.sign_text("a text\n"), "a text\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (signer.seed.hex() in path.read_text()) is (passphrase is None)


def test_nothing_is_overwritten(path):
    make_key_file(path, "a")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        make_key_file(path, "a")
    public_path(path).unlink()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        make_key_file(path, "a")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak"])
def test_no_key_has_such_a_name(path, name):
    with pytest.raises(ConfigurationError, match="named like that"):
        make_key_file(path, name)
    assert not path.exists()


def test_the_passphrase_must_be_there_and_right(path):
    make_key_file(path, "a", PASSPHRASE, effort=LIGHT)
    with pytest.raises(ConfigurationError, match="try: --passphrase-file"):
        read_key_file(path)
    with pytest.raises(ConfigurationError, match="another passphrase"):
        read_key_file(path, b"wrong horse battery")


def test_a_damaged_or_malformed_file_is_refused(path):
    make_key_file(path, "a")
    whole = path.read_text()
    path.write_text(whole.replace("name a", "name b"))
    with pytest.raises(ConfigurationError, match="check digits"):
        read_key_file(path)
    path.write_text(whole.replace("v1", "v2"))
    with pytest.raises(ConfigurationError, match="malformed"):
        read_key_file(path)
    path.write_text(whole)
    rewritten(path, lambda text: text.replace("name a", "name a b"))
    with pytest.raises(ConfigurationError, match="named like that"):
        read_key_file(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_key_file(path)


def test_what_is_around_the_sealed_seed_belongs_to_it(path):
    make_key_file(path, "a", PASSPHRASE, effort=LIGHT)
    whole = path.read_text()
    for change in (
        lambda text: text.replace("name a", "name b"),
        lambda text: text.replace("public ", "public 00", 1).replace(
            "public 00" + text.split("public ")[1][:64], "public " + "0" * 64
        ),
    ):
        path.write_text(whole)
        rewritten(path, change)
        with pytest.raises(ConfigurationError, match="another passphrase, or damage"):
            read_key_file(path, PASSPHRASE)
    path.write_text(whole)
    rewritten(path, lambda text: text.replace("argon2id 1 64 1", "argon2id 1 999999999 1"))
    with pytest.raises(ConfigurationError, match="more work"):
        read_key_file(path, PASSPHRASE)
