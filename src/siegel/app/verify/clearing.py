"""The way out again: what a guest has stored, and its keys."""

import re

from siegel.app.verify.client import InProcessClient
from siegel.domain.ports import MetaStore, Writer
from siegel.service.kms.keybook import KeyBookWriter

_BUCKETS_MAX = 100
_VERSION = re.compile(rb"<(?:Version|DeleteMarker)>.*?<Key>([^<]+)</Key><VersionId>([^<]+)</VersionId>", re.DOTALL)
_UPLOAD = re.compile(rb"<Upload>.*?<Key>([^<]+)</Key><UploadId>([^<]+)</UploadId>", re.DOTALL)


async def clear_away(client: InProcessClient, store: MetaStore, account_id: str) -> None:
    """Remove all that a guest has, for whom `client` speaks: nobody would later, since its account is nowhere.

    Harmless when repeated, and when there is nothing. Raises SiegelError.
    """
    try:
        for bucket in store.reader.buckets.list_of(account_id, "", "", _BUCKETS_MAX):
            await _clear_bucket(client, f"/{bucket.name}")
    finally:
        await _clear_keys(store, account_id)


async def _clear_bucket(client: InProcessClient, bucket: str) -> None:
    """Remove all versions and uploads, then the bucket."""
    listed = await client.call("GET", bucket, query="uploads=")
    for name, upload_id in _UPLOAD.findall(listed.body):
        await client.call("DELETE", f"{bucket}/{name.decode()}", query=f"uploadId={upload_id.decode()}")
    listed = await client.call("GET", bucket, query="versions=")
    for name, version_id in _VERSION.findall(listed.body):
        await client.call("DELETE", f"{bucket}/{name.decode()}", query=f"versionId={version_id.decode()}")
    await client.call("DELETE", bucket)


async def _clear_keys(store: MetaStore, account_id: str) -> None:
    """Take away at once what the guest has of keys and key stores."""

    def change(tx: Writer) -> None:
        book = KeyBookWriter(tx, account_id)
        for key in list(book.scan_keys()):
            book.remove_key(key.key_id)
        for found in list(book.stores()):
            book.remove_store(found.store_id)
        tx.invalidate()

    await store.write(change, None)
