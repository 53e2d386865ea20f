"""Handlers of the ledger's files, of the policy that names its witnesses, and of openings that are to go."""

import re
from typing import Final

from siegel.domain.absences import NoSuchLedgerFileError
from siegel.domain.errors import MethodNotAllowedError
from siegel.domain.limits import LEDGER_POLICY_BYTES_MAX
from siegel.s3wire.body import plan_body
from siegel.s3wire.request import Request
from siegel.web.body import RequestBody
from siegel.web.call import Call, UseCases
from siegel.web.exchange import Exchange

_OPENING: Final = re.compile(r"opening/(0|[1-9][0-9]{0,17})")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_BYTES: Final = (b"content-type", b"application/octet-stream")
# Behind a signature nothing is anybody else's to keep.
_FIXED: Final = (b"cache-control", b"private, max-age=31536000, immutable")
_NEVER_STORED: Final = (b"cache-control", b"no-store")


async def read_ledger(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ReadLedger: a file of the account's log, as it is."""
    request = call.request
    file = cases.ledgers().read(request.ledger_account, request.ledger_path)
    if file is None:
        raise NoSuchLedgerFileError
    await cases.journal.append(call.trail.entry(200))
    headers = [_TEXT if file.is_text else _BYTES, _FIXED if file.is_fixed else _NEVER_STORED]
    await exchange.answer(200, headers, file.content)


async def answer_warnings(cases: UseCases, request: Request, exchange: Exchange) -> None:
    """Tell whoever asks, signed or not, which logs have had no quorum for a day. It makes no entry, as it is nobody's data."""
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowedError(fields={"Method": request.method, "ResourceType": "LEDGER"}, headers={"Allow": "GET, HEAD"})
    await exchange.answer(200, [_TEXT, _NEVER_STORED], cases.ledgers().warnings())


async def put_policy(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutLedgerPolicy: the account's policy file, a text of at most LEDGER_POLICY_BYTES_MAX."""
    if call.request.ledger_path != "policy":
        raise MethodNotAllowedError(fields={"Method": "PUT", "ResourceType": "LEDGER"}, headers={"Allow": "GET"})
    body = RequestBody(exchange, plan_body(call.verified, md5=False), cases.reaper, LEDGER_POLICY_BYTES_MAX)
    text = await body.read_all(LEDGER_POLICY_BYTES_MAX)
    await cases.witness_policies().put(call.request.ledger_account, text, call.trail.entry(204))
    await exchange.answer(204)


async def erase_opening(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """EraseLedgerOpening: the names and persons of one entry, which the path names by its number."""
    request = call.request
    found = _OPENING.fullmatch(request.ledger_path)
    if found is None:
        raise MethodNotAllowedError(fields={"Method": "DELETE", "ResourceType": "LEDGER"}, headers={"Allow": "GET"})
    await cases.eraser().erase(request.ledger_account, int(found[1]), call.trail.entry(204))
    await exchange.answer(204)


HANDLERS: Final = {
    "ReadLedger": read_ledger,
    "PutLedgerPolicy": put_policy,
    "EraseLedgerOpening": erase_opening,
}
