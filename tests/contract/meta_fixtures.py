"""Values and a clock for the metadata suites."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siegel.domain.entry import Entry
from siegel.domain.faultpoints import VARIABLE
from siegel.domain.objects import (
    Bucket,
    CompletedUpload,
    ObjectVersion,
    Part,
    SealingMode,
    Storage,
    Upload,
)

START_MS = 1_700_000_000_000
BUCKET = 1
_WRITER = Path(__file__).with_name("meta_writer.py")


class ManualClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms


def identifier(number: int) -> bytes:
    """Sixteen bytes that stand for a random id."""
    return number.to_bytes(16, "big")


def write(store: Any, change: Callable[[Any], Any], entry: Any = None) -> Any:
    """Run one change to its end, as a script without a running service would."""
    return asyncio.run(store.write(change, entry))


def start_writer(directory: Path, name: str, count: int, fault: str = "") -> subprocess.Popen[str]:
    """Start `meta_writer.py`; `fault`: where it kills itself."""
    environment = {**os.environ, **({VARIABLE: fault} if fault else {})}
    command = [sys.executable, str(_WRITER), str(directory), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def entry(request_id: str = "r1", **fields: Any) -> Entry:
    known = {"at_ms": START_MS, "kind": "GetObject", "account_id": "111122223333", "principal": "root", "bucket": "box"}
    return Entry(request_id=request_id, **{**known, **fields})


def a_bucket(name: str = "box", account_id: str = "111122223333", **fields: Any) -> Bucket:
    return Bucket(bucket_id=0, name=name, account_id=account_id, region="eu-central-1", created_at_ms=START_MS, **fields)


def a_version(object_key: str = "a", number: int = 1, **fields: Any) -> ObjectVersion:
    known = {
        "bucket_id": BUCKET,
        "sequence": 0,
        "is_null": False,
        "is_marker": False,
        "size_bytes": 5,
        "modified_at_ms": START_MS,
        "mode": SealingMode.SSE_S3,
        "storage": Storage.INLINE,
        "part_count": 0,
        "data_id": identifier(number + 1_000_000),
        "body_id": 0,
        "etag": "",
        "wrapped_key": b"wrapped",
        "sealed_head": b"head",
        "sealed_tags": b"",
    }
    return ObjectVersion(object_key=object_key, version_id=identifier(number), **{**known, **fields})


def a_marker(object_key: str = "a", number: int = 1, **fields: Any) -> ObjectVersion:
    return a_version(object_key, number, is_marker=True, storage=Storage.EMPTY, size_bytes=0, data_id=b"", **fields)


def an_upload(upload_id: str = "u1", object_key: str = "a", **fields: Any) -> Upload:
    known = {
        "bucket_id": BUCKET,
        "version_id": identifier(77),
        "initiated_at_ms": START_MS,
        "mode": SealingMode.SSE_C,
        "wrapped_key": b"wrapped",
        "sealed_head": b"head",
        "sealed_tags": b"tags",
        "checksum_algorithm": "CRC32C",
        "checksum_type": "COMPOSITE",
    }
    return Upload(upload_id=upload_id, object_key=object_key, **{**known, **fields})


def a_part(upload_id: str = "u1", part_number: int = 1, blob: int = 1) -> Part:
    return Part(
        upload_id=upload_id,
        part_number=part_number,
        size_bytes=5,
        modified_at_ms=START_MS,
        data_id=identifier(blob),
        sealed_head=b"part head",
    )


def a_completed_upload(upload_id: str = "u1", object_key: str = "a", at_ms: int = START_MS) -> CompletedUpload:
    return CompletedUpload(
        upload_id=upload_id,
        bucket_id=BUCKET,
        object_key=object_key,
        version_id=identifier(77),
        completed_at_ms=at_ms,
        request_digest=b"digest",
    )


def newest_of(objects: Any, bucket_id: int, object_key: str) -> ObjectVersion | None:
    """The key's newest version, object or marker."""
    found = objects.scan_versions(bucket_id, object_key, None, f"{object_key}\0", 1)
    return found[0] if found else None
