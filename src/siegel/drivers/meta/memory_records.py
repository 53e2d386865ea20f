"""Small documents in memory."""

from itertools import islice

from siegel.drivers.meta.memory_tables import MemoryTables


class MemoryRecords:
    """The `Records` port."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on `tables`."""
        self._tables = tables

    def find(self, scope: str, kind: str, name: str = "") -> bytes | None:
        """Return the document, or None."""
        row = self._tables.records.get((scope, kind, name.encode()))
        return None if row is None else row[2]

    def scan(self, scope: str, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Return up to `limit` (name, document) of one kind by the bytes of their names, beginning behind `after`."""
        rows = self._tables.records.scan((scope, kind, after.encode()), (scope, f"{kind}\0"))
        return list(islice(((name, document) for _, name, document in rows if name > after), limit))

    def put(self, scope: str, kind: str, name: str, document: bytes) -> None:
        """Store a document in place of the one of that name, if any."""
        self._tables.require_change()
        self._tables.records.put((scope, kind, name.encode()), (kind, name, document))

    def remove(self, scope: str, kind: str, name: str = "") -> bool:
        """Remove a document; return whether it was there."""
        self._tables.require_change()
        return self._tables.records.remove((scope, kind, name.encode())) is not None

    def remove_scope(self, scope: str) -> None:
        """Remove every document of a scope."""
        self._tables.require_change()
        for kind, name, _ in list(self._tables.records.scan((scope,), (f"{scope}\0",))):
            self._tables.records.remove((scope, kind, name.encode()))
