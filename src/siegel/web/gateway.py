"""The S3 gateway: an ASGI callable that takes a request through understanding, proof and decision to its handler.

One parse, one identity, one decision, then the use case. Whatever is refused on the way becomes one XML fault and, as soon as it
is known whose data was asked for, one journal entry.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Final

from siegel.access.caller import Caller
from siegel.access.decide import Permit
from siegel.domain.errors import (
    AccessDeniedError,
    InternalError,
    MethodNotAllowedError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchVersionError,
    S3Error,
    SiegelError,
    StorageError,
)
from siegel.domain.limits import OBJECT_KEY_BYTES_MAX
from siegel.domain.objects import Bucket
from siegel.s3wire.claims import Claim, parse_claim
from siegel.s3wire.faults import render_fault, status_of, to_s3_error
from siegel.s3wire.forms import Form, prove_form
from siegel.s3wire.ledgerpath import WARNINGS
from siegel.s3wire.names import named_version
from siegel.s3wire.ranges import named_range
from siegel.s3wire.refusals import check_control_account, check_expected_owner
from siegel.s3wire.request import Request, parse_request
from siegel.s3wire.route import find_route
from siegel.s3wire.routes.browsers import FORM_ROUTE
from siegel.s3wire.routes.row import Route
from siegel.s3wire.sigv4 import VerifiedRequest, admit_anonymous, verify
from siegel.service.trail import Trail
from siegel.web import (
    absent,
    acls,
    bucketpolicies,
    buckets,
    consents,
    forms,
    ledgers,
    lifecycle,
    lists,
    locks,
    object_tags,
    objects,
    reseal,
    settings,
    tags,
    uploads,
)
from siegel.web.call import Call, UseCases, may_list
from siegel.web.consents import admit_use
from siegel.web.cors import answer_preflight, cors_headers
from siegel.web.door import Door, door_of
from siegel.web.exchange import Exchange, Message, Receive, RequestIds, Send, encode_headers
from siegel.web.forms import read_form
from siegel.web.peer import Peer

Handler = Callable[[UseCases, Call, Exchange], Awaitable[None]]

HANDLERS: Final[Mapping[str, Handler]] = {
    **absent.HANDLERS,
    **acls.HANDLERS,
    **bucketpolicies.HANDLERS,
    **buckets.HANDLERS,
    **consents.HANDLERS,
    **forms.HANDLERS,
    **ledgers.HANDLERS,
    **lifecycle.HANDLERS,
    **lists.HANDLERS,
    **locks.HANDLERS,
    **object_tags.HANDLERS,
    **objects.HANDLERS,
    **reseal.HANDLERS,
    **settings.HANDLERS,
    **tags.HANDLERS,
    **uploads.HANDLERS,
}

_READS: Final = frozenset({"GET", "HEAD"})
_OF_BODIES: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})

_log = logging.getLogger(__name__)


class Gateway:
    """The ASGI application of the S3 port."""

    def __init__(self, cases: UseCases, doors: Callable[[], Mapping[str, Door]]) -> None:
        """Answer S3 with `cases`; what is signed for another service goes to its door, of which `doors` makes all at once."""
        self._cases = cases
        self._doors = cache(doors)
        self._ids = RequestIds()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        exchange = Exchange(scope, receive, send, self._ids)
        address = scope["client"][0] if scope.get("client") else ""
        peer = self._cases.proxies.peer(address, scope["scheme"], scope["headers"])
        trail = exchange.trail = Trail(self._cases.clock.now_ms(), exchange.request_id, peer.address)
        request = None
        try:
            request = self._parse(scope, exchange, peer)
            if request.own_level == WARNINGS:
                await ledgers.answer_warnings(self._cases, request, exchange)
                return
            service = door_of(request)
            if service:
                await self._doors()[service].answer(request, exchange, trail)
                return
            if request.method == "OPTIONS" and request.bucket and request.flaw is None:
                await answer_preflight(self._cases, request, exchange, trail)
                return
            call = await self._understand(request, exchange, trail)
            await self._handle(call, exchange)
        except Exception as error:
            if exchange.started:
                # The status is out: cutting the connection is the only honest answer left.
                _log.error("request %s: answer cut: %s: %s", exchange.request_id, type(error).__name__, error)
                raise
            _log_failure(error, exchange.request_id)
            fault = to_s3_error(error) if isinstance(error, SiegelError) else InternalError()
            await self._refuse(exchange, trail, fault, scope, request)

    async def close(self) -> None:
        """Write down what is only counted yet; requests are over."""
        await self._cases.unproven.close()

    def _parse(self, scope: Message, exchange: Exchange, peer: Peer) -> Request:
        _expect_body(scope, exchange)
        return parse_request(
            scope["method"],
            peer.scheme,
            scope["raw_path"],
            scope["query_string"],
            scope["headers"],
            peer.address,
            self._cases.rules.domains,
            keeps_flaw=True,
        )

    async def _handle(self, call: Call, exchange: Exchange) -> None:
        try:
            await HANDLERS[call.route.operation](self._cases, call, exchange)
        except (NoSuchKeyError, NoSuchVersionError):
            # Whoever may not list a bucket does not learn from errors what is in it.
            if exchange.started or may_list(self._cases, call):
                raise
            raise AccessDeniedError from None
        except MethodNotAllowedError as refusal:
            refusal.fields = {"Method": call.request.method, **refusal.fields}
            raise

    async def _understand(self, request: Request, exchange: Exchange, trail: Trail) -> Call:
        cases = self._cases
        self._note_place(request, trail)
        route = self._route(request, trail)
        bucket = self._find_bucket(request, trail)
        if bucket is not None and "origin" in request.headers:
            exchange.extra = cors_headers(cases, bucket, request)
        form = None
        if route is FORM_ROUTE:
            form = await read_form(cases, request, exchange)
            request = form.request
            trail.object_key = request.object_key
        # Nobody learns what is built, or what there is, before the signature holds.
        verified = self._verify(request, trail) if form is None else self._verify_form(form, trail)
        claim = verified.claim
        caller = trail.caller = cases.directory.caller(claim)
        trail.account_id = trail.account_id or caller.account_id
        if caller.consent_id:
            await admit_use(cases, trail, request, route, bucket)
        if claim is not None:
            cases.key_uses.note(caller.account_id, claim, trail.at_ms)
        elif bucket is None or isinstance(route, S3Error):
            raise AccessDeniedError
        if bucket is None and request.bucket and not (isinstance(route, Route) and route.operation == "CreateBucket"):
            raise NoSuchBucketError(fields={"BucketName": request.bucket})
        if isinstance(route, S3Error):
            raise route
        permits = self._admit(verified, caller, route, bucket)
        if permits:
            trail.note(permits[0])
        if bucket is not None:
            check_expected_owner(request.headers, bucket.account_id)
            check_control_account(request.control_account, bucket.account_id)
        return Call(request, route, verified, caller, permits, trail, bucket, form)

    def _note_place(self, request: Request, trail: Trail) -> None:
        trail.bucket, trail.object_key = request.bucket, request.object_key or request.ledger_path[:OBJECT_KEY_BYTES_MAX]
        if request.ledger_account and self._cases.directory.has_account(request.ledger_account):
            trail.account_id = request.ledger_account

    def _admit(self, verified: VerifiedRequest, caller: Caller, route: Route, bucket: Bucket | None) -> tuple[Permit, ...]:
        # Whether the name of a bucket to be created is free is for the use case to say, not a matter of rights.
        of = None if route.operation == "CreateBucket" else bucket
        try:
            return self._cases.gate.admit(verified, caller, route, of)
        except AccessDeniedError as denial:
            if route.operation == "HeadBucket" and bucket is not None:
                denial.headers["x-amz-bucket-region"] = bucket.region
            raise

    @staticmethod
    def _route(request: Request, trail: Trail) -> Route | S3Error:
        """Return the request's route, or the refusal that waits for the signature to be checked."""
        try:
            route = find_route(request)
        except S3Error as refusal:
            trail.kind = "refused"
            return refusal
        trail.kind = route.kind
        return route

    def _find_bucket(self, request: Request, trail: Trail) -> Bucket | None:
        if not request.bucket:
            return None
        try:
            bucket = self._cases.directory.bucket(request.bucket)
        except NoSuchBucketError:
            return None
        trail.account_id, trail.bucket_id = bucket.account_id, bucket.bucket_id
        return bucket

    def _verify(self, request: Request, trail: Trail) -> VerifiedRequest:
        claim = parse_claim(request)
        if claim is None:
            return admit_anonymous(request)
        cases = self._cases
        signing_key = cases.directory.signing_key(claim)
        try:
            return verify(request, claim, signing_key, now_ms=trail.at_ms, region=cases.rules.region)
        except S3Error:
            self._note_owner(claim, trail)
            raise

    def _verify_form(self, form: Form, trail: Trail) -> VerifiedRequest:
        if form.signed is None:
            return admit_anonymous(form.request)
        cases = self._cases
        signing_key = cases.directory.signing_key(form.signed.claim)
        try:
            return prove_form(form, form.signed, signing_key, now_ms=trail.at_ms, region=cases.rules.region)
        except S3Error:
            self._note_owner(form.signed.claim, trail)
            raise

    def _note_owner(self, claim: Claim, trail: Trail) -> None:
        """Let the account of a key know who uses its id without the key, where no bucket says whose data was asked for."""
        trail.account_id = trail.account_id or self._cases.directory.caller(claim).account_id

    async def _refuse(self, exchange: Exchange, trail: Trail, fault: S3Error, scope: Message, request: Request | None) -> None:
        if request is not None and trail.account_id:
            _note_named(request, trail)
            try:
                await self._cases.unproven.append(trail, status_of(fault), fault.code)
            except StorageError as error:
                _log_failure(error, exchange.request_id)
                trail.has_entry = False
                fault = to_s3_error(error)
        of_control = request is not None and bool(request.control_account)
        resource = scope["raw_path"].decode("latin-1")
        status, headers, body = render_fault(fault, resource, exchange.request_id, exchange.host_id, of_control=of_control)
        await exchange.answer(status, encode_headers(headers), body)


def _expect_body(scope: Message, exchange: Exchange) -> None:
    """Tell the exchange what body the head announces; the head itself is judged later."""
    length: int | None = 0
    expects_continue = False
    for name, value in scope["headers"]:
        if name not in _OF_BODIES:
            continue
        if name == b"content-length":
            length = int(value) if value.isdigit() else None
        elif name == b"transfer-encoding":
            length = None
        else:
            expects_continue = value.lower() == b"100-continue"
    if length != 0 or expects_continue:
        exchange.expect_body(length, expects_continue=expects_continue)


def _note_named(request: Request, trail: Trail) -> None:
    """Note which version and which of its bytes a request names that is refused: what it got else says the same, and better."""
    trail.version_id = named_version(request.query.get("versionId"))
    if request.method in _READS:
        trail.byte_range = named_range(request.headers.get("range"))


def _log_failure(error: Exception, request_id: str) -> None:
    """Log what the client is not to blame for."""
    if isinstance(error, S3Error):
        return
    if isinstance(error, SiegelError):
        _log.error("request %s failed: %s: %s", request_id, type(error).__name__, error)
    else:
        _log.error("request %s failed", request_id, exc_info=error)
