"""The names of keys: a key id, a key ARN, an alias, an alias ARN.

Source: AWS KMS Developer Guide, "Key identifiers (KeyId)".
"""

import re
from typing import Final

from msgspec import Struct

from siegel.domain.kms_errors import KmsInvalidArnError, KmsNotFoundError
from siegel.domain.wrapping_keys import ALIAS_PREFIX

_ARN: Final = re.compile(r"arn:aws:kms:(?P<region>[a-z0-9-]*):(?P<account>[0-9]{12}):(?P<what>key/[^/]+|alias/.+)", re.ASCII)
_SHOWN_CHARS_MAX: Final = 200


class NamedKey(Struct, frozen=True):
    """Which key is meant: one of the account `account_id`, by its id or by its alias (which begins with `alias/`)."""

    account_id: str
    key_id: str = ""
    alias: str = ""


def parse_key_name(name: str, region: str, account_id: str, *, takes_alias: bool) -> NamedKey:
    """Return which key a KeyId means; what is no ARN means one of the caller's account.

    Raises KmsInvalidArnError, KmsNotFoundError for another region's, or an alias where none is taken.
    """
    if name.startswith("arn:"):
        found = _ARN.fullmatch(name)
        if found is None:
            raise KmsInvalidArnError(f"Invalid arn {name[:_SHOWN_CHARS_MAX]}")
        if found["region"] != region:
            raise KmsNotFoundError(f"Invalid arn {found['region']}: the keys of this deployment are in {region}.")
        account_id, name = found["account"], found["what"].removeprefix("key/")
    if not name.startswith(ALIAS_PREFIX):
        return NamedKey(account_id, key_id=name)
    if not takes_alias:
        raise KmsNotFoundError(f"Invalid keyId '{name[:_SHOWN_CHARS_MAX]}': this operation takes a key id or a key ARN.")
    return NamedKey(account_id, alias=name)
