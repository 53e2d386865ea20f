"""One account's keys, aliases, grants and key stores, as a transaction or a read sees them."""

from collections.abc import Iterator
from typing import TypeVar

from siegel.domain.key_stores import KeyStore
from siegel.domain.ports import Reader, Writer
from siegel.domain.records import Document, Kind, account_scope, decode_document, encode_document
from siegel.domain.wrapping_keys import Grant, KeyAlias, RetirableGrant, WrappingKey

D = TypeVar("D", bound=Document)

_AT_ONCE = 500


class KeyBook:
    """Reads."""

    def __init__(self, reader: Reader, account_id: str) -> None:
        """Read what belongs to one account."""
        self.reader = reader
        self.account_id = account_id
        self._scope = account_scope(account_id)

    def find_key(self, key_id: str) -> WrappingKey | None:
        """Return a key, or None. Raises StorageError if it cannot be read."""
        found = self._find(WrappingKey, Kind.WRAPPING_KEY, key_id)
        return None if found is None else found.upgraded()

    def find_alias(self, name: str) -> KeyAlias | None:
        """Return an alias, or None. Raises StorageError if it cannot be read."""
        return self._find(KeyAlias, Kind.KEY_ALIAS, name)

    def find_grant(self, key_id: str, grant_id: str) -> Grant | None:
        """Return a grant on a key, or None. Raises StorageError if it cannot be read."""
        return self._find(Grant, Kind.KEY_GRANT, f"{key_id}/{grant_id}")

    def scan_keys(self, after: str = "") -> Iterator[WrappingKey]:
        """Yield all keys in order of their ids, beginning behind `after`."""
        return (key.upgraded() for key in self._scan(WrappingKey, Kind.WRAPPING_KEY, after))

    def find_store(self, store_id: str) -> KeyStore | None:
        """Return a key store, or None. Raises StorageError if it cannot be read."""
        return self._find(KeyStore, Kind.KEY_STORE, store_id)

    def stores(self, after: str = "") -> Iterator[KeyStore]:
        """Yield all key stores in order of their ids, beginning behind `after`."""
        return self._scan(KeyStore, Kind.KEY_STORE, after)

    def aliases(self, after: str = "") -> Iterator[KeyAlias]:
        """Yield all aliases in order of their names, beginning behind `after`."""
        return self._scan(KeyAlias, Kind.KEY_ALIAS, after)

    def aliases_of(self, key_id: str) -> Iterator[KeyAlias]:
        """Yield the aliases of one key."""
        return (alias for alias in self.aliases() if alias.key_id == key_id)

    def grants_of(self, key_id: str) -> Iterator[Grant]:
        """Yield the grants on one key in order of their ids."""
        for grant in self._scan(Grant, Kind.KEY_GRANT, f"{key_id}/"):
            if grant.key_id != key_id:
                return
            yield grant

    def retirable(self, principal_arn: str, after: str) -> Iterator[RetirableGrant]:
        """Yield where the grants are that a principal may retire, in order of their ids, beginning behind `after`."""
        for place in self._scan(RetirableGrant, Kind.RETIRABLE_GRANT, _retirable_name(principal_arn, after)):
            if place.retiring != principal_arn:
                return
            yield place

    def _find(self, document_type: type[D], kind: Kind, name: str) -> D | None:
        stored = self.reader.records.find(self._scope, kind, name)
        return None if stored is None else decode_document(stored, document_type)

    def _scan(self, document_type: type[D], kind: Kind, after: str = "") -> Iterator[D]:
        while True:
            rows = self.reader.records.scan(self._scope, kind, after, _AT_ONCE)
            for _, stored in rows:
                yield decode_document(stored, document_type)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1][0]


class KeyBookWriter(KeyBook):
    """The same inside a transaction."""

    def __init__(self, writer: Writer, account_id: str) -> None:
        """Change what belongs to one account."""
        super().__init__(writer, account_id)
        self._records = writer.records

    def put_key(self, key: WrappingKey) -> None:
        """Store a key in place of what it was."""
        self._records.put(self._scope, Kind.WRAPPING_KEY, key.key_id, encode_document(key))

    def remove_key(self, key_id: str) -> None:
        """Remove a key with its material, its aliases and its grants: nothing that it encrypted opens again."""
        for alias in list(self.aliases_of(key_id)):
            self.remove_alias(alias.name)
        for grant in list(self.grants_of(key_id)):
            self.remove_grant(grant)
        self._records.remove(self._scope, Kind.WRAPPING_KEY, key_id)

    def put_store(self, store: KeyStore) -> None:
        """Store a key store in place of what it was."""
        self._records.put(self._scope, Kind.KEY_STORE, store.store_id, encode_document(store))

    def remove_store(self, store_id: str) -> None:
        """Remove a key store."""
        self._records.remove(self._scope, Kind.KEY_STORE, store_id)

    def put_alias(self, alias: KeyAlias) -> None:
        """Store an alias in place of what it was."""
        self._records.put(self._scope, Kind.KEY_ALIAS, alias.name, encode_document(alias))

    def remove_alias(self, name: str) -> None:
        """Remove an alias."""
        self._records.remove(self._scope, Kind.KEY_ALIAS, name)

    def put_grant(self, grant: Grant) -> None:
        """Store a grant, and where its retiring principal finds it."""
        self._records.put(self._scope, Kind.KEY_GRANT, f"{grant.key_id}/{grant.grant_id}", encode_document(grant))
        if grant.retiring:
            found = RetirableGrant(
                account_id=self.account_id, key_id=grant.key_id, grant_id=grant.grant_id, retiring=grant.retiring
            )
            name = _retirable_name(grant.retiring, grant.grant_id)
            self._records.put(_scope_of(grant.retiring), Kind.RETIRABLE_GRANT, name, encode_document(found))

    def remove_grant(self, grant: Grant) -> None:
        """Remove a grant."""
        self._records.remove(self._scope, Kind.KEY_GRANT, f"{grant.key_id}/{grant.grant_id}")
        if grant.retiring:
            name = _retirable_name(grant.retiring, grant.grant_id)
            self._records.remove(_scope_of(grant.retiring), Kind.RETIRABLE_GRANT, name)


def _retirable_name(principal_arn: str, grant_id: str) -> str:
    # No ARN of a principal has the sign between the two.
    return f"{principal_arn}|{grant_id}"


def _scope_of(principal_arn: str) -> str:
    return account_scope(principal_arn.split(":")[4])
