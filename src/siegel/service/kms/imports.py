"""Key material that the customer brings along: a pair of keys to wrap it for, the import, its end.

The private half of a pair is nowhere kept: the import token carries it, sealed for the key. A key can lose a material and get it
again, and no other in its place: what it encrypted opens then as before. New material waits until the key is rotated on demand.
From the import on the provider has the material too.

Source: AWS KMS API Reference, "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"; AWS KMS Developer
Guide, "Importing key material".
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.errors import SealBrokenError, SlowDownError
from siegel.domain.kms_errors import (
    KmsExpiredImportTokenError,
    KmsIncorrectKeyMaterialError,
    KmsInvalidCiphertextError,
    KmsInvalidImportTokenError,
    KmsInvalidStateError,
    KmsUnsupportedOperationError,
    KmsValidationError,
)
from siegel.domain.limits import KMS_IMPORT_DAYS_MAX, KMS_IMPORT_PAIRS_WAITING_MAX, KMS_IMPORT_TOKEN_S
from siegel.domain.wrapping_keys import KeyState, Material, WrappingKey
from siegel.envelope.importing import (
    ImportWrapping,
    fingerprint,
    is_material,
    make_import_pair,
    unwrap_import,
)
from siegel.kmswire.answers import Answer, material_id, moment
from siegel.kmswire.asks import DeleteImportedKeyMaterial, GetParametersForImport, ImportKeyMaterial
from siegel.service.kms.keys import DAY_MS
from siegel.service.kms.material import ImportTicket, Materials
from siegel.service.kms.scene import Change, Scene, Unwrapped
from siegel.service.kms.views import KeyView

_BITS: Final = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
_EXPIRES: Final = "KEY_MATERIAL_EXPIRES"
_NEW: Final = "NEW_KEY_MATERIAL"


class ImportParameters:
    """The operation that makes a pair of keys: off the event loop, one at a time."""

    def __init__(self, materials: Materials) -> None:
        self._materials = materials
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def get_parameters(self, scene: Scene, ask: GetParametersForImport) -> Answer:
        """Return a fresh public key, and the token that goes with it for a day. Raises SlowDownError, too."""
        view = _imported(scene, ask.key_id)
        bits = _BITS.get(ask.wrapping_key_spec)
        if bits is None or ask.wrapping_algorithm not in set(ImportWrapping):
            raise KmsUnsupportedOperationError(
                "Key material is wrapped for an RSA key, by RSAES_OAEP or RSA_AES_KEY_WRAP; PKCS #1 v1.5 is too weak."
            )
        private_der, public_der = await self._pair(bits)
        valid_to_ms = scene.now_ms + KMS_IMPORT_TOKEN_S * 1000
        ticket = ImportTicket(valid_to_ms=valid_to_ms, wrapping=ask.wrapping_algorithm, private_der=private_der)
        return {
            "KeyId": scene.arn(view),
            "ImportToken": self._materials.seal_ticket(view.account_id, view.key.key_id, ticket),
            "PublicKey": public_der,
            "ParametersValidTo": moment(valid_to_ms),
        }

    async def _pair(self, bits: int) -> tuple[bytes, bytes]:
        if self._waiting >= KMS_IMPORT_PAIRS_WAITING_MAX:
            raise SlowDownError
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(make_import_pair, bits)
        finally:
            self._waiting -= 1

    @property
    def uses(self) -> Mapping[str, Callable[[Scene, Any], Awaitable[Answer]]]:
        """The operation by its name."""
        return {"GetParametersForImport": self.get_parameters}


def import_key_material(change: Change, ask: ImportKeyMaterial) -> Answer:
    """Give a key the material that was wrapped for it: its first one, one that it knows, or one for its next rotation."""
    view, expires_at_ms = _check_import(change, ask)
    key, clear = view.key, change.unwrapped_for(view)
    if not is_material(clear):
        raise KmsIncorrectKeyMaterialError
    place = _place_of(view, ask, fingerprint(clear, key.key_id), change.now_ms)
    sealed = change.materials.keep(view.account_id, key.key_id, place.number, clear, at_ms=change.now_ms).sealed
    fresh = replace(
        place,
        sealed=sealed,
        expires_at_ms=expires_at_ms,
        description=ask.key_material_description or place.description,
    )
    filled = key.with_material(fresh)
    if key.state is KeyState.PENDING_IMPORT and filled.state is not KeyState.PENDING_IMPORT:
        # As in AWS: a key that waited for its material is enabled by it, one that has it stays as it is.
        filled = replace(filled, is_enabled=True)
    change.book_of(view.account_id).put_key(filled)
    return {"KeyId": change.arn(view), "KeyMaterialId": material_id(view.account_id, key, fresh)}


def _place_of(view: KeyView, ask: ImportKeyMaterial, mark: bytes, now_ms: int) -> Material:
    """Return the material that has a fingerprint, or a place for a new one. Raises KmsIncorrectKeyMaterialError."""
    known = view.key.known_materials
    found = next((one for one in known if hmac.compare_digest(one.fingerprint, mark)), None)
    if _is_new(ask, view.key):
        if found is not None:
            raise KmsIncorrectKeyMaterialError
        return Material(known[-1].number + 1 if known else 1, b"", now_ms, fingerprint=mark)
    if found is None or ask.key_material_id not in {None, material_id(view.account_id, view.key, found)}:
        raise KmsIncorrectKeyMaterialError
    return found


def delete_imported_key_material(change: Change, ask: DeleteImportedKeyMaterial) -> Answer:
    """Take a key's material away, at once: the current one unless another is named; the same can be imported again."""
    view = _imported(change, ask.key_id)
    gone = _named(view, ask.key_material_id) or (view.key.materials[-1] if view.key.materials else None)
    if gone is None:
        return {"KeyId": change.arn(view)}
    change.book_of(view.account_id).put_key(view.key.without_material(gone.number))
    return {"KeyId": change.arn(view), "KeyMaterialId": material_id(view.account_id, view.key, gone)}


def _imported(scene: Scene, name: str) -> KeyView:
    """Return a key as `Scene.key` does. Raises KmsUnsupportedOperationError for one whose material is not brought along."""
    view = scene.key(name)
    if not view.key.is_imported:
        raise KmsUnsupportedOperationError(f"{scene.arn(view)} has no imported key material: its Origin is not EXTERNAL.")
    return view


async def unwrap_material(materials: Materials, scene: Scene, ask: ImportKeyMaterial) -> Unwrapped:
    """Return the material of an import that the caller may make; that takes some 10 ms, which no transaction waits for.

    Raises what `import_key_material` raises.
    """
    view, _ = _check_import(scene, ask)
    try:
        ticket = materials.open_ticket(view.account_id, view.key.key_id, ask.import_token)
    except SealBrokenError as error:
        raise KmsInvalidImportTokenError from error
    if ticket.valid_to_ms < scene.now_ms:
        raise KmsExpiredImportTokenError
    wrapping = ImportWrapping(ticket.wrapping)
    try:
        clear = await asyncio.to_thread(unwrap_import, wrapping, ticket.private_der, ask.encrypted_key_material)
    except SealBrokenError as error:
        raise KmsInvalidCiphertextError("The key material does not unwrap with the private key of the import token.") from error
    return Unwrapped(view.account_id, view.key.key_id, clear)


def _check_import(scene: Scene, ask: ImportKeyMaterial) -> tuple[KeyView, int]:
    """Return the key of an import, and when its material goes; all is right so far but what comes out of the wrapping."""
    view = _imported(scene, ask.key_id)
    if _is_new(ask, view.key):
        if ask.key_material_id is not None:
            raise KmsValidationError("KeyMaterialId names material that the key knows: it does not go with new material.")
        if view.key.pending is not None:
            raise KmsInvalidStateError(
                "The key has new material already: rotate the key on demand, or delete that material first."
            )
    elif not view.key.materials:
        raise KmsValidationError("ImportType is EXISTING_KEY_MATERIAL, but no material was imported into this key yet.")
    _named(view, ask.key_material_id)
    return view, _expiry(scene, ask)


def _is_new(ask: ImportKeyMaterial, key: WrappingKey) -> bool:
    return not key.materials if ask.import_type is None else ask.import_type == _NEW


def _named(view: KeyView, named: str | None) -> Material | None:
    """Return the material of a key that is named, None if none is. Raises KmsValidationError."""
    if named is None:
        return None
    for material in view.key.known_materials:
        if material_id(view.account_id, view.key, material) == named:
            return material
    raise KmsValidationError("KeyMaterialId is not that of a material that was imported into the key.")


def _expiry(scene: Scene, ask: ImportKeyMaterial) -> int:
    """Return when the material goes, 0 for never. Raises KmsValidationError."""
    if ask.expiration_model != _EXPIRES:
        if ask.valid_to is not None:
            raise KmsValidationError("ValidTo goes with ExpirationModel KEY_MATERIAL_EXPIRES alone.")
        return 0
    if ask.valid_to is None:
        raise KmsValidationError("ExpirationModel KEY_MATERIAL_EXPIRES needs ValidTo.")
    at_ms = round(ask.valid_to * 1000)
    if not scene.now_ms < at_ms <= scene.now_ms + KMS_IMPORT_DAYS_MAX * DAY_MS:
        raise KmsValidationError(f"ValidTo is in the future, {KMS_IMPORT_DAYS_MAX} days at most.")
    return at_ms


CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    "ImportKeyMaterial": import_key_material,
    "DeleteImportedKeyMaterial": delete_imported_key_material,
}
