"""The doctor: what can be known about a deployment and its machine before customers find it out."""

import ctypes
import fcntl
import os
import shutil
import statistics
import time
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from siegel.app.serve import LOCK_NAME, check_certificate
from siegel.app.settings import Address, Settings
from siegel.app.sockets import reserve
from siegel.app.wiring import check_account_keys, database_release, left_databases, open_deployment
from siegel.domain.errors import SiegelError
from siegel.domain.moments import encode_time
from siegel.service.lockclock import LAG_MS_WARN

FREE_SPACE_WARN_SHARE: Final = 0.10
FREE_SPACE_FAIL_BYTES: Final = 256 * 1024 * 1024
SYNC_PROBES: Final = 25
SYNC_PROBE_BYTES: Final = 4096
# No medium that keeps its promise through a power cut answers faster than this, except one with a protected cache.
SYNC_SUSPICIOUS_S: Final = 30e-6
# adjtimex(2): the state of a clock that nobody keeps right.
_TIME_ERROR: Final = 5
# struct timex has 208 bytes on 64-bit Linux; its first field, `modes`, is 0 for a mere question.
_TIMEX_BYTES: Final = 208
HOURS_PER_DAY: Final = 24
# Both look the same from here: neither opens by a key that is known.
_HALF_COPY: Final = """\
{path} is not the database: it is half a copy, of a change of the key that was interrupted, or the key chest is an older one
try: siegel root rekey-database {directory}, which removes it, unless the key chest that belongs to it is to be put back"""
_FORGETFUL: Final = frozenset({"tmpfs", "ramfs", "overlay"})


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One check, its verdict, and one sentence on what was seen."""

    check: str
    verdict: Verdict
    seen: str


def examine(settings: Settings) -> list[Finding]:
    """Run every check. Nothing is changed, apart from one probe file that is removed again."""
    directory = Path(settings.directory)
    is_serving = _is_serving(directory)
    return [
        _clock(),
        _free_space(directory),
        _sync(directory),
        Finding("sqlite", Verdict.OK, database_release()),
        _key_and_database(settings),
        _lock_clock(settings),
        _certificate(settings),
        _port("s3 port", settings.s3, is_serving=is_serving),
        _port("admin port", settings.admin, is_serving=is_serving),
    ]


def _clock() -> Finding:
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    now = encode_time(time.time())
    if state == _TIME_ERROR:
        return Finding("clock", Verdict.WARN, f"{now}; no time service keeps it right, and requests 15 minutes off are refused")
    return Finding("clock", Verdict.OK, f"{now}, kept by a time service")


def _free_space(directory: Path) -> Finding:
    usage = shutil.disk_usage(directory)
    seen = f"{usage.free / 2**30:.1f} GiB of {usage.total / 2**30:.1f} GiB are free"
    if usage.free < FREE_SPACE_FAIL_BYTES:
        return Finding("free space", Verdict.FAIL, seen)
    verdict = Verdict.WARN if usage.free < FREE_SPACE_WARN_SHARE * usage.total else Verdict.OK
    return Finding("free space", verdict, seen)


def _sync(directory: Path) -> Finding:
    """Time real syncs. Software cannot prove that a disk keeps its word, but it can see one that cannot possibly do so."""
    kind = _filesystem(directory)
    try:
        median_s = statistics.median(_sync_times(directory / ".doctor"))
    except OSError as error:
        return Finding("sync", Verdict.FAIL, f"{directory} cannot be written: {error.strerror}")
    seen = f"a sync takes {median_s * 1000:.2f} ms on {kind}"
    if kind in _FORGETFUL:
        return Finding("sync", Verdict.WARN, f"{seen}, which does not outlive the machine")
    if median_s < SYNC_SUSPICIOUS_S:
        return Finding("sync", Verdict.WARN, f"{seen}: faster than any disk without a protected cache")
    return Finding("sync", Verdict.OK, seen)


def _sync_times(path: Path) -> list[float]:
    """Return how long syncs take of a file that is removed again."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        times_s = []
        for turn in range(SYNC_PROBES):
            begun = time.perf_counter()
            os.pwrite(descriptor, os.urandom(SYNC_PROBE_BYTES), turn * SYNC_PROBE_BYTES)
            os.fdatasync(descriptor)
            times_s.append(time.perf_counter() - begun)
    finally:
        os.close(descriptor)
        path.unlink()
    return times_s


def _filesystem(directory: Path) -> str:
    """Return the type of the filesystem that holds `directory`, by the longest mount point above it."""
    place = str(directory.resolve())
    best = ("", "an unknown filesystem")
    for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, mount_point, kind, *_ = line.split(" ")
        above = mount_point.rstrip("/") + "/"
        if (place + "/").startswith(above) and len(above) > len(best[0]):
            best = (above, kind)
    return best[1]


def _key_and_database(settings: Settings) -> Finding:
    """Open all there is to open; a root key file that others may read is refused here."""
    try:
        deployment = open_deployment(settings)
        try:
            check_account_keys(deployment, settings, of_all=True)
            places, (former, halves) = deployment.custodian.root_places(), left_databases(settings, deployment)
        finally:
            deployment.close()
    except SiegelError as error:
        return Finding("root key and database", Verdict.FAIL, str(error))
    if len(places) > 1:
        seen = f"a rotation from {places[0]} to {places[1]} is under way\ntry: siegel root rotate {settings.directory}"
        return Finding("root key and database", Verdict.WARN, seen)
    if former:
        seen = f"{former[0]} was the database before it had another key\ntry: siegel root rekey-database {settings.directory}"
        return Finding("root key and database", Verdict.WARN, seen)
    if halves:
        return Finding("root key and database", Verdict.WARN, _HALF_COPY.format(path=halves[-1], directory=settings.directory))
    return Finding("root key and database", Verdict.OK, f"{places[0]} opens the database")


def _lock_clock(settings: Settings) -> Finding:
    """Compare the clock that locks go by with the time of day."""
    try:
        deployment = open_deployment(settings)
        try:
            lag_ms = deployment.lock_time.lag_ms()
        finally:
            deployment.close()
    except SiegelError:
        return Finding("lock clock", Verdict.WARN, "not known, since the database does not open")
    if abs(lag_ms) < LAG_MS_WARN:
        return Finding("lock clock", Verdict.OK, "it shows the time of day")
    way_out = f"if the time of day is right: siegel clock confirm --data {settings.directory}"
    return Finding("lock clock", Verdict.WARN, f"it is {span(lag_ms)}, and locks last until it says so; {way_out}")


def span(lag_ms: int) -> str:
    """Return how far the lock clock is from the time of day, in words."""
    hours = abs(lag_ms) / 3_600_000
    size = f"{hours / 24:.1f} days" if hours >= HOURS_PER_DAY else f"{hours:.1f} hours"
    return f"{size} {'behind' if lag_ms >= 0 else 'ahead of'} the time of day"


def _certificate(settings: Settings) -> Finding:
    if settings.tls_cert is None:
        return Finding("certificate", Verdict.WARN, "none: the S3 port speaks plain HTTP")
    try:
        check_certificate(settings)
    except SiegelError as error:
        return Finding("certificate", Verdict.FAIL, str(error))
    return Finding("certificate", Verdict.OK, f"{settings.tls_cert} and its key belong together")


def _port(name: str, address: Address, *, is_serving: bool) -> Finding:
    try:
        reserve(address).close()
    except OSError as error:
        if is_serving:
            return Finding(name, Verdict.OK, f"{address}: the service runs")
        return Finding(name, Verdict.FAIL, f"{address}: {error.strerror}")
    return Finding(name, Verdict.OK, f"{address} is free")


def _is_serving(directory: Path) -> bool:
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
