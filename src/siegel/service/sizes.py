"""What operators see of what customers store: how much it is, and which heads their logs have. No name, no content.

The sums are counted anew, round after round, by walking through all versions a slice at a time; between two rounds the walker
rests for so long that it never takes more than a hundredth of the time. So a sum is as old as it says, and what was written
while its round went on is in it or not. Nothing on the way of a request has to keep sums for that.
"""

import asyncio
from collections.abc import Iterator
from typing import ClassVar, Final

from msgspec.structs import replace

from siegel.domain.consents import Operator
from siegel.domain.logs import DEPLOYMENT_LOG, Log
from siegel.domain.moments import encode_time
from siegel.domain.objects import Bucket, ObjectVersion, Upload
from siegel.domain.ports import Clock, Journal, MetaStore, Reader
from siegel.domain.records import DEPLOYMENT_SCOPE, Document, Kind, decode_document, encode_document
from siegel.ledger.notes import parse_note

ROWS_PER_SLICE: Final = 500
ACCOUNTS_PER_PAGE: Final = 100
TOTAL: Final = "total"

_MS_PER_S: Final = 1000


class Sizes(Document, frozen=True, array_like=True):
    """How much an account stores, kept under its id, or how much all of them do, kept under `total`; as of `counted_at_ms`.

    `versions` are those that are no delete markers, current or not; `objects` of them are current. `size_bytes` is what clients
    would read of all versions, `uploaded_bytes` of all parts of uploads in progress. `entries` are those of the accounts' logs.
    """

    kind: ClassVar[Kind] = Kind.SIZES

    counted_at_ms: int = 0
    buckets: int = 0
    objects: int = 0
    versions: int = 0
    size_bytes: int = 0
    uploads: int = 0
    uploaded_bytes: int = 0
    entries: int = 0

    def plus(self, other: "Sizes") -> "Sizes":
        """Return the sum of both, as of this one's time."""
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in _COUNTED})


_COUNTED: Final = ("buckets", "objects", "versions", "size_bytes", "uploads", "uploaded_bytes", "entries")


def find_sizes(reader: Reader, name: str) -> Sizes | None:
    """Return what was last counted of an account, or as `TOTAL`; None before that. Raises StorageError if it is damaged."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, Sizes.kind, name)
    return None if stored is None else decode_document(stored, Sizes)


class SizeSteward:
    """Counts, one round after the other, in one process."""

    def __init__(self, store: MetaStore, clock: Clock) -> None:
        self._store = store
        self._reader = store.reader
        self._clock = clock

    async def run_once(self) -> Sizes:
        """Count what every account stores, keep it, and return the sum of all. Raises StorageError."""
        total = Sizes()
        for account in self._reader.identities.list_accounts():
            total = total.plus(await self._keep(account.account_id, await self._count(account.account_id)))
        return await self._keep(TOTAL, total)

    async def _keep(self, name: str, counted: Sizes) -> Sizes:
        counted = replace(counted, counted_at_ms=self._clock.now_ms())
        document = encode_document(counted)
        await self._store.write(lambda tx: tx.records.put(DEPLOYMENT_SCOPE, Sizes.kind, name, document), None)
        return counted

    async def _count(self, account_id: str) -> Sizes:
        log = self._reader.ledgers.find(account_id)
        found = Sizes(entries=log.size if log else 0)
        for bucket in self._buckets(account_id):
            found = found.plus(Sizes(buckets=1))
            for versions in self._versions(bucket):
                found = found.plus(_sizes_of(versions))
                # Others want the loop too.
                await asyncio.sleep(0)
            for uploads in self._uploads(bucket):
                for upload in uploads:
                    found = found.plus(Sizes(uploads=1, uploaded_bytes=self._uploaded_bytes(upload)))
                    await asyncio.sleep(0)
        return found

    def _buckets(self, account_id: str) -> Iterator[Bucket]:
        after = ""
        while page := self._reader.buckets.list_of(account_id, "", after, ROWS_PER_SLICE):
            yield from page
            after = page[-1].name

    def _versions(self, bucket: Bucket) -> Iterator[list[tuple[ObjectVersion, bool]]]:
        """Yield all versions and markers of a bucket, each with whether it is the newest of its key."""
        object_key, sequence = "", None
        while page := self._reader.objects.scan_versions(bucket.bucket_id, object_key, sequence, None, ROWS_PER_SLICE):
            newest = [object_key if sequence is not None else None, *(version.object_key for version in page)]
            yield [(version, version.object_key != before) for version, before in zip(page, newest, strict=False)]
            object_key, sequence = page[-1].object_key, page[-1].sequence

    def _uploads(self, bucket: Bucket) -> Iterator[list[Upload]]:
        object_key, upload_id = "", None
        while page := self._reader.uploads.scan(bucket.bucket_id, object_key, upload_id, None, ROWS_PER_SLICE):
            yield page
            object_key, upload_id = page[-1].object_key, page[-1].upload_id

    def _uploaded_bytes(self, upload: Upload) -> int:
        size_bytes, number = 0, 0
        while page := self._reader.uploads.parts(upload.upload_id, number, ROWS_PER_SLICE):
            size_bytes += sum(part.size_bytes for part in page)
            number = page[-1].part_number
        return size_bytes


def _sizes_of(versions: list[tuple[ObjectVersion, bool]]) -> Sizes:
    stored = [(version, is_newest) for version, is_newest in versions if not version.is_marker]
    return Sizes(
        objects=sum(is_newest for _, is_newest in stored),
        versions=len(stored),
        size_bytes=sum(version.size_bytes for version, _ in stored),
    )


class Overview:
    """The use case of operators: counts, sizes and heads of all accounts."""

    def __init__(self, store: MetaStore, journal: Journal, clock: Clock) -> None:
        self._reader = store.reader
        self._journal = journal
        self._clock = clock

    async def list(self, after: str, operator: Operator, kind: str) -> dict[str, object]:
        """Return a page of all accounts in order of their ids, beginning behind the id `after`. Raises StorageError."""
        reader = self._reader
        behind = [account.account_id for account in reader.identities.list_accounts() if account.account_id > after]
        page = behind[:ACCOUNTS_PER_PAGE]
        await self._journal.append(operator.entry(kind, self._clock.now_ms()))
        return {
            "total": show_sizes(find_sizes(reader, TOTAL)),
            "deployment": {"ledger": _heads_of(reader.ledgers.find(DEPLOYMENT_LOG))},
            "accounts": [
                {
                    "account_id": account_id,
                    "sizes": show_sizes(find_sizes(reader, account_id)),
                    "ledger": _heads_of(reader.ledgers.find(account_id)),
                }
                for account_id in page
            ],
            "next": page[-1] if len(behind) > len(page) else "",
        }


def show_sizes(found: Sizes | None) -> dict[str, object] | None:
    """Return sums for JSON; None where nothing was counted yet."""
    if found is None:
        return None
    return {"counted_at": _time(found.counted_at_ms), **{name: getattr(found, name) for name in _COUNTED}}


def _heads_of(log: Log | None) -> dict[str, object] | None:
    """Return the newest head of a log and the newest that its witnesses have signed, each None where there is none."""
    if log is None:
        return None
    witnesses: list[str] = []
    if log.witnessed:
        witnesses = sorted({line.name for line in parse_note(log.witnessed).signatures if line.name != log.origin})
    return {
        "origin": log.origin,
        "head": {"entries": log.head_size, "signed_at": _time(log.signed_at_ms)} if log.head_size else None,
        "witnessed": (
            {"entries": log.witnessed_size, "signed_at": _time(log.witnessed_at_ms), "witnesses": witnesses}
            if log.witnessed
            else None
        ),
    }


def _time(at_ms: int) -> str:
    return encode_time(at_ms // _MS_PER_S)
