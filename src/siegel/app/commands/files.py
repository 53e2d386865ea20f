"""Small files that commands read and write."""

import os
import stat
from pathlib import Path

from siegel.domain.errors import ConfigurationError


def read_file(path: Path, bytes_max: int) -> bytes:
    """Return at most so many bytes of a file. Raises ConfigurationError."""
    try:
        with path.open("rb") as stream:
            return stream.read(bytes_max)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def read_regular_file(path: Path, bytes_max: int) -> bytes:
    """Do the same with what has to be a regular file: a pipe would be waited for until somebody writes into it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return stream.read(bytes_max)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    raise ConfigurationError(f"{path} is not a regular file")


def write_file(path: Path, data: bytes) -> None:
    """Write a file, in the place of what was there. Raises ConfigurationError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
