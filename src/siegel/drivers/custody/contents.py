"""The keys that hang on a root key: the database's, and the custodian's by their numbers."""

from typing import Literal

from msgspec import Struct

from siegel.envelope.derive import Label, derive_key


class CustodianKey(Struct, frozen=True, array_like=True):
    """A key that seals records of the custodian. `retired_at_ms` is 0 until the rotation that replaced it has ended."""

    number: int
    secret: bytes
    retired_at_ms: int = 0

    def __repr__(self) -> str:
        return f"CustodianKey({self.number})"


class Contents(Struct, frozen=True, array_like=True):
    """The database's key, and the custodian's in order of their numbers: the last one seals, the others only open.

    `database_number` says which file is the database: one more each time that it was copied to have another key.
    """

    form: Literal[1] = 1
    database_key: bytes = b""
    keys: tuple[CustodianKey, ...] = ()
    database_number: int = 0

    @property
    def current(self) -> CustodianKey:
        """The key that seals."""
        return self.keys[-1]

    def __repr__(self) -> str:
        return f"Contents({self.keys!r})"


def derived_contents(root_key: bytes) -> Contents:
    """Return the keys of a deployment without a key chest: they are derived from the 32-byte root key."""
    return Contents(1, derive_key(root_key, Label.DATABASE), (CustodianKey(0, derive_key(root_key, Label.CUSTODIAN)),))
