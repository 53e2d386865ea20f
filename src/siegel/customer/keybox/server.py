"""The way of a call: path, body, signature, then what it asks for, then a line in the log, and only then the answer.

An ASGI application of two faces. A call whose signature holds always has a line, whether it was done or refused, and nothing of
its answer leaves before the line is durable; if that cannot be, the answer is refused. Calls without a valid signature have
lines too, up to a rate: anybody can make those, and nobody may fill the disk with them.
"""

import logging
import os
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from siegel.customer.bodies import BodyError, Message, Receive, Send, read_body
from siegel.customer.keybox.content import Content
from siegel.customer.keybox.desk import Desk
from siegel.customer.keybox.kms import KmsFace
from siegel.customer.keybox.logbook import Logbook
from siegel.customer.keybox.rates import Rate
from siegel.customer.keybox.refusals import RefusedError, invalid
from siegel.customer.keybox.signatures import Doorman
from siegel.customer.keybox.uses import DONE, Use, operation_of, system_ms
from siegel.customer.keybox.xks import XksFace
from siegel.domain.errors import S3Error, StorageError
from siegel.domain.moments import encode_time_ms
from siegel.s3wire.request import Request, parse_request

BODY_BYTES_MAX: Final = 64 * 1024
# A body must be there by then. Nobody who is slow keeps the server from ending either.
BODY_S_MAX: Final = 10.0
UNSIGNED_LINES_PER_MINUTE_MAX: Final = 60
LIVE_PATH: Final = b"/-/live"

Headers = list[tuple[bytes, bytes]]

_log = logging.getLogger(__name__)


class _Arrived(Struct, frozen=True):
    """A request that is there as a whole, and what the box held when it came."""

    request: Request
    body: bytes
    content: Content
    at_ms: int


class KeyServer:
    """The ASGI application of a box."""

    def __init__(
        self,
        desk: Desk,
        logbook: Logbook,
        now_ms: Callable[[], int] = system_ms,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Decide by `desk`, write down in `logbook`."""
        self._desk = desk
        self._logbook = logbook
        self._now_ms = now_ms
        self._doorman = Doorman()
        self._xks = XksFace(desk, random_bytes)
        self._kms = KmsFace(desk, random_bytes)
        self._unsigned = Rate(UNSIGNED_LINES_PER_MINUTE_MAX)
        self._refused_before = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers: Headers = []
        if scope["method"] == "GET" and scope["raw_path"] == LIVE_PATH:
            status, kind, body = 200, self._xks.content_type, b'{"status":"live"}'
        else:
            face = self._kms if scope["raw_path"] == b"/" else self._xks
            kind = face.content_type
            try:
                status, body = await self._answer(face, scope, receive, headers)
            except RefusedError as refused:
                status, body = face.refuse(refused)
            except Exception:  # noqa: BLE001 - whatever fails here, the caller gets an answer and the operator a message
                _log.exception("a call failed")
                status, body = face.refuse(RefusedError("InternalException", "The key server failed."))
            if scope["method"] != "POST":
                status, headers = 405, [(b"allow", b"POST"), *headers]
        headers += [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})

    async def _answer(self, face: XksFace | KmsFace, scope: Message, receive: Receive, headers: Headers) -> tuple[int, bytes]:
        if scope["method"] != "POST":
            raise invalid("Every request is a POST.")
        try:
            body = await read_body(scope["headers"], receive, bytes_max=BODY_BYTES_MAX, s_max=BODY_S_MAX)
            request = _parse(scope)
        except (BodyError, RefusedError) as error:
            # What of the body was not read is not a next request.
            headers.append((b"connection", b"close"))
            raise invalid(str(error)) if isinstance(error, BodyError) else error from None
        arrived = _Arrived(request, body, self._desk.content(), self._now_ms())
        use = Use(encode_time_ms(arrived.at_ms), operation_of(face.face, "unknown"), source=request.peer)
        try:
            answer = 200, self._perform(face, arrived, use)
            use.result = DONE
        except RefusedError as refused:
            use.result, use.detail = refused.name, refused.message
            answer = face.refuse(refused)
        await self._write_down(use, arrived.at_ms)
        return answer

    def _perform(self, face: XksFace | KmsFace, arrived: _Arrived, use: Use) -> bytes:
        request, content = arrived.request, arrived.content
        name, use.key_id = face.route(request, content)
        use.operation = operation_of(face.face, name)
        claim = self._doorman.identify(request, arrived.body, face.face, content, arrived.at_ms)
        use.credential, use.region = claim.access_key_id, claim.region
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != face.content_type.decode():
            raise invalid(f"The Content-Type must be {face.content_type.decode()}.")
        return face.perform(name, arrived.body, content, use, arrived.at_ms)

    async def _write_down(self, use: Use, now_ms: int) -> None:
        """Wait until the use has a durable line. Raises RefusedError where it cannot have one."""
        if not use.credential and not self._unsigned.take(now_ms):
            self._refused_before += 1
            return
        use.refused_before, self._refused_before = self._refused_before, 0
        try:
            await self._logbook.append(use.entry())
        except StorageError as error:
            _log.error("%s", error)
            raise RefusedError("InternalException", "The use could not be written down, so it is refused.") from None


def _parse(scope: Message) -> Request:
    peer = scope["client"][0] if scope.get("client") else ""
    try:
        return parse_request(
            scope["method"], scope["scheme"], scope["raw_path"], scope["query_string"], scope["headers"], peer, ()
        )
    except S3Error as error:
        raise invalid(error.text) from None
