"""The door of KMS: JSON 1.1, the operation in `X-Amz-Target`, posted to the root and signed for `kms`.

Nobody learns what is built, or which keys there are, before the signature holds.
"""

import logging
from typing import Final

from siegel.domain.errors import SiegelError
from siegel.domain.kms_errors import (
    KmsInternalError,
    KmsMissingAuthenticationTokenError,
    KmsRequestTooLargeError,
    KmsUnknownOperationError,
)
from siegel.domain.limits import KMS_BODY_BYTES_MAX
from siegel.kmswire.answers import CONTENT_TYPE, render_answer, render_error
from siegel.kmswire.faults import to_fault
from siegel.kmswire.operation import Spoken
from siegel.kmswire.operations import find_operation, read_call
from siegel.kmswire.protocol import SERVICE
from siegel.s3wire.claims import parse_claim
from siegel.s3wire.request import Request
from siegel.service.kms.named import names_in
from siegel.service.kms.use_cases import KeyService
from siegel.service.trail import Trail
from siegel.web.door_steps import DoorParts, note_named, note_refusal, prove, read_body
from siegel.web.exchange import Exchange

_JSON: Final = (b"content-type", CONTENT_TYPE.encode())

_log = logging.getLogger(__name__)


class KmsDoor:
    """The door of requests that are signed for `kms`."""

    def __init__(self, keys: KeyService, parts: DoorParts) -> None:
        self._keys = keys
        self._parts = parts

    async def answer(self, request: Request, exchange: Exchange, trail: Trail) -> None:
        """Answer a request, whatever is wrong with it."""
        try:
            spoken = await self._understand(request, exchange, trail)
            answer = await self._keys.answer(spoken, request, trail)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer in this protocol
            await self._refuse(error, exchange, trail)
            return
        await self._send(exchange, 200, render_answer(answer))

    async def _understand(self, request: Request, exchange: Exchange, trail: Trail) -> Spoken:
        trail.kind = f"{SERVICE}.refused"
        body = await read_body(self._parts, exchange, KMS_BODY_BYTES_MAX)
        try:
            self._prove(request, body, trail)
        except SiegelError:
            note_named(self._parts, trail, names_in(body or b"", self._parts.region))
            raise
        if body is None:
            raise KmsRequestTooLargeError(f"The body of a request has at most {KMS_BODY_BYTES_MAX} bytes.")
        if request.method != "POST" or request.raw_path != b"/":
            raise KmsUnknownOperationError("Requests to this service are posted to the path /.")
        operation = find_operation(request.headers.get("x-amz-target", ""))
        trail.kind = operation.kind
        return read_call(operation, body)

    def _prove(self, request: Request, body: bytes | None, trail: Trail) -> None:
        claim = parse_claim(request, SERVICE)
        if claim is None:
            raise KmsMissingAuthenticationTokenError
        if body is not None:
            prove(self._parts, request, claim, body, trail)

    async def _refuse(self, error: Exception, exchange: Exchange, trail: Trail) -> None:
        fault = to_fault(error if isinstance(error, SiegelError) else KmsInternalError())
        if not fault.is_sender:
            _log.error("request %s failed", exchange.request_id, exc_info=error)
        unwritten = await note_refusal(self._parts, trail, fault.status, fault.code)
        if unwritten is not None:
            fault = to_fault(unwritten)
        await self._send(exchange, fault.status, render_error(fault))

    @staticmethod
    async def _send(exchange: Exchange, status: int, body: bytes) -> None:
        await exchange.answer(status, [_JSON, (b"x-amzn-requestid", exchange.request_id.encode())], body)
