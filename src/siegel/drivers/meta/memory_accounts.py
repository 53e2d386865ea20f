"""Accounts, access keys and buckets in memory."""

from itertools import islice

import msgspec

from siegel.domain.errors import BucketNotEmptyError, StorageError
from siegel.domain.objects import Account, Bucket, Credential
from siegel.drivers.meta.memory_tables import MemoryTables


class MemoryIdentities:
    """The `Identities` port."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self._tables = tables

    def find_credential(self, access_key_id: str) -> Credential | None:
        """Return the access key, or None."""
        return self._tables.credentials.get((access_key_id,))

    def find_account(self, account_id: str) -> Account | None:
        """Return the account, or None."""
        return self._tables.accounts.get((account_id,))

    def list_accounts(self) -> list[Account]:
        """Return all accounts, in order of their ids."""
        return list(self._tables.accounts.rows())

    def insert_account(self, account: Account) -> None:
        """Add an account. Raises StorageError if the id or the name is taken."""
        self._tables.require_change()
        if any(account.account_id == other.account_id or account.name == other.name for other in self._tables.accounts.rows()):
            raise StorageError("the account's id or name is taken")
        self._tables.accounts.put((account.account_id,), account)

    def insert_credential(self, credential: Credential) -> None:
        """Add an access key. Raises StorageError if the id is taken."""
        self._tables.require_change()
        if self._tables.credentials.get((credential.access_key_id,)):
            raise StorageError("the access key's id is taken")
        self._tables.credentials.put((credential.access_key_id,), credential)

    def credentials_of(self, account_id: str, user_name: str) -> list[Credential]:
        """Return the access keys of a user, or of the account's root (`user_name` empty), oldest first, then by id."""
        found = [
            credential
            for credential in self._tables.credentials.rows()
            if (credential.account_id, credential.user_name) == (account_id, user_name)
        ]
        return sorted(found, key=lambda credential: (credential.created_at_ms, credential.access_key_id))

    def replace_credential(self, credential: Credential) -> None:
        """Store an access key's changed `user_name` and `is_active`."""
        self._tables.require_change()
        kept = self.find_credential(credential.access_key_id)
        if kept is not None:
            changed = msgspec.structs.replace(kept, user_name=credential.user_name, is_active=credential.is_active)
            self._tables.credentials.put((credential.access_key_id,), changed)

    def remove_credential(self, access_key_id: str) -> None:
        """Remove an access key."""
        self._tables.require_change()
        self._tables.credentials.remove((access_key_id,))


class MemorySeals:
    """The `Seals` port."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self._tables = tables

    def scan_credentials(self, after: str, limit: int) -> list[Credential]:
        """Return up to `limit` access keys in order of their ids, beginning behind `after`; those of operators too."""
        rows = self._tables.credentials.rows()
        return list(islice((credential for credential in rows if credential.access_key_id > after), limit))

    def reseal_account(self, account_id: str, sealed_keys: bytes) -> None:
        """Store an account's keys, sealed anew."""
        self._tables.require_change()
        account = self._tables.accounts.get((account_id,))
        if account is not None:
            self._tables.accounts.put((account_id,), msgspec.structs.replace(account, sealed_keys=sealed_keys))

    def reseal_credential(self, access_key_id: str, sealed_secret: bytes) -> None:
        """Store the secret of an access key, sealed anew."""
        self._tables.require_change()
        credential = self._tables.credentials.get((access_key_id,))
        if credential is not None:
            self._tables.credentials.put((access_key_id,), msgspec.structs.replace(credential, sealed_secret=sealed_secret))


class MemoryBuckets:
    """The `Buckets` port."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self._tables = tables

    def find(self, name: str) -> Bucket | None:
        """Return the bucket of that name, or None."""
        return self._tables.buckets.get((name,))

    def list_of(self, account_id: str, prefix: str, after: str, limit: int) -> list[Bucket]:
        """Return up to `limit` of the account's buckets in order of their names, beginning behind `after`."""
        fitting = (
            bucket
            for bucket in self._tables.buckets.rows()
            if bucket.account_id == account_id and bucket.name.startswith(prefix) and bucket.name > after
        )
        return list(islice(fitting, limit))

    def is_empty(self, bucket_id: int) -> bool:
        """Whether the bucket holds no version, delete marker or upload."""
        inside = (bucket_id,), (bucket_id + 1,)
        return not any(self._tables.versions.scan(*inside)) and not any(self._tables.uploads.scan(*inside))

    def insert(self, bucket: Bucket) -> Bucket:
        """Add a bucket and return it with its fresh `bucket_id`. Raises StorageError if the name is taken."""
        self._tables.require_change()
        if self.find(bucket.name):
            raise StorageError("the bucket's name is taken")
        bucket = msgspec.structs.replace(bucket, bucket_id=next(self._tables.bucket_ids))
        self._tables.buckets.put((bucket.name,), bucket)
        return bucket

    def replace(self, bucket: Bucket) -> None:
        """Store a bucket's changed settings."""
        self._tables.require_change()
        kept = self.find(bucket.name)
        if kept is not None and kept.bucket_id == bucket.bucket_id:
            changed = msgspec.structs.replace(kept, versioning=bucket.versioning, sse_c_allowed=bucket.sse_c_allowed)
            self._tables.buckets.put((bucket.name,), changed)

    def remove(self, bucket_id: int) -> None:
        """Remove an empty bucket. Its id is never used again. Raises BucketNotEmptyError if something is left in it."""
        self._tables.require_change()
        if not self.is_empty(bucket_id):
            raise BucketNotEmptyError
        for name in [bucket.name for bucket in self._tables.buckets.rows() if bucket.bucket_id == bucket_id]:
            self._tables.buckets.remove((name,))
