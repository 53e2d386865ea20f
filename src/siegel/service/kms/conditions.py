"""The condition keys of one call of KMS: those of its members and of its key, then those of every request.

Source: AWS KMS Developer Guide, "Condition keys for AWS KMS"; keys about other kinds of keys are absent, and `kms:ViaService`,
since nobody acts for the caller of KMS itself.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from siegel.domain.moments import encode_time
from siegel.domain.wrapping_keys import ALIAS_PREFIX, WrappingKey
from siegel.kmswire import asks
from siegel.kmswire.asks import Ask, Tag
from siegel.service.kms.key_conditions import OF_EVERY_KEY, SYMMETRIC, Values, keys_of_context, keys_of_key

_TRUTH: Final = {True: ("true",), False: ("false",)}


def keys_of_call(ask: Ask, caller_account_id: str, key: WrappingKey | None, context: Mapping[str, str]) -> dict[str, Values]:
    """Return the keys that a call and its key answer; `context` is the encryption context for this key."""
    keys: dict[str, Values] = {"kms:calleraccount": (caller_account_id,)}
    if key is not None:
        keys |= keys_of_key(key)
    elif isinstance(ask, asks.CreateKey):
        keys |= {**OF_EVERY_KEY, "kms:keyorigin": (ask.origin,)}
    return keys | keys_of_context(context) | _of_members(ask)


def _of_members(ask: Ask) -> dict[str, Values]:
    keys: dict[str, Values] = {}
    if isinstance(ask, asks.CreateKey | asks.TagResource):
        keys |= _of_tags(ask.tags)
    if isinstance(ask, asks.UntagResource) and ask.tag_keys:
        keys["aws:tagkeys"] = ask.tag_keys
    if isinstance(ask, asks.CreateKey | asks.PutKeyPolicy):
        keys["kms:bypasspolicylockoutsafetycheck"] = _TRUTH[ask.bypass_policy_lockout_safety_check]
    if isinstance(ask, asks.ScheduleKeyDeletion):
        keys["kms:scheduledeletionpendingwindowindays"] = (str(ask.pending_window_in_days),)
    if isinstance(ask, asks.EnableKeyRotation):
        keys["kms:rotationperiodindays"] = (str(ask.rotation_period_in_days),)
    if isinstance(ask, asks.Encrypt | asks.Decrypt | asks.ReEncrypt):
        keys["kms:encryptionalgorithm"] = SYMMETRIC
    keys |= _of_import(ask)
    keys |= _of_grants(ask)
    name = _alias_of(ask)
    if name:
        keys["kms:requestalias"] = (name,)
    return keys


def _of_import(ask: Ask) -> dict[str, Values]:
    keys: dict[str, Values] = {}
    if isinstance(ask, asks.GetParametersForImport):
        keys["kms:wrappingalgorithm"] = (ask.wrapping_algorithm,)
        keys["kms:wrappingkeyspec"] = (ask.wrapping_key_spec,)
    if isinstance(ask, asks.ImportKeyMaterial):
        keys["kms:expirationmodel"] = (ask.expiration_model,)
        if ask.valid_to is not None:
            keys["kms:validto"] = (encode_time(ask.valid_to),)
    return keys


def _of_grants(ask: Ask) -> dict[str, Values]:
    if isinstance(ask, asks.CreateGrant):
        return _of_grant(ask)
    return {"kms:grantisforawsresource": _TRUTH[False]} if isinstance(ask, asks.ListGrants | asks.RevokeGrant) else {}


def _of_grant(ask: asks.CreateGrant) -> dict[str, Values]:
    keys: dict[str, Values] = {
        "kms:grantoperations": ask.operations,
        "kms:granteeprincipal": (ask.grantee_principal,),
        "kms:grantisforawsresource": _TRUTH[False],
    }
    if ask.retiring_principal:
        keys["kms:retiringprincipal"] = (ask.retiring_principal,)
    if ask.constraints.encryption_context_equals:
        keys["kms:grantconstrainttype"] = ("EncryptionContextEquals",)
    if ask.constraints.encryption_context_subset:
        keys["kms:grantconstrainttype"] = ("EncryptionContextSubset",)
    return keys


def _of_tags(tags: Iterable[Tag]) -> dict[str, Values]:
    keys = {f"aws:requesttag/{tag.tag_key.lower()}": (tag.tag_value,) for tag in tags}
    return keys | {"aws:tagkeys": tuple(tag.tag_key for tag in tags)} if keys else {}


def _alias_of(ask: Ask) -> str:
    """Return the alias by which a call names its key, "" if it does not."""
    named = ask.destination_key_id if isinstance(ask, asks.ReEncrypt) else getattr(ask, "key_id", None) or ""
    at = named.find(f":{ALIAS_PREFIX}")
    name = named[at + 1 :] if at >= 0 else named
    return name if name.startswith(ALIAS_PREFIX) else ""
