"""The store's side: sealed objects to and from S3 by plain requests. Needs the extra `siegel[client]`, and says so.

Credentials, region and profile are found as the SDK finds them: environment, shared files, instance.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, Final

from siegel.customer.receipts import ReceiptFile, keep_receipts
from siegel.customer.sealing.opening import FIRST_READ_BYTES
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.refusals import ChangedWhileReadingError, NoSuchObjectError, NotSealedError, SealingError, StoreError
from siegel.customer.sealing.seal import Piece, SealedStream
from siegel.customer.sealing.threads import ENDS, Threads

_CONTENT_TYPE: Final = "application/vnd.siegel.sealed"
PART_BYTES: Final = 16 * 1024 * 1024
PART_BYTES_MIN: Final = 5 * 1024 * 1024
# Requests to the store at once: as many parts are held in memory, and one more that is being sealed.
REQUESTS: Final = 4
REQUESTS_MAX: Final = 64
_PARTS_MAX: Final = 10_000
# How long an upload that Ctrl-C ends waits until the store has given it up.
_GIVE_UP_S: Final = 1.0
_SIZE_DIGITS_MAX: Final = 18
_PROBLEM_CHARS_MAX: Final = 200
# What the SDK lets out, and we run into, where an answer is none of S3.
_ODD: Final = (KeyError, ValueError, TypeError, AttributeError, RecursionError)
_MISSING: Final = {"NoSuchKey": "does not exist", "NoSuchBucket": "does not exist: no such bucket", "404": "does not exist"}

Progress = Callable[[int], None]


def connect(endpoint_url: str | None = None, region: str | None = None, receipts: ReceiptFile | None = None) -> Any:
    """Return a client of S3; it keeps a receipt of every answer in the file `receipts`, if one is named.

    Raises StoreError if the library is missing, or nobody says who is asking.
    """
    try:
        import boto3  # noqa: PLC0415  an extra: only who stores anything needs it, and it takes its time
        from botocore.config import Config  # noqa: PLC0415  the same
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415  the same
    except ImportError:
        raise StoreError("boto3 is missing, which speaks to the store\ntry: pip install 'siegel[client]'") from None
    try:
        # A session of its own: the library's default one keeps the first credentials that it ever found.
        settings = Config(max_pool_connections=REQUESTS_MAX)
        client = boto3.session.Session().client("s3", endpoint_url=endpoint_url, region_name=region, config=settings)
    except (BotoCoreError, ValueError) as error:
        raise StoreError(str(error)) from None
    if receipts is not None:
        keep_receipts(client, receipts)
    return client


def nothing(_count: int) -> None:
    """Report no progress."""


class S3Source:
    """One object of a store as a source: the first read asks for the header, later ones for ranges of the same object."""

    def __init__(self, client: Any, place: ObjectPlace, requests: int = REQUESTS) -> None:
        """Ask for the object's beginning. Raises StoreError: no such object, no permission, no answer."""
        self.reads_at_once = requests
        self._client = client
        self._place = place
        self._pinned: dict[str, str] = {}
        with _answers(place):
            answer = client.get_object(Bucket=place.bucket, Key=place.object_key, Range=f"bytes=0-{FIRST_READ_BYTES - 1}")
            with answer["Body"] as stream:
                self._start: bytes = stream.read(FIRST_READ_BYTES)
            self.size_bytes = _whole_size(answer, len(self._start))
            self._pinned["IfMatch"] = answer["ETag"]
        if answer.get("VersionId", "null") != "null":
            self._pinned["VersionId"] = answer["VersionId"]

    def read_into(self, offset: int, room: memoryview) -> int:
        """See `Source`. Raises ChangedWhileReadingError, StoreError."""
        if offset + len(room) <= len(self._start):
            room[:] = self._start[offset : offset + len(room)]
            return len(room)
        asked = f"bytes={offset}-{offset + len(room) - 1}"
        filled = 0
        with _answers(self._place):
            answer = self._client.get_object(Bucket=self._place.bucket, Key=self._place.object_key, Range=asked, **self._pinned)
            with answer["Body"] as stream:
                while filled < len(room) and (count := stream.readinto(room[filled:])):
                    filled += count
        return filled


def upload(
    client: Any,
    sealed: SealedStream,
    *,
    part_bytes: int = PART_BYTES,
    requests: int = REQUESTS,
    progress: Progress = nothing,
) -> None:
    """Store a sealed stream at its place: in one request if it fits into a part, else in parts of constant size.

    So many `requests` are under way at once, and as many parts and one more in memory. `progress` is told the sealed bytes of
    every request that is done, in the order of the object. Whatever fails, no object appears. Ctrl-C waits for no request that
    is under way, and a second at most until the store has given up the parts. Raises StoreError, SealingError.
    """
    if part_bytes < PART_BYTES_MIN:
        raise SealingError(f"a part has at least {PART_BYTES_MIN} bytes")
    check_requests(requests)
    place = sealed.manifest.place
    part_bytes = enough_for(sealed.sealed_size_bytes, part_bytes)
    where = {"Bucket": place.bucket, "Key": place.object_key}
    if sealed.sealed_size_bytes <= part_bytes:
        body = b"".join(bytes(piece) for piece in sealed)
        with _answers(place):
            client.put_object(**where, Body=body, ContentType=_CONTENT_TYPE)
        progress(len(body))
        return
    with _answers(place):
        where["UploadId"] = client.create_multipart_upload(**where, ContentType=_CONTENT_TYPE)["UploadId"]
    try:
        done = _Parts(client, place, where, requests, progress).send(sealed, part_bytes)
        with _answers(place):
            client.complete_multipart_upload(**where, MultipartUpload={"Parts": done})
    except ENDS:
        with Threads(1) as threads:
            wait([threads.submit(client.abort_multipart_upload, **where)], _GIVE_UP_S)
            raise
    except BaseException:
        with _answers(place):
            client.abort_multipart_upload(**where)
        raise


def check_requests(requests: int) -> None:
    """Check how many requests there may be at once. Raises SealingError."""
    if not 1 <= requests <= REQUESTS_MAX:
        raise SealingError(f"there are 1 to {REQUESTS_MAX} requests at once")


def enough_for(size_bytes: int, part_bytes: int) -> int:
    """Return a size of parts, at least `part_bytes`, by which an object fits into the 10,000 parts that S3 takes."""
    return max(part_bytes, -(-size_bytes // _PARTS_MAX))


def list_keys(client: Any, folder: ObjectPlace) -> Iterator[str]:
    """Yield the object keys below a prefix. Raises StoreError."""
    with _answers(folder):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.object_key):
            yield from (entry["Key"] for entry in page.get("Contents", ()))
            if page.get("IsTruncated") and "NextContinuationToken" not in page:
                raise StoreError(f"{folder.uri}: the store says that its list goes on, and not where")


class _Parts:
    """The parts of one upload: several are under way at once, and are done with in their order."""

    def __init__(self, client: Any, place: ObjectPlace, where: dict[str, str], requests: int, progress: Progress) -> None:
        self._client = client
        self._place = place
        self._where = where
        self._requests = requests
        self._progress = progress
        self._sent: deque[tuple[Future[Any], bytearray]] = deque()
        self._spare: list[bytearray] = []
        self._done: list[dict[str, Any]] = []

    def send(self, pieces: Iterable[Piece], part_bytes: int) -> list[dict[str, Any]]:
        """Send all; return what completes the upload. Unless Ctrl-C ends it, no request is under way any more."""
        with Threads(self._requests) as threads:
            for number, part in enumerate(_collected(pieces, part_bytes, self._spare), 1):
                self._sent.append((threads.submit(self._client.upload_part, **self._where, PartNumber=number, Body=part), part))
                if len(self._sent) == self._requests:
                    self._finish_first()
            while self._sent:
                self._finish_first()
        return self._done

    def _finish_first(self) -> None:
        future, part = self._sent.popleft()
        with _answers(self._place):
            self._done.append({"PartNumber": len(self._done) + 1, "ETag": future.result()["ETag"]})
        self._progress(len(part))
        self._spare.append(part)


def _collected(pieces: Iterable[Piece], part_bytes: int, spare: list[bytearray]) -> Iterator[bytearray]:
    """Collect pieces into parts of `part_bytes`; the last one is shorter. Parts that are `spare` serve again."""
    part = bytearray(part_bytes)
    filled = 0
    for piece in pieces:
        view = memoryview(piece)
        while view:
            taken = min(len(view), part_bytes - filled)
            part[filled : filled + taken] = view[:taken]
            filled += taken
            view = view[taken:]
            if filled == part_bytes:
                yield part
                part = spare.pop() if spare else bytearray(part_bytes)
                filled = 0
    if filled:
        del part[filled:]
        yield part


def _whole_size(answer: dict[str, Any], received: int) -> int:
    """Return the size of the whole object: of `bytes 0-9/100` the 100; a store that ignores ranges sends the whole.

    Raises ValueError for a size that no object has.
    """
    if "ContentRange" not in answer:
        return max(received, int(answer.get("ContentLength", received)))
    told = str(answer["ContentRange"]).rpartition("/")[2]
    if not (told.isascii() and told.isdigit() and len(told) <= _SIZE_DIGITS_MAX):
        raise ValueError("no size of an object in Content-Range")
    return int(told)


@contextmanager
def _answers(place: ObjectPlace) -> Iterator[None]:
    """Turn the SDK's errors into ours, and what comes of answers that are none of S3."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  an extra: see `connect`
    from botocore.parsers import ResponseParserError  # noqa: PLC0415  the same

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in {"PreconditionFailed", "412"}:
            raise ChangedWhileReadingError(f"{place.uri} was replaced while it was being read") from None
        if code == "InvalidRange":
            raise NotSealedError(f"{place.uri} is empty, so it is no sealed object") from None
        if code in _MISSING:
            raise NoSuchObjectError(f"{place.uri} {_MISSING[code]}") from None
        raise StoreError(f"{place.uri}: {error}") from None
    except BotoCoreError as error:
        raise StoreError(f"{place.uri}: {error}") from None
    except (ResponseParserError, *_ODD) as error:
        problem = f"{type(error).__name__}: {error}".partition("\n")[0][:_PROBLEM_CHARS_MAX]
        raise StoreError(f"{place.uri}: the store gave an answer that is none of S3 ({problem})") from None
