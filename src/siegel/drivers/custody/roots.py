"""Root keys: what seals the key chest. One rests in a file, another in a token; both have a place and an id."""

import os
from typing import Final, Protocol

from msgspec import Struct

from siegel.drivers.custody.rootfile import RandomBytes
from siegel.envelope.derive import Label, derive_key
from siegel.envelope.record import NONCE_BYTES, RecordKey

DEFAULT_KEY_LABEL: Final = "siegel-root"
_ROOT_ID_BYTES: Final = 8


class FilePlace(Struct, frozen=True, tag_field="kind", tag="file"):
    """A root key in a file. A relative `path` is below the data directory."""

    path: str

    def __str__(self) -> str:
        return f"the file {self.path}"


class TokenPlace(Struct, frozen=True, kw_only=True, tag_field="kind", tag="pkcs11"):
    """A root key in a PKCS#11 token: the module's library, the labels of token and key, and the PIN's file, if any."""

    module: str
    token: str
    key: str = DEFAULT_KEY_LABEL
    pin_file: str | None = None

    def __str__(self) -> str:
        return f"the key {self.key} in the token {self.token}"


Place = FilePlace | TokenPlace


class Root(Protocol):
    """A root key that can be reached."""

    @property
    def root_id(self) -> str:
        """A public name that no two root keys share."""
        ...

    @property
    def place(self) -> Place:
        """Where it rests."""
        ...

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal `plaintext` bound to `context`. Raises ConfigurationError if the key cannot be reached."""
        ...

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Open what `seal` made for the same context. Raises SealBrokenError, ConfigurationError."""
        ...


class FileRoot:
    """A root key that was read from a file. The key itself is not kept."""

    def __init__(self, root_key: bytes, place: FilePlace, random_bytes: RandomBytes = os.urandom) -> None:
        """Take the 32-byte root key and the place where it was found."""
        self.root_id = derive_key(root_key, Label.ROOT_ID)[:_ROOT_ID_BYTES].hex()
        self.place = place
        self._record_key = RecordKey(derive_key(root_key, Label.KEY_CHEST))
        self._random_bytes = random_bytes

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal `plaintext` bound to `context`."""
        return self._record_key.seal(plaintext, context, self._random_bytes(NONCE_BYTES))

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Open what `seal` made for the same context. Raises SealBrokenError."""
        return self._record_key.open(sealed, context)
