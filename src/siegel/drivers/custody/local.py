"""The custodian whose keys are derived from a root key, and stay what they are: that of a deployment without a key chest."""

import os
from pathlib import Path

from siegel.domain.errors import ConfigurationError
from siegel.drivers.custody.contents import derived_contents
from siegel.drivers.custody.keyset import KeySet
from siegel.drivers.custody.rootfile import RandomBytes, create_root_key, load_root_key
from siegel.envelope.derive import KEY_BYTES


class LocalCustodian(KeySet):
    """Keeper of the root key (port KeyCustodian). Neither `repr` nor any error shows a key."""

    __slots__ = ()

    def __init__(self, root_key: bytes, random_bytes: RandomBytes = os.urandom) -> None:
        """Take the 32-byte root key and a source of nonces. The root key itself is not kept, only what is derived from it."""
        if len(root_key) != KEY_BYTES:
            raise ConfigurationError("a root key has 32 bytes")
        super().__init__(derived_contents(root_key), random_bytes)

    @classmethod
    def create_file(cls, path: Path, random_bytes: RandomBytes = os.urandom) -> "LocalCustodian":
        """Make a new root key and its file, and return its custodian. Raises ConfigurationError (`create_root_key`)."""
        return cls(create_root_key(path, random_bytes), random_bytes)

    @classmethod
    def load(cls, path: Path, random_bytes: RandomBytes = os.urandom) -> "LocalCustodian":
        """Return the custodian of the root key in a file. Raises ConfigurationError (`load_root_key`).

        A well-formed key of another store is told by the first thing it should open (`unwrap`, or the database).
        """
        return cls(load_root_key(path), random_bytes)
