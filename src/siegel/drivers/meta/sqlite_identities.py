"""Accounts and access keys in SQLite."""

from typing import Final

from siegel.domain.objects import Account, Credential, CredentialKind
from siegel.drivers.meta.sqlite_statements import Row, Statements

_ACCOUNT: Final = "SELECT account_id, name, created_at_ms, sealed_keys FROM account"
_CREDENTIAL: Final = "SELECT access_key_id, kind, account_id, created_at_ms, sealed_secret, user_name, is_active FROM credential"


class SqliteIdentities:
    """The `Identities` port."""

    def __init__(self, statements: Statements) -> None:
        """Read and write by `statements`."""
        self._statements = statements

    def find_credential(self, access_key_id: str) -> Credential | None:
        """Return the access key, or None."""
        row = self._statements.row(f"{_CREDENTIAL} WHERE access_key_id = ?", (access_key_id,))
        return _credential(row) if row else None

    def find_account(self, account_id: str) -> Account | None:
        """Return the account, or None."""
        row = self._statements.row(f"{_ACCOUNT} WHERE account_id = ?", (account_id,))
        return Account(*row) if row else None

    def list_accounts(self) -> list[Account]:
        """Return all accounts, in order of their ids."""
        return [Account(*row) for row in self._statements.rows(f"{_ACCOUNT} ORDER BY account_id")]

    def insert_account(self, account: Account) -> None:
        """Add an account. Raises StorageError if the id or the name is taken."""
        self._statements.write(
            "INSERT INTO account (account_id, name, created_at_ms, sealed_keys) VALUES (?, ?, ?, ?)",
            (account.account_id, account.name, account.created_at_ms, account.sealed_keys),
        )

    def insert_credential(self, credential: Credential) -> None:
        """Add an access key. Raises StorageError if the id is taken."""
        self._statements.write(
            """INSERT INTO credential (access_key_id, kind, account_id, created_at_ms, sealed_secret, user_name, is_active)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                credential.access_key_id,
                credential.kind.value,
                credential.account_id,
                credential.created_at_ms,
                credential.sealed_secret,
                credential.user_name,
                credential.is_active,
            ),
        )

    def credentials_of(self, account_id: str, user_name: str) -> list[Credential]:
        """Return the access keys of a user, or of the account's root (`user_name` empty), oldest first, then by id."""
        rows = self._statements.rows(
            f"{_CREDENTIAL} WHERE account_id = ? AND user_name = ? ORDER BY created_at_ms, access_key_id", (account_id, user_name)
        )
        return [_credential(row) for row in rows]

    def replace_credential(self, credential: Credential) -> None:
        """Store an access key's changed `user_name` and `is_active`."""
        self._statements.write(
            "UPDATE credential SET user_name = ?, is_active = ? WHERE access_key_id = ?",
            (credential.user_name, credential.is_active, credential.access_key_id),
        )

    def remove_credential(self, access_key_id: str) -> None:
        """Remove an access key."""
        self._statements.write("DELETE FROM credential WHERE access_key_id = ?", (access_key_id,))


class SqliteSeals:
    """The `Seals` port."""

    def __init__(self, statements: Statements) -> None:
        """Read and write by `statements`."""
        self._statements = statements

    def scan_credentials(self, after: str, limit: int) -> list[Credential]:
        """Return up to `limit` access keys in order of their ids, beginning behind `after`; those of operators too."""
        rows = self._statements.rows(f"{_CREDENTIAL} WHERE access_key_id > ? ORDER BY access_key_id LIMIT ?", (after, limit))
        return [_credential(row) for row in rows]

    def reseal_account(self, account_id: str, sealed_keys: bytes) -> None:
        """Store an account's keys, sealed anew."""
        self._statements.write("UPDATE account SET sealed_keys = ? WHERE account_id = ?", (sealed_keys, account_id))

    def reseal_credential(self, access_key_id: str, sealed_secret: bytes) -> None:
        """Store the secret of an access key, sealed anew."""
        self._statements.write("UPDATE credential SET sealed_secret = ? WHERE access_key_id = ?", (sealed_secret, access_key_id))


def _credential(row: Row) -> Credential:
    access_key_id, kind, account_id, created_at_ms, sealed_secret, user_name, is_active = row
    return Credential(
        access_key_id, CredentialKind(kind), account_id, created_at_ms, sealed_secret, user_name, is_active=is_active == 1
    )
