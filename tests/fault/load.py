"""Writers that keep a server busy and note every acknowledged and every unanswered change in the model."""

import random
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from bench.client import Answer, ConnectionLostError

from tests.fault.model import Content, Model, OpenUpload, PlainKey, VersionedKey, Violation
from tests.fault.s3 import S3, Part, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN, VERSIONED = "plain", "versioned"
SIZES = (0, 1, 4096, 16_384, 60_000, 65_536, 65_537, 100_000, 300_000)
PART_BYTES_MIN = 5 * 1024 * 1024
VERSIONS_MAX = 6
_PART = random.Random(0).randbytes(PART_BYTES_MIN)


@dataclass
class Tally:
    """How many changes were acknowledged, refused with a 5xx, and left without an answer."""

    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    statuses: set[int] = field(default_factory=set)

    def add(self, other: "Tally") -> None:
        self.acknowledged += other.acknowledged
        self.refused += other.refused
        self.unanswered += other.unanswered
        self.statuses |= other.statuses
        for kind, count in other.by_kind.items():
            self.by_kind[kind] = self.by_kind.get(kind, 0) + count


class Writer(threading.Thread):
    """Owns some keys of both buckets and changes them at random until it is told to stop or its connection is lost.

    With `stay` it goes on after a lost connection. After a 5xx it goes on with other keys: the change may be there or not; with
    `strict` it must not be there. Any answer 4xx, or a read that is not what was written, is a violation.
    """

    def __init__(
        self, name: str, s3: S3, model: Model, choice: random.Random, *, keys: int = 3, stay: bool = False, strict: bool = False
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.s3, self.choice, self.stay, self.strict = s3, choice, stay, strict
        self._undo: Callable[[], None] | None = None
        self.tally = Tally()
        self.violations: list[Violation] = []
        self.over = threading.Event()
        self.model = model
        names = [f"{name}/{number}" for number in range(keys)]
        self.plain = [model.plain.setdefault(key, PlainKey(key)) for key in names]
        self.versioned = [model.versioned.setdefault(key, VersionedKey(key)) for key in names]
        self.acts = [self.put] * 8 + [self.multipart] * 3 + [self.copy] * 4 + [self.delete] * 3 + [self.read] * 2

    def run(self) -> None:
        while not self.over.is_set():
            act = self.choice.choice(self.acts)
            try:
                act()
                self.tally.by_kind[act.__name__] = self.tally.by_kind.get(act.__name__, 0) + 1
            except ConnectionLostError:
                self.tally.unanswered += 1
                if not self.stay:
                    break
                self.over.wait(0.05)
            except RefusedError as error:
                self.tally.refused += 1
                self.tally.statuses.add(error.status)
                if self.strict and self._undo:
                    self._undo()
                self._undo = None
                if error.status < 500:
                    self.violations.append(Violation("refused", self.name, f"{act.__name__}: {error}"))
                self.over.wait(0.02)
            except Exception as error:  # a writer that dies in silence would prove nothing
                self.violations.append(Violation("writer", self.name, f"{act.__name__}: {error!r}"))
                break
        self.s3.close()

    def body(self) -> bytes:
        size = self.choice.choice(SIZES)
        return self.choice.randbytes(size)

    def _pick(self) -> PlainKey | VersionedKey:
        """Return a key without an unanswered change, a new one if there is none."""
        if self.choice.random() < 0.5:
            free = [key for key in self.plain if not key.is_open]
            if not free:
                name = f"{self.name}/{len(self.plain)}"
                free = [self.model.plain.setdefault(name, PlainKey(name))]
                self.plain += free
            return self.choice.choice(free)
        free_versioned = [key for key in self.versioned if not key.is_open]
        if not free_versioned:
            name = f"{self.name}/{len(self.versioned)}"
            free_versioned = [self.model.versioned.setdefault(name, VersionedKey(name))]
            self.versioned += free_versioned
        return self.choice.choice(free_versioned)

    def _begin(self, key: PlainKey | VersionedKey, content: Content | None) -> str:
        """Note the change and return the path of the key."""
        if isinstance(key, PlainKey):
            key.begin(content)
            self._undo = partial(key.refuse, content)
            return f"/{PLAIN}/{key.name}"
        key.begin_push(content)
        self._undo = key.refuse
        return f"/{VERSIONED}/{key.name}"

    def _acknowledge(self, key: PlainKey | VersionedKey, content: Content | None, answer: Answer) -> None:
        self.tally.acknowledged += 1
        self._undo = None
        if isinstance(key, PlainKey):
            key.acknowledge(content)
        else:
            key.acknowledge_push(answer.headers["x-amz-version-id"], content)

    def put(self) -> None:
        key, body = self._pick(), self.body()
        content = Content.of(body)
        path = self._begin(key, content)
        self._acknowledge(key, content, self.s3.must("PUT", path, body))

    def copy(self) -> None:
        sources = [(PLAIN, key.name, key.settled) for key in self.plain if key.settled and not key.is_open]
        sources += [
            (VERSIONED, key.name, key.settled[0].content)
            for key in self.versioned
            if not key.is_open and key.settled and key.settled[0].content
        ]
        if not sources:
            return
        bucket, name, content = self.choice.choice(sources)
        key = self._pick()
        if key.name == name and isinstance(key, PlainKey) == (bucket == PLAIN):
            return
        path = self._begin(key, content)
        answer = self.s3.must("PUT", path, headers={"x-amz-copy-source": f"/{bucket}/{name}"})
        if b"<Error>" in answer.body:
            raise RefusedError(answer)
        self._acknowledge(key, content, answer)

    def multipart(self) -> None:
        """Create an upload, send its parts, and in most cases complete it."""
        key = self._pick()
        path = f"/{PLAIN if isinstance(key, PlainKey) else VERSIONED}/{key.name}"
        bodies = [self.body() or b"x"]
        if self.choice.random() < 0.1:
            bodies.insert(0, _PART)
        upload = OpenUpload(self.s3.create_upload(path), path)
        self.model.uploads[upload.upload_id] = upload
        parts: list[Part] = []
        for number, body in enumerate(bodies, 1):
            upload.possible[number] = Content.of(body)
            parts.append(self.s3.upload_part(path, upload.upload_id, number, body))
            upload.parts[number] = upload.possible.pop(number)
            self.tally.acknowledged += 1
        if self.choice.random() < 0.15:
            if len(self.model.uploads) > 40:
                self._abort(path, upload)
            return
        content = Content.of(b"".join(bodies))
        self._begin(key, content)
        del self.model.uploads[upload.upload_id]
        self._acknowledge(key, content, self.s3.complete_upload(path, upload.upload_id, parts))

    def _abort(self, path: str, upload: OpenUpload) -> None:
        del self.model.uploads[upload.upload_id]
        self.s3.must("DELETE", path, query={"uploadId": upload.upload_id})

    def delete(self) -> None:
        key = self._pick()
        if isinstance(key, VersionedKey) and len(key.settled) >= VERSIONS_MAX:
            self._delete_version(key)
            return
        path = self._begin(key, None)
        self._acknowledge(key, None, self.s3.must("DELETE", path))

    def _delete_version(self, key: VersionedKey) -> None:
        for version in self.choice.sample(key.settled, len(key.settled) - 2):
            if version.version_id:
                key.begin_removal(version.version_id)
                self._undo = key.refuse
                self.s3.must("DELETE", f"/{VERSIONED}/{key.name}", query={"versionId": version.version_id})
                key.acknowledge_removal(version.version_id)
                self._undo = None
                self.tally.acknowledged += 1

    def read(self) -> None:
        """Read one of the own keys: it must be what was last acknowledged."""
        key = self.choice.choice(self.plain)
        if key.is_open:
            return
        answer = self.s3.call("GET", f"/{PLAIN}/{key.name}")
        if answer.status >= 500:
            raise RefusedError(answer)
        found = Content.of(answer.body) if answer.status == 200 else None
        self.violations += key.check(found)


def run_writers(writers: list[Writer]) -> None:
    for writer in writers:
        writer.start()


def stop_writers(writers: list[Writer]) -> tuple[Tally, list[Violation]]:
    """Let every writer finish its request; return what they did and what they saw."""
    for writer in writers:
        writer.over.set()
    total, violations = Tally(), []
    for writer in writers:
        writer.join()
        total.add(writer.tally)
        violations += writer.violations
    return total, violations
