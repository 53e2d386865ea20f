"""What a store must still hold after a fault, and the check that it does.

Each key has one writer, so its history is a sequence. An acknowledged change must be there; an unanswered one is fully there or
fully absent; nothing else may be. Nothing here speaks to a server: the check is a function of two values, and is itself tested.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Content:
    """The bytes of an object, by size and SHA-256. An unreadable object has a note in place of the hash."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> "Content":
        return cls(len(data), hashlib.sha256(data).hexdigest())

    @classmethod
    def unreadable(cls, why: str) -> "Content":
        return cls(-1, why)


@dataclass(frozen=True)
class Version:
    """A version of a key: no content for a delete marker, no id where the answer that named it was lost."""

    version_id: str | None
    content: Content | None


@dataclass(frozen=True)
class Violation:
    """A broken promise: `kind` is one of lost, wrong-bytes, half-write, resurrected, order, listing, unreadable."""

    kind: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.detail}"


@dataclass
class PlainKey:
    """A key of a bucket without versions."""

    name: str
    settled: Content | None = None
    possible: list[Content | None] = field(default_factory=list)
    past: set[Content | None] = field(default_factory=set)

    def begin(self, outcome: Content | None) -> None:
        """A change has been sent."""
        self.possible.append(outcome)

    def acknowledge(self, outcome: Content | None) -> None:
        """The change has been answered with success."""
        self.settle(outcome)

    def refuse(self, outcome: Content | None) -> None:
        """The change has been answered with a refusal that promises no effect."""
        self.possible.remove(outcome)

    @property
    def is_open(self) -> bool:
        """Whether a change is still unanswered."""
        return bool(self.possible)

    def settle(self, found: Content | None) -> None:
        """Take what was found as the only state from here on."""
        self.past |= {self.settled, *self.possible}
        self.past.discard(found)
        self.settled, self.possible = found, []

    def check(self, found: Content | None) -> list[Violation]:
        if found == self.settled or found in self.possible:
            return []
        if found is None:
            return [Violation("lost", self.name, f"{self.settled} was acknowledged, nothing is there")]
        if found.size < 0:
            return [Violation("unreadable", self.name, found.sha256)]
        if found in self.past:
            return [Violation("resurrected", self.name, f"{found} had been replaced by {self.settled}")]
        kind = "half-write" if self.possible else "wrong-bytes"
        return [Violation(kind, self.name, f"found {found}, must be {self.settled} or one of {self.possible}")]


@dataclass
class VersionedKey:
    """A key of a bucket with versions. Each candidate is a full history, newest first; the first one is the acknowledged one."""

    name: str
    candidates: list[list[Version]] = field(default_factory=lambda: [[]])
    removed: set[str] = field(default_factory=set)

    @property
    def settled(self) -> list[Version]:
        return self.candidates[0]

    def begin_push(self, content: Content | None) -> None:
        """A new version (or marker, without content) has been sent."""
        self.candidates += [[Version(None, content), *history] for history in self.candidates]

    def begin_removal(self, version_id: str) -> None:
        """The removal of one version has been sent."""
        self.candidates += [[version for version in history if version.version_id != version_id] for history in self.candidates]

    def acknowledge_push(self, version_id: str, content: Content | None) -> None:
        # What was unanswered before may lie below.
        self.candidates = [[Version(version_id, content), *history[1:]] for history in self._with_last()]

    def acknowledge_removal(self, version_id: str) -> None:
        self.candidates = self._with_last()
        self.removed.add(version_id)

    def refuse(self) -> None:
        """The last change has been answered with a refusal that promises no effect."""
        self.candidates = self.candidates[: len(self.candidates) // 2]

    def _with_last(self) -> list[list[Version]]:
        return self.candidates[len(self.candidates) // 2 :]

    @property
    def is_open(self) -> bool:
        """Whether a change is still unanswered."""
        return len(self.candidates) > 1

    def settle(self, found: list[Version]) -> None:
        """Take what was found as the only history; what is gone must stay gone."""
        gone = {version.version_id for version in self.settled} - {version.version_id for version in found}
        self.removed |= {version_id for version_id in gone if version_id}
        self.candidates = [found]

    def check(self, found: list[Version]) -> list[Violation]:
        if any(_matches(history, found) for history in self.candidates):
            return []
        return list(self._explain(found)) or [Violation("order", self.name, f"found {found}, must be {self.candidates}")]

    def _explain(self, found: list[Version]) -> Iterable[Violation]:
        known = {version.version_id: version.content for version in self.settled}
        outcomes = [{version.version_id for version in history} for history in self.candidates]
        present = {version.version_id for version in found}
        for version_id, content in known.items():
            if version_id not in present and all(version_id in ids for ids in outcomes):
                yield Violation("lost", self.name, f"version {version_id} with {content} was acknowledged")
        pushed = {version.content for history in self.candidates for version in history if version.version_id is None}
        for version in found:
            if version.version_id in known:
                yield from self._compare(version, known[version.version_id])
            elif version.version_id in self.removed:
                yield Violation("resurrected", self.name, f"version {version.version_id} had been removed")
            elif version.content not in pushed:
                yield Violation("half-write", self.name, f"nobody wrote {version}")

    def _compare(self, version: Version, expected: Content | None) -> Iterable[Violation]:
        if version.content == expected:
            return
        if version.content is not None and version.content.size < 0:
            yield Violation("unreadable", self.name, f"version {version.version_id}: {version.content.sha256}")
        else:
            yield Violation("wrong-bytes", self.name, f"version {version.version_id} is {version.content}, must be {expected}")


def _matches(history: list[Version], found: list[Version]) -> bool:
    return len(history) == len(found) and all(
        expected.content == version.content and expected.version_id in {None, version.version_id}
        for expected, version in zip(history, found, strict=True)
    )


@dataclass
class OpenUpload:
    """A multipart upload in progress: its acknowledged parts must be there, an unanswered one may be."""

    upload_id: str
    key: str
    parts: dict[int, Content] = field(default_factory=dict)
    possible: dict[int, Content] = field(default_factory=dict)

    def check(self, sizes: dict[int, int] | None) -> list[Violation]:
        """Compare with the sizes of the parts that the server lists, None if it knows no such upload."""
        if sizes is None:
            return [Violation("lost", self.key, f"upload {self.upload_id} was acknowledged and is gone")]
        found = []
        for number, content in self.parts.items():
            allowed = {content.size, self.possible.get(number, content).size}
            if number not in sizes:
                found.append(Violation("lost", self.key, f"part {number} of upload {self.upload_id}"))
            elif sizes[number] not in allowed:
                found.append(Violation("wrong-bytes", self.key, f"part {number} has {sizes[number]} bytes, must be {allowed}"))
        unknown = set(sizes) - set(self.parts) - set(self.possible)
        return found + [Violation("half-write", self.key, f"nobody sent part {number}") for number in sorted(unknown)]


@dataclass
class Model:
    """Everything that the writers know: plain keys, versioned keys, uploads."""

    plain: dict[str, PlainKey] = field(default_factory=dict)
    versioned: dict[str, VersionedKey] = field(default_factory=dict)
    uploads: dict[str, OpenUpload] = field(default_factory=dict)


@dataclass
class Observation:
    """What a server shows: objects as read and as listed, versions in the order of the list, parts of uploads."""

    plain: dict[str, Content] = field(default_factory=dict)
    listed: list[tuple[str, int]] = field(default_factory=list)
    versions: list[tuple[str, Version, bool]] = field(default_factory=list)
    parts: dict[str, dict[int, int] | None] = field(default_factory=dict)


def compare(model: Model, seen: Observation) -> list[Violation]:
    """Return every promise that what was seen breaks."""
    found = [violation for key in model.plain.values() for violation in key.check(seen.plain.get(key.name))]
    histories = histories_of(seen)
    for versioned in model.versioned.values():
        found += versioned.check(histories.get(versioned.name, []))
    for upload in model.uploads.values():
        found += upload.check(seen.parts.get(upload.upload_id))
    return found + _check_lists(model, seen)


def settle(model: Model, seen: Observation) -> None:
    """Take what was seen as the state to go on from."""
    for key in model.plain.values():
        key.settle(seen.plain.get(key.name))
    histories = histories_of(seen)
    for versioned in model.versioned.values():
        versioned.settle(histories.get(versioned.name, []))


def histories_of(seen: Observation) -> dict[str, list[Version]]:
    histories: dict[str, list[Version]] = {}
    for name, version, _ in seen.versions:
        histories.setdefault(name, []).append(version)
    return histories


def _check_lists(model: Model, seen: Observation) -> list[Violation]:
    names = [name for name, _ in seen.listed]
    found = []
    if names != sorted(set(names), key=str.encode):
        found.append(Violation("listing", "plain", "keys are not in order, or appear twice"))
    read = {name: content.size for name, content in seen.plain.items()}
    for name, size in seen.listed:
        if name in read and read[name] not in {size, -1}:
            found.append(Violation("listing", name, f"listed with {size} bytes, read with {read[name]}"))
    for name in set(names) ^ set(read):
        found.append(Violation("listing", name, "listed but not there, or there but not listed"))
    for name in set(names) - set(model.plain):
        found.append(Violation("half-write", name, "nobody wrote this key"))
    keys = [name for name, _, _ in seen.versions]
    if keys != sorted(keys, key=str.encode):
        found.append(Violation("listing", "versioned", "keys are not in order"))
    for name in set(keys) - set(model.versioned):
        found.append(Violation("half-write", name, "nobody wrote this key"))
    newest = set()
    for name, version, is_latest in seen.versions:
        if is_latest != (name not in newest):
            found.append(Violation("order", name, f"version {version.version_id} is wrong about being the latest"))
        newest.add(name)
    return found
