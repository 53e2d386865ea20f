"""What a box holds: keys, credentials of those who may call it, and the memory of the keys that were destroyed.

Every value is frozen: a change makes a new content, which is written whole. The stored form is that of
`docs/design/formats/keybox.md`.
"""

import re
from enum import StrEnum
from functools import cached_property
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from siegel.domain.errors import ConfigurationError

KEY_BYTES: Final = 32
KEYS_MAX: Final = 10_000
# During a rotation the old and the new one are valid.
CREDENTIALS_PER_FACE_MAX: Final = 2

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Face(StrEnum):
    """The two protocols of a box, by the service that their requests are signed for."""

    XKS = "kms-xks-proxy"
    KMS = "kms"


class Key(Struct, frozen=True):
    """A key of 256 bits. `key_id` never means another key, `name` is for people. The text form shows no material.

    A key in a token has no material here: `token` is the serial number of the token that it was made in.
    """

    key_id: str
    name: str
    created_at_ms: int
    material: bytes | None
    is_enabled: bool = True
    token: str | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"Key({self.key_id}, {self.name!r}, {'enabled' if self.is_enabled else 'disabled'})"


class Credential(Struct, frozen=True):
    """An access key that signs calls to one face. The text form shows no secret."""

    face: Face
    access_key_id: str
    secret: str
    created_at_ms: int

    def __repr__(self) -> str:
        return f"Credential({self.face}, {self.access_key_id})"


class DestroyedKey(Struct, frozen=True):
    """What is left of a destroyed key: that it was there, in which token if in one, and when it went."""

    key_id: str
    name: str
    created_at_ms: int
    destroyed_at_ms: int
    token: str | UnsetType = UNSET


class Content(Struct, frozen=True, kw_only=True, dict=True):
    """Everything in a box. `signing_seed` (Ed25519) signs certificates, `probe` is a key that only health checks use.

    `uri_prefix` comes in front of `/kms/xks/v1`: empty, or a slash and more.
    """

    box_id: str
    created_at_ms: int
    uri_prefix: str
    signing_seed: bytes
    probe: bytes
    keys: tuple[Key, ...] = ()
    destroyed: tuple[DestroyedKey, ...] = ()
    credentials: tuple[Credential, ...] = ()

    def __repr__(self) -> str:
        return f"Content({self.box_id}, {len(self.keys)} keys)"

    @cached_property
    def by_id(self) -> dict[str, Key]:
        """The keys by their ids."""
        return {key.key_id: key for key in self.keys}

    @cached_property
    def by_name(self) -> dict[str, Key]:
        """The keys by their names."""
        return {key.name: key for key in self.keys}

    @cached_property
    def destroyed_by_id(self) -> dict[str, DestroyedKey]:
        """The destroyed keys by their ids."""
        return {key.key_id: key for key in self.destroyed}

    @cached_property
    def credentials_by_id(self) -> dict[tuple[Face, str], Credential]:
        """The credentials by face and access key id."""
        return {(held.face, held.access_key_id): held for held in self.credentials}

    def find(self, key: str) -> Key:
        """Return the key of this id or name. Raises ConfigurationError if there is none."""
        found = self.by_id.get(key) or self.by_name.get(key)
        if found is None:
            what = "was destroyed" if key in self.destroyed_by_id else "is not in this box"
            raise ConfigurationError(f"the key {key!r} {what}\ntry: siegel keybox list DIR")
        return found

    def with_key(self, key: Key) -> "Content":
        """Return this content with one key more. Raises ConfigurationError for a name that is taken or malformed."""
        if not _NAME.fullmatch(key.name):
            raise ConfigurationError(f"{key.name!r} is no name for a key: use 1 to 64 letters, digits, dots, dashes, underscores")
        if key.name in self.by_name or key.name in self.by_id or key.name in self.destroyed_by_id:
            raise ConfigurationError(f"there is a key {key.name!r} already")
        if len(self.keys) >= KEYS_MAX:
            raise ConfigurationError(f"a box holds at most {KEYS_MAX} keys")
        return replace(self, keys=(*self.keys, key))

    def with_state(self, key: Key, *, is_enabled: bool) -> "Content":
        """Return this content with `key` enabled or disabled."""
        changed = replace(key, is_enabled=is_enabled)
        return replace(self, keys=tuple(changed if held.key_id == key.key_id else held for held in self.keys))

    def without_key(self, key: Key, destroyed_at_ms: int) -> "Content":
        """Return this content without `key`, but with the memory of it."""
        gone = DestroyedKey(key.key_id, key.name, key.created_at_ms, destroyed_at_ms, key.token)
        keys = tuple(held for held in self.keys if held.key_id != key.key_id)
        return replace(self, keys=keys, destroyed=(*self.destroyed, gone))

    def with_credential(self, credential: Credential) -> "Content":
        """Return this content with one credential more. Raises ConfigurationError while the face has two already."""
        same = [held.access_key_id for held in self.credentials if held.face is credential.face]
        if len(same) >= CREDENTIALS_PER_FACE_MAX:
            raise ConfigurationError(
                f"two credentials are valid already: {', '.join(same)}\ntry: siegel keybox credential retire DIR {same[0]}"
            )
        return replace(self, credentials=(*self.credentials, credential))

    def without_credential(self, access_key_id: str) -> "Content":
        """Return this content without a credential. Raises ConfigurationError for an unknown one and for the last of a face."""
        found = [held for held in self.credentials if held.access_key_id == access_key_id]
        if not found:
            raise ConfigurationError(f"there is no credential {access_key_id!r}\ntry: siegel keybox credential list DIR")
        if sum(held.face is found[0].face for held in self.credentials) == 1:
            raise ConfigurationError(
                f"{access_key_id} is the last credential of its face\ntry: siegel keybox credential rotate DIR"
            )
        return replace(self, credentials=tuple(held for held in self.credentials if held is not found[0]))
