"""The condition keys that a key itself answers, and the encryption context it is used under; whoever asks for its use.

Source: AWS KMS Developer Guide, "Condition keys for AWS KMS".
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from siegel.access.condition_keys import ConditionKeys
from siegel.domain.wrapping_keys import WrappingKey
from siegel.kmswire.answers import ORIGIN_OWN, origin_of

Values = tuple[str, ...]

SYMMETRIC: Final = ("SYMMETRIC_DEFAULT",)
_FAMILIES: Final = ("kms:", "s3:", "aws:requesttag/", "aws:tagkeys", "aws:resourcetag/")
OF_EVERY_KEY: Final[Mapping[str, Values]] = {
    "kms:keyspec": SYMMETRIC,
    "kms:customermasterkeyspec": SYMMETRIC,
    "kms:keyusage": ("ENCRYPT_DECRYPT",),
    "kms:customermasterkeyusage": ("ENCRYPT_DECRYPT",),
    "kms:keyorigin": (ORIGIN_OWN,),
    "kms:multiregion": ("false",),
}


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


def keys_of_key(key: WrappingKey) -> dict[str, Values]:
    """Return what a key answers: its kind and its tags."""
    keys = dict(OF_EVERY_KEY)
    keys["kms:keyorigin"] = (origin_of(key),)
    for name, value in key.tags:
        folded = f"aws:resourcetag/{name.lower()}"
        keys[folded] = (*keys.get(folded, ()), value)
    return keys


def keys_of_context(context: Mapping[str, str]) -> dict[str, Values]:
    """Return what an encryption context answers."""
    keys: dict[str, Values] = {"kms:encryptioncontextkeys": tuple(context)} if context else {}
    for name, value in context.items():
        # Names of condition keys have no case: whoever must have it asks for kms:EncryptionContextKeys too.
        folded = f"kms:encryptioncontext:{name.lower()}"
        keys[folded] = (*keys.get(folded, ()), value)
    return keys
