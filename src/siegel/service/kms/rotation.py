"""Rotation: new material for a key. What older material encrypted, the key still decrypts."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.kms_errors import KmsInvalidStateError, KmsLimitExceededError, KmsUnsupportedOperationError
from siegel.domain.limits import KMS_ROTATIONS_ON_DEMAND_MAX
from siegel.domain.wrapping_keys import WrappingKey
from siegel.kmswire.answers import Answer, moment, page_view, rotation_view
from siegel.kmswire.asks import EnableKeyRotation, ListKeyRotations, OfKey
from siegel.service.kms.keys import DAY_MS
from siegel.service.kms.material import Materials
from siegel.service.kms.scene import Change, Scene, take_page
from siegel.service.kms.views import KeyView

ON_DEMAND: Final = "ON_DEMAND"
AUTOMATIC: Final = "AUTOMATIC"


def rotated(materials: Materials, account_id: str, key: WrappingKey, *, at_ms: int, rotation: str) -> WrappingKey:
    """Return a key with fresh material, with which it encrypts from now on."""
    number = key.materials[-1].number + 1
    fresh = materials.make(account_id, key.key_id, number, at_ms=at_ms, rotation=rotation)
    return replace(key, materials=(*key.materials, fresh))


def enable_key_rotation(change: Change, ask: EnableKeyRotation) -> None:
    """Let a key rotate by itself, every so many days from now on."""
    view = _self_rotating(change, ask.key_id)
    days = ask.rotation_period_in_days
    key = replace(view.key, rotation_days=days, rotates_at_ms=change.now_ms + days * DAY_MS)
    change.book_of(view.account_id).put_key(key)


def disable_key_rotation(change: Change, ask: OfKey) -> None:
    """Let a key keep its material."""
    view = _self_rotating(change, ask.key_id)
    change.book_of(view.account_id).put_key(replace(view.key, rotation_days=0, rotates_at_ms=0))


def rotate_key_on_demand(change: Change, ask: OfKey) -> Answer:
    """Give a key fresh material now, or the one that was imported for that; the times of its automatic rotations stay."""
    view = _rotatable(change, ask.key_id)
    done = sum(material.rotation == ON_DEMAND for material in view.key.materials)
    if done >= KMS_ROTATIONS_ON_DEMAND_MAX:
        raise KmsLimitExceededError(f"A key is rotated on demand at most {KMS_ROTATIONS_ON_DEMAND_MAX} times.")
    if view.key.is_imported:
        key = _with_pending(view.key, change.now_ms)
    else:
        key = rotated(change.materials, view.account_id, view.key, at_ms=change.now_ms, rotation=ON_DEMAND)
    change.book_of(view.account_id).put_key(key)
    return {"KeyId": change.arn(view)}


def _with_pending(key: WrappingKey, now_ms: int) -> WrappingKey:
    """Return an imported key that encrypts with its pending material from now on. Raises KmsInvalidStateError."""
    if key.pending is None:
        raise KmsInvalidStateError(
            "There is no key material to rotate to: import it first, with ImportType NEW_KEY_MATERIAL. "
            "Its KeyMaterialState is PENDING_ROTATION then."
        )
    fresh = replace(key.pending, created_at_ms=now_ms, rotation=ON_DEMAND)
    return key.with_materials((*key.materials, fresh), None)


def get_key_rotation_status(scene: Scene, ask: OfKey) -> Answer:
    """Tell whether and when a key rotates by itself."""
    view = _rotatable(scene, ask.key_id)
    answer: dict[str, object] = {"KeyId": scene.arn(view), "KeyRotationEnabled": bool(view.key.rotation_days)}
    if view.key.rotation_days:
        answer["RotationPeriodInDays"] = view.key.rotation_days
        answer["NextRotationDate"] = moment(view.key.rotates_at_ms)
    return answer


def list_key_rotations(scene: Scene, ask: ListKeyRotations) -> Answer:
    """List the rotations that a key went through, or all of its materials."""
    view = _rotatable(scene, ask.key_id)
    is_whole = ask.include_key_material == "ALL_KEY_MATERIAL"
    shown = [material for material in view.key.known_materials if is_whole or material.rotation]
    entries = ((f"{one.number:010}", rotation_view(scene.region, view.account_id, view.key, one)) for one in shown)
    return page_view("Rotations", *take_page(entries, ask))


def _rotatable(scene: Scene, name: str) -> KeyView:
    """Return a key as `Scene.key` does. Raises KmsUnsupportedOperationError for one that another rotates."""
    view = scene.key(name)
    if view.key.is_external:
        raise KmsUnsupportedOperationError("Keys in an external key store are rotated there, by who has them.")
    return view


def _self_rotating(scene: Scene, name: str) -> KeyView:
    """Return a key as `_rotatable` does. Raises KmsUnsupportedOperationError for one whose material is brought along as well."""
    view = _rotatable(scene, name)
    if view.key.is_imported:
        raise KmsUnsupportedOperationError(
            "Imported key material does not rotate by itself: import another, and rotate on demand."
        )
    return view


READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {
    "GetKeyRotationStatus": get_key_rotation_status,
    "ListKeyRotations": list_key_rotations,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    "EnableKeyRotation": enable_key_rotation,
    "DisableKeyRotation": disable_key_rotation,
    "RotateKeyOnDemand": rotate_key_on_demand,
}
