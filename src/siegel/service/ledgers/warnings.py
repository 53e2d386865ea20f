"""The public warning: logs whose heads have had no quorum of their witnesses for a day.

A warning is kept as a document from the round on that finds it due to the one that finds the quorum again, and both are entries
of the account's log. Whoever asks may read it: it says the log's origin and since when, and no name.
"""

from collections.abc import Iterator
from typing import ClassVar, Final

from siegel.domain.entry import Entry
from siegel.domain.moments import encode_time
from siegel.domain.ports import Reader, Writer
from siegel.domain.records import DEPLOYMENT_SCOPE, Document, Kind, decode_document, encode_document

QUORUM_MISSED_MS: Final = 24 * 3600 * 1000
WARNINGS_SHOWN_MAX: Final = 10_000
_AT_ONCE: Final = 64


class LedgerWarning(Document, frozen=True, array_like=True):
    """The warning of one log, kept under the account's id: since when no head of it has had its quorum."""

    kind: ClassVar[Kind] = Kind.LEDGER_WARNING

    origin: str = ""
    since_ms: int = 0

    @property
    def line(self) -> str:
        """The warning as it is shown: origin, blank, the time in UTC to the second (RFC 3339)."""
        return f"{self.origin} {encode_time(self.since_ms / 1000)}\n"


def find_warning(reader: Reader, account_id: str) -> LedgerWarning | None:
    """Return the warning of an account's log, None if there is none. Raises StorageError if it is damaged."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, LedgerWarning.kind, account_id)
    return None if stored is None else decode_document(stored, LedgerWarning)


def scan_warnings(reader: Reader) -> Iterator[tuple[str, LedgerWarning]]:
    """Yield all warnings with their accounts. Raises StorageError for damage."""
    after = ""
    while page := reader.records.scan(DEPLOYMENT_SCOPE, LedgerWarning.kind, after, _AT_ONCE):
        yield from ((account_id, decode_document(stored, LedgerWarning)) for account_id, stored in page)
        after = page[-1][0]


def put_warning(tx: Writer, account_id: str, warning: LedgerWarning) -> None:
    """Begin to warn."""
    tx.records.put(DEPLOYMENT_SCOPE, LedgerWarning.kind, account_id, encode_document(warning))


def remove_warning(tx: Writer, account_id: str) -> None:
    """Warn no more."""
    tx.records.remove(DEPLOYMENT_SCOPE, LedgerWarning.kind, account_id)


def entry_of(account_id: str, kind: str, at_ms: int) -> Entry:
    """Return what the account's log says of it: `ledger.unwitnessed`, or `ledger.witnessed_again`."""
    return Entry(at_ms, "", kind, account_id, "steward", "")
