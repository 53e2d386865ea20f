"""The customer's side of an access key: a credentials file as AWS tools read it."""

import os
from pathlib import Path

from siegel.domain.errors import ConfigurationError
from siegel.service.access_keys import AccessKey


def write_credentials(path: Path, key: AccessKey) -> None:
    """Write `key` as the default profile of the file `path`, mode 0600. Raises ConfigurationError if that cannot be done."""
    _write(path, _profile(key))


def write_session(path: Path, key: AccessKey, session_token: str) -> None:
    """Write temporary credentials, as `write_credentials` writes lasting ones."""
    _write(path, f"{_profile(key)}aws_session_token = {session_token}\n")


def _profile(key: AccessKey) -> str:
    return f"[default]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"


def _write(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            os.fchmod(descriptor, 0o600)
            stream.write(text)
    except OSError as error:
        raise ConfigurationError(f"the credentials file {path} cannot be written: {error.strerror}") from None
