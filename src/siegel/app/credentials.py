"""The customer's side of an access key: a credentials file as AWS tools read it.

The file is proved before there is a key for it, and keys of others are never lost for it: what exists is not overwritten, save
temporary credentials that were written here.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from siegel.customer.keybox.durable import hidden_name
from siegel.domain.errors import ConfigurationError
from siegel.service.access_keys import AccessKey

_SESSION: Final = re.compile(
    r"\[default\]\naws_access_key_id = SGT[A-Z2-7]+\naws_secret_access_key = \S+\naws_session_token = \S+\n", re.ASCII
)
_SESSION_BYTES_MAX: Final = 64 * 1024


@contextmanager
def new_credentials(path: Path | None) -> Iterator[Callable[[AccessKey], None]]:
    """Make the file `path`, mode 0600, and yield what writes a key into it, as the default profile; no path, no file.

    Where that is not called the file goes again. Raises ConfigurationError: it exists, or cannot be written.
    """
    if path is None:
        yield lambda _key: None
        return
    with _made(path) as write:
        yield lambda key: write(_profile(key))


@contextmanager
def session_credentials(path: Path) -> Iterator[Callable[[AccessKey, str], None]]:
    """Yield what writes temporary credentials to `path`, as `new_credentials` does; earlier ones that it has are replaced.

    Raises ConfigurationError: it has anything else, or cannot be written.
    """
    if not _may_be_replaced(path):
        raise _exists(path)
    # Whoever reads the file meanwhile has the old credentials or the new ones, and never half of them.
    fresh = hidden_name(path.parent)
    with _made(fresh, path) as write:

        def replace(key: AccessKey, session_token: str) -> None:
            write(f"{_profile(key)}aws_session_token = {session_token}\n")
            try:
                fresh.replace(path)
            except OSError as error:
                raise _unwritable(path, error) from None

        yield replace


@contextmanager
def _made(path: Path, shown: Path | None = None) -> Iterator[Callable[[str], None]]:
    """Make the file `path`, which stays if it is written; errors name `shown`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise _exists(shown or path) from None
    except OSError as error:
        raise _unwritable(shown or path, error) from None
    is_written = False

    def write(text: str) -> None:
        nonlocal is_written
        try:
            os.write(descriptor, text.encode("ascii"))
        except OSError as error:
            raise _unwritable(shown or path, error) from None
        is_written = True

    try:
        yield write
    finally:
        os.close(descriptor)
        if not is_written:
            with suppress(OSError):
                path.unlink()


def _may_be_replaced(path: Path) -> bool:
    """Whether nothing is at `path`, or temporary credentials alone that were written here. Raises ConfigurationError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            return bool(_SESSION.fullmatch(stream.read(_SESSION_BYTES_MAX).decode("ascii", "replace")))
    except FileNotFoundError:
        return True
    except OSError as error:
        raise _unwritable(path, error) from None


def _profile(key: AccessKey) -> str:
    return f"[default]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"


def _exists(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"the credentials file {path} exists, and is not overwritten: it may have keys that are nowhere else\ntry: a new file"
    )


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"the credentials file {path} cannot be written: {error.strerror}")
