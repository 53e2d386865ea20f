"""What a bucket is, without a service: lists of versions by key, and the rules of S3 in plain Python."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from tests.gateway.shelf import MIB

PART_MIN = 5 * MIB


@dataclass
class Version:
    """One version; a body of None is a delete marker. `version_id` is what the service called it, or `null`."""

    version_id: str
    body: bytes | None = field(repr=False)
    meta: str = ""


@dataclass
class Upload:
    """An upload in progress."""

    key: str
    meta: str
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A version as a list shows it."""

    key: str
    version_id: str
    is_latest: bool
    is_marker: bool
    size: int


@dataclass
class Model:
    """A bucket. The versions of a key are kept newest first."""

    versioning: str = ""
    keys: dict[str, list[Version]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def add(self, key: str, version_id: str, body: bytes | None, meta: str = "") -> None:
        """A new version or marker; the null version exists once."""
        rows = self.keys.setdefault(key, [])
        if version_id == "null":
            rows[:] = [row for row in rows if row.version_id != "null"]
        rows.insert(0, Version(version_id, body, meta))

    def current(self, key: str) -> Version | None:
        rows = self.keys.get(key, [])
        return rows[0] if rows and rows[0].body is not None else None

    def find(self, key: str, version_id: str) -> Version | None:
        return next((row for row in self.keys.get(key, []) if row.version_id == version_id), None)

    def remove(self, key: str, version_id: str) -> None:
        rows = [row for row in self.keys.get(key, []) if row.version_id != version_id]
        if rows:
            self.keys[key] = rows
        else:
            self.keys.pop(key, None)

    def delete(self, key: str, marker_id: str) -> None:
        """A delete without a version: a marker, or the end of the only version where none are kept."""
        if self.versioning:
            self.add(key, marker_id, None)
        else:
            self.remove(key, "null")

    def in_order(self) -> list[str]:
        return sorted(self.keys, key=str.encode)

    def listing(self, prefix: str, delimiter: str, after: str) -> list[str]:
        """Current keys and (marked by a leading NUL) common prefixes, in order, behind `after`."""
        live = [key for key in self.in_order() if self.current(key)]
        return grouped([key for key in live if key.encode() > after.encode()], prefix, delimiter, after)

    def version_rows(self, prefix: str) -> list[Row]:
        return [
            Row(key, row.version_id, place == 0, row.body is None, len(row.body or b""))
            for key in self.in_order()
            if key.startswith(prefix)
            for place, row in enumerate(self.keys[key])
        ]

    def all_versions(self) -> list[tuple[str, Version]]:
        return list(itertools.chain.from_iterable([(key, row) for row in self.keys[key]] for key in self.in_order()))


def grouped(keys: list[str], prefix: str, delimiter: str, after: str) -> list[str]:
    found: list[str] = []
    for key in keys:
        if not key.startswith(prefix):
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        group = key[: cut + len(delimiter)] if cut >= 0 else ""
        entry = "\0" + group if group else key
        if not (group and after == group) and (not found or found[-1] != entry):
            found.append(entry)
    return found
