"""(f) What SIGKILL cannot show, because the kernel keeps what was written: that each sync has returned before the answer leaves.

The service runs under strace. For one request of each kind the calls are read in order: whatever was written to blobs, folders,
the write-ahead log and entry files must have been synced, with success, between its last write and the first byte of the answer.
"""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from bench.service import Deployment

from siegel.drivers.meta.own_entry_file import ENTRIES_MIN
from tests.fault.load import PLAIN, VERSIONED
from tests.fault.model import Violation
from tests.fault.s3 import S3
from tests.fault.syncs import BLOB, ENTRIES, FOLDER, WAL, Reading, process_of

CALLS = "write,pwrite64,writev,sendto,fsync,fdatasync,link,linkat,rename,renameat,renameat2"
# So long that the entries of the request before have come into the ledger, which writes too.
SETTLE_S = 1.5


def run(folder: Path) -> tuple[list[str], list[Violation]]:
    """Send one request of each kind to a service under strace; return notes and violations."""
    deployment = Deployment.create(folder / "order")
    log = folder / "order.calls"
    wrapper = ("strace", "-f", "-qq", "-y", "-s", "24", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", str(log))
    server = deployment.start(1, wrapper=wrapper)
    s3 = S3(server, deployment.signer(server))
    notes: list[str] = []
    violations: list[Violation] = []

    def traced(what: str, request: Callable[[], object], *wanted: str) -> object:
        time.sleep(SETTLE_S)
        offset = log.stat().st_size
        result = request()
        time.sleep(SETTLE_S)
        reading = Reading(str(deployment.directory), process_of)
        for text in log.read_bytes()[offset:].decode("latin-1").splitlines():
            reading.line(text)
        violations.extend(reading.faults(what, wanted))
        notes.append(f"{what}: synced before the answer: {', '.join(_kind(name) for name in reading.syncs)}")
        return result

    large = os.urandom(200_000)
    try:
        s3.make_bucket(PLAIN)
        s3.make_bucket(VERSIONED, versioned=True)
        s3.must("PUT", f"/{PLAIN}/first", large)
        traced("PUT of 1 KB", lambda: s3.must("PUT", f"/{PLAIN}/inline", bytes(1000)), WAL)
        traced("PUT of 200 KB", lambda: s3.must("PUT", f"/{PLAIN}/blob", large), WAL, BLOB, FOLDER)
        traced("overwrite", lambda: s3.must("PUT", f"/{PLAIN}/blob", large), WAL, BLOB, FOLDER)
        traced("copy", lambda: s3.must("PUT", f"/{PLAIN}/c", headers={"x-amz-copy-source": f"/{PLAIN}/blob"}), WAL, BLOB, FOLDER)
        traced("GET of a process that has few", lambda: s3.must("GET", f"/{PLAIN}/inline"), WAL)
        for _ in range(2 * ENTRIES_MIN):
            s3.must("HEAD", f"/{PLAIN}/inline")
        traced("GET of 1 KB", lambda: s3.must("GET", f"/{PLAIN}/inline"), ENTRIES)
        traced("GET of 200 KB", lambda: s3.must("GET", f"/{PLAIN}/blob"), ENTRIES)
        traced("HEAD", lambda: s3.must("HEAD", f"/{PLAIN}/blob"), ENTRIES)
        traced("LIST", lambda: s3.must("GET", f"/{PLAIN}"), ENTRIES)
        traced("DELETE", lambda: s3.must("DELETE", f"/{PLAIN}/blob"), WAL)
        traced("DELETE with a marker", lambda: s3.must("DELETE", f"/{VERSIONED}/x"), WAL)
        upload = s3.create_upload(f"/{PLAIN}/m")
        part = traced("UploadPart", lambda: s3.upload_part(f"/{PLAIN}/m", upload, 1, large), WAL, BLOB, FOLDER)
        traced("CompleteMultipartUpload", lambda: s3.complete_upload(f"/{PLAIN}/m", upload, [part]), WAL)  # type: ignore[list-item]
        s3.close()
    finally:
        server.kill()
    return notes, violations


def _kind(name: str) -> str:
    for pattern, kind in ((WAL, "log"), (BLOB, "blob"), (FOLDER, "folder"), (ENTRIES, "entry file")):
        if re.fullmatch(pattern, name):
            return kind
    return name
