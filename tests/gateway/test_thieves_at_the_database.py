"""Who has the disk and the root key edits the database while the service runs: nothing opens as something that it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.object_changes import SharedObjectChanges
from siegel.drivers.meta.process_lock import ProcessLock
from siegel.drivers.meta.sqlite_connection import connect

from .key_servers import connected, evil_server, external_key, patient
from .log import Auditor
from .service import Service
from .shelf import Shelf, seeded
from .test_kms_keys import make_key
from .test_sse_kms import arn_of, under

INTERNAL_ERROR = 500
INLINE, IN_A_FILE = 500, 200_000
CUT = (ResponseStreamingError, IncompleteReadError)
Edit = Callable[[bytes], bytes]


class Thief:
    """Somebody with the database's key, at the database of a running service."""

    def __init__(self, service: Service) -> None:
        directory = Path(service.directory)
        root_key = LocalCustodian.load(directory / "root.key")
        self.database = connect(directory / "siegel.db", root_key.database_key(), cache_kib=2048)
        self.database.set_busy_timeout(10_000)
        self._lock = ProcessLock(directory / "commit.lock")
        self._changes = SharedObjectChanges(directory / "changes")

    def close(self) -> None:
        self.database.close()
        self._changes.close()
        self._lock.close()

    def read(self, name: str, column: str) -> Any:
        ((value,),) = self.database.execute(f"SELECT {column} FROM object WHERE object_key = ?", (name.encode(),)).fetchall()
        return value

    def write(self, name: str, column: str, value: Any) -> None:
        """Change a row as a worker would, so that all of them look: what they remember is not what is asked."""
        bucket_id = self.read(name, "bucket_id")
        self._lock.acquire()
        try:
            self._changes.begin()
            self._changes.note(bucket_id, name.encode())
            self.database.execute(f"UPDATE object SET {column} = ? WHERE object_key = ?", (value, name.encode()))
            self._changes.settle()
        finally:
            self._lock.release()

    @contextmanager
    def having(self, name: str, column: str, value: Any) -> Iterator[None]:
        """Put a value into a row, and the old one back."""
        before = self.read(name, column)
        self.write(name, column, value)
        try:
            yield
        finally:
            self.write(name, column, before)


@pytest.fixture(scope="module")
def thief(service: Service) -> Iterator[Thief]:
    made = Thief(service)
    yield made
    made.close()


@pytest.fixture(scope="module")
def keys(service: Service, kms: Any) -> Iterator[dict[str, str]]:
    """Nothing, a key that the deployment has, and one that only a key server has."""
    with evil_server() as server, closing(patient(service, "kms")) as client:
        external = external_key(client, connected(client, server.options), "main")["Arn"]
        yield {"none": "", "local": arn_of(kms, make_key(kms)), "external": str(external)}


def options(key: str) -> dict[str, Any]:
    return under(key) if key else {}


def told(bucket: Shelf, name: str) -> tuple[int, str, str]:
    """Read an object, which must fail; return what the client learns of it. Not one byte of a body comes."""
    try:
        answer = bucket.s3.get_object(Bucket=bucket.name, Key=name)
    except ClientError as error:
        return (
            error.response["ResponseMetadata"]["HTTPStatusCode"],
            error.response["Error"]["Code"],
            error.response["Error"]["Message"],
        )
    assert drained(answer["Body"]) == (b"", True)
    return 200, "cut", ""


def drained(stream: Any) -> tuple[bytes, bool]:
    """Return what comes of a body, and whether it was cut off."""
    got = b""
    with stream:
        try:
            while piece := stream.read(1000):
                got += piece
        except CUT:
            return got, True
    return got, False


@pytest.mark.parametrize("kind", ["none", "local", "external"])
@pytest.mark.parametrize("size", [INLINE, IN_A_FILE])
def test_t81_cve_2025_14763_wrapped_keys_of_two_objects_exchanged_open_neither(
    bucket: Shelf, thief: Thief, keys: dict[str, str], kind: str, size: int
) -> None:
    """S3 Encryption Client CVE-2025-14763, -14764, ESDK CVE-2026-6550, SeaweedFS #8879: a wrapped key is bound to its object."""
    names = [f"{bucket.name}-{side}" for side in "xy"]
    for number, name in enumerate(names):
        bucket.put(name, seeded(size, number), **options(keys[kind]))
    values = [thief.read(name, "wrapped_key") for name in names]
    with thief.having(names[0], "wrapped_key", values[1]), thief.having(names[1], "wrapped_key", values[0]):
        for name in names:
            # A key server that opens what was wrapped for another object cannot be told from one that lies: its key is at fault.
            assert told(bucket, name)[0] == (400 if kind == "external" else 500)
    for number, name in enumerate(names):
        assert bucket.get(name) == seeded(size, number)


def flipped(at: int) -> Edit:
    return lambda value: value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :] if at >= 0 else flipped(len(value) + at)(value)


EDITS: dict[str, Edit] = {
    "the last byte of the tag": flipped(-1),
    "the first byte of the tag": flipped(-16),
    "a byte of the ciphertext": flipped(-40),
    "no tag": lambda value: value[:-16],
    "a tag of 12 bytes": lambda value: value[:-4],
    "nothing but the head": lambda value: value[:-60],
    "a byte more": lambda value: value + b"\0",
    "sixteen bytes more": lambda value: value + bytes(16),
}


@pytest.mark.parametrize("kind", ["none", "local"])
def test_t82_cve_2020_8911_cve_2020_8912_whatever_is_edited_the_error_is_the_same(
    bucket: Shelf, thief: Thief, keys: dict[str, str], kind: str
) -> None:
    """One error for whatever does not fit: no oracle tells how far an edited key, tag or algorithm got."""
    name = f"{bucket.name}-k"
    bucket.put(name, seeded(INLINE), **options(keys[kind]))
    wrapped = thief.read(name, "wrapped_key")
    seen = {}
    for what, edit in EDITS.items():
        with thief.having(name, "wrapped_key", edit(wrapped)):
            seen[what] = told(bucket, name)
    for mode in range(4):
        if mode != thief.read(name, "mode"):
            with thief.having(name, "mode", mode):
                # SSE-C has an error of its own: whoever reads has to bring a key along.
                seen[f"mode {mode}"] = told(bucket, name)
    assert {status for status, _, _ in seen.values()} <= {400, 500}
    assert len({answer for what, answer in seen.items() if answer[0] == 500}) == 1, seen
    assert {what for what, answer in seen.items() if answer[0] != 500} <= {"mode 1", "mode 2", "mode 3"}, seen
    assert bucket.get(name) == seeded(INLINE)


CHUNK = 16_400
HEADER = 88


def moved(value: bytes) -> bytes:
    first, second = value[HEADER : HEADER + CHUNK], value[HEADER + CHUNK : HEADER + 2 * CHUNK]
    return value[:HEADER] + second + first + value[HEADER + 2 * CHUNK :]


CHUNKS: dict[str, Edit] = {
    "two chunks in each other's place": moved,
    "a chunk twice": lambda value: value[:HEADER] + value[HEADER : HEADER + CHUNK] * 2 + value[HEADER + 2 * CHUNK :],
    "a chunk less": lambda value: value[: HEADER + CHUNK] + value[HEADER + 2 * CHUNK :],
    "the last chunk away": lambda value: value[: HEADER + 12 * CHUNK],
    "half of a chunk": lambda value: value[: HEADER + CHUNK + 100],
    "a chunk more": lambda value: value + value[HEADER : HEADER + CHUNK],
    "nothing": lambda value: b"",
}


@pytest.mark.parametrize("what", CHUNKS)
def test_t83_minio_b181a693_chunks_that_are_moved_repeated_or_cut_are_never_served(
    bucket: Shelf, service: Service, keys: dict[str, str], what: str
) -> None:
    """MinIO b181a693, Ceph CVE-2025-30156, CVE-2020-1759: each chunk has its place, and the body its length."""
    before = {path for path in Path(service.directory, "blobs").rglob("*") if path.is_file()}
    body = seeded(IN_A_FILE, 1)
    bucket.put("k", body, **options(keys["local"]))
    (blob,) = {path for path in Path(service.directory, "blobs").rglob("*") if path.is_file()} - before
    sealed = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(CHUNKS[what](sealed))
    try:
        got, was_cut = drained(bucket.s3.get_object(Bucket=bucket.name, Key="k")["Body"])
    except ClientError as error:
        got, was_cut = b"", error.response["ResponseMetadata"]["HTTPStatusCode"] == INTERNAL_ERROR
    assert was_cut
    assert body.startswith(got)
    assert len(got) < len(body)
    blob.write_bytes(sealed)
    assert bucket.get("k") == body


def test_a_list_that_cannot_be_made_is_written_down_as_begun_and_as_failed(bucket: Shelf, thief: Thief) -> None:
    name = f"{bucket.name}-listed"
    bucket.put(name, seeded(INLINE))
    with thief.having(name, "sealed_head", flipped(-1)(thief.read(name, "sealed_head"))):
        answer = bucket.call("GET", query="list-type=2")
    assert answer.status == INTERNAL_ERROR
    assert name.encode() not in answer.body
    entry_id = answer.header("x-siegel-entry")
    # A change stands behind every read that was answered before it: under a head that has the one are all the others.
    change = bucket.call("PUT", "after").header("x-siegel-entry")
    auditor = Auditor(bucket.service.raw(), bucket.service.owner.account_id)
    lines = auditor.await_entries([entry_id, change])[entry_id]
    assert [(line.leaf.facts.kind, line.leaf.facts.status) for line in lines] == [("bucket.list", 200), ("bucket.list", 500)]
