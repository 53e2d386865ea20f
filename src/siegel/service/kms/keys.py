"""Keys: create, show, list, enable and disable, delete after a time of reflection, describe."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from siegel.domain.key_stores import KeyStore
from siegel.domain.kms_errors import (
    KmsCustomKeyStoreInvalidStateError,
    KmsLimitExceededError,
    KmsUnsupportedOperationError,
    KmsValidationError,
    KmsXksKeyAlreadyInUseError,
    KmsXksKeyInvalidConfigurationError,
)
from siegel.domain.limits import KMS_KEYS_MAX
from siegel.domain.wrapping_keys import WrappingKey, key_arn
from siegel.kmswire.answers import ORIGIN_EXTERNAL, ORIGIN_IMPORTED, ORIGIN_OWN, Answer, key_view, moment, page_view
from siegel.kmswire.asks import CreateKey, DescribeKey, ListKeys, OfKey, ScheduleKeyDeletion, UpdateKeyDescription
from siegel.service.kms.key_stores import find_store
from siegel.service.kms.lapses import error_of_key
from siegel.service.kms.policies import bind_policy, check_lockout, default_policy
from siegel.service.kms.scene import Change, Scene, page_start, take_page
from siegel.service.kms.tags import merge_tags
from siegel.service.kms.views import FreshViews

DAY_MS: Final = 24 * 3600 * 1000
_ID_BYTES: Final = 16
_SUPPORTED: Final = {"", "SYMMETRIC_DEFAULT"}


def create_key(change: Change, ask: CreateKey) -> Answer:
    """Create a key with fresh material, or one that waits for material to be imported.

    Without a policy, the account's root has every right, and may give rights to others.
    """
    _refuse_others(ask)
    change.admit_account()
    if ask.tags:
        change.admit_account(permission="kms:TagResource")
    account_id = change.account_id
    book = change.book_of(account_id)
    if sum(1 for _ in islice(book.scan_keys(), KMS_KEYS_MAX)) >= KMS_KEYS_MAX:
        raise KmsLimitExceededError(f"An account has at most {KMS_KEYS_MAX} keys.")
    store_id, external_key_id = _external_key(change, ask)
    key_id = str(UUID(bytes=change.materials.randomness.bytes(_ID_BYTES), version=4))
    text = ask.policy or default_policy(account_id)
    is_imported = ask.origin == ORIGIN_IMPORTED
    key = WrappingKey(
        key_id=key_id,
        created_at_ms=change.now_ms,
        description=ask.description,
        policy_text=text,
        policy_bindings=bind_policy(change.reader, text),
        tags=merge_tags((), ask.tags),
        materials=() if is_imported else (change.materials.make(account_id, key_id, 1, at_ms=change.now_ms),),
        key_store_id=store_id,
        external_key_id=external_key_id,
        is_imported=is_imported,
    )
    book.put_key(key)
    change.setting.trail.object_key = key_arn(change.region, account_id, key_id)
    if ask.policy and not ask.bypass_policy_lockout_safety_check:
        check_lockout(change, FreshViews(change.reader, change.now_ms).find(account_id, key_id))
    return {"KeyMetadata": key_view(change.region, account_id, key, key.state)}


def store_for_key(scene: Scene, ask: CreateKey) -> KeyStore:
    """Return the key store of an external key that is to be made, if the caller may make one there.

    Raises AccessDeniedError, KmsValidationError, KmsCustomKeyStoreNotFoundError, KmsCustomKeyStoreInvalidStateError,
    KmsXksKeyAlreadyInUseError.
    """
    scene.admit_account()
    if ask.custom_key_store_id is None or ask.xks_key_id is None:
        raise KmsValidationError("A key of Origin EXTERNAL_KEY_STORE needs CustomKeyStoreId and XksKeyId.")
    store = find_store(scene, ask.custom_key_store_id)
    if not store.is_connected:
        raise KmsCustomKeyStoreInvalidStateError(f"The key store is {store.state.value}: connect it before a key is made in it.")
    place = store.store_id, ask.xks_key_id
    if any((key.key_store_id, key.external_key_id) == place for key in scene.book.scan_keys()):
        raise KmsXksKeyAlreadyInUseError
    return store


def _external_key(change: Change, ask: CreateKey) -> tuple[str, str]:
    """Return key store and external key of a key that is to be made, both "" for one of this service's own."""
    if ask.origin != ORIGIN_EXTERNAL:
        return "", ""
    store = store_for_key(change, ask)
    finding = change.finding_about(change.materials.proxy(change.account_id, store))
    if finding.error is not None:
        raise error_of_key(finding.error)
    if finding.problem:
        raise KmsXksKeyInvalidConfigurationError(finding.problem)
    return store.store_id, ask.xks_key_id or ""


def _refuse_others(ask: CreateKey) -> None:
    if ask.key_usage != "ENCRYPT_DECRYPT" or not {ask.key_spec, ask.customer_master_key_spec} <= _SUPPORTED:
        raise KmsUnsupportedOperationError("Keys are symmetric here: KeySpec SYMMETRIC_DEFAULT, KeyUsage ENCRYPT_DECRYPT.")
    if ask.origin not in {ORIGIN_OWN, ORIGIN_IMPORTED, ORIGIN_EXTERNAL}:
        raise KmsUnsupportedOperationError(
            "Key material is made here, imported, or in a key store: Origin is AWS_KMS, EXTERNAL or EXTERNAL_KEY_STORE."
        )
    if ask.origin != ORIGIN_EXTERNAL and (ask.custom_key_store_id is not None or ask.xks_key_id is not None):
        raise KmsValidationError("CustomKeyStoreId and XksKeyId go with Origin EXTERNAL_KEY_STORE.")
    if ask.multi_region:
        raise KmsUnsupportedOperationError("A key stays in the one region of its deployment.")


def describe_key(scene: Scene, ask: DescribeKey) -> Answer:
    """Show a key."""
    view = scene.key(ask.key_id)
    return {"KeyMetadata": key_view(scene.region, view.account_id, view.key, view.state)}


def list_keys(scene: Scene, ask: ListKeys) -> Answer:
    """List the account's keys."""
    scene.admit_account()
    is_asked = not ask.resource_owners or "SELF" in ask.resource_owners
    found = ((key.key_id, _named(scene, key)) for key in scene.book.scan_keys(page_start(ask))) if is_asked else iter(())
    return page_view("Keys", *take_page(found, ask))


def _named(scene: Scene, key: WrappingKey) -> object:
    return {"KeyId": key.key_id, "KeyArn": key_arn(scene.region, scene.account_id, key.key_id)}


def enable_key(change: Change, ask: OfKey) -> None:
    """Let a key be used again."""
    view = change.key(ask.key_id)
    # Greater than before, also where the clock was set back or stands.
    enabled_at_ms = max(change.now_ms, view.key.enabled_at_ms + 1)
    change.book_of(view.account_id).put_key(replace(view.key, is_enabled=True, enabled_at_ms=enabled_at_ms))


def disable_key(change: Change, ask: OfKey) -> None:
    """Let nothing be done with a key until it is enabled again."""
    view = change.key(ask.key_id)
    change.book_of(view.account_id).put_key(replace(view.key, is_enabled=False))


def schedule_key_deletion(change: Change, ask: ScheduleKeyDeletion) -> Answer:
    """Let a key be deleted after a time in which nothing can be done with it but to cancel that."""
    view = change.key(ask.key_id)
    at_ms = change.reference_ms + ask.pending_window_in_days * DAY_MS
    key = replace(view.key, deletes_at_ms=at_ms, deletion_days=ask.pending_window_in_days)
    change.book_of(view.account_id).put_key(key)
    return {
        "KeyId": change.arn(view),
        "DeletionDate": moment(at_ms),
        "KeyState": key.state.value,
        "PendingWindowInDays": ask.pending_window_in_days,
    }


def cancel_key_deletion(change: Change, ask: OfKey) -> Answer:
    """Keep a key that was to be deleted; it is disabled."""
    view = change.key(ask.key_id)
    key = replace(view.key, deletes_at_ms=0, deletion_days=0, is_enabled=False)
    change.book_of(view.account_id).put_key(key)
    return {"KeyId": change.arn(view)}


def update_key_description(change: Change, ask: UpdateKeyDescription) -> None:
    """Describe a key otherwise."""
    view = change.key(ask.key_id)
    change.book_of(view.account_id).put_key(replace(view.key, description=ask.description))


READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {"DescribeKey": describe_key, "ListKeys": list_keys}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    "CreateKey": create_key,
    "EnableKey": enable_key,
    "DisableKey": disable_key,
    "ScheduleKeyDeletion": schedule_key_deletion,
    "CancelKeyDeletion": cancel_key_deletion,
    "UpdateKeyDescription": update_key_description,
}
