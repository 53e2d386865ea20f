"""The HTTP face of a witness: `POST /add-checkpoint`, and `GET /<SHA-256 of the origin>/checkpoint` for whoever watches.

One thread checks, stores and signs, one request after the other: so nothing comes between the check and what it was based on.
What is signed is durable before its signature leaves.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from siegel.customer.bodies import BodyError, Message, Receive, Send, read_body
from siegel.customer.keybox.uses import system_ms
from siegel.customer.witness.folder import WitnessFolder
from siegel.customer.witness.steps import TEXT, RefusedError, check_step, read_step
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.notes import parse_note
from siegel.ledger.witness_requests import REQUEST_BYTES_MAX

ADD_PATH: Final = b"/add-checkpoint"
LIVE_PATH: Final = b"/-/live"
BODY_S_MAX: Final = 10.0
# Requests that wait for the thread; more are told to come again.
WAITING_MAX: Final = 256

_CHECKPOINT_PATH: Final = re.compile(rb"/([0-9a-f]{64})/checkpoint")

_Argument = TypeVar("_Argument")

_log = logging.getLogger(__name__)


class Witness:
    """Adds checkpoints. For one thread."""

    def __init__(self, folder: WitnessFolder, now_ms: Callable[[], int] = system_ms) -> None:
        """Keep what is signed in `folder`."""
        self._folder = folder
        self._now_ms = now_ms

    def add(self, body: bytes) -> bytes:
        """Return the signature lines for the checkpoint in a request, once it is durable.

        Raises RefusedError; StorageError and ConfigurationError, and then nothing was signed.
        """
        step = read_step(body, self._folder.logs())
        origin = step.checkpoint.origin
        try:
            check_step(step, self._folder.last(origin))
        except RefusedError as refused:
            if refused.is_fork:
                _log.error("%s has signed two trees of size %d", origin, step.checkpoint.size)
                self._folder.keep_fork(step.note.encode(), step.note.text)
            raise
        lines = [signer.sign(step.checkpoint, self._now_ms() // 1000) for signer in self._folder.signers]
        self._folder.store(origin, _readable(step.note.with_signatures(*lines).encode()))
        return "".join(line.line for line in lines).encode()

    def last_note(self, origin_hash: str) -> bytes:
        """Return the note that was signed last. Raises RefusedError (404), StorageError."""
        found = self._folder.last_note(origin_hash)
        if found is None:
            raise RefusedError(404, "this witness has signed nothing of that log")
        return found


def _readable(note: bytes) -> bytes:
    """Return what is to be kept, if it can be read again: else nothing could be signed behind it. Raises RefusedError."""
    try:
        parse_note(note)
    except LedgerFormError as error:
        raise RefusedError(400, f"with this witness's signatures, {error}") from None
    return note


class WitnessServer:
    """The ASGI application of a witness."""

    def __init__(self, witness: Witness) -> None:
        """Answer for `witness`, which nobody else uses from now on."""
        self._witness = witness
        self._executor = ThreadPoolExecutor(1, "witness")
        self._waiting = 0

    def close(self) -> None:
        """Wait for what is being signed."""
        self._executor.shutdown()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers: list[tuple[bytes, bytes]] = []
        status, kind = 200, TEXT
        try:
            body = await self._answer(scope, receive)
        except RefusedError as refused:
            status, kind, body = refused.status, refused.content_type, refused.body
        except BodyError as error:
            # What of the body was not read is not a next request.
            status, body = 400, f"{error}\n".encode()
            headers.append((b"connection", b"close"))
        except (StorageError, ConfigurationError) as error:
            _log.error("%s", error)
            status, body = 500, b"the witness cannot sign now\n"
        if status == 405:  # noqa: PLR2004  Method Not Allowed
            headers.append((b"allow", b"POST" if scope["raw_path"] == ADD_PATH else b"GET, HEAD"))
        headers += [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})

    async def _answer(self, scope: Message, receive: Receive) -> bytes:
        path, method = scope["raw_path"], scope["method"]
        watched = _CHECKPOINT_PATH.fullmatch(path)
        if path not in {ADD_PATH, LIVE_PATH} and watched is None:
            raise RefusedError(404, "there is nothing here")
        if (method != "POST") if path == ADD_PATH else (method not in {"GET", "HEAD"}):
            raise RefusedError(405, "this path has another method")
        if path == LIVE_PATH:
            return b"live\n"
        if watched is not None:
            return await self._in_turn(self._witness.last_note, watched[1].decode())
        body = await read_body(scope["headers"], receive, bytes_max=REQUEST_BYTES_MAX, s_max=BODY_S_MAX)
        return await self._in_turn(self._witness.add, body)

    async def _in_turn(self, work: Callable[[_Argument], bytes], argument: _Argument) -> bytes:
        if self._waiting >= WAITING_MAX:
            raise RefusedError(503, "too many requests wait")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, argument)
        finally:
            self._waiting -= 1
