"""The customer's book of keys: the log of a key server, its chain checked, and what it says of each call of the service.

Format: `docs/design/formats/keybox.md`, "Log".
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from siegel.customer.audit.ledgerbook import REKEYED
from siegel.customer.audit.walk import Progress
from siegel.customer.keybox.chain import EMPTY, LINE_BYTES_MAX, Finding, check
from siegel.customer.keybox.folder import LOG_NAME
from siegel.customer.keybox.uses import DONE
from siegel.domain.errors import ConfigurationError

ENCRYPT: Final = "xks.encrypt"
DECRYPT: Final = "xks.decrypt"
VIA_S3: Final = "s3"

_BY_CLIENTS: Final = "kms."
_ARN_MARK: Final = ":key/"


class Call(Struct, frozen=True, gc=False):
    """A call of the service that was done: a key was used.

    `line` is its number in the log. `key_id` is what the service calls the key, from the end of the ARN that it named;
    `account_id`, `bucket`, `object_key` and `version` are what the data is bound to, empty where that cannot be read.
    """

    line: int
    at_ms: int
    operation: str
    request_id: str
    key_id: str
    principal: str
    reason: str
    is_for_s3: bool
    account_id: str
    bucket: str
    object_key: str
    version: str

    def text(self) -> str:
        """Return the call in a few words."""
        what = "unwrapped" if self.operation == DECRYPT else "wrapped"
        place = f" of {self.bucket}/{self.object_key}" if self.bucket else ""
        return f"a data key{place} was {what} for {self.principal or 'somebody who is not named'}"


Version = tuple[str, str, str]
"""A version of an object: bucket, key, and version as the key server was told it."""


class Sealing(Struct, frozen=True, gc=False):
    """A data key of a version was wrapped, for a request. `is_rekeying`: for one that gives it another key, as was said."""

    at_ms: int
    request_id: str
    is_rekeying: bool


class KeyLog(Struct):
    """What a log says. `calls` are those that were done from a time on; what was `sealed`, by which requests, is of all time.

    `by_clients` counts uses by the customer's own clients, which the service has no part in. `first_ms` and `last_ms` are the
    times of the first and the last line, None where there is none.
    """

    path: Path
    finding: Finding
    calls: list[Call] = msgspec.field(default_factory=list)
    key_ids: set[str] = msgspec.field(default_factory=set)
    sealed: dict[Version, list[Sealing]] = msgspec.field(default_factory=dict)
    sealers: set[str] = msgspec.field(default_factory=set)
    by_clients: int = 0
    first_ms: int | None = None
    last_ms: int | None = None


class _Line(Struct):
    at: datetime
    operation: str
    result: str = ""
    request_id: str = ""
    principal: str = ""
    context: dict[str, str] | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


_decode: Final = msgspec.json.Decoder(_Line).decode


def log_path(place: Path) -> Path:
    """Return the log of a box's directory, or the file itself."""
    return place / LOG_NAME if place.is_dir() else place


def read_key_log(path: Path, since_ms: int, expected: str | None, progress: Progress = lambda _count: None) -> KeyLog:
    """Read a log to its end; `expected` is the hash of a line that must be in it. Raises ConfigurationError.

    A last line without an end is being written, or was cut off by a crash before anybody was answered: it counts for nothing.
    """
    found = KeyLog(path, Finding(EMPTY))
    try:
        with path.open("rb") as stream:
            lines = iter(lambda: stream.readline(LINE_BYTES_MAX), b"")
            found.finding = check(_noted(lines, found, since_ms, progress), expected)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    return found


def _noted(lines: Iterator[bytes], log: KeyLog, since_ms: int, progress: Progress) -> Iterator[bytes]:
    for number, raw in enumerate(lines, 1):
        if not raw.endswith(b"\n") and len(raw) < LINE_BYTES_MAX:
            return
        _note(number, raw, log, since_ms)
        progress(len(raw))
        yield raw


def _note(number: int, raw: bytes, log: KeyLog, since_ms: int) -> None:
    try:
        line = _decode(raw)
        at_ms = int(line.at.timestamp() * 1000)
    except (ValueError, RecursionError):
        # The chain breaks here, and says so.
        return
    log.first_ms = at_ms if log.first_ms is None else log.first_ms
    log.last_ms = at_ms
    if line.operation.startswith(_BY_CLIENTS):
        log.by_clients += 1
    if line.operation not in {ENCRYPT, DECRYPT} or line.result != DONE:
        return
    call = _call(number, at_ms, line)
    log.key_ids.add(call.key_id)
    if call.operation == ENCRYPT and call.is_for_s3:
        sealing = Sealing(at_ms, call.request_id, call.reason == REKEYED)
        log.sealed.setdefault((call.bucket, call.object_key, call.version), []).append(sealing)
        log.sealers.add(call.request_id)
    if at_ms >= since_ms:
        log.calls.append(call)


def _call(number: int, at_ms: int, line: _Line) -> Call:
    told, bound = line.metadata, line.context or {}
    return Call(
        line=number,
        at_ms=at_ms,
        operation=line.operation,
        request_id=line.request_id,
        key_id=str(told.get("kmsKeyArn", "")).rpartition(_ARN_MARK)[2],
        principal=line.principal,
        reason=str(told.get("reason", "")),
        is_for_s3=told.get("kmsViaService") == VIA_S3,
        account_id=bound.get("account", ""),
        bucket=bound.get("bucket", ""),
        object_key=bound.get("key", ""),
        version=bound.get("version", ""),
    )
