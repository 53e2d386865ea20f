"""The trail of one request: what its journal entry will say, filled in as the request is understood."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.access.caller import ANONYMOUS, Caller
from siegel.access.decide import Permit
from siegel.domain.entry import Entries, Entry, NotedUse, beside, carried_use

_NO_CONSENT: Final[Mapping[str, str]] = MappingProxyType({})


class Trail(Struct, eq=False):
    """Collects who, what and where; `entry` adds what came of it."""

    at_ms: int
    request_id: str
    source: str
    kind: str = ""
    caller: Caller = ANONYMOUS
    account_id: str = ""
    bucket: str = ""
    bucket_id: int = 0
    object_key: str = ""
    # The version and the bytes that a request names which is refused: of others it is known what they got.
    version_id: str = ""
    byte_range: str = ""
    # Uses of customers' keys on behalf of this request that are not written down yet.
    uses: tuple[NotedUse, ...] = ()
    # The read of the source that a copy names, as its owner is to know of it: until it is written down.
    tried: Entry | None = None
    # What allowed it: the name of a statement, once it is decided.
    permit: str = ""
    # The consent that an operator acts under, and what key servers are told of it.
    consent_id: str = ""
    consent: Mapping[str, str] = _NO_CONSENT
    # Whether an entry was made: none is where nobody's data was asked for.
    has_entry: bool = False
    # Account and name of everything that a call is about and that accounts are to know of, in the order in which it was found:
    # ARNs of keys at the key service, the role at STS, whatever is named by who proves nothing.
    keys: list[tuple[str, str]] = []
    # ARNs of those of them whose key server was asked.
    called: list[str] = []

    def note(self, permit: Permit) -> None:
        """Note what allows the request. Of several permits the first counts: it is for the operation itself.

        Under a consent it is that: what the policies say beside it could only deny.
        """
        self.permit = self.permit or (f"consent {self.consent_id}" if self.consent_id else permit.because)

    def entry(
        self,
        status: int,
        *,
        version_id: str = "",
        byte_range: str = "",
        reason: str = "",
        object_key: str | None = None,
        permit: str | None = None,
        manifest: bytes = b"",
        carried: NotedUse | None = None,
    ) -> Entry:
        """Return the entry of this request with its outcome.

        `object_key` and `permit` are others than the request's own, `manifest` the hash of what a write has stored, `carried` a
        use of a key that the entry carries.
        """
        self.has_entry = True
        permit = self.permit if permit is None else permit
        return Entry(
            self.at_ms,
            self.request_id,
            self.kind,
            self.account_id,
            self.caller.arn,
            self.bucket,
            self.object_key if object_key is None else object_key,
            version_id,
            byte_range,
            status,
            reason,
            self.source,
            self.bucket_id,
            permit if carried is None else carried.permit_behind(permit),
            manifest,
            () if carried is None else carried.key_ids,
            self.consent_id,
            "" if carried is None else carried.key_call_id,
        )

    def own_refusal(self, status: int, reason: str) -> Entry:
        """Return the entry of this request as it is refused."""
        return self.entry(status, version_id=self.version_id, byte_range=self.byte_range, reason=reason)

    def refusal(self, status: int, reason: str) -> Entries:
        """Return the entry of this request as it is refused, and what is to be said beside it.

        That is of the keys that it has used so far, and of the source of a copy, which it has named and not read.
        """
        entries = beside(self.own_refusal(status, reason), self.uses)
        if self.tried is None:
            return entries
        tried = replace(self.tried, status=status, reason=reason)
        return (*entries, tried) if isinstance(entries, tuple) else (entries, tried)

    def entry_of_use(self, use: NotedUse) -> Entry:
        """Return the entry of a use of a key on behalf of this request, where it has to be written down by itself."""
        return use.entry_beside(self.entry(use.status))

    def entries_of_keys(self, status: int, *, reason: str = "") -> Entries:
        """Return the entry of this request with its outcome, once for each thing that it is about: who owns it learns of it."""
        entry = self.entry(status, reason=reason)
        calls = dict.fromkeys(self.called, self.request_id)
        return (
            tuple(
                replace(entry, account_id=account_id, object_key=arn, key_call_id=calls.get(arn, ""))
                for account_id, arn in self.keys
            )
            or entry
        )

    def entries(
        self, status: int, *, version_id: str = "", byte_range: str = "", reason: str = "", manifest: bytes = b""
    ) -> Entries:
        """Return the entry of this request with its outcome, and what is to be said of the keys that it has used so far."""
        uses = self.uses
        use = carried_use(uses, self.kind, status, self.account_id, self.bucket_id) if uses else None
        entry = self.entry(status, version_id=version_id, byte_range=byte_range, reason=reason, manifest=manifest, carried=use)
        return entry if use is not None else beside(entry, uses)
