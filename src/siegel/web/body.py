"""The body of a request: received with limits, checked by the protocol room."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from siegel.domain.errors import EntityTooLargeError, IncompleteBodyError, MaxMessageLengthExceededError, RequestTimeoutError
from siegel.domain.limits import BODY_IDLE_S_MAX, KIB
from siegel.s3wire.body import BodyChecker, BodyFacts, BodyPlan
from siegel.s3wire.checksums import Buffer
from siegel.web.exchange import Exchange

# Slabs of this size are worth a trip off the event loop (a trip costs some 50 microseconds, a slab's MD5 alone 700).
SLAB_BYTES: Final = 512 * KIB
_REAP_EVERY_S: Final = 5.0


class IdleReaper:
    """Ends the wait for clients that stopped sending: one timer for all bodies, nothing per request but two set operations."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Task[object], float] = {}
        self._task: asyncio.Task[None] | None = None

    async def receive(self, exchange: Exchange) -> bytes:
        """Return the next piece of the body. Raises RequestTimeoutError after BODY_IDLE_S_MAX, IncompleteBodyError if it ends."""
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._reap())
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (a coroutine always runs in one)
        self._waiting[task] = loop.time()
        try:
            message = await exchange.receive()
        except asyncio.CancelledError:
            if task in self._waiting:
                raise
            task.uncancel()
            raise RequestTimeoutError from None
        finally:
            self._waiting.pop(task, None)
        if message["type"] == "http.disconnect":
            raise IncompleteBodyError
        body: bytes = message["body"]
        return body

    async def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_REAP_EVERY_S)
            before = loop.time() - BODY_IDLE_S_MAX
            for task, since in list(self._waiting.items()):
                if since < before:
                    del self._waiting[task]
                    task.cancel()


async def receive_slabs(exchange: Exchange, reaper: IdleReaper, size_bytes: int) -> AsyncGenerator[list[bytes], None]:
    """Yield what is left of a raw body of about `size_bytes`: pieces as they come while it is small, else gathered into slabs."""
    receive = reaper.receive
    enough = SLAB_BYTES if size_bytes > SLAB_BYTES else 1
    pieces: list[bytes] = []
    gathered = 0
    while exchange.body_left != 0:
        piece = await receive(exchange)
        pieces.append(piece)
        gathered += len(piece)
        if gathered >= enough:
            yield pieces
            pieces, gathered = [], 0
    if gathered:
        yield pieces


class RequestBody:
    """A request's body as the use cases want it: announced size, slabs, checks. Serves once."""

    def __init__(self, exchange: Exchange, plan: BodyPlan, reaper: IdleReaper, bytes_max: int) -> None:
        """Refuse at once what announces more than `bytes_max`: EntityTooLargeError."""
        self.size_bytes: int = plan.size_bytes
        if plan.size_bytes > bytes_max:
            raise EntityTooLargeError(fields={"ProposedSize": str(plan.size_bytes), "MaxSizeAllowed": str(bytes_max)})
        self._exchange = exchange
        self._checker = BodyChecker(plan)
        self._reaper = reaper

    def slabs(self) -> AsyncGenerator[list[bytes], None]:
        """Yield the raw body: pieces as they come while it is small, gathered into slabs where it is large."""
        return receive_slabs(self._exchange, self._reaper, self.size_bytes)

    async def payload(self) -> list[Buffer]:
        """Receive what is left of a small body, and return its payload."""
        payload: list[Buffer] = []
        while self._exchange.body_left != 0:
            piece = await self._reaper.receive(self._exchange)
            if piece:
                payload += self._checker.feed(piece)
        return payload

    def feed(self, piece: bytes) -> Sequence[Buffer]:
        """Check raw bytes and return their payload."""
        return self._checker.feed(piece)

    def finish(self) -> BodyFacts:
        """Check the end of the body."""
        return self._checker.finish()

    async def read_all(self, bytes_max: int) -> bytes:
        """Return a small body whole, checked. Raises MaxMessageLengthExceededError beyond `bytes_max`."""
        if self.size_bytes > bytes_max:
            raise MaxMessageLengthExceededError(fields={"MaxMessageLengthBytes": str(bytes_max)})
        payload = await self.payload()
        self.finish()
        return b"".join(payload)
