"""(e) The steward removes what nobody owns, after the grace time, and nothing else.

Everything that may leave a blob behind is done once; then the files are counted before and after the grace time. Lifecycles run
beside that: what their rules do not mean, or what is locked, must still be there.
"""

import base64
import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.client import ConnectionLostError
from bench.service import Deployment, Running

from siegel.domain.faultpoints import VARIABLE
from tests.fault.load import PLAIN, VERSIONED
from tests.fault.model import Content, Violation
from tests.fault.s3 import S3

BLOB_BYTES = 100_000
GRACE_S = 4.0
# Days of a second: all lifecycles are due at once.
TIDY = {"SIEGEL_GRACE_S": str(GRACE_S), "SIEGEL_STEWARD_INTERVAL_S": "0.5", "SIEGEL_LIFECYCLE_DAY_S": "1"}
# A steward that never comes: what is made here is still there when the counting begins.
ASLEEP = {"SIEGEL_GRACE_S": "3600", "SIEGEL_STEWARD_INTERVAL_S": "3600"}
PATIENCE_S = 20.0
LOCKED = "locked"
RULES = b"""<LifecycleConfiguration>
<Rule><ID>expire</ID><Status>Enabled</Status><Filter><Prefix>expire/</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule>
<Rule><ID>abort</ID><Status>Enabled</Status><Filter><Prefix>abort/</Prefix></Filter>
<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>
<Rule><ID>past</ID><Status>Enabled</Status><Filter><Prefix>past/</Prefix></Filter>
<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>
<Rule><ID>off</ID><Status>Disabled</Status><Filter><Prefix/></Filter><Expiration><Days>1</Days></Expiration></Rule>
</LifecycleConfiguration>"""


def _digest(body: bytes) -> dict[str, str]:
    return {"content-md5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}


class Shelf:
    """What must stay, by path, and how many blobs that takes."""

    def __init__(self, s3: S3) -> None:
        self.s3 = s3
        self.kept: dict[str, Content] = {}
        self.kept_versions: list[tuple[str, str, Content]] = []
        self.blobs = 0

    def put(self, path: str, *, keep: bool) -> str:
        body = os.urandom(BLOB_BYTES)
        answer = self.s3.must("PUT", path, body)
        if keep:
            self.kept[path] = Content.of(body)
            self.blobs += 1
        return answer.headers.get("x-amz-version-id", "")

    def fill(self) -> None:
        """Leave blobs behind in every way that a client can, beside ones that stay."""
        s3 = self.s3
        self.put(f"/{PLAIN}/kept", keep=True)
        self.put(f"/{PLAIN}/overwritten", keep=False)
        self.put(f"/{PLAIN}/overwritten", keep=True)
        self.put(f"/{PLAIN}/deleted", keep=False)
        s3.must("DELETE", f"/{PLAIN}/deleted")
        s3.must("PUT", f"/{PLAIN}/copied", headers={"x-amz-copy-source": f"/{PLAIN}/kept"})
        self.kept[f"/{PLAIN}/copied"] = self.kept[f"/{PLAIN}/kept"]
        self.blobs += 1
        self.put(f"/{VERSIONED}/under-a-marker", keep=False)
        s3.must("DELETE", f"/{VERSIONED}/under-a-marker")
        self.blobs += 1
        gone = self.put(f"/{VERSIONED}/one-version-deleted", keep=False)
        self.put(f"/{VERSIONED}/one-version-deleted", keep=True)
        s3.must("DELETE", f"/{VERSIONED}/one-version-deleted", query={"versionId": gone})
        self._uploads()
        self._lifecycles()

    def _lifecycles(self) -> None:
        """Leave what rules end, and beside it what they must not touch."""
        s3 = self.s3
        s3.must("PUT", f"/{LOCKED}", headers={"x-amz-bucket-object-lock-enabled": "true"})
        for bucket in (PLAIN, LOCKED):
            s3.must("PUT", f"/{bucket}", RULES, query={"lifecycle": ""}, headers=_digest(RULES))
        self.put(f"/{PLAIN}/expire/gone", keep=False)
        self.put(f"/{PLAIN}/expire", keep=True)
        self.put(f"/{PLAIN}/expired", keep=True)
        self.put(f"/{PLAIN}/past/current", keep=True)
        upload = s3.create_upload(f"/{PLAIN}/abort/left")
        s3.upload_part(f"/{PLAIN}/abort/left", upload, 1, os.urandom(BLOB_BYTES))
        until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        locks = (
            {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": until},
            {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": until},
            {"x-amz-object-lock-legal-hold": "ON"},
            {},
        )
        for number, lock in enumerate(locks):
            path, body = f"/{LOCKED}/past/{number}", os.urandom(BLOB_BYTES)
            version = s3.must("PUT", path, body, headers={**lock, **_digest(body)}).headers["x-amz-version-id"]
            if lock:
                self.kept_versions.append((path, version, Content.of(body)))
                self.blobs += 1
            self.put(path, keep=True)

    def _uploads(self) -> None:
        s3, path = self.s3, f"/{PLAIN}/assembled"
        body = os.urandom(BLOB_BYTES)
        upload = s3.create_upload(path)
        s3.upload_part(path, upload, 1, os.urandom(BLOB_BYTES))
        part = s3.upload_part(path, upload, 1, body)
        s3.upload_part(path, upload, 2, os.urandom(BLOB_BYTES))
        s3.complete_upload(path, upload, [part])
        self.kept[path] = Content.of(body)
        self.blobs += 1
        aborted = s3.create_upload(f"/{PLAIN}/aborted")
        s3.upload_part(f"/{PLAIN}/aborted", aborted, 1, body)
        s3.must("DELETE", f"/{PLAIN}/aborted", query={"uploadId": aborted})
        self.open_upload = s3.create_upload(f"/{PLAIN}/open")
        self.open_part = s3.upload_part(f"/{PLAIN}/open", self.open_upload, 1, body)
        self.blobs += 1

    def check(self, s3: S3) -> list[Violation]:
        """Everything kept is there; the open upload can still be completed."""
        found = []
        for path, content in self.kept.items():
            answer = s3.call("GET", path)
            if answer.status != 200 or Content.of(answer.body) != content:
                found.append(Violation("lost", path, f"{answer.status} {answer.body[:200]!r}"))
        for path, version, content in self.kept_versions:
            answer = s3.call("GET", path, query={"versionId": version})
            if answer.status != 200 or Content.of(answer.body) != content:
                found.append(Violation("lost", f"{path} {version}", f"{answer.status} {answer.body[:200]!r}"))
        answer = s3.complete_upload(f"/{PLAIN}/open", self.open_upload, [self.open_part])
        if s3.call("GET", f"/{PLAIN}/open").status != 200:
            found.append(Violation("lost", "open upload", f"{answer.status}"))
        return found


def blob_files(directory: Path) -> tuple[int, int]:
    """Return how many blobs and how many unfinished files lie in the data directory."""
    names = [path.name for path in (directory / "blobs").rglob("*") if path.is_file()]
    unfinished = [name for name in names if name.endswith(".unfinished")]
    return len(names) - len(unfinished), len(unfinished)


def _die_at(deployment: Deployment, point: str, path: str) -> None:
    """Start a service that dies at a fault point, and make it reach the point."""
    server = deployment.start(1, environment={**ASLEEP, VARIABLE: point})
    s3 = S3(server, deployment.signer(server))
    try:
        s3.call("PUT", path, os.urandom(BLOB_BYTES))
    except ConnectionLostError:
        pass
    finally:
        s3.close()
        server.kill()


def run(folder: Path) -> tuple[list[str], list[Violation]]:
    """Make every kind of litter; return notes and violations."""
    deployment = Deployment.create(folder / "tidy")
    server = deployment.start(2, environment=ASLEEP)
    s3 = S3(server, deployment.signer(server))
    s3.make_bucket(PLAIN)
    s3.make_bucket(VERSIONED, versioned=True)
    shelf = Shelf(s3)
    shelf.fill()
    s3.close()
    server.stop()
    for point in ("blob.before_rename", "blob.after_dirsync", "put.before_commit"):
        _die_at(deployment, point, f"/{PLAIN}/never")
    made = time.monotonic()
    before = blob_files(deployment.directory)
    notes = [f"{before[0]} blobs and {before[1]} unfinished files, {shelf.blobs} of them owned"]
    violations = []
    if before[0] < shelf.blobs + 8 or not before[1]:
        violations.append(Violation("no-fault", "litter", f"too little was left behind to prove anything: {before}"))
    server = deployment.start(2, environment=TIDY)
    try:
        violations += _watch(server, deployment, shelf, made, before)
        notes.append(f"{blob_files(deployment.directory)} blobs and unfinished files {time.monotonic() - made:.1f} s later")
    finally:
        server.kill()
    return notes, violations


def _watch(server: Running, deployment: Deployment, shelf: Shelf, made: float, before: tuple[int, int]) -> list[Violation]:
    """Nothing young goes; everything without an owner goes; the rest stays."""
    found = []
    wanted = (shelf.blobs, 0)
    while time.monotonic() - made < PATIENCE_S:
        now = blob_files(deployment.directory)
        if now == wanted:
            break
        time.sleep(0.1)
    else:
        found.append(Violation("litter", "blobs", f"{now} after {PATIENCE_S:.0f} s, must be {wanted}"))
    if before == wanted:
        found.append(Violation("no-fault", "litter", "nothing had to be removed"))
    time.sleep(2.0)
    if blob_files(deployment.directory) != wanted:
        found.append(Violation("lost", "blobs", f"{blob_files(deployment.directory)} some time later, must be {wanted}"))
    s3 = S3(server, deployment.signer(server))
    found += shelf.check(s3)
    fresh = time.monotonic()
    s3.must("PUT", f"/{PLAIN}/short-lived", os.urandom(BLOB_BYTES))
    s3.must("DELETE", f"/{PLAIN}/short-lived")
    while time.monotonic() - fresh < GRACE_S * 0.8:
        if blob_files(deployment.directory)[0] != shelf.blobs + 1:
            found.append(Violation("lost", "short-lived", "its blob was removed within the grace time"))
            break
        time.sleep(0.1)
    s3.close()
    return found
