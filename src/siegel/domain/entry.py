"""The journal entry: who did what to which object, and what came of it.

Entries are durable before the first byte of the answer leaves. Format page: `docs/design/formats/journal.md`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Entry(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One access, allowed or denied. `kind` comes from the routing table; `status` is the HTTP status decided on.

    `account_id` is the account whose data was accessed: the bucket's owner, or the caller's where no bucket is concerned.
    `permit` names the statement that allowed it, on a second line the one that allowed the use of a key that the entry carries.
    `manifest` is the hash of what a write has stored (`ledger/manifests.py`), `key_ids` are the keys of the key service that were
    used, `consent_id` the consent that an operator's access rests on, `key_call_id` the request for which a key server was asked
    what the use of its key rests on: this one, or one before it.
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


class NotedUse(Struct, frozen=True, gc=False):
    """A use of a key on behalf of a request, as its entry will tell of it; the rest is what all entries of the request tell."""

    kind: str
    account_id: str
    bucket: str
    bucket_id: int
    arn: str
    key_ids: tuple[str, ...]
    permit: str = ""
    status: int = 200
    reason: str = ""
    key_call_id: str = ""

    def permit_behind(self, own: str) -> str:
        """Return the permit of an entry that carries this use: its own, and on a second line that of the use."""
        return f"{own}\n{self.permit}"

    def entry_beside(self, own: Entry) -> Entry:
        """Return the entry of this use, `own` being one of the same request."""
        return Entry(
            own.at_ms,
            own.request_id,
            self.kind,
            self.account_id,
            own.principal,
            self.bucket,
            self.arn,
            status=self.status,
            reason=self.reason,
            source=own.source,
            bucket_id=self.bucket_id,
            permit=self.permit,
            key_ids=self.key_ids,
            consent_id=own.consent_id,
            key_call_id=self.key_call_id,
        )


Entries = Entry | tuple[Entry, ...]
"""The entry of a request, or those of a request that used keys: its own, then one for each use that it does not carry."""

UNWRAP: Final = "kms.decrypt"
WRAP: Final = "kms.generate_data_key"
CARRIED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("object.read", "object.head", "object.attributes"), UNWRAP),
        **dict.fromkeys(("upload.write_part", "upload.copy_part", "upload.list_parts", "upload.complete"), UNWRAP),
        **dict.fromkeys(("object.write", "object.copy", "upload.create"), WRAP),
    }
)
"""What was done with the key that an entry of each of these kinds names."""
DONE: Final = frozenset({200, 201, 204, 206, 303})
"""The statuses of what was done: 201 and 303 are answers to forms."""


def carried_use(uses: tuple[NotedUse, ...], kind: str, status: int, account_id: str, bucket_id: int) -> NotedUse | None:
    """Return the use that the entry of a request carries, which is over and has used keys as `uses` say.

    It carries the use where there is one alone, for the same account and bucket, and both were done. So whoever owns the key
    learns of each use, and no status has two meanings.
    """
    if len(uses) != 1:
        return None
    use = uses[0]
    is_carried = (
        use.kind == CARRIED.get(kind)
        and status in DONE
        and use.status in DONE
        and use.bucket_id == bucket_id
        and use.account_id == account_id
    )
    return use if is_carried else None


def carrying(entry: Entry, uses: tuple[NotedUse, ...]) -> Entries:
    """Return the entries of a request that is over and has used keys as `uses` say: its own carries what it can."""
    use = carried_use(uses, entry.kind, entry.status, entry.account_id, entry.bucket_id)
    if use is None:
        return beside(entry, uses)
    return replace(entry, permit=use.permit_behind(entry.permit), key_ids=use.key_ids, key_call_id=use.key_call_id)


def beside(entry: Entry, uses: tuple[NotedUse, ...]) -> Entries:
    """Return the entry of a request, and one for each use of a key that it does not carry."""
    return (entry, *(use.entry_beside(entry) for use in uses)) if uses else entry


def kind_of(service: str, name: str) -> str:
    """Return the kind of an operation's entries: `CreateUser` of IAM is `iam.create_user`."""
    return f"{service}.{_WORD.sub('_', name).lower()}"
