import base64
import hashlib
import stat

import pytest
from tests.unit.customer.sealing.objects import KEY

from siegel.customer.sealing.keyfile import (
    KeyFile,
    Recipient,
    new_key_file,
    parse_key_file,
    parse_recipient,
    read_key_file,
    write_key_file,
)
from siegel.customer.sealing.refusals import KeyFileError
from siegel.domain.errors import ConfigurationError


def line_of(marker: str, payload: bytes) -> str:
    return f"{marker}:{base64.urlsafe_b64encode(payload + hashlib.sha256(payload).digest()[:4]).decode()}"


def test_a_key_file_is_private_and_comes_with_its_public_line(tmp_path):
    key, path = new_key_file(), tmp_path / "my.key"
    public = write_key_file(key, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path).line == key.line
    assert public == tmp_path / "my.key.pub"
    assert parse_recipient(public.read_text()).line == key.recipient.line
    assert key.line not in public.read_text()
    assert new_key_file().line != key.line


@pytest.mark.parametrize("taken", ["my.key", "my.key.pub"])
def test_nothing_is_overwritten(tmp_path, taken):
    (tmp_path / taken).write_text("precious")
    with pytest.raises(KeyFileError, match="not overwritten"):
        write_key_file(KEY, tmp_path / "my.key")
    assert (tmp_path / taken).read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "my.key"
    write_key_file(KEY, path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_key_file(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a key file"),
        ("# nothing\n", "not a key file"),
        (KEY.recipient.line, "not a key file"),
        (f"{KEY.line}\n{KEY.line}", "not a key file"),
        ("siegel-key-1:!!", "no base64url"),
        ("siegel-key-1:", "check does not fit"),
        (KEY.line[:-9] + "A" + KEY.line[-8:], "check does not fit"),
        (line_of("siegel-key-1", bytes(159)), "cut short or too long"),
    ],
)
def test_what_is_no_key_file_is_refused(text, words):
    with pytest.raises(KeyFileError, match=words):
        parse_key_file(text)


def test_a_recipient_is_a_public_key():
    with pytest.raises(KeyFileError, match="cut short or too long"):
        parse_recipient(line_of("siegel-recipient-1", bytes(1247)))
    with pytest.raises(KeyFileError, match="no public key of ML-KEM-768"):
        Recipient(b"\xff" * 1248)
    with pytest.raises(KeyFileError, match="not a recipient's line"):
        parse_recipient(KEY.line)


def test_secrets_do_not_show():
    assert KEY.line not in repr(KEY)
    with pytest.raises(KeyFileError):
        KeyFile(b"")
