"""The order of object keys: that of their UTF-8 bytes."""

from typing import Final

from siegel.domain.errors import InvalidArgumentError

# Behind every object key: no UTF-8 text begins with this byte.
BEHIND_ALL_KEYS: Final = b"\xff"


def key_bytes(object_key: str) -> bytes:
    """Return the bytes that a key is ordered by. Raises InvalidArgumentError for text that has no UTF-8 form."""
    try:
        return object_key.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError("The object key is not valid Unicode.") from error


def stop_bytes(stop: str | None) -> bytes:
    """Return the exclusive end of a range of keys; None stands for the end of all."""
    return BEHIND_ALL_KEYS if stop is None else key_bytes(stop)
