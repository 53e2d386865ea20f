"""The admin port: is the service alive, is it ready, and what an operator may do. No answer shows any customer's data or names.

`GET /-/live` is 200 as long as the process answers. `GET /-/ready` is 200 when every check passes, else 503; its JSON body names
each check and what it found. Orchestrators and load balancers ask both, unsigned.

Everything else is signed by an operator's key with Signature Version 4 for the service `siegel`: the rows of `ADMIN_ROUTES`.
What is refused is written down for the account that the request names, and for the deployment where it names none.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from siegel.domain.consents import Operator
from siegel.domain.errors import (
    AccessDeniedError,
    AccountError,
    InvalidRequestError,
    InvalidTokenError,
    MaxMessageLengthExceededError,
    MethodNotAllowedError,
    S3Error,
    SiegelError,
    StorageError,
)
from siegel.domain.limits import ADMIN_BODY_BYTES_MAX
from siegel.domain.moments import encode_time
from siegel.domain.ports import Clock, Journal
from siegel.s3wire.claims import parse_claim
from siegel.s3wire.faults import status_of, to_s3_error
from siegel.s3wire.request import parse_request
from siegel.s3wire.sigv4 import verify
from siegel.service.accounts import Accounts
from siegel.service.operators import Operators, operator_caller
from siegel.service.trail import Trail
from siegel.service.unproven import Unproven
from siegel.web.admin_rows import AdminAsk, AdminRoute
from siegel.web.exchange import RequestIds
from siegel.web.support import SUPPORT_ROUTES, SupportDesk, operator_of

OK = "ok"
BUT: Final = "ok, but "
"""Begins what a check says of a service that is ready, and of which something else is to be told."""
SERVICE: Final = "siegel"
"""What requests to the admin port are signed for."""

# Runs all checks: the name of each, and `OK` or one sentence on what is wrong.
Checks = Callable[[], Awaitable[Mapping[str, str]]]

_NEVER_STORED = {"cache-control": "no-store"}


ADMIN_ROUTES: Final = (
    AdminRoute("ListAccounts", "GET", "/-/accounts", "admin.accounts.list", "All accounts: id, name, time of creation."),
    AdminRoute(
        "CreateAccount",
        "POST",
        "/-/accounts",
        "admin.accounts.create",
        'A new account from `{"name": ...}`, with its root access key: the secret is shown this once.',
    ),
    AdminRoute(
        "ListSizes",
        "GET",
        "/-/sizes",
        "admin.sizes.list",
        "How much each account stores, how much all do, and the heads of their logs, "
        "[a page at a time](../howto/operator-access.md#counts-and-sizes) (`?after=`).",
    ),
    *SUPPORT_ROUTES,
)
"""Every operation of the admin port."""


class SizesCase(Protocol):
    """The use case of counts and sizes (`service/sizes.py`)."""

    async def list(self, after: str, operator: Operator, kind: str) -> object:
        """Return a page of all accounts behind the id `after`, and the sum of all."""
        ...


class Desk:
    """The operators' side: proves who asks, writes it down, does it."""

    def __init__(
        self,
        accounts: Accounts,
        operators: Operators,
        journal: Journal,
        clock: Clock,
        *,
        region: str,
        sizes: SizesCase,
        support: SupportDesk,
    ) -> None:
        self._accounts = accounts
        self._operators = operators
        self._journal = journal
        self._clock = clock
        self._region = region
        self._sizes = sizes
        self._unproven = Unproven(journal, clock)
        self._ids = RequestIds()
        self._work: Final[Mapping[str, Callable[[AdminAsk], Awaitable[tuple[int, object]]]]] = {
            "ListAccounts": self._list_accounts,
            "CreateAccount": self._create_account,
            "ListSizes": self._list_sizes,
            **support.work,
        }

    def routes(self) -> list[Route]:
        """Return Starlette's routes for the table."""
        return [Route(row.path, self._endpoint(row), methods=[row.method]) for row in ADMIN_ROUTES]

    async def answer_unknown(self, request: Request, _error: Exception) -> Response:
        """Answer what no route is for: nobody learns which there are before the signature holds."""
        return await self._answer(None, request)

    async def close(self) -> None:
        """Write down what is only counted yet; requests are over."""
        await self._unproven.close()

    def _endpoint(self, row: AdminRoute) -> Callable[[Request], Awaitable[Response]]:
        return partial(self._answer, row)

    async def _answer(self, row: AdminRoute | None, request: Request) -> Response:
        source = request.client.host if request.client else ""
        trail = Trail(self._clock.now_ms(), self._ids.next(), source, kind="admin.refused")
        visit = _Visit(trail)
        headers = {**_NEVER_STORED, "x-amz-request-id": trail.request_id}
        try:
            ask = await self._understand(row, request, visit)
            status, answer = await self._work[ask.row.operation](ask)
        except SiegelError as error:
            told = InvalidRequestError(str(error)) if isinstance(error, AccountError) else to_s3_error(error)
            told = await self._note_refusal(visit, told)
            status, answer = status_of(told), {"code": told.code, "message": told.text, "request_id": trail.request_id}
        else:
            # Nothing is done here that its use case has not written down.
            trail.has_entry = True
        if trail.has_entry:
            headers["x-siegel-entry"] = trail.request_id
        return JSONResponse(answer, status_code=status, headers=headers)

    async def _understand(self, row: AdminRoute | None, request: Request, visit: "_Visit") -> AdminAsk:
        trail = visit.trail
        words = [*request.url.path.split("/"), *request.query_params.values()]
        self._note_named(trail, words)
        body = await _read_body(request)
        self._note_named(trail, [*words, _account_in(body)])
        self._prove(request, body, visit)
        if row is None:
            raise MethodNotAllowedError("No operation of the admin port is asked for like this.")
        trail.kind = row.kind
        return AdminAsk(
            row, trail.caller.arn, trail.request_id, body, trail.source, request.path_params, dict(request.query_params)
        )

    def _note_named(self, trail: Trail, words: list[str]) -> None:
        """Note whose data a request is about, whoever sends it."""
        trail.account_id, trail.consent_id = self._operators.find_named(words)
        trail.object_key = trail.consent_id

    def _prove(self, request: Request, body: bytes, visit: "_Visit") -> None:
        """Note which operator signed the request, as the ledger shows him."""
        scope, trail = request.scope, visit.trail
        parsed = parse_request(
            scope["method"], scope["scheme"], scope["raw_path"], scope["query_string"], scope["headers"], trail.source, ()
        )
        claim = parse_claim(parsed, SERVICE)
        if claim is None:
            raise AccessDeniedError("Only operators who sign their requests are served here.")
        if claim.session_token:
            raise InvalidTokenError
        claim = replace(claim, payload_hash=hashlib.sha256(body).hexdigest())
        key = self._operators.signing_key(claim)
        visit.names_operator = True
        verify(parsed, claim, key, now_ms=trail.at_ms, region=self._region)
        trail.caller = operator_caller(claim.access_key_id)

    async def _note_refusal(self, visit: "_Visit", told: S3Error) -> S3Error:
        """Write a refusal down, or count it; return what is answered: another error if that cannot be done.

        Where neither an account nor a key of an operator is named, it is nobody's.
        """
        if visit.names_operator or visit.trail.account_id:
            try:
                await self._unproven.append(visit.trail, status_of(told), told.code)
            except StorageError as error:
                visit.trail.has_entry = False
                return to_s3_error(error)
        return told

    async def _list_accounts(self, ask: AdminAsk) -> tuple[int, object]:
        await self._journal.append(operator_of(ask).entry(ask.row.kind, self._clock.now_ms()))
        return 200, {
            "accounts": [
                {"account_id": account.account_id, "name": account.name, "created_at": encode_time(account.created_at_ms / 1000)}
                for account in self._accounts.list()
            ]
        }

    async def _list_sizes(self, ask: AdminAsk) -> tuple[int, object]:
        return 200, await self._sizes.list(ask.query.get("after", ""), operator_of(ask), ask.row.kind)

    async def _create_account(self, ask: AdminAsk) -> tuple[int, object]:
        try:
            wanted = msgspec.json.decode(ask.body, type=NewAccountRequest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequestError(f'The body must be a JSON object {{"name": ...}}: {error}') from None
        made = await self._accounts.create(wanted.name, request_id=ask.request_id, principal=ask.principal, source=ask.source)
        key = made.access_key
        return 201, {
            "account_id": made.account_id,
            "name": made.name,
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
        }


class _Visit(Struct):
    """One request as far as it is understood, and whether it names an operator's key that there is."""

    trail: Trail
    names_operator: bool = False


class _Named(Struct):
    """What a body may say of the account that it is about, whatever else there is in it."""

    account: str = ""


class NewAccountRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of CreateAccount."""

    name: str


async def _read_body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > ADMIN_BODY_BYTES_MAX:
            raise MaxMessageLengthExceededError(fields={"MaxMessageLengthBytes": str(ADMIN_BODY_BYTES_MAX)})
    return body


def _account_in(body: bytes) -> str:
    """Return the account that a body says it is about; empty if it says none, or is not understood."""
    try:
        return msgspec.json.decode(body, type=_Named).account
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def build_admin(checks: Checks, desk: Desk) -> Starlette:
    """Return the ASGI application of the admin port."""

    async def live(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"}, headers=_NEVER_STORED)

    async def ready(_request: Request) -> JSONResponse:
        found = dict(await checks())
        is_ready = all(finding == OK or finding.startswith(BUT) for finding in found.values())
        answer = {"status": "ready" if is_ready else "not ready", "checks": found}
        return JSONResponse(answer, status_code=200 if is_ready else 503, headers=_NEVER_STORED)

    application = Starlette(
        routes=[Route("/-/live", live), Route("/-/ready", ready), *desk.routes()],
        exception_handlers={HTTPException: desk.answer_unknown},
    )
    # A path with one more slash at its end is another path.
    application.router.redirect_slashes = False
    return application


def render_admin_page() -> str:
    """Return the documentation's page of the admin port, as Markdown."""
    lines = [
        "# The admin port",
        "",
        "`GET /-/live` and `GET /-/ready` need no signature. Everything else is signed by an operator's access key (Signature",
        "Version 4, service `siegel`, the deployment's region) and answers JSON; errors have a `code`, a `message` and a",
        "`request_id`. Customers' keys open nothing here, and operators' keys open nothing on the S3 port. What is refused is",
        "an entry of the account that the request names, else of the deployment's log. Answers name their entry in the header",
        "`x-siegel-entry`; those that have none were counted, or name neither an account nor an operator's key that there is.",
        "",
        "| Operation | Request | | Ledger kind |",
        "|---|---|---|---|",
    ]
    rows = [f"| {row.operation} | `{row.method} {row.path}` | {row.purpose} | `{row.kind}` |" for row in ADMIN_ROUTES]
    return "\n".join([*lines, *rows]) + "\n"
