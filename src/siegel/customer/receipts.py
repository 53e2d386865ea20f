"""Receipts that a client keeps of its own requests: what it asked for, what it was answered, and which entry the answer named.

A file of lines, each a JSON object:

    {"at":"2026-03-01T12:00:00.000Z","entry":"018F3A77C2D1E4B0","method":"GET","bucket":"evidence","key":"film.mp4",
     "version":"","status":200}

`at` is when the answer came, by the client's clock; `entry` is what it said in `x-siegel-entry`, `version` what it said in
`x-amz-version-id`, empty where it said none. `siegel audit reconcile` holds them against the ledger.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from siegel.domain.errors import ConfigurationError, StorageError

ENTRY_HEADER: Final = "x-siegel-entry"
VERSION_HEADER: Final = "x-amz-version-id"
LINE_BYTES_MAX: Final = 16 * 1024

_ENTRY: Final = re.compile(r"[0-9A-F]{16}", re.ASCII)
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class ClientReceipt(Struct, frozen=True):
    """One answer. `key` is the object's, empty where the request was about a bucket."""

    at: datetime
    entry: str
    method: str
    bucket: str
    key: str
    version: str
    status: int

    @property
    def at_ms(self) -> int:
        """When the answer came, in milliseconds since 1970 (UTC)."""
        return int(self.at.timestamp() * 1000)


class ReceiptFile:
    """A file of receipts that grows. For any number of threads and processes."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make an empty one of mode 0600. Raises StorageError."""
        self._path = path
        try:
            self._stream = os.fdopen(os.open(path, _FLAGS, 0o600), "ab", buffering=0)
        except OSError as error:
            raise StorageError(f"{path} cannot be opened: {error.strerror}") from None

    def add(self, receipt: ClientReceipt) -> None:
        """Add a receipt. It is in the system's hands on return, and on the disk a little later. Raises StorageError."""
        line = msgspec.json.encode(receipt) + b"\n"
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX)
            try:
                written = self._stream.write(line)
            finally:
                fcntl.flock(self._stream, fcntl.LOCK_UN)
        except (OSError, ValueError) as error:
            raise StorageError(f"{self._path} cannot be written: {error}") from None
        if written != len(line):
            raise StorageError(f"{self._path} cannot be written: the disk is full")

    def close(self) -> None:
        """Make everything durable, and let go of the file. Raises StorageError."""
        try:
            os.fsync(self._stream.fileno())
        except (OSError, ValueError) as error:
            raise StorageError(f"{self._path} cannot be written: {error}") from None
        finally:
            self._stream.close()


@contextmanager
def kept_in(path: Path | None) -> Iterator[ReceiptFile | None]:
    """Yield the file of receipts that is named, if one is; on the way out it is durable. Raises StorageError."""
    if path is None:
        yield None
        return
    with closing(ReceiptFile(path)) as file:
        yield file


def read_receipts(path: Path) -> Iterator[tuple[int, ClientReceipt | None]]:
    """Yield the receipts of a file, each with the number of its line; None for a line that is none. Raises ConfigurationError."""
    try:
        with path.open("rb") as stream:
            for number, raw in enumerate(iter(lambda: stream.readline(LINE_BYTES_MAX), b""), 1):
                yield number, _read(raw)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def _read(raw: bytes) -> ClientReceipt | None:
    try:
        receipt = msgspec.json.decode(raw, type=ClientReceipt)
    except (ValueError, RecursionError):
        return None
    is_whole = raw.endswith(b"\n") and receipt.at.tzinfo is not None and _ENTRY.fullmatch(receipt.entry)
    return receipt if is_whole else None


def keep_receipts(client: Any, file: ReceiptFile) -> None:
    """Let an S3 client of boto3 keep a receipt of every answer that names its entry, repeated attempts too.

    A receipt that cannot be kept fails the call that it is of, with StorageError: what was done is done, but none could show it.
    """
    events = client.meta.events
    events.register("before-parameter-build.s3", _remember)

    def answered(response_dict: dict[str, Any] | None = None, context: dict[str, Any] | None = None, **_more: object) -> None:
        asked = (context or {}).get("siegel_receipt")
        headers = {name.lower(): value for name, value in ((response_dict or {}).get("headers") or {}).items()}
        entry = headers.get(ENTRY_HEADER, "")
        if response_dict is None or asked is None or not _ENTRY.fullmatch(entry):
            return
        method, bucket, key = asked
        version, status = headers.get(VERSION_HEADER, ""), int(response_dict["status_code"])
        file.add(ClientReceipt(datetime.now(UTC), entry, method, bucket, key, version, status))

    events.register("response-received.s3", answered)


def _remember(params: Any, model: Any, context: dict[str, Any], **_more: object) -> None:
    """Note what is asked for, before the SDK moves it into the address."""
    if isinstance(params, dict):
        context["siegel_receipt"] = (
            str(model.http.get("method", "")), str(params.get("Bucket", "")), str(params.get("Key", ""))
        )  # fmt: skip
