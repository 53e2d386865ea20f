"""The ports: what the use cases need of the outside world. Each promise is in the method's docstring.

A driver that keeps these promises can be put in place of any other; `tests/contract/` holds one suite per port.
Every port's public side raises only errors of `domain/errors.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from siegel.domain.entry import Entries, Entry
from siegel.domain.logs import Batch, Head, Log, Run
from siegel.domain.objects import (
    Account,
    Bucket,
    CompletedUpload,
    Credential,
    ObjectVersion,
    Part,
    Upload,
)
from siegel.domain.outbound import OutboundAnswer, OutboundCall

T = TypeVar("T")


class Clock(Protocol):
    """The time of day."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...


class Uptime(Protocol):
    """How long the machine has been running: a time that nobody sets, and that ends when the machine does."""

    @property
    def boot_id(self) -> str:
        """A name of this run of the machine, the same in every process and another after each start."""
        ...

    def ran_ms(self) -> int:
        """Milliseconds that the machine has been running, sleep included. Within one `boot_id` it never goes back."""
        ...


class Randomness(Protocol):
    """Unpredictable bytes."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes from a cryptographic source."""
        ...


class BlobWriter(Protocol):
    """A blob that is being written; invisible until `commit` returns."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`. Blocking: call it off the event loop for large data. Raises StorageError, StorageFullError."""
        ...

    def commit(self) -> None:
        """Make the blob visible and durable: data, name and folder are synced on return. Blocking.

        Raises StorageError; then the blob is abandoned, and a failed sync is never retried.
        """
        ...

    def abandon(self) -> None:
        """Drop what was written. Never raises; harmless after `commit`."""
        ...


class BlobReader(Protocol):
    """An open blob. Reads go on even if the blob is removed meanwhile."""

    size_bytes: int

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`, return the bytes read (short only at the end). Blocking. Raises StorageError."""
        ...

    def read_cached_into(self, offset: int, buffer: memoryview) -> int:
        """Like `read_into`, but never wait for the disk: return what memory holds of it, maybe nothing. Raises StorageError."""
        ...

    def close(self) -> None:
        """Release the handle. Harmless when repeated."""
        ...


class BlobStore(Protocol):
    """Write-once ciphertext under random 16-byte names."""

    def create(self, blob_id: bytes) -> BlobWriter:
        """Start a blob. Raises StorageError if the name is taken, StorageFullError."""
        ...

    def open(self, blob_id: bytes) -> BlobReader:
        """Open a committed blob. Raises StorageError if it is missing or not a regular file."""
        ...

    def remove(self, blob_id: bytes) -> bool:
        """Remove a blob; return whether it was there."""
        ...

    def scan(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield (blob_id, size_bytes, modified_at_ms) of every committed blob."""
        ...

    def sweep_unfinished(self, older_than_ms: int) -> int:
        """Remove what writers that never committed have left before `older_than_ms`; return how many files."""
        ...


class Identities(Protocol):
    """Accounts and access keys."""

    def find_credential(self, access_key_id: str) -> Credential | None:
        """Return the access key, or None."""
        ...

    def find_account(self, account_id: str) -> Account | None:
        """Return the account, or None."""
        ...

    def list_accounts(self) -> list[Account]:
        """Return all accounts, in order of their ids."""
        ...

    def insert_account(self, account: Account) -> None:
        """Add an account. Writes only. Raises StorageError if the id or the name is taken."""
        ...

    def insert_credential(self, credential: Credential) -> None:
        """Add an access key. Writes only. Raises StorageError if the id is taken."""
        ...

    def credentials_of(self, account_id: str, user_name: str) -> list[Credential]:
        """Return the access keys of a user, or of the account's root (`user_name` empty), oldest first, then by id."""
        ...

    def replace_credential(self, credential: Credential) -> None:
        """Store an access key's changed `user_name` and `is_active`. Writes only."""
        ...

    def remove_credential(self, access_key_id: str) -> None:
        """Remove an access key. Its id is not given again. Writes only."""
        ...


class Records(Protocol):
    """Small documents by scope, kind and name: the configurations of buckets, and an account's users, roles and policies.

    A scope is what the documents belong to (`domain/records.py`); the store does not look into a document.
    """

    def find(self, scope: str, kind: str, name: str = "") -> bytes | None:
        """Return the document, or None."""
        ...

    def scan(self, scope: str, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Return up to `limit` (name, document) of one kind by the bytes of their names, beginning behind `after`."""
        ...

    def put(self, scope: str, kind: str, name: str, document: bytes) -> None:
        """Store a document in place of the one of that name, if any. Writes only."""
        ...

    def remove(self, scope: str, kind: str, name: str = "") -> bool:
        """Remove a document; return whether it was there. Writes only."""
        ...

    def remove_scope(self, scope: str) -> None:
        """Remove every document of a scope. Writes only."""
        ...


class Buckets(Protocol):
    """Buckets by name."""

    def find(self, name: str) -> Bucket | None:
        """Return the bucket of that name, or None."""
        ...

    def list_of(self, account_id: str, prefix: str, after: str, limit: int) -> list[Bucket]:
        """Return up to `limit` of the account's buckets in order of their names, beginning behind `after`."""
        ...

    def is_empty(self, bucket_id: int) -> bool:
        """Whether the bucket holds no version, delete marker or upload."""
        ...

    def insert(self, bucket: Bucket) -> Bucket:
        """Add a bucket and return it with its fresh `bucket_id` (the given one is ignored). Writes only."""
        ...

    def replace(self, bucket: Bucket) -> None:
        """Store a bucket's changed settings. Writes only."""
        ...

    def remove(self, bucket_id: int) -> None:
        """Remove an empty bucket. Its id is never used again. Writes only."""
        ...


class Objects(Protocol):
    """Object versions. The newest version of a key is *current*; where it is a delete marker, the key has no current object.

    Keys are ordered by the bytes of their UTF-8 form, versions of a key newest first.
    """

    def find_current(self, bucket_id: int, object_key: str, *, with_body: bool = False) -> ObjectVersion | None:
        """Return the key's newest version if it is an object (not a marker). `with_body` fills `body` (inline or layout)."""
        ...

    def find_version(
        self, bucket_id: int, object_key: str, version_id: bytes | None, *, with_body: bool = False
    ) -> ObjectVersion | None:
        """Return one version or marker by its id; None asks for the null version."""
        ...

    def next_key(self, bucket_id: int, start: str, stop: str | None) -> str | None:
        """Return the first key of a current object with start <= key < stop, or None: what a delimiter list skips along."""
        ...

    def scan_current(self, bucket_id: int, start: str, stop: str | None, limit: int) -> list[ObjectVersion]:
        """Return up to `limit` current objects with start <= key < stop (None: to the end), in key order, without bodies."""
        ...

    def scan_versions(
        self, bucket_id: int, start: str, after_sequence: int | None, stop: str | None, limit: int
    ) -> list[ObjectVersion]:
        """Return up to `limit` versions and markers with start <= key < stop, key ascending, newest first.

        Of the key `start` itself only versions older than `after_sequence` are returned, all of them if it is None.
        """
        ...

    def insert(self, version: ObjectVersion, body: bytes | None) -> ObjectVersion:
        """Add a version or marker as the newest of its key; return it with `sequence` and `body_id`. Writes only.

        What was current before stays as an older version. `body` is the inline body or the layout. A version stored as BLOB
        adopts its blob, one stored as PARTS adopts none (its parts' blobs were adopted when they were uploaded).
        """
        ...

    def remove(self, version: ObjectVersion, blob_ids: Sequence[bytes]) -> None:
        """Remove a version; the next older one, if any, becomes the newest. Writes only.

        Its inline body or layout goes at once, `blob_ids` (all blobs that it names) are released to the steward.
        """
        ...

    def amend(self, version: ObjectVersion, body: bytes | None = None) -> None:
        """Store what has changed of a version's seals and locks; its identity, its size and its blobs stay. Writes only.

        These are `mode`, `etag`, `wrapped_key`, `sealed_head`, `sealed_tags`, `lock` and `retain_until_ms`, and the body that the
        version has in the database, if one is given. Nothing happens if the version is not there.
        """
        ...


class Uploads(Protocol):
    """Multipart uploads in progress, and for a day the memory of finished ones."""

    def find(self, upload_id: str) -> Upload | None:
        """Return the upload in progress, or None."""
        ...

    def find_completed(self, upload_id: str) -> CompletedUpload | None:
        """Return what a finished upload became, or None."""
        ...

    def scan(self, bucket_id: int, start: str, after_upload_id: str | None, stop: str | None, limit: int) -> list[Upload]:
        """Return up to `limit` uploads with start <= key < stop, by key, then by upload id.

        Of the key `start` itself only uploads with a greater id than `after_upload_id` are returned, all if it is None.
        """
        ...

    def parts(self, upload_id: str, after_part_number: int, limit: int) -> list[Part]:
        """Return up to `limit` parts in order of their numbers, beginning behind `after_part_number`."""
        ...

    def insert(self, upload: Upload) -> None:
        """Add an upload. Writes only."""
        ...

    def put_part(self, part: Part) -> None:
        """Add a part, which adopts its blob, or replace the one of its number (whose blob is released). Writes only."""
        ...

    def complete(self, done: CompletedUpload, keep: Sequence[int]) -> None:
        """End an upload: the parts of the numbers in `keep` now belong to the object, the others are released. Writes only."""
        ...

    def abort(self, upload_id: str) -> None:
        """End an upload and release all its parts. Writes only."""
        ...


class Housekeeping(Protocol):
    """What the steward needs."""

    def released_blobs(self, before_ms: int, limit: int) -> list[bytes]:
        """Return blobs released before a time, oldest first."""
        ...

    def is_released(self, blob_id: bytes) -> bool:
        """Whether nothing owns the blob any more, and it is not forgotten."""
        ...

    def renew_released(self, blob_ids: Sequence[bytes], at_ms: int) -> None:
        """Take released blobs for released at a later time; one that is not released, or later, stays as it is. Writes only."""
        ...

    def forget_blobs(self, blob_ids: Sequence[bytes]) -> None:
        """Drop released blobs from the books, once their files are gone. Writes only."""
        ...

    def is_adopted(self, blob_id: bytes) -> bool:
        """Whether a version or a part owns the blob, or it is released and not yet forgotten."""
        ...

    def stale_uploads(self, before_ms: int, limit: int) -> list[Upload]:
        """Return uploads initiated before a time."""
        ...

    def forget_completed(self, before_ms: int) -> int:
        """Forget finished uploads from before a time; return how many. Writes only."""
        ...


class Seals(Protocol):
    """What the custodian has sealed of accounts and access keys, for whoever seals it anew."""

    def scan_credentials(self, after: str, limit: int) -> list[Credential]:
        """Return up to `limit` access keys in order of their ids, beginning behind `after`; those of operators too."""
        ...

    def reseal_account(self, account_id: str, sealed_keys: bytes) -> None:
        """Store an account's keys, sealed anew. Writes only."""
        ...

    def reseal_credential(self, access_key_id: str, sealed_secret: bytes) -> None:
        """Store the secret of an access key, sealed anew. Writes only."""
        ...


class Ledgers(Protocol):
    """The accounts' logs. What is in a tree is never changed, and whoever adds to it says what he has found there."""

    def find(self, account_id: str) -> Log | None:
        """Return the account's log, or None before its first entry."""
        ...

    def scan(self, after: int, limit: int) -> list[Log]:
        """Return up to `limit` logs in order of their ids, beginning behind `after`."""
        ...

    def unsigned(self, limit: int) -> list[Log]:
        """Return up to `limit` logs with entries that no signed head covers, those that waited longest first."""
        ...

    def signed_before(self, before_ms: int, limit: int) -> list[Log]:
        """Return up to `limit` logs whose signed head was made before a time, oldest first."""
        ...

    def runs(self, log_id: int, first: int, stop: int) -> list[Run]:
        """Return the runs that begin in first <= entry < stop, in order."""
        ...

    def tile(self, log_id: int, level: int, index: int) -> bytes:
        """Return the hashes of a tile as far as they are there; b"" if it has none yet. Levels begin at 1."""
        ...

    def take_journal(self, first_batch: int, last_batch: int) -> int:
        """Take batches out of the journal, whose entries go into logs with this change; return how many. Writes only."""
        ...

    def insert(self, log: Log) -> Log:
        """Add an empty log and return it with its fresh `log_id` (the given one is ignored). Writes only."""
        ...

    def reseal(self, log_id: int, sealed_secrets: bytes) -> None:
        """Store a log's secrets, sealed anew. Writes only."""
        ...

    def grow(self, log_id: int, old_size: int, size: int, root: bytes) -> bool:
        """Give a log of exactly `old_size` entries its new size and root; return whether that was its size. Writes only."""
        ...

    def add_run(self, run: Run) -> None:
        """Add entries. Writes only. Raises StorageError if there is a run with this first entry."""
        ...

    def put_openings(self, log_id: int, first: int, sealed_openings: bytes) -> None:
        """Store changed openings of the run that begins with entry `first`; its entries stay. Writes only."""
        ...

    def put_tile(self, log_id: int, level: int, index: int, hashes: bytes) -> None:
        """Store a tile's hashes, in place of those of a narrower one. Writes only."""
        ...

    def put_witnessed(self, log_id: int, size: int, signed_at_ms: int, note: bytes) -> bool:
        """Store a head that witnesses have signed too, unless a newer one is there; return whether it was stored. Writes only."""
        ...

    def put_head(self, head: Head) -> bool:
        """Store a signed head in place of the one of exactly `old_size`; return whether that was there.

        It must be of the log's tree as it is: of its very size and root. Writes only.
        """
        ...


class Reader(Protocol):
    """Reads of the committed state. Each call sees everything that was acknowledged before it began."""

    identities: Identities
    records: Records
    buckets: Buckets
    objects: Objects
    uploads: Uploads
    housekeeping: Housekeeping
    seals: Seals
    ledgers: Ledgers

    def inline_body(self, body_id: int) -> bytes | None:
        """Return an inline body or layout by its id."""
        ...


class Writer(Reader, Protocol):
    """The same inside a transaction, which sees its own writes; methods marked *writes only* work here alone."""

    def generation(self) -> int:
        """Return `MetaStore.generation()` as it will be once this transaction commits; unchanged: nothing was invalidated."""
        ...

    def invalidate(self) -> None:
        """Tell every worker, before the transaction is acknowledged, to forget what it remembers of buckets and identities."""
        ...


class ObjectChanges(Protocol):
    """When object keys were last changed, by any process: what was read of one may be remembered for as long as it stands.

    It stands while `last(place)` is no greater than what `now` said before it was read. Then a fresh read would give the same.
    """

    def now(self) -> int:
        """Return the number of the last change that every read from now on sees."""
        ...

    def place(self, bucket_id: int, object_key: str) -> int:
        """Return where `last` tells of a key. Others may fall on the same place: what is said there may be about them."""
        ...

    def last(self, place: int, /) -> int:
        """Return the number of the last change at a place, also of one that is about to be committed."""
        ...


class MetaStore(Protocol):
    """Metadata: one transaction is one visible change."""

    reader: Reader

    @property
    def object_changes(self) -> ObjectChanges:
        """When object keys were last changed."""
        ...

    async def write(self, change: Callable[[Writer], T], entry: Callable[[T], Entries] | Entries | None) -> T:
        """Run `change` in a transaction and return its result once it is durable, together with its journal entries.

        `change` is synchronous, short, and may run only once; transactions are serialised, and several may become durable with
        one sync. An exception of `change` undoes it alone and is raised here (no entry is written then).
        Raises StorageError, StorageFullError: then nothing of it is visible.
        """
        ...

    def generation(self) -> int:
        """A number that changes whenever `Writer.invalidate` was called by any process of this deployment."""
        ...

    def close(self) -> None:
        """Finish what was begun and release everything."""
        ...


class Journal(Protocol):
    """The durable record of accesses."""

    async def append(self, entry: Entries) -> None:
        """Return when the entry is durable, or all of them are. Raises StorageError: then the access must be refused (503)."""
        ...

    async def collect(self) -> None:
        """Have `entries` and `oldest` show every entry that is durable by now. Raises StorageError."""
        ...

    def entries(self, after: int, limit: int) -> list[tuple[int, list[Entry]]]:
        """Return up to `limit` batches (number, entries) behind batch `after`, in order."""
        ...

    def oldest(self, batches_max: int, entries_max: int) -> list[Batch]:
        """Return the oldest batches, up to `batches_max`, and none behind the one with which they have `entries_max` entries."""
        ...

    def last_batch(self) -> int:
        """Return the number of the last batch that there was, wherever its entries are now; 0 before the first."""
        ...


class HeadMarks(Protocol):
    """The last signed head of each log, kept apart from the store: what the store forgets when it is put back is known here."""

    def last(self, log_id: int) -> tuple[int, bytes] | None:
        """Return size and root of the last marked head of a log, None if there is none. Raises StorageError."""
        ...

    def put(self, log_id: int, size: int, root: bytes) -> None:
        """Mark a head as signed, as durable as may be without waiting. Raises StorageError."""
        ...


class Outbound(Protocol):
    """Requests to servers that others name. They leave for addresses that were checked, and for no others."""

    def check(self, url: str) -> None:
        """Raise AddressRefusedError for an URL that could never be asked: its form, its scheme, or the address that it spells."""
        ...

    async def fetch(self, call: OutboundCall) -> OutboundAnswer:
        """Send one request and return the answer, whatever its status.

        The host's name is looked up, each of its addresses is checked, and one of these very addresses is connected to; redirects
        are not followed. A connection may serve further calls; where a kept one has ended without a byte of answer, the call is
        sent again on a fresh one, so it may arrive twice. Raises AddressRefusedError, OutboundTimeoutError, OutboundTlsError,
        OutboundError.
        """
        ...


class KeyCustodian(Protocol):
    """Keeper of the root key. It wraps the accounts' keys and access key secrets; the root key never leaves it."""

    def wrap(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal `plaintext` bound to `context`."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Open what `wrap` made for the same `context`. Raises SealBrokenError; fails closed."""
        ...

    def renew(self, wrapped: bytes, context: bytes) -> bytes:
        """Return what `wrapped` holds sealed under the newest key, or `wrapped` itself if it is; raises SealBrokenError."""
        ...
