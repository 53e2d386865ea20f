"""The nouns of the key service as they are stored: keys with their material, aliases, grants.

Format pages: `docs/design/formats/records.md`, `docs/design/formats/kms.md`. Fields are only ever added at the end of a
class, with a default.
"""

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.records import Document, Kind

Pairs = tuple[tuple[str, str], ...]

ALIAS_PREFIX = "alias/"

CUSTOMER_MANAGED = "CUSTOMER"
AWS_MANAGED = "AWS"


class KeyState(StrEnum):
    """The states of a key, in the words of KMS.

    Unavailable is one whose key store is not connected, PendingImport one whose material has yet to be imported, or again.
    """

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"
    PENDING_IMPORT = "PendingImport"
    UNAVAILABLE = "Unavailable"


class Material(Struct, frozen=True, array_like=True):
    """One version of a key's material: 32 random bytes, sealed by the custodian for account, key and number.

    `rotation` says what brought it, at `created_at_ms`: "" (the key's creation), "AUTOMATIC", "ON_DEMAND".

    Material that somebody brought along has a `fingerprint`, which tells it again. It goes at `expires_at_ms`, unless that is 0;
    `sealed` is empty while it is gone.
    """

    number: int
    sealed: bytes
    created_at_ms: int
    rotation: str = ""
    fingerprint: bytes = b""
    expires_at_ms: int = 0
    description: str = ""

    def gone(self) -> "Material":
        """Return what is left of it: enough to tell it again."""
        return replace(self, sealed=b"", expires_at_ms=0)


class WrappingKey(Document, frozen=True, array_like=True):
    """A customer's key. `policy_bindings` pairs principals' ARNs with the unique ids that these had when the policy was put.

    `deletes_at_ms` is 0 unless its deletion is scheduled; `rotation_days` is 0 unless it rotates by itself, next at
    `rotates_at_ms`. `materials` are in order of their numbers; the last one encrypts, all decrypt. `manager` is AWS_MANAGED for
    the key that a service made for itself.

    One in an external key store has its `key_store_id`, and the `external_key_id` of the key that wraps over its material there.

    One that `is_imported` has the materials that somebody brought along, none before the first import, and waits while one of
    them is gone. `pending` becomes the newest at the next rotation. `expires_at_ms`: when the first of all goes, 0 for never.

    `enabled_at_ms` grows each time that it is enabled again.
    """

    kind: ClassVar[Kind] = Kind.WRAPPING_KEY

    key_id: str = ""
    created_at_ms: int = 0
    description: str = ""
    policy_text: str = ""
    policy_bindings: Pairs = ()
    tags: Pairs = ()
    is_enabled: bool = True
    deletes_at_ms: int = 0
    deletion_days: int = 0
    rotation_days: int = 0
    rotates_at_ms: int = 0
    materials: tuple[Material, ...] = ()
    manager: str = CUSTOMER_MANAGED
    key_store_id: str = ""
    external_key_id: str = ""
    is_imported: bool = False
    fingerprint: bytes = b""
    expires_at_ms: int = 0
    material_description: str = ""
    enabled_at_ms: int = 0
    pending: Material | None = None

    @property
    def is_external(self) -> bool:
        """Whether nothing that it encrypted opens without its external key store."""
        return bool(self.key_store_id)

    @property
    def state(self) -> KeyState:
        """The key's state, were its key store connected."""
        if self.deletes_at_ms:
            return KeyState.PENDING_DELETION
        if self.is_imported and not (self.materials and all(material.sealed for material in self.materials)):
            return KeyState.PENDING_IMPORT
        return KeyState.ENABLED if self.is_enabled else KeyState.DISABLED

    @property
    def known_materials(self) -> tuple[Material, ...]:
        """All materials, the pending one last."""
        return self.materials if self.pending is None else (*self.materials, self.pending)

    def with_materials(self, materials: tuple[Material, ...], pending: Material | None) -> "WrappingKey":
        """Return an imported key with other materials."""
        times = [one.expires_at_ms for one in (*materials, *((pending,) if pending else ())) if one.expires_at_ms]
        return replace(self, materials=materials, pending=pending, expires_at_ms=min(times, default=0))

    def with_material(self, fresh: Material) -> "WrappingKey":
        """Return an imported key with the material of a number, new or again; all but the first is pending when it is new."""
        if not self.materials:
            return self.with_materials((fresh,), None)
        if all(fresh.number != material.number for material in self.materials):
            return self.with_materials(self.materials, fresh)
        return self.with_materials(tuple(fresh if fresh.number == one.number else one for one in self.materials), self.pending)

    def without_material(self, number: int) -> "WrappingKey":
        """Return an imported key whose material of a number is gone: it waits for it, unless that was the pending one."""
        pending = None if self.pending is not None and self.pending.number == number else self.pending
        return self.with_materials(tuple(one.gone() if one.number == number else one for one in self.materials), pending)

    def without_expired(self, now_ms: int) -> "WrappingKey":
        """Return an imported key without the materials whose time is over."""
        key = self
        for material in self.known_materials:
            if 0 < material.expires_at_ms <= now_ms:
                key = key.without_material(material.number)
        return key

    def upgraded(self) -> "WrappingKey":
        """Return a key as it would be stored today.

        Before one could have several imported materials, the key itself had `fingerprint` and `material_description`.
        """
        if not self.fingerprint:
            return self
        first = self.materials[0] if self.materials else Material(1, b"", self.created_at_ms)
        first = replace(
            first, fingerprint=self.fingerprint, expires_at_ms=self.expires_at_ms, description=self.material_description
        )
        return replace(self, materials=(first,), fingerprint=b"", material_description="")


class KeyAlias(Document, frozen=True, array_like=True):
    """Another name of a key, kept under that name; `name` begins with `alias/`."""

    kind: ClassVar[Kind] = Kind.KEY_ALIAS

    name: str = ""
    key_id: str = ""
    created_at_ms: int = 0
    updated_at_ms: int = 0


class Grant(Document, frozen=True, array_like=True):
    """Rights on one key for one principal, kept under `KEY ID/GRANT ID`.

    `bindings` pairs the ARNs of both principals with unique ids, as those of policies. `constraint` is "", "Equals" or "Subset":
    how the encryption context must match `context`.
    """

    kind: ClassVar[Kind] = Kind.KEY_GRANT

    grant_id: str = ""
    key_id: str = ""
    name: str = ""
    created_at_ms: int = 0
    issuer: str = ""
    grantee: str = ""
    retiring: str = ""
    bindings: Pairs = ()
    operations: tuple[str, ...] = ()
    constraint: str = ""
    context: Pairs = ()


class RetirableGrant(Document, frozen=True, array_like=True):
    """Where a grant is that a principal may retire; kept for that principal's account under `ARN|GRANT ID`."""

    kind: ClassVar[Kind] = Kind.RETIRABLE_GRANT

    account_id: str = ""
    key_id: str = ""
    grant_id: str = ""
    retiring: str = ""


def key_arn(region: str, account_id: str, key_id: str) -> str:
    """Return a key's ARN."""
    return f"arn:aws:kms:{region}:{account_id}:key/{key_id}"


def alias_arn(region: str, account_id: str, name: str) -> str:
    """Return the ARN of an alias; its name begins with `alias/`."""
    return f"arn:aws:kms:{region}:{account_id}:{name}"
