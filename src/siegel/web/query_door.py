"""The door of a service that speaks the query protocol (IAM, STS): understood, proven, answered in that service's XML.

A request is a form, posted to the root or in the query of a GET. As with S3, nobody learns what is built, or what there is,
before the signature holds; the actions that are meant to come without one are the exception.
"""

import logging
from collections.abc import Mapping
from typing import Final, Protocol

from siegel.access.caller import ANONYMOUS
from siegel.domain.errors import SiegelError
from siegel.domain.limits import QUERY_BODY_BYTES_MAX
from siegel.domain.query_errors import (
    InvalidActionError,
    MissingAuthenticationTokenError,
    QueryError,
    RequestEntityTooLargeError,
    ServiceFailureError,
    ValidationError,
)
from siegel.iamwire.action import Action, QueryProtocol, Spoken, find_action, read_call
from siegel.iamwire.faults import to_fault
from siegel.iamwire.form import read_form
from siegel.iamwire.xml import Node, render_answer, render_error
from siegel.s3wire.claims import parse_claim
from siegel.s3wire.request import SIGNING_QUERY_NAMES, Request
from siegel.service.trail import Trail
from siegel.web.door_steps import DoorParts, note_named, note_refusal, prove, read_body
from siegel.web.exchange import Exchange

FORM_TYPE: Final = "application/x-www-form-urlencoded"
_XML: Final = (b"content-type", b"text/xml")

_log = logging.getLogger(__name__)


class Answerer(Protocol):
    """The use cases behind a door."""

    async def answer(self, spoken: Spoken, request: Request, trail: Trail) -> Mapping[str, Node] | None:
        """Decide on a call and do it; return its result, None for an action that answers nothing but success.

        `trail` says who calls (`trail.caller`: anonymous for an unsigned call). The call's journal entry is durable on return.
        Raises a SiegelError; then the door writes the entry.
        """
        ...


class QueryDoor:
    """One service's door."""

    def __init__(self, protocol: QueryProtocol, answerer: Answerer, parts: DoorParts) -> None:
        """Speak `protocol`, and let `answerer` answer."""
        self._protocol = protocol
        self._answerer = answerer
        self._parts = parts

    async def answer(self, request: Request, exchange: Exchange, trail: Trail) -> None:
        """Answer a request, whatever is wrong with it."""
        protocol = self._protocol
        try:
            spoken = await self._understand(request, exchange, trail)
            result = await self._answerer.answer(spoken, request, trail)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer in this protocol
            await self._refuse(error, exchange, trail)
            return
        await self._send(exchange, 200, render_answer(protocol.namespace, spoken.action.name, result, exchange.request_id))

    async def _understand(self, request: Request, exchange: Exchange, trail: Trail) -> Spoken:
        trail.kind = f"{self._protocol.service}.refused"
        body = await self._body(request, exchange)
        try:
            claim = parse_claim(request, self._protocol.service)
            if claim is None:
                return self._admit_unsigned(_parameters(request, body), trail)
            prove(self._parts, request, claim, body, trail)
            parameters = _parameters(request, body)
            return read_call(self._name(parameters, trail), parameters)
        except SiegelError:
            note_named(self._parts, trail, _names(request, body))
            raise

    def _name(self, parameters: dict[str, str], trail: Trail) -> Action:
        action = find_action(self._protocol, parameters)
        trail.kind = action.kind
        return action

    def _admit_unsigned(self, parameters: dict[str, str], trail: Trail) -> Spoken:
        try:
            action = find_action(self._protocol, parameters)
        except QueryError as error:
            raise MissingAuthenticationTokenError from error
        if not action.unsigned:
            raise MissingAuthenticationTokenError
        trail.kind, trail.caller = action.kind, ANONYMOUS
        return read_call(action, parameters)

    async def _body(self, request: Request, exchange: Exchange) -> bytes:
        if request.raw_path != b"/":
            raise InvalidActionError("Requests to this service go to the path /.")
        if request.method not in {"GET", "POST"}:
            raise InvalidActionError("Requests to this service are GET or POST.")
        body = await read_body(self._parts, exchange, QUERY_BODY_BYTES_MAX)
        if body is None:
            raise RequestEntityTooLargeError(f"The body of a request has at most {QUERY_BODY_BYTES_MAX} bytes.")
        return body

    async def _refuse(self, error: Exception, exchange: Exchange, trail: Trail) -> None:
        fault = to_fault(error if isinstance(error, SiegelError) else ServiceFailureError())
        if not fault.is_sender:
            _log.error("request %s failed", exchange.request_id, exc_info=error)
        unwritten = await note_refusal(self._parts, trail, fault.status, fault.code)
        if unwritten is not None:
            fault = to_fault(unwritten)
        xml = render_error(self._protocol.namespace, fault.code, fault.text, exchange.request_id, is_sender=fault.is_sender)
        await self._send(exchange, fault.status, xml)

    @staticmethod
    async def _send(exchange: Exchange, status: int, xml: bytes) -> None:
        await exchange.answer(status, [_XML, (b"x-amzn-requestid", exchange.request_id.encode())], xml)


def _names(request: Request, body: bytes) -> list[str]:
    """Return whatever a form holds that may name something."""
    try:
        return list(_parameters(request, body).values())
    except QueryError:
        return []


def _parameters(request: Request, body: bytes) -> dict[str, str]:
    """Return the parameters of a form, wherever it stands; those that carry the signature are none of them.

    Raises ValidationError for a body that is no form, or a form in two places.
    """
    in_query = {name: value for name, value in request.query.items() if name not in SIGNING_QUERY_NAMES}
    if not body:
        return in_query
    if request.method != "POST" or in_query:
        raise ValidationError("The parameters of a request stand in its body or, with GET, in its query.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise ValidationError(f"The Content-Type of a request is {FORM_TYPE}.")
    return read_form(body)
