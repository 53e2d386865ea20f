"""What configures a bucket: small documents, one of each kind, read whole and replaced whole.

Whoever acts on a configuration while serving a request asks `Directory.document`, which remembers it; the store is asked again
only after a change. Every change here tells all workers before it is acknowledged, so it binds on the next request.
"""

from collections.abc import Callable
from typing import TypeVar

from siegel.domain.entry import Entry
from siegel.domain.objects import Bucket
from siegel.domain.ports import MetaStore, Reader, Writer
from siegel.domain.records import Document, Kind, bucket_scope, decode_document, encode_document
from siegel.service.versions import Target, bucket_now

D = TypeVar("D", bound=Document)

Check = Callable[[Writer, Bucket], None]
"""What must hold in the transaction before a configuration is stored; it raises an S3Error, or changes what goes with it."""


def document_of(reader: Reader, bucket_id: int, kind: Kind, document_type: type[D]) -> D | None:
    """Return a bucket's document as a transaction sees it. Raises StorageError if it is damaged."""
    stored = reader.records.find(bucket_scope(bucket_id), kind)
    return None if stored is None else decode_document(stored, document_type)


def store_document(tx: Writer, bucket_id: int, kind: Kind, document: Document) -> None:
    """Store a bucket's document inside a transaction, which the caller has invalidated what is remembered in."""
    tx.records.put(bucket_scope(bucket_id), kind, "", encode_document(document))


class Configurations:
    """Changes of configurations. Each is one transaction with its journal entry."""

    def __init__(self, store: MetaStore) -> None:
        self._store = store

    async def put(self, target: Target, kind: Kind, document: Document, entry: Entry, check: Check | None = None) -> None:
        """Store a configuration in place of the one of its kind. Raises NoSuchBucketError, and what `check` raises."""

        def change(tx: Writer) -> None:
            bucket = bucket_now(tx, target)
            if check is not None:
                check(tx, bucket)
            tx.invalidate()
            store_document(tx, bucket.bucket_id, kind, document)

        await self._store.write(change, entry)

    async def delete(self, target: Target, kind: Kind, entry: Entry, check: Check | None = None) -> None:
        """Remove a configuration; one that is not there counts as removed. Raises NoSuchBucketError, and what `check` raises."""

        def change(tx: Writer) -> None:
            bucket = bucket_now(tx, target)
            if check is not None:
                check(tx, bucket)
            tx.invalidate()
            tx.records.remove(bucket_scope(bucket.bucket_id), kind)

        await self._store.write(change, entry)

    async def amend(
        self, target: Target, kind: Kind, document_type: type[D], change: Callable[[D | None], D | None], entry: Entry
    ) -> None:
        """Replace a configuration by what `change` makes of it, None for none. Raises NoSuchBucketError, and what it raises."""

        def transaction(tx: Writer) -> None:
            bucket = bucket_now(tx, target)
            changed = change(document_of(tx, bucket.bucket_id, kind, document_type))
            tx.invalidate()
            if changed is None:
                tx.records.remove(bucket_scope(bucket.bucket_id), kind)
            else:
                store_document(tx, bucket.bucket_id, kind, changed)

        await self._store.write(transaction, entry)
