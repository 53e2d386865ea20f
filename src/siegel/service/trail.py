"""The trail of one request: what its journal entry will say, filled in as the request is understood."""

from siegel.access.caller import ANONYMOUS, Caller
from siegel.domain.entry import Entries, Entry


class Trail:
    """Collects who, what and where; `entry` adds what came of it."""

    __slots__ = ("account_id", "at_ms", "bucket", "caller", "kind", "object_key", "request_id", "source", "uses")

    def __init__(self, at_ms: int, request_id: str, source: str) -> None:
        self.at_ms = at_ms
        self.request_id = request_id
        self.source = source
        self.kind = ""
        self.caller: Caller = ANONYMOUS
        self.account_id = ""
        self.bucket = ""
        self.object_key = ""
        # Uses of customers' keys on behalf of this request that are not written down yet.
        self.uses: tuple[Entry, ...] = ()

    def entry(
        self, status: int, *, version_id: str = "", byte_range: str = "", reason: str = "", object_key: str | None = None
    ) -> Entry:
        """Return the entry of this request with its outcome. `object_key` names another key than the request's own."""
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
        )

    def entries(self, status: int, *, version_id: str = "", byte_range: str = "", reason: str = "") -> Entries:
        """Return the entry of this request with its outcome, and with it those of the keys that it has used so far."""
        entry = self.entry(status, version_id=version_id, byte_range=byte_range, reason=reason)
        return (entry, *self.uses) if self.uses else entry
