"""(d) Damage on the disk: bits flipped, chunks and blobs swapped, cut, prolonged and replayed, rows exchanged.

Every read of what was damaged is an error: never a wrong byte, and where an answer had begun, only a true beginning of it.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw
from bench.client import ConnectionLostError
from bench.service import Deployment, Running

from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.sqlite_connection import PAGE_BYTES, connect
from tests.fault.load import PLAIN, VERSIONED
from tests.fault.model import Violation
from tests.fault.s3 import S3

HEADER_BYTES = 88
CHUNK_BYTES = 16_384 + 16
BLOB_BYTES = 6 * 16_384 + 1000
ROW = (
    "SELECT version_id, sequence, size_bytes, data_id, wrapped_key, sealed_head, sealed_tags, sealed FROM object "
    "LEFT JOIN body USING (body_id) WHERE object_key = ?"
)


@dataclass
class Findings:
    """What was tried, and what went wrong."""

    tried: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.tried[what] = self.tried.get(what, 0) + 1


class Cabinet:
    """Objects whose blobs are known by their files."""

    def __init__(self, deployment: Deployment, findings: Findings) -> None:
        self.deployment, self.findings = deployment, findings
        self.bodies: dict[str, bytes] = {}
        self.files: dict[str, Path] = {}
        self.s3: S3

    def attach(self, server: Running) -> None:
        self.s3 = S3(server, self.deployment.signer(server))

    def store(self, path: str, body: bytes, *, as_part: bool = False) -> None:
        """Store an object and find its blob, if it has one."""
        before = self._blobs()
        if as_part:
            upload = self.s3.create_upload(path)
            self.s3.complete_upload(path, upload, [self.s3.upload_part(path, upload, 1, body)])
        else:
            self.s3.must("PUT", path, body)
        self.bodies[path] = body
        fresh = self._blobs() - before
        if fresh:
            (self.files[path],) = fresh

    def _blobs(self) -> set[Path]:
        return {path for path in (self.deployment.directory / "blobs").rglob("*") if path.is_file()}

    def expect_error(self, path: str, what: str) -> None:
        """Read the object whole: no answer 200 may end well, and no byte may be wrong."""
        self.findings.count(what.split(",", maxsplit=1)[0])
        body = self.bodies[path]
        try:
            answer = self.s3.call("GET", path)
        except ConnectionLostError as cut:
            if not body.startswith(cut.partial):
                self.findings.violations.append(
                    Violation("wrong-bytes", what, f"{len(cut.partial)} bytes were sent, not all true")
                )
            return
        if answer.status < 500:
            kind = "undetected" if answer.body == body else "wrong-bytes"
            self.findings.violations.append(Violation(kind, what, f"answered {answer.status} with {len(answer.body)} bytes"))

    def expect_right(self, path: str, what: str) -> None:
        """The object reads as it was written."""
        answer = self.s3.call("GET", path)
        if answer.status != 200 or answer.body != self.bodies[path]:
            self.findings.violations.append(Violation("lost", path, f"{what}: {answer.status} {answer.body[:200]!r}"))

    @contextmanager
    def changed(self, path: str, data: bytes) -> Iterator[None]:
        """The object's blob holds `data` for the length of a `with` block."""
        file = self.files[path]
        good = file.read_bytes()
        file.write_bytes(data)
        try:
            yield
        finally:
            file.write_bytes(good)


def run(folder: Path, *, thorough: bool, seed: int) -> tuple[list[str], list[Violation]]:
    """Damage blobs under a running service, then the database of a stopped one; return notes and violations."""
    findings = Findings()
    deployment = Deployment.create(folder / "damage")
    cabinet = Cabinet(deployment, findings)
    server = deployment.start(2)
    try:
        cabinet.attach(server)
        _blobs(cabinet, random.Random(seed), thorough=thorough)
        server.stop()
        _database_bits(cabinet, random.Random(seed))
        mutated = _exchange_rows(cabinet)
        server = deployment.start(2)
        cabinet.attach(server)
        for path, what in mutated.items():
            cabinet.expect_error(path, f"rows, {what}")
        for path in (f"/{PLAIN}/part", f"/{PLAIN}/blob-a", f"/{PLAIN}/untouched"):
            cabinet.expect_right(path, "after others were damaged")
    finally:
        server.kill()
    return [f"{count:,} x {what}" for what, count in findings.tried.items()], findings.violations


def _blobs(cabinet: Cabinet, choice: random.Random, *, thorough: bool) -> None:
    cabinet.s3.make_bucket(PLAIN)
    cabinet.s3.make_bucket(VERSIONED, versioned=True)
    part, first, second = (f"/{PLAIN}/{name}" for name in ("part", "blob-a", "blob-b"))
    cabinet.store(part, choice.randbytes(100), as_part=True)
    cabinet.store(first, choice.randbytes(BLOB_BYTES))
    replayed = cabinet.files[first].read_bytes()
    cabinet.store(first, choice.randbytes(BLOB_BYTES))
    cabinet.store(second, choice.randbytes(BLOB_BYTES))
    for path in (part, first, second):
        cabinet.expect_right(path, "before any damage")
    _flip_bits(cabinet, part, 1, choice, "every bit of the blob of a part of 100 bytes")
    if thorough:
        _flip_bits(cabinet, first, 8, choice, "a bit of every byte of a blob")
    else:
        _flip_bits(cabinet, first, 8 * 61, choice, "a bit of every 61st byte of a blob")
    for what, data in _mutations(cabinet.files[first].read_bytes(), cabinet.files[second].read_bytes(), replayed):
        with cabinet.changed(first, data):
            cabinet.expect_error(first, f"blobs changed, {what}")
    _move_files(cabinet, first)
    cabinet.expect_right(first, "after its blob was mended")


def _flip_bits(cabinet: Cabinet, path: str, step: int, choice: random.Random, what: str) -> None:
    """Flip one bit of every `step` bits in place, read, and flip it back."""
    handle = os.open(cabinet.files[path], os.O_RDWR)
    size = os.fstat(handle).st_size
    for begin in range(0, size * 8, step):
        bit = min(begin + choice.randrange(step), size * 8 - 1)
        good = os.pread(handle, 1, bit // 8)
        os.pwrite(handle, bytes([good[0] ^ 1 << bit % 8]), bit // 8)
        cabinet.expect_error(path, f"{what}, bit {bit}")
        os.pwrite(handle, good, bit // 8)
    os.close(handle)


def _mutations(blob: bytes, other: bytes, replayed: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what may be done to a blob as a whole."""
    size = len(blob)
    ends = [HEADER_BYTES + CHUNK_BYTES * number for number in range(7)]
    for length in sorted({0, 1, 31, 32, 55, 56, HEADER_BYTES - 1, *ends, ends[1] - 1, ends[6] + 16, size - 16, size - 1}):
        yield f"cut to {length} bytes", blob[:length]
    for tail in (b"\0", bytes(CHUNK_BYTES), blob[ends[5] :], other[-500:]):
        yield f"prolonged by {len(tail)} bytes", blob + tail
    chunks = [blob[ends[number] : ends[number + 1]] for number in range(6)]
    yield "first two chunks swapped", blob[:HEADER_BYTES] + chunks[1] + chunks[0] + blob[ends[2] :]
    yield "a chunk repeated", blob[: ends[3]] + chunks[2] + blob[ends[4] :]
    yield "a chunk left out", blob[: ends[2]] + blob[ends[3] :]
    yield "a chunk of zeros", blob[: ends[2]] + bytes(CHUNK_BYTES) + blob[ends[3] :]
    yield "a chunk of another object", blob[: ends[2]] + other[ends[2] : ends[3]] + blob[ends[3] :]
    yield "a chunk of the version before", blob[: ends[2]] + replayed[ends[2] : ends[3]] + blob[ends[3] :]
    yield "the header of another object", other[:HEADER_BYTES] + blob[HEADER_BYTES:]
    yield "the preamble of another object", other[:32] + blob[32:]
    yield "the blob of another object", other
    yield "the blob of the version before", replayed
    yield "nothing but zeros", bytes(size)


def _move_files(cabinet: Cabinet, path: str) -> None:
    """The blob is gone, or something that is no blob lies in its place."""
    file = cabinet.files[path]
    aside = file.with_name("aside")
    file.rename(aside)

    def in_place(make: Callable[[], object], what: str) -> None:
        make()
        cabinet.expect_error(path, f"blobs changed, {what}")
        if file.is_dir() and not file.is_symlink():
            file.rmdir()
        else:
            file.unlink(missing_ok=True)

    in_place(lambda: None, "gone")
    in_place(lambda: file.symlink_to(aside), "a symbolic link")
    in_place(lambda: file.hardlink_to(aside), "a hard link")
    in_place(lambda: os.mkfifo(file), "a FIFO")
    in_place(file.mkdir, "a folder")
    aside.rename(file)


def _database(cabinet: Cabinet) -> apsw.Connection:
    directory = cabinet.deployment.directory
    key = LocalCustodian.load(directory / "root.key").database_key()
    return connect(directory / "siegel.db", key, cache_kib=2048)


def _database_bits(cabinet: Cabinet, choice: random.Random) -> None:
    """Flip every bit of each page that the read of one row and its body touches; every read must fail."""
    server = cabinet.deployment.start(1)
    cabinet.attach(server)
    cabinet.store(f"/{PLAIN}/inline", choice.randbytes(100))
    server.stop()
    database = _database(cabinet)
    database.pragma("wal_checkpoint(truncate)")
    file = os.open(cabinet.deployment.directory / "siegel.db", os.O_RDWR)

    def read() -> object:
        database.pragma("shrink_memory")
        return database.execute(ROW, (b"inline",)).fetchall()

    good = read()
    pages = [
        page
        for page in range(1, os.fstat(file).st_size // PAGE_BYTES)
        if _fails(file, page * PAGE_BYTES * 8 + 9999, read) is None
    ]
    what = f"every bit of the {len(pages)} database pages of a row"
    if not pages:
        cabinet.findings.violations.append(Violation("no-fault", what, "no page of the row was found"))
    for page in pages:
        for bit in range(page * PAGE_BYTES * 8, (page + 1) * PAGE_BYTES * 8):
            cabinet.findings.count(what)
            found = _fails(file, bit, read)
            if found is not None:
                kind = "undetected" if found == good else "wrong-bytes"
                cabinet.findings.violations.append(Violation(kind, what, f"bit {bit % (PAGE_BYTES * 8)} of page {page + 1}"))
    if read() != good:
        cabinet.findings.violations.append(Violation("lost", what, "the row does not read after the bits were mended"))
    _swap_pages(cabinet, file, pages, read)
    os.close(file)
    database.close()


def _fails(file: int, bit: int, read: Callable[[], object]) -> object | None:
    """Flip a bit, read, flip it back; return what was read, None if it failed."""
    good = os.pread(file, 1, bit // 8)
    os.pwrite(file, bytes([good[0] ^ 1 << bit % 8]), bit // 8)
    try:
        return read()
    except apsw.Error:
        return None
    finally:
        os.pwrite(file, good, bit // 8)


def _swap_pages(cabinet: Cabinet, file: int, pages: list[int], read: Callable[[], object]) -> None:
    """Put every other page in the place of each page of the row."""
    count = os.fstat(file).st_size // PAGE_BYTES
    for page in pages:
        good = os.pread(file, PAGE_BYTES, page * PAGE_BYTES)
        for other in range(count):
            if other == page:
                continue
            cabinet.findings.count("database pages in each other's place")
            os.pwrite(file, os.pread(file, PAGE_BYTES, other * PAGE_BYTES), page * PAGE_BYTES)
            try:
                read()
            except apsw.Error:
                continue
            finally:
                os.pwrite(file, good, page * PAGE_BYTES)
            cabinet.findings.violations.append(Violation("undetected", "database pages", f"page {other + 1} as {page + 1}"))


def _exchange_rows(cabinet: Cabinet) -> dict[str, str]:
    """Change rows with the database's own key in hand, as a thief of the root key's file could; return path: what was done."""
    server = cabinet.deployment.start(1)
    cabinet.attach(server)
    cabinet.store(f"/{PLAIN}/untouched", os.urandom(500))
    columns = ("wrapped_key", "sealed_head", "data_id", "version_id", "body_id")
    done: dict[str, str] = {}
    for column in columns:
        for side in "xy":
            cabinet.store(f"/{PLAIN}/{column}-{side}", os.urandom(500))
            done[f"/{PLAIN}/{column}-{side}"] = f"{column} exchanged with another object"
    for column in ("wrapped_key", "data_id", "version_id"):
        for side in "xy":
            cabinet.store(f"/{PLAIN}/blob-{column}-{side}", os.urandom(BLOB_BYTES))
            done[f"/{PLAIN}/blob-{column}-{side}"] = f"{column} exchanged with another object in a blob"
    for name in ("shorter", "longer", "renamed", "flipped", "replayed"):
        cabinet.store(f"/{PLAIN}/{name}", os.urandom(500))
        done[f"/{PLAIN}/{name}"] = name
    with_old = _database(cabinet)
    old = _body_row(with_old, b"replayed")[1]
    with_old.close()
    cabinet.store(f"/{PLAIN}/replayed", os.urandom(500))
    server.stop()
    _change(_database(cabinet), columns, old)
    cabinet.bodies[f"/{PLAIN}/renamed-to"] = cabinet.bodies[f"/{PLAIN}/renamed"]
    done[f"/{PLAIN}/renamed-to"] = done.pop(f"/{PLAIN}/renamed")
    return done


def _body_row(database: apsw.Connection, object_key: bytes) -> tuple[int, bytes]:
    """Return the id and the sealed bytes of an object's inline body."""
    query = "SELECT body_id, sealed FROM object JOIN body USING (body_id) WHERE object_key = ?"
    ((body_id, sealed),) = database.execute(query, (object_key,)).fetchall()
    if not isinstance(body_id, int) or not isinstance(sealed, bytes):
        raise TypeError("a row of another shape")
    return body_id, sealed


def _change(database: apsw.Connection, columns: tuple[str, ...], old: bytes) -> None:
    def key(name: str) -> bytes:
        return name.encode()

    for column in (*columns, "blob-wrapped_key", "blob-data_id", "blob-version_id"):
        field_name = column.removeprefix("blob-")
        values = [
            database.execute(f"SELECT {field_name} FROM object WHERE object_key = ?", (key(f"{column}-{side}"),)).fetchall()[0][0]
            for side in "xy"
        ]
        for side, value in zip("yx", values, strict=True):
            database.execute(f"UPDATE object SET {field_name} = ? WHERE object_key = ?", (value, key(f"{column}-{side}")))
    database.execute("UPDATE object SET size_bytes = size_bytes - 1 WHERE object_key = ?", (key("shorter"),))
    database.execute("UPDATE object SET size_bytes = size_bytes + 1 WHERE object_key = ?", (key("longer"),))
    database.execute("UPDATE object SET object_key = ? WHERE object_key = ?", (key("renamed-to"), key("renamed")))
    for name, change in (("flipped", lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1])), ("replayed", lambda _: old)):
        body_id, sealed = _body_row(database, key(name))
        database.execute("UPDATE body SET sealed = ? WHERE body_id = ?", (change(sealed), body_id))
    database.close()
