"""Small documents in SQLite."""

from siegel.drivers.meta.sqlite_statements import Statements


class SqliteRecords:
    """The `Records` port. Names are compared by SQLite's BINARY collation: by the bytes of their UTF-8 form."""

    def __init__(self, statements: Statements) -> None:
        """Read and write by `statements`."""
        self._statements = statements

    def find(self, scope: str, kind: str, name: str = "") -> bytes | None:
        """Return the document, or None."""
        row = self._statements.row("SELECT document FROM record WHERE scope = ? AND kind = ? AND name = ?", (scope, kind, name))
        return row[0] if row else None

    def scan(self, scope: str, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Return up to `limit` (name, document) of one kind by the bytes of their names, beginning behind `after`."""
        rows = self._statements.rows(
            "SELECT name, document FROM record WHERE scope = ? AND kind = ? AND name > ? ORDER BY name LIMIT ?",
            (scope, kind, after, limit),
        )
        return [(name, document) for name, document in rows]

    def put(self, scope: str, kind: str, name: str, document: bytes) -> None:
        """Store a document in place of the one of that name, if any."""
        self._statements.write(
            "INSERT OR REPLACE INTO record (scope, kind, name, document) VALUES (?, ?, ?, ?)", (scope, kind, name, document)
        )

    def remove(self, scope: str, kind: str, name: str = "") -> bool:
        """Remove a document; return whether it was there."""
        gone = self._statements.write("DELETE FROM record WHERE scope = ? AND kind = ? AND name = ?", (scope, kind, name))
        return gone > 0

    def remove_scope(self, scope: str) -> None:
        """Remove every document of a scope."""
        self._statements.write("DELETE FROM record WHERE scope = ?", (scope,))
