"""The condition keys of one call of KMS: those of its members and of its key, then those of every request.

Source: AWS KMS Developer Guide, "Condition keys for AWS KMS"; keys about other kinds of keys, and about services that act for a
caller (`kms:ViaService`), are absent.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from siegel.access.condition_keys import ConditionKeys
from siegel.domain.wrapping_keys import ALIAS_PREFIX, WrappingKey
from siegel.kmswire import asks
from siegel.kmswire.asks import Ask, Tag

Values = tuple[str, ...]

_FAMILIES: Final = ("kms:", "s3:", "aws:requesttag/", "aws:tagkeys", "aws:resourcetag/")
_SYMMETRIC: Final = ("SYMMETRIC_DEFAULT",)
_OF_EVERY_KEY: Final[Mapping[str, Values]] = {
    "kms:keyspec": _SYMMETRIC,
    "kms:customermasterkeyspec": _SYMMETRIC,
    "kms:keyusage": ("ENCRYPT_DECRYPT",),
    "kms:customermasterkeyusage": ("ENCRYPT_DECRYPT",),
    "kms:keyorigin": ("AWS_KMS",),
    "kms:multiregion": ("false",),
}
_TRUTH: Final = {True: ("true",), False: ("false",)}


class KmsKeys:
    """Answers about one call and one of its keys."""

    def __init__(
        self, own: Mapping[str, Values], of_request: ConditionKeys, aliases: Callable[[], Iterable[str]] = tuple
    ) -> None:
        """Answer from `own`, and `of_request` what no call of KMS says itself; `aliases` are asked for only when needed."""
        self._own = own
        self._of_request = of_request
        self._aliases = aliases

    def get(self, name: str, /) -> Values | None:
        """Return the values of a key, or None."""
        if name == "kms:resourcealiases":
            return tuple(self._aliases()) or None
        if name.startswith(_FAMILIES):
            return self._own.get(name)
        return self._of_request.get(name)


def keys_of_call(ask: Ask, caller_account_id: str, key: WrappingKey | None, context: Mapping[str, str]) -> dict[str, Values]:
    """Return the keys that a call and its key answer; `context` is the encryption context for this key."""
    keys: dict[str, Values] = {"kms:calleraccount": (caller_account_id,)}
    if key is not None or isinstance(ask, asks.CreateKey):
        keys |= _OF_EVERY_KEY
    if key is not None:
        for name, value in key.tags:
            folded = f"aws:resourcetag/{name.lower()}"
            keys[folded] = (*keys.get(folded, ()), value)
    keys |= _of_context(context) | _of_members(ask)
    return keys


def _of_context(context: Mapping[str, str]) -> dict[str, Values]:
    keys: dict[str, Values] = {"kms:encryptioncontextkeys": tuple(context)} if context else {}
    for name, value in context.items():
        # Names of condition keys have no case: whoever must have it asks for kms:EncryptionContextKeys too.
        folded = f"kms:encryptioncontext:{name.lower()}"
        keys[folded] = (*keys.get(folded, ()), value)
    return keys


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
        keys["kms:encryptionalgorithm"] = _SYMMETRIC
    if isinstance(ask, asks.CreateGrant):
        keys |= _of_grant(ask)
    if isinstance(ask, asks.ListGrants | asks.RevokeGrant):
        keys["kms:grantisforawsresource"] = _TRUTH[False]
    name = _alias_of(ask)
    if name:
        keys["kms:requestalias"] = (name,)
    return keys


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
