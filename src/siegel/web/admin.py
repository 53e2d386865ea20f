"""The admin port: is the service alive, is it ready, and what an operator may do. No answer shows any customer's data or names.

`GET /-/live` is 200 as long as the process answers. `GET /-/ready` is 200 when every check passes, else 503; its JSON body names
each check and what it found. Orchestrators and load balancers ask both, unsigned.

Everything else is signed by an operator's key with Signature Version 4 for the service `siegel`: the rows of `ADMIN_ROUTES`.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from siegel.domain.consents import Operator
from siegel.domain.entry import Entry
from siegel.domain.errors import (
    AccessDeniedError,
    AccountError,
    InvalidRequestError,
    InvalidTokenError,
    MaxMessageLengthExceededError,
    S3Error,
    SiegelError,
)
from siegel.domain.limits import ADMIN_BODY_BYTES_MAX
from siegel.domain.ports import Clock, Journal
from siegel.s3wire.claims import parse_claim
from siegel.s3wire.faults import status_of, to_s3_error
from siegel.s3wire.request import parse_request
from siegel.s3wire.sigv4 import verify
from siegel.service.accounts import Accounts
from siegel.service.operators import Operators
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

    async def close(self) -> None:
        """Write down what is only counted yet; requests are over."""
        await self._unproven.close()

    def _endpoint(self, row: AdminRoute) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            request_id = self._ids.next()
            headers = {**_NEVER_STORED, "x-amz-request-id": request_id}
            try:
                body = await _read_body(request)
                principal = await self._prove(request, body, request_id)
                source = request.client.host if request.client else ""
                ask = AdminAsk(row, principal, request_id, body, source, request.path_params, dict(request.query_params))
                status, answer = await self._work[row.operation](ask)
            except SiegelError as error:
                told = InvalidRequestError(str(error)) if isinstance(error, AccountError) else to_s3_error(error)
                fault = {"code": told.code, "message": told.text, "request_id": request_id}
                return JSONResponse(fault, status_code=status_of(told), headers=headers)
            return JSONResponse(answer, status_code=status, headers=headers)

        return endpoint

    async def _prove(self, request: Request, body: bytes, request_id: str) -> str:
        """Return the operator who signed the request, as the ledger shows it. Who only says so is written down, or counted."""
        scope = request.scope
        peer = request.client.host if request.client else ""
        parsed = parse_request(
            scope["method"], scope["scheme"], scope["raw_path"], scope["query_string"], scope["headers"], peer, ()
        )
        claim = parse_claim(parsed, SERVICE)
        if claim is None:
            raise AccessDeniedError("Only operators who sign their requests are served here.")
        if claim.session_token:
            raise InvalidTokenError
        claim = replace(claim, payload_hash=hashlib.sha256(body).hexdigest())
        key = self._operators.signing_key(claim)
        now_ms = self._clock.now_ms()
        try:
            verify(parsed, claim, key, now_ms=now_ms, region=self._region)
        except S3Error as error:
            trail = Trail(now_ms, request_id, peer, kind="admin.refused")
            await self._unproven.append(trail, status_of(error), error.code)
            raise
        return f"operator/{claim.access_key_id}"

    async def _list_accounts(self, ask: AdminAsk) -> tuple[int, object]:
        await self._journal.append(
            Entry(
                at_ms=self._clock.now_ms(),
                request_id=ask.request_id,
                kind=ask.row.kind,
                account_id="",
                principal=ask.principal,
                bucket="",
            )
        )
        return 200, {
            "accounts": [
                {"account_id": account.account_id, "name": account.name, "created_at": _time(account.created_at_ms)}
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
        made = await self._accounts.create(wanted.name, request_id=ask.request_id, principal=ask.principal)
        key = made.access_key
        return 201, {
            "account_id": made.account_id,
            "name": made.name,
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
        }


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


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build_admin(checks: Checks, desk: Desk) -> Starlette:
    """Return the ASGI application of the admin port."""

    async def live(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"}, headers=_NEVER_STORED)

    async def ready(_request: Request) -> JSONResponse:
        found = dict(await checks())
        is_ready = all(finding == OK or finding.startswith(BUT) for finding in found.values())
        answer = {"status": "ready" if is_ready else "not ready", "checks": found}
        return JSONResponse(answer, status_code=200 if is_ready else 503, headers=_NEVER_STORED)

    return Starlette(routes=[Route("/-/live", live), Route("/-/ready", ready), *desk.routes()])


def render_admin_page() -> str:
    """Return the documentation's page of the admin port, as Markdown."""
    lines = [
        "# The admin port",
        "",
        "`GET /-/live` and `GET /-/ready` need no signature. Everything else is signed by an operator's access key (Signature",
        "Version 4, service `siegel`, the deployment's region) and answers JSON; errors have a `code`, a `message` and a",
        "`request_id`. Customers' keys open nothing here, and operators' keys open nothing on the S3 port.",
        "",
        "| Operation | Request | | Ledger kind |",
        "|---|---|---|---|",
    ]
    rows = [f"| {row.operation} | `{row.method} {row.path}` | {row.purpose} | `{row.kind}` |" for row in ADMIN_ROUTES]
    return "\n".join([*lines, *rows]) + "\n"
