"""Handlers of consents for the account that gives them, and the check of operators who act under one."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import msgspec

from siegel.access.caller import Caller
from siegel.access.consent import LIST, Use
from siegel.domain.consents import NoSuchConsentError
from siegel.domain.entry import Entries
from siegel.domain.errors import InvalidArgumentError, S3Error
from siegel.domain.limits import CONSENT_BODY_BYTES_MAX
from siegel.domain.objects import Bucket
from siegel.s3wire.body import plan_body
from siegel.s3wire.request import Request
from siegel.s3wire.routes.row import Route
from siegel.service.trail import Trail
from siegel.web.body import RequestBody
from siegel.web.call import Call, UseCases
from siegel.web.exchange import Exchange, HeaderList

PAGE_DEFAULT: Final = 100

_JSON: Final = (b"content-type", b"application/json")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_NEVER_STORED: Final = (b"cache-control", b"no-store")
_DECISIONS: Final = frozenset({"approval", "denial", "revocation"})

Piece = bytes | bytearray


async def admit_use(cases: UseCases, trail: Trail, request: Request, route: Route | S3Error, bucket: Bucket | None) -> None:
    """Return if the consent of the trail's caller permits a request. Raises AccessDeniedError; nobody learns what there is."""
    use = Use(
        operation=route.operation if isinstance(route, Route) else "such request",
        account_id="" if bucket is None else bucket.account_id,
        bucket=request.bucket,
        object_key=request.object_key,
        prefix=request.query.get("prefix", ""),
    )
    if use.action == LIST:
        # What a list was of belongs to what was done: without a consent the bucket says enough.
        trail.object_key = use.prefix
    await cases.live_consents().admit(trail, use)


async def note_read(cases: UseCases, call: Call, entry: Entries) -> None:
    """Write down that the caller gets what he asked for.

    `entry` tells of the keys that were used, too: what becomes of the request from here on does not tell of them again.

    Raises AccessDeniedError if his consent ended while that was opened, or while it was written down: then he gets nothing.
    """
    _require_live(cases, call.caller)
    await cases.journal.append(entry)
    call.trail.uses = ()
    _require_live(cases, call.caller)


def _require_live(cases: UseCases, caller: Caller) -> None:
    """Raise AccessDeniedError where the caller acts under a consent that has ended."""
    if caller.consent_id:
        cases.live_consents().require(caller.account_id, caller.consent_id, caller.arn)


async def stream_watched(
    cases: UseCases,
    call: Call,
    exchange: Exchange,
    status: int,
    headers: HeaderList,
    *,
    first: Piece,
    rest: AsyncIterator[Piece],
) -> None:
    """Stream a body that ends with the connection once the caller's consent does."""
    async with aclosing(cases.live_consents().watch(call.trail, rest)) as watched:
        await exchange.stream(status, headers, first, watched)


async def list_consents(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ListConsents: a page of requests and how they stand."""
    query = call.request.query
    limit = query.get("limit", str(PAGE_DEFAULT))
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= PAGE_DEFAULT):
        raise InvalidArgumentError(
            f"limit is a number from 1 to {PAGE_DEFAULT}.", fields={"ArgumentName": "limit", "ArgumentValue": limit}
        )
    shown = cases.consents().list(call.request.ledger_account, query.get("after", ""), int(limit))
    await cases.journal.append(call.trail.entry(200))
    await _answer_json(exchange, shown)


async def get_consent(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetConsent: all of one in JSON, or one of its documents as it is."""
    consent_id, _, name = call.request.ledger_path.partition("/")
    account_id = call.request.ledger_account
    if not name:
        shown = cases.consents().show(account_id, consent_id)
        await cases.journal.append(call.trail.entry(200))
        await _answer_json(exchange, shown)
        return
    document = cases.consents().document(account_id, consent_id, name)
    await cases.journal.append(call.trail.entry(200))
    await exchange.answer(200, [_TEXT, _NEVER_STORED], document)


async def decide_consent(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """DecideConsent: an approval, a denial or a revocation."""
    consent_id, _, name = call.request.ledger_path.partition("/")
    if name not in _DECISIONS:
        raise NoSuchConsentError("What can be put to a request is an approval, a denial or a revocation.")
    body = await _read(cases, call, exchange)
    shown = await cases.consents().decide(call.request.ledger_account, consent_id, name, body, call.trail)
    await _answer_json(exchange, shown)


async def get_keys(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetConsentKeys: the file as it was put."""
    text = cases.consents().keys(call.request.ledger_account)
    await cases.journal.append(call.trail.entry(200))
    await exchange.answer(200, [_TEXT, _NEVER_STORED], text)


async def put_keys(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutConsentKeys: whose signatures count from now on."""
    text = await _read(cases, call, exchange)
    await cases.consents().put_keys(call.request.ledger_account, text, lambda manifest: call.trail.entry(204, manifest=manifest))
    await exchange.answer(204)


async def _read(cases: UseCases, call: Call, exchange: Exchange) -> bytes:
    body = RequestBody(exchange, plan_body(call.verified, md5=False), cases.reaper, CONSENT_BODY_BYTES_MAX)
    return await body.read_all(CONSENT_BODY_BYTES_MAX)


async def _answer_json(exchange: Exchange, shown: object) -> None:
    await exchange.answer(200, [_JSON, _NEVER_STORED], msgspec.json.encode(shown))


HANDLERS: Final = {
    "ListConsents": list_consents,
    "GetConsent": get_consent,
    "DecideConsent": decide_consent,
    "GetConsentKeys": get_keys,
    "PutConsentKeys": put_keys,
}
