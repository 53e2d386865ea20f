"""Small files that commands read and write."""

from pathlib import Path

from siegel.domain.errors import ConfigurationError


def read_file(path: Path, bytes_max: int) -> bytes:
    """Return at most so many bytes of a file. Raises ConfigurationError."""
    try:
        with path.open("rb") as stream:
            return stream.read(bytes_max)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def write_file(path: Path, data: bytes) -> None:
    """Write a file, in the place of what was there. Raises ConfigurationError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
