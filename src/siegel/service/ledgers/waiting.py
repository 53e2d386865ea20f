"""Entries that wait for a log which stands still: set aside, durably and in their order, so that no other log waits for it.

They leave the journal in the transaction that sets them aside, and this place in the one that brings them into their log.
"""

from collections.abc import Iterator
from typing import ClassVar, Final

from siegel.domain.entry import Entry
from siegel.domain.logs import Batch
from siegel.domain.ports import Reader, Writer
from siegel.domain.records import DEPLOYMENT_SCOPE, Document, Kind, decode_document, encode_document

_DIGITS: Final = 20
_AT_ONCE: Final = 64
# Behind all digits of a batch's number.
_LAST: Final = "~"


class SetAside(Document, frozen=True, array_like=True):
    """What one batch of the journal held for one log. Its name is the account's id, a slash, and the batch's number."""

    kind: ClassVar[Kind] = Kind.LEDGER_WAITING

    recorded_at_ms: int = 0
    entries: tuple[Entry, ...] = ()


def set_aside(tx: Writer, account_id: str, batch: Batch) -> None:
    """Set aside what `batch` holds for an account."""
    document = encode_document(SetAside(recorded_at_ms=batch.recorded_at_ms, entries=tuple(batch.entries)))
    tx.records.put(DEPLOYMENT_SCOPE, SetAside.kind, f"{account_id}/{batch.number:0{_DIGITS}d}", document)


def take_back(tx: Writer, account_id: str, batches: list[Batch]) -> bool:
    """Take what was set aside, for its log; return whether all of it was still there."""
    names = (f"{account_id}/{batch.number:0{_DIGITS}d}" for batch in batches)
    return sum(tx.records.remove(DEPLOYMENT_SCOPE, SetAside.kind, name) for name in names) == len(batches)


def waiting_accounts(reader: Reader) -> Iterator[str]:
    """Yield the accounts for whose logs something is set aside."""
    after = ""
    while page := reader.records.scan(DEPLOYMENT_SCOPE, SetAside.kind, after, 1):
        account_id = page[0][0].partition("/")[0]
        yield account_id
        after = f"{account_id}/{_LAST}"


def waiting_batches(reader: Reader, account_id: str, entries_max: int) -> list[Batch]:
    """Return what was set aside first for an account, up to the batch with which it is `entries_max` entries."""
    batches: list[Batch] = []
    after, count = f"{account_id}/", 0
    while page := reader.records.scan(DEPLOYMENT_SCOPE, SetAside.kind, after, _AT_ONCE):
        for name, stored in page:
            whose, _, number = name.partition("/")
            if whose != account_id or count >= entries_max:
                return batches
            found = decode_document(stored, SetAside)
            batches.append(Batch(int(number), found.recorded_at_ms, list(found.entries)))
            count += len(found.entries)
        after = page[-1][0]
    return batches
