"""The journal entry: who did what to which object, and what came of it.

Entries are durable before the first byte of the answer leaves. Format page: `docs/design/formats/journal.md`.
"""

import re
from typing import Final

from msgspec import Struct

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Entry(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One access, allowed or denied. `kind` comes from the routing table; `status` is the HTTP status decided on.

    `account_id` is the account whose data was accessed: the bucket's owner, or the caller's where no bucket is concerned.
    `permit` names the statement that allowed it, `manifest` is the hash of what a write has stored (`ledger/manifests.py`),
    `key_ids` are the keys of the key service that were used, `consent_id` the consent that an operator's access rests on,
    `key_call_id` the request for which a key server was asked what the use of its key rests on: this one, or one before it.
    """

    at_ms: int
    request_id: str
    kind: str
    account_id: str
    principal: str
    bucket: str
    object_key: str = ""
    version_id: str = ""
    byte_range: str = ""
    status: int = 200
    reason: str = ""
    source: str = ""
    bucket_id: int = 0
    permit: str = ""
    manifest: bytes = b""
    key_ids: tuple[str, ...] = ()
    consent_id: str = ""
    key_call_id: str = ""


Entries = Entry | tuple[Entry, ...]
"""The entry of a request, or those of a request that used keys: its own, then one for each use."""


def kind_of(service: str, name: str) -> str:
    """Return the kind of an operation's entries: `CreateUser` of IAM is `iam.create_user`."""
    return f"{service}.{_WORD.sub('_', name).lower()}"
